"""The requests that the platforms received: what was asked, by whom, and how it ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import msgspec

_KEPT = 50_000


class Received(msgspec.Struct):
    """One request. ``status`` stays None when no answer was sent. Tokens and bodies are not kept.

    Attributes:
        time: seconds since the Unix epoch.
        accepted_late_at: when it was handled after all, if a fault kept it back.
    """

    time: float
    platform: str
    method: str
    path: str
    call: str
    accounts: list[str]
    status: int | None = None
    fault: str | None = None
    accepted_late_at: float | None = None


class Journal:
    """The most recent requests, oldest first."""

    def __init__(self) -> None:
        self._received: deque[Received] = deque(maxlen=_KEPT)

    def add(self, received: Received) -> None:
        self._received.append(received)

    def of(self, account: str | None = None, call: str | None = None) -> Iterator[Received]:
        return (
            received
            for received in self._received
            if (account is None or account in received.accounts) and (call is None or received.call == call)
        )
