"""Consuming `metrics.samples` in batches, partition by partition."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from typing import get_args

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import ConsumerRecord
from prometheus_client import Counter, Histogram

from analytics.projecting import Recorded
from chassis import tracing
from contracts.collecting import Sample
from contracts.messages import UndecodableError
from contracts.topics import METRICS_SAMPLES
from contracts.wire import Headers, unpack
from eventlog import messaging, metrics
from eventlog.kafka import Cluster, KafkaEventLog, member, start_patiently
from eventlog.owner import dead_letter

log = structlog.get_logger()

GROUP = "analytics-samples"
FOLDED = Counter("analytics_samples_total", "Samples folded", ("type",))
LAG = Histogram(
    "analytics_sample_age_seconds",
    "From when a sample was appended to when it was in the read models",
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300),
)

STALE_AFTER = 60.0
LONGEST_PAUSE = 10.0
_SAMPLES = get_args(Sample)

Fold = Callable[[Sequence[Recorded]], Awaitable[None]]


class SampleConsumer:
    """At least once. What cannot be folded now is tried again, later and later; what nobody can read is set aside."""

    def __init__(self, kafka: Cluster, *, group: str, fold: Fold, batch: int) -> None:
        self._group = group
        self._fold = fold
        self._batch = batch
        self._polled_at = time.monotonic()
        self._dead = KafkaEventLog(kafka, METRICS_SAMPLES, client_id=f"{group}-dead-letters")
        self._consumer = member(kafka, group, METRICS_SAMPLES, stays=True, max_poll_interval_ms=600_000)

    async def run(self, stop: asyncio.Event) -> None:
        await self._dead.start()
        await start_patiently(self._consumer)
        try:
            while not stop.is_set():
                self._polled_at = time.monotonic()
                try:
                    most = self._batch * max(1, len(self._consumer.assignment()))
                    fetched = await self._consumer.getmany(timeout_ms=200, max_records=most)
                except KafkaError as error:
                    log.warning("fetching samples failed", error=str(error))
                    await asyncio.sleep(0.5)
                    continue
                for tp, records in fetched.items():
                    for start in range(0, len(records), self._batch):
                        await self._take(tp, records[start : start + self._batch], stop)
        finally:
            await self._consumer.stop()
            await self._dead.close()

    def healthy(self) -> str | None:
        """None, or what is wrong."""
        if time.monotonic() - self._polled_at > STALE_AFTER:
            return "samples are not being folded"
        return None

    async def _take(self, tp: TopicPartition, records: Sequence[ConsumerRecord], stop: asyncio.Event) -> None:
        readable = await self._read(records)
        pause = 0.2
        while not stop.is_set():
            try:
                with self._span(tp, readable):
                    await self._fold(readable)
            except Exception:
                log.exception("samples could not be folded, will be tried again", partition=tp.partition)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                break
        else:
            return
        # Where the store is slow a round takes long, and is no standstill.
        self._polled_at = time.monotonic()
        now = time.time()
        for record in records:
            LAG.observe(max(0.0, now - record.timestamp / 1_000))
        for each in readable:
            FOLDED.labels(each.sample.type_name).inc()
        try:
            await self._consumer.commit({tp: records[-1].offset + 1})
        except (CommitFailedError, IllegalStateError) as error:
            log.info("commit refused", reason=str(error))
        except KafkaError as error:
            log.warning("commit failed", reason=str(error))

    def _span(self, tp: TopicPartition, readable: Sequence[Recorded]) -> AbstractContextManager[tracing.Span]:
        """One for all of a batch, with links to where each sample comes from."""
        span = tracing.start(
            f"process {tp.topic}",
            "consumer",
            parent=None,
            links=list({each.traceparent for each in readable if each.traceparent is not None}),
            attributes=messaging.processing(tp.topic, group=self._group, partition=tp.partition, count=len(readable)),
        )
        return tracing.within(span)

    async def _read(self, records: Sequence[ConsumerRecord]) -> list[Recorded]:
        found: list[Recorded] = []
        for record in records:
            try:
                found.append(recorded(record.offset, tuple(record.headers), record.value))
            except UndecodableError as error:
                await self._dead.publish([dead_letter(record, str(error))])
                metrics.DEAD_LETTERS.labels(record.topic).inc()
                log.error(
                    "dead letter",
                    topic=record.topic,
                    offset=record.offset,
                    reason=str(error),
                    **messaging.named_in(record.headers),
                )
        return found


def recorded(offset: int, headers: Headers, value: bytes | None) -> Recorded:
    """Raises UndecodableError."""
    envelope, message = unpack(headers, value)
    if not isinstance(message, _SAMPLES):
        raise UndecodableError(f"{message.type_name} is no sample")
    return Recorded(offset=offset, sample_id=envelope.id, sample=message, traceparent=envelope.traceparent)
