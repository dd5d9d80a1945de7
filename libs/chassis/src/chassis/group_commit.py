"""Many small durable writes as few large ones.

A durable write waits for the store's disk. Those that arrive while one is under way go together in the next one, so a
single write waits for nobody, and a crowd shares the wait.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError, OperationFailure

from chassis.store import Document

BATCH = 100
"""Writes in one call, so that a crowd does not run into the call's time limit."""

TOKEN = "write_token"  # noqa: S105  # a field's name
"""Tells whose write a document shows, where the store only counts how many of a batch took effect."""

_DUPLICATE_KEY = 11000

Operation = InsertOne[Document] | ReplaceOne[Document] | UpdateOne


class _Write(Struct, frozen=True):
    operation: Operation
    document_id: str
    token: bytes
    done: asyncio.Future[bool]


class GroupCommit:
    """Guarded writes to one collection, each to one document; bound to the running event loop.

    Each method says whether its own write took effect. It may also say False about one that somebody else has
    overwritten at once; it never says True about one that took none. Errors of the store leave it open.
    """

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection
        self._waiting: list[_Write] = []
        self._writing: asyncio.Task[None] | None = None

    async def insert(self, document: Document) -> bool:
        """False when there is a document of this `_id`."""
        token = os.urandom(12)
        return await self._write(InsertOne({**document, TOKEN: token}), document["_id"], token)

    async def replace(self, guard: Mapping[str, Any], document: Document) -> bool:
        """False unless the document of this `_id` fits the guard."""
        token = os.urandom(12)
        operation = ReplaceOne({"_id": document["_id"], **guard}, {**document, TOKEN: token})
        return await self._write(operation, document["_id"], token)

    async def update(self, document_id: str, guard: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
        """Sets the changed fields. False unless the document of this id fits the guard."""
        token = os.urandom(12)
        operation = UpdateOne({"_id": document_id, **guard}, {"$set": {**changes, TOKEN: token}})
        return await self._write(operation, document_id, token)

    async def _write(self, operation: Operation, document_id: str, token: bytes) -> bool:
        write = _Write(operation, document_id, token, asyncio.get_running_loop().create_future())
        self._waiting.append(write)
        if self._writing is None:
            self._writing = asyncio.create_task(self._drain())
        return await write.done

    async def _drain(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                try:
                    await self._commit(batch)
                except Exception as error:  # whatever it is, those who wait must hear of it
                    for write in batch:
                        _fail(write, error)
        finally:
            self._writing = None

    async def _commit(self, batch: Sequence[_Write]) -> None:
        refused: dict[int, OperationFailure | None] = {}
        try:
            result = await self._collection.bulk_write([write.operation for write in batch], ordered=False)
            matched = result.matched_count
        except BulkWriteError as error:
            if error.details.get("writeConcernErrors"):
                raise
            matched = error.details["nMatched"]
            for each in error.details["writeErrors"]:
                code = each["code"]
                refused[each["index"]] = None if code == _DUPLICATE_KEY else OperationFailure(each["errmsg"], code)
        guarded = [
            write
            for index, write in enumerate(batch)
            if index not in refused and not isinstance(write.operation, InsertOne)
        ]
        unsure = guarded if matched < len(guarded) else []
        shown = await self._tokens(unsure)
        for index, write in enumerate(batch):
            if (failure := refused.get(index)) is not None:
                _fail(write, failure)
            elif not write.done.done():
                lost = write in unsure and shown.get(write.document_id) != write.token
                write.done.set_result(index not in refused and not lost)

    async def _tokens(self, writes: Sequence[_Write]) -> Mapping[str, bytes]:
        if not writes:
            return {}
        ids = [write.document_id for write in writes]
        found = self._collection.find({"_id": {"$in": ids}}, {TOKEN: 1})
        return {document["_id"]: bytes(document.get(TOKEN) or b"") async for document in found}


def _fail(write: _Write, error: Exception) -> None:
    if not write.done.done():
        write.done.set_exception(error)
