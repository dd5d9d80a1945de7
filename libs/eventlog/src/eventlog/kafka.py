"""The ports of the loop over Kafka. Idempotent producers, `acks=all`, no transactions."""

import asyncio
import time
from collections.abc import Sequence
from typing import Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from contracts.topics import partition_for
from eventlog.ports import AppendFailedError, LogRecord, NewRecord, Outgoing

BATCH_BYTES = 900_000
"""Below the broker's default limit of a message, 1 MiB. Small batches collapse under many concurrent senders."""

APPEND_TIMEOUT = 10.0


def producer(bootstrap: str, client_id: str) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        max_batch_size=BATCH_BYTES,
        max_request_size=1_000_000,
        compression_type="zstd",
        request_timeout_ms=5_000,
        retry_backoff_ms=100,
        metadata_max_age_ms=30_000,
    )


async def start_patiently(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    """Starts a client, waiting for a broker for as long as it takes."""
    while True:
        try:
            await client.start()
        except KafkaError:
            await asyncio.sleep(0.5)
        else:
            return


async def partition_count(bootstrap: str, topic: str) -> int:
    """0 while the topic does not exist. Raises KafkaError when no broker answers."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5_000)
    await admin.start()
    try:
        described = await admin.describe_topics([topic])
    finally:
        await admin.close()
    return sum(len(item["partitions"]) for item in described)


class KafkaEventLog:
    """`EventLog` and `Outbox` over one producer and one group-less reader."""

    def __init__(self, bootstrap: str, topic: str, client_id: str) -> None:
        self._topic = topic
        self._producer = producer(bootstrap, client_id)
        self._reader = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            client_id=f"{client_id}-reader",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=50,
            max_partition_fetch_bytes=4_000_000,
            request_timeout_ms=5_000,
        )
        self._reading = asyncio.Lock()
        self._partition_counts: dict[str, int] = {}

    async def start(self) -> Self:
        await start_patiently(self._producer)
        await start_patiently(self._reader)
        return self

    async def close(self) -> None:
        await self._reader.stop()
        try:
            async with asyncio.timeout(5):
                await self._producer.stop()
        except TimeoutError:
            # Whatever is still unsent was never acknowledged to anybody.
            pass

    # --- EventLog -------------------------------------------------------------------------------------

    async def end(self, partition: int) -> int:
        tp = TopicPartition(self._topic, partition)
        try:
            async with asyncio.timeout(APPEND_TIMEOUT):
                offsets: dict[TopicPartition, int] = await self._reader.end_offsets([tp])
        except (KafkaError, TimeoutError) as error:
            raise AppendFailedError(f"the end of {tp.topic}[{tp.partition}] is not to be had: {error}") from error
        return offsets[tp]

    async def read(self, partition: int, start: int, end: int) -> Sequence[LogRecord]:
        tp = TopicPartition(self._topic, partition)
        async with self._reading:
            self._reader.assign([tp])
            self._reader.seek(tp, start)
            try:
                async with asyncio.timeout(APPEND_TIMEOUT):
                    while not (found := (await self._reader.getmany(tp, timeout_ms=1_000, max_records=5_000)).get(tp)):
                        pass
            except (KafkaError, TimeoutError) as error:
                raise AppendFailedError(f"{tp.topic}[{tp.partition}] cannot be read: {error}") from error
        return [
            LogRecord(record.offset, tuple(record.headers), record.value) for record in found if record.offset < end
        ]

    async def append(self, partition: int, records: Sequence[NewRecord]) -> Sequence[int | None]:
        offsets: list[int | None] = []
        remaining = list(records)
        try:
            async with asyncio.timeout(APPEND_TIMEOUT):
                while remaining:
                    taken, base = await self._append_batch(partition, remaining)
                    offsets += [None if base is None else base + index for index in range(taken)]
                    remaining = remaining[taken:]
        except (KafkaError, TimeoutError) as error:
            raise AppendFailedError(f"append to {self._topic}[{partition}]: {error or 'no answer'}") from error
        return offsets

    async def _append_batch(self, partition: int, records: Sequence[NewRecord]) -> tuple[int, int | None]:
        """One record batch, which the broker writes whole or not at all: how many went in, and the first offset."""
        builder = self._producer.create_batch()
        now_ms = time.time_ns() // 1_000_000
        taken = 0
        for record in records:
            if (
                builder.append(
                    timestamp=now_ms, key=record.key.encode(), value=record.value, headers=list(record.headers)
                )
                is None
            ):
                break
            taken += 1
        if taken == 0:
            raise AppendFailedError(f"an event of {len(records[0].value)} bytes does not fit in a batch")
        builder.close()
        acknowledged = await self._producer.send_batch(builder, self._topic, partition=partition)
        metadata = await acknowledged
        return taken, metadata.offset if metadata.offset >= 0 else None

    # --- Outbox ---------------------------------------------------------------------------------------

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        try:
            async with asyncio.timeout(APPEND_TIMEOUT):
                futures = [
                    await self._producer.send(
                        message.topic,
                        value=message.value,
                        key=None if message.key is None else message.key.encode(),
                        partition=await self._partition_of(message),
                        headers=list(message.headers),
                    )
                    for message in messages
                ]
                await asyncio.gather(*futures)
        except (KafkaError, TimeoutError) as error:
            raise AppendFailedError(f"publishing {len(messages)} messages: {error or 'no answer'}") from error

    async def _partition_of(self, message: Outgoing) -> int | None:
        if message.partition is not None or message.key is None:
            return message.partition
        count = self._partition_counts.get(message.topic)
        if count is None:
            count = self._partition_counts[message.topic] = len(await self._producer.partitions_for(message.topic))
        return partition_for(message.key, count)
