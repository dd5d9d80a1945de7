"""The vault opens only what lies where it was put, and its keys change while it is in use."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from chassis import store
from chassis.sealing import Keyring, Sealed, SealingError
from publisher.adapters.vault import TokenRecord, Vault
from publisher.domain.connection import Grant

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MIDDLE = os.urandom(32)
OLD, NEW = Keyring("k1", {"k1": MIDDLE}), Keyring("k2", {"k1": MIDDLE, "k2": os.urandom(32)})
GRANT = Grant(
    access_token="open sesame",
    expires_at=NOW,
    refresh_token="refresh me",
    user_token="I am Amara",
    scopes=("tweet.write",),
    grantor="1",
)

Database = AsyncDatabase[dict[str, Any]]


@pytest.fixture
async def database(mongodb_uri: str) -> AsyncIterator[Database]:
    client = store.connect(mongodb_uri)
    name = f"publisher_{os.urandom(4).hex()}"
    yield store.database(client, name)
    await client.drop_database(name)
    await client.close()


async def stored(database: Database, keyring: Keyring, account_id: str = "acc_1", tenant_id: str = "t") -> Vault:
    vault = Vault(database, keyring)
    await vault.store(tenant_id=tenant_id, account_id=account_id, platform="twitter", grant=GRANT)
    return vault


async def record_of(vault: Vault, account_id: str = "acc_1") -> TokenRecord:
    record = await vault.read("t", account_id, "twitter")
    assert record is not None
    return record


@pytest.mark.stack
async def test_tokens_come_back_and_lie_there_unreadable(database: Database) -> None:
    vault = await stored(database, OLD)

    record = await record_of(vault)
    assert record.grant == GRANT
    assert "sesame" not in f"{record} {record!r} {record.grant!r}"
    async for document in database["tokens"].find():
        for words in (b"sesame", b"refresh me", b"Amara"):
            assert words.decode() not in repr(document)
    assert await vault.read("other", "acc_1", "twitter") is None
    assert await vault.read("t", "acc_2", "twitter") is None


@pytest.mark.stack
@pytest.mark.parametrize(
    ("move", "tenant_id", "account_id", "platform"),
    [
        (lambda document: {**document, "tenant_id": "other"}, "other", "acc_1", "twitter"),
        (lambda document: {**document, "_id": "acc_2"}, "t", "acc_2", "twitter"),
        (lambda document: document, "t", "acc_1", "linkedin"),
        (lambda document: {**document, "key_version": "k9"}, "t", "acc_1", "twitter"),
        (
            lambda document: {
                **document,
                "sealed": {**document["sealed"], "access": document["sealed"]["refresh"]},
            },
            "t",
            "acc_1",
            "twitter",
        ),
        (
            lambda document: {
                **document,
                "sealed": {
                    "access": {
                        **document["sealed"]["access"],
                        "ciphertext": document["sealed"]["access"]["ciphertext"][:-1] + b"\x00\x01",
                    }
                },
            },
            "t",
            "acc_1",
            "twitter",
        ),
    ],
    ids=["tenant", "account", "platform", "key version", "kind", "altered"],
)
async def test_a_moved_token_does_not_open(
    database: Database,
    move: Callable[[dict[str, Any]], dict[str, Any]],
    tenant_id: str,
    account_id: str,
    platform: Any,
) -> None:
    vault = await stored(database, OLD)
    document = await database["tokens"].find_one({"_id": "acc_1"})
    assert document is not None
    await database["tokens"].delete_one({"_id": "acc_1"})
    await database["tokens"].insert_one(move(document))

    with pytest.raises(SealingError):
        await vault.read(tenant_id, account_id, platform)


@pytest.mark.stack
async def test_another_tenant_cannot_overwrite_them(database: Database) -> None:
    await stored(database, OLD)
    with pytest.raises(Exception, match="duplicate key"):
        await stored(database, OLD, tenant_id="other")
    assert (await record_of(Vault(database, OLD))).grant == GRANT


@pytest.mark.stack
async def test_who_has_read_older_tokens_changes_nothing(database: Database) -> None:
    vault = await stored(database, OLD)
    before = await record_of(vault)
    await stored(database, OLD)

    assert not await vault.begin_renewal(before, lease=timedelta(minutes=1))
    assert not await vault.finish_renewal(before, Grant(access_token="late"), occasion=None)
    assert not await vault.end(before, "late")
    await vault.postpone_renewal(before, "late", pause=timedelta(minutes=1), answered=True)
    after = await record_of(vault)
    assert (after.grant, after.dead, after.failures) == (GRANT, None, 0)


def test_names_do_not_run_into_each_other() -> None:
    sealed = OLD.seal(b"x", "a|b", "c")
    assert OLD.open(sealed, "a|b", "c") == b"x"
    with pytest.raises(SealingError):
        OLD.open(sealed, "a", "b|c")


def test_older_keys_still_open_and_new_ones_seal() -> None:
    sealed = OLD.seal(b"x", "t")
    assert NEW.open(sealed, "t") == b"x"
    assert NEW.seal(b"x", "t").key_version == "k2"
    with pytest.raises(SealingError):
        OLD.open(NEW.seal(b"x", "t"), "t")


def test_a_key_version_cannot_be_swapped() -> None:
    sealed = NEW.seal(b"x", "t")
    swapped = Sealed(key_version="k1", wrapped_key=sealed.wrapped_key, ciphertext=sealed.ciphertext)
    with pytest.raises(SealingError):
        NEW.open(swapped, "t")


def test_keys_must_be_whole() -> None:
    with pytest.raises(SealingError):
        Keyring("k1", {"k1": b"short"})
    with pytest.raises(SealingError):
        Keyring("k2", {"k1": MIDDLE})


# --- changing keys ------------------------------------------------------------------------------------


class KeyFile:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: dict[str, str] = {}

    def activate(self, version: str) -> None:
        """As an operator replaces a file: whole."""
        self._keys.setdefault(version, base64.b64encode(os.urandom(32)).decode())
        self._write(version)

    def remove(self, version: str, *, active: str) -> None:
        del self._keys[version]
        self._write(active)

    def _write(self, active: str) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps({"active": active, "keys": self._keys}))
        fresh.replace(self.path)


@pytest.fixture
def key_file(tmp_path: Path) -> KeyFile:
    file = KeyFile(tmp_path / "keys.json")
    file.activate("k1")
    return file


def test_a_replaced_key_file_is_followed_and_a_broken_one_is_not(key_file: KeyFile) -> None:
    keyring = Keyring.from_file(key_file.path)
    sealed = keyring.seal(b"x", "t")
    key_file.activate("k2")
    assert keyring.active == "k2"
    assert keyring.open(sealed, "t") == b"x"
    key_file.path.write_text("{")
    assert keyring.seal(b"x", "t").key_version == "k2"
    with pytest.raises(SealingError):
        Keyring.from_file(key_file.path)


@pytest.mark.stack
async def test_keys_are_rotated_while_the_tokens_are_used_and_renewed(database: Database, key_file: KeyFile) -> None:
    vault = Vault(database, Keyring.from_file(key_file.path))
    ids = [f"acc_{number}" for number in range(250)]
    for account_id in ids:
        await stored(database, Keyring.from_file(key_file.path), account_id)
    stop = asyncio.Event()
    used = 0

    async def use() -> None:
        """What a publisher does meanwhile; each failure to decrypt would end the test."""
        nonlocal used
        while not stop.is_set():
            record = await record_of(vault, ids[used % len(ids)])
            assert record.grant.access_token.startswith("open sesame")
            if used % 3 == 0:
                fresh = Grant(access_token=f"open sesame {used}", refresh_token="next")
                await vault.finish_renewal(record, fresh, occasion=None)
            used += 1

    using = asyncio.create_task(use())
    key_file.activate("k2")
    rotating = Vault(database, Keyring.from_file(key_file.path))
    report = await rotating.rotate()
    stop.set()
    await using

    assert (report.active, report.remaining, report.unreadable) == ("k2", 0, ())
    assert report.resealed + report.already >= len(ids) - used
    key_file.remove("k1", active="k2")
    only_new = Vault(database, Keyring.from_file(key_file.path))
    for account_id in ids:
        assert (await record_of(only_new, account_id)).grant.access_token.startswith("open sesame")


@pytest.mark.stack
async def test_an_interrupted_rotation_goes_on_where_it_was(database: Database) -> None:
    for number in range(150):
        await stored(database, OLD, f"acc_{number}")
    vault = Vault(database, NEW)

    class StoppedError(Exception):
        pass

    def interrupt(count: int) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        await vault.rotate(on_progress=interrupt)
    report = await vault.rotate()
    assert (report.already, report.resealed, report.remaining) == (100, 50, 0)
    again = await vault.rotate()
    assert (again.already, again.resealed, again.remaining) == (150, 0, 0)


@pytest.mark.stack
async def test_a_record_that_does_not_open_is_named_and_holds_nothing_up(database: Database) -> None:
    await stored(database, OLD, "acc_good")
    await stored(database, OLD, "acc_bad")
    await database["tokens"].update_one({"_id": "acc_bad"}, {"$set": {"sealed.access.ciphertext": b"nonsense" * 4}})
    report = await Vault(database, NEW).rotate()
    assert (report.resealed, report.unreadable, report.remaining) == (1, ("acc_bad",), 1)
