"""A tenant's public events in one order, read from the projection that the webhooks service writes.

Numbers are without gaps, so the events between two of them are found at the same cost however many there are; a client
that wants few types goes through the others in steps.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from msgspec import Struct
from pymongo.asynchronous.database import AsyncDatabase

from chassis.store import Document
from gateway.problems import ProblemError, invalid_parameter
from gateway.repository import reading

_MOST_DIGITS = 18
_WINDOW = 200
"""Numbers gone through at once when not all types are wanted."""
_MOST_WINDOWS = 10
"""Gone through by one call: it answers how far it came."""


class FedEvent(Struct, frozen=True, kw_only=True):
    number: int
    """Its place among the tenant's events, without gaps."""
    id: str
    type: str
    subject: str
    time: datetime
    data: bytes
    """JSON."""


class FeedPage(Struct, frozen=True, kw_only=True):
    events: tuple[FedEvent, ...]
    position: int
    """Up to where has been looked: go on after it, also when there was nothing."""
    more: bool
    """Whether there may be more now."""


class Feed(Protocol):
    """Methods raise ProblemError `store_unavailable`."""

    async def after(self, tenant_id: str, number: int, types: Sequence[str], limit: int) -> FeedPage:
        """In order, at most `limit`; all types when none is named."""
        ...

    async def head(self, tenant_id: str) -> int:
        """The number of the newest event; 0 when there is none."""
        ...


class NoFeed:
    async def after(self, tenant_id: str, number: int, types: Sequence[str], limit: int) -> FeedPage:  # noqa: ARG002
        return FeedPage(events=(), position=number, more=False)

    async def head(self, tenant_id: str) -> int:  # noqa: ARG002
        return 0


class MongoFeed:
    """Reads the collection `public_events`."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._events = database["public_events"]
        self._bounds = database["public_events_bounds"]

    async def after(self, tenant_id: str, number: int, types: Sequence[str], limit: int) -> FeedPage:
        events: list[FedEvent] = []
        position = number
        width = max(limit, _WINDOW) + 1 if types else limit + 1
        with reading():
            for _ in range(_MOST_WINDOWS):
                window = await self._window(tenant_id, position, width)
                for event in window:
                    if not types or event.type in types:
                        if len(events) == limit:
                            return FeedPage(events=tuple(events), position=position, more=True)
                        events.append(event)
                    position = event.number
                if len(window) < width:
                    return FeedPage(events=tuple(events), position=position, more=False)
        return FeedPage(events=tuple(events), position=position, more=True)

    async def _window(self, tenant_id: str, after: int, width: int) -> Sequence[FedEvent]:
        """The next ones, as many as `width` unless there are fewer. The one before them shows that none is missing."""
        found = [event async for event in self._between(tenant_id, after, after + width)]
        if not found:
            # Those in between may have been removed: they were too old.
            query: Document = {"tenant_id": tenant_id, "seq": {"$gt": after}}
            lowest = await self._events.find_one(query, {"seq": 1}, sort=[("seq", 1)])
            if lowest is None:
                return ()
            after = lowest["seq"] - 1
            return [event async for event in self._between(tenant_id, after + 1, after + width)]
        if found[0].number == after:
            return found[1:]
        if len(found) < width and found[-1].number == after + width:
            rest = self._between(tenant_id, found[-1].number + 1, found[-1].number + width - len(found))
            found += [event async for event in rest]
        return found

    async def _between(self, tenant_id: str, first: int, last: int) -> AsyncIterator[FedEvent]:
        query: Document = {"tenant_id": tenant_id, "seq": {"$gte": first, "$lte": last}}
        async for found in self._events.find(query).sort("seq", 1):
            yield _event(found)

    async def head(self, tenant_id: str) -> int:
        with reading():
            # Never above the highest number, and not far below it.
            bound = await self._bounds.find_one({"_id": tenant_id})
            lowest = 0 if bound is None else int(bound.get("head", 0))
            query: Document = {"tenant_id": tenant_id, "seq": {"$gte": lowest}}
            newest = await self._events.find_one(query, {"seq": 1}, sort=[("seq", -1)])
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
