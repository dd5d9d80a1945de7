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

    async def upwards(self, tenant_id: str, after: int, limit: int) -> Sequence[tuple[int, PublicEvent]]:
        """Some of the next events above a number, in order, each with its number; none where there are no more."""
        return [(found["seq"], _event(found)) for found in await self._numbered.upwards(tenant_id, after, limit)]

    async def recorded_before(self, tenant_id: str, at: datetime) -> int:
        """The highest number of those recorded before then."""
        return await self._numbered.recorded_before(tenant_id, at)

    async def tenants(self) -> Sequence[str]:
        return await self._numbered.groups()

    async def prune(self, tenant_id: str, *, before: datetime) -> bool:
        """Removes events recorded before then, some hundreds at most; says whether there may be more."""
        return await self._numbered.prune(tenant_id, before=before, fits=lambda _: True)


def _event(document: Document) -> PublicEvent:
    return PublicEvent(
        id=document["_id"],
        type=document["type"],
        tenant_id=document["tenant_id"],
        subject=document["subject"],
        time=document["time"],
        data=bytes(document["data"]),
    )
