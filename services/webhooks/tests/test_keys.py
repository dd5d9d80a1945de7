"""Signing keys at rest: sealed, bound to their place, and sealed anew under another key while the service goes on."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from chassis import store
from chassis.sealing import Keyring, SealingError
from chassis.store import Document
from contracts.ids import new_id
from webhooks.adapters.keys import MongoSigners
from webhooks.domain.signing import Signer

pytestmark = pytest.mark.stack

NOW = datetime(2026, 11, 24, tzinfo=UTC)


class KeyFile:
    """WEBHOOKS_KEYS_FILE, as an operator changes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys = {version: base64.b64encode(version.encode() * 16).decode() for version in ("k1", "k2")}
        self.write("k1", "k1")

    def write(self, active: str, *versions: str) -> None:
        """Replaced as a whole: whoever reads it sees the old or the new one."""
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps({"active": active, "keys": {each: self._keys[each] for each in versions}}))
        new.replace(self.path)


@pytest.fixture
async def database(mongodb_uri: str) -> AsyncIterator[AsyncDatabase[Document]]:
    client: AsyncMongoClient[Document] = AsyncMongoClient(mongodb_uri, tz_aware=True)
    name = new_id("webhooks")
    yield store.database(client, name)
    await client.drop_database(name)
    await client.close()


@pytest.fixture
def key_file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys.json")


async def made(signers: MongoSigners, first: int, count: int) -> dict[str, Signer]:
    """By the id of the key; endpoint and key have one number."""
    await signers.prepare()
    numbers = range(first, first + count)
    return {f"key_{each}": await signers.ensure("tenant_a", f"ep_{each}", f"key_{each}", NOW) for each in numbers}


async def opened(signers: MongoSigners, key_id: str, *, tenant_id: str = "tenant_a") -> Signer:
    (signer,) = await signers.load(tenant_id, key_id.replace("key", "ep"), (key_id,))
    return signer


async def test_the_keys_that_seal_them_change_while_the_service_goes_on(
    database: AsyncDatabase[Document], key_file: KeyFile
) -> None:
    """More keys than fit into one page; some are made meanwhile. In the end the old key opens nothing any more."""
    running = MongoSigners(database, Keyring.from_file(key_file.path))
    known = await made(running, 0, 150)
    key_file.write("k2", "k2", "k1")
    operators = MongoSigners(database, Keyring.from_file(key_file.path))
    report, more = await asyncio.gather(operators.reseal(), made(running, 150, 10))
    assert (report.active, report.unreadable, report.remaining) == ("k2", (), 0)
    assert report.resealed == 150
    key_file.write("k2", "k2")
    afterwards = MongoSigners(database, Keyring.from_file(key_file.path))
    for key_id, signer in (known | more).items():
        assert await opened(afterwards, key_id) == signer
    assert (await afterwards.reseal()).resealed == 0


async def test_one_that_does_not_open_is_named_and_holds_nothing_up(
    database: AsyncDatabase[Document], key_file: KeyFile
) -> None:
    known = await made(MongoSigners(database, Keyring.from_file(key_file.path)), 0, 3)
    await database["webhook_keys"].update_one({"_id": "key_1"}, {"$set": {"ciphertext": b"nonsense" * 8}})
    key_file.write("k2", "k2", "k1")
    signers = MongoSigners(database, Keyring.from_file(key_file.path))
    report = await signers.reseal()
    assert (report.resealed, report.unreadable, report.remaining) == (2, ("key_1",), 1)
    assert await opened(signers, "key_2") == known["key_2"]
    with pytest.raises(SealingError):
        await opened(signers, "key_1")


async def test_a_key_lies_there_unreadable_and_opens_in_its_place_only(
    database: AsyncDatabase[Document], key_file: KeyFile
) -> None:
    signers = MongoSigners(database, Keyring.from_file(key_file.path))
    known = await made(signers, 0, 2)
    assert await signers.ensure("tenant_a", "ep_0", "key_0", NOW) == known["key_0"], "made once"
    assert await signers.show("tenant_b", "ep_0", "key_0") is None
    assert await signers.show("tenant_a", "ep_0", "key_0") == known["key_0"].secret
    assert await signers.show("tenant_a", "ep_0", "key_0") is None
    stored = [document async for document in database["webhook_keys"].find()]
    for signer in known.values():
        assert all(signer.shared not in part and signer.private not in part for part in _bytes(stored))
    fresh = MongoSigners(database, Keyring.from_file(key_file.path))
    with pytest.raises(SealingError):
        await opened(fresh, "key_0", tenant_id="tenant_b")
    taken = {name: stored[1][name] for name in ("key_version", "wrapped_key", "ciphertext")}
    await database["webhook_keys"].update_one({"_id": stored[0]["_id"]}, {"$set": taken})
    with pytest.raises(SealingError):
        await opened(fresh, stored[0]["_id"])


def _bytes(documents: list[Document]) -> list[bytes]:
    return [bytes(value) for document in documents for value in document.values() if isinstance(value, bytes)]
