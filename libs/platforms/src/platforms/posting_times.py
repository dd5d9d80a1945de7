"""When to post: engagement by hour of the week, learned from own posts and, where these are few, from what is known of
the platform. Pure.

A post's engagement rate is compared with what is usual for the account and its kind of content, in logarithms, so that
"twice as good" counts as much as "half as good". What is expected of an hour of the week is a weighted mean of what own
posts around that hour say and of the platform's profile, which counts as much as `PRIOR_POSTS` posts; what own posts at
that very hour say is pulled towards what is expected in the same way. So with no posts the profile is all there is, and
with many it hardly matters. Recent posts count more.

The profiles are assumptions, for orientation only: smooth curves through what the yearly surveys of posting tools
(Sprout Social, Buffer, Hootsuite) have in common: office hours in midweek for X, LinkedIn and Facebook, noon and
evening for Instagram, afternoon for YouTube, evening for TikTok. The surveys differ in detail, and none is about you;
so the profiles are kept flat: their best hour is about one and a half times as good as a night's.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from statistics import NormalDist
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from contracts.content import Platform

HOURS = 168
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

PRIOR_POSTS = 6.0
"""Single posts scatter by about exp(±0.7), hours differ by about exp(±0.3): it takes (0.7/0.3)² posts to tell."""
HALF_LIFE = timedelta(days=90)
RIPE_AGE = timedelta(hours=6)
"""Younger than this, a post's rate says more of its first readers than of its hour."""
SMOOTHING = 200.0
"""Impressions that a rate is pulled towards the usual one with: three of four is not 75 %."""
OTHER_CONTENT = 0.4
"""What a post of another kind counts, when one kind is asked about."""

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


class _Profile(Struct, frozen=True):
    peaks: Mapping[int, float]
    days: tuple[float, ...]
    width: float = 1.6


_WORKING = (0.95, 1.0, 1.0, 0.98, 0.88, 0.6, 0.55)
_PROFILES: Mapping[Platform, _Profile] = {
    "twitter": _Profile({9: 1.0, 12: 0.9, 17: 0.8}, _WORKING),
    "linkedin": _Profile({8: 0.9, 12: 1.0, 16: 0.75}, (0.9, 1.0, 1.0, 0.97, 0.8, 0.35, 0.35)),
    "instagram": _Profile({11: 0.85, 15: 0.8, 19: 1.0}, (0.95, 1.0, 1.0, 0.97, 0.93, 0.85, 0.85)),
    "youtube": _Profile({12: 0.6, 16: 1.0, 20: 0.85}, (0.88, 0.9, 0.95, 0.97, 1.0, 0.95, 0.95), 2.0),
    "tiktok": _Profile({11: 0.6, 16: 0.85, 20: 1.0}, (0.93, 1.0, 1.0, 1.0, 0.95, 0.9, 0.9), 2.0),
    "facebook": _Profile({9: 1.0, 12: 0.9, 15: 0.75}, (0.97, 1.0, 1.0, 0.97, 0.9, 0.75, 0.7)),
}
_FLOOR = 0.65
_DAYS_SHARE = 0.5


def prior(platform: Platform) -> list[float]:
    """The platform's profile: for each hour of the week the logarithm of how much better than average it is."""
    profile = _PROFILES[platform]
    levels = []
    for index in range(HOURS):
        day, hour = divmod(index, 24)
        peak = max(height * math.exp(-(((hour - at) / profile.width) ** 2)) for at, height in profile.peaks.items())
        levels.append(math.log(_FLOOR + (1 - _FLOOR) * peak) + _DAYS_SHARE * math.log(profile.days[day]))
    return _centred(levels)


def week(
    platform: Platform,
    posts: Sequence[Past],
    zone: ZoneInfo,
    *,
    now: datetime,
    content_type: str | None = None,
) -> Week:
    """How good each hour of the week is to post on this platform, on the clock of `zone`."""
    expected = prior(platform)
    ripe = [post for post in posts if post.observed_at - post.published_at >= RIPE_AGE]
    weights, sums, counts = _binned(ripe, expected, zone, now, content_type)
    estimates, strengths = [], []
    for index in range(HOURS):
        nearby, pulled = _around(index, weights, sums)
        guess = (pulled + PRIOR_POSTS * expected[index]) / (nearby + PRIOR_POSTS)
        estimates.append((sums[index] + PRIOR_POSTS * guess) / (weights[index] + PRIOR_POSTS))
        strengths.append(weights[index] + nearby)
    estimates = _centred(estimates)
    spread = math.sqrt(sum(value * value for value in estimates) / HOURS) or 1.0
    standing = NormalDist()
    hours = tuple(
        Hour(
            day=index // 24,
            hour=index % 24,
            score=max(1, min(99, round(100 * standing.cdf(estimates[index] / spread)))),
            lift=round(math.exp(estimates[index]) - 1, 3),
            posts=round(strengths[index], 1),
            at_this_hour=counts[index],
            confidence=round(strengths[index] / (strengths[index] + PRIOR_POSTS), 2),
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


def _binned(
    posts: Sequence[Past], expected: Sequence[float], zone: ZoneInfo, now: datetime, content_type: str | None
) -> tuple[list[float], list[float], list[int]]:
    """By hour of the week: weights, weighted deviations from what is usual, and numbers of posts."""
    usual = _usual_rates(posts)
    seen: list[tuple[int, float, float, tuple[str, str]]] = []
    for post in posts:
        local = post.published_at.astimezone(zone)
        index = local.weekday() * 24 + local.hour
        weight = 0.5 ** (max(now - post.published_at, timedelta()) / HALF_LIFE)
        if content_type is not None and post.content_type != content_type:
            weight *= OTHER_CONTENT
        seen.append((index, weight, _log_rate(post, usual[post.account_id]), (post.account_id, post.content_type)))
    # Whoever posts at good hours only has a high mean: what the profile explains of it is not the account's.
    levels = _levels([(group, weight, value - expected[index]) for index, weight, value, group in seen])
    weights, sums, counts = [0.0] * HOURS, [0.0] * HOURS, [0] * HOURS
    for index, weight, value, group in seen:
        weights[index] += weight
        sums[index] += weight * (value - levels[group])
        counts[index] += 1
    return weights, sums, counts


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
    """The mean of each account's kind of content, pulled towards that of the account."""
    by_account: dict[str, tuple[float, float]] = {}
    by_group: dict[tuple[str, str], tuple[float, float]] = {}
    for group, weight, value in values:
        weights, total = by_account.get(group[0], (0.0, 0.0))
        by_account[group[0]] = (weights + weight, total + weight * value)
        weights, total = by_group.get(group, (0.0, 0.0))
        by_group[group] = (weights + weight, total + weight * value)
    means = {account: total / weights for account, (weights, total) in by_account.items()}
    return {
        group: (total + PRIOR_POSTS * means[group[0]]) / (weights + PRIOR_POSTS)
        for group, (weights, total) in by_group.items()
    }


def _around(index: int, weights: Sequence[float], sums: Sequence[float]) -> tuple[float, float]:
    """What posts near an hour say about it: their weight, and their weighted sum."""
    day, hour = divmod(index, 24)
    strength = pulled = 0.0
    for other in range(7):
        kind = _SAME_KIND_OF_DAY if (other < 5) == (day < 5) else _OTHER_KIND_OF_DAY
        likeness = 1.0 if other == day else kind
        for distance in range(-2, 3):
            at = (other * 24 + hour + distance) % HOURS
            if weights[at] and at != index:
                share = likeness * _NEAR_HOURS[abs(distance)]
                strength += share * weights[at]
                pulled += share * sums[at]
    return strength, pulled


def _centred(values: Sequence[float]) -> list[float]:
    mean = sum(values) / len(values)
    return [value - mean for value in values]


def _basis(confidence: float) -> Basis:
    if confidence == 0:
        return "prior"
    return "own" if confidence >= 0.7 else "mixed"
