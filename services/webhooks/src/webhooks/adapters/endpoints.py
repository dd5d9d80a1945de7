"""Endpoints as they stand: the projection, and what is asked of the aggregate."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec
from pymongo.asynchronous.database import AsyncDatabase

from chassis.store import Document
from contracts.endpoints import Endpoint, EndpointCommand
from contracts.messages import Command
from contracts.topics import ENDPOINTS_COMMANDS
from contracts.verdicts import Refusal, Verdict
from eventlog.documents import read_state
from webhooks.adapters.keys import MongoSigners
from webhooks.domain.endpoint import live_keys
from webhooks.ports import Target

PATIENCE = 5.0
"""Seconds for a verdict."""


class CommandSender(Protocol):
    """What is used of `eventlog.sending.CommandSender`."""

    async def send(
        self,
        topic: str,
        key: str,
        command: Command,
        *,
        command_id: str,
        tenant_id: str | None,
        reply_partition: int | None = None,
        deadline: datetime | None = None,
    ) -> None: ...


class WaitingRoom(Protocol):
    """What is used of `eventlog.replies.Replies`."""

    @property
    def partition(self) -> int: ...

    def expect(self, command_id: str) -> asyncio.Future[Verdict]: ...

    def forget(self, command_id: str) -> None: ...


class RefusedError(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class EndpointLog:
    """Asks the aggregate, through the log."""

    def __init__(self, sender: CommandSender, replies: WaitingRoom) -> None:
        self._sender = sender
        self._replies = replies

    async def ask(self, command: EndpointCommand, *, command_id: str) -> Endpoint:
        """The endpoint once everybody can see what the command did.

        Raises RefusedError, NotAppendedError, AppendUnknownError and TimeoutError.
        """
        waiting = self._replies.expect(command_id)
        try:
            await self._sender.send(
                ENDPOINTS_COMMANDS,
                command.endpoint_id,
                command,
                command_id=command_id,
                tenant_id=command.tenant_id,
                reply_partition=self._replies.partition,
                deadline=datetime.now(UTC) + timedelta(seconds=2 * PATIENCE),
            )
            async with asyncio.timeout(PATIENCE):
                verdict = await waiting
        finally:
            self._replies.forget(command_id)
        if verdict.refusal is not None:
            raise RefusedError(verdict.refusal)
        return msgspec.json.decode(verdict.state, type=Endpoint)


class MongoEndpoints:
    """Reads the collection `endpoints`, which the aggregate's owner writes; `webhooks.ports.Targets`."""

    def __init__(
        self, database: AsyncDatabase[Document], signers: MongoSigners, *, now: Callable[[], datetime]
    ) -> None:
        self._collection = database["endpoints"]
        self._signers = signers
        self._now = now

    async def prepare(self) -> None:
        """Creates the indexes. Safe to repeat."""
        await self._collection.create_index([("tenant_id", 1), ("status", 1)], name="tenant")

    async def get(self, tenant_id: str, endpoint_id: str) -> Endpoint | None:
        query = {"_id": endpoint_id, "tenant_id": tenant_id, "status": {"$ne": "deleted"}}
        found = await self._collection.find_one(query)
        return None if found is None else read_state(found, Endpoint)

    async def of_tenant(self, tenant_id: str) -> Sequence[Endpoint]:
        """In the order they were made."""
        query = {"tenant_id": tenant_id, "status": {"$in": ["enabled", "disabled"]}}
        found = [read_state(document, Endpoint) async for document in self._collection.find(query, {"state": 1})]
        return sorted(found, key=lambda endpoint: (endpoint.created_at, endpoint.endpoint_id))

    async def enabled(self, tenant_ids: Collection[str]) -> Sequence[Endpoint]:
        query = {"tenant_id": {"$in": list(tenant_ids)}, "status": "enabled"}
        return [read_state(document, Endpoint) async for document in self._collection.find(query, {"state": 1})]

    async def count(self, tenant_id: str) -> int:
        """Of those that are not deleted."""
        query = {"tenant_id": tenant_id, "status": {"$in": ["enabled", "disabled"]}}
        return len([document async for document in self._collection.find(query, {"_id": 1})])

    async def load(self, endpoint_id: str) -> Target | None:
        found = await self._collection.find_one({"_id": endpoint_id})
        return None if found is None else await self.equip(read_state(found, Endpoint))

    async def equip(self, endpoint: Endpoint) -> Target:
        if endpoint.status != "enabled":
            return Target(endpoint=endpoint, signers=())
        keys = [key.key_id for key in live_keys(endpoint, self._now())]
        return Target(
            endpoint=endpoint, signers=await self._signers.load(endpoint.tenant_id, endpoint.endpoint_id, keys)
        )


class MongoStandings:
    """Collection `webhook_standings`: `webhooks.ports.Standings`."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._collection = database["webhook_standings"]

    async def load(self, endpoint_id: str) -> datetime | None:
        found = await self._collection.find_one({"_id": endpoint_id})
        return None if found is None else found["failing_since"]

    async def save(self, endpoint_id: str, failing_since: datetime | None) -> None:
        await self._collection.update_one({"_id": endpoint_id}, {"$set": {"failing_since": failing_since}}, upsert=True)
