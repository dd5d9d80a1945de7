"""Videos that are there: read, counted, deleted."""

from __future__ import annotations

from sandbox.web import Request, Response, as_json
from sandbox.youtube.bodies import VIDEO_PARTS, parts_of
from sandbox.youtube.errors import error, forbidden, missing_parameter
from sandbox.youtube.resources import Json, counts, iso_duration, moment, page, shown_video
from sandbox.youtube.state import Caller, State, Video, new_etag

_MOST_IDS = 50


class Videos:
    def __init__(self, state: State) -> None:
        self._state = state

    def list(self, request: Request, caller: Caller) -> Response:
        parts = parts_of(request, VIDEO_PARTS)
        found = self._named(request, caller)
        if not found and self._state.settings.missing_video == "not_found":
            message = "The video that you are trying to retrieve cannot be found."
            raise error(404, "videoNotFound", message, domain="youtube.video", location="id")
        shown = [
            shown_video(
                video,
                parts,
                owner=self._state.world.accounts.get(video.channel),
                own=video.channel == caller.account.id,
                now=self._state.now,
            )
            for video in found
        ]
        return as_json(200, page(request, "videoListResponse", shown, usual=_MOST_IDS))

    def statistics(self, request: Request, caller: Caller) -> Response:
        """``videos:batchGetStats``"""
        parts = parts_of(request, ("id", "snippet", "statistics", "contentDetails"))
        items = [_counted(video, parts) for video in self._named(request, caller)]
        return as_json(200, {"kind": "youtube#batchGetStatsResponse", "etag": new_etag(), "items": items})

    def delete(self, request: Request, caller: Caller) -> Response:
        video_id = request.query.get("id")
        if not video_id:
            raise missing_parameter("id")
        video = self._state.seen(video_id, caller.account.id)
        if video is None:
            message = "The video that you are trying to delete cannot be found. Check the value of the id parameter."
            raise error(404, "videoNotFound", message, domain="youtube.video", location="id")
        if video.channel != caller.account.id:
            raise forbidden("youtube.video")
        self._state.deleted.add(video.id)
        if video.post.deleted_at is None:
            video.post.deleted_at = self._state.now
        return Response(204)

    def _named(self, request: Request, caller: Caller) -> tuple[Video, ...]:
        """The videos that ``id`` names, without those that the caller cannot see."""
        raw = request.query.get("id")
        if not raw:
            message = "No filter selected. Expected one of: id, chart, myRating"
            raise error(400, "missingRequiredParameter", message, domain="youtube.parameter")
        ids = list(dict.fromkeys(raw.split(",")))
        if len(ids) > _MOST_IDS:
            message = f"At most {_MOST_IDS} ids can be given."
            raise error(400, "invalidFilters", message, domain="youtube.parameter", location="id")
        found = (self._state.seen(video_id, caller.account.id) for video_id in ids)
        return tuple(video for video in found if video is not None)


def _counted(video: Video, parts: tuple[str, ...]) -> Json:
    count = counts(video)
    every: dict[str, Json] = {
        "statistics": {
            "viewCount": str(count["views"]),
            "likeCount": str(count["likes"]),
            "commentCount": str(count["comments"]),
        },
        "snippet": {"publishTime": moment(video.post.created_at)},
        "contentDetails": {"duration": iso_duration(video.duration or 0)},
    }
    shown: Json = {"kind": "youtube#videoStats", "etag": new_etag(), "id": video.id}
    return shown | {name: value for name, value in every.items() if name in parts}
