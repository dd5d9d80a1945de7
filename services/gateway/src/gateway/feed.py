"""A tenant's public events in one order, read from the projection that the webhooks service writes."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from msgspec import Struct
from pymongo.asynchronous.database import AsyncDatabase

from chassis.store import Document
from gateway.problems import ProblemError, invalid_parameter
from gateway.repository import reading

_MOST_DIGITS = 18


class FedEvent(Struct, frozen=True, kw_only=True):
    number: int
    """Its place among the tenant's events, without gaps."""
    id: str
    type: str
    subject: str
    time: datetime
    data: bytes
    """JSON."""


class Feed(Protocol):
    """Methods raise ProblemError `store_unavailable`."""

    async def after(self, tenant_id: str, number: int, types: Sequence[str], limit: int) -> Sequence[FedEvent]:
        """In order; all types when none is named."""
        ...

    async def head(self, tenant_id: str) -> int:
        """The number of the newest event; 0 when there is none."""
        ...


class NoFeed:
    async def after(self, tenant_id: str, number: int, types: Sequence[str], limit: int) -> Sequence[FedEvent]:  # noqa: ARG002
        return ()

    async def head(self, tenant_id: str) -> int:  # noqa: ARG002
        return 0


class MongoFeed:
    """Reads the collection `public_events`."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._events = database["public_events"]

    async def after(self, tenant_id: str, number: int, types: Sequence[str], limit: int) -> Sequence[FedEvent]:
        query: Document = {"tenant_id": tenant_id, "seq": {"$gt": number}}
        if types:
            query["type"] = {"$in": list(types)}
        with reading():
            return [_event(found) async for found in self._events.find(query).sort("seq", 1).limit(limit)]

    async def head(self, tenant_id: str) -> int:
        with reading():
            newest = await self._events.find_one({"tenant_id": tenant_id}, {"seq": 1}, sort=[("seq", -1)])
        return 0 if newest is None else int(newest["seq"])


def _event(found: Document) -> FedEvent:
    return FedEvent(
        number=found["seq"],
        id=found["_id"],
        type=found["type"],
        subject=found["subject"],
        time=found["time"],
        data=bytes(found["data"]),
    )


class Streams:
    """The live streams of this process: not too many, for a while each, and none when the process is to end."""

    def __init__(self, *, most: int, most_of_tenant: int, seconds: float, poll: float = 1.0) -> None:
        self.seconds = seconds
        self.poll = poll
        self.ending = asyncio.Event()
        self._most = most
        self._most_of_tenant = most_of_tenant
        self._open: dict[str, int] = {}

    def check(self, tenant_id: str) -> None:
        """Raises ProblemError when there are as many as there may be."""
        if self._open.get(tenant_id, 0) >= self._most_of_tenant or sum(self._open.values()) >= self._most:
            raise ProblemError("too_many_streams", "There are as many streams as there may be.")

    @contextmanager
    def opened(self, tenant_id: str) -> Iterator[None]:
        self._open[tenant_id] = self._open.get(tenant_id, 0) + 1
        try:
            yield
        finally:
            self._open[tenant_id] -= 1
            if not self._open[tenant_id]:
                del self._open[tenant_id]

    async def pause(self) -> None:
        """Until it is worth looking again, or the process is to end."""
        try:
            async with asyncio.timeout(self.poll):
                await self.ending.wait()
        except TimeoutError:
            pass


def read_number(cursor: str) -> int:
    """A place in an order. Raises ProblemError."""
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _MOST_DIGITS):
        raise invalid_parameter("cursor", "cursor", "The cursor is not one that was given out here.")
    return int(cursor)
