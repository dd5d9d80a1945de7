"""Comments below videos."""

from __future__ import annotations

import secrets

from sandbox.ledger import Post
from sandbox.web import Request, Response, as_json
from sandbox.youtube.bodies import MAX_COMMENT, CommentThreadBody, check_parts_sent, decoded, parts_of
from sandbox.youtube.errors import bad_request, error, forbidden, missing_parameter
from sandbox.youtube.resources import page, shown_thread
from sandbox.youtube.state import PLATFORM, Caller, State, Video

_PARTS = ("id", "replies", "snippet")
_DOMAIN = "youtube.commentThread"


class Comments:
    """Made by the owner of a video or by others; nobody answers them here."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, request: Request, caller: Caller) -> Response:
        parts = parts_of(request, _PARTS)
        asked = decoded(request, CommentThreadBody).snippet
        check_parts_sent(request, parts)
        text = asked.top_level_comment.snippet.text_original
        if not asked.video_id:
            message = "The API request must specify a value for the <code>snippet.videoId</code> property."
            raise error(400, "channelOrVideoIdMissing", message, domain=_DOMAIN)
        if not text.strip():
            message = "The resource that is being inserted must specify a value for its text."
            raise error(400, "commentTextRequired", message, domain=_DOMAIN)
        if len(text) > MAX_COMMENT:
            message = "The resource that is being inserted contains too many characters in its text."
            raise error(400, "commentTextTooLong", message, domain=_DOMAIN)
        video = self._state.need_video(asked.video_id, caller, "body.snippet.videoId")
        if asked.channel_id and asked.channel_id != video.channel:
            message = "The specified channel could not be found."
            raise error(404, "channelNotFound", message, domain=_DOMAIN)
        if self._closed(video):
            message = "The video has disabled comments."
            raise error(403, "commentsDisabled", message, domain=_DOMAIN)
        now = self._state.now
        lag = self._state.world.faults.effect(PLATFORM, caller.account.id, "readback_lag")
        comment = Post(
            platform=PLATFORM,
            id="Ug" + secrets.token_urlsafe(18),
            account=caller.account.id,
            text=text,
            raw=text,
            created_at=now,
            visible_at=now if lag is None else now + lag.script.params.lasting(30.0),
            conversation_id=video.id,
            in_reply_to=video.id,
            options={"post_type": "comment"},
        )
        self._state.world.ledger.add(comment)
        self._state.comments[comment.id] = comment
        video.post.metrics["comments"] = video.post.metrics.get("comments", 0) + 1
        return as_json(200, shown_thread(comment, caller.account, video.channel, parts, own=True))

    def list(self, request: Request, caller: Caller) -> Response:
        """Below one video, or below all videos of a channel; the newest first."""
        parts = parts_of(request, _PARTS)
        if request.query.get("order", "time") not in ("time", "relevance"):
            raise bad_request("order is time or relevance.")
        wanted = request.query.get("videoId")
        channel = request.query.get("allThreadsRelatedToChannelId")
        if (wanted is None) == (channel is None):
            message = "No filter selected. Expected one of: id, videoId, allThreadsRelatedToChannelId"
            raise error(400, "missingRequiredParameter", message, domain="youtube.parameter")
        if wanted is not None and self._closed(self._state.need_video(wanted, caller, "videoId")):
            raise error(403, "commentsDisabled", "The video has disabled comments.", domain=_DOMAIN)
        shown = []
        for comment in reversed(self._state.comments.values()):
            video = self._state.seen(comment.in_reply_to or "", caller.account.id)
            if video is None or not comment.visible(self._state.now):
                continue
            if wanted in (None, video.id) and channel in (None, video.channel):
                author = self._state.world.accounts.get(comment.account)
                own = comment.account == caller.account.id
                shown.append(shown_thread(comment, author, video.channel, parts, own=own))
        return as_json(200, page(request, "commentThreadListResponse", shown, largest=100, usual=20))

    def delete(self, request: Request, caller: Caller) -> Response:
        comment_id = request.query.get("id")
        if not comment_id:
            raise missing_parameter("id")
        comment = self._state.comments.get(comment_id)
        if comment is None or comment.deleted_at is not None:
            message = "The specified comment could not be found."
            raise error(404, "commentNotFound", message, domain="youtube.comment", location="id")
        video = self._state.videos.get(comment.in_reply_to or "")
        if caller.account.id not in (comment.account, video.channel if video else None):
            raise forbidden("youtube.comment")
        comment.deleted_at = self._state.now
        return Response(204)

    def _closed(self, video: Video) -> bool:
        return video.asked.status.self_declared_made_for_kids or video.privacy(self._state.now) == "private"
