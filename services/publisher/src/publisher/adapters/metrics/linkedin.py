"""LinkedIn, versioned REST. Sources: learn.microsoft.com/linkedin, "Organization Share Statistics", "Member Post
Statistics", "Organization Lookup", "Organizational Entity Notifications".

Pages tell everything in one call. Of members each counter of each post is a call, against 150 calls a day which
publishing needs too: so only what matters is read, and no more than a part of them is spent.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote as percent_encode

import httpx

from contracts.collecting import LivePost, Mention
from contracts.content import Failure, Platform
from publisher.adapters.http import utc_now
from publisher.adapters.metrics.reading import Caller, added, counted, ids_of, not_offered, same
from publisher.collecting import Counters, NotReadError
from publisher.ports import Author

PAGES = ("organization", "company_page")
AT_ONCE = 20
CALLS_A_DAY = 60
"""Of a member, for numbers."""
_PAGE_COUNTERS = same(
    "impressionCount", "uniqueImpressionsCount", "clickCount", "likeCount", "commentCount", "shareCount"
)
_MEMBER_COUNTERS = ("IMPRESSION", "MEMBERS_REACHED", "REACTION", "COMMENT", "RESHARE")
_ZERO = dict.fromkeys(_PAGE_COUNTERS, 0)


class LinkedInMetrics:
    """`publisher.collecting.MetricsReader`."""

    platform: Platform = "linkedin"
    shares_budgets = True

    def __init__(self, client: httpx.AsyncClient, *, version: str, now: Callable[[], datetime] = utc_now) -> None:
        self._caller = Caller(client, self.platform, "LinkedIn", now)
        self._headers = {"LinkedIn-Version": version, "X-Restli-Protocol-Version": "2.0.0"}
        self._spent: dict[str, tuple[str, int]] = {}

    async def posts(self, author: Author, posts: Sequence[LivePost]) -> Mapping[str, Counters | NotReadError]:
        if author.account.account_type not in PAGES:
            return added(posts, {urn: await self._of_member(author, urn) for urn in ids_of(posts)})
        found: dict[str, Counters | NotReadError] = {}
        urns = ids_of(posts)
        for start in range(0, len(urns), AT_ONCE):
            found |= await self._of_page(author, urns[start : start + AT_ONCE])
        return added(posts, found)

    async def followers(self, author: Author) -> int:
        if author.account.account_type not in PAGES:
            body = await self._read(author, "read_followers", "/rest/memberFollowersCount?q=me")
            return int(body["elements"][0]["memberFollowersCount"])
        page = _encoded(author.account.platform_user_id)
        path = f"/rest/networkSizes/{page}?edgeType=COMPANY_FOLLOWED_BY_MEMBER"
        return int((await self._read(author, "read_followers", path))["firstDegreeSize"])

    async def mentions(self, author: Author, since: datetime) -> Sequence[Mention]:
        if author.account.account_type not in PAGES:
            raise not_offered("LinkedIn", "members who has mentioned them")
        page = _encoded(author.account.platform_user_id)
        path = (
            "/rest/organizationalEntityNotifications?q=criteria"
            f"&actions=List(SHARE_MENTION)&organizationalEntity={page}"
        )
        body = await self._read(author, "read_mentions", path)
        found = [_mention(element) for element in body.get("elements", ())]
        return [mention for mention in found if mention.mentioned_at >= since]

    async def _of_page(self, author: Author, urns: Sequence[str]) -> dict[str, Counters | NotReadError]:
        """Posts that nothing has happened to are left out of the answer."""
        shares = [urn for urn in urns if ":share:" in urn]
        others = [urn for urn in urns if ":share:" not in urn]
        path = (
            "/rest/organizationalEntityShareStatistics?q=organizationalEntity"
            f"&organizationalEntity={_encoded(author.account.platform_user_id)}{_list('shares', shares)}"
            f"{_list('ugcPosts', others)}"
        )
        body = await self._read(author, "read_metrics", path)
        found: dict[str, Counters | NotReadError] = dict.fromkeys(urns, _ZERO)
        for element in body.get("elements", ()):
            urn = element.get("share") or element.get("ugcPost")
            if urn in found:
                found[urn] = counted(element.get("totalShareStatistics", {}), _PAGE_COUNTERS)
        return found

    async def _of_member(self, author: Author, urn: str) -> Counters | NotReadError:
        kind = "share" if ":share:" in urn else "ugc"
        counters: dict[str, int] = {}
        try:
            for name in _MEMBER_COUNTERS:
                self._spend(author.account.account_id)
                path = (
                    f"/rest/memberCreatorPostAnalytics?q=entity&entity=({kind}:{_encoded(urn)})"
                    f"&queryType={name}&aggregation=TOTAL"
                )
                elements = (await self._read(author, "read_metrics", path)).get("elements", ())
                counters[name] = int(elements[0]["count"]) if elements else 0
        except NotReadError as error:
            return error
        return counters

    def _spend(self, account_id: str) -> None:
        """Raises NotReadError when a member's share of the day is spent."""
        now = self._caller.now()
        today = now.date().isoformat()
        day, spent = self._spent.get(account_id, (today, 0))
        if day != today:
            spent = 0
        if spent >= CALLS_A_DAY:
            midnight = datetime.fromisoformat(f"{today}T00:00:00+00:00").replace(hour=23, minute=59, second=59)
            failure = Failure(
                code="budget_spent",
                message="Of LinkedIn's calls a day what publishing can spare has been spent.",
                retryable=True,
            )
            raise NotReadError(failure, retry_at=midnight)
        self._spent[account_id] = (today, spent + 1)

    async def _read(self, author: Author, call: str, path: str) -> Mapping[str, Any]:
        return await self._caller.read(author, call, "GET", path, headers=self._headers)


def _mention(element: Mapping[str, Any]) -> Mention:
    """LinkedIn tells which post it is, and not who wrote it nor what."""
    urn = str(element.get("generatedActivity") or element.get("sourcePost"))
    return Mention(
        mention_id=str(element["notificationId"]),
        kind="mention",
        author="",
        text="",
        url=f"https://www.linkedin.com/feed/update/{urn}",
        mentioned_at=datetime.fromtimestamp(element["lastModifiedAt"] / 1_000, UTC),
    )


def _list(name: str, urns: Sequence[str]) -> str:
    return f"&{name}=List({','.join(map(_encoded, urns))})" if urns else ""


def _encoded(urn: str) -> str:
    return percent_encode(urn, safe="")
