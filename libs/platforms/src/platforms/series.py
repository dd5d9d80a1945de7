"""From cumulative counters, read now and then, to what was gained hour by hour. Pure.

A counter that goes down was wrong before: platforms take back what turns out to be fraud, and people take back likes.
So the newest reading is right, and nothing read earlier counts for more. Between two readings the gain is spread evenly
over time, which is a guess, and marked as such. So gains are never negative, and add up to the newest reading.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from msgspec import Struct

from contracts.analytics import Reading
from contracts.content import Platform
from platforms.measures import figures

HOUR = timedelta(hours=1)


class Gain(Struct, frozen=True, kw_only=True):
    """What was gained in the hour, or day, that begins at `at`. `estimated`: no reading marks its borders."""

    at: datetime
    impressions: int | None
    engagements: int | None
    estimated: bool


def hourly(platform: Platform, published_at: datetime, readings: Sequence[Reading]) -> list[Gain]:
    """From the hour of publication to that of the newest reading; empty without readings. `readings` are in order."""
    if not readings:
        return []
    told = [figures(platform, reading.counters) for reading in readings]
    times = [max(reading.at, published_at) for reading in readings]
    start = published_at.replace(minute=0, second=0, microsecond=0)
    edges = [start + HOUR * step for step in range((times[-1] - start) // HOUR + 2)]
    impressions = _gained(published_at, times, [each.impressions for each in told], edges)
    engagements = _gained(published_at, times, [each.engagements for each in told], edges)
    # What is read on the hour is the end of one hour and the beginning of the next.
    read_in = {hour for time in times for hour in ((time - start) // HOUR, -((start - time) // HOUR) - 1)}
    return [
        Gain(
            at=edge,
            impressions=impressions[index] if impressions is not None else None,
            engagements=engagements[index] if engagements is not None else None,
            # The first hour begins with nothing, so one reading in it is enough; others need one before as well.
            estimated=index not in read_in or (index > 0 and index - 1 not in read_in),
        )
        for index, edge in enumerate(edges[:-1])
    ]


def together(series: Sequence[Sequence[Gain]]) -> list[Gain]:
    """Several targets' gains added, in order of time."""
    by_time: dict[datetime, list[Gain]] = {}
    for gains in series:
        for gain in gains:
            by_time.setdefault(gain.at, []).append(gain)
    return [_sum_of(at, by_time[at]) for at in sorted(by_time)]


def daily(gains: Sequence[Gain], zone: ZoneInfo) -> list[Gain]:
    """Days on the clock of `zone`; each gain counts for the day in which its hour begins."""
    by_day: dict[datetime, list[Gain]] = {}
    for gain in gains:
        day = gain.at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        by_day.setdefault(day, []).append(gain)
    return [_sum_of(day, by_day[day]) for day in sorted(by_day)]


def _sum_of(at: datetime, gains: Sequence[Gain]) -> Gain:
    impressions = [gain.impressions for gain in gains if gain.impressions is not None]
    engagements = [gain.engagements for gain in gains if gain.engagements is not None]
    return Gain(
        at=at,
        impressions=sum(impressions) if impressions else None,
        engagements=sum(engagements) if engagements else None,
        estimated=any(gain.estimated for gain in gains),
    )


def _gained(
    published_at: datetime, times: Sequence[datetime], values: Sequence[int | None], edges: Sequence[datetime]
) -> list[int] | None:
    known = [(time, value) for time, value in zip(times, values, strict=True) if value is not None]
    if not known:
        return None
    points = [(published_at, 0)]
    ceiling = known[-1][1]
    backwards = []
    for time, value in reversed(known):
        ceiling = max(0, min(ceiling, value))
        backwards.append((time, ceiling))
    points += reversed(backwards)
    totals = []
    place = 0
    for edge in edges:
        while place + 1 < len(points) and points[place + 1][0] <= edge:
            place += 1
        totals.append(_between(points, place, edge))
    return [after - before for before, after in pairwise(totals)]


def _between(points: Sequence[tuple[datetime, int]], place: int, edge: datetime) -> int:
    """The counter at `edge`, on a straight line from the point at or before it to the next."""
    at, value = points[place]
    if edge <= at or place + 1 == len(points):
        return value if edge >= at else 0
    following, higher = points[place + 1]
    return value + int((higher - value) * ((edge - at) / (following - at)))
