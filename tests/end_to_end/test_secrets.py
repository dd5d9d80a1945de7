"""A token goes into the vault and to its platform, and nowhere else: into no log, topic, document, metric or answer.

That it is in no span either is shown in `tests/tracing`, where spans are recorded.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pymongo
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.ids import new_id
from contracts.topics import all_topics
from localstack.services import SERVICES

pytestmark = pytest.mark.stack


def test_a_token_is_nowhere_to_be_seen(stack: Any, stranger: Any, connect_with: Any, eventually: Any) -> None:
    canary = new_id("canary")
    assert canary not in connect_with(stranger.tenant, canary)

    # The platform does not know the token, so every path that could quote it is taken.
    body = {"content": {"text": f"Nobody {new_id('n')}"}, "platforms": [{"platform": "twitter"}]}
    publication = stranger.post("/publish", body, status=201)
    post_id = publication["post_id"]
    eventually(
        lambda: (
            stranger.get(f"/publish/{publication['publish_id']}")["platforms"][0]["status"] in {"deferred", "failed"}
        )
    )
    for path in (f"/posts/{post_id}", f"/posts/{post_id}/history", "/accounts"):
        assert canary not in stranger.request("GET", path).text
    for service in SERVICES:
        assert canary not in stack.logs(service), service
    metrics = httpx.get(f"http://127.0.0.1:{stack.settings.publisher_health_port}/metrics", trust_env=False)
    assert canary not in metrics.text
    assert asyncio.run(_topics_with(stack.kafka_bootstrap, stack.settings.topic_partitions, canary.encode())) == set()
    assert _collections_with(stack, canary) == set()


async def _topics_with(bootstrap: str, count: int, needle: bytes) -> set[str]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [
            TopicPartition(topic.name, number) for topic in all_topics(count) for number in range(topic.partitions)
        ]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        found: set[str] = set()
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for tp, records in (await consumer.getmany(timeout_ms=500)).items():
                if any(needle in (record.value or b"") or needle in str(record.headers).encode() for record in records):
                    found.add(tp.topic)
        return found
    finally:
        await consumer.stop()


def _collections_with(stack: Any, needle: str) -> set[str]:
    with pymongo.MongoClient[dict[str, Any]](stack.mongodb_uri) as client:
        database = client[stack.database]
        return {
            name
            for name in database.list_collection_names()
            if any(needle in repr(document) for document in database[name].find())
        }
