"""Documents numbered 1, 2, 3… without gaps within each group, whoever adds them.

A number is taken by inserting the document that carries it: there is a unique index over group and number, and nobody
inserts a number before the one below it is there. So there is no counter that could be ahead of the documents, and
adding a document again, after a crash or by another process, finds it there with the number it has.

As no number is left out, any stretch of a group is read between two numbers, and costs what it holds, however long the
group has become. Beside the documents lie bounds, which are never ahead of the truth: from there on the highest number
is looked for, and up to there everything is pruned.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from itertools import takewhile

from msgspec import Struct
from pymongo import UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from chassis.store import Document

CHUNK = 100
"""Documents in one call, so that a crowd does not run into the call's time limit."""
WINDOW = 500
"""Numbers gone through by one call, where nobody asks for fewer."""
NOTED_EVERY = 200
"""Numbers after which the bound of a group follows."""
TRUSTED_SECONDS = 3_600.0
"""For which a number counts as the highest that was so: others may add, and what they added is pruned some day, which
frees numbers that must not be given again. Nothing is pruned as early as that.
"""
_HEADS_KEPT = 100_000
_DUPLICATE_KEY = 11000


class _Head(Struct):
    number: int
    """The highest number at `at`."""
    at: float
    """On the monotonic clock, seconds."""


class Numbered:
    """Documents of one collection, numbered within each value of the field `group`."""

    def __init__(self, collection: AsyncCollection[Document], group: str) -> None:
        self._collection = collection
        self._bounds = collection.database[f"{collection.name}_bounds"]
        self._group = group
        self._heads: dict[str, _Head] = {}
        self._noted: dict[str, int] = {}
        """What the bounds say, at least."""

    async def prepare(self) -> None:
        await self._collection.create_index([(self._group, 1), ("seq", 1)], name="sequence", unique=True)

    # --- adding ---------------------------------------------------------------------------------------

    async def add(
        self, documents: Sequence[Mapping[str, object]], added: Callable[[Sequence[Document]], None] | None = None
    ) -> int:
        """Adds those that are not there yet, each group in the given order; says how many. Safe to repeat.

        `added` hears of each part of them, with their numbers, as soon as it is durable.
        """
        left = list(documents)
        count = 0
        while left:
            chunk = await self._numbered(left[:CHUNK])
            done, collided = await self._insert(chunk)
            for document in chunk[:done]:
                self._remember(document[self._group], document["seq"])
            if added is not None and done:
                added(chunk[:done])
            count += done
            rest, later = left[done : len(chunk)], left[len(chunk) :]
            if collided:
                # Either this document is there already, or somebody else has taken its number.
                self._heads[str(chunk[done][self._group])].at = float("-inf")
                rest = await self._missing(rest)
            left = [*rest, *later]
            await self._note({str(document[self._group]) for document in chunk})
        return count

    async def head(self, group: str) -> int:
        """The highest number; 0 when there is none."""
        await self._read_bounds([group])
        known = self._heads.get(group)
        bound = max(self._noted[group], 0 if known is None else known.number)
        newest = await self._collection.find_one(
            {self._group: group, "seq": {"$gte": bound}}, {"seq": 1}, sort=[("seq", -1)]
        )
        return 0 if newest is None else int(newest["seq"])

    # --- reading --------------------------------------------------------------------------------------

    async def upwards(self, group: str, after: int, limit: int) -> Sequence[Document]:
        """Some of the next ones above a number, in order; none only where there are no more."""
        page = await self._window(group, after, after + limit, 1)
        if page or not (lowest := await self._lowest_above(group, after)):
            return page
        return await self._window(group, lowest - 1, lowest - 1 + limit, 1)

    async def downwards(
        self, group: str, below: int | None, limit: int, fits: Callable[[Document], bool]
    ) -> Sequence[Document]:
        """The highest-numbered ones that fit, in falling order; all of them below a number when one is given."""
        upper = await self.head(group)
        if below is not None:
            upper = min(upper, below - 1)
        width, found = limit, list[Document]()
        while upper > 0 and len(found) < limit:
            lower = max(0, upper - width)
            if not (page := await self._window(group, lower, upper, -1)):
                break  # what lay below is pruned
            found += filter(fits, page)
            upper, width = lower, min(2 * width, WINDOW)
        return found[:limit]

    async def recorded_before(self, group: str, at: datetime) -> int:
        """The highest number of those added before `at`, by their `created_at`; 0 when there is none."""
        low, high = 0, await self.head(group)
        while low < high:
            middle = (low + high + 1) // 2
            found = await self._collection.find_one({self._group: group, "seq": middle}, {"created_at": 1})
            if found is None or found["created_at"] < at:  # those that are pruned were the first
                low = middle
            else:
                high = middle - 1
        return low

    async def _window(self, group: str, after: int, upto: int, direction: int) -> Sequence[Document]:
        query: Document = {self._group: group, "seq": {"$gt": after, "$lte": upto}}
        return [document async for document in self._collection.find(query).sort("seq", direction)]

    async def _lowest_above(self, group: str, number: int) -> int | None:
        query: Document = {self._group: group, "seq": {"$gt": number}}
        found = await self._collection.find_one(query, {"seq": 1}, sort=[("seq", 1)])
        return None if found is None else int(found["seq"])

    async def groups(self) -> Sequence[str]:
        """All there are."""
        return [document["_id"] async for document in self._bounds.find({}, {"_id": 1})]

    # --- removing -------------------------------------------------------------------------------------

    async def prune(self, group: str, *, before: datetime, fits: Callable[[Document], bool]) -> bool:
        """Removes some of the oldest ones, up to the first that does not fit or was added later; never the newest,
        which carries the highest number. Says whether there may be more.
        """
        bounds = await self._bounds.find_one({"_id": group})
        floor = 0 if bounds is None else int(bounds.get("floor", 0))
        head = await self.head(group)

        def is_old(document: Document) -> bool:
            return bool(document["created_at"] < before and document["seq"] < head and fits(document))

        if not all(map(is_old, await self.upwards(group, floor, 1))):
            return False
        old = list(takewhile(is_old, await self.upwards(group, floor, WINDOW)))
        if not old:
            return False
        await self._collection.delete_many({"_id": {"$in": [document["_id"] for document in old]}})
        await self._bounds.update_one({"_id": group}, {"$max": {"floor": int(old[-1]["seq"])}}, upsert=True)
        return len(old) == WINDOW

    async def clear(self, group: str) -> None:
        """Removes the whole group, part by part."""
        head = await self.head(group)
        for number in range(0, head, WINDOW):
            await self._collection.delete_many({self._group: group, "seq": {"$gt": number, "$lte": number + WINDOW}})
        await self._collection.delete_many({self._group: group})
        await self._bounds.delete_one({"_id": group})
        self._heads.pop(group, None)
        self._noted.pop(group, None)

    # --- numbers --------------------------------------------------------------------------------------

    async def _numbered(self, documents: Sequence[Mapping[str, object]]) -> list[Document]:
        groups = {str(document[self._group]) for document in documents}
        await self._learn(groups)
        following = {group: self._heads[group].number for group in groups}
        numbered = []
        for document in documents:
            group = str(document[self._group])
            following[group] += 1
            numbered.append({**document, "seq": following[group]})
        return numbered

    async def _learn(self, groups: Collection[str]) -> None:
        if len(self._noted) > _HEADS_KEPT:
            self._heads.clear()
            self._noted.clear()
        trusted = time.monotonic() - TRUSTED_SECONDS
        unknown = [group for group in groups if (head := self._heads.get(group)) is None or head.at < trusted]
        if unknown:
            await self._read_bounds(unknown)
            for group, number in zip(unknown, await asyncio.gather(*map(self.head, unknown)), strict=True):
                self._remember(group, number)

    def _remember(self, group: str, number: int) -> None:
        self._heads[group] = _Head(number, time.monotonic())

    async def _read_bounds(self, groups: Sequence[str]) -> None:
        if unknown := [group for group in groups if group not in self._noted]:
            found = {
                document["_id"]: int(document.get("head", 0))
                async for document in self._bounds.find({"_id": {"$in": unknown}})
            }
            for group in unknown:
                self._noted.setdefault(group, found.get(group, 0))

    async def _note(self, groups: Collection[str]) -> None:
        behind = {}
        for group in groups:
            head, noted = self._heads.get(group), self._noted.get(group, 0)
            # Also the first one, so that it is known that there is such a group.
            if head is not None and (head.number >= noted + NOTED_EVERY or noted == 0 < head.number):
                behind[group] = head.number
        if not behind:
            return
        await self._bounds.bulk_write(
            [UpdateOne({"_id": group}, {"$max": {"head": number}}, upsert=True) for group, number in behind.items()],
            ordered=False,
        )
        self._noted |= behind

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
