"""Documents numbered 1, 2, 3… without gaps within each group, whoever adds them.

A number is taken by inserting the document that carries it: there is a unique index over group and number, and nobody
inserts a number before the one below it is there. So there is no counter that could be ahead of the documents, and
adding a document again, after a crash or by another process, finds it there with the number it has.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from chassis.store import Document

CHUNK = 100
"""Documents in one call, so that a crowd does not run into the call's time limit."""
_HEADS_KEPT = 100_000
_PRUNED_AT_ONCE = 500
_DUPLICATE_KEY = 11000


class Numbered:
    def __init__(self, collection: AsyncCollection[Document], group: str) -> None:
        self._collection = collection
        self._group = group
        self._heads: dict[str, int] = {}
        """The highest number known of each group; the true one is never lower."""

    async def prepare(self) -> None:
        await self._collection.create_index([(self._group, 1), ("seq", 1)], name="sequence", unique=True)

    async def add(self, documents: Sequence[Mapping[str, object]]) -> int:
        """Adds those that are not there yet, each group in the given order; says how many. Safe to repeat."""
        left = list(documents)
        added = 0
        while left:
            chunk = await self._numbered(left[:CHUNK])
            done, collided = await self._insert(chunk)
            for document in chunk[:done]:
                self._heads[document[self._group]] = document["seq"]
            added += done
            rest, later = left[done : len(chunk)], left[len(chunk) :]
            if collided:
                # Either this document is there already, or somebody else has taken its number.
                self._heads.pop(chunk[done][self._group], None)
                rest = await self._missing(rest)
            left = [*rest, *later]
        return added

    async def head(self, group: str) -> int:
        """The highest number; 0 when there is none."""
        newest = await self._collection.find_one({self._group: group}, {"seq": 1}, sort=[("seq", -1)])
        return 0 if newest is None else int(newest["seq"])

    async def prune(self, group: str, *, before: datetime, only: Mapping[str, object]) -> int:
        """Removes the oldest ones; never the newest, which carries the highest number."""
        head = await self.head(group)
        oldest = (
            self._collection.find({self._group: group, "seq": {"$lt": head}}, {"created_at": 1})
            .sort("seq", 1)
            .limit(_PRUNED_AT_ONCE)
        )
        ids = [document["_id"] async for document in oldest if document["created_at"] < before]
        if not ids:
            return 0
        return (await self._collection.delete_many({"_id": {"$in": ids}, **only})).deleted_count

    async def _numbered(self, documents: Sequence[Mapping[str, object]]) -> list[Document]:
        groups = {str(document[self._group]) for document in documents}
        unknown = [group for group in groups if group not in self._heads]
        if unknown:
            if len(self._heads) > _HEADS_KEPT:
                self._heads.clear()
                unknown = list(groups)
            heads = await asyncio.gather(*map(self.head, unknown))
            self._heads.update(zip(unknown, heads, strict=True))
        following = {group: self._heads[group] for group in groups}
        numbered = []
        for document in documents:
            group = str(document[self._group])
            following[group] += 1
            numbered.append({**document, "seq": following[group]})
        return numbered

    async def _insert(self, documents: Sequence[Document]) -> tuple[int, bool]:
        """How many were inserted, and whether the next one collided."""
        try:
            await self._collection.insert_many(documents, ordered=True)
        except BulkWriteError as error:
            if error.details.get("writeConcernErrors"):
                raise
            (first, *_) = error.details["writeErrors"]
            if first["code"] != _DUPLICATE_KEY:
                raise
            return int(first["index"]), True
        return len(documents), False

    async def _missing(self, documents: Sequence[Mapping[str, object]]) -> list[Mapping[str, object]]:
        ids = [document["_id"] for document in documents]
        found = {document["_id"] async for document in self._collection.find({"_id": {"$in": ids}}, {"_id": 1})}
        return [document for document in documents if document["_id"] not in found]
