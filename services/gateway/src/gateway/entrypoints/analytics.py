"""How posts did, and when to post."""

from datetime import date, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from litestar import Response, get, post
from msgspec import Struct
from msgspec.structs import replace

from contracts.collecting import RefreshAnalytics
from contracts.content import Platform
from contracts.time_zones import zone_named
from contracts.topics import ANALYTICS_COMMANDS
from gateway import insight_views
from gateway.answers import Answer, answer
from gateway.calls import Call, Write, once, post_not_found, read
from gateway.context import Req
from gateway.insight_views import Granularity, Measure, Span
from gateway.policy import BASE
from gateway.problems import ProblemError, invalid_parameter

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
    if await call.repository.post(call.tenant_id, post_id) is None:
        raise post_not_found(post_id)
    asked = await call.gateway.insights.asked_at(call.tenant_id, post_id)
    if not asked:
        raise ProblemError("not_measurable", "Nothing of the post is being measured.")
    pause = call.gateway.refresh_every
    wait = min(timedelta() if at is None else at + pause - call.now for at in asked)
    if wait > timedelta():
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
    view = insight_views.distribution(
        span,
        insight_views.rollups_within(span, whole, broken),
        await insights.accounts(tenant_id, query.platform),
        platform=query.platform,
        top_by=query.top_by,
        now=call.now,
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
    view = insight_views.optimal_times(
        query.platform,
        await call.gateway.insights.accounts(call.tenant_id, query.platform),
        _zone(query.timezone),
        content_type=None if query.content_type is None else CONTENT_TYPES[query.content_type],
        now=call.now,
    )
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
