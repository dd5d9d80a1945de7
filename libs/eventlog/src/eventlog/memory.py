"""The ports of the loop in memory: for tests, and for the simulator."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Generic, TypeVar

from eventlog.aggregate import Aggregate
from eventlog.chain import Stored
from eventlog.ports import LogRecord, NewRecord, Outgoing

S = TypeVar("S")


class MemoryLog:
    """`EventLog` and `Outbox` at once."""

    def __init__(self) -> None:
        self.partitions: dict[int, list[LogRecord]] = {}
        self.published: list[Outgoing] = []

    async def end(self, partition: int) -> int:
        return len(self.partitions.get(partition, []))

    async def read(self, partition: int, start: int, end: int) -> Sequence[LogRecord]:
        return self.partitions.get(partition, [])[start:end]

    async def append(self, partition: int, records: Sequence[NewRecord]) -> Sequence[int | None]:
        written = self.partitions.setdefault(partition, [])
        first = len(written)
        written += [LogRecord(first + index, record.headers, record.value) for index, record in enumerate(records)]
        return list(range(first, len(written)))

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        self.published += messages


class MemoryDocuments(Generic[S]):
    """`Documents` of one aggregate kind."""

    def __init__(self, aggregate: Aggregate[S]) -> None:
        self._aggregate = aggregate
        self.stored: dict[str, tuple[int, Stored[S]]] = {}
        self.checkpoints: dict[int, int] = {}

    async def load(self, aggregate_ids: Iterable[str]) -> Mapping[str, Stored[S]]:
        return {name: self.stored[name][1] for name in aggregate_ids if name in self.stored}

    async def save(self, partition: int, changed: Sequence[Stored[S]]) -> None:
        for stored in changed:
            _, existing = self.stored.get(stored.aggregate_id, (partition, None))
            if existing is None or existing.version < stored.version:
                self.stored[stored.aggregate_id] = (partition, stored)

    async def due(self, partition: int, until: datetime, limit: int) -> Sequence[tuple[datetime, str]]:
        found = sorted(
            (due_at, stored.aggregate_id)
            for home, stored in self.stored.values()
            if home == partition and (due_at := self._aggregate.due_at(stored.state)) is not None and due_at <= until
        )
        return found[:limit]

    async def checkpoint(self, partition: int) -> int:
        return self.checkpoints.get(partition, 0)

    async def save_checkpoint(self, partition: int, offset: int) -> None:
        self.checkpoints[partition] = max(offset, self.checkpoints.get(partition, 0))
