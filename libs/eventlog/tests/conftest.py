"""A toy aggregate and what its owner is given, so that nothing here depends on a service."""

from __future__ import annotations

import asyncio
import inspect
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord
from msgspec import Struct
from msgspec.structs import replace
from pymongo.asynchronous.database import AsyncDatabase

from chassis import store
from contracts.messages import Command, Event, message
from contracts.topics import GATEWAY_REPLIES, TopicSpec, dead_letters
from contracts.verdicts import Refusal
from contracts.wire import Envelope
from eventlog.aggregate import Decision, FollowUp, NotFound
from eventlog.kafka import partition_count
from eventlog.memory import MemoryDocuments, MemoryLog
from eventlog.partition import PartitionOwner
from eventlog.ports import ReceivedCommand
from eventlog.provision import provision

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Tally(Struct, frozen=True, kw_only=True):
    tenant_id: str
    total: int
    steps: tuple[str, ...]
    """What was added, in order, for tests of order."""
    due_at: datetime | None = None
    rang: int = 0


@message("tally.add.v1")
class Add(Command, frozen=True, kw_only=True):
    amount: int
    tenant_id: str = "tenant_1"
    label: str = ""


@message("tally.set_alarm.v1")
class SetAlarm(Command, frozen=True, kw_only=True):
    at: datetime | None


@message("tally.pause.v1")
class Pause(Command, frozen=True, kw_only=True):
    """Asks for nothing."""


class Ring(Command, frozen=True, kw_only=True):
    """The owner's wish to itself."""

    now: datetime


@message("tally.added.v1")
class Added(Event, frozen=True, kw_only=True):
    amount: int
    tenant_id: str
    label: str


@message("tally.alarm_set.v1")
class AlarmSet(Event, frozen=True, kw_only=True):
    at: datetime | None


@message("tally.rang.v1")
class Rang(Event, frozen=True, kw_only=True):
    at: datetime


@message("tally.news.v1")
class News(Event, frozen=True, kw_only=True):
    """What others are told: the total after each addition."""

    total: int


class TallyAggregate:
    """`eventlog.aggregate.Aggregate`: adds up amounts, refuses to go below zero, and rings when its alarm is due."""

    state_type = Tally

    def __init__(self, name: str = "tallies") -> None:
        self.name = name
        self.commands_topic = f"{name}.commands"
        self.events_topic = f"{name}.events"
        self.news_topic = f"{name}.news"

    def decide(self, state: Tally | None, command: Command) -> Decision:
        match command:
            case Add(amount=amount, tenant_id=tenant_id, label=label):
                if state is not None and state.tenant_id != tenant_id:
                    return NotFound(refusal=Refusal(code="not_found", message="There is no such tally."))
                if (state.total if state else 0) + amount < 0:
                    return Refusal(code="below_zero", message="A tally never goes below zero.")
                return Added(amount=amount, tenant_id=tenant_id, label=label)
            case SetAlarm(at=at) if state is not None:
                return AlarmSet(at=at)
            case Ring(now=now) if state is not None and state.due_at is not None and state.due_at <= now:
                return Rang(at=now)
            case _:
                return None

    def evolve(self, state: Tally | None, event: Event) -> Tally:
        match event:
            case Added(amount=amount, tenant_id=tenant_id, label=label):
                if state is None:
                    return Tally(tenant_id=tenant_id, total=amount, steps=(label,))
                return replace(state, total=state.total + amount, steps=(*state.steps, label))
            case AlarmSet(at=at) if state is not None:
                return replace(state, due_at=at)
            case Rang() if state is not None:
                return replace(state, due_at=None, rang=state.rang + 1)
        raise ValueError(event.type_name)

    def index(self, state: Tally) -> Mapping[str, Any]:
        return {"tenant_id": state.tenant_id}

    def due_at(self, state: Tally) -> datetime | None:
        return state.due_at

    def when_due(self, aggregate_id: str, now: datetime) -> Command:
        return Ring(now=now)

    def follow_ups(self, before: Tally | None, event: Event, event_id: str, after: Tally) -> Sequence[FollowUp]:
        if not isinstance(event, Added):
            return []
        return [FollowUp(topic=self.news_topic, key="all", id=f"{event_id}:news", message=News(total=after.total))]


class Toy:
    """The toy's vocabulary, for tests to speak."""

    Tally = Tally
    Add = Add
    SetAlarm = SetAlarm
    Pause = Pause
    Added = Added
    AlarmSet = AlarmSet
    Rang = Rang
    News = News
    Aggregate = TallyAggregate
    now = NOW


@pytest.fixture
def toy() -> type[Toy]:
    return Toy


@pytest.fixture
def aggregate() -> TallyAggregate:
    return TallyAggregate()


@pytest.fixture
def event_log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def documents(aggregate: TallyAggregate) -> MemoryDocuments[Tally]:
    return MemoryDocuments(aggregate)


@pytest.fixture
def received() -> Callable[..., ReceivedCommand]:
    """`received(command)`: as read from the commands topic, each with the next offset and an id of its own."""
    offsets = count()

    def received(
        command: Command,
        *,
        to: str = "tally_1",
        command_id: str | None = None,
        reply: int | None = None,
        deadline: datetime | None = None,
        appended_at: datetime = NOW,
    ) -> ReceivedCommand:
        offset = next(offsets)
        envelope = Envelope(
            id=command_id or f"cmd_{offset}",
            source="test",
            subject=to,
            time=NOW,
            tenant_id="tenant_1",
            reply_partition=reply,
            deadline=deadline,
        )
        return ReceivedCommand(
            aggregate_id=to, command=command, envelope=envelope, appended_at=appended_at, offset=offset
        )

    return received


@pytest.fixture
def new_owner(
    aggregate: TallyAggregate, event_log: MemoryLog, documents: MemoryDocuments[Tally]
) -> Callable[..., PartitionOwner[Tally]]:
    """An owner of partition 0 that has not taken over yet; event ids tell which owner wrote them."""
    names: Iterator[str] = (f"owner{number}" for number in count(1))

    def new_owner(**options: Any) -> PartitionOwner[Tally]:
        name, numbers = next(names), count(1)
        ports: dict[str, Any] = {
            "event_log": event_log,
            "outbox": event_log,
            "documents": documents,
            "source": name,
            "next_event_id": lambda: f"{name}_evt_{next(numbers)}",
        }
        return PartitionOwner(aggregate, 0, **{**ports, **options})

    return new_owner


@pytest.fixture
def later() -> Callable[[float], datetime]:
    """That many seconds after the toy's now."""
    return lambda seconds: NOW + timedelta(seconds=seconds)


# --- the real thing -----------------------------------------------------------------------------------

PARTITIONS = 4


def _topic(name: str, partitions: int = PARTITIONS, **config: str) -> TopicSpec:
    return TopicSpec(name=name, partitions=partitions, config=config, key="", description="", messages=())


@pytest.fixture
async def kafka_aggregate(kafka_bootstrap: str) -> TallyAggregate:
    """An aggregate with topics of its own on the real Kafka."""
    aggregate = TallyAggregate(f"tallies_{uuid.uuid4().hex[:8]}")
    topics = [
        _topic(aggregate.commands_topic, **{"message.timestamp.type": "LogAppendTime"}),
        _topic(aggregate.events_topic),
        _topic(aggregate.news_topic),
        _topic(dead_letters(aggregate.commands_topic)),
    ]
    if await partition_count(kafka_bootstrap, GATEWAY_REPLIES) == 0:
        topics.append(_topic(GATEWAY_REPLIES, partitions=8))
    await provision(kafka_bootstrap, topics)
    return aggregate


@pytest.fixture
async def database(mongodb_uri: str) -> AsyncIterator[AsyncDatabase[dict[str, Any]]]:
    """A database of its own on the real store."""
    client = store.connect(mongodb_uri)
    name = f"eventlog_{uuid.uuid4().hex[:8]}"
    yield store.database(client, name)
    await client.drop_database(name)
    await client.close()


@pytest.fixture
async def read_topic(kafka_bootstrap: str) -> Callable[[str], Awaitable[list[ConsumerRecord]]]:
    """Every record of a topic, by partition and offset."""

    async def read_topic(topic: str) -> list[ConsumerRecord]:
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka_bootstrap, group_id=None, auto_offset_reset="earliest")
        await consumer.start()
        try:
            partitions = range(await partition_count(kafka_bootstrap, topic))
            assigned = [TopicPartition(topic, number) for number in partitions]
            consumer.assign(assigned)
            ends = await consumer.end_offsets(assigned)
            records: list[ConsumerRecord] = []
            while len(records) < sum(ends.values()):
                for found in (await consumer.getmany(timeout_ms=500)).values():
                    records += found
        finally:
            await consumer.stop()
        return sorted(records, key=lambda record: (record.partition, record.offset))

    return read_topic


@pytest.fixture
def eventually() -> Callable[..., Awaitable[None]]:
    """`await eventually(condition)`: until it is true. Fails after 30 s."""

    async def eventually(condition: Callable[[], Any], what: str = "the condition") -> None:
        try:
            async with asyncio.timeout(30):
                while True:
                    answer = condition()
                    if await answer if inspect.isawaitable(answer) else answer:
                        return
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pytest.fail(f"{what} did not come true")

    return eventually
