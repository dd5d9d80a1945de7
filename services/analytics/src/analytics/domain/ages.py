"""At which ages of a post its numbers are read. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

PLANNED: tuple[timedelta, ...] = (
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=6),
    *(timedelta(days=day) for day in range(1, 31)),
)
"""Most happens in the first hours; after thirty days, when X stops telling authors, nothing is read any more."""

_EARLY = timedelta(hours=1)
_EARLY_SLOT = timedelta(minutes=5)


def next_reading(published_at: datetime, now: datetime, planned: Sequence[timedelta] = PLANNED) -> datetime | None:
    """When a post that went live at `published_at` is to be read next, after `now`; None when it is too old."""
    return next((published_at + age for age in planned if published_at + age > now), None)


def slot(published_at: datetime, at: datetime) -> int:
    """Readings of one slot replace each other: five minutes in a post's first hour, an hour of the clock later."""
    age = at - published_at
    if age < _EARLY:
        return max(0, age // _EARLY_SLOT) - _EARLY // _EARLY_SLOT
    return int(at.timestamp()) // 3_600


def label(age: timedelta) -> str:
    """How an age is called where it is stored: `5m`, `6h`, `3d`."""
    minutes = age // timedelta(minutes=1)
    if minutes < 60:
        return f"{minutes}m"
    return f"{minutes // 60}h" if minutes < 24 * 60 else f"{minutes // (24 * 60)}d"
