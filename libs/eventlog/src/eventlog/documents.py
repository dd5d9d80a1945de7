"""How aggregates lie in MongoDB: one document each, replaced only by a higher version."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
import pymongo
from pymongo import InsertOne, ReplaceOne
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError

from contracts.messages import encode
from eventlog.aggregate import Aggregate
from eventlog.chain import Memo, Stored

S = TypeVar("S")
T = TypeVar("T")
Document = dict[str, Any]

_DUPLICATE_KEY = 11000

CALL_SECONDS = 30.0
"""Nobody waits for these calls: an owner whose store is slow should be slow, rather than give up and begin again."""

CHUNK = 100
"""Documents in one call. A call that grows with the backlog runs into its time limit just when the store is slow; then
everything would be done again, and the store be slower still.
"""


def read_state(document: Mapping[str, Any], state_type: type[S]) -> S:
    """The read model in a document."""
    return msgspec.json.decode(document["state"], type=state_type)


def to_document(aggregate: Aggregate[S], partition: int, stored: Stored[S]) -> Document:
    return {
        "_id": stored.aggregate_id,
        "version": stored.version,
        "event_id": stored.event_id,
        "partition": partition,
        "due_at": aggregate.due_at(stored.state),
        "memo": msgspec.to_builtins(stored.memo),
        "log": list(stored.log),
        "traceparent": stored.traceparent,
        "state": encode(stored.state),
        **aggregate.index(stored.state),
    }


def from_document(document: Mapping[str, Any], state_type: type[S]) -> Stored[S]:
    return Stored(
        aggregate_id=document["_id"],
        version=document["version"],
        event_id=document["event_id"],
        state=read_state(document, state_type),
        memo=msgspec.convert(document["memo"], tuple[Memo, ...]),
        log=tuple(document["log"]),
        traceparent=document.get("traceparent"),
    )


class MongoDocuments(Generic[S]):
    """`eventlog.ports.Documents` in the collection named after the aggregate."""

    def __init__(self, aggregate: Aggregate[S], database: AsyncDatabase[Document], *, collection: str | None = None):
        self._aggregate = aggregate
        self._name = collection or aggregate.name
        self._documents = database[self._name]
        self._checkpoints = database["checkpoints"]

    async def prepare(self) -> None:
        """Creates the indexes the loop needs. Safe to repeat."""
        await self._documents.create_index([("partition", 1), ("due_at", 1)], name="due")

    async def load(self, aggregate_ids: Iterable[str]) -> Mapping[str, Stored[S]]:
        found: dict[str, Stored[S]] = {}
        for ids in _chunks(list(aggregate_ids)):
            with pymongo.timeout(CALL_SECONDS):
                async for document in self._documents.find({"_id": {"$in": list(ids)}}):
                    found[document["_id"]] = from_document(document, self._aggregate.state_type)
        return found

    async def save(self, partition: int, changed: Sequence[Stored[S]]) -> None:
        for chunk in _chunks([self._request(partition, stored) for stored in changed]):
            try:
                with pymongo.timeout(CALL_SECONDS):
                    await self._documents.bulk_write(list(chunk), ordered=False)
            except BulkWriteError as error:
                # Whoever finds the same or a higher version collides on _id: somebody wrote it already.
                others = [e for e in error.details["writeErrors"] if e["code"] != _DUPLICATE_KEY]
                if others or error.details.get("writeConcernErrors"):
                    raise

    async def fill(self, partition: int, stored: Sequence[Stored[S]]) -> None:
        """Into a cleared collection: each document once."""
        with pymongo.timeout(CALL_SECONDS):
            await self._documents.insert_many(
                [to_document(self._aggregate, partition, each) for each in stored], ordered=False
            )

    def _request(self, partition: int, stored: Stored[S]) -> InsertOne[Document] | ReplaceOne[Document]:
        document = to_document(self._aggregate, partition, stored)
        if stored.version == 1:
            # Whatever may be there already is not older; and inserts cost a tenth of guarded replacements.
            return InsertOne(document)
        return ReplaceOne({"_id": stored.aggregate_id, "version": {"$lt": stored.version}}, document, upsert=True)

    async def due(self, partition: int, until: datetime, limit: int) -> Sequence[tuple[datetime, str]]:
        found = (
            self._documents.find({"partition": partition, "due_at": {"$gt": _EPOCH, "$lte": until}}, {"due_at": 1})
            .sort("due_at", 1)
            .limit(limit)
        )
        with pymongo.timeout(CALL_SECONDS):
            return [(document["due_at"], document["_id"]) async for document in found]

    async def clear(self) -> None:
        await self._documents.drop()

    async def checkpoint(self, partition: int) -> int:
        document = await self._checkpoints.find_one({"_id": f"{self._name}:{partition}"})
        return 0 if document is None else int(document["next_offset"])

    async def save_checkpoint(self, partition: int, offset: int) -> None:
        with pymongo.timeout(CALL_SECONDS):
            await self._checkpoints.update_one(
                {"_id": f"{self._name}:{partition}"}, {"$max": {"next_offset": offset}}, upsert=True
            )


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
