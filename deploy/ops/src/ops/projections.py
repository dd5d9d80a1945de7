"""Projections folded again beside the live ones, compared with them, and put in their place."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pymongo
from aiokafka.admin import AIOKafkaAdminClient
from msgspec import Struct
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from chassis.store import Document
from contracts.messages import Event
from contracts.wire import unpack
from eventlog.aggregate import Aggregate
from eventlog.chain import Stored, advance, counts
from eventlog.documents import MongoDocuments, from_document
from eventlog.kafka import Cluster, KafkaEventLog
from media.domain.asset import MediaAggregate
from ops.cluster import administering, groups, partitions
from ops.reporting import OpsError, Report, Table
from posts.domain.post import PostAggregate
from publisher.domain.account import AccountAggregate
from webhooks.domain.endpoint import EndpointAggregate

_ALL: tuple[Aggregate[Any], ...] = (PostAggregate(), AccountAggregate(), MediaAggregate(), EndpointAggregate())
AGGREGATES: Mapping[str, Aggregate[Any]] = {aggregate.name: aggregate for aggregate in _ALL}
SERVICES = {"posts": "posts", "accounts": "publisher", "media": "media", "endpoints": "webhooks"}
"""Whose instances own the aggregate."""

CALL_SECONDS = 300
CHUNK = 500
SHOWN = 20


class Comparison(Struct, kw_only=True):
    projection: str
    events: int = 0
    """Folded by this run."""
    skipped: int = 0
    """Records that the acceptance rule passed over: left by owners that had lost their partition."""
    equal: int = 0
    newer: int = 0
    """The live document went on after the end of what was folded."""
    different: int = 0
    missing: int = 0
    extra: int = 0
    """Live documents that the log knows nothing of."""


class Beside:
    """The collection `NAME_rebuilt`, which holds the log up to its own checkpoints."""

    def __init__(self, kafka: Cluster, database: AsyncDatabase[Document], name: str) -> None:
        self._kafka = kafka
        self._database = database
        self._aggregate = AGGREGATES[name]
        self._live = database[name]
        self._collection = database[f"{name}_rebuilt"]
        self._documents = MongoDocuments(self._aggregate, database, collection=self._collection.name)
        self._comparison = Comparison(projection=name)
        self._wrong: list[str] = []

    async def run(self, *, switch_over: bool) -> Report:
        """Folds from the beginning and compares. To switch over it folds on from where the last run ended, compares,
        and puts it in the place of the live collection. Raises OpsError while somebody owns that.
        """
        name = self._aggregate.name
        async with administering(self._kafka) as client:
            count = (await partitions(client)).get(self._aggregate.events_topic, 0)
            if count == 0:
                raise OpsError(f"there is no topic {self._aggregate.events_topic}")
            if switch_over:
                await self._refuse_while_owned(client)
            ends = await self._catch_up(count, again=not switch_over)
            await self._compare(ends)
            remarks = [f"not equal: {', '.join(self._wrong[:SHOWN])}"] if self._wrong else []
            if switch_over:
                await self._refuse_while_owned(client)
                kept = await self._switch_over(ends)
                remarks.append(f"{name} is what the log says; what it was is in {kept}")
        found = self._comparison
        return Report(
            tables=[Table("comparison", [found], "")],
            remarks=remarks,
            sound=switch_over or not (found.different or found.missing or found.extra),
        )

    async def _refuse_while_owned(self, client: AIOKafkaAdminClient) -> None:
        (group,) = await groups(client, [self._aggregate.name])
        if group.members:
            service = SERVICES[group.name]
            raise OpsError(
                f"{group.name} has {len(group.members)} owners, who would go on deciding on the old documents: end all "
                f"instances of {service} first, and start them again afterwards. What is asked for meanwhile waits."
            )

    async def _catch_up(self, count: int, *, again: bool) -> Mapping[int, int]:
        checkpoints = self._database["checkpoints"]
        ours = {"_id": {"$in": [f"{self._collection.name}:{partition}" for partition in range(count)]}}
        # Documents without checkpoints are not from here, and may be an older release's.
        if again or await checkpoints.find_one(ours) is None:
            with pymongo.timeout(CALL_SECONDS):
                await self._documents.clear()
                await checkpoints.delete_many(ours)
        await self._documents.prepare()
        log = KafkaEventLog(self._kafka, self._aggregate.events_topic, "ops")
        ends: dict[int, int] = {}
        try:
            await log.start()
            for partition in range(count):
                ends[partition] = await self._fold(log, partition)
        finally:
            await log.close()
        return ends

    async def _fold(self, log: KafkaEventLog, partition: int) -> int:
        position, end = await self._documents.checkpoint(partition), await log.end(partition)
        while position < end:
            records = await log.read(partition, position, end)
            read = [(record.offset, *unpack(record.headers, record.value)) for record in records]
            known = dict(await self._documents.load({envelope.subject for _, envelope, _ in read}))
            changed: dict[str, Stored[Any]] = {}
            for offset, envelope, event in read:
                before = known.get(envelope.subject)
                if not isinstance(event, Event) or not counts(before, envelope):
                    # Seen before, when a run ended between documents and checkpoint, or a rival's.
                    self._comparison.skipped += 1
                    continue
                after = advance(self._aggregate, before, envelope, event, offset)
                known[envelope.subject] = changed[envelope.subject] = after
                self._comparison.events += 1
            await self._documents.save(partition, list(changed.values()))
            position = records[-1].offset + 1
            await self._documents.save_checkpoint(partition, position)
        return end

    async def _compare(self, ends: Mapping[int, int]) -> None:
        seen, chunk = 0, list[Document]()
        async for document in self._collection.find():
            chunk.append(document)
            if len(chunk) == CHUNK:
                seen += await self._compare_chunk(chunk)
                chunk = []
        seen += await self._compare_chunk(chunk)
        if await self._live.count_documents({}) > seen:
            await self._find_extra(ends)

    async def _find_extra(self, ends: Mapping[int, int]) -> None:
        """What is newer than what was folded is not extra."""
        async for document in self._live.find({}, {"partition": 1, "log": {"$slice": 1}}):
            known = document["log"][0] >= ends[document["partition"]] or await self._collection.find_one(
                {"_id": document["_id"]}, {"_id": 1}
            )
            if not known:
                self._comparison.extra += 1
                self._wrong.append(document["_id"])

    async def _compare_chunk(self, rebuilt: list[Document]) -> int:
        """How many of them have a live document."""
        found, state_type = self._comparison, self._aggregate.state_type
        ids = [document["_id"] for document in rebuilt]
        live = {each["_id"]: each async for each in self._live.find({"_id": {"$in": ids}})}
        for document in rebuilt:
            other = live.get(document["_id"])
            if other is None:
                found.missing += 1
                self._wrong.append(document["_id"])
            elif other["version"] > document["version"]:
                found.newer += 1
            elif from_document(other, state_type) == from_document(document, state_type):
                found.equal += 1
            else:
                found.different += 1
                self._wrong.append(document["_id"])
        return len(live)

    async def _switch_over(self, ends: Mapping[int, int]) -> str:
        name = self._aggregate.name
        kept = f"{name}_until_{datetime.now(UTC):%Y%m%d_%H%M%S}"
        checkpoints = self._database["checkpoints"]
        with pymongo.timeout(CALL_SECONDS):
            await _copy_indexes(self._live, self._collection)
            for partition, end in ends.items():
                await checkpoints.replace_one(
                    {"_id": f"{name}:{partition}"}, {"_id": f"{name}:{partition}", "next_offset": end}, upsert=True
                )
            await self._live.rename(kept)
            await self._collection.rename(name)
            await checkpoints.delete_many({"_id": {"$in": [f"{self._collection.name}:{each}" for each in ends]}})
        return kept


async def _copy_indexes(source: AsyncCollection[Document], target: AsyncCollection[Document]) -> None:
    for name, index in (await source.index_information()).items():
        if name == "_id_":
            continue
        options = {key: value for key, value in index.items() if key not in ("v", "key", "ns")}
        await target.create_index(index["key"], name=name, **options)
