"""The journal's twins keep one contract; the vault opens only what lies where it was put."""

import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from pymongo.asynchronous.database import AsyncDatabase

from chassis import store
from contracts.accounts import Account
from contracts.content import LivePart
from contracts.ids import new_id
from publisher.adapters.journal import MongoJournal
from publisher.adapters.memory import MemoryJournal
from publisher.adapters.vault import Keyring, Vault, VaultError
from publisher.domain.publication import Part, Publication, Send
from publisher.ports import Journal, JournalConflictError

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MIDDLE = os.urandom(32)
OLD, NEW = Keyring("k1", {"k1": MIDDLE}), Keyring("k2", {"k1": MIDDLE, "k2": os.urandom(32)})

Database = AsyncDatabase[dict[str, Any]]


@pytest.fixture
async def database(mongodb_uri: str) -> AsyncIterator[Database]:
    client = store.connect(mongodb_uri)
    name = f"publisher_{os.urandom(4).hex()}"
    yield store.database(client, name)
    await client.drop_database(name)
    await client.close()


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


def account(**changes: Any) -> Account:
    account = Account(
        account_id="acc_1",
        tenant_id="t",
        platform="twitter",
        platform_user_id="1",
        username="amara",
        display_name="Amara",
        account_type="personal",
        connected_at=NOW,
    )
    return replace(account, **changes)


async def stored(database: Database, keyring: Keyring) -> None:
    await Vault(database, keyring).store(
        tenant_id="t",
        account_id="acc_1",
        platform="twitter",
        access_token="open sesame",
        refresh_token="refresh me",
        expires_at=NOW,
    )


@pytest.mark.stack
async def test_tokens_come_back_and_lie_there_unreadable(database: Database) -> None:
    await stored(database, OLD)

    secret = await Vault(database, OLD).access_token(account())
    assert secret is not None
    assert secret.reveal() == "open sesame"
    assert "sesame" not in f"{secret} {secret!r}"
    async for record in database["tokens"].find():
        assert b"sesame" not in record["ciphertext"]
        assert b"refresh" not in record["ciphertext"]
    assert await Vault(database, OLD).access_token(account(tenant_id="other")) is None
    assert await Vault(database, OLD).access_token(account(account_id="acc_2")) is None


@pytest.mark.stack
@pytest.mark.parametrize(
    ("move", "reader"),
    [
        (lambda record: {**record, "tenant_id": "other"}, account(tenant_id="other")),
        (lambda record: {**record, "_id": "acc_2/access"}, account(account_id="acc_2")),
        (lambda record: record, account(platform="linkedin")),
        (lambda record: {**record, "key_version": "k9"}, account()),
        (lambda record: {**record, "ciphertext": record["ciphertext"][:-1] + b"\x00"}, account()),
    ],
    ids=["tenant", "account", "platform", "key version", "altered"],
)
async def test_a_moved_token_does_not_open(
    database: Database, move: Callable[[dict[str, Any]], dict[str, Any]], reader: Account
) -> None:
    await stored(database, OLD)
    record = await database["tokens"].find_one({"_id": "acc_1/access"})
    assert record is not None
    moved = move(record)
    await database["tokens"].delete_one({"_id": record["_id"]})
    await database["tokens"].insert_one(moved)

    with pytest.raises(VaultError):
        await Vault(database, OLD).access_token(reader)


@pytest.mark.stack
async def test_a_refresh_token_does_not_open_as_an_access_token(database: Database) -> None:
    await stored(database, OLD)
    record = await database["tokens"].find_one({"_id": "acc_1/refresh"})
    assert record is not None
    await database["tokens"].replace_one({"_id": "acc_1/access"}, {**record, "_id": "acc_1/access", "kind": "access"})

    with pytest.raises(VaultError):
        await Vault(database, OLD).access_token(account())


@pytest.mark.stack
async def test_older_keys_still_open_and_new_records_use_the_active_one(database: Database) -> None:
    await stored(database, OLD)
    secret = await Vault(database, NEW).access_token(account())
    assert secret is not None
    await stored(database, NEW)
    record = await database["tokens"].find_one({"_id": "acc_1/access"})
    assert record is not None
    assert record["key_version"] == "k2"
    with pytest.raises(VaultError):
        await Vault(database, OLD).access_token(account())


def test_keys_must_be_whole() -> None:
    with pytest.raises(VaultError):
        Keyring("k1", {"k1": b"short"})
    with pytest.raises(VaultError):
        Keyring("k2", {"k1": MIDDLE})
