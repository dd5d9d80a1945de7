"""The wiring diagram of the publisher."""

import asyncio
import os
import socket
from datetime import timedelta

from chassis import logs, store
from chassis.health import Health
from chassis.process import run_together
from contracts.topics import publish_requests
from eventlog.jobs import JobConsumer
from eventlog.owner import AggregateOwner
from eventlog.sending import CommandSender
from publisher.adapters.accounts import MongoAccounts
from publisher.adapters.http import new_client
from publisher.adapters.journal import MongoJournal
from publisher.adapters.linkedin import LinkedInConnector
from publisher.adapters.media import MediaFetcher
from publisher.adapters.vault import Keyring, Vault
from publisher.adapters.x import XConnector
from publisher.domain.account import AccountAggregate
from publisher.domain.budgets import Budgets
from publisher.handlers import Publisher
from publisher.settings import Settings


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    logs.configure("publisher", settings.log_level)
    source = f"publisher/{socket.gethostname()}"
    keyring = Keyring.from_file(settings.vault_keys_file)
    client = store.connect(settings.mongodb_uri)
    database = store.database(client, settings.mongodb_database)
    journal = MongoJournal(database)
    fetcher = MediaFetcher(allow_private=settings.media_allow_private)
    x_client = new_client(settings.x_api_base, timeout=settings.publisher_call_timeout)
    linkedin_client = new_client(settings.linkedin_api_base, timeout=settings.publisher_call_timeout)
    sender = await CommandSender.connect(settings.kafka_bootstrap, source=source)
    publisher = Publisher(
        owner=f"{source}/{os.urandom(8).hex()}",
        journal=journal,
        accounts=MongoAccounts(database),
        tokens=Vault(database, keyring),
        connectors={
            "twitter": XConnector(
                x_client,
                settings.x_policy(),
                fetcher,
                Budgets(),
                credits_pause=timedelta(seconds=settings.x_credits_pause),
            ),
            "linkedin": LinkedInConnector(
                linkedin_client,
                settings.linkedin_policy(),
                fetcher,
                Budgets(),
                version=settings.linkedin_version,
                operator_pause=timedelta(seconds=settings.linkedin_operator_pause),
            ),
        },
        sender=sender,
    )
    jobs = JobConsumer(
        settings.kafka_bootstrap,
        [publish_requests(platform) for platform in settings.publisher_platforms],
        group="publisher",
        handle=publisher.handle,
        concurrency=settings.publisher_concurrency,
    )
    accounts = AggregateOwner(AccountAggregate(), bootstrap=settings.kafka_bootstrap, database=database, source=source)
    health = Health()
    health.add("accounts", accounts.healthy)
    health.add("jobs", jobs.healthy)
    health.add("kafka", lambda: None if sender.reachable() else "Kafka cannot be reached")
    health.add_liveness("loop", accounts.turning)
    try:
        await run_together(
            stop,
            _consume(journal, jobs, stop),
            accounts.run(stop),
            health.serve(settings.health_host, settings.health_port, stop),
        )
    finally:
        await sender.close()
        await x_client.aclose()
        await linkedin_client.aclose()
        await fetcher.close()
        await client.close()


async def _consume(journal: MongoJournal, jobs: JobConsumer, stop: asyncio.Event) -> None:
    await journal.prepare_patiently(stop)
    await jobs.run(stop)
