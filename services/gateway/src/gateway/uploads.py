"""What the gateway has for media: the object store, signed addresses, limits, and the read model of uploads."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from pymongo.asynchronous.database import AsyncDatabase

from contracts.content import Platform
from contracts.media import AssetType, MediaAsset, MediaStatus, Rendition
from eventlog.documents import read_state
from gateway.repository import Cursor, reading
from objects.recognising import EXTENSIONS
from objects.signing import Signer
from objects.store import Objects

Document = dict[str, Any]

KEPT_FOR = timedelta(hours=24)
"""How long an unfinished upload can be gone on with."""
REMEMBERED_SECONDS = 7 * 86_400
"""How long an upload may wait to be decided: as long as commands are kept in the log."""


class MediaFilter(Struct, frozen=True, kw_only=True):
    type: AssetType | None = None
    status: MediaStatus | None = None


class Part(Struct, frozen=True, kw_only=True):
    key: str
    size: int


class Session(Struct, frozen=True, kw_only=True):
    """An upload that comes in pieces."""

    id: str
    tenant_id: str
    subject: str
    length: int
    offset: int = 0
    parts: tuple[Part, ...] = ()
    filename: str | None = None
    alt_text: str | None = None
    platform_hints: tuple[Platform, ...] = ()
    expires_at: datetime


class MediaRepository(Protocol):
    """Every method takes the tenant, and raises ProblemError `store_unavailable`."""

    async def asset(self, tenant_id: str, media_id: str) -> MediaAsset | None:
        """None also when it has been deleted."""
        ...

    async def assets(self, tenant_id: str, media_ids: Collection[str]) -> Mapping[str, MediaAsset]:
        """Those there are, by id."""
        ...

    async def undecided(self, tenant_id: str, media_id: str) -> MediaAsset | None:
        """What `remember` was told, if nothing has been decided about it since."""
        ...

    async def remember(self, asset: MediaAsset) -> None:
        """An upload that is sure to be decided: whoever was told so must find it until then."""
        ...

    async def page(
        self, tenant_id: str, only: MediaFilter, *, after: Cursor | None, limit: int
    ) -> Sequence[MediaAsset]:
        """Newest first."""
        ...

    async def progress(self, tenant_id: str, work_ids: Collection[str]) -> Mapping[str, float]:
        """How far work has come, from 0 to 1, where anything is known."""
        ...

    async def posts_using(self, tenant_id: str, names: Sequence[str], *, limit: int) -> Sequence[tuple[str, str]]:
        """Ids and statuses of posts that are still to go out and show an upload of one of these ids."""
        ...

    async def begin(self, session: Session) -> None: ...

    async def session(self, tenant_id: str, upload_id: str) -> Session | None: ...

    async def extend(self, session: Session, part: Part) -> bool:
        """False when somebody else has gone on from there."""
        ...

    async def end(self, tenant_id: str, upload_id: str) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Uploads:
    """The parts that handlers of media use."""

    objects: Objects
    signer: Signer
    repository: MediaRepository
    max_image_bytes: int
    max_video_bytes: int
    url_lifetime: timedelta
    image_patience: float
    video_patience: float
    body_timeout: float

    def max_bytes(self, content_type: str) -> int:
        return self.max_video_bytes if content_type.startswith("video/") else self.max_image_bytes

    def url(self, rendition: Rendition, name: str, now: datetime) -> str:
        content_type = rendition.facts.content_type
        return self.signer.url(
            key=rendition.key,
            content_type=content_type,
            name=f"{name}.{EXTENSIONS[content_type]}",
            now=now,
            lifetime=self.url_lifetime,
        )


class MongoMedia:
    """`MediaRepository` in the store."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._media = database["media"]
        self._posts = database["posts"]
        self._progress = database["media_progress"]
        self._sessions = database["media_uploads"]
        self._undecided = database["media_undecided"]

    async def ensure_indexes(self) -> None:
        """Safe to repeat."""
        await self._media.create_index([("tenant_id", 1), ("created_at", -1), ("_id", -1)], name="newest")
        await self._posts.create_index([("tenant_id", 1), ("media_ids", 1)], name="media")
        await self._sessions.create_index("expires_at", name="expired", expireAfterSeconds=0)
        await self._undecided.create_index("created_at", name="expired", expireAfterSeconds=REMEMBERED_SECONDS)

    async def asset(self, tenant_id: str, media_id: str) -> MediaAsset | None:
        return (await self.assets(tenant_id, [media_id])).get(media_id)

    async def assets(self, tenant_id: str, media_ids: Collection[str]) -> Mapping[str, MediaAsset]:
        query: Document = {"_id": {"$in": list(media_ids)}, "tenant_id": tenant_id, "deleted_at": None}
        with reading():
            return {
                document["_id"]: read_state(document, MediaAsset)
                async for document in self._media.find(query, {"state": 1})
            }

    async def undecided(self, tenant_id: str, media_id: str) -> MediaAsset | None:
        with reading():
            document = await self._undecided.find_one({"_id": media_id, "tenant_id": tenant_id})
            if (
                document is None
                or await self._media.find_one({"_id": media_id, "tenant_id": tenant_id}, {"_id": 1}) is not None
            ):
                return None
        return msgspec.convert({"media_id": document.pop("_id"), **document}, MediaAsset)

    async def remember(self, asset: MediaAsset) -> None:
        document = msgspec.to_builtins(asset, builtin_types=(datetime,))
        with reading():
            await self._undecided.replace_one(
                {"_id": asset.media_id, "tenant_id": asset.tenant_id},
                {"_id": document.pop("media_id"), **document},
                upsert=True,
            )

    async def page(
        self, tenant_id: str, only: MediaFilter, *, after: Cursor | None, limit: int
    ) -> Sequence[MediaAsset]:
        query: Document = {"tenant_id": tenant_id, "deleted_at": None}
        if only.type is not None:
            query["type"] = only.type
        if only.status is not None:
            query["status"] = only.status
        if after is not None:
            query["$or"] = [{"created_at": {"$lt": after.at}}, {"created_at": after.at, "_id": {"$lt": after.id}}]
        with reading():
            found = self._media.find(query, {"state": 1}).sort([("created_at", -1), ("_id", -1)]).limit(limit)
            return [read_state(document, MediaAsset) async for document in found]

    async def progress(self, tenant_id: str, work_ids: Collection[str]) -> Mapping[str, float]:
        if not work_ids:
            return {}
        with reading():
            found = self._progress.find({"_id": {"$in": list(work_ids)}, "tenant_id": tenant_id})
            return {document["_id"]: float(document["fraction"]) async for document in found}

    async def posts_using(self, tenant_id: str, names: Sequence[str], *, limit: int) -> Sequence[tuple[str, str]]:
        query = {
            "tenant_id": tenant_id,
            "media_ids": {"$in": list(names)},
            "status": {"$in": ["scheduled", "publishing"]},
            "deleted": False,
        }
        with reading():
            found = self._posts.find(query, {"status": 1}).limit(limit)
            return [(document["_id"], document["status"]) async for document in found]

    async def begin(self, session: Session) -> None:
        document = msgspec.to_builtins(session, builtin_types=(datetime,))
        with reading():
            await self._sessions.insert_one({"_id": document.pop("id"), **document})

    async def session(self, tenant_id: str, upload_id: str) -> Session | None:
        with reading():
            document = await self._sessions.find_one({"_id": upload_id, "tenant_id": tenant_id})
        return None if document is None else msgspec.convert({"id": document.pop("_id"), **document}, Session)

    async def extend(self, session: Session, part: Part) -> bool:
        with reading():
            changed = await self._sessions.update_one(
                {"_id": session.id, "tenant_id": session.tenant_id, "offset": session.offset},
                {
                    "$set": {"offset": session.offset + part.size},
                    "$push": {"parts": {"key": part.key, "size": part.size}},
                },
            )
        return changed.matched_count == 1

    async def end(self, tenant_id: str, upload_id: str) -> None:
        with reading():
            await self._sessions.delete_one({"_id": upload_id, "tenant_id": tenant_id})
