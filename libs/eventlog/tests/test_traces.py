"""From message to message a trace goes on; where many meet, or time lies between, it is linked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind
from structlog.testing import capture_logs

from chassis import tracing
from contracts.accounts import DisconnectAccount
from contracts.wire import Envelope, unpack
from eventlog import messaging
from eventlog.jobs import Job, JobConsumer
from eventlog.memory import MemoryLog
from eventlog.partition import PartitionOwner
from eventlog.ports import ReceivedCommand
from eventlog.sending import AppendUnknownError, CommandSender

Spans = Callable[[], Sequence[ReadableSpan]]

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def context_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-{span.context.trace_flags:02x}"


def parent_of(span: ReadableSpan) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def links_of(span: ReadableSpan) -> set[str]:
    return {f"{link.context.span_id:016x}" for link in span.links}


def id_of(span: ReadableSpan) -> str:
    return context_of(span)[36:52]


@pytest.fixture
async def owner(new_owner: Callable[..., PartitionOwner[Any]]) -> PartitionOwner[Any]:
    owner = new_owner()
    await owner.take_over()
    return owner


def of_trace(command: ReceivedCommand, traceparent: str) -> ReceivedCommand:
    return replace(command, envelope=replace(command.envelope, traceparent=traceparent))


async def test_a_command_leads_to_an_event_and_to_what_others_are_told(
    owner: PartitionOwner[Any], received: Any, toy: Any, event_log: MemoryLog, spans: Spans
) -> None:
    await owner.turn([of_trace(received(toy.Add(amount=1)), PARENT)], toy.now)

    appended, told, process = spans()
    assert (process.name, process.kind, parent_of(process)) == (
        "process tallies.commands",
        SpanKind.CONSUMER,
        PARENT[36:52],
    )
    assert process.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "tallies.commands",
        "messaging.destination.partition.id": "0",
        "messaging.consumer.group.name": "tallies",
        "messaging.kafka.offset": 0,
        "messaging.message.id": "cmd_0",
        "social.tenant_id": "tenant_1",
        "social.command": "tally.add.v1",
    }
    assert (appended.name, appended.kind, parent_of(appended)) == (
        "send tallies.events",
        SpanKind.PRODUCER,
        id_of(process),
    )
    assert (told.name, told.kind, parent_of(told)) == ("send tallies.news", SpanKind.PRODUCER, id_of(process))
    (record,) = event_log.partitions[0]
    assert unpack(record.headers, record.value)[0].traceparent == context_of(process)
    (message,) = event_log.published
    assert unpack(message.headers, message.value)[0].traceparent == context_of(told)


async def test_commands_that_are_appended_together_share_a_span_that_is_linked_to_each(
    owner: PartitionOwner[Any], received: Any, toy: Any, spans: Spans
) -> None:
    other = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
    refused = of_trace(received(toy.Add(amount=-9)), other)
    await owner.turn(
        [of_trace(received(toy.Add(amount=1)), PARENT), of_trace(received(toy.Add(amount=2)), other), refused], toy.now
    )

    (appended,) = [span for span in spans() if span.name == "send tallies.events"]
    processed = [span for span in spans() if span.kind is SpanKind.CONSUMER]
    assert (parent_of(appended), links_of(appended)) == (None, {id_of(span) for span in processed})
    assert appended.attributes is not None
    assert appended.attributes["messaging.batch.message_count"] == 3
    assert [span.attributes.get("social.refusal") for span in processed if span.attributes] == [
        None,
        None,
        "below_zero",
    ]


async def test_what_comes_due_is_a_trace_of_its_own_linked_to_what_made_it_due(
    owner: PartitionOwner[Any], new_owner: Any, received: Any, toy: Any, later: Any, spans: Spans, event_log: MemoryLog
) -> None:
    await owner.turn([of_trace(received(toy.Add(amount=1)), PARENT)], toy.now)
    await owner.turn([of_trace(received(toy.SetAlarm(at=later(10))), PARENT)], toy.now)
    await owner.turn([received(toy.Add(amount=-9))], toy.now)
    # Whoever owns the partition by then has it from the documents.
    successor = new_owner()
    await successor.take_over()
    await successor.turn([], later(11))

    set_alarm = next(
        span for span in spans() if span.attributes and span.attributes.get("social.command") == "tally.set_alarm.v1"
    )
    (due,) = [span for span in spans() if span.name == "due tallies"]
    assert (parent_of(due), links_of(due)) == (None, {id_of(set_alarm)})
    assert context_of(due)[3:35] != PARENT[3:35]
    rang = event_log.partitions[0][-1]
    assert unpack(rang.headers, rang.value)[0].traceparent == context_of(due)


class Producer:
    """Stands in for the Kafka client; acknowledges when told to."""

    def __init__(self, *, acknowledges: bool) -> None:
        self.client = self
        self.headers: dict[str, bytes] = {}
        self._acknowledges = acknowledges

    async def fetch_all_metadata(self) -> None: ...

    async def partitions_for(self, topic: str) -> set[int]:
        return {0}

    async def send(self, topic: str, *, headers: list[tuple[str, bytes]], **_: object) -> Any:
        self.headers = dict(headers)
        acknowledged = asyncio.get_running_loop().create_future()
        if self._acknowledges:
            acknowledged.set_result(None)
        return acknowledged

    async def stop(self) -> None: ...


async def test_a_command_carries_the_context_of_its_sending(toy: Any, spans: Spans) -> None:
    for acknowledges in (True, False):
        producer: Any = Producer(acknowledges=acknowledges)
        sender = CommandSender(producer, "test")
        with tracing.within(tracing.start("request", parent=PARENT)):
            try:
                await sender.send("t", "k", toy.Add(amount=1), command_id="c", tenant_id=None, timeout=0.01)
            except AppendUnknownError:
                assert not acknowledges
        await sender.close()

        sent, request = spans()[-2:]
        assert (sent.name, sent.kind, parent_of(sent)) == ("send t", SpanKind.PRODUCER, id_of(request))
        assert producer.headers["traceparent"].decode() == context_of(sent)
        assert sent.status.is_ok is acknowledges
        assert sent.attributes is not None
        assert sent.attributes.get("error.type") == (None if acknowledges else "AppendUnknownError")


async def test_a_job_is_part_of_its_messages_trace_and_its_lines_say_what_it_is_about(spans: Spans) -> None:
    async def handle(job: Job) -> None:
        assert tracing.about() == {"tenant_id": "tenant_1", "account_id": "acc_1"}
        raise ConnectionError("canary")

    consumer = JobConsumer("127.0.0.1:1", ["jobs"], group="workers", handle=handle)
    message = DisconnectAccount(
        account_id="acc_1", tenant_id="tenant_1", actor=None, issued_at=datetime.now(UTC), reason="revoked"
    )
    envelope = Envelope(id="job_1", source="test", subject="acc_1", time=datetime.now(UTC), traceparent=PARENT)
    job = Job(topic="jobs", partition=2, offset=7, key="acc_1", envelope=envelope, message=message)
    with capture_logs():
        assert not await consumer._attempt(job)

    (span,) = spans()
    assert (span.name, span.kind, parent_of(span)) == ("process jobs", SpanKind.CONSUMER, PARENT[36:52])
    assert span.attributes is not None
    assert span.attributes["social.account_id"] == "acc_1"
    assert span.attributes["error.type"] == "ConnectionError"
    assert "canary" not in span.to_json()


def test_a_message_that_cannot_be_read_is_named_as_far_as_its_headers_go() -> None:
    assert messaging.named_in([("ce_subject", b"post_1"), ("ce_tenantid", b"t"), ("traceparent", PARENT.encode())]) == {
        "post_id": "post_1",
        "tenant_id": "t",
        "trace_id": PARENT[3:35],
    }
    assert messaging.named_in([("ce_id", b"\xff" * 500), ("traceparent", b"00-zz")]) == {"message_id": "\ufffd" * 128}
