"""The media service without Kafka and the store: real decoders, real objects, and what it records in memory."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from contracts.media import (
    MediaAsset,
    MediaCommand,
    MediaUploaded,
    ProcessMedia,
    RecordProcessing,
    RecordVariant,
    Source,
    UploadMedia,
)
from contracts.wire import Envelope
from eventlog.jobs import Job
from media.adapters.decoders import Decoders
from media.adapters.fetching import FetchedFile
from media.decoding.tasks import Limits
from media.domain.asset import MediaAggregate, keys_of
from media.processing import Budget, Processor
from objects.store import Objects, new_key

TENANT = "tenant_a"
LIMITS = Limits(cpu_seconds=20, wall_seconds=60, memory_bytes=500 << 20, file_bytes=256 << 20)


class Held(Struct, frozen=True):
    key: str
    asset: MediaAsset


class MemoryAssets:
    """The read model, kept by the aggregate's own rules from the commands that it is sent."""

    def __init__(self) -> None:
        self.known: dict[str, MediaAsset] = {}
        self.under_way: set[str] = set()
        self.uploading: set[str] = set()
        self.sent: list[tuple[str, MediaCommand]] = []

    async def send(self, topic: str, key: str, command: Any, *, command_id: str, **rest: object) -> None:
        self.sent.append((command_id, command))
        self.obey(command)

    def obey(self, command: MediaCommand) -> None:
        aggregate = MediaAggregate()
        before = self.known.get(command.media_id)
        decision = aggregate.decide(before, command)
        if decision is None:
            return
        assert isinstance(decision, MediaUploaded) or before is not None, decision
        self.known[command.media_id] = aggregate.evolve(before, decision)  # type: ignore[arg-type]

    async def get(self, tenant_id: str, media_id: str) -> MediaAsset | None:
        found = self.known.get(media_id)
        return found if found is not None and found.tenant_id == tenant_id else None

    async def same_file(self, tenant_id: str, sha256: str) -> MediaAsset | None:
        for each in self.known.values():
            is_whole = each.status == "ready" and each.deleted_at is None
            if (each.tenant_id, each.source.sha256) == (tenant_id, sha256) and is_whole:
                return each
        return None

    async def holders(self, keys: Sequence[str]) -> list[Held]:
        return [Held(key, each) for each in self.known.values() for key in keys_of(each).intersection(keys)]

    async def being_uploaded(self, keys: Sequence[str]) -> set[str]:
        return self.uploading.intersection(keys)

    async def is_under_way(self, tenant_id: str, names: Sequence[str]) -> bool:
        return not self.under_way.isdisjoint(names)

    async def tell(self, tenant_id: str, work_id: str, fraction: float) -> None:
        pass


class Web:
    """What is behind the URLs that posts name."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | Exception] = {}

    async def fetch(self, url: str, target: Path) -> FetchedFile:
        found = self.files[url]
        if isinstance(found, Exception):
            raise found
        await asyncio.to_thread(target.write_bytes, found)
        return FetchedFile(size=len(found), sha256=hashlib.sha256(found).hexdigest())


class Service:
    def __init__(self, folder: Path, decoders: Decoders) -> None:
        self.objects = Objects.at((folder / "objects").as_uri())
        self.assets = MemoryAssets()
        self.web = Web()
        self.processor = Processor(
            objects=self.objects,
            decoders=decoders,
            fetcher=self.web,
            progress=self.assets,
            assets=self.assets,
            sender=self.assets,
            budget=Budget(
                max_image_bytes=64 << 20, max_video_bytes=1 << 30, image=LIMITS, video_look=LIMITS, video_make=LIMITS
            ),
            work_dir=folder / "work",
            image_slots=1,
            video_slots=1,
        )
        self.processor.prepare()

    async def sent_in(self, media_id: str, data: bytes) -> Job:
        """An upload whose bytes have come: the job that it makes."""
        key = new_key(TENANT, "incoming")
        async with self.objects.writer(key) as writer:
            await writer.write(data)
        return self.job(media_id, Source(keys=(key,), size=len(data), sha256=writer.sha256))

    def job(self, media_id: str, source: Source) -> Job:
        now = datetime.now(UTC)
        self.assets.obey(UploadMedia(media_id=media_id, tenant_id=TENANT, actor="u", issued_at=now, source=source))
        return Job(
            topic="media.jobs",
            partition=0,
            offset=0,
            key=media_id,
            envelope=Envelope(id=f"job:{media_id}", source="test", subject=media_id, time=now),
            message=ProcessMedia(media_id=media_id, tenant_id=TENANT, source=source),
        )

    async def keys(self) -> set[str]:
        return {each.key async for page in self.objects.all() for each in page}

    @property
    def records(self) -> list[RecordProcessing | RecordVariant]:
        return [each for _, each in self.assets.sent if isinstance(each, RecordProcessing | RecordVariant)]


@pytest.fixture
async def decoders() -> AsyncIterator[Decoders]:
    decoders = Decoders()
    await decoders.start()
    yield decoders
    await decoders.close()


@pytest.fixture
def service(tmp_path: Path, decoders: Decoders) -> Service:
    return Service(tmp_path, decoders)
