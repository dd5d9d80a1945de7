"""YouTube: counts by the Data API v3, which have a quota of their own, and what only reports tell by the Analytics API
v2, two or three days late. There are no impressions in either, and no mentions.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import httpx

from contracts.collecting import LivePost, Mention
from contracts.content import Platform
from publisher.adapters.http import utc_now
from publisher.adapters.metrics.reading import Caller, added, counted, ids_of, not_offered, same
from publisher.collecting import Counters, NotReadError
from publisher.ports import Author

AT_ONCE = 50
_COUNTERS = same("viewCount", "likeCount", "commentCount")
_REPORTED = ("shares", "estimatedMinutesWatched", "subscribersGained")
REPORTED_FROM = timedelta(days=3)
"""Younger videos are in no report."""


class YouTubeMetrics:
    """`publisher.collecting.MetricsReader`. `analytics` is the client of the Analytics API's host."""

    platform: Platform = "youtube"
    shares_budgets = True

    def __init__(
        self, client: httpx.AsyncClient, analytics: httpx.AsyncClient, *, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._data = Caller(client, self.platform, "YouTube", now)
        self._analytics = Caller(analytics, self.platform, "YouTube", now)

    async def posts(self, author: Author, posts: Sequence[LivePost]) -> Mapping[str, Counters | NotReadError]:
        found: dict[str, Counters | NotReadError] = {}
        ids = ids_of(posts)
        for start in range(0, len(ids), AT_ONCE):
            chunk = ids[start : start + AT_ONCE]
            body = await self._data.read(
                author,
                "read_metrics",
                "GET",
                "/youtube/v3/videos:batchGetStats",
                params={"part": "statistics", "id": ",".join(chunk)},
            )
            told = {item["id"]: counted(item.get("statistics", {}), _COUNTERS) for item in body.get("items", ())}
            found |= {id_: told.get(id_) or self._data.gone() for id_ in chunk}
        await self._report(author, posts, found)
        return added(posts, found)

    async def followers(self, author: Author) -> int:
        body = await self._data.read(
            author, "read_followers", "GET", "/youtube/v3/channels", params={"part": "statistics", "mine": "true"}
        )
        items = body.get("items", ())
        if not items or "subscriberCount" not in items[0].get("statistics", {}):
            raise not_offered("YouTube", "how many subscribe to a channel that hides it")
        return int(items[0]["statistics"]["subscriberCount"])

    async def mentions(self, author: Author, since: datetime) -> Sequence[Mention]:
        raise not_offered("YouTube", "who has mentioned a channel")

    async def _report(
        self, author: Author, posts: Sequence[LivePost], found: dict[str, Counters | NotReadError]
    ) -> None:
        """Adds what only reports tell. Without them the counts are worth having."""
        now = self._data.now()
        old = [post for post in posts if now - post.published_at >= REPORTED_FROM]
        ids = [id_ for id_ in ids_of(old) if isinstance(found.get(id_), Mapping)]
        if not ids:
            return
        params = {
            "ids": "channel==MINE",
            "startDate": min(post.published_at for post in old).date().isoformat(),
            "endDate": now.date().isoformat(),
            "metrics": ",".join(_REPORTED),
            "dimensions": "video",
            "filters": f"video=={','.join(ids)}",
        }
        try:
            body = await self._analytics.read(author, "read_report", "GET", "/v2/reports", params=params)
        except NotReadError:
            return
        for row in body.get("rows", ()):
            counters = found.get(row[0])
            if isinstance(counters, Mapping):
                found[row[0]] = {**counters, **dict(zip(_REPORTED, map(int, row[1:]), strict=False))}
