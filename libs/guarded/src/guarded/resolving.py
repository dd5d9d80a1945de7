"""Looking names up without letting a slow name server hold up the others."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""All addresses of a name, as text. Raises OSError."""

KEPT_SECONDS = 5.0
_THREADS = 128
"""Each look-up waits in a thread of its own. The loop's pool, which all else shares, has a handful."""
_MOST_KEPT = 10_000


class Resolver:
    """The system's resolver. Answers are kept for a few seconds; one look-up at a time for each name."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="resolve")
        self._kept: dict[tuple[str, int], tuple[float, Sequence[str]]] = {}
        self._asking: dict[tuple[str, int], asyncio.Future[Sequence[str]]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        key = (host, port)
        kept = self._kept.get(key)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.ensure_future(self._ask(key))
            self._asking[key] = asking
            asking.add_done_callback(lambda done: self._asked(key, done))
        # Whoever stops waiting does not stop the look-up for the others.
        return await asyncio.shield(asking)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, key: tuple[str, int]) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _getaddrinfo, *key)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[key] = (time.monotonic() + KEPT_SECONDS, found)
        return found

    def _asked(self, key: tuple[str, int], done: "asyncio.Future[Sequence[str]]") -> None:
        self._asking.pop(key, None)
        if not done.cancelled():
            done.exception()  # heard, even if nobody waits any more


def _getaddrinfo(host: str, port: int) -> Sequence[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{host} is not a name") from error
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))
