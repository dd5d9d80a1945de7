"""Reads from the projection. Every method takes the tenant, and nothing of another tenant ever leaves this module."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec
import structlog
from msgspec import Struct
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from contracts.accounts import Account, AccountStatus
from contracts.content import Platform
from contracts.posts import Post, PostStatus
from eventlog.chain import Memo
from eventlog.documents import read_state
from gateway.problems import ProblemError, invalid_parameter

log = structlog.get_logger()

Document = dict[str, Any]


class StoredPost(Struct, frozen=True, kw_only=True):
    """A post with its place in the log."""

    post: Post
    version: int
    partition: int
    log: tuple[int, ...]
    """Offsets of its newest events, oldest first; the last is that of `version`."""
    memo: tuple[Memo, ...]

    def remembers(self, command_id: str) -> Memo | None:
        return next((memo for memo in reversed(self.memo) if memo.command_id == command_id), None)


class Cursor(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The last entry of a page: the next page begins after it, whatever has been added meanwhile."""

    at_ms: int
    id: str

    @property
    def at(self) -> datetime:
        return _EPOCH + timedelta(milliseconds=self.at_ms)

    def encode(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 253_402_300_799_000
"""The end of the year 9999."""


def cursor_at(at: datetime, identifier: str) -> Cursor:
    """The store keeps milliseconds, so a cursor does."""
    return Cursor((at - _EPOCH) // timedelta(milliseconds=1), identifier)


def read_cursor(text: str) -> Cursor:
    """Raises ProblemError."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(raw, type=Cursor)
    except (ValueError, msgspec.MsgspecError) as error:
        raise invalid_parameter("cursor", "cursor", "The cursor is not one that was given out here.") from error
    if not 0 <= cursor.at_ms <= _LAST_MS:
        raise invalid_parameter("cursor", "cursor", "The cursor is not one that was given out here.")
    return cursor


class PostFilter(Struct, frozen=True, kw_only=True):
    """What is None does not matter. `after` and `before` exclude the instant itself."""

    status: PostStatus | None = None
    platform: Platform | None = None
    campaign_id: str | None = None
    tag: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    scheduled_after: datetime | None = None
    scheduled_before: datetime | None = None


class Repository(Protocol):
    """Methods raise ProblemError `store_unavailable`."""

    async def post(self, tenant_id: str, post_id: str, *, with_deleted: bool = False) -> StoredPost | None: ...

    async def posts(self, tenant_id: str, only: PostFilter, *, after: Cursor | None, limit: int) -> Sequence[Post]:
        """Newest first."""
        ...

    async def queue(
        self, tenant_id: str, platform: Platform | None, *, after: Cursor | None, limit: int
    ) -> tuple[Sequence[Post], int]:
        """Scheduled posts, the next one first, and how many there are in all."""
        ...

    async def accounts(
        self, tenant_id: str, platforms: Sequence[Platform] | None = None, status: AccountStatus | None = None
    ) -> Sequence[Account]:
        """In the order they were connected."""
        ...


@contextmanager
def reading() -> Iterator[None]:
    """Turns the store's failures into the problem that tells them."""
    try:
        yield
    except PyMongoError as error:
        log.warning("the store does not answer", reason=str(error))
        raise ProblemError("store_unavailable", "The store does not answer. Try again in a moment.") from error


class MongoRepository:
    def __init__(self, database: AsyncDatabase[Document]) -> None:
        self._posts = database["posts"]
        self._accounts = database["accounts"]

    async def ensure_indexes(self) -> None:
        """Safe to repeat."""
        await self._posts.create_index([("tenant_id", 1), ("created_at", -1), ("_id", -1)], name="newest")
        await self._posts.create_index([("tenant_id", 1), ("status", 1), ("scheduled_at", 1)], name="queue")
        await self._accounts.create_index([("tenant_id", 1), ("platform", 1)], name="tenant")

    async def post(self, tenant_id: str, post_id: str, *, with_deleted: bool = False) -> StoredPost | None:
        query: Document = {"_id": post_id, "tenant_id": tenant_id}
        if not with_deleted:
            query["deleted"] = False
        with reading():
            document = await self._posts.find_one(query)
        return None if document is None else _stored(document)

    async def posts(self, tenant_id: str, only: PostFilter, *, after: Cursor | None, limit: int) -> Sequence[Post]:
        query: Document = {"tenant_id": tenant_id, "deleted": False}
        for field, value in (
            ("status", only.status),
            ("platforms", only.platform),
            ("campaign_id", only.campaign_id),
            ("tags", only.tag),
            ("created_at", _between(only.created_after, only.created_before)),
            ("scheduled_at", _between(only.scheduled_after, only.scheduled_before)),
        ):
            if value is not None:
                query[field] = value
        if after is not None:
            query["$or"] = [{"created_at": {"$lt": after.at}}, {"created_at": after.at, "_id": {"$lt": after.id}}]
        with reading():
            found = self._posts.find(query, {"state": 1}).sort([("created_at", -1), ("_id", -1)]).limit(limit)
            return [read_state(document, Post) async for document in found]

    async def queue(
        self, tenant_id: str, platform: Platform | None, *, after: Cursor | None, limit: int
    ) -> tuple[Sequence[Post], int]:
        query: Document = {"tenant_id": tenant_id, "status": "scheduled", "deleted": False}
        if platform is not None:
            query["platforms"] = platform
        page = query
        if after is not None:
            page = {
                **query,
                "$or": [{"scheduled_at": {"$gt": after.at}}, {"scheduled_at": after.at, "_id": {"$gt": after.id}}],
            }
        with reading():
            found = self._posts.find(page, {"state": 1}).sort([("scheduled_at", 1), ("_id", 1)]).limit(limit)
            posts = [read_state(document, Post) async for document in found]
            return posts, await self._posts.count_documents(query)

    async def accounts(
        self, tenant_id: str, platforms: Sequence[Platform] | None = None, status: AccountStatus | None = None
    ) -> Sequence[Account]:
        query: Document = {"tenant_id": tenant_id}
        if platforms is not None:
            query["platform"] = {"$in": list(platforms)}
        if status is not None:
            query["status"] = status
        with reading():
            found = [read_state(document, Account) async for document in self._accounts.find(query, {"state": 1})]
        return sorted(found, key=lambda account: (account.connected_at, account.account_id))


def _between(after: datetime | None, before: datetime | None) -> Document | None:
    bounds = {"$gt": after, "$lt": before}
    return {operator: bound for operator, bound in bounds.items() if bound is not None} or None


def _stored(document: Mapping[str, Any]) -> StoredPost:
    return StoredPost(
        post=read_state(document, Post),
        version=document["version"],
        partition=document["partition"],
        log=tuple(document["log"]),
        memo=msgspec.convert(document["memo"], tuple[Memo, ...]),
    )
