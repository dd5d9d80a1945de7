"""The events of posts, read by nobody's leave: no group, and no offsets but the auditor's own."""

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError

from auditor.ports import LogRecord
from contracts.topics import POSTS_EVENTS
from eventlog.kafka import Cluster, partition_count, reader, start_patiently

WAIT_MS = 500
MOST_RECORDS = 1_000
CALL_SECONDS = 15.0


class PostsLog:
    """`auditor.ports.LogReader` over Kafka. Calls raise KafkaError or TimeoutError."""

    def __init__(self, kafka: Cluster) -> None:
        self._kafka = kafka
        self._consumer = reader(
            kafka, "auditor", auto_offset_reset="none", fetch_max_wait_ms=WAIT_MS, request_timeout_ms=15_000
        )
        self._started = False
        self._partitions: list[TopicPartition] = []

    async def start(self, positions: Mapping[int, int]) -> None:
        """From the first record where no position is given."""
        if not self._started:
            await start_patiently(self._consumer)
            self._started = True
        count = await partition_count(self._kafka, POSTS_EVENTS)
        if count == 0:
            raise UnknownTopicOrPartitionError(f"there is no topic {POSTS_EVENTS} yet")
        self._partitions = [TopicPartition(POSTS_EVENTS, partition) for partition in range(count)]
        self._consumer.assign(self._partitions)
        for tp in self._partitions:
            self._consumer.seek(tp, positions.get(tp.partition, 0))

    async def poll(self) -> Sequence[LogRecord]:
        fetched = await self._consumer.getmany(timeout_ms=WAIT_MS, max_records=MOST_RECORDS)
        return [
            LogRecord(tp.partition, record.offset, tuple(record.headers), record.value)
            for tp, records in fetched.items()
            for record in records
        ]

    async def ends(self) -> dict[int, int]:
        async with asyncio.timeout(CALL_SECONDS):
            ends: dict[TopicPartition, int] = await self._consumer.end_offsets(self._partitions)
        return {tp.partition: end for tp, end in ends.items()}

    async def close(self) -> None:
        await self._consumer.stop()
