"""The publisher's journal, read as it lies in the store: collection `publications`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime

import pymongo
from pymongo.asynchronous.database import AsyncDatabase

from auditor.domain.comparing import Entry
from chassis.store import Document

READ = {
    "post_id": 1,
    "target_id": 1,
    "tenant_id": 1,
    "parts.live.platform_post_id": 1,
    "finished.attempt": 1,
    "finished.at": 1,
    "finished.outcome.type": 1,
}
CALL_SECONDS = 30.0
PAGE = 1_000


class PublisherJournal:
    """`auditor.ports.Journal`. Reads the entries of all tenants: what it proves, it proves for each."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._publications = database["publications"]

    async def entries(self, entry_ids: Sequence[str]) -> Mapping[str, Entry]:
        with pymongo.timeout(CALL_SECONDS):
            found = self._publications.find({"_id": {"$in": list(entry_ids)}}, READ)
            return {entry.entry_id: entry async for entry in _read(found)}

    async def after(self, entry_id: str, limit: int) -> Sequence[Entry]:
        with pymongo.timeout(CALL_SECONDS):
            found = self._publications.find({"_id": {"$gt": entry_id}}, READ).sort("_id", 1).limit(limit)
            return [entry async for entry in _read(found)]

    async def all(self) -> AsyncIterator[Entry]:
        last = ""
        while page := await self.after(last, PAGE):
            for entry in page:
                yield entry
            last = page[-1].entry_id


async def _read(documents: AsyncIterator[Document]) -> AsyncIterator[Entry]:
    async for document in documents:
        finished = document.get("finished") or {}
        live = [part.get("live") for part in document.get("parts", ())]
        yield Entry(
            post_id=document["post_id"],
            target_id=document["target_id"],
            tenant_id=document["tenant_id"],
            live=tuple(each["platform_post_id"] for each in live if each),
            outcome=finished.get("outcome", {}).get("type"),
            attempt=finished.get("attempt", 0),
            ended_at=datetime.fromisoformat(finished["at"]) if finished else None,
        )
