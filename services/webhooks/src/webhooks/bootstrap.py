"""The wiring diagram of the webhooks service."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from pymongo.errors import PyMongoError

from chassis import logs, store
from chassis.health import Health
from chassis.internal_http import listen
from chassis.process import run_together
from chassis.sealing import Keyring
from chassis.secret_files import read_secret
from contracts.ids import new_id
from contracts.topics import ENDPOINTS_COMMANDS, partition_for
from eventlog.kafka import Cluster, partition_count
from eventlog.owner import AggregateOwner
from eventlog.replies import Replies
from eventlog.sending import CommandSender
from guarded.client import GuardedClient
from guarded.urls import ANYWHERE, PUBLIC_HTTPS
from webhooks.adapters.deliveries import MongoDeliveries
from webhooks.adapters.endpoints import EndpointLog, MongoEndpoints, MongoStandings
from webhooks.adapters.feed import MongoFeed
from webhooks.adapters.keys import MongoSigners
from webhooks.delivering import Courier, Limits
from webhooks.domain.endpoint import EndpointAggregate
from webhooks.entrypoints import internal
from webhooks.entrypoints.events import EventConsumer
from webhooks.entrypoints.pruning import Pruner
from webhooks.managing import LogDisabler, Managing
from webhooks.recording import Recorder
from webhooks.settings import Settings

log = structlog.get_logger()

USER_AGENT = "social-publishing-webhooks/1"


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    logs.configure("webhooks", settings.log_level)
    keyring = Keyring.from_file(settings.webhooks_keys_file)
    source = f"webhooks/{socket.gethostname()}"
    # Two of us on one machine must not take each other's name: it chooses where verdicts arrive.
    instance = f"{source}/{os.getpid()}/{new_id('run')}"
    client = store.connect(settings.mongodb_uri)
    database = store.database(client, settings.mongodb_database)
    sender = await CommandSender.connect(settings, source=instance)
    replies = await Replies.connect(settings, instance=instance)
    partition_of = await _partitioning(settings)
    http = GuardedClient(ANYWHERE if settings.webhooks_allow_private else PUBLIC_HTTPS, user_agent=USER_AGENT)

    signers = MongoSigners(database, keyring)
    endpoints = MongoEndpoints(database, signers, now=_now)
    deliveries, feed = MongoDeliveries(database), MongoFeed(database)
    endpoint_log = EndpointLog(sender, replies)
    owner = AggregateOwner(EndpointAggregate(), kafka=settings, database=database, source=source)
    courier = Courier(
        deliveries=deliveries,
        targets=endpoints,
        standings=MongoStandings(database),
        sender=http,
        disabler=LogDisabler(endpoint_log),
        owned=owner.owned,
        partition_of=partition_of,
        now=_now,
        limits=Limits(
            attempt_seconds=settings.webhooks_attempt_seconds,
            most_open=settings.webhooks_most_open,
            patience=timedelta(days=settings.webhooks_patience_days),
        ),
    )
    recorder = Recorder(
        endpoints=endpoints,
        queue=deliveries,
        feed=feed,
        couriers=courier,
        partition_of=partition_of,
        now=_now,
    )
    managing = Managing(
        endpoints=endpoints,
        signers=signers,
        deliveries=deliveries,
        feed=feed,
        endpoint_log=endpoint_log,
        urls=http,
        partition_of=partition_of,
        most_endpoints=settings.webhooks_most_endpoints,
        now=_now,
        notice=partial(courier.notice, anew=True),
    )
    pruner = Pruner(
        deliveries=deliveries,
        feed=feed,
        deliveries_kept=timedelta(days=settings.webhooks_deliveries_days),
        feed_kept=timedelta(days=settings.webhooks_feed_days),
        now=_now,
    )
    events = EventConsumer(settings, recorder)
    probe = store.StoreProbe(database)
    health = Health()
    health.add("store", probe.healthy)
    health.add("endpoints", owner.healthy)
    health.add("events", events.healthy)
    health.add("kafka", lambda: None if sender.reachable() else "Kafka cannot be reached")
    health.add("replies", lambda: None if replies.alive() else "verdicts are not being read")
    health.add_liveness("loop", owner.turning)

    async def work() -> None:
        if not await _prepare(stop, endpoints.prepare, signers.prepare, deliveries.prepare, feed.prepare):
            return
        # Partitions are given away only once nothing is sent for their endpoints any more.
        owning = asyncio.Event()
        delivering = asyncio.create_task(_then(courier.run(stop), owning.set))
        await run_together(stop, _joined(delivering), owner.run(owning), events.run(stop), pruner.run(stop))

    try:
        await run_together(
            stop,
            work(),
            _listen(settings, managing, stop),
            probe.run(stop),
            health.serve(settings.health_host, settings.health_port, stop),
        )
    finally:
        await http.close()
        await replies.close()
        await sender.close()
        await client.close()


async def _then(first: Awaitable[None], after: Callable[[], None]) -> None:
    try:
        await first
    finally:
        after()


async def _joined(task: "asyncio.Task[None]") -> None:
    await task


async def _partitioning(kafka: Cluster) -> Callable[[str], int]:
    while (count := await partition_count(kafka, ENDPOINTS_COMMANDS)) == 0:  # noqa: ASYNC110  # nothing tells us
        await asyncio.sleep(0.5)
    return lambda endpoint_id: partition_for(endpoint_id, count)


async def _prepare(stop: asyncio.Event, *steps: Callable[[], Awaitable[None]]) -> bool:
    """The store may come later than we. False when `stop` came first."""
    while not stop.is_set():
        try:
            for step in steps:
                await step()
        except PyMongoError as error:
            log.warning("waiting for the store", reason=type(error).__name__)
            await asyncio.sleep(1)
        else:
            return True
    return False


async def _listen(settings: Settings, managing: Managing, stop: asyncio.Event) -> None:
    if settings.webhooks_internal_port is None or settings.webhooks_internal_secret_file is None:
        return
    app = internal.create_app(managing, secret=read_secret(settings.webhooks_internal_secret_file))
    await listen(app, settings.webhooks_internal_host, settings.webhooks_internal_port, stop)


def _now() -> datetime:
    return datetime.now(UTC)
