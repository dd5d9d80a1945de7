"""The bytes of a video on their way to the upload URL, which is its own credential."""

from __future__ import annotations

import hmac
import re

from sandbox.tiktok.files import published, unfit_video
from sandbox.tiktok.state import State, Task
from sandbox.web import Request, Response

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_TYPES = ("video/mp4", "video/quicktime", "video/webm")


class Uploads:
    def __init__(self, state: State) -> None:
        self._state = state

    def task_of(self, request: Request) -> Task | None:
        """The task that a request uploads to, if it knows the token of the upload URL."""
        task = self._state.uploads.get(request.query.get("upload_id", ""))
        if task is None:
            return None
        token = request.query.get("upload_token", "")
        return task if hmac.compare_digest(task.upload_token.encode(), token.encode()) else None

    def is_last(self, request: Request) -> bool:
        """Whether this would complete the upload, and so begin the post."""
        found = _RANGE.fullmatch(request.headers.get("content-range", ""))
        return found is not None and int(found[2]) + 1 == int(found[3])

    def put(self, request: Request) -> Response:
        task = self.task_of(request)
        if task is None:
            return Response(404)
        if task.received < task.size and task.upload_expires_at <= self._state.now:
            return Response(403)
        if task.decided_at is not None:
            return _progress(416, task)
        found = _RANGE.fullmatch(request.headers.get("content-range", ""))
        if found is None or request.media_type not in _TYPES:
            return Response(400)
        first, last, total = (int(number) for number in found.groups())
        if total != task.size or last - first + 1 != len(request.body):
            return Response(400)
        if first != task.received:
            return _progress(416, task)
        if (first, last) != task.chunk_range(len(task.chunks)):
            return Response(400)
        task.chunks.append(request.body)
        task.received = last + 1
        if task.received < task.size:
            return _progress(206, task)
        self._complete(task)
        return _progress(201, task)

    def _complete(self, task: Task) -> None:
        content = b"".join(task.chunks)
        task.chunks.clear()
        longest = self._state.creator(task.caller.account).max_video_post_duration_sec
        failure = unfit_video(content, longest)
        self._state.complete(task, [published(content, "video", 0)], failure)


def _progress(status: int, task: Task) -> Response:
    """The bytes that are there; no range when there are none."""
    if not task.received:
        return Response(status, headers={"content-range": f"bytes */{task.size}"})
    return Response(status, headers={"content-range": f"bytes 0-{task.received - 1}/{task.size}"})
