"""Folding the log from its first record: the proof that the documents hold nothing the log does not say."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from contracts.messages import Event
from contracts.wire import unpack
from eventlog.aggregate import Aggregate
from eventlog.chain import Stored, advance, counts
from eventlog.ports import Documents, EventLog

S = TypeVar("S")


class Comparison(Struct, kw_only=True):
    """Aggregates by how their live document stands to the rebuilt one."""

    events: int = 0
    skipped: int = 0
    """Records the acceptance rule passed over: left by owners that had lost their partition."""
    equal: int = 0
    newer: int = 0
    """The live document went on while we were reading."""
    different: list[str] = []
    missing: list[str] = []

    @property
    def is_sound(self) -> bool:
        return not self.different and not self.missing


Write = Callable[[int, Sequence[Stored[S]]], Awaitable[None]]
"""Of `Documents`: takes a partition and the aggregates that are to lie there."""

CHUNK = 500


class Rebuild(Generic[S]):
    """One partition at a time, so that memory holds one partition's aggregates at most."""

    def __init__(self, aggregate: Aggregate[S], event_log: EventLog, documents: Documents[S]) -> None:
        self._aggregate = aggregate
        self._log = event_log
        self._documents = documents

    async def compare(self, partition: int, into: Comparison, write: Write[S] | None = None) -> None:
        """Folds the partition, hands the result to `write` if given, and compares it with the live documents."""
        rebuilt: dict[str, Stored[S]] = {}
        async for offset, headers, value in self._records(partition):
            envelope, event = unpack(headers, value)
            before = rebuilt.get(envelope.subject)
            if not isinstance(event, Event) or not counts(before, envelope):
                into.skipped += 1
                continue
            rebuilt[envelope.subject] = advance(self._aggregate, before, envelope, event, offset)
            into.events += 1
        stored = list(rebuilt.values())
        for start in range(0, len(stored), CHUNK):
            chunk = stored[start : start + CHUNK]
            if write is not None:
                await write(partition, chunk)
            live = await self._documents.load([item.aggregate_id for item in chunk])
            _compare(chunk, live, into)

    async def _records(self, partition: int) -> AsyncIterator[tuple[int, tuple[tuple[str, bytes], ...], bytes | None]]:
        end = await self._log.end(partition)
        position = 0
        while position < end:
            for record in await self._log.read(partition, position, end):
                position = record.offset + 1
                yield record.offset, record.headers, record.value


def _compare(rebuilt: Sequence[Stored[S]], live: Mapping[str, Stored[S]], into: Comparison) -> None:
    for item in rebuilt:
        document = live.get(item.aggregate_id)
        if document is None:
            into.missing.append(item.aggregate_id)
        elif document == item:
            into.equal += 1
        elif document.version > item.version:
            into.newer += 1
        else:
            into.different.append(item.aggregate_id)
