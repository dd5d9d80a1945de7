"""Objects in the buckets of S3, Google Cloud and Azure, by their protocols.

S3 is played by moto. Google's client speaks Google's XML API, which has S3's shapes, so moto plays that as well; what
imitates Google itself (fake-gcs-server) takes no writes by that API and shows the reading. Azure is played by Azurite.
The last two are there once `make emulators` has run.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import secrets
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from localstack.process import free_ports, wait_until
from objects.signing import Signer
from objects.store import ObjectNotFoundError, Objects, ObjectsUnavailableError

MEGABYTE = 1 << 20
EMULATORS = Path(__file__).parents[3] / ".local"
SOMEBODY = "AWS4-HMAC-SHA256 Credential=id/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's own, which its documentation names."""
AZURE_VERSION = "2021-12-02"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """Its address. Whoever does not sign as S3 wants it, as Google's client does not, is let in all the same."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    inside = DomainDispatcherApplication(create_backend_app)

    def door(environment: dict[str, Any], start: Callable[..., Any]) -> Any:
        if not environment.get("HTTP_AUTHORIZATION", "").startswith("AWS4"):
            environment["HTTP_AUTHORIZATION"] = SOMEBODY
        return inside(environment, start)

    server = make_server("127.0.0.1", 0, door, threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    serving.join()


def started(command: Sequence[str | Path], url: str) -> Iterator[str]:
    program = Path(command[0])
    if not program.exists():
        pytest.skip(f"needs {program.name}: `make emulators` installs it")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers() -> bool:
        assert process.poll() is None, f"{program.name} has ended"
        try:
            httpx.get(url, trust_env=False)
        except httpx.TransportError:
            return False
        return True

    try:
        wait_until(answers, 30, program.name)
        yield url
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def azurite() -> Iterator[str]:
    (port,) = free_ports(1)
    program = EMULATORS / "azurite/node_modules/.bin/azurite-blob"
    where = ("--blobHost", "127.0.0.1", "--blobPort", str(port))
    quiet = ("--silent", "--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence")
    yield from started([program, *where, *quiet], f"http://127.0.0.1:{port}")


@pytest.fixture(scope="module")
def fake_gcs() -> Iterator[str]:
    (port,) = free_ports(1)
    program = EMULATORS / "fake-gcs/fake-gcs-server"
    where = ("-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-public-host", f"127.0.0.1:{port}")
    yield from started([program, *where, "-backend", "memory"], f"http://127.0.0.1:{port}")


def s3_bucket(endpoint: str, name: str) -> dict[str, str]:
    """Makes it; what the environment must hold for it."""
    answer = httpx.put(f"{endpoint}/{name}", headers={"Authorization": SOMEBODY}, trust_env=False)
    answer.raise_for_status()
    return {
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
    }


def google(endpoint: str) -> dict[str, str]:
    account = {"type": "service_account", "client_email": "a@b.example", "private_key_id": "1", "private_key": ""}
    key = {**account, "disable_oauth": True, "gcs_base_url": endpoint}
    return {"GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(key)}


def azure_container(endpoint: str, name: str) -> dict[str, str]:
    """As `s3_bucket`. https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key"""
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": AZURE_VERSION}
    canonical = "".join(f"{key}:{value}\n" for key, value in headers.items())
    signed = "PUT" + "\n" * 12 + f"{canonical}/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/{name}\nrestype:container"
    mac = base64.b64encode(hmac.digest(base64.b64decode(AZURE_KEY), signed.encode(), hashlib.sha256)).decode()
    authorization = {"Authorization": f"SharedKey {AZURE_ACCOUNT}:{mac}"}
    url = f"{endpoint}/{AZURE_ACCOUNT}/{name}?restype=container"
    httpx.put(url, headers={**headers, **authorization}, trust_env=False).raise_for_status()
    return {
        "AZURE_STORAGE_ACCOUNT_NAME": AZURE_ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY,
        "AZURE_STORAGE_ENDPOINT": f"{endpoint}/{AZURE_ACCOUNT}",
        "AZURE_ALLOW_HTTP": "true",
    }


@pytest.fixture(params=["s3", "gs", "az"])
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a new one, in each cloud."""
    kind, name = request.param, f"b{secrets.token_hex(8)}"
    endpoint = request.getfixturevalue("azurite" if kind == "az" else "moto")
    environment = azure_container(endpoint, name) if kind == "az" else s3_bucket(endpoint, name)
    for key, value in {**environment, **(google(endpoint) if kind == "gs" else {})}.items():
        monkeypatch.setenv(key, value)
    return f"{kind}://{name}"


@pytest.fixture
def objects(bucket: str) -> Objects:
    return Objects.at(f"{bucket}/in/a/folder")


def pieces(size: int) -> Iterator[bytes]:
    for number in range(size // MEGABYTE):
        yield bytes([number]) * MEGABYTE
    yield b"!" * (size % MEGABYTE)


async def read(objects: Objects, key: str, **part: int) -> bytes:
    return b"".join([chunk async for chunk in objects.read(key, **part)])


async def keys(objects: Objects, prefix: str = "") -> set[str]:
    return {each.key async for page in objects.all(prefix) for each in page}


async def is_read_by_ranges(objects: Objects, data: bytes) -> None:
    size = len(data)
    for start, length in ((0, 1), (5, 3_000_000), (size - 1, 1), (2 * MEGABYTE - 1, 2)):
        assert await read(objects, "a/b", start=start, length=length) == data[start : start + length]
    assert await read(objects, "a/b", start=size - 9) == data[-9:]


@pytest.mark.parametrize("size", [0, 10, 8 * MEGABYTE, 19 * MEGABYTE + 7])
async def test_what_is_written_in_parts_is_read_whole_and_by_ranges(objects: Objects, size: int, bucket: str) -> None:
    data = b"".join(pieces(size))
    async with objects.writer("a/b") as writer:
        for piece in pieces(size):
            await writer.write(piece)
    assert writer.sha256 == hashlib.sha256(data).hexdigest()
    assert await objects.size("a/b") == size
    assert await read(objects, "a/b") == data
    if size > 100:
        await is_read_by_ranges(objects, data)
    whole = Objects.at(f"{bucket}/")
    assert await keys(whole) == {"in/a/folder/a/b"}, "the folder of the address stands in front of every key"


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
    assert await keys(objects) == set()


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
    assert await keys(objects, "3") == {n for n in names if n.startswith("3/")}
    await objects.delete([*names, "nothing"])
    assert await keys(objects) == set()


async def test_a_signed_address_opens_what_is_in_the_bucket(objects: Objects) -> None:
    async with objects.writer("a/b") as writer:
        await writer.write(b"picture")
    signer, now = Signer([b"s" * 32], base_url="https://api.example.com"), datetime.now(UTC)
    url = signer.url(key="a/b", content_type="image/png", name="a.png", now=now, lifetime=timedelta(hours=1))
    grant = signer.read_url(url, now=now)
    assert grant is not None
    assert await read(objects, grant.key) == b"picture"
    assert signer.read_url(url, now=now + timedelta(hours=3)) is None


async def test_an_imitation_of_google_is_read_listed_and_cleared(
    fake_gcs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"b{secrets.token_hex(8)}"
    for key, value in google(fake_gcs).items():
        monkeypatch.setenv(key, value)
    data = b"".join(pieces(9 * MEGABYTE + 7))
    async with httpx.AsyncClient(base_url=fake_gcs, trust_env=False) as client:
        made = await client.post("/storage/v1/b", params={"project": "p"}, json={"name": name})
        made.raise_for_status()
        stored = {"uploadType": "media", "name": "in/a/folder/a/b"}
        sent = await client.post(f"/upload/storage/v1/b/{name}/o", params=stored, content=data)
        sent.raise_for_status()
    objects = Objects.at(f"gs://{name}/in/a/folder")
    assert await objects.size("a/b") == len(data)
    assert await read(objects, "a/b") == data
    await is_read_by_ranges(objects, data)
    assert await keys(objects) == {"a/b"}
    await objects.delete(["a/b", "nothing"])
    assert await keys(objects) == set()
    with pytest.raises(ObjectNotFoundError):
        await objects.size("a/b")


@pytest.mark.parametrize("bucket", ["s3"], indirect=True)
async def test_a_store_that_is_away_or_refuses_says_so(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = Objects.at("s3://no-such-bucket/")
    with pytest.raises((ObjectsUnavailableError, ObjectNotFoundError)):
        await nowhere.size("a")
    with pytest.raises(ObjectsUnavailableError):
        async with nowhere.writer("a") as writer:
            await writer.write(b"x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    away = Objects.at(f"{bucket}/")
    told = await asyncio.gather(away.size("a"), read(away, "a"), away.delete(["a"]), return_exceptions=True)
    assert [type(each) for each in told] == [ObjectsUnavailableError] * 3


@pytest.mark.parametrize(
    ("url", "settings", "shown"),
    [
        ("s3://bucket/prefix", {"AWS_REGION": "eu-central-1"}, "S3Store"),
        ("gs://bucket/prefix", google("http://127.0.0.1:1"), "GCSStore"),
        (
            "az://container/prefix",
            {"AZURE_STORAGE_ACCOUNT_NAME": "account", "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY},
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
