"""The wiring diagram of the auditor."""

import asyncio
from datetime import UTC, datetime

from auditor.adapters.journal import PublisherJournal
from auditor.adapters.log import PostsLog
from auditor.adapters.store import MongoStore
from auditor.auditing import Auditor
from auditor.settings import Settings
from chassis import logs, store
from chassis.health import Health
from chassis.process import run_together


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    logs.configure("auditor", settings.log_level)
    client = store.connect(settings.mongodb_uri)
    database = store.database(client, settings.mongodb_database)
    probe = store.StoreProbe(database)
    reader = PostsLog(settings)
    auditor = Auditor(
        store=MongoStore(database),
        journal=PublisherJournal(database),
        reader=reader,
        bounds=settings.bounds,
        now=_now,
        check_every=settings.auditor_check_every,
        patrol=settings.auditor_patrol,
    )
    health = Health()
    health.add("log", auditor.healthy)
    health.add("store", probe.healthy)
    health.add_liveness("loop", auditor.turning)
    try:
        await run_together(
            stop,
            auditor.run(stop),
            probe.run(stop),
            health.serve(settings.health_host, settings.health_port, stop),
        )
    finally:
        await reader.close()
        await client.close()


def _now() -> datetime:
    return datetime.now(UTC)
