"""How posts did, and when to post."""

from gateway import insight_views, views
from gateway.entrypoints.analytics import AnalyticsQuery, DistributionQuery, FreshNumbersQuery, OptimalTimesQuery
from gateway.entrypoints.scheduling import QueueQuery
from gateway.operations.described import READ, SIMPLE_BODY, Operation
from gateway.policy import BASE

OPERATIONS = (
    Operation(
        method="GET",
        path=f"{BASE}/posts/{{post_id}}/analytics",
        id="getPostAnalytics",
        tag="Analytics",
        summary="Get Post Analytics",
        description="How a post did: in all, on each platform in its own words, and hour by hour. Numbers are read "
        "when a post is 5 and 15 minutes, 1 and 6 hours old, then daily for thirty days; `as_of` says how fresh they "
        "are, `completeness` what is missing. Null is what a platform does not tell. With `format=csv` the series "
        "comes as text/csv.",
        query=AnalyticsQuery,
        status=200,
        answer=insight_views.PostAnalyticsView,
        other_form="text/csv",
        problems=(*READ, "invalid_parameter", "post_not_found"),
    ),
    Operation(
        method="POST",
        path=f"{BASE}/posts/{{post_id}}/analytics/refresh",
        id="refreshPostAnalytics",
        tag="Analytics",
        summary="Refresh Post Analytics",
        description="Has the numbers read now, within what the platforms allow. They are in the analytics when `as_of` "
        "is later than this request.",
        status=202,
        answer=insight_views.RefreshView,
        problems=(*SIMPLE_BODY, "post_not_found", "not_measurable", "log_unavailable", "append_unknown"),
        takes_key=False,
    ),
    Operation(
        method="GET",
        path=f"{BASE}/analytics/stream",
        id="streamAnalytics",
        tag="Analytics",
        summary="Stream Fresh Numbers",
        description="Server-sent events, one whenever numbers of a post have been read: `event` is "
        "`analytics.updated`, `data` the post as it stands. What changes faster than it is told is told once. A client "
        "that comes again with `Last-Event-ID` misses nothing, and may be told again what was new in the last minute.",
        query=FreshNumbersQuery,
        status=200,
        answer=insight_views.FreshNumbersView,
        media_type="text/event-stream",
        problems=(*READ, "invalid_parameter", "too_many_streams"),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/distribution/metrics",
        id="getDistributionMetrics",
        tag="Analytics",
        summary="Get Distribution Metrics",
        description="How the posts published in a period did, as they stand now. Days are those of `timezone`; rates "
        "are weighted by impressions; a post on several platforms counts once in `total_posts`.",
        query=DistributionQuery,
        status=200,
        answer=insight_views.DistributionView,
        problems=(*READ, "invalid_parameter"),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/scheduling/optimal-times",
        id="getOptimalTimes",
        tag="Scheduling",
        summary="Get Optimal Times",
        description="When to post, on the clock of `timezone`: learned from your own posts, and as far as these are "
        "few, from what is usual on the platform; `basis` says which.",
        query=OptimalTimesQuery,
        status=200,
        answer=insight_views.OptimalTimesView,
        problems=(*READ, "invalid_parameter"),
    ),
    Operation(
        method="GET",
        path=f"{BASE}/scheduling/queue",
        id="getQueue",
        tag="Scheduling",
        summary="Get Queue",
        description="What is scheduled, the next first.",
        query=QueueQuery,
        status=200,
        answer=views.QueueView,
        problems=(*READ, "invalid_parameter"),
    ),
)
