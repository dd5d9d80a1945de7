"""The public events of each tenant in one order, for those who missed some. The gateway reads this collection."""

from collections.abc import Sequence
from datetime import datetime

from pymongo.asynchronous.database import AsyncDatabase

from chassis.store import Document
from webhooks.adapters.numbered import Numbered
from webhooks.ports import PublicEvent


class MongoFeed:
    """Collection `public_events`."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._collection = database["public_events"]
        self._numbered = Numbered(self._collection, "tenant_id")

    async def prepare(self) -> None:
        """Creates the indexes. Safe to repeat."""
        await self._numbered.prepare()

    async def add(self, events: Sequence[PublicEvent], now: datetime) -> None:
        """Those that are not there yet."""
        await self._numbered.add(
            [
                {
                    "_id": event.id,
                    "tenant_id": event.tenant_id,
                    "type": event.type,
                    "subject": event.subject,
                    "time": event.time,
                    "data": event.data,
                    "created_at": now,
                }
                for event in events
            ]
        )

    async def since(
        self, tenant_id: str, since: datetime, *, after: int, limit: int
    ) -> Sequence[tuple[int, PublicEvent]]:
        """Recorded from `since` on, with a number above `after`; in order, each with its number."""
        query: Document = {"tenant_id": tenant_id, "seq": {"$gt": after}, "created_at": {"$gte": since}}
        found = self._collection.find(query).sort("seq", 1).limit(limit)
        return [(document["seq"], _event(document)) async for document in found]

    async def tenants(self) -> Sequence[str]:
        return list(await self._collection.distinct("tenant_id"))

    async def prune(self, tenant_id: str, *, before: datetime) -> int:
        """Removes events recorded before then, some hundreds at most; says how many."""
        return await self._numbered.prune(tenant_id, before=before, only={})


def _event(document: Document) -> PublicEvent:
    return PublicEvent(
        id=document["_id"],
        type=document["type"],
        tenant_id=document["tenant_id"],
        subject=document["subject"],
        time=document["time"],
        data=bytes(document["data"]),
    )
