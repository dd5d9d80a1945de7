"""What nobody could read: listed, shown whole, and put back once somebody can."""

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import ConsumerRecord
from msgspec import Struct
from pymongo.asynchronous.database import AsyncDatabase

from chassis.store import Document
from contracts import catalogue  # noqa: F401  # so that every message can be read
from contracts.messages import Command, UndecodableError
from contracts.topics import METRICS_SAMPLES, PUBLIC_TOPICS, UNREADABLE_EVENTS, all_topics, dead_letters
from contracts.wire import unpack
from eventlog.kafka import Cluster, producer
from ops.cluster import administering, partitions, reading
from ops.reporting import OpsError, Report, Table
from webhooks.entrypoints.events import read_event

TOPICS = {each.name for each in all_topics()}
_DEAD = {dead_letters(name) for name in TOPICS} & TOPICS | {UNREADABLE_EVENTS}
_ORIGIN = "dead_letter_"
REPLAYED_FROM = "replayed_from"
REPLAYED = "replayed_dead_letters"
"""The collection that remembers what was put back."""

_WRITTEN_BY_OWNERS = {name for name in TOPICS if name.endswith(".events")} | {METRICS_SAMPLES}
"""Logs, which one writer or the truth itself is the author of: a reader that missed something is rebuilt from them."""


class Letter(Struct, frozen=True):
    id: str
    at: datetime
    type: str | None
    message_id: str | None
    tenant_id: str | None
    reason: str | None
    replayed_at: datetime | None


class Header(Struct, frozen=True):
    name: str
    value: str


class Whole(Struct, frozen=True):
    id: str
    headers: Mapping[str, str]
    value: object
    """As JSON if it is, else base64."""


class Put(Struct, frozen=True):
    id: str
    message_id: str | None
    result: str


def name_of(record: ConsumerRecord) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"


async def list_all(kafka: Cluster, database: AsyncDatabase[Document], topic: str | None) -> Report:
    rows = []
    _refuse_other_topics(topic)
    async with reading(kafka) as consumer:
        async for record in _records(kafka, consumer, topic):
            rows.append(await _letter(record, database))
    rows.sort(key=lambda letter: letter.at)
    return Report(tables=[Table("dead_letters", rows, "There are no dead letters.")])


async def show(kafka: Cluster, name: str) -> Report:
    tp, offset = _place(name)
    async with reading(kafka) as consumer:
        record = await _one(consumer, tp, offset)
    headers = {key: _text(value) for key, value in record.headers}
    value = record.value or b""
    try:
        content: object = msgspec.json.decode(value)
    except msgspec.DecodeError:
        content = base64.b64encode(value).decode()
    shown = Whole(name, headers, content)
    return Report(tables=[Table("dead_letter", [shown], "")])


async def replay(
    kafka: Cluster, database: AsyncDatabase[Document], names: Sequence[str], *, topic: str | None, repeat: bool
) -> Report:
    """Back to where they came from, as they were. What was put back before is left alone unless `repeat`; whoever reads
    a message twice knows it by its id. Raises OpsError for a name that is none.
    """
    done: list[Put] = []
    places = [_place(name) for name in names]
    _refuse_other_topics(topic)
    async with reading(kafka) as consumer:
        records = [await _one(consumer, tp, offset) for tp, offset in places]
        if topic is not None:
            records += [record async for record in _records(kafka, consumer, topic)]
        client = producer(kafka, "ops")
        try:
            await client.start()
            for record in records:
                done.append(await _put_back(record, client, database, repeat=repeat))
        finally:
            await client.stop()
    sound = all(not each.result.startswith("left") for each in done)
    return Report(tables=[Table("replayed", done, "There is nothing to put back.")], sound=sound)


async def _put_back(
    record: ConsumerRecord, client: AIOKafkaProducer, database: AsyncDatabase[Document], *, repeat: bool
) -> Put:
    name, headers = name_of(record), dict(record.headers)
    message_id = _optional(headers, "ce_id")
    remembered = await database[REPLAYED].find_one({"_id": name})
    if remembered is not None and "to" in remembered and not repeat:
        return Put(name, message_id, f"was put back at {remembered['at']:%Y-%m-%d %H:%M:%S}Z, to {remembered['to']}")
    target = _optional(headers, f"{_ORIGIN}topic")
    if target is None or target not in TOPICS:
        return Put(name, message_id, "left: it does not say where it came from")
    if target in _WRITTEN_BY_OWNERS:
        return Put(name, message_id, f"left: {target} has it already; rebuild the reader that missed it")
    if (wrong := unreadable(target, record)) is not None:
        return Put(name, message_id, f"left: it still cannot be read: {wrong}")
    key = headers.get(f"{_ORIGIN}key", headers.get("ce_subject"))
    kept = [(header, value) for header, value in record.headers if not header.startswith(_ORIGIN)]
    # Remembered as begun first: if we end in between, it is put back once more, and recognised by its id.
    await database[REPLAYED].update_one({"_id": name}, {"$set": {"message_id": message_id}}, upsert=True)
    written = await client.send_and_wait(
        target,
        value=record.value,
        key=key,
        partition=int(headers[f"{_ORIGIN}partition"]),
        headers=[*kept, (REPLAYED_FROM, name.encode())],
    )
    where = f"{target}/{written.partition}/{written.offset}"
    await database[REPLAYED].update_one({"_id": name}, {"$set": {"at": datetime.now(UTC), "to": where}})
    return Put(name, message_id, f"put back, to {where}")


def unreadable(target: str, record: ConsumerRecord) -> str | None:
    """Why the reader of that topic would bury the message again."""
    try:
        if target in PUBLIC_TOPICS:
            read_event(record)
            return None
        _, message = unpack(tuple(record.headers), record.value)
    except UndecodableError as error:
        return str(error)
    if target.endswith(".commands") and not isinstance(message, Command):
        return f"{message.type_name} is not a command"
    return None


def _refuse_other_topics(topic: str | None) -> None:
    if topic is not None and topic not in _DEAD:
        raise OpsError(f"{topic} is no topic of dead letters; these are: {', '.join(sorted(_DEAD))}")


async def _records(kafka: Cluster, consumer: AIOKafkaConsumer, topic: str | None) -> AsyncIterator[ConsumerRecord]:
    async with administering(kafka) as client:
        counts = await partitions(client)
    wanted = sorted(_DEAD & counts.keys()) if topic is None else [topic]
    every = [TopicPartition(name, number) for name in wanted for number in range(counts.get(name, 0))]
    begins, ends = await consumer.beginning_offsets(every), await consumer.end_offsets(every)
    for tp in every:
        position = begins[tp]
        if position == ends[tp]:
            continue
        consumer.assign([tp])
        consumer.seek(tp, position)
        while position < ends[tp]:
            for record in (await consumer.getmany(tp, timeout_ms=1_000)).get(tp, ()):
                position = record.offset + 1
                yield record


def _place(name: str) -> tuple[TopicPartition, int]:
    """Raises OpsError for what is no name of a dead letter."""
    topic, _, rest = name.partition("/")
    partition, _, offset = rest.partition("/")
    if topic not in _DEAD or not partition.isdecimal() or not offset.isdecimal():
        raise OpsError(f"{name} names no dead letter: `dead-letters list` names them, TOPIC/PARTITION/OFFSET")
    return TopicPartition(topic, int(partition)), int(offset)


async def _one(consumer: AIOKafkaConsumer, tp: TopicPartition, offset: int) -> ConsumerRecord:
    end = (await consumer.end_offsets([tp]))[tp]
    if offset >= end:
        raise OpsError(f"there is no {tp.topic}/{tp.partition}/{offset}: the partition ends at {end}")
    consumer.assign([tp])
    consumer.seek(tp, offset)
    while not (found := (await consumer.getmany(tp, timeout_ms=1_000, max_records=1)).get(tp)):
        pass
    return found[0]


async def _letter(record: ConsumerRecord, database: AsyncDatabase[Document]) -> Letter:
    headers = dict(record.headers)
    remembered = await database[REPLAYED].find_one({"_id": name_of(record)}) or {}
    return Letter(
        id=name_of(record),
        at=datetime.fromtimestamp(record.timestamp / 1_000, UTC),
        type=_optional(headers, "ce_type"),
        message_id=_optional(headers, "ce_id"),
        tenant_id=_optional(headers, "ce_tenantid"),
        reason=_optional(headers, f"{_ORIGIN}reason"),
        replayed_at=remembered.get("at"),
    )


def _optional(headers: Mapping[str, bytes], name: str) -> str | None:
    value = headers.get(name)
    return None if value is None else _text(value)


def _text(value: bytes) -> str:
    return value.decode(errors="backslashreplace")
