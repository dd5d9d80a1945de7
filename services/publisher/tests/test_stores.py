"""The journal's twins keep one contract."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from chassis import store
from contracts.content import LivePart
from contracts.ids import new_id
from publisher.adapters.journal import MongoJournal
from publisher.adapters.memory import MemoryJournal
from publisher.domain.publication import Part, Publication, Send
from publisher.ports import Journal, JournalConflictError

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.fixture(params=["memory", pytest.param("mongodb", marks=pytest.mark.stack)])
async def journal(request: pytest.FixtureRequest) -> AsyncIterator[Journal]:
    if request.param == "memory":
        yield MemoryJournal()
        return
    client = store.connect(request.getfixturevalue("mongodb_uri"))
    name = f"publisher_{os.urandom(4).hex()}"
    journal = MongoJournal(store.database(client, name))
    await journal.prepare()
    yield journal
    await client.drop_database(name)
    await client.close()


def entry() -> Publication:
    send = Send(number=1, fingerprint="f", at=NOW, deadline=NOW)
    return Publication(
        publication_id=f"{new_id('post')}/twitter:acc_1",
        tenant_id="t",
        post_id="post_1",
        target_id="twitter:acc_1",
        platform="twitter",
        account_id="acc_1",
        attempt=1,
        parts=(Part(step="sending", sends=(send,), number=1, tries={"unreachable": 2}),),
    )


async def test_what_is_saved_is_loaded(journal: Journal) -> None:
    saved = await journal.save(entry())

    assert saved.revision == 1
    assert await journal.load(saved.publication_id) == saved
    assert await journal.load("nothing") is None


async def test_of_two_writers_one_succeeds(journal: Journal) -> None:
    new = entry()
    first = await journal.save(new)
    with pytest.raises(JournalConflictError):
        await journal.save(new)
    await journal.save(replace(first, attempt=2))
    with pytest.raises(JournalConflictError):
        await journal.save(replace(first, attempt=3))
    loaded = await journal.load(first.publication_id)
    assert loaded is not None
    assert (loaded.attempt, loaded.revision) == (2, 2)


async def test_posts_of_other_targets_are_known(journal: Journal) -> None:
    live = Part(step="confirmed", live=LivePart(index=0, platform_post_id="42"))
    saved = await journal.save(replace(entry(), parts=(live,)))

    assert await journal.known_live("acc_1", ["41", "42"], besides="another") == {"42"}
    assert await journal.known_live("acc_1", ["41", "42"], besides=saved.publication_id) == set()
    assert await journal.known_live("acc_2", ["42"], besides="another") == set()
