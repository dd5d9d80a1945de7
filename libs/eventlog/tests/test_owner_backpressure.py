"""When the store falls behind, nothing more is decided until it has caught up: neither commands nor what comes due."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from aiokafka import TopicPartition
from pymongo import AsyncMongoClient

from eventlog import owner
from eventlog.chain import Stored
from eventlog.documents import CHUNK, MongoDocuments
from eventlog.owner import AggregateOwner
from eventlog.ports import ReceivedCommand


class Behind:
    """An owner with thousands of entries due and a store that takes none of them for now."""

    def __init__(self, partition: owner._Partition) -> None:
        self.partition = partition
        self.waiting = owner.UNSETTLED_LIMIT + 1
        self.asked = asyncio.Event()
        self.turned = asyncio.Event()

    def unsettled(self) -> Counter[str]:
        self.asked.set()
        return Counter({"tally_1": self.waiting})

    def next_due(self) -> datetime:
        return datetime.now(UTC)

    def undecided(self) -> datetime | None:
        return None

    async def decide(self, commands: Sequence[ReceivedCommand], now: datetime, position: int | None) -> None:
        assert self.waiting <= owner.UNSETTLED_LIMIT
        self.turned.set()
        self.partition.released.set()


async def test_what_comes_due_waits_for_the_store(aggregate: Any) -> None:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient("mongodb://127.0.0.1:1", connect=False)
    service = AggregateOwner(aggregate, kafka="127.0.0.1:1", database=client["none"], source="test")
    partition = owner._Partition()
    behind = Behind(partition)
    deciding = asyncio.create_task(service._decide(TopicPartition("tallies.commands", 0), partition, behind))  # type: ignore[arg-type]

    await behind.asked.wait()
    assert not behind.turned.is_set()
    behind.waiting = 0
    partition.settled.set()
    await deciding
    assert behind.turned.is_set()
    await client.close()


async def test_documents_are_written_a_few_at_a_time(aggregate: Any, toy: Any) -> None:
    sizes: list[int] = []

    class Collection:
        async def bulk_write(self, requests: list[Any], *, ordered: bool) -> None:
            sizes.append(len(requests))

    database: Any = {"tallies": Collection(), "checkpoints": None}
    tally = aggregate.evolve(None, toy.Added(amount=1, tenant_id="tenant_1", label=""))
    changed = [
        Stored(aggregate_id=f"tally_{number}", version=1, event_id="evt", state=tally)
        for number in range(2 * CHUNK + 1)
    ]
    await MongoDocuments(aggregate, database).save(0, changed)
    assert sizes == [CHUNK, CHUNK, 1]
