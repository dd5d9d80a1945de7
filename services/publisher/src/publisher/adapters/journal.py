"""The publication journal in MongoDB: collection `publications`, one document per target, readable by people."""

import asyncio
from collections.abc import Collection

import msgspec
import structlog
from msgspec.structs import replace
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from chassis.group_commit import GroupCommit
from chassis.store import Document
from publisher.domain.publication import Publication, live_parts
from publisher.ports import JournalConflictError

log = structlog.get_logger()


class MongoJournal:
    """Writes compare the revision they were read at, so of two writers one succeeds."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._collection = database["publications"]
        self._writes = GroupCommit(self._collection)

    async def prepare(self) -> None:
        """Creates the index that reading back needs. Safe to repeat."""
        await self._collection.create_index([("account_id", 1), ("live_ids", 1)])

    async def prepare_patiently(self, stop: asyncio.Event) -> None:
        """Tries until the store answers, or `stop`."""
        while not stop.is_set():
            try:
                await self.prepare()
            except PyMongoError as error:
                log.warning("the store cannot be reached", reason=type(error).__name__)
                await asyncio.sleep(1)
            else:
                return

    async def load(self, publication_id: str) -> Publication | None:
        document = await self._collection.find_one({"_id": publication_id})
        if document is None:
            return None
        return msgspec.convert(document, Publication)

    async def save(self, entry: Publication) -> Publication:
        stored = replace(entry, revision=entry.revision + 1)
        document = {
            **msgspec.to_builtins(stored),
            "live_ids": [part.platform_post_id for part in live_parts(stored)],
        }
        if entry.revision == 0:
            written = await self._writes.insert(document)
        else:
            written = await self._writes.replace({"revision": entry.revision}, document)
        if not written:
            raise JournalConflictError(entry.publication_id)
        return stored

    async def known_live(self, account_id: str, platform_post_ids: Collection[str], *, besides: str) -> set[str]:
        wanted = list(platform_post_ids)
        found = self._collection.find({"account_id": account_id, "live_ids": {"$in": wanted}}, {"live_ids": 1})
        return {
            live_id
            async for document in found
            if document["_id"] != besides
            for live_id in document["live_ids"]
            if live_id in wanted
        }
