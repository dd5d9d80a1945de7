"""Deliveries in MongoDB: the queue and the log at once. One that is not settled has a `due_at`."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pymongo
from msgspec import Raw
from pymongo.asynchronous.database import AsyncDatabase

from chassis.group_commit import GroupCommit
from chassis.store import Document
from contracts import webhooks
from contracts.webhooks import Attempt, DeliveryStatus
from webhooks.adapters.numbered import CHUNK, Numbered
from webhooks.domain.delivering import KEPT_ATTEMPTS, Delivery, Next
from webhooks.ports import NewDelivery

SCAN_SECONDS = 30.0
"""Nobody waits for these."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DISCARDED_AT_ONCE = 500


class MongoDeliveries:
    """`webhooks.ports.Deliveries` in the collection `webhook_deliveries`."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._collection = database["webhook_deliveries"]
        self._numbered = Numbered(self._collection, "endpoint_id")
        self._writes = GroupCommit(self._collection)

    async def prepare(self) -> None:
        """Creates the indexes. Safe to repeat."""
        await self._numbered.prepare()
        await self._collection.create_index([("endpoint_id", 1), ("due_at", 1)], name="due")
        await self._collection.create_index([("partition", 1), ("due_at", 1)], name="partition")

    async def add(self, new: Sequence[NewDelivery]) -> int:
        """Records those that are not there yet, numbered in this order for each endpoint; says how many."""
        return await self._numbered.add([_document(delivery) for delivery in new])

    # --- the queue ------------------------------------------------------------------------------------

    async def due(self, endpoint_id: str, until: datetime, *, skip: Collection[str], limit: int) -> Sequence[Delivery]:
        query: Document = {"endpoint_id": endpoint_id, "due_at": {"$gt": _EPOCH, "$lte": until}}
        # The few that are under way are still due: nothing says otherwise until they are settled.
        found = self._collection.find(query).sort("due_at", 1).limit(limit + len(skip))
        return [_delivery(document) async for document in found if document["_id"] not in skip][:limit]

    async def in_order(self, endpoint_id: str, *, limit: int) -> Sequence[Delivery]:
        query: Document = {"endpoint_id": endpoint_id, "due_at": {"$gt": _EPOCH}}
        return [_delivery(document) async for document in self._collection.find(query).sort("seq", 1).limit(limit)]

    async def next_due(self, endpoint_id: str, after: datetime) -> datetime | None:
        query: Document = {"endpoint_id": endpoint_id, "due_at": {"$gt": after}}
        found = await self._collection.find_one(query, {"due_at": 1}, sort=[("due_at", 1)])
        return None if found is None else found["due_at"]

    async def waiting(self, partitions: Collection[int]) -> Collection[str]:
        return await self._endpoints({"partition": {"$in": list(partitions)}, "due_at": {"$gt": _EPOCH}})

    async def arrived(self, partitions: Collection[int], since: datetime, until: datetime) -> Collection[str]:
        return await self._endpoints({"partition": {"$in": list(partitions)}, "due_at": {"$gt": since, "$lte": until}})

    async def _endpoints(self, query: Document) -> Collection[str]:
        with pymongo.timeout(SCAN_SECONDS):
            return set(await self._collection.distinct("endpoint_id", query))

    async def settle(self, delivery: Delivery, attempt: Attempt, following: Next) -> bool:
        return await self._writes.update(
            delivery.id,
            {"status": "pending", "attempts": delivery.attempts},
            {
                "status": following.status,
                "due_at": following.due_at,
                "attempts": delivery.attempts + 1,
                "log": _log((*delivery.log, attempt)[-KEPT_ATTEMPTS:]),
            },
        )

    async def discard(self, endpoint_id: str) -> None:
        while ids := [
            document["_id"]
            async for document in self._collection.find({"endpoint_id": endpoint_id}, {"_id": 1}).limit(
                _DISCARDED_AT_ONCE
            )
        ]:
            await self._collection.delete_many({"_id": {"$in": ids}})

    async def prune(self, endpoint_id: str, *, before: datetime) -> int:
        """Removes settled ones recorded before then, some hundreds at most; says how many."""
        return await self._numbered.prune(endpoint_id, before=before, only={"due_at": None})

    # --- the log --------------------------------------------------------------------------------------

    async def get(self, tenant_id: str, endpoint_id: str, delivery_id: str) -> Delivery | None:
        query = {"_id": delivery_id, "tenant_id": tenant_id, "endpoint_id": endpoint_id}
        found = await self._collection.find_one(query)
        return None if found is None else _delivery(found)

    async def newest(
        self, tenant_id: str, endpoint_id: str, *, status: DeliveryStatus | None, before: int | None, limit: int
    ) -> Sequence[Delivery]:
        query: Document = {"tenant_id": tenant_id, "endpoint_id": endpoint_id}
        if status is not None:
            query["status"] = status
        if before is not None:
            query["seq"] = {"$lt": before}
        return [_delivery(document) async for document in self._collection.find(query).sort("seq", -1).limit(limit)]

    async def reopen(self, ids: Sequence[str], now: datetime, *, failed_only: bool = False) -> int:
        """Has settled ones sent again, with a schedule of their own; says how many."""
        reopened = 0
        for start in range(0, len(ids), CHUNK):
            query: Document = {"_id": {"$in": list(ids[start : start + CHUNK])}, "due_at": None}
            if failed_only:
                query["status"] = "failed"
            changed = await self._collection.update_many(
                query, {"$set": {"status": "pending", "due_at": now, "attempts": 0}}
            )
            reopened += changed.modified_count
        return reopened

    async def wake(self, endpoint_id: str, now: datetime) -> None:
        """Has whoever delivers for this endpoint look at what is due."""
        await self._collection.update_many(
            {"endpoint_id": endpoint_id, "due_at": {"$gt": _EPOCH, "$lte": now}}, {"$set": {"due_at": now}}
        )


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
    )


def _log(attempts: Sequence[Attempt]) -> list[Any]:
    made: list[Any] = msgspec.to_builtins(attempts, builtin_types=(datetime,))
    return made


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
