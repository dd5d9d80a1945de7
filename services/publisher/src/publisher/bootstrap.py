"""The wiring diagram of the publisher."""

import asyncio
import os
import socket
from datetime import timedelta

import httpx
import structlog
from pymongo.errors import PyMongoError

from chassis import logs, store
from chassis.health import Health
from chassis.internal_http import listen
from chassis.process import run_together
from chassis.sealing import Keyring
from chassis.secret_files import read_secret
from contracts.topics import METRICS_SAMPLES, collect_requests, publish_requests
from eventlog.jobs import JobConsumer
from eventlog.kafka import KafkaEventLog
from eventlog.owner import AggregateOwner
from eventlog.sending import CommandSender
from objects.signing import Signer
from objects.store import Objects
from publisher.adapters.account_log import AccountLog
from publisher.adapters.accounts import MongoAccounts
from publisher.adapters.attempts import Attempts
from publisher.adapters.facebook import FacebookConnector
from publisher.adapters.http import new_client, utc_now
from publisher.adapters.instagram import InstagramConnector
from publisher.adapters.journal import MongoJournal
from publisher.adapters.linkedin import LinkedInConnector
from publisher.adapters.media import MediaFetcher
from publisher.adapters.metrics.linkedin import LinkedInMetrics
from publisher.adapters.metrics.meta import FacebookMetrics, InstagramMetrics
from publisher.adapters.metrics.tiktok import TikTokMetrics
from publisher.adapters.metrics.x import XMetrics
from publisher.adapters.metrics.youtube import YouTubeMetrics
from publisher.adapters.oauth.registry import providers
from publisher.adapters.renewal import FreshTokens
from publisher.adapters.tiktok import TikTokConnector
from publisher.adapters.uploads import MongoAssets, Uploads
from publisher.adapters.vault import Vault
from publisher.adapters.x import XConnector
from publisher.adapters.youtube import YouTubeConnector
from publisher.collecting import Collector, MetricsReader
from publisher.connecting import Connecting
from publisher.domain.account import AccountAggregate
from publisher.domain.budgets import Budgets
from publisher.entrypoints import internal
from publisher.handlers import Publisher
from publisher.keeping import Keeper
from publisher.ports import Connector
from publisher.settings import Settings

log = structlog.get_logger()


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    logs.configure("publisher", settings.log_level)
    source = f"publisher/{socket.gethostname()}"
    keyring = Keyring.from_file(settings.vault_keys_file)
    client = store.connect(settings.mongodb_uri)
    database = store.database(client, settings.mongodb_database)
    journal = MongoJournal(database)
    signer = _signer(settings)
    fetcher = _fetcher(settings, signer)
    clients = _Clients(settings)
    sender = await CommandSender.connect(settings, source=source)
    ways_to_log_in = providers(settings, clients.oauth)
    vault, attempts = Vault(database, keyring), Attempts(database, keyring)
    tokens = FreshTokens(vault, ways_to_log_in)
    account_log = AccountLog(database, sender)
    known_accounts = MongoAccounts(database)
    connectors = _connectors(settings, clients, fetcher)
    publisher = Publisher(
        owner=f"{source}/{os.urandom(8).hex()}",
        journal=journal,
        accounts=known_accounts,
        tokens=tokens,
        connectors=connectors,
        sender=sender,
        uploads=Uploads(MongoAssets(database), signer),
    )
    jobs = JobConsumer(
        settings,
        [publish_requests(platform) for platform in settings.publisher_platforms],
        group="publisher",
        handle=publisher.handle,
        concurrency=settings.publisher_concurrency,
    )
    samples = await KafkaEventLog(settings, METRICS_SAMPLES, client_id=f"{source}-samples").start()
    collector = Collector(
        accounts=known_accounts,
        tokens=tokens,
        readers=_readers(settings, clients),
        connectors=connectors,
        outbox=samples,
        source=source,
        now=utc_now,
        is_publishing=lambda: jobs.queued >= settings.publisher_collect_below,
    )
    collecting = JobConsumer(
        settings,
        [collect_requests(platform) for platform in settings.publisher_platforms],
        group="publisher-collecting",
        handle=collector.handle,
        concurrency=settings.publisher_collect_concurrency,
    )
    accounts = AggregateOwner(AccountAggregate(), kafka=settings, database=database, source=source)
    keeper = Keeper(
        vault=vault,
        tokens=tokens,
        providers=ways_to_log_in,
        accounts=account_log,
        every=settings.publisher_keep_every,
    )
    connecting = Connecting(
        providers=ways_to_log_in, attempts=attempts, vault=vault, tokens=tokens, accounts=account_log
    )
    probe = store.StoreProbe(database)
    health = Health()
    health.add("store", probe.healthy)
    health.add("accounts", accounts.healthy)
    health.add("jobs", jobs.healthy)
    health.add("collecting", collecting.healthy)
    health.add("kafka", lambda: None if sender.reachable() else "Kafka cannot be reached")
    health.add_liveness("loop", accounts.turning)
    try:
        await run_together(
            stop,
            _consume(journal, jobs, stop),
            collecting.run(stop),
            accounts.run(stop),
            _keep(vault, attempts, keeper, stop),
            _listen(settings, connecting, stop),
            probe.run(stop),
            health.serve(settings.health_host, settings.health_port, stop),
        )
    finally:
        await sender.close()
        await clients.close()
        await samples.close()
        await fetcher.close()
        await client.close()


class _Clients:
    """One for each host, closed together."""

    def __init__(self, settings: Settings) -> None:
        self._opened: list[httpx.AsyncClient] = []
        patience = settings.publisher_call_timeout
        self.x = self._open(settings.x_api_base, patience)
        self.linkedin = self._open(settings.linkedin_api_base, patience)
        self.facebook = self._open(settings.facebook_api_base, patience)
        self.instagram = self._open(settings.instagram_api_base, patience)
        self.rupload = self._open(settings.meta_rupload_base, patience)
        self.tiktok = self._open(settings.tiktok_api_base, settings.tiktok_call_timeout)
        self.youtube = self._open(settings.youtube_api_base, settings.youtube_call_timeout)
        self.youtube_analytics = self._open(settings.youtube_analytics_base, patience)
        self.oauth = self._open("", settings.oauth_timeout)

    def _open(self, base_url: str, timeout: float) -> httpx.AsyncClient:
        client = new_client(base_url, timeout=timeout)
        self._opened.append(client)
        return client

    async def close(self) -> None:
        for client in self._opened:
            await client.aclose()


def _connectors(settings: Settings, clients: _Clients, fetcher: MediaFetcher) -> dict[str, Connector]:
    return {
        "twitter": XConnector(
            clients.x,
            settings.x_policy(),
            fetcher,
            Budgets(),
            credits_pause=timedelta(seconds=settings.x_credits_pause),
        ),
        "linkedin": LinkedInConnector(
            clients.linkedin,
            settings.linkedin_policy(),
            fetcher,
            Budgets(),
            version=settings.linkedin_version,
            operator_pause=timedelta(seconds=settings.linkedin_operator_pause),
            poll_in_weeks=settings.linkedin_poll_in_weeks,
        ),
        "tiktok": TikTokConnector(
            clients.tiktok,
            settings.tiktok_policy(),
            fetcher,
            Budgets(),
            pull_prefixes=settings.tiktok_pull_prefixes,
            cap_pause=timedelta(seconds=settings.tiktok_cap_pause),
            id_patience=timedelta(seconds=settings.tiktok_id_patience),
        ),
        "facebook": FacebookConnector(
            clients.facebook,
            clients.rupload,
            settings.facebook_policy(),
            fetcher,
            Budgets(),
            version=settings.facebook_version,
            app_id=settings.facebook_app_id,
            spam_pause=timedelta(seconds=settings.meta_spam_pause),
        ),
        "instagram": InstagramConnector(
            clients.facebook,
            clients.instagram,
            clients.rupload,
            settings.instagram_policy(),
            fetcher,
            budgets=Budgets(),
            facebook_version=settings.facebook_version,
            instagram_version=settings.instagram_version,
            delivery=settings.instagram_delivery,
            quota_pause=timedelta(seconds=settings.instagram_quota_pause),
            spam_pause=timedelta(seconds=settings.meta_spam_pause),
        ),
        "youtube": YouTubeConnector(
            clients.youtube,
            settings.youtube_policy(),
            fetcher,
            Budgets(),
            chunk_bytes=settings.youtube_chunk_bytes,
            video_bytes=settings.youtube_video_bytes,
            session_lifetime=timedelta(seconds=settings.youtube_session_lifetime),
            operator_pause=timedelta(seconds=settings.youtube_operator_pause),
        ),
    }


def _readers(settings: Settings, clients: _Clients) -> dict[str, MetricsReader]:
    return {
        "twitter": XMetrics(clients.x),
        "linkedin": LinkedInMetrics(clients.linkedin, version=settings.linkedin_version),
        "tiktok": TikTokMetrics(clients.tiktok),
        "facebook": FacebookMetrics(clients.facebook, version=settings.facebook_version),
        "instagram": InstagramMetrics(
            clients.facebook,
            clients.instagram,
            facebook_version=settings.facebook_version,
            instagram_version=settings.instagram_version,
        ),
        "youtube": YouTubeMetrics(clients.youtube, clients.youtube_analytics),
    }


async def _consume(journal: MongoJournal, jobs: JobConsumer, stop: asyncio.Event) -> None:
    await journal.prepare_patiently(stop)
    await jobs.run(stop)


async def _keep(vault: Vault, attempts: Attempts, keeper: Keeper, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await vault.prepare()
            await attempts.prepare()
        except PyMongoError as error:
            log.warning("the store cannot be reached", reason=type(error).__name__)
            await asyncio.sleep(1)
        else:
            await keeper.run(stop)


async def _listen(settings: Settings, connecting: Connecting, stop: asyncio.Event) -> None:
    if settings.publisher_internal_port is None or settings.publisher_internal_secret_file is None:
        return
    app = internal.create_app(connecting, secret=read_secret(settings.publisher_internal_secret_file))
    await listen(app, settings.publisher_internal_host, settings.publisher_internal_port, stop)


def _fetcher(settings: Settings, signer: Signer | None) -> MediaFetcher:
    objects = None if settings.objects_url is None else Objects.at(settings.objects_url)
    return MediaFetcher(allow_private=settings.media_allow_private, objects=objects, signer=signer)


def _signer(settings: Settings) -> Signer | None:
    """Without a key, or an address that platforms reach, uploads cannot be published."""
    if settings.media_signing_keys_file is None or settings.public_url is None:
        return None
    return Signer.from_file(settings.media_signing_keys_file, base_url=settings.public_url)
