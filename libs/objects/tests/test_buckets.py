"""Objects in a bucket of S3, by its real protocol; and what the other clouds' addresses come to."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from moto.server import ThreadedMotoServer

from objects.signing import Signer
from objects.store import ObjectNotFoundError, Objects, ObjectsUnavailableError

BUCKET = "social-media"
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """With a new bucket."""
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ALLOW_HTTP", "true"),
    ):
        monkeypatch.setenv(name, value)
    httpx.post(f"{endpoint}/moto-api/reset", trust_env=False).raise_for_status()
    httpx.put(f"{endpoint}/{BUCKET}", trust_env=False).raise_for_status()
    return endpoint


@pytest.fixture
def objects(s3: str) -> Objects:
    return Objects.at(f"s3://{BUCKET}/in/a/folder")


def pieces(size: int) -> Iterator[bytes]:
    for number in range(size // MEGABYTE):
        yield bytes([number]) * MEGABYTE
    yield b"!" * (size % MEGABYTE)


async def read(objects: Objects, key: str, **part: int) -> bytes:
    return b"".join([chunk async for chunk in objects.read(key, **part)])


@pytest.mark.parametrize("size", [0, 10, 8 * MEGABYTE, 19 * MEGABYTE + 7])
async def test_what_is_written_in_parts_is_read_whole_and_by_ranges(objects: Objects, size: int, s3: str) -> None:
    data = b"".join(pieces(size))
    async with objects.writer("a/b") as writer:
        for piece in pieces(size):
            await writer.write(piece)
    assert writer.sha256 == hashlib.sha256(data).hexdigest()
    assert await objects.size("a/b") == size
    assert await read(objects, "a/b") == data
    if size > 100:
        for start, length in ((0, 1), (5, 3_000_000), (size - 1, 1), (2 * MEGABYTE - 1, 2)):
            assert await read(objects, "a/b", start=start, length=length) == data[start : start + length]
        assert await read(objects, "a/b", start=size - 9) == data[-9:]
    async with httpx.AsyncClient(trust_env=False) as client:
        listed = (await client.get(f"{s3}/{BUCKET}", params={"list-type": "2"})).text
    assert "<Key>in/a/folder/a/b</Key>" in listed, "the folder of the address stands in front of every key"


async def test_what_breaks_off_is_not_there(objects: Objects) -> None:
    async def break_off() -> None:
        async with objects.writer("a/b") as writer:
            for piece in pieces(20 * MEGABYTE):
                await writer.write(piece)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await break_off()
    with pytest.raises(ObjectNotFoundError):
        await objects.size("a/b")
    with pytest.raises(ObjectNotFoundError):
        await read(objects, "a/b")
    with pytest.raises(ObjectNotFoundError):
        await read(objects, "a/b", start=1, length=2)


async def test_all_of_many_are_listed_with_their_age_and_can_be_thrown_away(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("objects.store._AT_A_TIME", 5)
    names = {f"{number % 7}/{number}" for number in range(30)}
    for name in names:
        async with objects.writer(name) as writer:
            await writer.write(b"x")
    pages = [page async for page in objects.all()]
    assert max(map(len, pages)) == 5
    found = [each for page in pages for each in page]
    assert {each.key for each in found} == names
    assert all(abs(datetime.now(UTC) - each.modified_at) < timedelta(minutes=5) for each in found)
    assert {each.key async for page in objects.all("3") for each in page} == {n for n in names if n.startswith("3/")}
    await objects.delete([*names, "nothing"])
    assert [page async for page in objects.all() if page] == []


async def test_a_signed_address_opens_what_is_in_the_bucket(objects: Objects) -> None:
    async with objects.writer("a/b") as writer:
        await writer.write(b"picture")
    signer, now = Signer([b"s" * 32], base_url="https://api.example.com"), datetime.now(UTC)
    url = signer.url(key="a/b", content_type="image/png", name="a.png", now=now, lifetime=timedelta(hours=1))
    grant = signer.read_url(url, now=now)
    assert grant is not None
    assert await read(objects, grant.key) == b"picture"
    assert signer.read_url(url, now=now + timedelta(hours=3)) is None


async def test_a_store_that_is_away_or_refuses_says_so(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = Objects.at("s3://no-such-bucket/")
    with pytest.raises((ObjectsUnavailableError, ObjectNotFoundError)):
        await nowhere.size("a")
    with pytest.raises(ObjectsUnavailableError):
        async with nowhere.writer("a") as writer:
            await writer.write(b"x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    away = Objects.at(f"s3://{BUCKET}/")
    for doing in (away.size("a"), read(away, "a"), away.delete(["a"])):
        with pytest.raises(ObjectsUnavailableError):
            await doing


ACCOUNT_KEY = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ="
SERVICE_ACCOUNT = (
    '{"type": "service_account", "client_email": "a@b.example", "private_key_id": "1", "disable_oauth": true,'
    ' "gcs_base_url": "http://127.0.0.1:1", "private_key": ""}'
)


@pytest.mark.parametrize(
    ("url", "settings", "shown"),
    [
        ("s3://bucket/prefix", {"AWS_REGION": "eu-central-1"}, "S3Store"),
        ("gs://bucket/prefix", {"GOOGLE_SERVICE_ACCOUNT_KEY": SERVICE_ACCOUNT}, "GCSStore"),
        (
            "az://container/prefix",
            {"AZURE_STORAGE_ACCOUNT_NAME": "account", "AZURE_STORAGE_ACCOUNT_KEY": ACCOUNT_KEY},
            "AzureStore",
        ),
    ],
)
def test_each_clouds_addresses_and_settings_are_understood(
    url: str, settings: dict[str, str], shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    store: Any = vars(Objects.at(url))["_store"]
    assert type(store).__name__ == shown
    assert store.prefix == "prefix"
