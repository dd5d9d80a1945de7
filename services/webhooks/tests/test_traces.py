"""Every attempt at a delivery belongs to the trace of its event, however late it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from aiokafka.structs import ConsumerRecord
from msgspec.structs import replace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from chassis import tracing
from contracts.wire import Envelope
from guarded.client import Answer
from webhooks.entrypoints.events import EventConsumer

Spans = Callable[[], Sequence[ReadableSpan]]

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_attempts_are_part_of_their_events_trace(play: Any, spans: Spans) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("one")
        about: list[tracing.Attributes] = []
        answers = iter((503, 200))

        async def react(endpoint_id: str, message_id: str) -> Answer:
            about.append(tracing.about())
            return Answer(status=next(answers), headers={}, body=b"")

        world.receivers.react = react
        await world.recorder.record([replace(world.event(), traceparent=PARENT)])
        await asyncio.sleep(60)
        assert [each["attempt"] for each in about] == [1, 2]
        assert {(each["post_id"], each["endpoint_id"]) for each in about} == {("post_1", "one")}

    play(scenario)

    attempts = spans()
    assert [span.name for span in attempts] == ["deliver social.post_published"] * 2
    for number, span in enumerate(attempts, start=1):
        assert span.parent is not None
        assert f"{span.parent.span_id:016x}" == PARENT[36:52]
        assert span.attributes is not None
        assert span.attributes["social.attempt"] == number
        assert str(span.attributes["social.delivery_id"]).startswith("msg_")


def test_an_event_about_the_endpoint_itself_is_delivered(play: Any) -> None:
    async def scenario(world: Any) -> None:
        world.targets.add("one")
        await world.recorder.record([replace(world.event(), subject="ep_1")])
        await asyncio.sleep(1)
        assert len(world.receivers.ids("one")) == 1

    play(scenario)


async def test_a_public_event_is_received_in_a_span_that_its_deliveries_are_part_of(spans: Spans) -> None:
    recorder: Any = None
    consumer = EventConsumer("127.0.0.1:1", recorder)
    envelope = Envelope(
        id="evt_1:published", source="test", subject="post_1", time=datetime.now(UTC), tenant_id="t", traceparent=PARENT
    )
    record = ConsumerRecord(
        topic="social.post_published",
        partition=1,
        offset=5,
        timestamp=0,
        timestamp_type=0,
        key=b"post_1",
        value=b"{}",
        checksum=None,
        serialized_key_size=6,
        serialized_value_size=2,
        headers=envelope.headers("social.post_published"),
    )
    read = await consumer._read(record)
    assert read is not None
    event, span = read
    assert spans() == ()
    span.end()

    (ended,) = spans()
    assert (ended.name, ended.kind) == ("process social.post_published", SpanKind.CONSUMER)
    assert ended.parent is not None
    assert f"{ended.parent.span_id:016x}" == PARENT[36:52]
    assert ended.attributes is not None
    assert ended.attributes["social.post_id"] == "post_1"
    assert event.traceparent == span.traceparent != PARENT
