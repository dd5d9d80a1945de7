"""Consuming the public topics: a batch is recorded, then its offsets are committed."""

import asyncio
import time

import msgspec
import structlog
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import ConsumerRecord
from msgspec.structs import replace

from chassis import faultpoints, tracing
from contracts.messages import UndecodableError
from contracts.topics import PUBLIC_TOPICS, UNREADABLE_EVENTS
from contracts.wire import Envelope
from eventlog import messaging, metrics
from eventlog.kafka import Cluster, KafkaEventLog, member, start_patiently
from eventlog.owner import dead_letter
from webhooks.ports import PublicEvent
from webhooks.recording import Recorder

log = structlog.get_logger()

GROUP = "webhooks"
BATCH = 500
STALE_AFTER = 60.0
_LONGEST_PAUSE = 10.0


class EventConsumer:
    """At least once, in the order of each partition. Any number of processes share the partitions."""

    def __init__(self, kafka: Cluster, recorder: Recorder) -> None:
        self._recorder = recorder
        self._turned_at = time.monotonic()
        self._dead = KafkaEventLog(kafka, UNREADABLE_EVENTS, client_id="webhooks-dead-letters")
        self._consumer = member(
            kafka,
            GROUP,
            *PUBLIC_TOPICS,
            fetch_max_wait_ms=50,
            # A store that is away for long is no reason to be thrown out of the group.
            max_poll_interval_ms=1_800_000,
        )

    async def run(self, stop: asyncio.Event) -> None:
        await self._dead.start()
        await start_patiently(self._consumer)
        try:
            while not stop.is_set():
                await self._turn(stop)
        finally:
            await self._consumer.stop()
            await self._dead.close()

    def healthy(self) -> str | None:
        """None, or what is wrong."""
        if time.monotonic() - self._turned_at > STALE_AFTER:
            return "public events are not being recorded"
        return None

    async def _turn(self, stop: asyncio.Event) -> None:
        try:
            fetched = await self._consumer.getmany(timeout_ms=200, max_records=BATCH)
        except KafkaError as error:
            log.warning("fetching events failed", reason=str(error))
            await asyncio.sleep(0.5)
            return
        self._turned_at = time.monotonic()
        if not fetched:
            return
        received = [each for records in fetched.values() for record in records if (each := await self._read(record))]
        events = [event for event, _ in received]
        pause = 0.2
        while True:
            try:
                await self._recorder.record(events)
            except Exception:  # nothing is committed that is not recorded
                if stop.is_set():
                    return
                log.exception("events cannot be recorded now")
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                break
        for _, span in received:
            span.end()
        await faultpoints.reached("webhooks.before_commit")
        try:
            await self._consumer.commit({tp: records[-1].offset + 1 for tp, records in fetched.items()})
        except (CommitFailedError, IllegalStateError) as error:
            # The group has moved on; whoever records these again changes nothing.
            log.info("commit refused", reason=str(error))
        except KafkaError as error:
            log.warning("commit failed", reason=str(error))
        self._turned_at = time.monotonic()

    async def _read(self, record: ConsumerRecord) -> tuple[PublicEvent, tracing.Span] | None:
        """The event, and a span that lasts until it is recorded; its deliveries are part of that."""
        try:
            event = read_event(record)
        except UndecodableError as error:
            await self._dead.publish([replace(dead_letter(record, str(error)), topic=UNREADABLE_EVENTS)])
            metrics.DEAD_LETTERS.labels(record.topic).inc()
            log.error(
                "dead letter",
                topic=record.topic,
                offset=record.offset,
                reason=str(error),
                **messaging.named_in(record.headers),
            )
            return None
        span = tracing.start(
            f"process {record.topic}",
            "consumer",
            parent=event.traceparent,
            attributes=messaging.processing(
                record.topic, group=GROUP, partition=record.partition, offset=record.offset, message_id=event.id
            ),
            about={"tenant_id": event.tenant_id, **messaging.about_subject(event.subject)},
        )
        return replace(event, traceparent=span.traceparent), span


def read_event(record: ConsumerRecord) -> PublicEvent:
    """Raises UndecodableError. What the data says is not ours to judge: newer fields are passed on."""
    headers = dict(record.headers)
    envelope = Envelope.read(headers)
    try:
        kind = headers["ce_type"].decode()
        msgspec.json.decode(record.value or b"", type=dict[str, msgspec.Raw])
    except (KeyError, ValueError, msgspec.MsgspecError) as error:
        raise UndecodableError(f"not an event: {error}") from error
    if envelope.tenant_id is None:
        raise UndecodableError("header 'ce_tenantid' is missing")
    return PublicEvent(
        id=envelope.id,
        type=kind,
        tenant_id=envelope.tenant_id,
        subject=envelope.subject,
        time=envelope.time,
        data=bytes(record.value),
        traceparent=envelope.traceparent,
    )
