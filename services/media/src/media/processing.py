"""Looking into uploads and making variants. A job may come twice: what is recorded first stands.

Whatever a job writes has a name of its own until the event that names it is in the log; so a job that is cut off
leaves nothing half, only objects that nobody knows, which are collected later.
"""

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import structlog
from msgspec import Struct
from prometheus_client import Counter, Histogram

from chassis.faultpoints import reached
from contracts.content import Failure
from contracts.media import (
    Facts,
    Made,
    MakeVariant,
    MediaAsset,
    MediaCommand,
    Processed,
    ProcessMedia,
    RecordProcessing,
    RecordVariant,
    Rendition,
    Source,
    Unfit,
    record_id,
)
from contracts.topics import MEDIA_COMMANDS
from eventlog.jobs import Job
from media.adapters.fetching import FetchFailedError, FetchRefusedError
from media.decoding.tasks import (
    INPUT,
    MEDIUM,
    ORIGINAL,
    SMALL,
    VARIANT,
    Limits,
    Look,
    Looked,
    MadeOf,
    Make,
    Refused,
    Result,
    Task,
    read_progress,
)
from objects.recognising import ACCEPTED, HEAD, recognise
from objects.store import ObjectNotFoundError, Objects, new_key

log = structlog.get_logger()

LOOKED = Counter("media_looked", "Uploads looked into, by type and outcome", ("type", "outcome"))
SECONDS = Histogram(
    "media_job_seconds",
    "From the beginning of a job to its record in the log",
    ("task",),
    buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 1_800),
)
TELL_EVERY = 0.5
_FETCH_PAUSES = (1.0, 5.0, 15.0)
_ACCEPTED = ", ".join(ACCEPTED.values())


class Budget(Struct, frozen=True, kw_only=True):
    """What each kind of file may cost."""

    max_image_bytes: int
    max_video_bytes: int
    image: Limits
    video_look: Limits
    video_make: Limits

    def max_bytes(self, content_type: str) -> int:
        return self.max_video_bytes if content_type.startswith("video/") else self.max_image_bytes


class Decoders(Protocol):
    async def run(self, folder: Path, task: Task, limits: Limits) -> Result: ...


class Fetched(Protocol):
    @property
    def size(self) -> int: ...

    @property
    def sha256(self) -> str: ...


class Fetcher(Protocol):
    async def fetch(self, url: str, target: Path) -> Fetched: ...


class Progress(Protocol):
    async def tell(self, tenant_id: str, work_id: str, fraction: float) -> None: ...


class Assets(Protocol):
    async def get(self, tenant_id: str, media_id: str) -> MediaAsset | None: ...

    async def same_file(self, tenant_id: str, sha256: str) -> MediaAsset | None:
        """A ready upload of this file, which nobody has deleted."""
        ...


class Sender(Protocol):
    async def send(
        self,
        topic: str,
        key: str,
        command: MediaCommand,
        *,
        command_id: str,
        tenant_id: str | None,
        reply_partition: int | None = None,
    ) -> None: ...


class UnfitError(Exception):
    """The file is refused, for good; where it could not be had, fetching it as another upload may help."""

    def __init__(self, rule: str, message: str, remediation: str, *, unavailable: bool = False) -> None:
        super().__init__(message)
        code = "media_unavailable" if unavailable else "media_unsupported"
        self.failure = Failure(code=code, message=message, rule=rule, remediation=remediation, retryable=unavailable)


class Processor:
    def __init__(
        self,
        *,
        objects: Objects,
        decoders: Decoders,
        fetcher: Fetcher,
        progress: Progress,
        assets: Assets,
        sender: Sender,
        budget: Budget,
        work_dir: Path,
        image_slots: int,
        video_slots: int,
    ) -> None:
        self._objects = objects
        self._decoders = decoders
        self._fetcher = fetcher
        self._progress = progress
        self._assets = assets
        self._sender = sender
        self._budget = budget
        self._work_dir = work_dir
        # Two queues: no image waits for a video.
        self._images = asyncio.Semaphore(image_slots)
        self._videos = asyncio.Semaphore(video_slots)

    def prepare(self) -> None:
        """Makes the folder for work, and clears what a process before this one has left there."""
        shutil.rmtree(self._work_dir, ignore_errors=True)
        self._work_dir.mkdir(parents=True, mode=0o700)

    async def handle(self, job: Job) -> None:
        """Returns when the result is in the log. Raises when that cannot be done now."""
        begun = asyncio.get_running_loop().time()
        command: MediaCommand
        match job.message:
            case ProcessMedia() as work:
                asset = await self._assets.get(work.tenant_id, work.media_id)
                if asset is not None and asset.status != "processing":
                    return
                outcome = await self._looked(work)
                command = RecordProcessing(
                    media_id=work.media_id, tenant_id=work.tenant_id, issued_at=_now(), outcome=outcome
                )
                finished = record_id(work.media_id, what := "processed")
            case MakeVariant() as work:
                made = await self._made(work)
                command = RecordVariant(
                    media_id=work.media_id,
                    tenant_id=work.tenant_id,
                    issued_at=_now(),
                    variant_id=work.variant_id,
                    outcome=made,
                )
                finished = record_id(work.variant_id, what := "made")
            case _:
                log.error("not a job for media", offset=job.offset, type=job.message.type_name)
                return
        await reached("media.before_record")
        await self._sender.send(
            MEDIA_COMMANDS,
            work.media_id,
            command,
            command_id=finished,
            tenant_id=work.tenant_id,
            reply_partition=work.reply_partition,
        )
        await reached("media.recorded")
        seconds = asyncio.get_running_loop().time() - begun
        SECONDS.labels(what).observe(seconds)
        log.info(
            "job done",
            media_id=work.media_id,
            tenant_id=work.tenant_id,
            job=what,
            outcome=str(command.outcome.__struct_config__.tag),
            ms=round(seconds * 1_000, 1),
        )

    # --- looking --------------------------------------------------------------------------------------

    async def _looked(self, work: ProcessMedia) -> Processed | Unfit:
        content_type = "unknown"
        with tempfile.TemporaryDirectory(dir=self._work_dir) as name:
            folder = Path(name)
            try:
                sha256 = await self._bring(work.source, folder / INPUT)
                if work.source.url is not None and (known := await self._known(work.tenant_id, sha256)) is not None:
                    LOOKED.labels(known.original.facts.content_type, "known").inc()
                    return known
                content_type = _content_type(folder / INPUT, self._budget)
                result = await self._decode(work.tenant_id, work.media_id, folder, Look(content_type=content_type))
            except UnfitError as error:
                LOOKED.labels(content_type, "unfit").inc()
                return Unfit(failure=error.failure)
            if not isinstance(result, Looked):
                LOOKED.labels(content_type, "unfit").inc()
                return Unfit(failure=_failure(result))
            await reached("media.decoded")
            original, small, medium = [
                await self._keep(work.tenant_id, work.media_id, folder / file, facts)
                for file, facts in (
                    (ORIGINAL, result.original),
                    (SMALL, result.small),
                    (MEDIUM, result.medium),
                )
            ]
            await reached("media.stored")
        LOOKED.labels(content_type, "ready").inc()
        return Processed(asset_type=result.asset_type, sha256=sha256, original=original, small=small, medium=medium)

    async def _known(self, tenant_id: str, sha256: str) -> Processed | None:
        """What became of the same file when it came before: the campaign's picture is fetched for every post of it."""
        asset = await self._assets.same_file(tenant_id, sha256)
        if asset is None or asset.type is None:
            return None
        if asset.original is None or asset.small is None or asset.medium is None:
            return None
        return Processed(
            asset_type=asset.type, sha256=sha256, original=asset.original, small=asset.small, medium=asset.medium
        )

    async def _bring(self, source: Source, target: Path) -> str:
        """Its bytes into the file; their checksum. Raises UnfitError."""
        if source.url is not None and not source.keys:
            return await self._fetched(source.url, target)
        digest = hashlib.sha256()
        with target.open("wb") as file:
            for key in source.keys:
                try:
                    async for chunk in self._objects.read(key):
                        digest.update(chunk)
                        file.write(chunk)
                except ObjectNotFoundError as error:
                    raise UnfitError("media.lost", "The upload is not there any more.", "Upload it again.") from error
        found = digest.hexdigest()
        if source.sha256 is not None and source.sha256 != found:
            raise UnfitError("media.checksum", "The upload has changed since it came in.", "Upload it again.")
        return found

    async def _fetched(self, url: str, target: Path) -> str:
        for pause in (*_FETCH_PAUSES, None):
            try:
                return (await self._fetcher.fetch(url, target)).sha256
            except FetchRefusedError as error:
                raise UnfitError(error.rule, str(error), "Name the file by a public URL of its own.") from error
            except FetchFailedError as error:
                if pause is None:
                    message = f"The file could not be fetched: {error}"
                    advice = "Make the file available, and try again."
                    raise UnfitError("media.url", message, advice, unavailable=True) from error
            await asyncio.sleep(pause)
        raise AssertionError("the last try returns or raises")

    async def _made(self, work: MakeVariant) -> Made | Unfit:
        with tempfile.TemporaryDirectory(dir=self._work_dir) as name:
            folder = Path(name)
            try:
                await self._bring(Source(keys=(work.original.key,)), folder / INPUT)
                task = Make(content_type=work.original.facts.content_type, recipe=work.recipe)
                result = await self._decode(work.tenant_id, work.variant_id, folder, task)
            except UnfitError as error:
                return Unfit(failure=error.failure)
            if not isinstance(result, MadeOf):
                return Unfit(failure=_failure(result))
            await reached("media.decoded")
            rendition = await self._keep(work.tenant_id, work.media_id, folder / VARIANT, result.facts)
            await reached("media.stored")
            return Made(rendition=rendition)

    # --- shared ---------------------------------------------------------------------------------------

    async def _decode(self, tenant_id: str, work_id: str, folder: Path, task: Task) -> Result:
        is_video = task.content_type.startswith("video/")
        limits = self._budget.image
        if is_video:
            limits = self._budget.video_look if isinstance(task, Look) else self._budget.video_make
        async with self._videos if is_video else self._images:
            await reached("media.before_decode")
            if not is_video:
                return await self._decoders.run(folder, task, limits)
            async with self._watched(tenant_id, work_id, folder):
                return await self._decoders.run(folder, task, limits)

    @asynccontextmanager
    async def _watched(self, tenant_id: str, work_id: str, folder: Path) -> AsyncIterator[None]:
        """Tells how far it has come."""

        async def watch() -> None:
            told = -1.0
            while True:
                fraction = read_progress(folder)
                if fraction != told:
                    await self._progress.tell(tenant_id, work_id, fraction)
                    told = fraction
                await asyncio.sleep(TELL_EVERY)

        watching = asyncio.create_task(watch())
        try:
            yield
        finally:
            watching.cancel()

    async def _keep(self, tenant_id: str, media_id: str, file: Path, facts: Facts) -> Rendition:
        key = new_key(tenant_id, media_id)
        sha256 = await asyncio.to_thread(_sha256, file)
        await self._objects.put(key, file)
        return Rendition(key=key, sha256=sha256, facts=facts)


def _content_type(file: Path, budget: Budget) -> str:
    """What it is by its bytes. Raises UnfitError unless it is something we take, of a size we take."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        content_type = recognise(opened.read(HEAD))
    if content_type not in ACCEPTED:
        message = "The file is empty." if size == 0 else f"The file is {content_type or 'of an unknown type'}."
        raise UnfitError("media.type", message, f"Send {_ACCEPTED}.")
    if size > budget.max_bytes(content_type):
        message = f"The file has {size:,} bytes; {budget.max_bytes(content_type):,} are allowed."
        raise UnfitError("media.size", message, "Use a smaller file.")
    return content_type


def _failure(result: Result) -> Failure:
    if not isinstance(result, Refused):
        return Failure(code="media_unsupported", message="The file cannot be decoded.", rule="media.broken")
    advice = "Use another file, or save it anew."
    return Failure(code="media_unsupported", message=result.message, rule=result.rule, remediation=advice)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _now() -> datetime:
    return datetime.now(UTC)
