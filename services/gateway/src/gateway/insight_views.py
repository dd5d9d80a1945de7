"""How posts did, and when to post: the shapes of the answers, made from the read models. Pure."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from statistics import median
from typing import Any, Literal
from zoneinfo import ZoneInfo

from msgspec import UNSET, Struct, UnsetType

from contracts.analytics import FollowersReading, Outcome, PostMetrics
from contracts.content import PLATFORMS, Failure, Platform
from contracts.posts import Post, Target
from gateway.insights import AccountFacts, DayPosts
from gateway.posting_weeks import PostingWeek
from gateway.views import AnalyticsView
from platforms import posting_times, rollups, series
from platforms.measures import MENTIONS, Figures, added, figures, named
from platforms.posting_times import DAYS, Basis, Hour, Week
from platforms.rollups import DayRollup, Summary

Granularity = Literal["hour", "day"]
Measure = Literal["engagements", "impressions"]
MeasuredStatus = Literal["measured", "pending", "unavailable"]
MentionsStatus = Literal["read", "pending", "unavailable", "not_offered"]

TOP_POSTS = 5
REACH_POSTS = 20
"""Newest posts that the reach of the next one is estimated from."""
LEAST_REACH_POSTS = 5
REACH_AGE = timedelta(days=1)
ABOVE = 60
"""Lowest score of a time that is recommended."""
TIMES_A_DAY = 3


class View(Struct, frozen=True, kw_only=True):
    pass


class Totals(View, frozen=True, kw_only=True):
    """Null is what no platform tells. Reach is added up: how far audiences overlap nobody tells."""

    impressions: int | None
    reach: int | None
    engagements: int | None
    """Likes or reactions, comments, shares and saves; clicks are told apart."""
    engagement_rate: float | None
    """Engagements in percent of impressions."""
    clicks: int | None
    shares: int | None
    comments: int | None
    likes: int | None


class PlatformFigures(View, frozen=True, kw_only=True):
    """One target, in its platform's own words. Counters that the platform does not have, or tell, are left out."""

    platform: Platform
    account_id: str
    status: MeasuredStatus
    reason: Failure | None
    """Why there is nothing, or nothing newer."""
    as_of: datetime | None
    impressions: int | None
    """Views, where a platform counts these instead."""
    engagements: int | None
    engagement_rate: float | None
    reach: int | UnsetType = UNSET
    views: int | UnsetType = UNSET
    retweets: int | UnsetType = UNSET
    quotes: int | UnsetType = UNSET
    replies: int | UnsetType = UNSET
    reactions: int | UnsetType = UNSET
    likes: int | UnsetType = UNSET
    comments: int | UnsetType = UNSET
    shares: int | UnsetType = UNSET
    reposts: int | UnsetType = UNSET
    saves: int | UnsetType = UNSET
    bookmarks: int | UnsetType = UNSET
    clicks: int | UnsetType = UNSET
    profile_clicks: int | UnsetType = UNSET
    follows: int | UnsetType = UNSET
    minutes_watched: int | UnsetType = UNSET
    subscribers_gained: int | UnsetType = UNSET


class Point(View, frozen=True, kw_only=True):
    """Gained from `timestamp` on, for an hour or a day."""

    timestamp: datetime
    impressions: int | None
    engagements: int | None
    estimated: bool
    """Nothing was read just before and in this hour: what was gained between two readings is spread over time."""


class Completeness(View, frozen=True, kw_only=True):
    complete: bool
    expected: int
    """Live targets."""
    measured: int


class PostAnalyticsView(View, frozen=True, kw_only=True):
    post_id: str
    total: Totals
    by_platform: tuple[PlatformFigures, ...]
    timeseries: tuple[Point, ...]
    granularity: Granularity
    timezone: str
    as_of: datetime | None
    """Of the oldest figure in the totals; null until something has been measured."""
    completeness: Completeness


class FreshNumbersView(View, frozen=True, kw_only=True):
    """A post as it stands after something of it has been read."""

    post_id: str
    total: Totals
    by_platform: tuple[PlatformFigures, ...]
    as_of: datetime | None
    """Of the oldest figure in the totals."""


class Period(View, frozen=True, kw_only=True):
    start: date
    end: date
    timezone: str
    """Whose days they are."""


class DistributionSummary(View, frozen=True, kw_only=True):
    """Of posts published in the period, as they stand now."""

    total_posts: int
    """A post that went to several platforms counts once."""
    total_impressions: int
    total_engagements: int
    avg_engagement_rate: float | None
    """Weighted by impressions; null without any."""
    followers_gained: int | None
    """Null when followers were not read in the period."""


class MentionsView(View, frozen=True, kw_only=True):
    """Whether those who mention an account are looked for. What is found is `social.mention_received`."""

    account_id: str
    status: MentionsStatus
    """`not_offered`: the platform tells nobody, or not accounts of this kind."""
    reason: Failure | None
    read_to: datetime | None


class PlatformDistribution(View, frozen=True, kw_only=True):
    platform: Platform
    posts: int
    impressions: int
    engagements: int
    engagement_rate: float | None
    followers_gained: int | None
    best_performing_post: str | None
    mentions: tuple[MentionsView, ...]
    """By account."""


class TopPostView(View, frozen=True, kw_only=True):
    id: str
    title: str | None
    impressions: int | None
    engagements: int | None


class DistributionView(View, frozen=True, kw_only=True):
    period: Period
    summary: DistributionSummary
    by_platform: tuple[PlatformDistribution, ...]
    top_posts: tuple[TopPostView, ...]
    top_by: Measure
    optimal_posting_times: dict[str, tuple[str, ...]]
    """On the clock of `period.timezone`."""
    as_of: datetime | None
    """Of the newest figure."""
    oldest_reading: datetime | None
    completeness: Completeness


class TimeView(View, frozen=True, kw_only=True):
    time: str
    """`HH:MM` on the clock of the asked zone."""
    score: int
    """1 to 99: how far the hour stands out among all of the week."""
    reason: str
    basis: Basis
    confidence: float
    sample_size: int
    """Own posts at this hour."""
    next_at: datetime
    """The next such moment."""


class DayTimes(View, frozen=True, kw_only=True):
    day: str
    times: tuple[TimeView, ...]


class AvoidView(View, frozen=True, kw_only=True):
    day: str
    times: tuple[str, ...]
    reason: str


class ProfileView(View, frozen=True, kw_only=True):
    """What is thought of the platform before you have posts of your own."""

    basis: Literal["assumption", "measured"]
    note: str
    belief: float
    """0 to 1: how much of it is expected to hold for you."""


class OptimalTimesView(View, frozen=True, kw_only=True):
    platform: Platform
    timezone: str
    content_type: str | None
    recommendations: tuple[DayTimes, ...]
    """The best day first."""
    avoid: tuple[AvoidView, ...]
    basis: Basis
    """`prior`: the platform's profile only; `own`: own posts decide; `mixed`: both."""
    confidence: float
    sample_size: int
    profile: ProfileView
    as_of: datetime | None
    """Of the newest figure of own posts."""


class RefreshView(View, frozen=True, kw_only=True):
    post_id: str
    status: Literal["requested"]


# --- one post -----------------------------------------------------------------------------------------


def post_analytics(
    post: Post, measured: Sequence[PostMetrics], *, granularity: Granularity, zone: ZoneInfo
) -> PostAnalyticsView:
    known = {each.target_id: each for each in measured}
    live = [target for target in post.targets if target.status == "published"]
    counted = [metrics for metrics in measured if metrics.readings]
    gains = series.together(
        [
            series.hourly(metrics.platform, metrics.published_at, metrics.readings)
            for metrics in counted
            if metrics.published_at is not None
        ]
    )
    if granularity == "day":
        gains = series.daily(gains, zone)
    expected = {target.target_id for target in live} | {metrics.target_id for metrics in counted}
    return PostAnalyticsView(
        post_id=post.post_id,
        total=_totals(counted),
        by_platform=tuple(_platform(target, known.get(target.target_id)) for target in live)
        + tuple(
            _platform(None, metrics)
            for metrics in counted
            if metrics.target_id not in {target.target_id for target in live}
        ),
        timeseries=tuple(
            Point(
                timestamp=gain.at,
                impressions=gain.impressions,
                engagements=gain.engagements,
                estimated=gain.estimated,
            )
            for gain in gains
        ),
        granularity=granularity,
        timezone=zone.key,
        as_of=min((metrics.readings[-1].at for metrics in counted), default=None),
        completeness=_completeness(len(expected), len(counted)),
    )


def fresh_numbers(post_id: str, measured: Sequence[PostMetrics]) -> FreshNumbersView:
    counted = [metrics for metrics in measured if metrics.readings]
    return FreshNumbersView(
        post_id=post_id,
        total=_totals(counted),
        by_platform=tuple(_platform(None, metrics) for metrics in measured),
        as_of=min((metrics.readings[-1].at for metrics in counted), default=None),
    )


def analytics_block(measured: Sequence[PostMetrics]) -> AnalyticsView:
    """What a post shows of it."""
    counted = [metrics for metrics in measured if metrics.readings]
    total = added(*(_newest(metrics) for metrics in counted))
    return AnalyticsView(
        total_impressions=total.impressions,
        total_engagements=total.engagements,
        engagement_rate=_rate(counted),
        as_of=min((metrics.readings[-1].at for metrics in counted), default=None),
    )


def as_csv(view: PostAnalyticsView) -> bytes:
    """The series, one line for each point, after RFC 4180."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("timestamp", "impressions", "engagements", "estimated"))
    for point in view.timeseries:
        writer.writerow(
            (point.timestamp.isoformat(), point.impressions, point.engagements, str(point.estimated).lower())
        )
    return out.getvalue().encode()


def _totals(counted: Sequence[PostMetrics]) -> Totals:
    total = added(*(_newest(metrics) for metrics in counted))
    return Totals(
        impressions=total.impressions,
        reach=total.reach,
        engagements=total.engagements,
        engagement_rate=_rate(counted),
        clicks=total.clicks,
        shares=total.shares,
        comments=total.comments,
        likes=total.likes,
    )


def _newest(metrics: PostMetrics) -> Figures:
    return figures(metrics.platform, metrics.readings[-1].counters)


def _rate(counted: Sequence[PostMetrics]) -> float | None:
    """Of targets whose impressions are told."""
    return added(*(each for metrics in counted if (each := _newest(metrics)).impressions is not None)).engagement_rate


def _platform(target: Target | None, metrics: PostMetrics | None) -> PlatformFigures:
    if metrics is None or not metrics.readings:
        platform, account_id = _whose(target, metrics)
        problem = None if metrics is None else metrics.problem
        return PlatformFigures(
            platform=platform,
            account_id=account_id,
            status="pending" if problem is None or problem.retryable else "unavailable",
            reason=problem,
            as_of=None,
            impressions=None,
            engagements=None,
            engagement_rate=None,
        )
    newest = metrics.readings[-1]
    told = figures(metrics.platform, newest.counters)
    own: dict[str, Any] = named(metrics.platform, newest.counters)
    return PlatformFigures(
        platform=metrics.platform,
        account_id=metrics.account_id,
        status="measured",
        reason=metrics.problem,
        as_of=newest.at,
        impressions=told.impressions,
        engagements=told.engagements,
        engagement_rate=told.engagement_rate,
        **own,
    )


def _whose(target: Target | None, metrics: PostMetrics | None) -> tuple[Platform, str]:
    of = target or metrics
    if of is None:
        raise ValueError("neither a target nor figures")
    return of.platform, of.account_id


def _completeness(expected: int, measured: int) -> Completeness:
    return Completeness(complete=measured >= expected, expected=expected, measured=measured)


# --- a period -----------------------------------------------------------------------------------------


class Span(Struct, frozen=True, kw_only=True):
    """A period in local days, and how it lies on the days in UTC that roll-ups are kept for."""

    start: date
    end: date
    zone: ZoneInfo

    @property
    def begins(self) -> datetime:
        return datetime.combine(self.start, time(), self.zone).astimezone(UTC)

    @property
    def ends(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.end + timedelta(days=1), time(), self.zone).astimezone(UTC)

    @property
    def whole_days(self) -> tuple[str, str] | None:
        """First and last of the days in UTC that lie wholly within; None when there is none."""
        first = self.begins.date() + timedelta(days=self.begins.time() != time())
        last = self.ends.date() - timedelta(days=1)
        return (first.isoformat(), last.isoformat()) if first <= last else None

    @property
    def broken_days(self) -> set[str]:
        """Days in UTC of which a part lies within."""
        return {each.date().isoformat() for each in (self.begins, self.ends) if each.time() != time()}


def rollups_within(span: Span, whole: Sequence[DayRollup], broken: Sequence[DayPosts]) -> list[DayRollup]:
    """Roll-ups of exactly the period: whole days as they are, and what of the broken ones lies within."""
    found = list(whole)
    for day in broken:
        within = [entry for entry in day.entries if span.begins <= entry.published_at < span.ends]
        if within:
            found.append(DayRollup(account_id=day.account_id, platform=day.platform, summary=rollups.summary(within)))
    return found


def distribution(
    span: Span,
    found: Sequence[DayRollup],
    accounts: Sequence[AccountFacts],
    *,
    platform: Platform | None,
    top_by: Measure,
    weeks: Mapping[Platform, PostingWeek],
) -> DistributionView:
    """Titles of top posts are left open: see `titled`. `weeks`: of each platform with posts or accounts."""
    everything = rollups.together([each.summary for each in found])
    shown = [each for each in PLATFORMS if platform in (None, each)]
    gained = {each: _gained(span, [facts for facts in accounts if facts.platform == each]) for each in shown}
    by_platform = []
    for each in shown:
        of_platform = rollups.together([rollup.summary for rollup in found if rollup.platform == each])
        own = [facts for facts in accounts if facts.platform == each]
        if of_platform.targets or own:
            by_platform.append(_platform_distribution(each, of_platform, gained[each], top_by, own))
    told = [count for count in gained.values() if count is not None]
    return DistributionView(
        period=Period(start=span.start, end=span.end, timezone=span.zone.key),
        summary=DistributionSummary(
            total_posts=everything.posts if platform is None else everything.platform_posts,
            total_impressions=everything.impressions,
            total_engagements=everything.engagements,
            avg_engagement_rate=everything.engagement_rate,
            followers_gained=sum(told) if told else None,
        ),
        by_platform=tuple(by_platform),
        top_posts=tuple(
            TopPostView(id=post.post_id, title=None, impressions=post.impressions, engagements=post.engagements)
            for post in rollups.ranked(everything.top, by=top_by)[:TOP_POSTS]
        ),
        top_by=top_by,
        optimal_posting_times={
            view.platform: tuple(f"{hour:02}:00" for hour in posting_times.best_daily(weeks[view.platform].week))
            for view in by_platform
        },
        as_of=everything.newest_reading,
        oldest_reading=everything.oldest_reading,
        completeness=_completeness(everything.targets, everything.measured),
    )


def titled(posts: Sequence[TopPostView], titles: Mapping[str, str | None]) -> tuple[TopPostView, ...]:
    return tuple(
        TopPostView(id=post.id, title=titles.get(post.id), impressions=post.impressions, engagements=post.engagements)
        for post in posts
    )


def _platform_distribution(
    platform: Platform, found: Summary, gained: int | None, top_by: Measure, accounts: Sequence[AccountFacts]
) -> PlatformDistribution:
    best = rollups.ranked(found.top, by=top_by)
    return PlatformDistribution(
        platform=platform,
        posts=found.platform_posts,
        impressions=found.impressions,
        engagements=found.engagements,
        engagement_rate=found.engagement_rate,
        followers_gained=gained,
        best_performing_post=best[0].post_id if best else None,
        mentions=tuple(map(_mentions, accounts)),
    )


def _mentions(facts: AccountFacts) -> MentionsView:
    problem = facts.mentions_problem
    if facts.platform not in MENTIONS:
        problem = Failure(code="not_offered", message="The platform does not tell who has mentioned an account.")
    status: MentionsStatus = "pending" if facts.mentions_read_to is None else "read"
    if problem is not None and not (problem.retryable and status == "read"):
        status = "not_offered" if problem.code == "not_offered" else "pending" if problem.retryable else "unavailable"
    return MentionsView(account_id=facts.account_id, status=status, reason=problem, read_to=facts.mentions_read_to)


def _gained(span: Span, accounts: Sequence[AccountFacts]) -> int | None:
    """From the last reading before the period, or the first within, to the last within. None when there are not two."""
    found: list[int] = []
    for facts in accounts:
        readings = sorted(facts.followers.values(), key=_time_of)
        within = [each for each in readings if span.begins <= each.at < span.ends]
        before = [each for each in readings if each.at < span.begins]
        if within and (before or len(within) > 1):
            found.append(within[-1].followers - (before[-1] if before else within[0]).followers)
    return sum(found) if found else None


def _time_of(each: FollowersReading) -> datetime:
    return each.at


# --- when to post -------------------------------------------------------------------------------------


def optimal_times(
    platform: Platform, learned: PostingWeek, zone: ZoneInfo, *, content_type: str | None, now: datetime
) -> OptimalTimesView:
    found, profile = learned.week, learned.profile
    days = []
    for day, name in enumerate(DAYS):
        hours = posting_times.best_of_day(
            [hour for hour in found.hours[day * 24 : day * 24 + 24] if hour.score >= ABOVE], count=TIMES_A_DAY
        )
        if hours:
            times = tuple(_time(hour, zone, now) for hour in hours)
            days.append(DayTimes(day=name, times=times))
    days.sort(key=lambda each: -max(time.score for time in each.times))
    return OptimalTimesView(
        platform=platform,
        timezone=zone.key,
        content_type=content_type,
        recommendations=tuple(days),
        avoid=_avoid(found),
        basis=found.basis,
        confidence=found.confidence,
        sample_size=found.sample_size,
        profile=ProfileView(basis=profile.basis, note=profile.note, belief=profile.belief),
        as_of=learned.as_of,
    )


def _time(hour: Hour, zone: ZoneInfo, now: datetime) -> TimeView:
    return TimeView(
        time=f"{hour.hour:02}:00",
        score=hour.score,
        reason=_reason(hour),
        basis=hour.basis,
        confidence=hour.confidence,
        sample_size=hour.at_this_hour,
        next_at=posting_times.next_time(hour.day, hour.hour, zone, after=now),
    )


def _reason(hour: Hour) -> str:
    when = _part_of_day(hour.hour)
    if hour.basis == "prior":
        return f"{when} is when posts on this platform are thought to do well; you have no posts near this hour yet"
    percent = round(abs(hour.lift) * 100)
    how = f"{percent} % {'better' if hour.lift >= 0 else 'worse'} than your average"
    if hour.basis == "own":
        return f"{when}: your posts around this hour did {how}"
    return f"{when}: expected to do {how}, by your own posts around this hour and by what is usual on the platform"


def _part_of_day(hour: int) -> str:
    parts = {5: "Night", 9: "Early morning", 12: "Morning", 14: "Lunch break", 18: "Afternoon", 22: "Evening"}
    return next((name for before, name in parts.items() if hour < before), "Late evening")


def _avoid(found: Week) -> tuple[AvoidView, ...]:
    windows: dict[int, list[tuple[int, int]]] = {}
    for day, start, end in posting_times.windows_to_avoid(found):
        windows.setdefault(day, []).append((start, end))
    views = []
    for day, spans in sorted(windows.items()):
        hours = [found.hours[day * 24 + hour] for start, end in spans for hour in range(start, end)]
        lift = sum(hour.lift for hour in hours) / len(hours)
        views.append(
            AvoidView(
                day=DAYS[day],
                times=tuple(f"{start:02}:00-{end:02}:00" for start, end in sorted(spans)),
                reason=f"Low engagement: about {round(abs(lift) * 100)} % below average",
            )
        )
    return tuple(views)


# --- what to expect -----------------------------------------------------------------------------------


def typical_reach(outcomes: Sequence[Outcome]) -> int | None:
    """The median reach of the newest posts, impressions where reach is not told; None when too few are a day old."""
    ripe = [each for each in outcomes if each.observed_at - each.published_at >= REACH_AGE]
    newest = sorted(ripe, key=lambda each: each.published_at)[-REACH_POSTS:]
    told = [each.impressions if each.reach is None else each.reach for each in newest]
    counts = [count for count in told if count is not None]
    return round(median(counts)) if len(counts) >= LEAST_REACH_POSTS else None
