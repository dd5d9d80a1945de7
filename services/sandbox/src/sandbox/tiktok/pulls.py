"""Fetching what TikTok was told to pull, while other requests are answered."""

from __future__ import annotations

import asyncio
import http.client
import urllib.request
from collections.abc import Sequence

from sandbox.tiktok.files import published, unfit_photo, unfit_video
from sandbox.tiktok.state import State, Task

_PATIENCE = 30.0


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """TikTok takes a redirect for a file that is not there."""

    def redirect_request(self, *_args: object, **_named: object) -> None:
        return None


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)


def pull(state: State, task: Task, urls: Sequence[str]) -> None:
    """Begin to fetch the files of a task; it is decided when all are there, or one is not."""

    async def run() -> None:
        files: list[bytes] = []
        for url in urls:
            content = await asyncio.to_thread(_fetch, url)
            if content is None:
                state.complete(task, [], f"{task.kind}_pull_failed")
                return
            files.append(content)
            task.downloaded += len(content)
        if task.decided_at is None:
            longest = state.creator(task.caller.account).max_video_post_duration_sec
            reasons = [
                unfit_photo(content) if task.kind == "photo" else unfit_video(content, longest) for content in files
            ]
            media = [published(content, task.kind, number) for number, content in enumerate(files)]
            state.complete(task, media, next(filter(None, reasons), None))

    running = asyncio.get_running_loop().create_task(run())
    state.pulls.add(running)
    running.add_done_callback(state.pulls.discard)


def _fetch(url: str) -> bytes | None:
    """The file; None when it is not to be had. The scheme was checked before."""
    try:
        with _opener.open(url, timeout=_PATIENCE) as response:
            content: bytes = response.read()
            return content
    except (OSError, http.client.HTTPException):
        return None
