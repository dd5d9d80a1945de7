"""X, API v2: posts lookup, mentions timeline. Sources: docs.x.com, "Metrics", "User mention timeline".

Each post that is read costs, also when it is our own. What only authors may see is told for thirty days.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx

from contracts.collecting import LivePost, Mention, MentionKind
from contracts.content import Platform
from publisher.adapters.http import utc_now
from publisher.adapters.metrics.reading import Caller, added, counted, ids_of, same
from publisher.collecting import Counters, NotReadError
from publisher.ports import Author

AT_ONCE = 100
MAX_PAGES = 8
"""X shows the 800 newest mentions."""
OLDEST = timedelta(days=7)
_PUBLIC = {
    **same("impression_count", "like_count", "reply_count", "quote_count", "bookmark_count"),
    # 2.167 has another name for it.
    "retweet_count": ("retweet_count", "repost_count"),
}
_PRIVATE = same("url_link_clicks", "user_profile_clicks")
_NOT_FOUND = "resource-not-found"


class XMetrics:
    """`publisher.collecting.MetricsReader`."""

    platform: Platform = "twitter"
    shares_budgets = False

    def __init__(self, client: httpx.AsyncClient, *, now: Callable[[], datetime] = utc_now) -> None:
        self._caller = Caller(client, self.platform, "X", now)

    async def posts(self, author: Author, posts: Sequence[LivePost]) -> Mapping[str, Counters | NotReadError]:
        found: dict[str, Counters | NotReadError] = {}
        ids = ids_of(posts)
        for start in range(0, len(ids), AT_ONCE):
            params = {
                "ids": ",".join(ids[start : start + AT_ONCE]),
                "tweet.fields": "public_metrics,non_public_metrics",
            }
            body = await self._caller.read(author, "read_metrics", "GET", "/2/tweets", params=params)
            for post in body.get("data", ()):
                found[post["id"]] = {
                    **counted(post.get("public_metrics", {}), _PUBLIC),
                    **counted(post.get("non_public_metrics", {}), _PRIVATE),
                }
            for error in body.get("errors", ()):
                id_ = error.get("resource_id") or error.get("value")
                if _NOT_FOUND in str(error.get("type", "")) and id_ not in found:
                    found[id_] = self._caller.gone()
        return added(posts, found)

    async def followers(self, author: Author) -> int:
        body = await self._caller.read(
            author, "read_followers", "GET", "/2/users/me", params={"user.fields": "public_metrics"}
        )
        return int(body["data"]["public_metrics"]["followers_count"])

    async def mentions(self, author: Author, since: datetime) -> Sequence[Mention]:
        own_id = author.account.platform_user_id
        since = max(since, self._caller.now() - OLDEST)
        params = {
            "max_results": "100",
            "start_time": since.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "tweet.fields": "created_at,referenced_tweets,in_reply_to_user_id,author_id",
            "expansions": "author_id",
            "user.fields": "username",
        }
        found: list[Mention] = []
        for _ in range(MAX_PAGES):
            body = await self._caller.read(author, "read_mentions", "GET", f"/2/users/{own_id}/mentions", params=params)
            names = {user["id"]: user["username"] for user in body.get("includes", {}).get("users", ())}
            found += [_mention(post, own_id, names) for post in body.get("data", ())]
            token = body.get("meta", {}).get("next_token")
            if not token:
                break
            params["pagination_token"] = token
        return found


def _mention(post: Mapping[str, Any], own_id: str, names: Mapping[str, str]) -> Mention:
    references = {reference.get("type") for reference in post.get("referenced_tweets", ())}
    kind: MentionKind = "mention"
    if "quoted" in references:
        kind = "quote"
    elif post.get("in_reply_to_user_id") == own_id:
        kind = "reply"
    name = names.get(post.get("author_id", ""), "")
    return Mention(
        mention_id=post["id"],
        kind=kind,
        author=name,
        text=post.get("text", ""),
        url=f"https://x.com/{name or 'i'}/status/{post['id']}",
        mentioned_at=datetime.fromisoformat(post["created_at"]),
    )
