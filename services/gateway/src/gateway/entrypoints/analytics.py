"""How posts did, live as well (server-sent events), and when to post."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from litestar import Response, get, post
from litestar.response import Stream
from msgspec import Meta, Struct
from msgspec.structs import replace

from contracts.collecting import RefreshAnalytics
from contracts.content import Platform
from contracts.time_zones import zone_named
from contracts.topics import ANALYTICS_COMMANDS
from gateway import insight_views
from gateway.answers import Answer, answer
from gateway.calls import Call, Gateway, Write, once, post_not_found, read
from gateway.context import Req
from gateway.feed import read_number
from gateway.insight_views import Granularity, Measure, Span
from gateway.insights import Change
from gateway.policy import ANALYTICS_STREAM, BASE
from gateway.problems import ProblemError, invalid_parameter
from gateway.server_sent import sent_event, stream

LONGEST_PERIOD = 731
DEFAULT_PERIOD = 30
CONTENT_TYPES = {
    **{name: name for name in ("text", "link", "image", "video", "document", "thread")},
    "article": "link",
    "gif": "image",
    "carousel": "image",
    "reel": "video",
    "story": "video",
    "short": "video",
}


class AnalyticsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    granularity: Granularity = "hour"
    timezone: str = "UTC"
    """Whose days the series has, by day."""
    format: Literal["json", "csv"] = "json"


@get(f"{BASE}/posts/{{post_id:str}}/analytics")
async def get_post_analytics(request: Req) -> Response[bytes]:
    return await read(request, _post)


async def _post(call: Call) -> Answer:
    query = call.query(AnalyticsQuery)
    zone = _zone(query.timezone)
    post_id = call.path("post_id")
    found = await call.repository.post(call.tenant_id, post_id)
    if found is None:
        raise post_not_found(post_id)
    measured = await call.gateway.insights.posts(call.tenant_id, [post_id])
    view = insight_views.post_analytics(found.post, measured.get(post_id, ()), granularity=query.granularity, zone=zone)
    if query.format == "csv":
        disposition = {"Content-Disposition": f'attachment; filename="{post_id}.csv"'}
        return Answer(status=200, body=insight_views.as_csv(view), media_type="text/csv", headers=disposition)
    return answer(view)


@post(f"{BASE}/posts/{{post_id:str}}/analytics/refresh", status_code=202)
async def refresh_post_analytics(request: Req) -> Response[bytes]:
    return await once(request, _refresh)


async def _refresh(call: Write) -> Answer:
    post_id = call.path("post_id")
    found = await call.repository.post(call.tenant_id, post_id)
    if found is None:
        raise post_not_found(post_id)
    planned = {each.target_id: each for each in await call.gateway.insights.planned(call.tenant_id, post_id)}
    # What has just gone live is planned in a moment, and the wish waits for it.
    unplanned = [
        target for target in found.post.targets if target.status == "published" and target.target_id not in planned
    ]
    asked = [each.requested_at for each in planned.values() if each.due_at is not None]
    if not asked and not unplanned:
        raise ProblemError("not_measurable", "Nothing of the post is being measured.")
    pause = call.gateway.refresh_every
    wait = min((timedelta() if at is None else at + pause - call.now for at in asked), default=timedelta())
    if wait > timedelta() and not unplanned:
        raise ProblemError(
            "too_many_requests",
            f"Fresh numbers of one post can be asked for every {pause.total_seconds():g} s.",
            headers={"Retry-After": str(max(1, round(wait.total_seconds())))},
        )
    await call.gateway.dispatcher.tell(
        ANALYTICS_COMMANDS,
        post_id,
        RefreshAnalytics(post_id=post_id, tenant_id=call.tenant_id, actor=call.principal.subject, issued_at=call.now),
        command_id=call.command_id,
        tenant_id=call.tenant_id,
        traceparent=call.context.traceparent,
    )
    return answer(insight_views.RefreshView(post_id=post_id, status="requested"), status=202)


class FreshNumbersQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    post_id: Annotated[str, Meta(max_length=64)] | None = None
    """Of one post only."""
    cursor: Annotated[str, Meta(max_length=20)] | None = None
    """Like the header Last-Event-ID, which wins. Without either the stream begins now."""


FRESH_NUMBERS = "analytics.updated"
OVERLAP = timedelta(seconds=60)
"""Twice as long as analytics waits for a write, so as long as numbers may take to come into sight."""
_CHANGES = 1_000


@get(ANALYTICS_STREAM)
async def stream_analytics(request: Req) -> Stream:
    gateway: Gateway = request.app.state.gateway
    call = Call(gateway, request)
    query = call.query(FreshNumbersQuery)
    last = request.headers.get("last-event-id") or query.cursor
    since = call.now if last is None else _instant(last) - OVERLAP
    gateway.streams.check(call.tenant_id)
    return Stream(
        _fresh_numbers(gateway, call.tenant_id, since, query.post_id),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


def _fresh_numbers(gateway: Gateway, tenant_id: str, since: datetime, post_id: str | None) -> AsyncIterator[bytes]:
    """Numbers come into sight in another order than they are dated, so those of the last minute are looked through
    again each time, and what has been told is left out.
    """
    told: dict[str, Change] = {}

    async def newer() -> list[bytes]:
        nonlocal since, told
        settled = gateway.now() - OVERLAP
        posts: dict[str, Change] = {}
        start = since
        while True:
            page = await gateway.insights.changed(tenant_id, start, _CHANGES)
            for change in page:
                before = told.get(change.key)
                told[change.key] = change
                if post_id in (None, change.post_id) and (before is None or before.position < change.position):
                    posts[change.post_id] = change
            if len(page) < _CHANGES or page[-1].at <= max(start, settled):
                break
            start = page[-1].at
        if page:
            since = max(since, min(settled, page[-1].at))
            told = {key: change for key, change in told.items() if change.at >= since}
        measured = await gateway.insights.posts(tenant_id, posts) if posts else {}
        return [
            sent_event(_milliseconds(change.at), FRESH_NUMBERS, insight_views.fresh_numbers(id_, measured[id_]))
            for id_, change in sorted(posts.items(), key=lambda each: each[1].at)
            if measured.get(id_)
        ]

    return stream(gateway.streams, tenant_id, newer)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000)


def _instant(cursor: str) -> datetime:
    """Raises ProblemError."""
    try:
        return datetime.fromtimestamp(read_number(cursor) / 1_000, UTC)
    except (OverflowError, ValueError) as error:
        raise invalid_parameter("cursor", "cursor", "The cursor is not one that was given out here.") from error


class DistributionQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    start_date: date | None = None
    """30 days before the end, unless given."""
    end_date: date | None = None
    """Included; today, unless given."""
    platform: Platform | None = None
    timezone: str = "UTC"
    """Whose days they are."""
    top_by: Measure = "engagements"


@get(f"{BASE}/distribution/metrics")
async def get_distribution(request: Req) -> Response[bytes]:
    return await read(request, _distribution)


async def _distribution(call: Call) -> Answer:
    query = call.query(DistributionQuery)
    zone = _zone(query.timezone)
    end = query.end_date or call.now.astimezone(zone).date()
    start = query.start_date or end - timedelta(days=DEFAULT_PERIOD - 1)
    if start > end:
        raise invalid_parameter("start_date", "period.order", "The period ends before it starts.")
    if (end - start).days >= LONGEST_PERIOD:
        raise invalid_parameter(
            "start_date",
            "period.length",
            f"A period has at most {LONGEST_PERIOD} days.",
            limit=LONGEST_PERIOD,
            actual=(end - start).days + 1,
        )
    span = Span(start=start, end=end, zone=zone)
    insights, tenant_id = call.gateway.insights, call.tenant_id
    whole = [] if span.whole_days is None else await insights.days(tenant_id, query.platform, *span.whole_days)
    broken = await insights.day_posts(tenant_id, query.platform, span.broken_days) if span.broken_days else ()
    found = insight_views.rollups_within(span, whole, broken)
    accounts = await insights.accounts(tenant_id, query.platform)
    weeks = call.gateway.weeks
    view = insight_views.distribution(
        span,
        found,
        accounts,
        platform=query.platform,
        top_by=query.top_by,
        weeks={
            platform: await weeks.of(tenant_id, platform, accounts, zone, now=call.now)
            for platform in {each.platform for each in found} | {each.platform for each in accounts}
        },
    )
    titles = await insights.titles(tenant_id, [top.id for top in view.top_posts]) if view.top_posts else {}
    return answer(replace(view, top_posts=insight_views.titled(view.top_posts, titles)))


class OptimalTimesQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    platform: Platform | None = None
    """Needed."""
    content_type: str | None = None
    timezone: str = "UTC"


@get(f"{BASE}/scheduling/optimal-times")
async def get_optimal_times(request: Req) -> Response[bytes]:
    return await read(request, _optimal_times)


async def _optimal_times(call: Call) -> Answer:
    query = call.query(OptimalTimesQuery)
    if query.platform is None:
        raise invalid_parameter("platform", "parameter.required", "For which platform?")
    if query.content_type is not None and query.content_type not in CONTENT_TYPES:
        raise invalid_parameter(
            "content_type",
            "parameter.value",
            "This type of content is not known.",
            limit=sorted(CONTENT_TYPES),
            actual=query.content_type[:40],
        )
    zone = _zone(query.timezone)
    content_type = None if query.content_type is None else CONTENT_TYPES[query.content_type]
    accounts = await call.gateway.insights.accounts(call.tenant_id, query.platform)
    learned = await call.gateway.weeks.of(
        call.tenant_id, query.platform, accounts, zone, now=call.now, content_type=content_type
    )
    view = insight_views.optimal_times(query.platform, learned, zone, content_type=content_type, now=call.now)
    return answer(replace(view, content_type=query.content_type))


def _zone(name: str) -> ZoneInfo:
    """Raises ProblemError."""
    try:
        return zone_named(name)
    except ValueError as error:
        reason = str(error)
        raise invalid_parameter(
            "timezone", "parameter.timezone", f"{reason[:1].upper()}{reason[1:]}.", actual=name[:40]
        ) from error
