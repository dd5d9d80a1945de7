"""Writes that share a call keep their own results."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from chassis import store
from chassis.group_commit import BATCH, GroupCommit
from chassis.store import Document

pytestmark = pytest.mark.stack


@pytest.fixture
async def database(mongodb_uri: str) -> AsyncIterator[AsyncDatabase[Document]]:
    client = store.connect(mongodb_uri)
    yield store.database(client, f"test_{uuid4().hex[:12]}")
    await client.close()


async def test_of_many_writers_of_one_revision_one_succeeds(database: AsyncDatabase[Document]) -> None:
    processes = [GroupCommit(database["things"]) for _ in range(4)]
    ids = [f"thing-{number}" for number in range(30)]
    inserted = await asyncio.gather(*(one.insert({"_id": i, "revision": 1}) for one in processes for i in ids))
    assert sum(inserted) == len(ids)
    for revision in range(1, 4):
        attempts = [(process, i) for process in processes for i in ids]
        written = await asyncio.gather(
            *(
                process.replace({"revision": revision}, {"_id": i, "revision": revision + 1, "by": number})
                for number, (process, i) in enumerate(attempts)
            )
        )
        winners = {i: number for number, (_, i) in enumerate(attempts) if written[number]}
        assert sum(written) == len(winners) == len(ids)
        stored = {document["_id"]: document["by"] async for document in database["things"].find()}
        assert stored == winners


async def test_a_batch_of_every_kind_tells_each_its_own_result(database: AsyncDatabase[Document]) -> None:
    writes = GroupCommit(database["things"])
    assert await writes.insert({"_id": "known", "revision": 1})
    assert await asyncio.gather(
        writes.insert({"_id": "known", "revision": 7}),
        writes.insert({"_id": "new", "revision": 1}),
        writes.replace({"revision": 9}, {"_id": "known", "revision": 10}),
        writes.replace({"revision": 1}, {"_id": "missing", "revision": 2}),
        writes.update("known", {"revision": 1}, {"answer": "yes"}),
        writes.update("known", {"revision": 2}, {"answer": "no"}),
    ) == [False, True, False, False, True, False]
    known = await database["things"].find_one({"_id": "known"})
    assert known is not None
    assert (known["revision"], known["answer"]) == (1, "yes")


async def test_what_is_more_than_a_batch_is_written_too(database: AsyncDatabase[Document]) -> None:
    writes = GroupCommit(database["things"])
    count = 3 * BATCH + 1
    assert all(await asyncio.gather(*(writes.insert({"_id": f"thing-{number}"}) for number in range(count))))
    assert await database["things"].count_documents({}) == count


async def test_a_store_that_is_away_is_told_to_all_who_wait() -> None:
    client = store.connect("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100&timeoutMS=300")
    writes = GroupCommit(store.database(client, "nowhere")["things"])
    outcomes = await asyncio.gather(
        *(writes.insert({"_id": f"thing-{number}"}) for number in range(5)), return_exceptions=True
    )
    assert all(isinstance(outcome, PyMongoError) for outcome in outcomes)
    await client.close()
