"""The same machine without us: what our figures are set beside."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from pymongo import InsertOne

from eventlog.kafka import producer

BATCH = 500


async def produce(
    bootstrap: str, topic: str, value: bytes, *, at_once: int, seconds: float
) -> tuple[float, list[float]]:
    """Acknowledged records per second and their latencies, with this many senders waiting for each of theirs."""
    client = producer(bootstrap, "bench-produce")
    await client.start()
    latencies: list[float] = []
    began = time.perf_counter()

    async def one() -> None:
        while time.perf_counter() - began < seconds:
            sent = time.perf_counter()
            await client.send_and_wait(topic, value, partition=0)
            latencies.append(time.perf_counter() - sent)

    try:
        await asyncio.gather(*(one() for _ in range(at_once)))
        return len(latencies) / (time.perf_counter() - began), latencies
    finally:
        await client.stop()


async def consume_and_append(bootstrap: str, source: str, target: str, count: int) -> float:
    """Records per second: fetched, appended batch by batch to the partition of the same number, committed."""
    consumer = _consumer(bootstrap, group=f"bench-{time.time_ns()}")
    client: AIOKafkaProducer = producer(bootstrap, "bench-append")
    await client.start()
    await consumer.start()
    consumer.assign([TopicPartition(source, number) for number in range(await _partitions(client, source))])
    done = 0
    began = 0.0
    try:
        while done < count:
            fetched = await consumer.getmany(timeout_ms=1_000, max_records=BATCH)
            began = began or time.perf_counter()
            for tp, records in fetched.items():
                batch = client.create_batch()
                for record in records:
                    batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers))
                await (await client.send_batch(batch, target, partition=tp.partition))
                await consumer.commit({tp: records[-1].offset + 1})
                done += len(records)
        return done / (time.perf_counter() - began)
    finally:
        await consumer.stop()
        await client.stop()


async def consume_and_write(bootstrap: str, source: str, collection: Any, document: dict[str, Any]) -> float:
    """Records per second: fetched, and each written to the store as a document like ours, in unordered bulks."""
    consumer = _consumer(bootstrap, group=None)
    client = producer(bootstrap, "bench-partitions")
    await client.start()
    await consumer.start()
    partitions = [TopicPartition(source, number) for number in range(await _partitions(client, source))]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    ends = await consumer.end_offsets(partitions)
    count = sum(ends.values())
    done = 0
    began = time.perf_counter()
    try:
        while done < count:
            for records in (await consumer.getmany(timeout_ms=1_000, max_records=BATCH)).values():
                await collection.bulk_write(
                    [
                        InsertOne({**document, "_id": f"{record.partition}-{record.offset}", "state": record.value})
                        for record in records
                    ],
                    ordered=False,
                )
                done += len(records)
        return done / (time.perf_counter() - began)
    finally:
        await consumer.stop()
        await client.stop()


def _consumer(bootstrap: str, group: str | None) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
    )


async def _partitions(client: AIOKafkaProducer, topic: str) -> int:
    return len(await client.partitions_for(topic))
