"""The wiring diagram of the gateway."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import structlog
import uvicorn
from litestar.types import ASGIApp

from chassis import logs, store
from chassis.health import Health, QuietServer
from chassis.leaving import asking_to_leave
from chassis.process import run_together
from chassis.secret_files import read_secret
from contracts.ids import new_id
from eventlog.history import HistoryReader
from eventlog.replies import Replies
from eventlog.sending import CommandSender
from gateway.app import create_app
from gateway.auth import KeysFile, KeysUnavailableError, KeysUrl, TokenVerifier
from gateway.calls import Gateway
from gateway.connections import HttpPublisher, NoPublisher, Publisher, Redirects
from gateway.dispatch import Dispatcher
from gateway.feed import MongoFeed, Streams
from gateway.idempotency import Idempotency, MongoRecords
from gateway.insights import MongoInsights
from gateway.posting_weeks import PostingWeeks
from gateway.protocol import BoundedHttp
from gateway.repository import MongoRepository
from gateway.settings import Settings
from gateway.uploads import MongoMedia, Uploads
from gateway.webhooks import HttpWebhooks, NoWebhooks, Webhooks
from objects.signing import Signer
from objects.store import Objects
from platforms.posting_times import PROFILES, Profiles, read_profiles

log = structlog.get_logger()

T = TypeVar("T")

KEYS_EVERY = 300.0
"""Seconds between two readings of the issuer's keys, so that withdrawn ones go."""
KEYS_RETRY = 2.0


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    logs.configure("gateway", settings.log_level)
    client = store.connect(settings.mongodb_uri)
    database = store.database(client, settings.mongodb_database)
    repository, records, media = MongoRepository(database), MongoRecords(database), MongoMedia(database)

    async def prepare() -> None:
        await repository.ensure_indexes()
        await records.ensure_indexes()
        await media.ensure_indexes()

    probe = store.StoreProbe(database, prepare)
    health = Health()
    health.add("store", probe.healthy)
    try:
        await run_together(
            stop,
            health.serve(settings.health_host, settings.health_port, stop),
            probe.run(stop),
            _serve_http(
                settings,
                repository,
                records,
                insights=MongoInsights(database),
                media=media,
                feed=MongoFeed(database),
                health=health,
                stop=stop,
            ),
        )
    finally:
        await client.close()


async def _serve_http(
    settings: Settings,
    repository: MongoRepository,
    records: MongoRecords,
    *,
    insights: MongoInsights,
    media: MongoMedia,
    feed: MongoFeed,
    health: Health,
    stop: asyncio.Event,
) -> None:
    profiles = _profiles(settings)
    verifier = TokenVerifier(
        KeysFile(settings.jwt_keys_file) if settings.jwt_keys_file else KeysUrl(str(settings.jwt_jwks_url)),
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
    )
    health.add("keys", verifier.healthy)
    log_is_reached = asyncio.Event()
    health.add("log", lambda: None if log_is_reached.is_set() else "Kafka has not answered yet")
    # Two gateways on one machine must not take each other's name: it chooses where verdicts arrive.
    instance = f"gateway/{socket.gethostname()}/{os.getpid()}/{new_id('run')}"
    sender = await _unless(stop, CommandSender.connect(settings, source=instance))
    if sender is None:
        return
    publisher, webhooks = _publisher(settings), _webhooks(settings)
    streams = Streams(
        most=settings.most_streams, most_of_tenant=max(1, settings.most_streams // 20), seconds=settings.stream_seconds
    )
    replies = history = None
    try:
        replies = await _unless(stop, Replies.connect(settings, instance=instance))
        history = await _unless(stop, HistoryReader.connect(settings))
        if replies is None or history is None:
            return
        health.add("sender", lambda: None if sender.reachable() else "Kafka cannot be reached")
        health.add("replies", lambda: None if replies.alive() else "verdicts are not being read")
        log_is_reached.set()
        gateway = Gateway(
            dispatcher=Dispatcher(
                sender,
                replies,
                verdict_timeout=settings.verdict_timeout,
                max_in_flight=settings.max_in_flight,
                now=_now,
            ),
            repository=repository,
            idempotency=Idempotency(records),
            history=history,
            publisher=publisher,
            redirects=Redirects(settings.connect_redirect_uris, settings.public_url),
            insights=insights,
            refresh_every=timedelta(seconds=settings.analytics_refresh_every),
            weeks=PostingWeeks(insights, profiles),
            uploads=_uploads(settings, media),
            webhooks=webhooks,
            feed=feed,
            streams=streams,
            now=_now,
        )
        app = create_app(gateway, verifier=verifier, settings=settings)
        keys = asyncio.create_task(_keep_keys(verifier, stop))
        ending = asyncio.create_task(_end(streams, stop))
        try:
            await listen(app, settings, stop)
            stop.set()
        finally:
            await keys
            await ending
    finally:
        if isinstance(publisher, HttpPublisher):
            await publisher.close()
        if isinstance(webhooks, HttpWebhooks):
            await webhooks.close()
        for part in (history, replies, sender):
            if part is not None:
                await part.close()


def _profiles(settings: Settings) -> Profiles:
    """Raises ValueError, and OSError, for a file that will not do."""
    if settings.posting_profiles_file is None:
        return PROFILES
    return read_profiles(settings.posting_profiles_file.read_text("utf-8"))


def _uploads(settings: Settings, media: MongoMedia) -> Uploads | None:
    if settings.objects_url is None or settings.media_signing_keys_file is None:
        return None
    here = settings.public_url or f"http://{settings.gateway_host}:{settings.gateway_port}"
    return Uploads(
        objects=Objects.at(settings.objects_url),
        signer=Signer.from_file(settings.media_signing_keys_file, base_url=here),
        repository=media,
        max_image_bytes=settings.media_max_image_bytes,
        max_video_bytes=settings.media_max_video_bytes,
        url_lifetime=timedelta(seconds=settings.media_url_lifetime),
        image_patience=settings.media_image_patience,
        video_patience=settings.media_video_patience,
        body_timeout=settings.body_timeout,
    )


def _publisher(settings: Settings) -> Publisher:
    if settings.publisher_internal_url is None or settings.publisher_internal_secret_file is None:
        return NoPublisher()
    return HttpPublisher(settings.publisher_internal_url, read_secret(settings.publisher_internal_secret_file))


def _webhooks(settings: Settings) -> Webhooks:
    if settings.webhooks_internal_url is None or settings.webhooks_internal_secret_file is None:
        return NoWebhooks()
    return HttpWebhooks(settings.webhooks_internal_url, read_secret(settings.webhooks_internal_secret_file))


async def _end(streams: Streams, stop: asyncio.Event) -> None:
    """Requests in progress are waited for, and streams would be so for long."""
    await stop.wait()
    streams.ending.set()


class _Server(QuietServer):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[tuple[str, int]], None] | None) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._on_ready is not None:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._on_ready((host, port))


async def listen(
    app: ASGIApp,
    settings: Settings,
    stop: asyncio.Event,
    *,
    on_ready: Callable[[tuple[str, int]], None] | None = None,
) -> None:
    """Serves until `stop`, asks callers to leave, then finishes the requests in progress. `on_ready` learns the host
    and port.
    """
    config = uvicorn.Config(
        asking_to_leave(app, stop),
        host=settings.gateway_host,
        port=settings.gateway_port,
        interface="asgi3",
        http=BoundedHttp,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.drain_timeout,
    )
    server = _Server(config, on_ready)
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not serving.done():
        await asyncio.sleep(settings.drain_notice)
    server.should_exit = True
    await serving


async def _keep_keys(verifier: TokenVerifier, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await verifier.load()
        except KeysUnavailableError as error:
            log.warning("the issuer's keys cannot be read", reason=str(error))
        await _pause(KEYS_EVERY if verifier.healthy() is None else KEYS_RETRY, stop)


async def _unless(stop: asyncio.Event, work: Awaitable[T]) -> T | None:
    """The result of `work`, or None when `stop` comes first."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        stopping.cancel()


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


def _now() -> datetime:
    return datetime.now(UTC)
