"""Media that a post names by URL: fetched by the media service, looked into like uploads, published as uploads are."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from contracts.ids import new_id
from contracts.media import Source, UploadMedia, import_id
from contracts.topics import MEDIA_COMMANDS
from eventlog.sending import CommandSender

pytestmark = pytest.mark.stack


@pytest.fixture
def account(stranger: Any, connect: Any) -> Any:
    return connect(stranger.tenant, "twitter", username=f"urls.{new_id('n')[-8:].lower()}")


def command(stack: Any, told: UploadMedia) -> None:
    """As the publisher tells the media service."""

    async def send() -> None:
        sender = await CommandSender.connect(stack.kafka_bootstrap, source="test")
        sent_as = f"{told.media_id}:import"
        await sender.send(MEDIA_COMMANDS, told.media_id, told, command_id=sent_as, tenant_id=told.tenant_id)
        await sender.close()

    asyncio.run(send())


def object_behind(found: Any) -> str:
    """The name of the object that is served: two uploads of one file have one."""
    return httpx.head(found["url"], trust_env=False).headers["etag"]


def test_a_file_is_fetched_checked_kept_once_and_published(
    media_of: Any, stranger: Any, account: Any, sandbox: Any, stack: Any
) -> None:
    client = stranger
    url = sandbox.media("image.png", w=640, h=360, shade=77)
    item = {"type": "image", "url": url, "alt_text": "A gradient"}
    target = [{"platform": "twitter", "account_id": account.id}]

    def body(**more: Any) -> Any:
        return {"content": {"text": f"By URL {new_id('n')}", "media": [item]}, "platforms": target, **more}

    first = client.post("/publish", body(), status=201)["post_id"]
    client.settled(first, "published")
    (live,) = sandbox.live(account)
    assert [image["content_type"] for image in live["media"]] == ["image/png"]
    found = client.get(f"/media/{import_id(first, url)}")
    assert (found["status"], found["alt_text"]) == ("ready", "A gradient")
    assert found["platform_compatibility"]["twitter"]["compatible"]

    # A later post is fetched for when it is accepted, and its file, which is the same, is not kept a second time.
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    second = client.post("/publish", body(publish_at=later), status=201)["post_id"]
    again = media_of(client).imported(import_id(second, url))
    assert (again["status"], again["sha256"]) == ("ready", found["sha256"])
    assert object_behind(again) == object_behind(found)
    asked_again = UploadMedia(
        media_id=import_id(second, url, 1),
        tenant_id=client.tenant,
        actor="publisher",
        issued_at=datetime.now(UTC),
        source=Source(url=url),
        instead_of=import_id(second, url),
    )
    command(stack, asked_again)
    assert media_of(client).imported(asked_again.media_id)["status"] == "ready"
    for media_id in (asked_again.instead_of, asked_again.media_id):
        problem = client.refused(409, "media_in_use", "DELETE", f"/media/{media_id}")
        assert [error["actual"] for error in problem["errors"]] == [second]
    client.post(f"/posts/{second}/cancel")
    client.delete(f"/media/{asked_again.media_id}")


@pytest.mark.parametrize(
    ("name", "rule"), [("document.pdf", "media.type"), ("nothing.png", "media.url"), ("image.gif", None)]
)
def test_what_is_refused_as_an_upload_is_refused_behind_a_url_and_the_post_says_why(
    name: str, rule: str | None, stranger: Any, account: Any, sandbox: Any, events: Any
) -> None:
    client = stranger
    kind, url = "video" if rule is None else "image", sandbox.media(name)
    body = {
        "content": {"text": f"No {new_id('n')}", "media": [{"type": kind, "url": url}]},
        "platforms": [{"platform": "twitter", "account_id": account.id}],
    }
    post_id = client.post("/publish", body, status=201)["post_id"]
    post = client.settled(post_id, "failed")
    reason = post["failure_reasons"][0]["error"]
    assert (reason["code"], reason["rule"]) == ("media_unsupported", rule or "media.kind"), reason
    assert sandbox.live(account) == []
    last = "media.ready.v1" if rule is None else "media.rejected.v1"
    assert events(import_id(post_id, url)) == ["media.uploaded.v1", last]
