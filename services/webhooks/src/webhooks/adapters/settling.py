"""Writing down how attempts went: those that end while one write is under way go together in the next.

A busy service settles thousands of deliveries a second, and each must be durable. One statement says of all of them
what becomes of each, so that the store finds, journals and acknowledges them once.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from pymongo.asynchronous.collection import AsyncCollection

from chassis.store import Document
from contracts.webhooks import Attempt
from webhooks.domain.delivering import KEPT_ATTEMPTS, Delivery, Next

BATCH = 100
"""Deliveries in one call, so that a crowd does not run into the call's time limit."""


class _Write(Struct, frozen=True):
    delivery: Delivery
    attempt: Attempt
    following: Next
    done: asyncio.Future[bool]

    def changes(self) -> Document:
        return {
            "status": self.following.status,
            "due_at": self.following.due_at,
            "attempts": self.delivery.attempts + 1,
            "log": _log((*self.delivery.log, self.attempt)[-KEPT_ATTEMPTS:]),
        }

    def is_shown_by(self, document: Mapping[str, Any] | None) -> bool:
        """Whether it is this attempt that the stored delivery tells of last. The store keeps whole milliseconds."""
        if document is None or not document["log"]:
            return False
        at: datetime = document["log"][-1]["at"]
        return document["attempts"] > self.delivery.attempts and abs(at - self.attempt.at).total_seconds() < 0.001


class Settling:
    """Bound to the running event loop. Errors of the store reach all who wait for the same call, and leave it open
    whether it took effect: saying the same again tells.
    """

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._collection = collection
        self._waiting: list[_Write] = []
        self._writing: asyncio.Task[None] | None = None

    async def settle(self, delivery: Delivery, attempt: Attempt, following: Next) -> bool:
        """Durable when it returns. False when somebody else has changed the delivery; True also when it had been
        written by an earlier call.
        """
        write = _Write(delivery, attempt, following, asyncio.get_running_loop().create_future())
        self._waiting.append(write)
        if self._writing is None:
            self._writing = asyncio.create_task(self._drain())
        return await write.done

    async def _drain(self) -> None:
        try:
            while self._waiting:
                attempts = self._waiting[0].delivery.attempts
                fitting = [write for write in self._waiting if write.delivery.attempts == attempts][:BATCH]
                taken = set(map(id, fitting))
                self._waiting = [write for write in self._waiting if id(write) not in taken]
                try:
                    results = await self._commit(attempts, fitting)
                except Exception as error:  # whatever it is, those who wait must hear of it
                    for write in fitting:
                        if not write.done.done():
                            write.done.set_exception(error)
                else:
                    for write, is_settled in zip(fitting, results, strict=True):
                        if not write.done.done():
                            write.done.set_result(is_settled)
        finally:
            self._writing = None

    async def _commit(self, attempts: int, batch: Sequence[_Write]) -> Sequence[bool]:
        ids = [write.delivery.id for write in batch]
        changes = [write.changes() for write in batch]
        own: Document = {"$arrayElemAt": [{"$literal": changes}, {"$indexOfArray": [{"$literal": ids}, "$_id"]}]}
        result = await self._collection.update_many(
            {"_id": {"$in": ids}, "status": "pending", "attempts": attempts},
            [{"$replaceWith": {"$mergeObjects": ["$$ROOT", own]}}],
        )
        if result.matched_count == len(batch):
            return [True] * len(batch)
        shown = {
            document["_id"]: document
            async for document in self._collection.find({"_id": {"$in": ids}}, {"attempts": 1, "log": 1})
        }
        return [write.is_shown_by(shown.get(write.delivery.id)) for write in batch]


def _log(attempts: Sequence[Attempt]) -> list[Any]:
    made: list[Any] = msgspec.to_builtins(attempts, builtin_types=(datetime,))
    return made
