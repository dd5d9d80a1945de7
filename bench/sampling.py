"""Folding samples, beside a loop that consumes and writes a document for each; what questions cost as posts grow."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import bare
import httpx
from figures import Figure, percentile
from system import API, TENANT, System

from analytics.adapters.models import MongoModels
from analytics.projecting import Projector
from analytics.rebuild import fold_again
from chassis import store
from contracts.collecting import PostMeasured, PostTracked
from contracts.messages import Message
from contracts.topics import METRICS_SAMPLES
from contracts.wire import Envelope, pack
from eventlog.kafka import KafkaEventLog, partition_count
from eventlog.ports import Outgoing

GROUP = "analytics"
ACCOUNTS = 32
DAYS = 30
QUESTIONS = 300
CHUNK = 2_000


async def measure(system: System, few: int, many: int) -> Sequence[Figure]:
    """Query latency at `few` posts, then at `many`; folding is measured on what that takes."""
    log = await KafkaEventLog(system.bootstrap, METRICS_SAMPLES, "bench").start()
    client = store.connect(system.stack.mongodb_uri)
    database = store.database(client, system.stack.settings.mongodb_database)
    figures: list[Figure] = []
    before: dict[str, float] = {}
    made = 0
    for posts in (few, many):
        await _append(log, range(made, posts))
        made = posts
        models = MongoModels(database)
        await models.prepare()
        await _all_folded(database, posts)
        for name, path in _questions().items():
            p99 = await asyncio.to_thread(_ask, system, path)
            figures.append(
                Figure(
                    group=GROUP,
                    name=f"{name}, p99 at {posts:,} posts",
                    value=p99,
                    unit="ms",
                    ratio=None if name not in before else p99 / before[name],
                    to=None if name not in before else f"that at {few:,}",
                )
            )
            before[name] = p99
    figures += await _folding(system, log, database)
    await log.close()
    await client.close()
    return figures


async def _folding(system: System, log: KafkaEventLog, database: Any) -> list[Figure]:
    """Everything again from the log into other collections."""
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
    ]


async def _append(log: KafkaEventLog, numbers: range) -> None:
    """Each post is tracked, and measured twice; in the order in which things happen to an account."""
    now = datetime.now(UTC)
    outgoing: list[Outgoing] = []
    for number in numbers:
        chance = random.Random(number)
        account = f"acc_bench{number % ACCOUNTS:02}"
        published = now - timedelta(days=1 + chance.uniform(0, DAYS - 2))
        what: dict[str, Any] = {
            "tenant_id": TENANT,
            "account_id": account,
            "platform": "twitter",
            "post_id": f"post_bench{number:07}",
            "target_id": f"twitter:{account}",
            "published_at": published,
            "content_type": "text",
        }
        outgoing.append(_sample(account, f"{number}t", PostTracked(**what, first=True, first_on_platform=True)))
        impressions = chance.randint(200, 20_000)
        for share, age in ((0.4, 1), (1.0, 20)):
            counters = {
                "impression_count": int(impressions * share),
                "like_count": int(impressions * share * 0.02),
                "retweet_count": int(impressions * share * 0.003),
                "reply_count": int(impressions * share * 0.002),
            }
            sample = PostMeasured(**what, observed_at=published + timedelta(hours=age), counters=counters)
            outgoing.append(_sample(account, f"{number}m{age}", sample))
        if len(outgoing) >= CHUNK:
            await log.publish(outgoing)
            outgoing = []
    await log.publish(outgoing)


def _sample(account: str, id_: str, message: Message) -> Outgoing:
    envelope = Envelope(id=f"smp_{id_}", source="bench", subject=account, time=datetime.now(UTC), tenant_id=TENANT)
    headers, value = pack(message, envelope)
    return Outgoing(topic=METRICS_SAMPLES, key=account, headers=headers, value=value)


async def _all_folded(database: Any, posts: int) -> None:
    while True:
        days = database["analytics_days"].find({"tenant_id": TENANT}, {"measured": 1})
        if sum([day["measured"] async for day in days]) >= posts:
            return
        await asyncio.sleep(0.5)


def _questions() -> dict[str, str]:
    today = datetime.now(UTC).date()
    return {
        "distribution of 30 days": f"/distribution/metrics?start_date={today - timedelta(days=DAYS)}&end_date={today}",
        "distribution of 7 days in Kolkata": (
            f"/distribution/metrics?start_date={today - timedelta(days=7)}&end_date={today}&timezone=Asia/Kolkata"
        ),
        "optimal times": "/scheduling/optimal-times?platform=twitter&timezone=Europe/Paris",
    }


def _ask(system: System, path: str) -> float:
    """Milliseconds that 99 of 100 answers need, one after the other."""
    with httpx.Client(base_url=f"http://{system.host}:{system.port}{API}", trust_env=False, timeout=60) as client:
        took = []
        for _ in range(QUESTIONS):
            began = time.perf_counter()
            client.get(path, headers=system.headers).raise_for_status()
            took.append((time.perf_counter() - began) * 1_000)
    return percentile(took, 99)
