"""Deliveries in MongoDB: the queue and the log at once. One that is not settled has a `due_at`."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pymongo
from msgspec import Raw
from pymongo import UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from chassis.store import Document
from contracts import webhooks
from contracts.webhooks import Attempt, DeliveryStatus
from webhooks.adapters.numbered import CHUNK, Numbered
from webhooks.adapters.settling import Settling
from webhooks.domain.delivering import Delivery, Next
from webhooks.ports import Bell, NewDelivery

SCAN_SECONDS = 30.0
"""Nobody waits for these."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PENDING: Document = {"due_at": {"$gt": _EPOCH}}
"""What is settled has no `due_at`, and leaves the queue's index."""


class MongoDeliveries:
    """`webhooks.ports.Deliveries` in the collection `webhook_deliveries`, with the bells in `webhook_bells`."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._collection = database["webhook_deliveries"]
        self._bells = database["webhook_bells"]
        self._numbered = Numbered(self._collection, "endpoint_id")
        self._settling = Settling(self._collection)

    async def prepare(self) -> None:
        """Creates the indexes. Safe to repeat."""
        await self._numbered.prepare()
        await self._collection.create_index(
            [("partition", 1), ("endpoint_id", 1), ("due_at", 1)], name="queue", partialFilterExpression=_PENDING
        )
        await self._collection.create_index(
            [("endpoint_id", 1), ("status", 1), ("seq", 1)],
            name="failed",
            partialFilterExpression={"status": "failed"},
        )
        await self._bells.create_index([("at", 1)], name="at")

    async def add(self, new: Sequence[NewDelivery], added: Callable[[Sequence[Delivery]], None] | None = None) -> int:
        """Records those that are not there yet, numbered in this order for each endpoint; says how many.

        `added` hears of each part of them as soon as it is durable.
        """

        def tell(documents: Sequence[Document]) -> None:
            if added is not None:
                added([_delivery(document) for document in documents])

        return await self._numbered.add([_document(delivery) for delivery in new], tell)

    # --- the queue ------------------------------------------------------------------------------------

    async def due(
        self, partition: int, endpoint_id: str, until: datetime, *, skip: Collection[str], limit: int
    ) -> Sequence[Delivery]:
        query: Document = {
            "partition": partition,
            "endpoint_id": endpoint_id,
            "due_at": {"$gt": _EPOCH, "$lte": until},
        }
        # The few that are under way are still due: nothing says otherwise until they are settled.
        found = self._collection.find(query).sort("due_at", 1).limit(limit + len(skip))
        return [_delivery(document) async for document in found if document["_id"] not in skip][:limit]

    async def in_order(self, partition: int, endpoint_id: str, *, after: int | None, limit: int) -> Sequence[Delivery]:
        if after is None:
            query: Document = {"partition": partition, "endpoint_id": endpoint_id, **_PENDING}
            return [_delivery(document) async for document in self._collection.find(query).sort("seq", 1).limit(limit)]
        while page := await self._numbered.upwards(endpoint_id, after, limit):
            if pending := [document for document in page if document["due_at"] is not None]:
                return [_delivery(document) for document in pending]
            after = page[-1]["seq"]
        return []

    async def next_due(self, partition: int, endpoint_id: str, after: datetime) -> datetime | None:
        query: Document = {"partition": partition, "endpoint_id": endpoint_id, "due_at": {"$gt": after}}
        found = await self._collection.find_one(query, {"due_at": 1}, sort=[("due_at", 1)])
        return None if found is None else found["due_at"]

    async def waiting(self, partition: int) -> Collection[str]:
        with pymongo.timeout(SCAN_SECONDS):
            return set(await self._collection.distinct("endpoint_id", {"partition": partition, **_PENDING}))

    async def settle(self, delivery: Delivery, attempt: Attempt, following: Next) -> bool:
        return await self._settling.settle(delivery, attempt, following)

    async def discard(self, endpoint_id: str) -> None:
        await self._numbered.clear(endpoint_id)
        await self._bells.delete_one({"_id": endpoint_id})

    async def endpoints(self) -> Sequence[str]:
        """Those that have any, or had."""
        return await self._numbered.groups()

    async def prune(self, endpoint_id: str, *, before: datetime) -> bool:
        """Removes settled ones recorded before then, some hundreds at most; says whether there may be more."""
        return await self._numbered.prune(endpoint_id, before=before, fits=lambda document: document["due_at"] is None)

    # --- bells ----------------------------------------------------------------------------------------

    async def ring(self, endpoint_ids: Collection[str], at: datetime, *, anew: bool = False) -> None:
        """With `anew` the endpoints, or the order of their deliveries, have changed."""
        changes = {"at": at, "anew_at": at} if anew else {"at": at}
        for part in _parts(sorted(endpoint_ids)):
            await self._bells.bulk_write(
                [UpdateOne({"_id": endpoint_id}, {"$set": changes}, upsert=True) for endpoint_id in part],
                ordered=False,
            )

    async def rung(self, since: datetime) -> Mapping[str, Bell]:
        found = self._bells.find({"at": {"$gt": since}})
        return {document["_id"]: Bell(at=document["at"], anew_at=document.get("anew_at")) async for document in found}

    # --- the log --------------------------------------------------------------------------------------

    async def get(self, tenant_id: str, endpoint_id: str, delivery_id: str) -> Delivery | None:
        query = {"_id": delivery_id, "tenant_id": tenant_id, "endpoint_id": endpoint_id}
        found = await self._collection.find_one(query)
        return None if found is None else _delivery(found)

    async def newest(
        self, tenant_id: str, endpoint_id: str, *, status: DeliveryStatus | None, before: int | None, limit: int
    ) -> Sequence[Delivery]:
        """Highest number first. An endpoint has one tenant; for any other it has no deliveries."""

        def fits(document: Document) -> bool:
            return bool(document["tenant_id"] == tenant_id and status in (None, document["status"]))

        if status == "failed":
            query: Document = {"endpoint_id": endpoint_id, "status": status}
            if before is not None:
                query["seq"] = {"$lt": before}
            found = [each async for each in self._collection.find(query).sort("seq", -1).limit(limit) if fits(each)]
        else:
            found = list(await self._numbered.downwards(endpoint_id, before, limit, fits))
        return [_delivery(document) for document in found]

    async def reopen(self, ids: Sequence[str], now: datetime, *, failed_only: bool = False) -> int:
        """Has settled ones sent again, with a schedule of their own; says how many."""
        reopened = 0
        for part in _parts(ids):
            query: Document = {"_id": {"$in": part}, "due_at": None}
            if failed_only:
                query["status"] = "failed"
            changed = await self._collection.update_many(
                query, {"$set": {"status": "pending", "due_at": now, "attempts": 0}}
            )
            reopened += changed.modified_count
        return reopened


def _parts(ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), CHUNK):
        yield list(ids[start : start + CHUNK])


def _document(new: NewDelivery) -> Document:
    return {
        "_id": new.id,
        "tenant_id": new.tenant_id,
        "endpoint_id": new.endpoint_id,
        "partition": new.partition,
        "event_id": new.event_id,
        "event_type": new.event_type,
        "event_time": new.event_time,
        "data": new.data,
        "status": "pending",
        "due_at": new.created_at,
        "attempts": 0,
        "created_at": new.created_at,
        "log": [],
        "subject": new.subject,
        "traceparent": new.traceparent,
    }


def _delivery(document: Mapping[str, Any]) -> Delivery:
    return Delivery(
        id=document["_id"],
        tenant_id=document["tenant_id"],
        endpoint_id=document["endpoint_id"],
        partition=document["partition"],
        sequence=document["seq"],
        event_id=document["event_id"],
        event_type=document["event_type"],
        event_time=document["event_time"],
        data=bytes(document["data"]),
        status=document["status"],
        due_at=document["due_at"],
        attempts=document["attempts"],
        created_at=document["created_at"],
        log=msgspec.convert(document["log"], tuple[Attempt, ...]),
        subject=document.get("subject"),
        traceparent=document.get("traceparent"),
    )


def view(delivery: Delivery) -> webhooks.Delivery:
    """As it is told to others."""
    return webhooks.Delivery(
        id=delivery.id,
        endpoint_id=delivery.endpoint_id,
        sequence=delivery.sequence,
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        event_time=delivery.event_time,
        status=delivery.status,
        attempts=delivery.attempts,
        next_attempt_at=delivery.due_at,
        created_at=delivery.created_at,
        data=Raw(delivery.data),
        log=delivery.log,
    )
