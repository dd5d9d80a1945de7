"""Time-ordered 64-bit ids in Snowflake layout: milliseconds in the upper bits, a sequence in the lower 22."""

from __future__ import annotations

from sandbox.clock import Clock

_SEQUENCE_BITS = 22
_SEQUENCE_LIMIT = 1 << 12


class Snowflakes:
    """Hands out strictly increasing ids.

    Args:
        epoch_ms: what the platform counts milliseconds from (X: 1288834974657; LinkedIn: the Unix epoch).
    """

    def __init__(self, clock: Clock, epoch_ms: int) -> None:
        self._clock = clock
        self._epoch_ms = epoch_ms
        self._last_ms = 0
        self._sequence = 0

    def next(self) -> int:
        now_ms = int(self._clock.now() * 1000)
        if now_ms > self._last_ms:
            self._last_ms, self._sequence = now_ms, 0
        else:
            self._sequence += 1
            if self._sequence == _SEQUENCE_LIMIT:
                self._last_ms, self._sequence = self._last_ms + 1, 0
        return (self._last_ms - self._epoch_ms) << _SEQUENCE_BITS | self._sequence
