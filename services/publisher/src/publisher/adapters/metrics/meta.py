"""Facebook Pages and Instagram, by the Graph API. Sources: developers.facebook.com, "Page and post insights" (v26.0: of
`post_impressions` only `post_media_view` is left), Instagram Platform, "Media insights", "Tags", Page "Tagged".
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from contracts.collecting import LivePost, Mention
from contracts.content import Failure, Platform
from publisher.adapters.graph import error_of, limits_used
from publisher.adapters.http import json_object, utc_now
from publisher.adapters.instagram import FACEBOOK_LOGIN
from publisher.adapters.metrics.reading import LIMIT_PAUSE, Caller, added, ids_of, not_offered
from publisher.collecting import Counters, NotReadError
from publisher.ports import Author

_THROTTLED = frozenset((4, 17, 32, 341, 613, *range(80000, 80015)))
_PERMISSION = frozenset((10, *range(200, 300)))
_TOKEN = frozenset((102, 190))
_MISSING = (100, 33)
_FACEBOOK_POST = ("post_media_view", "post_total_media_view_unique", "post_clicks", "post_reactions_by_type_total")
_FACEBOOK_REEL = ("blue_reels_play_count", "post_impressions_unique", "post_video_likes_by_reaction_type")
_FACEBOOK_VIDEO = ("total_video_views", "total_video_impressions_unique", "total_video_reactions_by_type_total")
_FACEBOOK_ACTIONS = ("post_video_social_actions", "total_video_stories_by_action_type")
_INSTAGRAM_EVERYWHERE = ("views", "reach", "shares", "reposts")
_INSTAGRAM: Mapping[str, tuple[str, ...]] = {
    "FEED": (*_INSTAGRAM_EVERYWHERE, "likes", "comments", "saved", "follows", "profile_visits"),
    "REELS": (*_INSTAGRAM_EVERYWHERE, "likes", "comments", "saved"),
    "STORY": (*_INSTAGRAM_EVERYWHERE, "replies", "follows", "profile_visits"),
}
MENTION_PAGES = 3
PAGE = 50
READING_SHARE = 60.0
"""Percent of a limit up to which we read. Publishing counts towards the same one, and may use all of it."""
SHARE_PAUSE = timedelta(hours=1)
"""Limits are of the last 24 hours, so an hour gives a twenty-fourth back."""


class _Graph(Caller):
    """Says no with codes of its own, and with each answer how much of the account's limits is used."""

    def __init__(self, client: httpx.AsyncClient, platform: Platform, name: str, now: Callable[[], datetime]) -> None:
        super().__init__(client, platform, name, now)
        self._paused: dict[str, datetime] = {}

    async def call(self, author: Author, call: str, method: str, url: str, **content: Any) -> httpx.Response:
        account_id = author.account.account_id
        until = self._paused.get(account_id)
        if until is not None:
            if self.now() < until:
                raise NotReadError(
                    Failure(
                        code="budget_spent",
                        message=f"Of what {self.name} allows, the rest is left to publishing.",
                        retryable=True,
                    ),
                    retry_at=until,
                )
            del self._paused[account_id]
        response = await super().call(author, call, method, url, **content)
        if any(percent >= READING_SHARE for percent, _ in limits_used(response)):
            self._paused[account_id] = self.now() + SHARE_PAUSE
        return response

    def refused(self, response: httpx.Response) -> NotReadError:
        error = error_of(response)
        if error is None:
            return super().refused(response)
        if error.code in _THROTTLED:
            return self.limited(response, self.now() + LIMIT_PAUSE)
        if error.code in _TOKEN:
            failure = self.failure("token_refused", "does not accept the account's token.", response, retryable=True)
            return NotReadError(failure)
        if error.code in _PERMISSION:
            return self.denied(response)
        if error.key == _MISSING:
            return NotReadError(self.failure("gone", "does not have it any more.", response), gone=True)
        if error.code in (1, 2):
            return NotReadError(self.unreachable(error.message))
        return NotReadError(self.failure("not_readable", "does not tell.", response))

    async def read(self, author: Author, call: str, method: str, url: str, **content: Any) -> Mapping[str, Any]:
        response = await self.call(author, call, method, url, **content)
        body = json_object(response)
        # Meta has answered refusals with 200, too.
        if response.is_success and body is not None and "error" not in body:
            return body
        raise self.refused(response)


class FacebookMetrics:
    """`publisher.collecting.MetricsReader`."""

    platform: Platform = "facebook"
    shares_budgets = True

    def __init__(self, client: httpx.AsyncClient, *, version: str, now: Callable[[], datetime] = utc_now) -> None:
        self._graph = _Graph(client, self.platform, "Facebook", now)
        self._version = version

    async def posts(self, author: Author, posts: Sequence[LivePost]) -> Mapping[str, Counters | NotReadError]:
        videos = {id_ for post in posts if post.content_type == "video" for id_ in post.platform_post_ids}
        return added(
            posts,
            {
                # A video is no Page post, whose id has two parts, and has insights of its own.
                id_: await (self._video if id_ in videos and "_" not in id_ else self._post)(author, id_)
                for id_ in ids_of(posts)
            },
        )

    async def _video(self, author: Author, video_id: str) -> Counters | NotReadError:
        """All that there is: names come and go, and asking for one that is gone fails the whole."""
        try:
            insights = await self._get(author, "read_metrics", f"/{video_id}/video_insights", {})
        except NotReadError as error:
            return error
        values = _values(insights)
        told = {
            name: values[name]
            for name in (_FACEBOOK_REEL if _FACEBOOK_REEL[0] in values else _FACEBOOK_VIDEO)
            if name in values
        }
        for metric in insights.get("data", ()):
            if metric.get("name") in _FACEBOOK_ACTIONS:
                actions = (metric.get("values") or [{}])[-1].get("value")
                told |= _actions(actions if isinstance(actions, dict) else {})
        return told

    async def _post(self, author: Author, post_id: str) -> Counters | NotReadError:
        try:
            insights = await self._get(
                author, "read_metrics", f"/{post_id}/insights", {"metric": ",".join(_FACEBOOK_POST)}
            )
            fields = "comments.summary(true).limit(0),shares"
            node = await self._get(author, "read_metrics", f"/{post_id}", {"fields": fields})
        except NotReadError as error:
            return error
        comments = node.get("comments", {}).get("summary", {}).get("total_count", 0)
        return {**_values(insights), "comments": int(comments), "shares": int(node.get("shares", {}).get("count", 0))}

    async def followers(self, author: Author) -> int:
        page = author.account.platform_user_id
        return int(
            (await self._get(author, "read_followers", f"/{page}", {"fields": "followers_count"}))["followers_count"]
        )

    async def mentions(self, author: Author, since: datetime) -> Sequence[Mention]:
        params = {"fields": "id,message,created_time,permalink_url,from", "limit": str(PAGE)}
        found: list[Mention] = []
        for _ in range(MENTION_PAGES):
            body = await self._get(author, "read_mentions", f"/{author.account.platform_user_id}/tagged", params)
            found += [
                Mention(
                    mention_id=post["id"],
                    kind="mention",
                    author=(post.get("from") or {}).get("name", ""),
                    text=post.get("message", ""),
                    url=post.get("permalink_url"),
                    mentioned_at=_instant(post["created_time"]),
                )
                for post in body.get("data", ())
            ]
            after = _next_page(body)
            if after is None or (found and found[-1].mentioned_at < since):
                break
            params["after"] = after
        return [mention for mention in found if mention.mentioned_at >= since]

    async def _get(self, author: Author, call: str, path: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        return await self._graph.read(author, call, "GET", f"/{self._version}{path}", params=dict(params))


class InstagramMetrics:
    """`publisher.collecting.MetricsReader`. Accounts of either login."""

    platform: Platform = "instagram"
    shares_budgets = True

    def __init__(
        self,
        facebook: httpx.AsyncClient,
        instagram: httpx.AsyncClient,
        *,
        facebook_version: str,
        instagram_version: str,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._by_facebook = _Graph(facebook, self.platform, "Instagram", now), facebook_version
        self._by_instagram = _Graph(instagram, self.platform, "Instagram", now), instagram_version

    async def posts(self, author: Author, posts: Sequence[LivePost]) -> Mapping[str, Counters | NotReadError]:
        return added(posts, {id_: await self._media(author, id_) for id_ in ids_of(posts)})

    async def _media(self, author: Author, media_id: str) -> Counters | NotReadError:
        try:
            node = await self._get(author, "read_metrics", f"/{media_id}", {"fields": "media_product_type"})
            # One metric that does not fit fails them all.
            fitting = _INSTAGRAM.get(str(node.get("media_product_type")), _INSTAGRAM_EVERYWHERE)
            insights = await self._get(author, "read_metrics", f"/{media_id}/insights", {"metric": ",".join(fitting)})
        except NotReadError as error:
            return error
        return _values(insights)

    async def followers(self, author: Author) -> int:
        path = f"/{author.account.platform_user_id}"
        return int((await self._get(author, "read_followers", path, {"fields": "followers_count"}))["followers_count"])

    async def mentions(self, author: Author, since: datetime) -> Sequence[Mention]:
        if author.account.login != FACEBOOK_LOGIN:
            raise not_offered("Instagram", "accounts that are connected without a Page who has mentioned them")
        params = {"fields": "id,caption,permalink,timestamp,username", "limit": str(PAGE)}
        found: list[Mention] = []
        for _ in range(MENTION_PAGES):
            body = await self._get(author, "read_mentions", f"/{author.account.platform_user_id}/tags", params)
            found += [
                Mention(
                    mention_id=media["id"],
                    kind="mention",
                    author=media.get("username", ""),
                    text=media.get("caption", ""),
                    url=media.get("permalink"),
                    mentioned_at=_instant(media["timestamp"]),
                )
                for media in body.get("data", ())
            ]
            after = _next_page(body)
            if after is None or (found and found[-1].mentioned_at < since):
                break
            params["after"] = after
        return [mention for mention in found if mention.mentioned_at >= since]

    async def _get(self, author: Author, call: str, path: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        graph, version = self._by_facebook if author.account.login == FACEBOOK_LOGIN else self._by_instagram
        return await graph.read(author, call, "GET", f"/{version}{path}", params=dict(params))


def _values(insights: Mapping[str, Any]) -> dict[str, int]:
    """What is missing is not told, rather than zero. Counters by kind are added."""
    found: dict[str, int] = {}
    for metric in insights.get("data", ()):
        values = metric.get("values") or [metric.get("total_value") or {}]
        value = values[-1].get("value")
        if isinstance(value, dict):
            found[metric["name"]] = sum(int(each) for each in value.values())
        elif isinstance(value, int | float):
            found[metric["name"]] = int(value)
    return found


def _actions(actions: Mapping[str, Any]) -> dict[str, int]:
    """What nobody has done is left out, as is what is told elsewhere."""
    counts = {name.lower(): int(count) for name, count in actions.items()}
    return {"comments": counts.get("comment", 0), "shares": counts.get("share", 0)}


def _next_page(body: Mapping[str, Any]) -> str | None:
    paging = body.get("paging", {})
    after = paging.get("cursors", {}).get("after")
    return after if "next" in paging and isinstance(after, str) else None


def _instant(text: str) -> datetime:
    """Meta leaves the colon out of offsets."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").astimezone(UTC)
