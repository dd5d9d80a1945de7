"""Ids are ordered by time and never repeat."""

from __future__ import annotations

from sandbox.clock import Clock
from sandbox.snowflakes import Snowflakes

EPOCH_MS = 1_288_834_974_657


def test_ids_hold_the_time() -> None:
    ids = Snowflakes(Clock(lambda: 1_790_000_000.25), EPOCH_MS)
    assert (ids.next() >> 22) + EPOCH_MS == 1_790_000_000_250


def test_ids_grow_within_a_millisecond_and_when_the_clock_steps_back() -> None:
    times = iter([1_790_000_000.0] * 10_000 + [1_789_999_999.0] * 10)
    ids = Snowflakes(Clock(lambda: next(times)), EPOCH_MS)
    handed_out = [ids.next() for _ in range(10_010)]
    assert handed_out == sorted(set(handed_out))
