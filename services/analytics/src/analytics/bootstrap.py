"""The wiring diagram of the analytics service."""

import asyncio
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog
from pymongo.errors import PyMongoError

from analytics.adapters.announcing import KafkaAnnouncer
from analytics.adapters.models import MongoModels
from analytics.adapters.plans import MongoPlans
from analytics.adapters.samples import GROUP, SampleConsumer
from analytics.adapters.states import MongoStates
from analytics.domain.ages import PLANNED
from analytics.planning import Planner
from analytics.projecting import Projector, Recorded
from analytics.settings import Settings
from analytics.tracking import Tracker
from chassis import logs, store
from chassis.health import Health
from chassis.process import run_together
from contracts.collecting import NotMeasured
from contracts.topics import ACCOUNTS_EVENTS, ANALYTICS_COMMANDS, METRICS_SAMPLES, POSTS_EVENTS
from eventlog.jobs import JobConsumer
from eventlog.kafka import KafkaEventLog

log = structlog.get_logger()


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    logs.configure("analytics", settings.log_level)
    source = f"analytics/{socket.gethostname()}"
    client = store.connect(settings.mongodb_uri)
    database = store.database(client, settings.mongodb_database)
    models, plans = MongoModels(database), MongoPlans(database)
    outgoing = await KafkaEventLog(settings, METRICS_SAMPLES, client_id=source).start()
    announcer = KafkaAnnouncer(outgoing, source)
    ages = settings.ages or PLANNED
    tracker = Tracker(
        states=MongoStates(database),
        plans=plans,
        announcer=announcer,
        platforms=settings.analytics_platforms,
        now=_now,
        ages=ages,
        mentions=settings.analytics_mentions_every > 0,
        refresh_every=timedelta(seconds=settings.analytics_refresh_every),
    )
    planner = Planner(
        plans=plans,
        models=models,
        announcer=announcer,
        now=_now,
        ages=ages,
        followers_every=timedelta(seconds=settings.analytics_followers_every),
        mentions_every=timedelta(seconds=settings.analytics_mentions_every),
        poll=settings.analytics_poll,
    )
    projector = Projector(models, announcer)

    async def fold(records: Sequence[Recorded]) -> None:
        await projector.fold(records)
        for record in records:
            if isinstance(record.sample, NotMeasured):
                await planner.not_measured(record.sample)

    samples = SampleConsumer(settings, group=GROUP, fold=fold, batch=settings.analytics_batch)
    happenings = JobConsumer(
        settings,
        [POSTS_EVENTS, ACCOUNTS_EVENTS, ANALYTICS_COMMANDS],
        group="analytics",
        handle=tracker.handle,
        concurrency=32,
    )
    probe = store.StoreProbe(database)
    health = Health()
    health.add("store", probe.healthy)
    health.add("happenings", happenings.healthy)
    health.add("samples", samples.healthy)
    health.add_liveness("planner", planner.healthy)
    try:
        await run_together(
            stop,
            _prepared(models, plans, (happenings, samples, planner), stop),
            probe.run(stop),
            health.serve(settings.health_host, settings.health_port, stop),
        )
    finally:
        await outgoing.close()
        await client.close()


async def _prepared(
    models: MongoModels,
    plans: MongoPlans,
    loops: tuple[JobConsumer, SampleConsumer, Planner],
    stop: asyncio.Event,
) -> None:
    while not stop.is_set():
        try:
            await models.prepare()
            await plans.prepare()
        except PyMongoError as error:
            log.warning("the store cannot be reached", reason=type(error).__name__)
            await asyncio.sleep(1)
        else:
            await run_together(stop, *(loop.run(stop) for loop in loops))


def _now() -> datetime:
    return datetime.now(UTC)
