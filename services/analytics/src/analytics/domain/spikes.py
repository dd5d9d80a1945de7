"""When a post does unusually well: compared with the same account's other posts at the same age. Pure.

Compared are the engagements gained from one planned age to the next, in logarithms, because they scatter by factors; a
post that was ahead at the age before is expected to be ahead still. The usual is the median, and the usual scatter the
median deviation from it: a few runaway posts in the past do not move either. A spike is far outside the scatter,
several times the usual, and not made of a handful of likes. It is told once, however long it lasts.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from statistics import median

from msgspec import Struct
from msgspec.structs import replace

from analytics.domain.ages import PLANNED, label
from contracts.analytics import Reading
from contracts.content import Platform
from platforms.measures import figures

METRIC = "engagements"
LEAST_HISTORY = 10
"""Posts of the account that must have been seen at an age before anything is unusual."""
LEAST_SCORE = 3.5
"""Iglewicz and Hoaglin's threshold for outliers by the median absolute deviation."""
LEAST_FACTOR = 3.0
LEAST_GAIN = 20
LEAST_SCATTER = 0.25
"""Of logarithms: an account whose posts do all alike by chance is not surprised by a third more."""
WIDEST = 2.5
"""How far apart readings may be, in lengths of the age they are to mark."""
CARRIES_OVER = 0.7
"""How much of a post's lead at one age it is expected to keep at the next: what does well goes on doing well."""
_FARTHEST_BEHIND = 0.5
_AGES = tuple((label(age), age.total_seconds()) for age in PLANNED)
_TO_SIGMA = 1.4826


class Spike(Struct, frozen=True, kw_only=True):
    age: str
    value: float
    baseline: float
    factor: float
    starts: bool = True
    """The age before was no spike: somebody should be told."""


def gains(platform: Platform, published_at: datetime, readings: Sequence[Reading]) -> dict[str, float]:
    """Engagements gained in each planned age, by the name of its end; only ages that readings mark well enough.

    Between readings the counter is taken to grow evenly.
    """
    points: list[tuple[float, float]] = [(0.0, 0.0)]
    for reading in readings:
        count = figures(platform, reading.counters).engagements
        if count is not None:
            points.append((max(0.0, (reading.at - published_at).total_seconds()), float(count)))
    found: dict[str, float] = {}
    start, before = 0.0, 0.0 if len(points) > 1 else None
    for name, end in _AGES:
        total = _at(points, end, widest=WIDEST * (end - start))
        if total is not None and before is not None:
            found[name] = round(max(0.0, total - before), 1)
        if total is None and points[-1][0] < end:
            break  # nor has it been read at any later age
        start, before = end, total
    return found


def judge(
    own: Mapping[str, float], before: Mapping[str, float], others: Sequence[Mapping[str, float]], known: Sequence[str]
) -> list[Spike]:
    """Spikes at the ages that a post has reached since its gains were `before`; at no age it is judged twice.

    `others` are the gains of the account's other posts, `known` the ages at which this one was found to spike.
    """
    flagged = set(known)
    found: list[Spike] = []
    previous: str | None = None
    for age, _ in _AGES:
        if age in own and age not in before:
            spike = _spike(age, previous, own, others)
            if spike is not None:
                found.append(replace(spike, starts=previous not in flagged))
                flagged.add(age)
        previous = age
    return found


def _spike(
    age: str, previous: str | None, own: Mapping[str, float], others: Sequence[Mapping[str, float]]
) -> Spike | None:
    value = own[age]
    peers = [gains for gains in others if age in gains]
    if len(peers) < LEAST_HISTORY or value < LEAST_GAIN:
        return None
    baseline = median(gains[age] for gains in peers)
    factor = (value + 1) / (baseline + 1)
    if factor < LEAST_FACTOR:
        return None
    ahead = _lead(previous, peers)
    deviations = [math.log1p(gains[age]) - CARRIES_OVER * ahead(gains) for gains in peers]
    usual = median(deviations)
    scatter = max(LEAST_SCATTER, _TO_SIGMA * median(abs(each - usual) for each in deviations))
    # Few deviations look alike by chance.
    scatter *= 1 + 2 / len(peers)
    if (math.log1p(value) - CARRIES_OVER * ahead(own) - usual) / scatter < LEAST_SCORE:
        return None
    return Spike(age=age, value=value, baseline=round(baseline, 2), factor=round(factor, 2))


def _lead(age: str | None, peers: Sequence[Mapping[str, float]]) -> Callable[[Mapping[str, float]], float]:
    """How far a post was ahead of the others at an age, in logarithms; 0 where nobody knows."""
    told = [math.log1p(gains[age]) for gains in peers if age is not None and age in gains]
    if age is None or len(told) < LEAST_HISTORY:
        return lambda _: 0.0
    usual = median(told)
    return lambda gains: max(-_FARTHEST_BEHIND, math.log1p(gains[age]) - usual) if age in gains else 0.0


def _at(points: Sequence[tuple[float, float]], age: float, *, widest: float) -> float | None:
    """The counter at an age; None when no reading is that old, or nearly, or those around it are too far apart."""
    for (start, low), (end, high) in pairwise(points):
        if start < end and age <= end:
            return low + (high - low) * (max(age, start) - start) / (end - start) if end - start <= widest else None
    last, count = points[-1]
    # A reading that came a moment early stands for its age.
    return count if last >= age - min(60.0, 0.2 * age) and last > 0 else None
