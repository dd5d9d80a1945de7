"""Videos, reels and video stories of Facebook Pages: begun, sent in pieces, finished, processed."""

from __future__ import annotations

from sandbox.accounts import Account
from sandbox.meta.errors import Flaw, error, invalid, missing_object, rupload_error
from sandbox.meta.fetching import own_sample
from sandbox.meta.graph import Json, attachment, graph_time, parameters, select, text
from sandbox.meta.pages import Pages
from sandbox.meta.state import DAY, FACEBOOK, Caller, Container, State, Video, VideoKind, file_of
from sandbox.web import Request, Response, as_json

_RATIO = Flaw(1363040, 1363040, "The video's aspect ratio is not between 16x9 and 9x16.")
_RESOLUTION = Flaw(1363127, 1363127, "The video's resolution is below 540x960.")
_DURATION = Flaw(1363128, 1363128, "The video's duration is out of bounds.")
_FORMAT = Flaw(352, 1363024, "The video file you selected is in a format that we don't support.")
_FAILED = Flaw(1363008, 1363008, "There was a problem processing your video.")
_DURATIONS: dict[VideoKind, tuple[float, float]] = {"reel": (3, 90), "story": (1, 60), "video": (0, 14_400)}


class Videos:
    def __init__(self, state: State, pages: Pages) -> None:
        self._state = state
        self._pages = pages

    # --- /videos ------------------------------------------------------------------------------------------

    def videos(self, request: Request, caller: Caller) -> Response:
        """``POST /{page-id}/videos``: at once, or start, transfer, finish and cancel."""
        page = self._pages.writable(caller, request.path_parameters["id"])
        given = parameters(request)
        match text(given, "upload_phase"):
            case None:
                return self._at_once(request, page, given)
            case "start":
                size = text(given, "file_size") or ""
                if not size.isdecimal() or int(size) == 0:
                    raise invalid("Param file_size is required")
                video = self._new(page, "video")
                video.size, video.session = int(size), self._state.new_id("16", 15)
                return as_json(200, {"upload_session_id": video.session, "video_id": video.id, **self._offsets(video)})
            case "transfer":
                return self._transfer(request, self._session(page, given), given)
            case "finish":
                return self._finish(page, self._session(page, given), given)
            case "cancel":
                del self._state.videos[self._session(page, given).id]
                return as_json(200, {"success": True})
            case other:
                raise invalid(f"Param upload_phase must be one of {{start, transfer, finish, cancel}}: {other}")

    def _at_once(self, request: Request, page: Account, given: Json) -> Response:
        content, url = attachment(request), text(given, "file_url")
        if content is None and url is None:
            raise error(6000, "(#6000) There was a problem uploading your video file. Please try again.")
        if content is None:
            content = own_sample(request, url or "")
        if content is None:
            raise error(389, "(#389) Unable to fetch video file from URL.")
        video = self._new(page, "video")
        _complete(video, content)
        self._finish(page, video, given)
        return as_json(200, {"id": video.id})

    def _session(self, page: Account, given: Json) -> Video:
        session = text(given, "upload_session_id")
        for video in self._state.videos.values():
            if session is not None and video.session == session and video.page == page.id:
                return video
        raise error(6001, "(#6001) There was a problem uploading your video file: unknown session", subcode=1363033)

    def _offsets(self, video: Video) -> Json:
        start = len(video.received)
        end = min(start + self._state.facebook.chunk_bytes, video.size or 0)
        return {"start_offset": str(start), "end_offset": str(end)}

    def _transfer(self, request: Request, video: Video, given: Json) -> Response:
        chunk = attachment(request) or b""
        held = len(video.received)
        most = min(self._state.facebook.chunk_bytes, (video.size or 0) - held)
        if text(given, "start_offset") != str(held) or not 0 < len(chunk) <= most:
            raise error(
                6001,
                "There was a problem uploading your video file. Please try again.",
                subcode=1363037,
                transient=True,
                data=self._offsets(video),
            )
        self._append(video, chunk)
        return as_json(200, self._offsets(video))

    def _append(self, video: Video, chunk: bytes) -> None:
        video.received += chunk
        if len(video.received) == video.size:
            video.file = file_of(bytes(video.received))

    # --- /video_reels and /video_stories ------------------------------------------------------------------

    def reels(self, request: Request, caller: Caller) -> Response:
        return self._in_phases(request, caller, "reel")

    def stories(self, request: Request, caller: Caller) -> Response:
        return self._in_phases(request, caller, "story")

    def _in_phases(self, request: Request, caller: Caller, kind: VideoKind) -> Response:
        page = self._pages.writable(caller, request.path_parameters["id"])
        given = parameters(request)
        match text(given, "upload_phase"):
            case "start":
                video = self._new(page, kind)
                url = f"{request.base_url}/video-upload/v26.0/{video.id}"
                return as_json(200, {"video_id": video.id, "upload_url": url})
            case "finish":
                video = self._video(text(given, "video_id") or "", page)
                if video.kind != kind:
                    raise invalid("Invalid video_id")
                if kind == "reel" and text(given, "video_state") != "PUBLISHED":
                    raise invalid("The sandbox publishes at once: video_state must be PUBLISHED")
                return self._finish(page, video, given)
            case other:
                raise invalid(f"Param upload_phase must be one of {{start, finish}}: {other}")

    def upload(self, request: Request, caller: Caller) -> Response:
        """``POST rupload.facebook.com/video-upload/{version}/{video-id}``"""
        video = self._state.videos.get(request.path_parameters["id"])
        if video is None or caller.account.id != video.page or video.kind == "video":
            raise rupload_error(400, "ProcessingFailedError", "Request processing failed", retriable=False)
        url = request.headers.get("file_url")
        if url is not None:
            content = own_sample(request, url)
            if content is None:
                raise rupload_error(400, "ProcessingFailedError", "Request processing failed", retriable=False)
            _complete(video, content)
            return as_json(200, {"success": True})
        take_bytes(request, video)
        return as_json(200, {"success": True})

    def _new(self, page: Account, kind: VideoKind) -> Video:
        video = Video(self._state.new_id("17", 15), page.id, kind, self._state.now)
        self._state.videos[video.id] = video
        return video

    def _video(self, video_id: str, page: Account) -> Video:
        video = self._state.videos.get(video_id)
        if video is None or video.page != page.id:
            raise invalid("Invalid video_id")
        return video

    # --- the end ------------------------------------------------------------------------------------------

    def _finish(self, page: Account, video: Video, given: Json) -> Response:
        if video.file is None:
            raise error(6001, "There was a problem uploading your video file. Please try again.", subcode=1363030)
        if video.finished_at is not None:
            # One video is one post, however often it is finished.
            return self._finished(video)
        now = self._state.now
        if video.kind == "reel":
            self._spend_reel(page)
        settings = self._state.facebook
        seconds, fails = self._state.processing(FACEBOOK, page.id, settings.video_processing_seconds)
        video.title, video.description = text(given, "title") or "", text(given, "description") or ""
        video.finished_at, video.ready_at = now, now + seconds
        video.flaw = _FAILED if fails else _flaw_of(video)
        if video.flaw is None:
            video.post = self._state.new_id("18", 15) if video.kind == "story" else video.id
            names = ("title", "place", "is_ai_generated", "targeting")
            options: Json = {"post_type": "feed" if video.kind == "video" else video.kind}
            options |= {name: given[name] for name in names if name in given}
            self._pages.add(
                page,
                video.post,
                message=video.description,
                kind=video.kind,
                media=[video.file.published(video.id, "video")],
                options=options,
                at=video.ready_at,
            )
        return self._finished(video)

    @staticmethod
    def _finished(video: Video) -> Response:
        answer: Json = {"success": True}
        if video.kind == "story" and video.post is not None:
            answer["post_id"] = video.post
        return as_json(200, answer)

    def _spend_reel(self, page: Account) -> None:
        recent = [
            video
            for video in self._state.videos.values()
            if video.kind == "reel"
            and video.page == page.id
            and video.finished_at is not None
            and video.finished_at > self._state.now - DAY
        ]
        if len(recent) >= self._state.facebook.reels_per_day:
            raise error(613, "(#613) Calls to this api have exceeded the rate limit.", subcode=1996)

    # --- reading ------------------------------------------------------------------------------------------

    def read(self, request: Request, caller: Caller, video: Video) -> Response:
        """``GET /{video-id}``"""
        self._pages.own(caller, video.page)
        entry = self._state.entries.get(video.post or "")
        shown = entry is not None and entry.post.visible(self._state.now)
        if entry is not None and entry.post.deleted_at is not None:
            raise missing_object(video.id)
        reading = {
            "status": lambda _: self._status(video),
            "published": lambda _: shown,
            "permalink_url": lambda _: f"/{video.page}/videos/{video.id}/" if shown else None,
            "description": lambda _: video.description or None,
            "title": lambda _: video.title or None,
            "created_time": lambda _: graph_time(entry.post.created_at if entry else video.created_at),
            "post_id": lambda _: video.post if shown else None,
            "length": lambda _: video.file.inspected.duration if video.file and video.file.inspected else None,
        }
        return as_json(200, select(video.id, request.query.get("fields"), "description,created_time", reading, "Video"))

    def _status(self, video: Video) -> Json:
        now = self._state.now
        uploading: Json = {
            "status": "complete" if video.file else "in_progress" if video.received else "not_started",
            "bytes_transfered": len(video.received),
            "bytes_transferred": len(video.received),
        }
        if video.size is not None:
            uploading["source_file_size"] = video.size
        processing: Json = {"status": "not_started"}
        publishing: Json = {"status": "not_started"}
        state = "upload_complete" if video.file else "uploading"
        if video.finished_at is not None and now < video.ready_at:
            state, processing = "processing", {"status": "in_progress"}
        elif video.finished_at is not None and video.flaw is not None:
            state = "error"
            problem = {"code": video.flaw.code, "message": video.flaw.message}
            processing = {"status": "error", "errors": [problem]}
        elif video.finished_at is not None:
            entry = self._state.entries[video.post or video.id]
            visible = entry.post.visible(now)
            state, processing = "ready", {"status": "complete"}
            publishing = {"status": "complete" if visible else "in_progress"}
            if visible:
                publishing |= {"publish_status": "published", "publish_time": int(entry.post.created_at)}
        elif now - video.created_at > DAY:
            state = "expired"
        return {
            "video_status": state,
            "uploading_phase": uploading,
            "processing_phase": processing,
            "publishing_phase": publishing,
        }


def take_bytes(request: Request, into: Video | Container, body: bytes | None = None) -> None:
    """The bytes of a resumable upload. Raises RefusedError when they do not continue where it stands.

    Bytes of a request that was cut short, given as ``body``, are kept.
    """
    headers = request.headers
    offset, size = headers.get("offset", ""), headers.get("file_size", "")
    if not offset.isdecimal() or not size.isdecimal():
        raise rupload_error(400, "ProcessingFailedError", "Request processing failed", retriable=False)
    if int(offset) != len(into.received) or (into.size is not None and into.size != int(size)):
        raise rupload_error(412, "OffsetInvalidError", "Request starting offset is invalid", retriable=True)
    into.size = int(size)
    content = request.body if body is None else body
    into.received += content[: into.size - len(into.received)]
    if len(into.received) < into.size:
        raise rupload_error(
            400, "PartialRequestError", "Partial request (did not match length of file)", retriable=True
        )
    into.file = file_of(bytes(into.received))


def _complete(video: Video, content: bytes) -> None:
    video.received, video.size, video.file = bytearray(content), len(content), file_of(content)


def _flaw_of(video: Video) -> Flaw | None:
    seen = video.file.inspected if video.file else None
    if seen is None or seen.content_type not in ("video/mp4", "video/quicktime") or not seen.width or not seen.height:
        return _FORMAT
    shortest, longest = _DURATIONS[video.kind]
    if not shortest <= (seen.duration or 0) <= longest:
        return _DURATION
    if video.kind != "video":
        if not 9 / 16 * 0.99 <= seen.width / seen.height <= 16 / 9 * 1.01:
            return _RATIO
        if seen.width < 540 or seen.height < 960:
            return _RESOLUTION
    return None
