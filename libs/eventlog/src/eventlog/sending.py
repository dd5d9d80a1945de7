"""Appending commands to their topic."""

import asyncio
from datetime import UTC, datetime
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from chassis import tracing
from contracts.messages import Command
from contracts.topics import partition_for
from contracts.wire import Envelope, pack
from eventlog import messaging
from eventlog.kafka import Cluster, producer, start_patiently

PING_EVERY = 1.0


class NotAppendedError(Exception):
    """Nothing was written: Kafka cannot be reached, or does not take the message."""


class AppendUnknownError(Exception):
    """Handed to Kafka, no acknowledgement in time: the command may be in the log or come to be there.

    A command with a deadline is void once appended after it, so its sender may take it as not given when the deadline
    has passed and nothing is to be seen of it.
    """


class CommandSender:
    """Sends commands of any aggregate; safe for concurrent use."""

    def __init__(self, client: AIOKafkaProducer, source: str) -> None:
        self._producer = client
        self._source = source
        self._counts: dict[str, int] = {}
        self._reachable = True
        self._pinging = asyncio.create_task(self._ping())

    @classmethod
    async def connect(cls, kafka: Cluster, *, source: str) -> Self:
        """Waits for a broker for as long as it takes."""
        client = producer(kafka, client_id=source)
        await start_patiently(client)
        return cls(client, source)

    def reachable(self) -> bool:
        """Whether a broker answered within the last few seconds."""
        return self._reachable

    async def send(
        self,
        topic: str,
        key: str,
        command: Command,
        *,
        command_id: str,
        tenant_id: str | None,
        reply_partition: int | None = None,
        deadline: datetime | None = None,
        traceparent: str | None = None,
        timeout: float = 5.0,  # noqa: ASYNC109  # part of the promise, not a cancellation
    ) -> None:
        """Returns once the command is durable. Raises NotAppendedError or AppendUnknownError.

        Sending is a part of `traceparent`, by default of the current span; the command carries that part's context.
        """
        if not self._reachable:
            raise NotAppendedError("Kafka cannot be reached")
        span = tracing.start(
            f"send {topic}",
            "producer",
            parent=traceparent or tracing.current(),
            attributes=messaging.sending(topic, message_id=command_id),
            about=messaging.about_message(command),
        )
        envelope = Envelope(
            id=command_id,
            source=self._source,
            subject=key,
            time=datetime.now(UTC),
            tenant_id=tenant_id,
            reply_partition=reply_partition,
            deadline=deadline,
            traceparent=span.traceparent,
        )
        with tracing.within(span):
            await self._append(topic, key, command, envelope, timeout)

    async def _append(
        self,
        topic: str,
        key: str,
        command: Command,
        envelope: Envelope,
        timeout: float,  # noqa: ASYNC109
    ) -> None:
        headers, value = pack(command, envelope)
        try:
            async with asyncio.timeout(timeout):
                partition = partition_for(key, await self._count(topic))
                acknowledged = await self._producer.send(
                    topic, value=value, key=key.encode(), partition=partition, headers=list(headers)
                )
        except (KafkaError, TimeoutError) as error:
            raise NotAppendedError(str(error) or "no room to send in time") from error
        try:
            async with asyncio.timeout(timeout):
                await asyncio.shield(acknowledged)
        except (KafkaError, TimeoutError) as error:
            raise AppendUnknownError(str(error) or "no acknowledgement in time") from error

    async def close(self) -> None:
        self._pinging.cancel()
        try:
            async with asyncio.timeout(5):
                await self._producer.stop()
        except TimeoutError:
            pass

    async def _count(self, topic: str) -> int:
        count = self._counts.get(topic)
        if count is None:
            count = self._counts[topic] = len(await self._producer.partitions_for(topic))
        return count

    async def _ping(self) -> None:
        while True:
            try:
                async with asyncio.timeout(2):
                    await self._producer.client.fetch_all_metadata()
            except (KafkaError, TimeoutError):
                self._reachable = False
            else:
                self._reachable = True
            await asyncio.sleep(PING_EVERY)
