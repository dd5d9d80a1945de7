"""The read models in MongoDB: `analytics_posts`, `analytics_days`, `analytics_day_posts`, `analytics_accounts`,
`analytics_mentions`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import pymongo
from msgspec import structs
from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError

from analytics.domain.folding import DayKey
from analytics.ports import FoldedAccount, FoldedDay, FoldedPost
from chassis.store import Document
from contracts.analytics import AccountMetrics, DayEntry, PostMetrics
from contracts.messages import encode
from platforms import rollups

T = TypeVar("T")

CHUNK = 100
"""Documents in one call: one that grows with the backlog runs into its time limit just when the store is slow."""
CALL_SECONDS = 30.0
"""Nobody waits for these calls: where the store is slow they should take longer, rather than be begun again."""
MENTIONS_KEPT = 120 * 86_400
"""Seconds. LinkedIn, which reaches back farthest, shows mentions for 60 days."""

_DUPLICATE_KEY = 11000

_posts = msgspec.json.Decoder(PostMetrics)
_accounts = msgspec.json.Decoder(AccountMetrics)
_entries = msgspec.json.Decoder(dict[str, DayEntry])


def _utc_now() -> datetime:
    return datetime.now(UTC)


class MongoModels:
    """`analytics.ports.Models`. `suffix` names other collections, to fold everything again beside the live ones.

    `changed_at` of a post's target is when its writing began, by the clock of who wrote it: the gateway's stream
    of fresh numbers goes by it.
    """

    def __init__(
        self, database: AsyncDatabase[Document], *, suffix: str = "", now: Callable[[], datetime] = _utc_now
    ) -> None:
        self._posts = database[f"analytics_posts{suffix}"]
        self._days = database[f"analytics_days{suffix}"]
        # Beside the days, not in them: reading a day's few numbers must not become dearer with its posts.
        self._day_posts = database[f"analytics_day_posts{suffix}"]
        self._accounts = database[f"analytics_accounts{suffix}"]
        self._mentions = database[f"analytics_mentions{suffix}"]
        self._now = now

    async def prepare(self) -> None:
        """Creates the indexes. Safe to repeat."""
        with pymongo.timeout(CALL_SECONDS):
            await self._posts.create_index([("tenant_id", 1), ("post_id", 1)], name="post")
            await self._posts.create_index([("tenant_id", 1), ("changed_at", 1)], name="changed")
            for collection in (self._days, self._day_posts):
                await collection.create_index([("tenant_id", 1), ("day", 1)], name="day")
            await self._accounts.create_index([("tenant_id", 1), ("platform", 1)], name="tenant")
            await self._mentions.create_index([("at", 1)], name="old", expireAfterSeconds=MENTIONS_KEPT)

    async def clear(self) -> None:
        for collection in (self._posts, self._days, self._day_posts, self._accounts, self._mentions):
            await collection.drop()

    async def posts(self, keys: Collection[str]) -> Mapping[str, FoldedPost]:
        return {
            found["_id"]: FoldedPost(position=found["position"], state=_posts.decode(found["state"]), stored=True)
            for found in await _find(self._posts, list(keys))
        }

    async def accounts(self, account_ids: Collection[str]) -> Mapping[str, FoldedAccount]:
        return {
            found["_id"]: FoldedAccount(position=found["position"], state=_accounts.decode(found["state"]), stored=True)
            for found in await _find(self._accounts, list(account_ids))
        }

    async def days(self, keys: Collection[DayKey]) -> Mapping[DayKey, FoldedDay]:
        return {
            (found["account_id"], found["day"]): FoldedDay(
                position=found["position"],
                tenant_id=found["tenant_id"],
                platform=found["platform"],
                entries=_entries.decode(found["state"]),
                stored=True,
            )
            for found in await _find(self._day_posts, [_day_id(key) for key in keys])
        }

    async def save(
        self,
        posts: Mapping[str, FoldedPost],
        days: Mapping[DayKey, FoldedDay],
        accounts: Mapping[str, FoldedAccount],
    ) -> None:
        """In this order: what is learned of an account rests on its posts, and a day is folded on from `day_posts`."""
        for chunk in _chunks([(_post_document(key, folded), folded.stored) for key, folded in posts.items()]):
            now = self._now()
            await _write(self._posts, [({**document, "changed_at": now}, stored) for document, stored in chunk])
        await _write(self._days, [(_day_document(key, folded), folded.stored) for key, folded in days.items()])
        await _write(self._day_posts, [(_day_posts_document(key, day), day.stored) for key, day in days.items()])
        await _write(self._accounts, [(_account_document(folded), folded.stored) for folded in accounts.values()])

    async def unseen_mentions(self, ids: Collection[str]) -> set[str]:
        return set(ids) - {found["_id"] for found in await _find(self._mentions, list(ids))}

    async def remember_mentions(self, mentions: Mapping[str, datetime]) -> None:
        for chunk in _chunks(list(mentions.items())):
            writes = [UpdateOne({"_id": id_}, {"$set": {"at": at}}, upsert=True) for id_, at in chunk]
            with pymongo.timeout(CALL_SECONDS):
                await self._mentions.bulk_write(writes, ordered=False)

    async def contents(self) -> dict[str, dict[str, Document]]:
        """Everything, by collection and id: for comparing."""
        collections = {
            "posts": self._posts,
            "days": self._days,
            "day_posts": self._day_posts,
            "accounts": self._accounts,
        }
        return {
            name: {found["_id"]: found async for found in collection.find({})}
            for name, collection in collections.items()
        }


def _day_id(key: DayKey) -> str:
    return f"{key[0]}|{key[1]}"


def _post_document(key: str, folded: FoldedPost) -> Document:
    state = folded.state
    return {
        "_id": key,
        "position": folded.position,
        "tenant_id": state.tenant_id,
        "post_id": state.post_id,
        "account_id": state.account_id,
        "platform": state.platform,
        "state": encode(state),
    }


def _day_document(key: DayKey, folded: FoldedDay) -> Document:
    return {**_day(key, folded), "summary": encode(rollups.summary(list(folded.entries.values())))}


def _day_posts_document(key: DayKey, folded: FoldedDay) -> Document:
    return {**_day(key, folded), "state": encode(folded.entries)}


def _day(key: DayKey, folded: FoldedDay) -> Document:
    return {
        "_id": _day_id(key),
        "position": folded.position,
        "tenant_id": folded.tenant_id,
        "account_id": key[0],
        "day": key[1],
        "platform": folded.platform,
    }


def _account_document(folded: FoldedAccount) -> Document:
    state = folded.state
    return {
        "_id": state.account_id,
        "position": folded.position,
        "tenant_id": state.tenant_id,
        "platform": state.platform,
        # Most questions are not about its posts, which are most of the state.
        "facts": encode(structs.replace(state, outcomes={}, gains={})),
        "state": encode(state),
    }


async def _find(collection: AsyncCollection[Document], ids: Sequence[str]) -> list[Document]:
    found: list[Document] = []
    for chunk in _chunks(ids):
        with pymongo.timeout(CALL_SECONDS):
            found += [document async for document in collection.find({"_id": {"$in": list(chunk)}})]
    return found


async def _write(collection: AsyncCollection[Document], documents: Sequence[tuple[Document, bool]]) -> None:
    """Each with whether there is one of its `_id`: inserting costs a fraction of replacing what may not be there."""
    for chunk in _chunks(documents):
        writes = [_replacement(document) if stored else InsertOne(document) for document, stored in chunk]
        try:
            with pymongo.timeout(CALL_SECONDS):
                await collection.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            errors = error.details["writeErrors"]
            if error.details.get("writeConcernErrors") or any(each["code"] != _DUPLICATE_KEY for each in errors):
                raise
            # Whoever replaces and finds the same or a higher position collides on _id: it is there already. Whoever
            # inserts may have found a lower one, by somebody who had the partition a moment ago.
            found = [chunk[each["index"]] for each in errors]
            await _write(collection, [(document, True) for document, stored in found if not stored])


def _replacement(document: Document) -> ReplaceOne[Document]:
    return ReplaceOne({"_id": document["_id"], "position": {"$lt": document["position"]}}, document, upsert=True)


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def same(live: Mapping[str, Any], rebuilt: Mapping[str, Any]) -> bool:
    """Whether two documents hold the same figures; positions differ where samples came twice."""
    aside = {"position": None, "changed_at": None}
    return {**live, **aside} == {**rebuilt, **aside}
