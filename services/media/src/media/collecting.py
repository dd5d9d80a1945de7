"""Throwing away objects that nothing needs.

They are what processing that was cut off has left, what was sent in once it has been looked into, and the files of
deleted uploads.
"""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog
from prometheus_client import Counter
from pymongo.errors import PyMongoError

from contracts.media import MediaAsset
from objects.store import Objects, ObjectsUnavailableError

log = structlog.get_logger()

COLLECTED = Counter("media_objects_collected", "Objects thrown away because nothing needed them")


class Holder(Protocol):
    """An upload that names an object."""

    @property
    def key(self) -> str: ...

    @property
    def asset(self) -> MediaAsset: ...


class Assets(Protocol):
    async def holders(self, keys: Sequence[str]) -> Collection[Holder]:
        """Who names these objects. Of all tenants: only the collector asks."""
        ...

    async def being_uploaded(self, keys: Sequence[str]) -> set[str]:
        """Which of these objects are parts of an upload that is under way."""
        ...

    async def is_under_way(self, tenant_id: str, names: Sequence[str]) -> bool:
        """Whether a post that is scheduled or being published names it by one of these ids."""
        ...


class Collector:
    def __init__(
        self, objects: Objects, assets: Assets, *, every: float, keep_unused: float, keep_deleted: float
    ) -> None:
        self._objects = objects
        self._assets = assets
        self._every = every
        self._keep_unused = timedelta(seconds=keep_unused)
        self._keep_deleted = timedelta(seconds=keep_deleted)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every):
                    await stop.wait()
                    return
            try:
                await self.collect(datetime.now(UTC))
            except (ObjectsUnavailableError, PyMongoError) as error:
                log.warning("collecting failed", reason=type(error).__name__)

    async def collect(self, now: datetime) -> int:
        """How many objects were thrown away."""
        count = 0
        async for page in self._objects.all():
            old = [each.key for each in page if now - each.modified_at > self._keep_unused]
            if not old:
                continue
            unneeded = await self._unneeded(old, now)
            await self._objects.delete(unneeded)
            COLLECTED.inc(len(unneeded))
            count += len(unneeded)
        if count:
            log.info("objects collected", count=count)
        return count

    async def _unneeded(self, keys: Sequence[str], now: datetime) -> list[str]:
        needed = await self._assets.being_uploaded(keys)
        for holder in await self._assets.holders(keys):
            if not await self._may_go(holder.asset, now):
                needed.add(holder.key)
        return [key for key in keys if key not in needed]

    async def _may_go(self, asset: MediaAsset, now: datetime) -> bool:
        if asset.deleted_at is None or now - asset.deleted_at < self._keep_deleted:
            return False
        # A post that was accepted while its media was being deleted still goes out.
        return not await self._assets.is_under_way(asset.tenant_id, asset.names)
