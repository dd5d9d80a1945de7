"""Reading single events again from the log, by offset: the history of an aggregate is the log itself."""

import asyncio
from collections.abc import Sequence
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from contracts.messages import Message
from contracts.wire import Envelope, unpack
from eventlog.kafka import Cluster, reader, start_patiently


class HistoryUnavailableError(Exception):
    """The log cannot be read now."""


class HistoryReader:
    """One reader, used by one caller at a time; meant for people's questions, not for projections."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._turn = asyncio.Lock()

    @classmethod
    async def connect(cls, kafka: Cluster) -> Self:
        consumer = reader(
            kafka,
            "history",
            auto_offset_reset="none",
            fetch_max_wait_ms=20,
            max_partition_fetch_bytes=131_072,
        )
        await start_patiently(consumer)
        return cls(consumer)

    async def read(self, topic: str, partition: int, offsets: Sequence[int]) -> list[tuple[Envelope, Message]]:
        """The messages at these offsets, in this order. Raises HistoryUnavailableError."""
        tp = TopicPartition(topic, partition)
        found: dict[int, tuple[Envelope, Message]] = {}
        wanted = set(offsets)
        try:
            async with self._turn, asyncio.timeout(10):
                self._consumer.assign([tp])
                for offset in sorted(wanted):
                    if offset in found:
                        continue
                    self._consumer.seek(tp, offset)
                    while offset not in found:
                        # One fetch brings the neighbours too, which are often of the same aggregate.
                        for record in (await self._consumer.getmany(tp, timeout_ms=500)).get(tp, ()):
                            if record.offset in wanted:
                                found[record.offset] = unpack(tuple(record.headers), record.value)
        except (KafkaError, TimeoutError) as error:
            raise HistoryUnavailableError(str(error) or "no answer from the log in time") from error
        return [found[offset] for offset in offsets]

    async def close(self) -> None:
        await self._consumer.stop()
