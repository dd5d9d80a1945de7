"""What the collector and the imports ask of the store."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from pymongo.asynchronous.database import AsyncDatabase

from chassis import store
from contracts.media import Facts, MediaAsset, Rendition, Source
from media.adapters.assets import MongoAssets
from media.domain.asset import MediaAggregate

pytestmark = pytest.mark.stack

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FACTS = Facts(content_type="image/png", size=10, width=4, height=4)


@pytest.fixture
async def database(mongodb_uri: str) -> AsyncIterator[AsyncDatabase[dict[str, Any]]]:
    client = store.connect(mongodb_uri)
    name = f"media_{os.urandom(4).hex()}"
    yield store.database(client, name)
    await client.drop_database(name)
    await client.close()


def asset(media_id: str, *, tenant_id: str = "tenant_a", key: str = "k", **more: Any) -> MediaAsset:
    files = Rendition(key=f"{key}/o", sha256="00", facts=FACTS)
    known: dict[str, Any] = {
        "media_id": media_id,
        "tenant_id": tenant_id,
        "created_by": "u",
        "created_at": NOW,
        "updated_at": NOW,
        "source": Source(keys=(f"{key}/in",), sha256="ab"),
        "status": "ready",
        "type": "image",
        "original": files,
        "small": msgspec.structs.replace(files, key=f"{key}/s"),
        "medium": msgspec.structs.replace(files, key=f"{key}/m"),
        **more,
    }
    return MediaAsset(**known)


async def test_the_store_tells_who_needs_what(database: AsyncDatabase[dict[str, Any]]) -> None:
    assets = MongoAssets(database)
    await assets.prepare()
    await assets.prepare()
    waiting = {"status": "processing", "type": None, "original": None, "small": None, "medium": None}
    known = [
        asset("media_1"),
        asset("media_2", key="waiting", **waiting),
        asset("media_3", tenant_id="tenant_b", key="other"),
        asset("media_4", key="gone", deleted_at=NOW, source=Source(sha256="cd")),
    ]
    for each in known:
        index = MediaAggregate().index(each)
        await database["media"].insert_one({"_id": each.media_id, **index, "state": msgspec.json.encode(each)})

    held = await assets.holders(["k/o", "k/m", "k/in", "waiting/in", "gone/s", "nobody"])
    assert {(each.key, each.asset.media_id) for each in held} == {
        ("k/o", "media_1"),
        ("k/m", "media_1"),
        ("waiting/in", "media_2"),
        ("gone/s", "media_4"),
    }, "what was sent in is needed only until it has been looked into"

    same = await assets.same_file("tenant_a", "ab")
    assert same is not None
    assert same.media_id == "media_1"
    assert await assets.same_file("tenant_a", "cd") is None, "its files may be collected any moment"
    assert await assets.same_file("tenant_c", "ab") is None

    await database["media_uploads"].insert_one({"_id": "upload_1", "parts": [{"key": "p/1"}, {"key": "p/2"}]})
    assert await assets.being_uploaded(["p/2", "p/3"]) == {"p/2"}

    post = {"tenant_id": "tenant_a", "media_ids": ["media_1"], "deleted": False}
    await database["posts"].insert_one({"_id": "post_1", "status": "published", **post})
    again = asset("media_5", instead_of="media_1")
    assert not await assets.is_under_way("tenant_a", ("media_1",))
    await database["posts"].insert_one({"_id": "post_2", "status": "scheduled", **post})
    assert await assets.is_under_way("tenant_a", ("media_1",))
    assert await assets.is_under_way("tenant_a", again.names)
    assert not await assets.is_under_way("tenant_a", ("media_5",))
    assert not await assets.is_under_way("tenant_b", ("media_1",))
