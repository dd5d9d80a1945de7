"""The time of the simulated world."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Wall time plus whatever it was advanced by.

    Expiry, duplicate windows, rate windows and media processing all read this clock, so a test can pass
    hours in an instant. Delays on the wire are real and do not.
    """

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._ahead = 0.0

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        return self._wall() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move the clock forward; it never goes back."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self._ahead += seconds


def iso_milliseconds(timestamp: float) -> str:
    """RFC 3339 in UTC with milliseconds, as both X and the ledger write it: ``2026-01-02T03:04:05.678Z``."""
    moment = datetime.fromtimestamp(timestamp, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
