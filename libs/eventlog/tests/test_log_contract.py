"""What the ports promise, asked of memory and of Kafka and MongoDB alike: proofs in memory rest on the likeness."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from contracts.topics import partition_for
from contracts.verdicts import Refusal
from eventlog.chain import Memo, Stored
from eventlog.documents import MongoDocuments
from eventlog.kafka import KafkaEventLog
from eventlog.memory import MemoryDocuments, MemoryLog
from eventlog.ports import AppendFailedError, Documents, EventLog, LogRecord, NewRecord, Outbox, Outgoing

LOGS = ["memory", pytest.param("kafka", marks=pytest.mark.stack)]
STORES = ["memory", pytest.param("mongodb", marks=pytest.mark.stack)]


@dataclass
class Log:
    """One log with two writers, and a topic to publish to."""

    first: EventLog
    second: EventLog
    outbox: Outbox
    topic: str
    published: Callable[[], Awaitable[list[Outgoing]]]


@pytest.fixture
def memory_log() -> Log:
    memory = MemoryLog()

    async def published() -> list[Outgoing]:
        return memory.published

    return Log(memory, memory, memory, "news", published)


@pytest.fixture
async def kafka_log(kafka_bootstrap: str, kafka_aggregate: Any, read_topic: Any) -> AsyncIterator[Log]:
    first = await KafkaEventLog(kafka_bootstrap, kafka_aggregate.events_topic, "first").start()
    second = await KafkaEventLog(kafka_bootstrap, kafka_aggregate.events_topic, "second").start()

    async def published() -> list[Outgoing]:
        return [
            Outgoing(
                topic=record.topic,
                key=None if record.key is None else record.key.decode(),
                headers=tuple(record.headers),
                value=record.value,
                partition=record.partition,
            )
            for record in await read_topic(kafka_aggregate.news_topic)
        ]

    yield Log(first, second, first, kafka_aggregate.news_topic, published)
    await first.close()
    await second.close()


@pytest.fixture(params=LOGS)
def log(request: pytest.FixtureRequest) -> Log:
    log: Log = request.getfixturevalue(f"{request.param}_log")
    return log


def records(*values: bytes) -> list[NewRecord]:
    return [NewRecord("tally_1", (("ce_id", value[:20]),), value) for value in values]


async def read_all(log: EventLog, partition: int, start: int = 0) -> list[LogRecord]:
    end = await log.end(partition)
    found: list[LogRecord] = []
    position = start
    while position < end:
        some = await log.read(partition, position, end)
        assert some, "nothing read although there is something"
        found += some
        position = some[-1].offset + 1
    return found


# --- the log ------------------------------------------------------------------------------------------


async def test_offsets_follow_the_end(log: Log) -> None:
    assert await log.first.end(0) == 0

    assert list(await log.first.append(0, records(b"a", b"b"))) == [0, 1]
    assert await log.first.end(0) == 2
    assert list(await log.first.append(0, records(b"c"))) == [2]


async def test_what_was_appended_is_read_in_order(log: Log) -> None:
    await log.first.append(0, records(b"a", b"b", b"c"))

    assert await read_all(log.second, 0) == [
        LogRecord(0, (("ce_id", b"a"),), b"a"),
        LogRecord(1, (("ce_id", b"b"),), b"b"),
        LogRecord(2, (("ce_id", b"c"),), b"c"),
    ]


async def test_reading_starts_and_ends_where_asked(log: Log) -> None:
    await log.first.append(0, records(*(b"%d" % number for number in range(10))))

    some = [record.offset for record in await log.first.read(0, 3, 6)]

    assert some == [3, 4, 5][: len(some)] != []
    assert [record.offset for record in await read_all(log.first, 0, start=8)] == [8, 9]


async def test_partitions_know_nothing_of_each_other(log: Log) -> None:
    await log.first.append(0, records(b"a"))
    await log.first.append(1, records(b"b", b"c"))

    assert (await log.first.end(0), await log.first.end(1), await log.first.end(2)) == (1, 2, 0)
    assert [record.value for record in await read_all(log.first, 1)] == [b"b", b"c"]


async def test_a_rivals_records_show_as_a_gap(log: Log) -> None:
    await log.first.append(0, records(b"a"))
    await log.second.append(0, records(b"rival"))

    assert list(await log.first.append(0, records(b"b"))) == [2]


async def test_a_turn_larger_than_a_batch_keeps_its_order(log: Log) -> None:
    values = [b"%06d" % number + bytes(range(256)) * 4 for number in range(2_000)]

    offsets = await log.first.append(0, records(*values))

    assert list(offsets) == list(range(2_000))
    assert [record.value for record in await read_all(log.second, 0)] == values


@pytest.mark.stack
@pytest.mark.parametrize("log", ["kafka"], indirect=True)
async def test_an_event_too_large_for_kafka_fails_at_once(log: Log) -> None:
    with pytest.raises(AppendFailedError):
        await log.first.append(0, records(os.urandom(2_000_000)))

    assert await log.first.end(0) == 0


# --- the outbox ---------------------------------------------------------------------------------------


async def test_messages_arrive_as_they_were_sent(log: Log) -> None:
    sent = [
        Outgoing(topic=log.topic, key="a", headers=(("ce_id", b"1"),), value=b"{}"),
        Outgoing(topic=log.topic, key=None, headers=(("ce_id", b"2"),), value=b"", partition=2),
    ]

    await log.outbox.publish(sent)

    arrived = sorted(await log.published(), key=lambda message: message.headers)
    assert [replace(message, partition=None) for message in arrived] == [
        replace(message, partition=None) for message in sent
    ]
    assert arrived[1].partition == 2


@pytest.mark.stack
@pytest.mark.parametrize("log", ["kafka"], indirect=True)
async def test_a_key_chooses_its_partition(log: Log) -> None:
    keys = [f"account_{number}" for number in range(20)]

    await log.outbox.publish([Outgoing(topic=log.topic, key=key, headers=(), value=b"{}") for key in keys])

    assert {message.key: message.partition for message in await log.published()} == {
        key: partition_for(key, 4) for key in keys
    }


# --- the documents ------------------------------------------------------------------------------------


@pytest.fixture
async def mongodb_documents(aggregate: Any, database: Any) -> MongoDocuments[Any]:
    documents: MongoDocuments[Any] = MongoDocuments(aggregate, database)
    await documents.prepare()
    await documents.prepare()
    return documents


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, documents: MemoryDocuments[Any]) -> Documents[Any]:
    if request.param == "memory":
        return documents
    in_mongodb: MongoDocuments[Any] = request.getfixturevalue("mongodb_documents")
    return in_mongodb


@pytest.fixture
def stored(toy: Any) -> Callable[..., Stored[Any]]:
    def stored(name: str, version: int = 1, *, due_at: datetime | None = None, total: int = 0) -> Stored[Any]:
        return Stored(
            aggregate_id=name,
            version=version,
            event_id=f"evt_{version}",
            state=toy.Tally(tenant_id="tenant_1", total=total, steps=("a", "b"), due_at=due_at),
            memo=(
                Memo(command_id="cmd_1", version=1),
                Memo(command_id="cmd_2", version=2, refusal=Refusal(code="no", message="No.", details={"limit": 3})),
            ),
            log=(4, 8),
        )

    return stored


async def load(store: Documents[Any], *names: str) -> dict[str, int]:
    return {name: item.version for name, item in (await store.load(names)).items()}


async def test_a_document_comes_back_as_it_was_saved(store: Documents[Any], stored: Any, toy: Any) -> None:
    saved = stored("tally_1", due_at=toy.now, total=7)

    await store.save(0, [saved])

    assert await store.load(["tally_1", "tally_2"]) == {"tally_1": saved}


async def test_only_a_higher_version_replaces(store: Documents[Any], stored: Any) -> None:
    await store.save(0, [stored("a", 2, total=20), stored("b", 2, total=20), stored("c", 2, total=20)])

    await store.save(0, [stored("a", 1, total=10), stored("b", 2, total=21), stored("c", 3, total=30)])

    found = await store.load(["a", "b", "c"])
    assert {name: (item.version, item.state.total) for name, item in found.items()} == {
        "a": (2, 20),
        "b": (2, 20),
        "c": (3, 30),
    }


async def test_versions_may_be_left_out(store: Documents[Any], stored: Any) -> None:
    await store.save(0, [stored("a", 5)])
    await store.save(0, [stored("a", 9), stored("b", 1)])

    assert await load(store, "a", "b") == {"a": 9, "b": 1}


async def test_saving_again_changes_nothing(store: Documents[Any], stored: Any) -> None:
    batch = [stored("a", 1), stored("b", 2)]
    await store.save(0, batch)
    await store.save(0, batch)

    assert await load(store, "a", "b") == {"a": 1, "b": 2}


async def due(store: Documents[Any], partition: int, until: datetime, limit: int = 10) -> Sequence[str]:
    return [name for _, name in await store.due(partition, until, limit)]


async def test_what_is_due_comes_earliest_first(store: Documents[Any], stored: Any, later: Any) -> None:
    await store.save(
        0,
        [
            stored("late", due_at=later(30)),
            stored("never"),
            stored("first", due_at=later(10)),
            stored("second", due_at=later(20)),
        ],
    )
    await store.save(1, [stored("elsewhere", due_at=later(1))])

    assert await due(store, 0, later(20)) == ["first", "second"]
    assert await due(store, 0, later(19)) == ["first"]
    assert await due(store, 0, later(100), limit=2) == ["first", "second"]
    assert list(await store.due(1, later(100), 10)) == [(later(1), "elsewhere")]


async def test_what_is_no_longer_due_is_not_found(store: Documents[Any], stored: Any, later: Any) -> None:
    await store.save(0, [stored("a", due_at=later(10)), stored("b", due_at=later(10))])
    await store.save(0, [stored("a", 2), stored("b", 2, due_at=later(50))])

    assert await due(store, 0, later(49)) == []


async def test_a_checkpoint_never_goes_back(store: Documents[Any]) -> None:
    assert await store.checkpoint(0) == 0

    await store.save_checkpoint(0, 7)
    await store.save_checkpoint(0, 5)
    await store.save_checkpoint(1, 1)

    assert (await store.checkpoint(0), await store.checkpoint(1), await store.checkpoint(2)) == (7, 1, 0)


@pytest.mark.stack
async def test_two_collections_share_no_checkpoint(aggregate: Any, database: Any) -> None:
    live: MongoDocuments[Any] = MongoDocuments(aggregate, database)
    rebuilt: MongoDocuments[Any] = MongoDocuments(aggregate, database, collection="rebuilt")

    await live.save_checkpoint(0, 7)

    assert await rebuilt.checkpoint(0) == 0


@pytest.mark.stack
async def test_a_cleared_collection_is_empty(aggregate: Any, database: Any, stored: Any) -> None:
    rebuilt: MongoDocuments[Any] = MongoDocuments(aggregate, database, collection="rebuilt")
    await rebuilt.save(0, [stored("a")])

    await rebuilt.clear()

    assert await rebuilt.load(["a"]) == {}


@pytest.mark.stack
async def test_documents_carry_what_queries_ask_for(aggregate: Any, database: Any, stored: Any, toy: Any) -> None:
    await MongoDocuments(aggregate, database).save(3, [stored("a", due_at=toy.now)])

    document = await database[aggregate.name].find_one({"tenant_id": "tenant_1"})

    assert document is not None
    assert (document["_id"], document["partition"], document["due_at"]) == ("a", 3, toy.now)
