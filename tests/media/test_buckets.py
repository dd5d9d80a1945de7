"""The whole system with its objects in a bucket: every process that is told where they are."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from moto.server import ThreadedMotoServer
from tests.media.corpus import jpeg
from tests.media.test_large import padded

from contracts.ids import new_id

pytestmark = pytest.mark.stack

BUCKET = "social-media"
TOLD = ("media", "publisher", "gateway")


def restart_all(stack: Any) -> None:
    """At once, as each takes its time to end."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: stack.process(name).restart(), TOLD))


@pytest.fixture
def bucket(stack: Any) -> Iterator[str]:
    """The address of what plays S3, where gateway, media and publisher have their objects meanwhile."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    httpx.put(f"{endpoint}/{BUCKET}", trust_env=False).raise_for_status()
    told = {
        "OBJECTS_URL": f"s3://{BUCKET}/media",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
    }
    before = {name: dict(stack.process(name).environment) for name in TOLD}
    try:
        for name in TOLD:
            stack.process(name).environment.update(told)
        restart_all(stack)
        yield endpoint
    finally:
        for name in TOLD:
            environment = stack.process(name).environment
            environment.clear()
            environment.update(before[name])
        restart_all(stack)
        server.stop()


def in_folder(stack: Any) -> int:
    return sum(each.is_file() for each in (stack.settings.data / "objects").rglob("*"))


def test_uploads_are_kept_served_and_published_from_a_bucket(
    bucket: str, media_of: Any, stranger: Any, stack: Any, connect: Any, sandbox: Any
) -> None:
    """X is sent the bytes by the publisher; Instagram fetches them from the gateway."""
    before = in_folder(stack)
    media = media_of(stranger)
    picture = media.upload(jpeg(1080, 1080), "a.jpg")
    film = media.upload(b"".join(padded(20 << 20)), "a.mp4")  # comes in parts
    assert (picture["status"], film["status"], film["duration"]) == ("ready", "ready", 4.0)

    listed = httpx.get(f"{bucket}/{BUCKET}", params={"list-type": "2", "prefix": "media/"}, trust_env=False).text
    assert listed.count("<Key>media/") == 8, "of each what was sent in, the original, and two thumbnails"
    assert in_folder(stack) == before

    whole = httpx.get(film["url"], trust_env=False)
    part = httpx.get(film["url"], headers={"Range": "bytes=100-199"}, trust_env=False)
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert len(whole.content) == film["size"]

    x, instagram = (
        connect(stranger.tenant, name, username=f"b.{new_id('n')[-8:].lower()}") for name in ("twitter", "instagram")
    )
    for found, accounts in ((picture, (x, instagram)), (film, (x,))):
        item = {"type": found["type"], "media_id": found["media_id"]}
        targets = [{"platform": account.platform, "account_id": account.id} for account in accounts]
        body = {"content": {"text": f"From a bucket {new_id('n')}", "media": [item]}, "platforms": targets}
        post_id = stranger.post("/publish", body, status=201)["post_id"]
        after = stranger.settled(post_id, "published", "failed")
        assert after["status"] == "published", after
    assert [[image["content_type"] for image in live["media"]] for live in sandbox.live(x)] == [
        ["image/jpeg"],
        ["video/mp4"],
    ]
    assert len(sandbox.live(instagram)) == 1
