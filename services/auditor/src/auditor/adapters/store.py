"""The auditor's books in MongoDB: collections `audit`, `audit_posts`, `audit_tenants` and `audit_findings`.

One document holds the positions and everything that changed since they were saved before; replacing it is the save.
What changed is copied from there into documents of its own afterwards, and again at the next start. So whatever a
process ends at, positions and books belong together.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
import pymongo
from msgspec import Struct
from pymongo import ReplaceOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, DuplicateKeyError

from auditor.domain.counting import Account
from auditor.domain.findings import Finding
from auditor.domain.totals import Totals
from auditor.ports import AnotherAuditorError, Saved
from chassis.store import Document
from contracts.ids import new_id

CALL_SECONDS = 30.0
CHUNK = 100
MOST_FINDINGS = 1_000
_STATE = "state"
_DUPLICATE_KEY = 11000
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class _Redo(Struct, frozen=True):
    """What a save changes."""

    positions: dict[int, int] = {}
    accounts: tuple[Account, ...] = ()
    totals: dict[str, Totals] = {}


class MongoStore:
    """`auditor.ports.Store`."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._state = database["audit"]
        self._posts = database["audit_posts"]
        self._tenants = database["audit_tenants"]
        self._findings = database["audit_findings"]
        self._owner = new_id("auditor")
        self._number = 0
        """Of the last save."""

    async def load(self) -> Saved:
        await self._posts.create_index([("watch_at", 1)], name="watch_at")
        await self._findings.create_index([("settled", 1), ("at", 1)], name="unsettled")
        redo = await self._claim()
        await self._copy(redo)
        with pymongo.timeout(CALL_SECONDS):
            totals = {
                each["_id"]: msgspec.json.decode(each["body"], type=Totals) async for each in self._tenants.find()
            }
        return Saved(redo.positions, totals)

    async def _claim(self) -> _Redo:
        """Takes the books over: whoever else writes them fails at its next save."""
        with pymongo.timeout(CALL_SECONDS):
            found = await self._state.find_one_and_update(
                {"_id": _STATE},
                {"$inc": {"number": 1}, "$set": {"owner": self._owner}},
                return_document=pymongo.ReturnDocument.AFTER,
            )
            if found is None:
                await self._start_over()
                self._number = 1
                return _Redo()
        self._number = int(found["number"])
        return msgspec.json.decode(found["redo"], type=_Redo)

    async def _start_over(self) -> None:
        for collection in (self._posts, self._tenants):
            await collection.delete_many({})
        try:
            await self._state.insert_one(self._document(1, _Redo()))
        except DuplicateKeyError as error:
            raise AnotherAuditorError("another auditor has begun at the same moment") from error

    def _document(self, number: int, redo: _Redo) -> Document:
        return {"_id": _STATE, "owner": self._owner, "number": number, "redo": msgspec.json.encode(redo)}

    async def fetch(self, post_ids: Iterable[str]) -> Mapping[str, Account]:
        found: dict[str, Account] = {}
        with pymongo.timeout(CALL_SECONDS):
            async for document in self._posts.find({"_id": {"$in": list(post_ids)}}):
                found[document["_id"]] = msgspec.json.decode(document["body"], type=Account)
        return found

    async def watched(self, until: datetime) -> Sequence[Account]:
        found = self._posts.find({"watch_at": {"$gt": _EPOCH, "$lte": until}})
        with pymongo.timeout(CALL_SECONDS):
            return [msgspec.json.decode(document["body"], type=Account) async for document in found]

    async def save(
        self,
        positions: Mapping[int, int],
        accounts: Sequence[Account],
        totals: Mapping[str, Totals],
        findings: Sequence[Finding],
    ) -> None:
        await self._keep(findings)
        redo = _Redo(dict(positions), tuple(accounts), dict(totals))
        with pymongo.timeout(CALL_SECONDS):
            replaced = await self._state.replace_one(
                {"_id": _STATE, "owner": self._owner}, self._document(self._number + 1, redo)
            )
        if not replaced.matched_count:
            raise AnotherAuditorError("another auditor has taken the books over")
        self._number += 1
        await self._copy(redo)

    async def unsettled(self) -> Sequence[Finding]:
        with pymongo.timeout(CALL_SECONDS):
            found = self._findings.find({"settled": None}).sort("at", 1).limit(MOST_FINDINGS)
            return [msgspec.convert(document["finding"], Finding) async for document in found]

    async def settle(self, finding_id: str, why: str, at: datetime) -> bool:
        """Somebody has looked into it. False when there is no such finding, or it was settled before."""
        done = await self._findings.update_one(
            {"_id": finding_id, "settled": None}, {"$set": {"settled": {"why": why, "at": at}}}
        )
        return done.modified_count == 1

    async def forget(self) -> None:
        """A running auditor ends at its next save."""
        await self._state.delete_one({"_id": _STATE})

    async def _keep(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            with pymongo.timeout(CALL_SECONDS):
                await self._findings.update_one(
                    {"_id": finding.finding_id},
                    {"$setOnInsert": {"at": finding.at, "settled": None, "finding": msgspec.to_builtins(finding)}},
                    upsert=True,
                )

    async def _copy(self, redo: _Redo) -> None:
        posts = [
            (account.post_id, {"watch_at": account.watch_at, "body": msgspec.json.encode(account)})
            for account in redo.accounts
        ]
        tenants = [(tenant_id, {"body": msgspec.json.encode(totals)}) for tenant_id, totals in redo.totals.items()]
        for collection, documents in ((self._posts, posts), (self._tenants, tenants)):
            for start in range(0, len(documents), CHUNK):
                await self._replace(collection, documents[start : start + CHUNK])

    async def _replace(self, collection: AsyncCollection[Document], documents: Sequence[tuple[str, Document]]) -> None:
        """Unless a later save has been there."""
        requests = [
            ReplaceOne({"_id": name, "number": {"$lte": self._number}}, {**body, "number": self._number}, upsert=True)
            for name, body in documents
        ]
        try:
            with pymongo.timeout(CALL_SECONDS):
                await collection.bulk_write(requests, ordered=False)
        except BulkWriteError as error:
            if any(each["code"] != _DUPLICATE_KEY for each in error.details["writeErrors"]):
                raise
