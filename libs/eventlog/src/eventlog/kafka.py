"""The ports of the loop over Kafka. Idempotent producers, `acks=all`, no transactions."""

import asyncio
import ssl
import time
from collections.abc import Sequence
from typing import Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from chassis.secret_files import read_secret
from chassis.settings import KafkaSettings
from contracts.topics import partition_for
from eventlog.ports import AppendFailedError, LogRecord, NewRecord, Outgoing

BATCH_BYTES = 900_000
"""Below the broker's default limit of a message, 1 MiB. Small batches collapse under many concurrent senders."""

APPEND_TIMEOUT = 10.0

Cluster = KafkaSettings | str
"""A cluster as the settings describe it; a bare address is one without encryption and authentication."""


def connection(kafka: Cluster) -> dict[str, object]:
    """What every client of aiokafka is told, whatever it does. Raises SecretFileError, and OSError for certificates."""
    if isinstance(kafka, str):
        return {"bootstrap_servers": kafka}
    options: dict[str, object] = {
        "bootstrap_servers": kafka.kafka_bootstrap,
        "security_protocol": kafka.kafka_security_protocol,
    }
    if kafka.kafka_encrypted:
        context = ssl.create_default_context(cafile=kafka.kafka_ca_file)
        if kafka.kafka_cert_file is not None:
            context.load_cert_chain(kafka.kafka_cert_file, kafka.kafka_key_file)
        options["ssl_context"] = context
    if kafka.kafka_sasl_password_file is not None:
        options |= {
            "sasl_mechanism": kafka.kafka_sasl_mechanism,
            "sasl_plain_username": kafka.kafka_sasl_username,
            "sasl_plain_password": read_secret(kafka.kafka_sasl_password_file),
        }
    return options


def producer(kafka: Cluster, client_id: str) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        **connection(kafka),
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


def reader(kafka: Cluster, client_id: str, **options: object) -> AIOKafkaConsumer:
    """A consumer without a group: it reads what it is told to, and commits nothing."""
    return AIOKafkaConsumer(
        **connection(kafka), client_id=client_id, group_id=None, enable_auto_commit=False, **options
    )


def member(kafka: Cluster, group: str, *topics: str, stays: bool = False, **options: object) -> AIOKafkaConsumer:
    """A member of a consumer group, which reads from the beginning and commits what it is told to.

    `stays`: under KAFKA_GROUP_INSTANCE_ID, if that is set, the member does not leave at its end, and its partitions
    wait for its return: for work that nobody watches, and that a rebalance would interrupt everywhere. Otherwise they
    go to the others at once.
    """
    membership: dict[str, object] = {"session_timeout_ms": 10_000}
    if stays and not isinstance(kafka, str) and kafka.kafka_group_instance_id is not None:
        membership = {
            "group_instance_id": kafka.kafka_group_instance_id,
            "session_timeout_ms": int(kafka.kafka_static_session * 1_000),
        }
    defaults: dict[str, object] = {
        "client_id": group,
        "auto_offset_reset": "earliest",
        "heartbeat_interval_ms": 2_000,
        "rebalance_timeout_ms": 30_000,
        "fetch_max_wait_ms": 100,
        "request_timeout_ms": 15_000,
        "metadata_max_age_ms": 30_000,
    }
    return AIOKafkaConsumer(
        *topics, **connection(kafka), group_id=group, enable_auto_commit=False, **{**defaults, **membership, **options}
    )


def admin(kafka: Cluster, request_timeout_ms: int = 40_000) -> AIOKafkaAdminClient:
    return AIOKafkaAdminClient(**connection(kafka), request_timeout_ms=request_timeout_ms)


async def start_patiently(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    """Starts a client, waiting for a broker for as long as it takes."""
    while True:
        try:
            await client.start()
        except KafkaError:
            await asyncio.sleep(0.5)
        else:
            return


async def partition_count(kafka: Cluster, topic: str) -> int:
    """0 while the topic does not exist. Raises KafkaError when no broker answers."""
    client = admin(kafka, request_timeout_ms=5_000)
    await client.start()
    try:
        described = await client.describe_topics([topic])
    finally:
        await client.close()
    return sum(len(item["partitions"]) for item in described)


class KafkaEventLog:
    """`EventLog` and `Outbox` over one producer and one group-less reader."""

    def __init__(self, kafka: Cluster, topic: str, client_id: str) -> None:
        self._topic = topic
        self._producer = producer(kafka, client_id)
        self._reader = reader(
            kafka,
            f"{client_id}-reader",
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
