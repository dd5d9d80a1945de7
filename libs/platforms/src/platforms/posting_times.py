"""When to post: engagement by hour of the week, learned from own posts and, where these are few, from what is assumed
of the platform. Pure.

A post's engagement rate is compared with what is usual for the account and its kind of content, in logarithms, so that
"twice as good" counts as much as "half as good". How much better an hour is than the average is taken to be
`(belief + b) · profile + own`: so much of the platform's profile, and a deviation of the tenant's own, which is alike
at hours that are near each other on the clock and on days of one kind. `b` and `own` are unknown and thought to be
small (normal, with mean 0), as Gaussian-process regression has it; what posts say moves them as far as their number and
scatter allow. How far own hours differ is itself estimated from how alike posts of near hours are (empirical Bayes), so
a tenant whose hours are all the same is not told of best ones for long. With no posts the believed part of the profile
is all there is, and with many it does not matter. Recent posts count more.

Profiles are data: `posting_profiles.toml` says what each is based on. Method: Rasmussen and Williams, "Gaussian
Processes for Machine Learning", chapter 2.
"""

import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from operator import mul
from statistics import NormalDist
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from contracts.content import PLATFORMS, Platform

HOURS = 168
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

HALF_LIFE = timedelta(days=90)
RIPE_AGE = timedelta(hours=6)
"""Younger than this, a post's rate says more of its first readers than of its hour."""
SMOOTHING = 200.0
"""Impressions that a rate is pulled towards the usual one with: three of four is not 75 %."""
OTHER_CONTENT = 0.4
"""What a post of another kind counts, when one kind is asked about."""
EVIDENCE = 6.0
"""Posts near an hour that make for half of full confidence. Also what an account's mean counts beside that of a kind of
content.
"""

SCATTER = 0.7
"""Standard deviation of single posts' logarithms, before any are seen; as good as `SCATTER_POSTS` of them."""
SCATTER_POSTS = 10.0
PROFILE_DOUBT = 0.5
"""Standard deviation of how much of a profile holds, around what is believed of it."""
OWN_DIFFERENCES = 0.2
"""Standard deviation of a tenant's own hours, before any posts are seen."""
LEAST_DIFFERENCES = OWN_DIFFERENCES / 6

_NEAR_HOURS = (1.0, 0.5, 0.15)
_SAME_KIND_OF_DAY = 0.35
_OTHER_KIND_OF_DAY = 0.1

Basis = Literal["own", "prior", "mixed"]


class Past(Struct, frozen=True, kw_only=True):
    """A post that was made, and how it did. `impressions` None: the platform tells none; numbers are compared then."""

    account_id: str
    published_at: datetime
    observed_at: datetime
    content_type: str
    impressions: int | None
    engagements: int


class Hour(Struct, frozen=True, kw_only=True):
    """An hour of the week on the clock of the asked zone. `lift` 0.2 is 20 % better than the account's average."""

    day: int
    hour: int
    score: int
    lift: float
    posts: float
    """Own posts that this rests on, near ones in part."""
    at_this_hour: int
    """Own posts made at this very hour."""
    confidence: float
    """0 to 1: how much of it rests on own posts."""

    @property
    def basis(self) -> Basis:
        return _basis(self.confidence)


class Week(Struct, frozen=True, kw_only=True):
    hours: tuple[Hour, ...]
    """From Monday 00:00 on."""
    sample_size: int
    confidence: float

    @property
    def basis(self) -> Basis:
        return _basis(self.confidence)


class Profile(Struct, frozen=True, kw_only=True):
    """What is assumed of a platform: `levels` are logarithms by hour of the week, with mean 0."""

    basis: Literal["assumption", "measured"]
    note: str
    """What it rests on, in words."""
    belief: float
    """How much of it is expected to hold for a tenant of whom nothing is known."""
    levels: tuple[float, ...]


Profiles = Mapping[Platform, Profile]

_Share = Annotated[float, Meta(gt=0, le=1)]


class _Curve(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A profile as `posting_profiles.toml` has it."""

    basis: Literal["assumption", "measured"]
    note: Annotated[str, Meta(min_length=1, max_length=500)]
    belief: Annotated[float, Meta(ge=0, le=1)]
    peaks: Annotated[dict[Annotated[int, Meta(ge=0, le=23)], _Share], Meta(min_length=1)]
    days: Annotated[tuple[_Share, ...], Meta(min_length=7, max_length=7)]
    width: Annotated[float, Meta(gt=0)]
    floor: _Share


_DAYS_SHARE = 0.5
"""Of what a day's height says, as hours and days are not independent."""


def read_profiles(toml: str) -> Profiles:
    """Raises ValueError unless there is a profile for each platform, and nothing else."""
    try:
        curves = msgspec.convert(tomllib.loads(toml), dict[Platform, _Curve], str_keys=True)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ValueError(f"not profiles of platforms: {error}") from error
    if missing := [platform for platform in PLATFORMS if platform not in curves]:
        raise ValueError(f"there is no profile of {', '.join(missing)}")
    return {
        platform: Profile(basis=curve.basis, note=curve.note, belief=curve.belief, levels=_levels_of(curve))
        for platform, curve in curves.items()
    }


def _levels_of(curve: _Curve) -> tuple[float, ...]:
    levels = []
    for index in range(HOURS):
        day, hour = divmod(index, 24)
        peak = max(height * math.exp(-(((hour - at) / curve.width) ** 2)) for at, height in curve.peaks.items())
        levels.append(math.log(curve.floor + (1 - curve.floor) * peak) + _DAYS_SHARE * math.log(curve.days[day]))
    return tuple(_centred(levels))


def week(
    platform: Platform,
    posts: Sequence[Past],
    zone: ZoneInfo,
    *,
    now: datetime,
    content_type: str | None = None,
    profiles: Profiles | None = None,
) -> Week:
    """How good each hour of the week is to post on this platform, on the clock of `zone`."""
    profile = (profiles or PROFILES)[platform]
    ripe = [post for post in posts if post.observed_at - post.published_at >= RIPE_AGE]
    seen = _seen(ripe, profile, zone, now, content_type)
    estimates = _centred(_estimates(seen, profile))
    strengths = _spread([hour.weight for hour in seen.hours], _NEARNESS)
    spread = math.sqrt(sum(value * value for value in estimates) / HOURS) or 1.0
    standing = NormalDist()
    hours = tuple(
        Hour(
            day=index // 24,
            hour=index % 24,
            score=max(1, min(99, round(100 * standing.cdf(estimates[index] / spread)))),
            lift=round(math.exp(estimates[index]) - 1, 3),
            posts=round(strengths[index], 1),
            at_this_hour=seen.hours[index].count,
            confidence=round(strengths[index] / (strengths[index] + EVIDENCE), 2),
        )
        for index in range(HOURS)
    )
    best = sorted(hours, key=lambda hour: -hour.score)[:24]
    confidence = round(sum(hour.confidence for hour in best) / len(best), 2)
    return Week(hours=hours, sample_size=len(ripe), confidence=confidence)


def best_of_day(hours: Sequence[Hour], *, count: int, apart: int = 2) -> list[Hour]:
    """The best hours of one day, at least `apart` hours from each other, the earliest first."""
    chosen: list[Hour] = []
    for hour in sorted(hours, key=lambda hour: (-hour.score, -hour.lift, hour.hour)):
        if len(chosen) == count:
            break
        if all(abs(hour.hour - other.hour) >= apart for other in chosen):
            chosen.append(hour)
    return sorted(chosen, key=lambda hour: hour.hour)


def best_daily(found: Week, *, count: int = 3, apart: int = 3) -> list[int]:
    """The best hours whatever the day, the earliest first."""
    lifts = [(sum(math.log1p(found.hours[day * 24 + hour].lift) for day in range(7)), -hour) for hour in range(24)]
    chosen: list[int] = []
    for _, negative in sorted(lifts, reverse=True):
        if len(chosen) < count and all(abs(-negative - other) >= apart for other in chosen):
            chosen.append(-negative)
    return sorted(chosen)


def windows_to_avoid(found: Week, *, below: int = 20, longest: int = 5) -> list[tuple[int, int, int]]:
    """The worst stretches of two hours or more: day, first hour, and the hour they end before (24: midnight)."""
    windows: list[tuple[float, int, int, int]] = []
    for day in range(7):
        hours = found.hours[day * 24 : day * 24 + 24]
        start = 0
        while start < 24:
            end = start
            while end < 24 and hours[end].score < below:
                end += 1
            if end - start >= 2:
                mean = sum(hour.score for hour in hours[start:end]) / (end - start)
                windows.append((mean, day, start, end))
            start = max(end, start + 1)
    return [(day, start, end) for _, day, start, end in sorted(windows)[:longest]]


def next_time(day: int, hour: int, zone: ZoneInfo, *, after: datetime) -> datetime:
    """The next instant, in UTC, at which it is that hour of the week. One that clocks skip is left out that week."""
    today = after.astimezone(zone).date()
    ahead = (day - today.weekday()) % 7
    while True:
        date = today + timedelta(days=ahead)
        local = datetime(date.year, date.month, date.day, hour, tzinfo=zone)
        instant = local.astimezone(UTC)
        exists = instant.astimezone(zone).hour == hour
        if exists and instant > after:
            return instant
        ahead += 7


class _SeenHour(Struct):
    """What posts at one hour of the week say, added: `slope` is the profile there, against what the account's posts are
    at on average, and `value` what they were better than the believed part of it.
    """

    weight: float = 0.0
    value: float = 0.0
    slope: float = 0.0
    count: int = 0


class _Seen(Struct, frozen=True, kw_only=True):
    hours: tuple[_SeenHour, ...]
    weight: float
    """Of all posts."""
    squares: float
    """The values' squares, weighted."""
    own_squares: float
    """The squares of each post's weighted value: what a post has in common with itself."""
    own_weights: float


def _seen(posts: Sequence[Past], profile: Profile, zone: ZoneInfo, now: datetime, content_type: str | None) -> _Seen:
    usual = _usual_rates(posts)
    told: list[tuple[int, float, float, tuple[str, str]]] = []
    for post in posts:
        local = post.published_at.astimezone(zone)
        index = local.weekday() * 24 + local.hour
        weight = 0.5 ** (max(now - post.published_at, timedelta()) / HALF_LIFE)
        if content_type is not None and post.content_type != content_type:
            weight *= OTHER_CONTENT
        better = _log_rate(post, usual[post.account_id]) - profile.belief * profile.levels[index]
        told.append((index, weight, better, (post.account_id, post.content_type)))
    # Whoever posts at good hours only has a high mean: what the profile explains of it is not the account's.
    means = _levels([(group, weight, value) for _, weight, value, group in told])
    slopes = _levels([(group, weight, profile.levels[index]) for index, weight, _, group in told])
    hours = tuple(_SeenHour() for _ in range(HOURS))
    squares = own_squares = 0.0
    for index, weight, value, group in told:
        deviation = value - means[group]
        hour = hours[index]
        hour.weight += weight
        hour.value += weight * deviation
        hour.slope += weight * (profile.levels[index] - slopes[group])
        hour.count += 1
        squares += weight * deviation**2
        own_squares += (weight * deviation) ** 2
    return _Seen(
        hours=hours,
        weight=sum(weight for _, weight, _, _ in told),
        squares=squares,
        own_squares=own_squares,
        own_weights=sum(weight * weight for _, weight, _, _ in told),
    )


def _estimates(seen: _Seen, profile: Profile) -> list[float]:
    """How much better each hour is, in logarithms: the mean of a Gaussian process, given the posts."""
    believed = [profile.belief * level for level in profile.levels]
    if not seen.weight:
        return believed
    noise = (SCATTER_POSTS * SCATTER**2 + seen.squares) / (SCATTER_POSTS + seen.weight)
    own = _own_differences(seen, noise)
    roots = [math.sqrt(hour.weight) for hour in seen.hours]
    # Of an hour with n posts the mean is known n times as well, so its equation is multiplied by √n.
    values = [hour.value / root if root else 0.0 for hour, root in zip(seen.hours, roots, strict=True)]
    slopes = [hour.slope / root if root else 0.0 for hour, root in zip(seen.hours, roots, strict=True)]
    doubt = PROFILE_DOUBT**2

    def covered(vector: Sequence[float]) -> list[float]:
        near = _spread(_times(roots, vector), _NEARNESS)
        along = doubt * _dot(slopes, vector)
        return [
            own * root * other + along * slope + noise * value
            for root, other, slope, value in zip(roots, near, slopes, vector, strict=True)
        ]

    solved = _solve(covered, values)
    more = doubt * _dot(slopes, solved)
    deviations = _spread(_times(roots, solved), _NEARNESS)
    return [
        base + more * level + own * deviation
        for base, level, deviation in zip(believed, profile.levels, deviations, strict=True)
    ]


def _own_differences(seen: _Seen, noise: float) -> float:
    """The variance of a tenant's own hours: posts near each other are alike by so much. Pulled towards what was thought
    before, with the weight that this had.
    """
    values = [hour.value for hour in seen.hours]
    slopes = [hour.slope for hour in seen.hours]
    weights = [hour.weight for hour in seen.hours]
    along = sum(slope * slope / weight for slope, weight in zip(slopes, weights, strict=True) if weight)
    more = sum(s * v / w for s, v, w in zip(slopes, values, weights, strict=True) if w) / (
        along + noise / PROFILE_DOUBT**2
    )
    values = [value - more * slope for value, slope in zip(values, slopes, strict=True)]
    alike = _dot(values, _spread(values, _NEARNESS)) - seen.own_squares
    # What is compared with its own mean is a little less alike than it was.
    alike += noise / seen.weight * (_dot(weights, _spread(weights, _NEARNESS)) - seen.own_weights)
    pairs = _dot(weights, _spread(weights, _NEARNESS_SQUARED)) - seen.own_weights
    thought = OWN_DIFFERENCES**2
    surety = 2 * noise**2 / thought**2
    return max(LEAST_DIFFERENCES**2, (surety * thought + alike) / (surety + pairs))


def _usual_rates(posts: Sequence[Past]) -> dict[str, float]:
    """By account: engagements for each impression; where none are told, engagements for each post."""
    totals: dict[str, tuple[int, int, int]] = {}
    for post in posts:
        engagements, impressions, number = totals.get(post.account_id, (0, 0, 0))
        totals[post.account_id] = (
            engagements + post.engagements,
            impressions + (post.impressions or 0),
            number + 1,
        )
    return {
        account: max(engagements, 1) / (impressions or number)
        for account, (engagements, impressions, number) in totals.items()
    }


def _log_rate(post: Past, usual: float) -> float:
    if post.impressions is None:
        return math.log((post.engagements + 1) / (usual + 1))
    # Also a post with few impressions and by chance no engagement has a finite logarithm.
    smoothed = (post.engagements + SMOOTHING * usual) / (post.impressions + SMOOTHING)
    return math.log(max(smoothed, 1e-9) / usual)


def _levels(values: Sequence[tuple[tuple[str, str], float, float]]) -> dict[tuple[str, str], float]:
    """By account and kind of content: the mean, pulled towards that of the account."""
    by_account: dict[str, tuple[float, float]] = {}
    by_group: dict[tuple[str, str], tuple[float, float]] = {}
    for group, weight, value in values:
        weights, total = by_account.get(group[0], (0.0, 0.0))
        by_account[group[0]] = (weights + weight, total + weight * value)
        weights, total = by_group.get(group, (0.0, 0.0))
        by_group[group] = (weights + weight, total + weight * value)
    means = {account: total / weights for account, (weights, total) in by_account.items()}
    return {
        group: (total + EVIDENCE * means[group[0]]) / (weights + EVIDENCE)
        for group, (weights, total) in by_group.items()
    }


class _Nearness(Struct, frozen=True):
    """How alike two hours of the week are: by how far apart they are on the clock, times by the kind of their days."""

    hours: tuple[float, float, float]
    same_kind: float
    other_kind: float


_NEARNESS = _Nearness(_NEAR_HOURS, _SAME_KIND_OF_DAY, _OTHER_KIND_OF_DAY)
_at_distance = [near**2 for near in _NEAR_HOURS]
_NEARNESS_SQUARED = _Nearness(
    (_at_distance[0], _at_distance[1], _at_distance[2]), _SAME_KIND_OF_DAY**2, _OTHER_KIND_OF_DAY**2
)


def _spread(values: Sequence[float], nearness: _Nearness) -> list[float]:
    """Each hour's sum of all values, as much of each as it is near."""
    near, nearer, far = nearness.hours
    days = []
    for start in range(0, HOURS, 24):
        day = values[start : start + 24]
        days.append(
            [
                near * day[hour]
                + nearer * (day[hour - 1] + day[(hour + 1) % 24])
                + far * (day[hour - 2] + day[(hour + 2) % 24])
                for hour in range(24)
            ]
        )
    working = [sum(column) for column in zip(*days[:5], strict=True)]
    weekend = [sum(column) for column in zip(*days[5:], strict=True)]
    found = []
    for number, day in enumerate(days):
        same, other = (working, weekend) if number < 5 else (weekend, working)
        found += [
            (1 - nearness.same_kind) * own + nearness.same_kind * alike + nearness.other_kind * unlike
            for own, alike, unlike in zip(day, same, other, strict=True)
        ]
    return found


def _solve(matrix: Callable[[Sequence[float]], list[float]], right: Sequence[float]) -> list[float]:
    """Conjugate gradients, for a symmetric positive definite matrix that is known by what it makes of a vector."""
    solution = [0.0] * len(right)
    residual = list(right)
    direction = list(right)
    size = _dot(residual, residual)
    enough = size * 1e-12
    for _ in range(HOURS):
        if size <= enough:
            break
        image = matrix(direction)
        step = size / _dot(direction, image)
        solution = [value + step * each for value, each in zip(solution, direction, strict=True)]
        residual = [value - step * each for value, each in zip(residual, image, strict=True)]
        before, size = size, _dot(residual, residual)
        direction = [value + size / before * each for value, each in zip(residual, direction, strict=True)]
    return solution


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return float(sum(map(mul, one, other)))


def _times(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return list(map(mul, one, other))


def _centred(values: Sequence[float]) -> list[float]:
    mean = sum(values) / len(values)
    return [value - mean for value in values]


def _basis(confidence: float) -> Basis:
    if confidence == 0:
        return "prior"
    return "own" if confidence >= 0.7 else "mixed"


PROFILES = read_profiles(files("platforms").joinpath("posting_profiles.toml").read_text("utf-8"))
"""What is assumed unless somebody knows better."""
