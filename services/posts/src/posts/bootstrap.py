"""The wiring diagram of the posts service."""

import asyncio
import socket

from chassis import logs, store
from chassis.health import Health
from chassis.process import run_together
from chassis.settings import ServiceSettings
from eventlog.owner import AggregateOwner
from posts.domain.post import PostAggregate


async def serve(settings: ServiceSettings, stop: asyncio.Event) -> None:
    logs.configure("posts", settings.log_level)
    client = store.connect(settings.mongodb_uri)
    database = store.database(client, settings.mongodb_database)
    probe = store.StoreProbe(database)
    owner = AggregateOwner(
        PostAggregate(),
        kafka=settings,
        database=database,
        source=f"posts/{socket.gethostname()}",
    )
    health = Health()
    health.add("owner", owner.healthy)
    health.add("store", probe.healthy)
    health.add_liveness("loop", owner.turning)
    try:
        await run_together(
            stop,
            owner.run(stop),
            probe.run(stop),
            health.serve(settings.health_host, settings.health_port, stop),
        )
    finally:
        await client.close()
