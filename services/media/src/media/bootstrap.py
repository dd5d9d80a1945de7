"""The wiring diagram of the media service."""

import asyncio
import socket

import structlog
from pymongo.errors import PyMongoError

from chassis import logs, store
from chassis.health import Health
from chassis.process import run_together
from contracts.topics import MEDIA_JOBS
from eventlog.jobs import JobConsumer
from eventlog.owner import AggregateOwner
from eventlog.sending import CommandSender
from guarded.client import GuardedClient
from guarded.urls import ANYWHERE, PUBLIC_WEB
from media.adapters.assets import MongoAssets
from media.adapters.decoders import Decoders
from media.adapters.fetching import Fetcher
from media.adapters.progress import MongoProgress
from media.collecting import Collector
from media.decoding.tasks import Limits
from media.domain.asset import MediaAggregate
from media.processing import Budget, Processor
from media.settings import Settings
from objects.store import Objects

log = structlog.get_logger()

_CLOCK = 3
"""Seconds by the clock for each of processor time: others use the machine too."""


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    logs.configure("media", settings.log_level)
    source = f"media/{socket.gethostname()}"
    client = store.connect(settings.mongodb_uri)
    database = store.database(client, settings.mongodb_database)
    assets, progress, objects = MongoAssets(database), MongoProgress(database), Objects.at(settings.objects_url)
    guarded = GuardedClient(
        ANYWHERE if settings.media_fetch_allow_private else PUBLIC_WEB, user_agent="SocialPublishing-Media/1.0"
    )
    decoders = Decoders()
    await decoders.start()
    sender = await CommandSender.connect(settings, source=source)
    processor = Processor(
        objects=objects,
        decoders=decoders,
        fetcher=Fetcher(guarded, max_bytes=settings.media_max_video_bytes),
        progress=progress,
        assets=assets,
        sender=sender,
        budget=budget(settings),
        work_dir=settings.media_work_dir,
        image_slots=settings.media_image_slots,
        video_slots=settings.media_video_slots,
    )
    processor.prepare()
    owner = AggregateOwner(MediaAggregate(), kafka=settings, database=database, source=source)
    jobs = JobConsumer(
        settings,
        [MEDIA_JOBS],
        group="media-jobs",
        handle=processor.handle,
        concurrency=4 * (settings.media_image_slots + settings.media_video_slots),
    )
    collector = Collector(
        objects,
        assets,
        every=settings.media_collect_every,
        keep_unused=settings.media_keep_unused,
        keep_deleted=settings.media_keep_deleted,
    )
    probe = store.StoreProbe(database)
    health = Health()
    health.add("store", probe.healthy)
    health.add("owner", owner.healthy)
    health.add("jobs", jobs.healthy)
    health.add_liveness("loop", owner.turning)
    try:
        await _prepare(assets, progress, stop)
        await run_together(
            stop,
            owner.run(stop),
            jobs.run(stop),
            collector.run(stop),
            probe.run(stop),
            health.serve(settings.health_host, settings.health_port, stop),
        )
    finally:
        await sender.close()
        await guarded.close()
        await decoders.close()
        await client.close()


def budget(settings: Settings) -> Budget:
    room = 2 * settings.media_max_video_bytes
    return Budget(
        max_image_bytes=settings.media_max_image_bytes,
        max_video_bytes=settings.media_max_video_bytes,
        image=Limits(
            cpu_seconds=settings.media_image_seconds,
            wall_seconds=settings.media_image_seconds * _CLOCK,
            memory_bytes=settings.media_image_memory,
            file_bytes=4 * settings.media_max_image_bytes,
        ),
        video_look=Limits(
            cpu_seconds=settings.media_look_seconds,
            wall_seconds=settings.media_look_seconds * _CLOCK,
            memory_bytes=settings.media_video_memory,
            file_bytes=room,
            niceness=5,
        ),
        video_make=Limits(
            cpu_seconds=settings.media_video_seconds,
            wall_seconds=settings.media_video_seconds * _CLOCK,
            memory_bytes=settings.media_video_memory,
            file_bytes=room,
            niceness=10,
        ),
    )


async def _prepare(assets: MongoAssets, progress: MongoProgress, stop: asyncio.Event) -> None:
    """The store may come later than we."""
    while not stop.is_set():
        try:
            await assets.prepare()
            await progress.prepare()
        except PyMongoError:
            log.warning("waiting for the store")
            await asyncio.sleep(1)
        else:
            return
