"""TikTok, Display API. Source: developers.tiktok.com, "Query videos", "Get user info". Views, and neither impressions
nor reach; no mentions.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx

from contracts.collecting import LivePost, Mention
from contracts.content import Platform
from publisher.adapters.http import utc_now
from publisher.adapters.metrics.reading import LIMIT_PAUSE, Caller, added, counted, ids_of, not_offered, same
from publisher.collecting import Counters, NotReadError
from publisher.ports import Author

AT_ONCE = 20
_COUNTERS = same("view_count", "like_count", "comment_count", "share_count")


class _Display(Caller):
    """Says no in an envelope; the status may be 200."""

    async def read(self, author: Author, call: str, method: str, url: str, **content: Any) -> Mapping[str, Any]:
        body = await super().read(author, call, method, url, **content)
        if body.get("error", {}).get("code", "ok") != "ok":
            raise NotReadError(self.unreachable(str(body["error"]["code"])))
        data = body.get("data")
        return data if isinstance(data, dict) else {}

    def refused(self, response: httpx.Response) -> NotReadError:
        if "scope_not_authorized" in response.text:
            return self.denied(response)
        if "rate_limit_exceeded" in response.text:
            return self.limited(response, self.now() + LIMIT_PAUSE)
        return super().refused(response)


class TikTokMetrics:
    """`publisher.collecting.MetricsReader`."""

    platform: Platform = "tiktok"
    shares_budgets = False

    def __init__(self, client: httpx.AsyncClient, *, now: Callable[[], datetime] = utc_now) -> None:
        self._display = _Display(client, self.platform, "TikTok", now)

    async def posts(self, author: Author, posts: Sequence[LivePost]) -> Mapping[str, Counters | NotReadError]:
        """What is not public, or not yet, is not told; so nothing is ever taken for gone."""
        found: dict[str, Counters | NotReadError] = {}
        # Until a public id is known, a publish_id stands for it, which this call does not understand.
        ids = [id_ for id_ in ids_of(posts) if id_.isdigit()]
        for start in range(0, len(ids), AT_ONCE):
            data = await self._display.read(
                author,
                "read_metrics",
                "POST",
                "/v2/video/query/",
                params={"fields": f"id,{','.join(_COUNTERS)}"},
                json={"filters": {"video_ids": ids[start : start + AT_ONCE]}},
            )
            found |= {video["id"]: counted(video, _COUNTERS) for video in data.get("videos", ())}
        return added(posts, found)

    async def followers(self, author: Author) -> int:
        data = await self._display.read(
            author, "read_followers", "GET", "/v2/user/info/", params={"fields": "follower_count"}
        )
        return int(data["user"]["follower_count"])

    async def mentions(self, author: Author, since: datetime) -> Sequence[Mention]:
        raise not_offered("TikTok", "who has mentioned an account")
