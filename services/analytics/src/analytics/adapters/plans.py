"""What is to be read and when: collection `analytics_plans`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import pymongo
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from analytics.ports import Plan
from chassis.group_commit import GroupCommit
from chassis.store import Document

CALL_SECONDS = 30.0
"""Nobody waits for these calls, so a slow store is waited for."""


class MongoPlans:
    """`analytics.ports.Plans`."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._plans = database["analytics_plans"]
        self._writes = GroupCommit(self._plans)

    async def prepare(self) -> None:
        """Creates the indexes. Safe to repeat."""
        with pymongo.timeout(CALL_SECONDS):
            await self._plans.create_index([("due_at", 1)], name="due")
            await self._plans.create_index([("post_id", 1)], name="post")
            await self._plans.create_index([("account_id", 1), ("kind", 1)], name="account")

    async def add(self, plan: Plan) -> None:
        document = {name: getattr(plan, name) for name in Plan.__struct_fields__ if name != "id"}
        document["platform_post_ids"] = list(plan.platform_post_ids)
        try:
            with pymongo.timeout(CALL_SECONDS):
                await self._plans.insert_one({"_id": plan.id, **document})
        except DuplicateKeyError:
            return

    async def of_post(self, post_id: str) -> Sequence[Plan]:
        with pymongo.timeout(CALL_SECONDS):
            return [_plan(found) async for found in self._plans.find({"post_id": post_id})]

    async def due(self, until: datetime, limit: int) -> Sequence[Plan]:
        found = self._plans.find({"due_at": {"$lte": until, "$gt": _EPOCH}}).sort("due_at", 1).limit(limit)
        with pymongo.timeout(CALL_SECONDS):
            return [_plan(document) async for document in found]

    async def move(self, plan_id: str, from_: datetime | None, to: datetime | None) -> bool:
        return await self._writes.update(plan_id, {"due_at": from_}, {"due_at": to})

    async def hasten(self, plan_id: str, to: datetime) -> None:
        with pymongo.timeout(CALL_SECONDS):
            await self._plans.update_one({"_id": plan_id, "due_at": {"$gt": to}}, {"$set": {"due_at": to}})

    async def ask(self, plan_id: str, now: datetime, before: datetime) -> bool:
        guard: dict[str, Any] = {
            "due_at": {"$ne": None},
            "$or": [{"requested_at": None}, {"requested_at": {"$lte": before}}],
        }
        return await self._writes.update(plan_id, guard, {"due_at": now, "requested_at": now})

    async def end(self, plan_id: str) -> None:
        with pymongo.timeout(CALL_SECONDS):
            await self._plans.update_one({"_id": plan_id}, {"$set": {"due_at": None}})

    async def end_account(self, account_id: str) -> None:
        with pymongo.timeout(CALL_SECONDS):
            await self._plans.update_many({"account_id": account_id}, {"$set": {"due_at": None}})

    async def revive_account(self, account_id: str, now: datetime) -> None:
        with pymongo.timeout(CALL_SECONDS):
            await self._plans.update_many(
                {"account_id": account_id, "kind": {"$ne": "post"}, "due_at": None}, {"$set": {"due_at": now}}
            )


def _plan(document: Document) -> Plan:
    fields = {name: document.get(name) for name in Plan.__struct_fields__ if name != "id"}
    return msgspec.convert({**fields, "id": document["_id"]}, Plan)


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
