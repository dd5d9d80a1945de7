"""When a tenant's accounts should post, worked out once for what is known of them.

It takes all their newest posts, so its cost grows with what they have posted; and it is asked for again and again while
nothing is read of them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from contracts.analytics import Outcome
from contracts.content import Platform
from gateway.insights import AccountFacts, Insights
from platforms import posting_times
from platforms.posting_times import PROFILES, Past, Profile, Profiles, Week

MOST_POSTS = 3_000
"""The newest of all accounts: more would not change anything."""
MOST_WEEKS = 500


class PostingWeek(Struct, frozen=True, kw_only=True):
    week: Week
    profile: Profile
    as_of: datetime | None
    """Of the newest figure in it."""


class PostingWeeks:
    """`profiles`: what is assumed of the platforms."""

    def __init__(self, insights: Insights, profiles: Profiles = PROFILES) -> None:
        self._insights = insights
        self._profiles = profiles
        self._known: dict[tuple[str, Platform, str, str | None], tuple[object, PostingWeek]] = {}

    async def of(
        self,
        tenant_id: str,
        platform: Platform,
        accounts: Sequence[AccountFacts],
        zone: ZoneInfo,
        *,
        now: datetime,
        content_type: str | None = None,
    ) -> PostingWeek:
        """`accounts` may be of other platforms, too. Known answers hold until something is read, or for an hour."""
        own = {facts.account_id: facts.version for facts in accounts if facts.platform == platform}
        key = tenant_id, platform, zone.key, content_type
        version = own, now.replace(minute=0, second=0, microsecond=0)
        before = self._known.pop(key, None)
        if before is not None and before[0] == version:
            found = before[1]
        else:
            outcomes = await self._insights.outcomes(tenant_id, own) if own else {}
            found = self._learned(platform, _posts(outcomes), zone, now, content_type)
        self._known[key] = version, found
        while len(self._known) > MOST_WEEKS:
            del self._known[next(iter(self._known))]
        return found

    def _learned(
        self, platform: Platform, posts: Sequence[Past], zone: ZoneInfo, now: datetime, content_type: str | None
    ) -> PostingWeek:
        newest = sorted(posts, key=lambda post: post.published_at)[-MOST_POSTS:]
        return PostingWeek(
            week=posting_times.week(
                platform, newest, zone, now=now, content_type=content_type, profiles=self._profiles
            ),
            profile=self._profiles[platform],
            as_of=max((post.observed_at for post in newest), default=None),
        )


def _posts(outcomes: Mapping[str, Sequence[Outcome]]) -> list[Past]:
    """By account. Where nobody tells what people did, nothing can be learned."""
    return [
        Past(
            account_id=account_id,
            published_at=outcome.published_at,
            observed_at=outcome.observed_at,
            content_type=outcome.content_type,
            impressions=outcome.impressions,
            engagements=outcome.engagements,
        )
        for account_id, of_account in outcomes.items()
        for outcome in of_account
        if outcome.engagements is not None
    ]
