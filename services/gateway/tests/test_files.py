"""Files come in and are served the same way whatever holds them: a folder, or a bucket of S3."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from moto.server import ThreadedMotoServer

from gateway.app import create_app
from gateway.receiving import receive_form
from gateway.uploads import Uploads
from objects.signing import Signer
from objects.store import Objects

BASE_URL = "http://gateway"
PNG = b"\x89PNG\r\n\x1a\n"
SIZE = 9 << 20
BOUNDARY = "b0undary"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    httpx.put(f"http://{host}:{port}/media", trust_env=False).raise_for_status()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def objects(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Objects:
    if request.param == "folder":
        return Objects.at(tmp_path.as_uri())
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", request.getfixturevalue("s3")),
        ("AWS_ALLOW_HTTP", "true"),
    ):
        monkeypatch.setenv(name, value)
    return Objects.at("s3://media/production")


@pytest.fixture
def uploads(objects: Objects) -> Uploads:
    repository: Any = None  # files are served without asking it
    return Uploads(
        objects=objects,
        signer=Signer([b"s" * 32], base_url=BASE_URL),
        repository=repository,
        max_image_bytes=64 << 20,
        max_video_bytes=1 << 30,
        url_lifetime=timedelta(hours=1),
        image_patience=1.0,
        video_patience=1.0,
        body_timeout=30.0,
    )


@pytest.fixture
async def server(world: Any, uploads: Uploads) -> AsyncIterator[httpx.AsyncClient]:
    gateway = dataclasses.replace(world.gateway, uploads=uploads)
    app = create_app(gateway, verifier=world.verifier, settings=world.settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL) as client:
        yield client


def picture() -> bytes:
    return PNG + bytes(range(256)) * (SIZE // 256)


async def body(data: bytes) -> AsyncIterator[bytes]:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="../a.png"\r\n\r\n'
    yield head.encode()
    for at in range(0, len(data), 100_000):
        yield data[at : at + 100_000]
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


async def test_a_file_that_came_in_is_served_whole_and_by_ranges(
    server: httpx.AsyncClient, uploads: Uploads, world: Any
) -> None:
    data = picture()
    received = await receive_form(
        body(data), f"multipart/form-data; boundary={BOUNDARY}", uploads, tenant_id="tenant_a", length=None
    )
    assert (received.size, received.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert (received.content_type, received.filename) == ("image/png", "a.png")

    url = uploads.signer.url(
        key=received.key, content_type="image/png", name="a.png", now=world.clock(), lifetime=timedelta(hours=1)
    )
    whole = await server.get(url)
    assert (whole.status_code, whole.headers["content-type"]) == (200, "image/png")
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["accept-ranges"] == "bytes"
    assert "max-age=" in whole.headers["cache-control"]
    assert whole.content == data

    for asked, first, last in (
        ("bytes=0-0", 0, 0),
        ("bytes=5-3000000", 5, 3_000_000),
        ("bytes=-9", len(data) - 9, len(data) - 1),
        (f"bytes={len(data) - 2}-", len(data) - 2, len(data) - 1),
    ):
        part = await server.get(url, headers={"Range": asked})
        assert (part.status_code, part.content) == (206, data[first : last + 1]), asked
        assert part.headers["content-range"] == f"bytes {first}-{last}/{len(data)}"
    beyond = await server.get(url, headers={"Range": f"bytes={len(data)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(data)}")
    assert (await server.get(url, headers={"If-None-Match": whole.headers["etag"]})).status_code == 304
    head = await server.head(url)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(data)), b"")

    world.clock.now += timedelta(hours=3)
    assert (await server.get(url)).status_code == 404


async def test_what_is_gone_from_the_store_is_not_found(
    server: httpx.AsyncClient, uploads: Uploads, world: Any
) -> None:
    url = uploads.signer.url(
        key="a/b", content_type="image/png", name="a.png", now=world.clock(), lifetime=timedelta(hours=1)
    )
    answer = await server.get(url)
    assert (answer.status_code, answer.json()["code"]) == (404, "file_not_found")
