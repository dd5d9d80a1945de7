"""The read model of uploads, and which posts stand in the way of throwing one away."""

from collections.abc import Collection, Sequence

from msgspec import Struct
from pymongo.asynchronous.database import AsyncDatabase

from chassis.store import Document
from contracts.media import MediaAsset
from eventlog.documents import read_state

_UNDER_WAY = ("scheduled", "publishing")


class Holder(Struct, frozen=True, kw_only=True):
    """An upload that names an object."""

    key: str
    asset: MediaAsset


class MongoAssets:
    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._media = database["media"]
        self._posts = database["posts"]
        self._uploads = database["media_uploads"]

    async def prepare(self) -> None:
        """Creates the indexes it needs. Safe to repeat."""
        await self._media.create_index([("tenant_id", 1), ("created_at", -1), ("_id", -1)], name="newest")
        await self._media.create_index("keys", name="keys")
        await self._media.create_index([("tenant_id", 1), ("source_sha256", 1)], name="files")
        await self._uploads.create_index("parts.key", name="keys")

    async def get(self, tenant_id: str, media_id: str) -> MediaAsset | None:
        document = await self._media.find_one({"_id": media_id, "tenant_id": tenant_id}, {"state": 1})
        return None if document is None else read_state(document, MediaAsset)

    async def same_file(self, tenant_id: str, sha256: str) -> MediaAsset | None:
        """A ready upload of this file, which nobody has deleted: whose objects are thus not being collected."""
        query: Document = {
            "tenant_id": tenant_id,
            "source_sha256": sha256,
            "status": "ready",
            "deleted_at": None,
        }
        document = await self._media.find_one(query, {"state": 1})
        return None if document is None else read_state(document, MediaAsset)

    async def holders(self, keys: Sequence[str]) -> list[Holder]:
        """Who names these objects. Of all tenants: only the collector asks."""
        wanted: Collection[str] = set(keys)
        found = []
        async for document in self._media.find({"keys": {"$in": list(keys)}}, {"state": 1, "keys": 1}):
            asset = read_state(document, MediaAsset)
            found += [Holder(key=key, asset=asset) for key in document["keys"] if key in wanted]
        return found

    async def being_uploaded(self, keys: Sequence[str]) -> set[str]:
        """Which of these objects are parts of an upload that is under way."""
        found: set[str] = set()
        async for document in self._uploads.find({"parts.key": {"$in": list(keys)}}, {"parts": 1}):
            found |= {part["key"] for part in document["parts"]}
        return found.intersection(keys)

    async def is_under_way(self, tenant_id: str, names: Sequence[str]) -> bool:
        """Whether a post that is scheduled or being published names it by one of these ids."""
        query = {
            "tenant_id": tenant_id,
            "media_ids": {"$in": list(names)},
            "status": {"$in": list(_UNDER_WAY)},
            "deleted": False,
        }
        return await self._posts.find_one(query, {"_id": 1}) is not None
