"""The gateway's waiting room: verdicts arrive on one partition of one topic, without a consumer group."""

import asyncio
import time
import zlib
from typing import Self

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from contracts.messages import UndecodableError
from contracts.topics import GATEWAY_REPLIES
from contracts.verdicts import Verdict
from contracts.wire import unpack
from eventlog.kafka import Cluster, partition_count, reader, start_patiently

log = structlog.get_logger()

STALE_AFTER = 10.0


class Replies:
    """Hands each verdict to whoever expects it; verdicts nobody expects here are another instance's, or too late."""

    def __init__(self, consumer: AIOKafkaConsumer, partition: int) -> None:
        self.partition = partition
        self._consumer = consumer
        self._expected: dict[str, asyncio.Future[Verdict]] = {}
        self._polled_at = time.monotonic()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, kafka: Cluster, *, instance: str) -> Self:
        """Instances with the same partition only read each other's verdicts in vain. Waits for a broker."""
        consumer = reader(
            kafka,
            f"{instance}-replies",
            auto_offset_reset="latest",
            fetch_max_wait_ms=500,
            request_timeout_ms=10_000,
        )
        await start_patiently(consumer)
        while (count := await partition_count(kafka, GATEWAY_REPLIES)) == 0:  # noqa: ASYNC110  # nothing tells us
            await asyncio.sleep(0.5)
        partition = zlib.crc32(instance.encode()) % count
        tp = TopicPartition(GATEWAY_REPLIES, partition)
        consumer.assign([tp])
        await consumer.seek_to_end(tp)
        # The position must be fixed before the first command is sent, or its verdict may be passed over.
        await consumer.position(tp)
        return cls(consumer, partition)

    def expect(self, command_id: str) -> asyncio.Future[Verdict]:
        """Call before sending the command; call `forget` when no longer waiting."""
        future = self._expected.get(command_id)
        if future is None:
            future = self._expected[command_id] = asyncio.get_running_loop().create_future()
        return future

    def forget(self, command_id: str) -> None:
        self._expected.pop(command_id, None)

    def alive(self) -> bool:
        return not self._reading.done() and time.monotonic() - self._polled_at < STALE_AFTER

    async def close(self) -> None:
        self._reading.cancel()
        await self._consumer.stop()

    async def _read(self) -> None:
        while True:
            self._polled_at = time.monotonic()
            try:
                fetched = await self._consumer.getmany(timeout_ms=1_000, max_records=1_000)
            except KafkaError as error:
                log.warning("reading replies failed", error=str(error))
                await asyncio.sleep(0.5)
                continue
            for records in fetched.values():
                for record in records:
                    self._deliver(tuple(record.headers), record.value)

    def _deliver(self, headers: tuple[tuple[str, bytes], ...], value: bytes | None) -> None:
        command_id = next((text.decode() for name, text in headers if name == "ce_commandid"), None)
        future = self._expected.get(command_id or "")
        if future is None or future.done():
            return
        try:
            _, verdict = unpack(headers, value)
        except UndecodableError as error:
            log.error("unreadable verdict", command_id=command_id, reason=str(error))
            return
        if isinstance(verdict, Verdict):
            future.set_result(verdict)
