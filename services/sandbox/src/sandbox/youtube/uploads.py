"""Videos on their way to a channel, and thumbnails.

developers.google.com/youtube/v3/guides/using_resumable_upload_protocol: a session is opened with the metadata, bytes
are sent to its address, and the last of them makes the video.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from urllib.parse import urlencode

import msgspec

from sandbox.inspection import Inspected, inspect
from sandbox.ledger import Post, PublishedMedia
from sandbox.web import RefusedError, Request, Response, as_json
from sandbox.youtube.bodies import VIDEO_PARTS, VideoBody, check_parts_sent, check_video, decoded, parts_of
from sandbox.youtube.errors import bad_request, error, forbidden, missing_parameter
from sandbox.youtube.resources import shown_video, thumbnails
from sandbox.youtube.state import PLATFORM, Caller, Outcome, Session, State, Video, new_etag

GRAIN = 256 * 1024
"""Chunks are multiples of it, except the last."""
MAX_VIDEO_BYTES = 256 * 1024**3
MAX_THUMBNAIL_BYTES = 50 * 1024**2
_MAX_DURATION = 12 * 3_600.0
_SHORT_SECONDS = 180.0
_DAY = 86_400.0

_RANGE = re.compile(r"bytes (?:(?P<first>\d+)-(?P<last>\d+)|\*)/(?P<total>\d+|\*)")
_THUMBNAIL_TYPES = ("image/jpeg", "image/png", "application/octet-stream")


class Uploads:
    def __init__(self, state: State) -> None:
        self._state = state
        self._thumbnails: dict[str, list[float]] = {}

    # --- opening a session ----------------------------------------------------------------------------

    def open(self, request: Request, caller: Caller) -> Response:
        """Everything that can be wrong with the metadata is told here, before a byte is sent."""
        if request.query.get("uploadType") != "resumable":
            raise bad_request("This simulation takes videos by the resumable protocol only.")
        parts = parts_of(request, VIDEO_PARTS)
        asked = decoded(request, VideoBody)
        check_parts_sent(request, parts)
        check_video(asked)
        content_type = request.headers.get("x-upload-content-type", "application/octet-stream")
        if not content_type.startswith("video/") and content_type != "application/octet-stream":
            message = (
                f"Media type '{content_type}' is not supported. Valid media types: [video/*, application/octet-stream]"
            )
            raise error(400, "badContent", message)
        total = self._announced(request)
        self._check_channel(caller)
        upload_id = secrets.token_urlsafe(60)
        self._state.sessions[upload_id] = Session(
            upload_id=upload_id,
            account=caller.account.id,
            parts=parts,
            asked=asked,
            content_type=content_type,
            opened_at=self._state.now,
            total=total,
            notify=request.query.get("notifySubscribers", "true") != "false",
        )
        query = {**request.query, "upload_id": upload_id}
        return Response(200, headers={"Location": f"{request.base_url}{request.path}?{urlencode(query)}"})

    def _announced(self, request: Request) -> int | None:
        raw = request.headers.get("x-upload-content-length")
        if raw is None:
            return None
        if not raw.isascii() or not raw.isdigit():
            raise bad_request("Failed to parse X-Upload-Content-Length header.")
        if int(raw) == 0:
            raise error(400, "mediaBodyRequired", "The request does not include the video content.")
        if int(raw) > MAX_VIDEO_BYTES:
            raise error(413, "uploadTooLarge", "The video is larger than 256 GB.")
        return int(raw)

    def _check_channel(self, caller: Caller) -> None:
        since = self._state.now - _DAY
        recent = sum(
            video.channel == caller.account.id and video.post.created_at > since
            for video in self._state.videos.values()
        )
        if recent >= self._state.settings.channel_uploads:
            message = "The user has exceeded the number of videos they may upload."
            raise error(400, "uploadLimitExceeded", message, domain="youtube.video")

    # --- sending bytes --------------------------------------------------------------------------------

    def call_of(self, request: Request) -> str:
        """What bytes sent to a session do: only the last of them makes the video."""
        told = _RANGE.fullmatch(request.headers.get("content-range", ""))
        if told is None:
            return "create_post"
        if told["first"] is None:
            return "upload_status"
        return "create_post" if told["total"] == str(int(told["last"]) + 1) else "upload_append"

    def session_of(self, request: Request) -> Session | None:
        return self._state.sessions.get(request.query.get("upload_id", ""))

    def put(self, request: Request, caller: Caller) -> Response:
        session = self.session_of(request)
        settings = self._state.settings
        if session is None or session.opened_at + settings.session_seconds <= self._state.now:
            raise RefusedError(Response(settings.expired_session_status))
        if session.account != caller.account.id:
            raise forbidden()
        if session.video is not None:
            return self._made(session, caller)
        raw = request.headers.get("content-range")
        total: int | None
        if raw is None:
            first, last, total = 0, len(request.body) - 1, len(request.body)
        else:
            told = _RANGE.fullmatch(raw)
            if told is None:
                raise bad_request("Failed to parse Content-Range header.")
            total = session.total if told["total"] == "*" else int(told["total"])
            if told["first"] is None:
                self._check_total(session, total)
                if request.body:
                    raise bad_request("Failed to parse Content-Range header.")
                return _incomplete(session)
            first, last = int(told["first"]), int(told["last"])
        self._check_total(session, total)
        if last - first + 1 != len(request.body) or not request.body or (total is not None and last >= total):
            raise bad_request("Failed to parse Content-Range header.")
        if first != len(session.received):
            # Nothing of a chunk that overlaps or skips is taken.
            return _incomplete(session)
        final = total is not None and last + 1 == total
        if not final:
            self._check_chunk(session, len(request.body))
        session.total = total
        session.received += self._taken(session, request.body, final=final)
        if total is None or len(session.received) < total:
            return _incomplete(session)
        self._make(session, caller)
        return self._made(session, caller)

    def interrupted(self, request: Request) -> None:
        """What came of a chunk before the connection broke is kept, in whole grains."""
        session = self.session_of(request)
        told = _RANGE.fullmatch(request.headers.get("content-range", ""))
        if session is None or session.video is not None or told is None or told["first"] is None:
            return
        if int(told["first"]) == len(session.received):
            session.received += request.body[: len(request.body) // GRAIN * GRAIN]

    def _check_total(self, session: Session, total: int | None) -> None:
        if session.total is not None and total != session.total:
            raise bad_request("Failed to parse Content-Range header.")

    def _check_chunk(self, session: Session, size: int) -> None:
        if size % GRAIN:
            message = (
                "Invalid request. The number of bytes uploaded is required to be equal or greater than 262144, except "
                "for the final request (it's recommended to be the exact multiple of 262144). The received request "
                f"contained {size} bytes, which does not meet this requirement."
            )
            raise bad_request(message)
        if self._state.settings.equal_chunks and session.chunk not in (None, size):
            raise bad_request(f"All chunks but the last must have one size: {session.chunk} bytes, not {size}.")
        session.chunk = size

    def _taken(self, session: Session, chunk: bytes, *, final: bool) -> bytes:
        """What is stored of a chunk: all of it; under the fault ``partial_chunk`` the first half, in whole grains."""
        call = "create_post" if final else "upload_append"
        if self._state.world.faults.draw(PLATFORM, (session.account,), call, ("partial_chunk",)) is None:
            return chunk
        return chunk[: len(chunk) // 2 // GRAIN * GRAIN]

    def _made(self, session: Session, caller: Caller) -> Response:
        """The final answer, as often as it is asked for."""
        video = self._state.videos[session.video or ""]
        shown = shown_video(video, session.parts, owner=caller.account, own=True, now=self._state.now)
        return as_json(self._state.settings.created_status, shown)

    # --- what becomes of it ---------------------------------------------------------------------------

    def _make(self, session: Session, caller: Caller) -> None:
        state, now = self._state, self._state.now
        content = bytes(session.received)
        session.received.clear()
        seen = inspect(content)
        faults = state.world.faults
        outcome, reason = self._outcome(seen, caller)
        failing = faults.effect(PLATFORM, session.account, "media_processing_failed")
        if failing is not None:
            outcome, reason = _scripted(failing.script.params.body)
        slow = faults.effect(PLATFORM, session.account, "media_processing_slow")
        lasting = state.settings.processing_seconds if slow is None else slow.script.params.lasting(60.0)
        lag = faults.effect(PLATFORM, session.account, "readback_lag")
        width, height = (None, None) if seen is None else (seen.width, seen.height)
        duration = None if seen is None else seen.duration
        short = duration is not None and duration <= _SHORT_SECONDS and (width or 0) <= (height or 0)
        snippet, status = session.asked.snippet, session.asked.status
        video_id = secrets.token_urlsafe(8)
        post = Post(
            platform=PLATFORM,
            id=video_id,
            account=session.account,
            text=f"{snippet.title}\n\n{snippet.description}".strip(),
            raw=snippet.description,
            created_at=now,
            visible_at=now if lag is None else now + lag.script.params.lasting(30.0),
            conversation_id=video_id,
            media=[
                PublishedMedia(
                    id=video_id,
                    kind="video",
                    content_type=session.content_type if seen is None else seen.content_type,
                    bytes=len(content),
                    sha256=hashlib.sha256(content).hexdigest(),
                    width=width,
                    height=height,
                    duration=duration,
                )
            ],
            options={
                "post_type": "short" if short else "video",
                "notifySubscribers": session.notify,
                **msgspec.to_builtins(snippet),
                **msgspec.to_builtins(status),
                **_details(session.asked),
            },
            # What cannot be processed is never live.
            deleted_at=None if outcome == "processed" else now + lasting,
        )
        state.world.ledger.add(post)
        state.videos[video_id] = Video(
            post=post,
            asked=session.asked,
            outcome=outcome,
            reason=reason,
            ready_at=now + lasting,
            height=height,
            duration=duration,
        )
        session.video = video_id

    def _outcome(self, seen: Inspected | None, caller: Caller) -> tuple[Outcome, str | None]:
        if seen is None or seen.duration is None:
            return "failed", "invalidFile"
        longest = _MAX_DURATION if caller.account.premium else self._state.settings.verified_seconds
        return ("rejected", "length") if seen.duration > longest else ("processed", None)

    # --- thumbnails -----------------------------------------------------------------------------------

    def set_thumbnail(self, request: Request, caller: Caller) -> Response:
        video_id = request.query.get("videoId")
        if not video_id:
            raise missing_parameter("videoId")
        if request.query.get("uploadType", "media") != "media":
            raise bad_request("This simulation takes thumbnails in one request only.")
        video = self._state.owned(video_id, caller)
        if video is None:
            message = "The video that you are trying to set the thumbnail for does not exist."
            raise error(404, "videoNotFound", message, domain="youtube.thumbnail", location="videoId")
        if self._state.settings.verified_thumbnails and not caller.account.premium:
            message = "The authenticated user doesn't have permissions to upload and set custom video thumbnails."
            raise error(403, "forbidden", message, domain="youtube.thumbnail")
        if not request.body:
            message = "The request does not include the image content."
            raise error(400, "mediaBodyRequired", message, domain="youtube.thumbnail")
        seen = inspect(request.body)
        if (
            request.media_type not in _THUMBNAIL_TYPES
            or seen is None
            or seen.content_type not in _THUMBNAIL_TYPES
            or len(request.body) > MAX_THUMBNAIL_BYTES
        ):
            raise error(400, "invalidImage", "The provided image content is invalid.", domain="youtube.thumbnail")
        self._spend_thumbnail(caller.account.id)
        video.thumbnail = hashlib.sha256(request.body).hexdigest()
        video.post.options["thumbnail"] = video.thumbnail
        return as_json(200, {"kind": "youtube#thumbnailSetResponse", "etag": new_etag(), "items": [thumbnails(video)]})

    def _spend_thumbnail(self, channel: str) -> None:
        now = self._state.now
        recent = [at for at in self._thumbnails.get(channel, []) if at > now - _DAY]
        if len(recent) >= self._state.settings.thumbnails:
            message = "The channel has uploaded too many thumbnails recently. Please try the request again later."
            raise error(429, "uploadRateLimitExceeded", message, domain="youtube.thumbnail")
        self._thumbnails[channel] = [*recent, now]


def _incomplete(session: Session) -> Response:
    """308 with how much is stored; without ``Range`` nothing is."""
    stored = len(session.received)
    return Response(308, headers={"Range": f"bytes=0-{stored - 1}"} if stored else {})


def _scripted(body: dict[str, object] | None) -> tuple[Outcome, str]:
    """How processing ends under a fault, whose ``params.body`` is a video's ``status``."""
    told = body or {}
    if "rejectionReason" in told:
        return "rejected", str(told["rejectionReason"])
    return "failed", str(told.get("failureReason", "conversion"))


def _details(asked: VideoBody) -> dict[str, object]:
    details = (asked.paid_product_placement_details, asked.recording_details)
    return {name: value for each in details if each for name, value in msgspec.to_builtins(each).items()}
