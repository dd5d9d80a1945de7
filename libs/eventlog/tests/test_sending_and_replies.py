"""A command goes out, its verdict comes back; what a sender may believe when Kafka does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError, MessageSizeTooLargeError, RequestTimedOutError
from msgspec import Raw

from chassis import tracing
from contracts.ids import new_id
from contracts.topics import GATEWAY_REPLIES, partition_for
from contracts.verdicts import Verdict
from contracts.wire import Envelope, pack, unpack
from eventlog.kafka import KafkaEventLog
from eventlog.ports import Outgoing
from eventlog.replies import Replies
from eventlog.sending import AppendUnknownError, CommandSender, NotAppendedError

# --- sending ------------------------------------------------------------------------------------------


@pytest.mark.stack
async def test_a_sent_command_is_in_the_log_of_its_aggregate(
    kafka_bootstrap: str, kafka_aggregate: Any, read_topic: Any, toy: Any
) -> None:
    sender = await CommandSender.connect(kafka_bootstrap, source="test")
    trace = tracing.new_traceparent()
    deadline = datetime.now(UTC) + timedelta(seconds=5)

    await sender.send(
        kafka_aggregate.commands_topic,
        "tally_1",
        toy.Add(amount=2),
        command_id="cmd_1",
        tenant_id="tenant_1",
        reply_partition=3,
        deadline=deadline,
        traceparent=trace,
    )
    assert sender.reachable()
    await sender.close()

    (record,) = await read_topic(kafka_aggregate.commands_topic)
    envelope, command = unpack(tuple(record.headers), record.value)
    assert (record.partition, record.key) == (partition_for("tally_1", 4), b"tally_1")
    assert command == toy.Add(amount=2)
    assert (envelope.id, envelope.source, envelope.subject, envelope.tenant_id) == (
        "cmd_1",
        "test",
        "tally_1",
        "tenant_1",
    )
    assert (envelope.reply_partition, envelope.deadline, envelope.traceparent) == (3, deadline, trace)


class Producer:
    """Stands in for the Kafka client, with a fault of the test's choice."""

    def __init__(self, *, send: object = None, acknowledge: object = None, reachable: bool = True) -> None:
        self.client = self
        self._send = send
        self._acknowledge = acknowledge
        self._answers = reachable
        self.pinged = asyncio.Event()

    async def fetch_all_metadata(self) -> None:
        self.pinged.set()
        if not self._answers:
            raise KafkaConnectionError

    async def partitions_for(self, topic: str) -> set[int]:
        return {0, 1, 2, 3}

    async def send(self, topic: str, **record: object) -> asyncio.Future[None]:
        if self._send is asyncio.Event:
            await asyncio.Event().wait()
        if isinstance(self._send, KafkaError):
            raise self._send
        acknowledged = asyncio.get_running_loop().create_future()
        if isinstance(self._acknowledge, KafkaError):
            acknowledged.set_exception(self._acknowledge)
        return acknowledged

    async def stop(self) -> None:
        pass


async def send(producer: Any, toy: Any) -> None:
    client: AIOKafkaProducer = producer
    sender = CommandSender(client, "test")
    await producer.pinged.wait()
    try:
        await sender.send("t", "k", toy.Add(amount=1), command_id="cmd_1", tenant_id=None, timeout=0.01)
    finally:
        await sender.close()


async def test_without_an_acknowledgement_nobody_knows(toy: Any) -> None:
    with pytest.raises(AppendUnknownError, match="no acknowledgement"):
        await send(Producer(), toy)


async def test_a_failed_acknowledgement_leaves_it_open(toy: Any) -> None:
    with pytest.raises(AppendUnknownError, match="RequestTimedOutError"):
        await send(Producer(acknowledge=RequestTimedOutError()), toy)


async def test_what_never_left_was_not_appended(toy: Any) -> None:
    with pytest.raises(NotAppendedError, match="no room"):
        await send(Producer(send=asyncio.Event), toy)


async def test_what_kafka_does_not_take_was_not_appended(toy: Any) -> None:
    with pytest.raises(NotAppendedError):
        await send(Producer(send=MessageSizeTooLargeError("too large")), toy)


async def test_while_kafka_is_away_nothing_is_sent(toy: Any) -> None:
    with pytest.raises(NotAppendedError, match="cannot be reached"):
        await send(Producer(reachable=False), toy)


# --- replies ------------------------------------------------------------------------------------------


@pytest.fixture
async def replies(kafka_bootstrap: str, kafka_aggregate: Any) -> AsyncIterator[Replies]:
    replies = await Replies.connect(kafka_bootstrap, instance=new_id("gateway"))
    yield replies
    await replies.close()


@pytest.fixture
async def outbox(kafka_bootstrap: str, kafka_aggregate: Any) -> AsyncIterator[KafkaEventLog]:
    log = await KafkaEventLog(kafka_bootstrap, kafka_aggregate.events_topic, "test").start()
    yield log
    await log.close()


def verdict(command_id: str, version: int = 1) -> Verdict:
    return Verdict(
        command_id=command_id, aggregate_id="tally_1", version=version, refusal=None, state=Raw(b'{"total":1}')
    )


def reply(partition: int, verdict: Verdict, **changes: bytes) -> Outgoing:
    envelope = Envelope(
        id=f"{verdict.command_id}:verdict",
        source="test",
        subject="tally_1",
        time=datetime.now(UTC),
        command_id=verdict.command_id,
    )
    headers, value = pack(verdict, envelope)
    return Outgoing(
        topic=GATEWAY_REPLIES, key=None, headers=headers, value=changes.get("value", value), partition=partition
    )


@pytest.mark.stack
async def test_a_verdict_reaches_whoever_expects_it(replies: Replies, outbox: KafkaEventLog) -> None:
    ours, other = new_id("cmd"), new_id("cmd")
    expected = replies.expect(ours)
    assert replies.expect(ours) is expected

    await outbox.publish([reply(replies.partition, verdict(other)), reply(replies.partition, verdict(ours))])

    async with asyncio.timeout(30):
        answer = await expected
    assert (answer.command_id, answer.version, bytes(answer.state)) == (ours, 1, b'{"total":1}')
    assert replies.alive()


@pytest.mark.stack
async def test_a_verdict_nobody_waits_for_any_more_is_dropped(replies: Replies, outbox: KafkaEventLog) -> None:
    given_up, still_waiting = new_id("cmd"), new_id("cmd")
    abandoned, expected = replies.expect(given_up), replies.expect(still_waiting)
    replies.forget(given_up)
    replies.forget("never expected")

    await outbox.publish([reply(replies.partition, verdict(name)) for name in (given_up, still_waiting)])

    async with asyncio.timeout(30):
        await expected
    assert not abandoned.done()


@pytest.mark.stack
async def test_a_verdict_told_twice_counts_once(replies: Replies, outbox: KafkaEventLog) -> None:
    first, last = new_id("cmd"), new_id("cmd")
    expected, end = replies.expect(first), replies.expect(last)

    await outbox.publish(
        [
            reply(replies.partition, verdict(first, version=1)),
            reply(replies.partition, verdict(first, version=2)),
            reply(replies.partition, verdict(last)),
        ]
    )

    async with asyncio.timeout(30):
        await end
        assert (await expected).version == 1


@pytest.mark.stack
async def test_an_unreadable_verdict_stops_nobody_else(replies: Replies, outbox: KafkaEventLog) -> None:
    damaged, sound = new_id("cmd"), new_id("cmd")
    lost, expected = replies.expect(damaged), replies.expect(sound)

    await outbox.publish(
        [reply(replies.partition, verdict(damaged), value=b"garbage"), reply(replies.partition, verdict(sound))]
    )

    async with asyncio.timeout(30):
        await expected
    assert not lost.done()
    assert replies.alive()


@pytest.mark.stack
async def test_verdicts_from_before_the_connection_are_not_read(
    kafka_bootstrap: str, replies: Replies, outbox: KafkaEventLog
) -> None:
    old, new = new_id("cmd"), new_id("cmd")
    instance = new_id("gateway")
    partition = (await _connected(kafka_bootstrap, instance)).partition
    await outbox.publish([reply(partition, verdict(old))])

    late = await Replies.connect(kafka_bootstrap, instance=instance)
    missed, expected = late.expect(old), late.expect(new)
    await outbox.publish([reply(late.partition, verdict(new))])
    async with asyncio.timeout(30):
        await expected
    await late.close()

    assert late.partition == partition
    assert not missed.done()


async def _connected(bootstrap: str, instance: str) -> Replies:
    replies = await Replies.connect(bootstrap, instance=instance)
    await replies.close()
    return replies


@pytest.mark.stack
async def test_a_closed_waiting_room_is_not_alive(kafka_bootstrap: str, kafka_aggregate: Any, eventually: Any) -> None:
    replies = await Replies.connect(kafka_bootstrap, instance="gateway")
    assert replies.alive()

    await replies.close()

    await eventually(lambda: not replies.alive())
