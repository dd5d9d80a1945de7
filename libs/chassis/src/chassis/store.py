"""The MongoDB client, with the durability that every promise rests on set in code."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import pymongo.lock
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

Document = dict[str, Any]
T = TypeVar("T")

PING_EVERY = 2.0


async def _wait_for(waiting: Awaitable[T], timeout: float | None) -> T:  # noqa: ASYNC109  # as asyncio has it
    async with asyncio.timeout(timeout):
        return await waiting


if sys.version_info < (3, 12):
    # Until then `asyncio.wait_for` waits in a task of its own. Whoever is cancelled while that one is getting back the
    # lock of a condition releases a lock that is not his; afterwards nobody releases it, and the client hangs for ever.
    # PyMongo waits like that for a server and for a connection, so every outage of the store was a chance for it.
    pymongo.lock.wait_for = _wait_for  # type: ignore[attr-defined, assignment]


def connect(uri: str) -> AsyncMongoClient[Document]:
    """Bound to the running event loop. Calls fail within about 5 s when the store is away, rather than hang."""
    return AsyncMongoClient(
        uri,
        tz_aware=True,
        serverSelectionTimeoutMS=3_000,
        connectTimeoutMS=3_000,
        timeoutMS=5_000,
        waitQueueTimeoutMS=3_000,
        retryWrites=False,
        appname="social-publishing",
    )


def database(client: AsyncMongoClient[Document], name: str) -> AsyncDatabase[Document]:
    """Majority and journaled writes, majority reads: an acknowledged write survives any single crash."""
    return client.get_database(
        name, write_concern=WriteConcern(w="majority", j=True), read_concern=ReadConcern("majority")
    )


class StoreProbe:
    """Whether the store answers, for readiness; `prepare` is called until it has succeeded once."""

    def __init__(self, database: AsyncDatabase[Document], prepare: Callable[[], Awaitable[None]] | None = None) -> None:
        self._database = database
        self._prepare = prepare
        self._wrong: str | None = "the store has not answered yet"

    def healthy(self) -> str | None:
        """None, or what is wrong."""
        return self._wrong

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                if self._prepare is None:
                    await self._database.command("ping")
                else:
                    await self._prepare()
                    self._prepare = None
                self._wrong = None
            except PyMongoError as error:
                self._wrong = f"the store does not answer: {type(error).__name__}"
            with suppress(TimeoutError):
                async with asyncio.timeout(PING_EVERY):
                    await stop.wait()
