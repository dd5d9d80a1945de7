"""Folding samples, beside a loop that consumes and writes a document for each; what questions cost as posts grow."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import bare
import httpx
import pymongo
from figures import Figure, percentile
from system import API, TENANT, System

from analytics.adapters.models import MongoModels
from analytics.projecting import Projector, Recorded
from analytics.rebuild import fold_again
from chassis import store
from contracts.collecting import PostMeasured, PostTracked
from contracts.topics import METRICS_SAMPLES
from contracts.wire import Envelope, pack
from eventlog.kafka import KafkaEventLog, partition_count
from eventlog.ports import Outgoing

GROUP = "analytics"
ACCOUNTS = 32
DAYS = 30
CHUNK = 2_000
SLOW = 600.0
"""Seconds a call may take here: what is measured is how fast the store is, not whether it is."""
BEYOND = 1_000_000_000
"""An offset that the log does not reach."""


async def measure(system: System, few: int, many: int, *, ingested: int, questions: int) -> Sequence[Figure]:
    """Query latency at `few` posts, then at `many`. The samples of the first `ingested` of them go over the log."""
    log = await KafkaEventLog(system.bootstrap, METRICS_SAMPLES, "bench").start()
    client = store.connect(system.stack.mongodb_uri)
    database = store.database(client, system.stack.settings.mongodb_database)
    try:
        with pymongo.timeout(SLOW):
            await _append(log, range(few))
            await _all_folded(system, few)
            before = await _asked(system, few, questions)
            began = time.perf_counter()
            await _append(log, range(few, ingested))
            await _all_folded(system, ingested)
            service = (ingested - few) * SAMPLES_OF_A_POST / (time.perf_counter() - began)
            folding = await _folding(system, log, database, service)
            await _fill(MongoModels(database), range(ingested, many))
            after = await _asked(system, many, questions)
    finally:
        await log.close()
        await client.close()
    grown = [
        Figure(group=GROUP, name=now.name, value=now.value, unit="ms", ratio=now.value / then.value, to=f"at {few:,}")
        for then, now in zip(before, after, strict=True)
    ]
    return [*folding, *before, *grown]


async def _folding(system: System, log: KafkaEventLog, database: Any, service: float) -> list[Figure]:
    """Everything again from the log into other collections, one after the other on the same records."""
    document = {"position": 0, "tenant_id": TENANT, "post_id": "post", "state": b"x" * 300}
    loop = await bare.consume_and_write(system.bootstrap, METRICS_SAMPLES, database["bench_bare"], document)
    models = MongoModels(database, suffix="_bench")
    await models.prepare()
    began, count = time.perf_counter(), 0
    for partition in range(await partition_count(system.bootstrap, METRICS_SAMPLES)):
        count += await fold_again(log, partition, Projector(models, None))
    ours = count / (time.perf_counter() - began)
    return [
        Figure(group=GROUP, name="consume and bulk write, nothing else", value=loop, unit="samples/s"),
        Figure(
            group=GROUP,
            name=f"fold {count:,} samples into posts, days and accounts",
            value=ours,
            unit="samples/s",
            ratio=ours / loop,
            to="that loop",
        ),
        Figure(
            group=GROUP,
            name="ingested by the service while they are appended",
            value=service,
            unit="samples/s",
            ratio=service / loop,
            to="that loop",
        ),
    ]


async def _fill(models: MongoModels, numbers: range) -> None:
    """Folds these posts' samples without the log, as the service folds them, an account after the other."""
    projector = Projector(models, None)
    for account in range(ACCOUNTS):
        own = [number for number in numbers if number % ACCOUNTS == account]
        for start in range(0, len(own), CHUNK):
            await projector.fold(
                [
                    Recorded(offset=BEYOND + number * SAMPLES_OF_A_POST + place, sample_id=id_, sample=sample)
                    for number in own[start : start + CHUNK]
                    for place, (id_, sample) in enumerate(_samples(number))
                ]
            )


SAMPLES_OF_A_POST = 3
_NOW = datetime.now(UTC)


def _samples(number: int) -> Iterator[tuple[str, PostTracked | PostMeasured]]:
    """Each post is tracked, and measured twice, with the ids of its samples."""
    chance = random.Random(number)
    account = f"acc_bench{number % ACCOUNTS:02}"
    published = _NOW - timedelta(days=1 + chance.uniform(0, DAYS - 2))
    what: dict[str, Any] = {
        "tenant_id": TENANT,
        "account_id": account,
        "platform": "twitter",
        "post_id": f"post_bench{number:07}",
        "target_id": f"twitter:{account}",
        "published_at": published,
        "content_type": "text",
    }
    yield f"smp_{number}t", PostTracked(**what, first=True, first_on_platform=True)
    impressions = chance.randint(200, 20_000)
    for share, age in ((0.4, 1), (1.0, 20)):
        counters = {
            "impression_count": int(impressions * share),
            "like_count": int(impressions * share * 0.02),
            "retweet_count": int(impressions * share * 0.003),
            "reply_count": int(impressions * share * 0.002),
        }
        observed_at = published + timedelta(hours=age)
        yield f"smp_{number}m{age}", PostMeasured(**what, observed_at=observed_at, counters=counters)


async def _append(log: KafkaEventLog, numbers: range) -> None:
    outgoing: list[Outgoing] = []
    for number in numbers:
        for id_, sample in _samples(number):
            account = sample.account_id
            envelope = Envelope(id=id_, source="bench", subject=account, time=_NOW, tenant_id=TENANT)
            headers, value = pack(sample, envelope)
            outgoing.append(Outgoing(topic=METRICS_SAMPLES, key=account, headers=headers, value=value))
        if len(outgoing) >= CHUNK:
            await log.publish(outgoing)
            outgoing = []
    await log.publish(outgoing)


async def _all_folded(system: System, posts: int) -> None:
    """By the service's own count, which costs the store nothing."""
    url = f"http://127.0.0.1:{system.stack.settings.analytics_health_port}/metrics"
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            with suppress(httpx.TransportError):
                found = _MEASURED.search((await client.get(url)).text)
                if found is not None and float(found[1]) >= posts * (SAMPLES_OF_A_POST - 1):
                    return
            await asyncio.sleep(0.1)


_MEASURED = re.compile(r'^analytics_samples_total\{type="metrics.post_measured.v1"\} (\S+)$', re.MULTILINE)


async def _asked(system: System, posts: int, questions: int) -> list[Figure]:
    return [
        Figure(
            group=GROUP,
            name=f"{name}, p99 at {posts:,} posts",
            value=await asyncio.to_thread(_ask, system, path, questions),
            unit="ms",
        )
        for name, path in _questions().items()
    ]


def _questions() -> dict[str, str]:
    today = datetime.now(UTC).date()
    return {
        "distribution of 30 days": f"/distribution/metrics?start_date={today - timedelta(days=DAYS)}&end_date={today}",
        "distribution of 7 days in Kolkata": (
            f"/distribution/metrics?start_date={today - timedelta(days=7)}&end_date={today}&timezone=Asia/Kolkata"
        ),
        "optimal times": "/scheduling/optimal-times?platform=twitter&timezone=Europe/Paris",
    }


def _ask(system: System, path: str, questions: int) -> float:
    """Milliseconds that 99 of 100 answers need, one after the other."""
    with httpx.Client(base_url=f"http://{system.host}:{system.port}{API}", trust_env=False, timeout=60) as client:
        took = []
        for _ in range(questions):
            began = time.perf_counter()
            client.get(path, headers=system.headers).raise_for_status()
            took.append((time.perf_counter() - began) * 1_000)
    return percentile(took, 99)
