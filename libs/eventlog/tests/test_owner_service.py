"""The decider service against the real Kafka and store: sharing, handing over, crashing, garbage."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis import faultpoints
from contracts.ids import new_id
from contracts.messages import Command
from contracts.topics import dead_letters, partition_for
from contracts.verdicts import Verdict
from contracts.wire import Envelope, pack, unpack
from eventlog import metrics
from eventlog.documents import MongoDocuments
from eventlog.kafka import KafkaEventLog
from eventlog.owner import AggregateOwner
from eventlog.ports import Outgoing
from eventlog.rebuild import Comparison, Rebuild
from eventlog.replies import Replies
from eventlog.sending import CommandSender

pytestmark = pytest.mark.stack

PARTITIONS = 4
KEYS = [f"tally_{number}" for number in range(8)]

Owner = AggregateOwner[Any]
Ask = Callable[[str, Command], Awaitable[Verdict]]


@pytest.fixture
async def owning(
    kafka_bootstrap: str, kafka_aggregate: Any, database: Any
) -> Callable[[], AbstractAsyncContextManager[tuple[Owner, asyncio.Event]]]:
    """`async with owning() as (owner, stop)`: a service instance; its clean end is awaited."""

    @asynccontextmanager
    async def owning() -> AsyncIterator[tuple[Owner, asyncio.Event]]:
        owner: Owner = AggregateOwner(kafka_aggregate, kafka=kafka_bootstrap, database=database, source="test")
        stop = asyncio.Event()
        running = asyncio.create_task(owner.run(stop))
        try:
            yield owner, stop
        finally:
            stop.set()
            await running

    return owning


@pytest.fixture
async def tell(kafka_bootstrap: str, kafka_aggregate: Any) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """Sends a command without waiting for its verdict."""
    sender = await CommandSender.connect(kafka_bootstrap, source="test")

    async def tell(key: str, command: Command, *, command_id: str | None = None, reply: int | None = None) -> None:
        await sender.send(
            kafka_aggregate.commands_topic,
            key,
            command,
            command_id=command_id or new_id("cmd"),
            tenant_id="tenant_1",
            reply_partition=reply,
        )

    yield tell
    await sender.close()


@pytest.fixture
async def ask(kafka_bootstrap: str, kafka_aggregate: Any, tell: Any) -> AsyncIterator[Ask]:
    """Sends a command and waits for its verdict."""
    replies = await Replies.connect(kafka_bootstrap, instance=new_id("gateway"))

    async def ask(key: str, command: Command) -> Verdict:
        command_id = new_id("cmd")
        answer = replies.expect(command_id)
        await tell(key, command, command_id=command_id, reply=replies.partition)
        async with asyncio.timeout(60):
            return await answer

    yield ask
    await replies.close()


@pytest.fixture
def documents(kafka_aggregate: Any, database: Any) -> MongoDocuments[Any]:
    return MongoDocuments(kafka_aggregate, database)


@pytest.fixture
def totals(documents: MongoDocuments[Any]) -> Callable[[], Awaitable[dict[str, int]]]:
    async def totals() -> dict[str, int]:
        return {name: item.state.total for name, item in (await documents.load(KEYS)).items()}

    return totals


@pytest.fixture
async def rebuilt(
    kafka_bootstrap: str, kafka_aggregate: Any, documents: MongoDocuments[Any]
) -> Callable[[], Awaitable[Comparison]]:
    """The documents compared with the log."""

    async def rebuilt() -> Comparison:
        log = await KafkaEventLog(kafka_bootstrap, kafka_aggregate.events_topic, "rebuild").start()
        comparison = Comparison()
        for partition in range(PARTITIONS):
            await Rebuild(kafka_aggregate, log, documents).compare(partition, comparison)
        await log.close()
        return comparison

    return rebuilt


async def test_whoever_has_a_verdict_can_read_what_it_says(
    owning: Any, ask: Ask, toy: Any, documents: MongoDocuments[Any]
) -> None:
    async with owning() as (owner, _):
        accepted = await ask("tally_1", toy.Add(amount=2))
        written = await documents.load(["tally_1"])
        refused = await ask("tally_1", toy.Add(amount=-9))
        assert owner.owned() == list(range(PARTITIONS))
        assert (owner.healthy(), owner.turning()) == (None, None)

    assert (accepted.version, accepted.refusal) == (1, None)
    assert (written["tally_1"].version, written["tally_1"].state.total) == (1, 2)
    assert refused.refusal is not None
    assert (refused.version, refused.refusal.code) == (2, "below_zero")


async def test_before_it_has_joined_an_owner_is_not_ready(
    kafka_bootstrap: str, kafka_aggregate: Any, database: Any
) -> None:
    owner: Owner = AggregateOwner(kafka_aggregate, kafka=kafka_bootstrap, database=database, source="test")

    assert owner.healthy() == "not in the consumer group yet"
    assert owner.turning() is None, "a restart would not help"


async def test_when_an_owner_leaves_the_other_goes_on(
    owning: Any, ask: Ask, toy: Any, eventually: Any, totals: Any, rebuilt: Any, kafka_aggregate: Any
) -> None:
    def watched() -> set[str]:
        (family,) = metrics.OLDEST_OVERDUE.collect()
        return {each.labels["partition"] for each in family.samples if each.labels["aggregate"] == kafka_aggregate.name}

    def shared(first: Owner, second: Owner) -> bool:
        halves = first.owned(), second.owned()
        return all(halves) and sorted([*halves[0], *halves[1]]) == list(range(PARTITIONS))

    async with owning() as (first, _):
        await asyncio.gather(*(ask(key, toy.Add(amount=1)) for key in KEYS))
        async with owning() as (second, _):
            await eventually(lambda: shared(first, second), "sharing the partitions")
            await asyncio.gather(*(ask(key, toy.Add(amount=1)) for key in KEYS))
        verdicts = await asyncio.gather(*(ask(key, toy.Add(amount=1)) for key in KEYS))
        await eventually(lambda: len(watched()) == PARTITIONS, "the age of what is due in each partition")

    assert watched() == set(), "whoever owns them now tells that age"
    assert [verdict.version for verdict in verdicts] == [3] * len(KEYS)
    assert await totals() == dict.fromkeys(KEYS, 3)
    assert (await rebuilt()) == Comparison(events=24, equal=8)


async def test_commands_sent_while_owners_come_and_go_count_once(
    owning: Any, tell: Any, toy: Any, eventually: Any, totals: Any, rebuilt: Any
) -> None:
    async def steady() -> None:
        for _ in range(40):
            await asyncio.gather(*(tell(key, toy.Add(amount=1)) for key in KEYS))

    async def complete() -> bool:
        return bool(await totals() == dict.fromkeys(KEYS, 40))

    async with owning():
        sending = asyncio.create_task(steady())
        async with owning() as (second, _):
            await eventually(second.owned)
        await sending
        await eventually(complete, "every command counted")

    comparison = await rebuilt()
    assert comparison.is_sound
    assert comparison.events == 320


async def test_an_alarm_rings_without_being_asked(
    owning: Any, ask: Ask, toy: Any, eventually: Any, documents: MongoDocuments[Any]
) -> None:
    async def rang() -> int:
        return int((await documents.load(["tally_1"]))["tally_1"].state.rang)

    async with owning():
        await ask("tally_1", toy.Add(amount=1))
        await ask("tally_1", toy.SetAlarm(at=datetime.now(UTC) + timedelta(milliseconds=200)))
        await eventually(rang)

    assert await rang() == 1


async def test_what_nobody_can_read_is_put_aside_and_blocks_nothing(
    owning: Any, ask: Ask, toy: Any, kafka_bootstrap: str, kafka_aggregate: Any, read_topic: Any
) -> None:
    topic, partition = kafka_aggregate.commands_topic, partition_for("tally_1", PARTITIONS)
    stamp = Envelope(id="x", source="test", subject="tally_1", time=datetime.now(UTC))
    event_headers, event_value = pack(toy.Added(amount=1, tenant_id="tenant_1", label=""), stamp)
    command_headers, _ = pack(toy.Add(amount=1), stamp)
    garbage: list[tuple[Any, bytes | None, bytes]] = [
        ((), b"garbage", b"header 'ce_type' is missing"),
        (command_headers, b"{", b"tally.add.v1: Input data was truncated"),
        (command_headers, None, b"no data (a tombstone)"),
        (event_headers, event_value, b"tally.added.v1 is not a command"),
        ((*command_headers[:1], ("ce_type", b"unheard.of"), *command_headers[2:]), b"{}", b"unknown message type"),
    ]
    log = await KafkaEventLog(kafka_bootstrap, topic, "vandal").start()
    await log.publish(
        [
            Outgoing(topic=topic, key="tally_1", headers=headers, value=value, partition=partition)
            for headers, value, _ in garbage
        ]
    )
    await log.close()

    async with owning():
        verdict = await ask("tally_1", toy.Add(amount=1))

    assert verdict.version == 1
    dead = await read_topic(dead_letters(topic))
    assert [record.value for record in dead] == [value or b"" for _, value, _ in garbage]
    for record, (_, _, reason) in zip(dead, garbage, strict=True):
        assert dict(record.headers)["dead_letter_reason"].startswith(reason)
        assert dict(record.headers)["dead_letter_topic"] == topic.encode()


@pytest.mark.parametrize(
    "point",
    [
        "owner.before_append",
        "owner.after_append",
        "owner.after_follow_ups",
        "owner.after_projection",
        "owner.after_verdicts",
        "owner.before_commit",
    ],
)
async def test_wherever_a_turn_fails_every_command_counts_once(
    owning: Any,
    ask: Ask,
    toy: Any,
    totals: Any,
    rebuilt: Any,
    read_topic: Any,
    kafka_aggregate: Any,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
) -> None:
    monkeypatch.setattr(faultpoints, "_points", {point: ("raise", 2)})
    monkeypatch.setattr(faultpoints, "_reached", Counter())

    async with owning():
        for amount in (1, 2, 4):
            await asyncio.gather(*(ask(key, toy.Add(amount=amount)) for key in KEYS))

    assert faultpoints._reached[point] > 2, "the fault did not happen"
    assert await totals() == dict.fromkeys(KEYS, 7)
    assert (await rebuilt()).is_sound
    told = {}
    for record in await read_topic(kafka_aggregate.news_topic):
        envelope, news = unpack(tuple(record.headers), record.value)
        # Told again after a failure, always in the same words.
        assert told.setdefault(envelope.id, news) == news
    assert len(told) == 24
