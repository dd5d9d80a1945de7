"""Reads from the read models of analytics. Every method takes the tenant, and nothing of another tenant leaves it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from pymongo.asynchronous.database import AsyncDatabase

from contracts.analytics import DayEntry, FollowersReading, Outcome, PostMetrics
from contracts.content import Failure, Platform
from contracts.posts import Post
from eventlog.documents import read_state
from gateway.repository import Document, reading
from platforms.rollups import DayRollup, Summary

_PLANNED = dict.fromkeys(("target_id", "due_at", "requested_at"), 1)
_CHANGED = dict.fromkeys(("post_id", "position", "changed_at"), 1)
_SUMMARY = dict.fromkeys(("account_id", "platform", "summary"), 1)


class Learned(Struct, frozen=True, kw_only=True):
    """Of an account: what is learned from its posts."""

    outcomes: dict[str, Outcome] = {}


class AccountFacts(Struct, frozen=True, kw_only=True):
    """What is asked about an account, of all that is kept of it."""

    account_id: str
    platform: Platform
    version: int = 0
    """Higher when anything has been read of the account or its posts."""
    followers: dict[str, FollowersReading] = {}
    mentions_read_to: datetime | None = None
    mentions_problem: Failure | None = None
    followers_problem: Failure | None = None


class DayPosts(Struct, frozen=True, kw_only=True):
    """One day of an account, with each of its targets."""

    account_id: str
    platform: Platform
    entries: tuple[DayEntry, ...]


class Change(Struct, frozen=True, kw_only=True):
    """Fresh numbers of one target."""

    key: str
    post_id: str
    position: int
    """Higher the next time."""
    at: datetime
    """When their writing began, by the clock of who wrote them: they may come into sight a little later."""


class PlannedReading(Struct, frozen=True, kw_only=True):
    target_id: str
    due_at: datetime | None
    """None: it is not read any more."""
    requested_at: datetime | None
    """When somebody last asked for fresh numbers."""


class Insights(Protocol):
    async def posts(self, tenant_id: str, post_ids: Collection[str]) -> Mapping[str, Sequence[PostMetrics]]:
        """What has been measured, by post."""
        ...

    async def days(self, tenant_id: str, platform: Platform | None, first: str, last: str) -> Sequence[DayRollup]:
        """Roll-ups of days in UTC, from the first to the last date."""
        ...

    async def day_posts(self, tenant_id: str, platform: Platform | None, dates: Collection[str]) -> Sequence[DayPosts]:
        """The posts of single days in UTC."""
        ...

    async def accounts(self, tenant_id: str, platform: Platform | None) -> Sequence[AccountFacts]: ...

    async def outcomes(self, tenant_id: str, account_ids: Collection[str]) -> Mapping[str, Sequence[Outcome]]:
        """How the newest posts of these accounts did."""
        ...

    async def titles(self, tenant_id: str, post_ids: Collection[str]) -> Mapping[str, str | None]: ...

    async def planned(self, tenant_id: str, post_id: str) -> Sequence[PlannedReading]:
        """What is planned to be read of a post; nothing of a target that has just gone live."""
        ...

    async def changed(self, tenant_id: str, since: datetime, limit: int) -> Sequence[Change]:
        """Targets whose numbers were written at `since` or later, in order; each once, as it stands."""
        ...


_metrics = msgspec.json.Decoder(PostMetrics)
_facts = msgspec.json.Decoder(AccountFacts)
_learned = msgspec.json.Decoder(Learned)
_summary = msgspec.json.Decoder(Summary)
_entries = msgspec.json.Decoder(dict[str, DayEntry])


class MongoInsights:
    """`Insights`. The analytics service makes the indexes."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._metrics = database["analytics_posts"]
        self._days = database["analytics_days"]
        self._day_posts = database["analytics_day_posts"]
        self._accounts = database["analytics_accounts"]
        self._plans = database["analytics_plans"]
        self._posts = database["posts"]

    async def posts(self, tenant_id: str, post_ids: Collection[str]) -> Mapping[str, Sequence[PostMetrics]]:
        query = {"tenant_id": tenant_id, "post_id": {"$in": list(post_ids)}}
        found: dict[str, list[PostMetrics]] = {}
        with reading():
            async for document in self._metrics.find(query, {"post_id": 1, "state": 1}):
                found.setdefault(document["post_id"], []).append(_metrics.decode(document["state"]))
        return found

    async def days(self, tenant_id: str, platform: Platform | None, first: str, last: str) -> Sequence[DayRollup]:
        query = _of(tenant_id, platform, {"day": {"$gte": first, "$lte": last}})
        with reading():
            return [_rollup(document) async for document in self._days.find(query, _SUMMARY)]

    async def day_posts(self, tenant_id: str, platform: Platform | None, dates: Collection[str]) -> Sequence[DayPosts]:
        query = _of(tenant_id, platform, {"day": {"$in": sorted(dates)}})
        with reading():
            return [
                DayPosts(
                    account_id=document["account_id"],
                    platform=document["platform"],
                    entries=tuple(_entries.decode(document["state"]).values()),
                )
                async for document in self._day_posts.find(query, {"account_id": 1, "platform": 1, "state": 1})
            ]

    async def accounts(self, tenant_id: str, platform: Platform | None) -> Sequence[AccountFacts]:
        with reading():
            found = self._accounts.find(_of(tenant_id, platform, {}), {"position": 1, "facts": 1})
            return [replace(_facts.decode(document["facts"]), version=document["position"]) async for document in found]

    async def outcomes(self, tenant_id: str, account_ids: Collection[str]) -> Mapping[str, Sequence[Outcome]]:
        query = {"_id": {"$in": list(account_ids)}, "tenant_id": tenant_id}
        with reading():
            return {
                document["_id"]: tuple(_learned.decode(document["state"]).outcomes.values())
                async for document in self._accounts.find(query, {"state": 1})
            }

    async def titles(self, tenant_id: str, post_ids: Collection[str]) -> Mapping[str, str | None]:
        query = {"_id": {"$in": list(post_ids)}, "tenant_id": tenant_id}
        with reading():
            return {
                document["_id"]: read_state(document, Post).title
                async for document in self._posts.find(query, {"state": 1})
            }

    async def planned(self, tenant_id: str, post_id: str) -> Sequence[PlannedReading]:
        found = self._plans.find({"post_id": post_id, "tenant_id": tenant_id}, _PLANNED)
        with reading():
            return [msgspec.convert({**document, "_id": None}, PlannedReading) async for document in found]

    async def changed(self, tenant_id: str, since: datetime, limit: int) -> Sequence[Change]:
        query = {"tenant_id": tenant_id, "changed_at": {"$gte": since}}
        found = self._metrics.find(query, _CHANGED).sort("changed_at", 1).limit(limit)
        with reading():
            return [
                Change(
                    key=document["_id"],
                    post_id=document["post_id"],
                    position=document["position"],
                    at=document["changed_at"],
                )
                async for document in found
            ]


def _of(tenant_id: str, platform: Platform | None, more: Document) -> Document:
    return {"tenant_id": tenant_id, **({} if platform is None else {"platform": platform}), **more}


def _rollup(document: Mapping[str, Any]) -> DayRollup:
    return DayRollup(
        account_id=document["account_id"],
        platform=document["platform"],
        summary=_summary.decode(document["summary"]),
    )
