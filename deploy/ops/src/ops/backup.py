"""Log and store as files, and files as log and store again.

While the services run, a backup is taken in the order in which nothing is ahead of what it rests on: the positions of
the groups and the checkpoints, then the documents, then the log. So no document is newer than the log, and whoever
goes on from a restored one does some work again, as after a crash.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from msgspec import Struct
from msgspec.structs import replace
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from chassis.store import Document
from contracts.topics import GATEWAY_REPLIES, TopicSpec, all_topics
from eventlog.kafka import Cluster, member, producer
from eventlog.provision import provision
from ops.archive import Archive, Collection, Manifest, Partition, Position, Record, Topic
from ops.cluster import administering, groups, partitions, reading
from ops.reporting import OpsError, Report, Table

CHUNK = 1_000
CHECKPOINTS = "checkpoints"
_PASSING = {GATEWAY_REPLIES}
"""Of interest for seconds, and to processes that are gone."""


class TopicRow(Struct, frozen=True):
    topic: str
    partitions: int
    records: int


class CollectionRow(Struct, frozen=True):
    collection: str
    documents: int


def _report(manifest: Manifest, *remarks: str) -> Report:
    topics = [
        TopicRow(topic.name, len(topic.partitions), sum(each.file.entries for each in topic.partitions))
        for topic in manifest.topics
    ]
    collections = [CollectionRow(each.name, each.file.entries) for each in manifest.collections]
    return Report(
        tables=[Table("topics", topics, "No topics."), Table("collections", collections, "No collections.")],
        remarks=remarks,
    )


# --- backup -----------------------------------------------------------------------------------------------


async def backup(kafka: Cluster, database: AsyncDatabase[Document], folder: Path) -> Report:
    archive = Archive(folder)
    archive.create()
    began_at = datetime.now(UTC)
    async with administering(kafka) as client, reading(kafka) as consumer:
        positions = await _positions(client)
        names = sorted(await database.list_collection_names(), key=lambda name: (name != CHECKPOINTS, name))
        collections = [await _dump(database[name], archive) for name in names if not name.startswith(("system.", "_"))]
        counts = await partitions(client)
        topics = [
            await _copy(consumer, archive, name, count)
            for name, count in sorted(counts.items())
            if name not in _PASSING
        ]
    manifest = Manifest(
        began_at=began_at,
        ended_at=datetime.now(UTC),
        topics=tuple(topics),
        positions=tuple(positions),
        collections=tuple(collections),
    )
    archive.finish(manifest)
    return _report(
        manifest, f"the backup is in {folder}; no keys are in it: those of the vault and of webhooks are kept elsewhere"
    )


async def _positions(client: AIOKafkaAdminClient) -> list[Position]:
    return [
        Position(group=group.name, topic=tp.topic, partition=tp.partition, offset=found.offset)
        for group in await groups(client)
        for tp, found in sorted((await client.list_consumer_group_offsets(group.name)).items())
        if found.offset >= 0
    ]


async def _dump(collection: AsyncCollection[Document], archive: Archive) -> Collection:
    indexes = [
        {"name": name, **{key: value for key, value in index.items() if key not in ("v", "ns")}}
        for name, index in (await collection.index_information()).items()
        if name != "_id_"
    ]
    writer = archive.writer(f"store/{collection.name}.gz")
    async for document in collection.find():
        writer.add([document])
    return Collection(name=collection.name, indexes=tuple(indexes), file=writer.finish())


async def _copy(consumer: AIOKafkaConsumer, archive: Archive, topic: str, count: int) -> Topic:
    every = [TopicPartition(topic, number) for number in range(count)]
    begins, ends = await consumer.beginning_offsets(every), await consumer.end_offsets(every)
    copied: list[Partition] = []
    for tp in every:
        writer = archive.writer(f"log/{topic}/{tp.partition}.gz")
        position = begins[tp]
        if position < ends[tp]:
            consumer.assign([tp])
            consumer.seek(tp, position)
        while position < ends[tp]:
            found = (await consumer.getmany(tp, timeout_ms=1_000, max_records=CHUNK)).get(tp, ())
            kept = [record for record in found if record.offset < ends[tp]]
            writer.add(
                Record(record.offset, record.timestamp, record.key, tuple(record.headers), record.value)
                for record in kept
            )
            if found:
                position = found[-1].offset + 1
        copied.append(Partition(number=tp.partition, begin=begins[tp], end=ends[tp], file=writer.finish()))
    return Topic(name=topic, partitions=tuple(copied))


# --- restore ----------------------------------------------------------------------------------------------


async def restore(kafka: Cluster, database: AsyncDatabase[Document], folder: Path, *, replication: int) -> Report:
    """Into a cluster whose topics of these names hold nothing, and a database without documents. Raises OpsError."""
    archive = Archive(folder)
    manifest = archive.manifest()
    _refuse_gaps(manifest)
    async with administering(kafka) as client, reading(kafka) as consumer:
        await _refuse_records(client, consumer)
        if filled := [name for name in await database.list_collection_names() if await database[name].find_one()]:
            raise OpsError(f"the database {database.name} is not empty: there is {', '.join(sorted(filled))}")
        specs = _specs(manifest)
        # The broker would give commands the time of their restoration, and many would be void by then.
        await provision(kafka, [_with_own_times(spec) for spec in specs], replication=replication)
        sender = producer(kafka, "ops")
        try:
            await sender.start()
            for topic in manifest.topics:
                for partition in topic.partitions:
                    await _write(sender, archive, topic.name, partition)
        finally:
            await sender.stop()
        await provision(kafka, specs, replication=replication)
    for collection in manifest.collections:
        await _load(database[collection.name], archive, collection)
    await _commit(kafka, manifest)
    return _report(
        manifest,
        f"restored as of {manifest.began_at:%Y-%m-%d %H:%M:%S}Z; compare with `rebuild` before starting the services",
        "what went out after that time will go out again if it was due: see the runbook before starting the publisher",
    )


def _refuse_gaps(manifest: Manifest) -> None:
    """Offsets in documents and checkpoints are those of the logs: they must come out the same."""
    kept_for_ever = {spec.name for spec in all_topics() if spec.config["retention.ms"] == "-1"}
    for topic in manifest.topics:
        for partition in topic.partitions:
            if topic.name in kept_for_ever and partition.file.entries != partition.end:
                raise OpsError(
                    f"{topic.name}[{partition.number}] is not whole: {partition.file.entries} of {partition.end}"
                )


async def _refuse_records(client: AIOKafkaAdminClient, consumer: AIOKafkaConsumer) -> None:
    counts = await partitions(client)
    ends = await consumer.end_offsets(
        [TopicPartition(name, number) for name, count in counts.items() for number in range(count)]
    )
    if filled := {tp.topic for tp, end in ends.items() if end > 0}:
        raise OpsError(f"the cluster is not empty: there are records in {', '.join(sorted(filled))}")


def _specs(manifest: Manifest) -> Sequence[TopicSpec]:
    """As the contracts say; a topic that they no longer know is kept for ever."""
    counts = {topic.name: len(topic.partitions) for topic in manifest.topics}
    known = {spec.name: spec for spec in all_topics(max(counts.values(), default=1))}
    unknown = [
        TopicSpec(name=name, partitions=count, config={"retention.ms": "-1"}, key="", description="", messages=())
        for name, count in counts.items()
        if name not in known
    ]
    return [*(replace(spec, partitions=counts.get(name, spec.partitions)) for name, spec in known.items()), *unknown]


def _with_own_times(spec: TopicSpec) -> TopicSpec:
    return replace(spec, config={**spec.config, "message.timestamp.type": "CreateTime"})


async def _write(sender: AIOKafkaProducer, archive: Archive, topic: str, partition: Partition) -> None:
    written = 0
    for chunk in _chunks(archive.records(partition.file)):
        remaining = chunk
        while remaining:
            builder = sender.create_batch()
            taken = 0
            for record in remaining:
                added = builder.append(
                    timestamp=record.timestamp_ms, key=record.key, value=record.value, headers=list(record.headers)
                )
                if added is None:
                    break
                taken += 1
            builder.close()
            acknowledged = await sender.send_batch(builder, topic, partition=partition.number)
            metadata = await acknowledged
            if metadata.offset not in (written, -1):
                raise OpsError(
                    f"somebody else writes into {topic}[{partition.number}]: begin again with an empty cluster"
                )
            written += taken
            remaining = remaining[taken:]


async def _load(collection: AsyncCollection[Document], archive: Archive, saved: Collection) -> None:
    for chunk in _chunks(archive.documents(saved.file)):
        await collection.insert_many([dict(document) for document in chunk], ordered=False)
    for index in saved.indexes:
        options = {name: value for name, value in index.items() if name not in ("key", "name")}
        keys = [(str(field), direction) for field, direction in index["key"]]
        await collection.create_index(keys, name=index["name"], **options)


async def _commit(kafka: Cluster, manifest: Manifest) -> None:
    """Where a topic begins anew at 0, a group goes on that much earlier."""
    begins = {(topic.name, each.number): each.begin for topic in manifest.topics for each in topic.partitions}
    by_group: dict[str, dict[TopicPartition, int]] = {}
    for position in manifest.positions:
        begin = begins.get((position.topic, position.partition))
        if begin is not None:
            tp = TopicPartition(position.topic, position.partition)
            by_group.setdefault(position.group, {})[tp] = max(position.offset - begin, 0)
    for group, offsets in by_group.items():
        consumer = member(kafka, group, client_id="ops")
        try:
            await consumer.start()
            consumer.assign(list(offsets))
            await consumer.commit(offsets)
        finally:
            await consumer.stop()


def _chunks(entries: Iterator[Any]) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    for entry in entries:
        chunk.append(entry)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
