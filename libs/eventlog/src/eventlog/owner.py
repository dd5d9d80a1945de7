"""The decider service of one aggregate kind: a Kafka consumer group around `PartitionOwner`."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import ConsumerRecord
from pymongo.asynchronous.database import AsyncDatabase

from chassis import faultpoints
from chassis.health import Heartbeat
from contracts.messages import Command, UndecodableError
from contracts.topics import dead_letters
from contracts.wire import unpack
from eventlog import messaging, metrics
from eventlog.aggregate import Aggregate
from eventlog.documents import MongoDocuments
from eventlog.kafka import Cluster, KafkaEventLog, member, start_patiently
from eventlog.partition import PartitionOwner, fair_cut
from eventlog.ports import Outgoing, ReceivedCommand

S = TypeVar("S")
log = structlog.get_logger()

TURN_SIZE = 500
"""Commands decided with one append at most."""

QUEUE_SIZE = 2_000
"""Commands waiting for one partition before fetching it is paused."""

UNSETTLED_LIMIT = 500
"""Commands decided but not settled before deciding waits: what a slow store takes in a moment."""

STALE_AFTER = 30.0
"""Seconds without a finished turn or a successful takeover after which an owned partition is reported."""

IDLE_WAIT = 1.0


class _Partition:
    """The queue between the fetching loop and the task that owns the partition."""

    def __init__(self) -> None:
        self.waiting: deque[ConsumerRecord] = deque()
        self.changed = asyncio.Event()
        self.decided = asyncio.Event()
        self.settled = asyncio.Event()
        self.released = asyncio.Event()
        self.paused = False
        self.position: int | None = None
        """The first command not settled yet, once any has been."""
        self.undecided: datetime | None = None
        """What `PartitionOwner.undecided` said last."""
        self.turned_at = time.monotonic()
        self.task: asyncio.Task[None] | None = None


class AggregateOwner(ConsumerRebalanceListener, Generic[S]):  # type: ignore[misc]  # aiokafka is untyped
    """Runs an aggregate: any number of processes share its partitions, one owner each."""

    def __init__(
        self, aggregate: Aggregate[S], *, kafka: Cluster, database: AsyncDatabase[dict[str, Any]], source: str
    ) -> None:
        self._aggregate = aggregate
        self._source = source
        self._documents = MongoDocuments(aggregate, database)
        self._log = KafkaEventLog(kafka, aggregate.events_topic, client_id=f"{aggregate.name}-owner")
        self._partitions: dict[TopicPartition, _Partition] = {}
        self._joined = False
        self._fetching = Heartbeat("fetching", stale_after=STALE_AFTER)
        # It leaves at its end even if it is to come back: people wait for verdicts, and taking over takes milliseconds.
        self._consumer = member(
            kafka,
            aggregate.name,
            client_id=f"{aggregate.name}-commands",
            partition_assignment_strategy=(StickyPartitionAssignor,),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Owns partitions until `stop`, then finishes the turns in progress, commits and leaves the group."""
        await self._prepare_documents(stop)
        await self._log.start()
        self._consumer.subscribe([self._aggregate.commands_topic], listener=self)
        await start_patiently(self._consumer)
        try:
            while not stop.is_set():
                await self._fetch()
        finally:
            await self._release(list(self._partitions))
            await self._consumer.stop()
            await self._log.close()

    def healthy(self) -> str | None:
        """None, or what is wrong."""
        now = time.monotonic()
        stale = [tp.partition for tp, partition in self._partitions.items() if now - partition.turned_at > STALE_AFTER]
        if stale:
            return f"partitions {stale} of {self._aggregate.commands_topic} are not being decided"
        return None if self._joined else "not in the consumer group yet"

    def turning(self) -> str | None:
        """None, or that only a restart can help."""
        return self._fetching.missed()

    def owned(self) -> Sequence[int]:
        return sorted(tp.partition for tp in self._partitions)

    async def _prepare_documents(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self._documents.prepare()
            except Exception:  # the store may come later than we
                log.warning("waiting for the store", aggregate=self._aggregate.name)
                await asyncio.sleep(1)
            else:
                return

    # --- fetching -------------------------------------------------------------------------------------

    async def _fetch(self) -> None:
        self._fetching.beat()
        try:
            fetched = await self._consumer.getmany(timeout_ms=200, max_records=5_000)
        except KafkaError as error:
            log.warning("fetching commands failed", aggregate=self._aggregate.name, error=str(error))
            await asyncio.sleep(0.5)
            return
        for tp, records in fetched.items():
            partition = self._partitions.get(tp)
            if partition is None:
                continue
            partition.waiting.extend(records)
            partition.changed.set()
            if len(partition.waiting) > QUEUE_SIZE and not partition.paused:
                partition.paused = True
                self._consumer.pause(tp)

    # --- rebalancing ----------------------------------------------------------------------------------

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._joined = True
        for tp in assigned:
            partition = self._partitions[tp] = _Partition()
            partition.task = asyncio.create_task(self._own(tp, partition), name=f"own-{tp.topic}-{tp.partition}")

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._release(list(revoked))

    async def _release(self, partitions: Sequence[TopicPartition]) -> None:
        held = [(tp, self._partitions.pop(tp)) for tp in partitions if tp in self._partitions]
        for _, partition in held:
            partition.released.set()
            partition.changed.set()
        tasks = [partition.task for _, partition in held if partition.task is not None]
        if tasks:
            _, unfinished = await asyncio.wait(tasks, timeout=20)
            for task in unfinished:
                task.cancel()
        for tp, _ in held:
            metrics.forget(self._aggregate.name, tp.partition)

    # --- owning ---------------------------------------------------------------------------------------

    async def _own(self, tp: TopicPartition, partition: _Partition) -> None:
        """Takes over and works until released. Whatever fails, the partition is taken over anew after a pause."""
        pause = 0.1
        while not partition.released.is_set():
            try:
                owner = PartitionOwner(
                    self._aggregate,
                    tp.partition,
                    event_log=self._log,
                    outbox=self._log,
                    documents=self._documents,
                    source=self._source,
                )
                await owner.take_over()
                metrics.TAKEOVERS.labels(self._aggregate.name).inc()
                log.info("partition taken over", aggregate=self._aggregate.name, partition=tp.partition)
                partition.turned_at = time.monotonic()
                pause = 0.1
                async with asyncio.TaskGroup() as stages:
                    deciding = stages.create_task(self._decide(tp, partition, owner))
                    deciding.add_done_callback(lambda _: partition.decided.set())
                    stages.create_task(self._settle(tp, partition, owner, deciding))
                await self._commit(tp, partition, await owner.release())
            except* Exception:
                log.exception("turn failed, taking over again", aggregate=self._aggregate.name, partition=tp.partition)
                partition.undecided = owner.undecided() or partition.undecided
                if partition.undecided is not None:
                    # Nobody turns, so nobody else would say that it gets older.
                    overdue = (datetime.now(UTC) - partition.undecided).total_seconds()
                    metrics.OLDEST_OVERDUE.labels(self._aggregate.name, str(tp.partition)).set(max(0.0, overdue))
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
                await self._rewind(tp, partition)

    async def _decide(self, tp: TopicPartition, partition: _Partition, owner: PartitionOwner[S]) -> None:
        while not partition.released.is_set():
            partition.changed.clear()
            if owner.unsettled().total() > UNSETTLED_LIMIT:
                # Also when thousands come due at once: a store that falls behind must not be buried.
                await _wait_for(partition.settled, IDLE_WAIT)
                continue
            if not partition.waiting:
                due = owner.next_due()
                wait = IDLE_WAIT if due is None else (due - datetime.now(UTC)).total_seconds()
                await _wait_for(partition.changed, min(wait, IDLE_WAIT))
            await self._turn(partition, owner)
            partition.turned_at = time.monotonic()
            partition.undecided = owner.undecided()
            if partition.paused and len(partition.waiting) < TURN_SIZE and not partition.released.is_set():
                partition.paused = False
                self._consumer.resume(tp)

    async def _turn(self, partition: _Partition, owner: PartitionOwner[S]) -> None:
        taken = [partition.waiting.popleft() for _ in range(min(TURN_SIZE, len(partition.waiting)))]
        received, dead = self._unpack(taken)
        room = fair_cut(received, owner.unsettled())
        if room < len(received):
            cut = received[room].offset
            partition.waiting.extendleft(reversed([record for record in taken if record.offset >= cut]))
            taken = [record for record in taken if record.offset < cut]
            received = received[:room]
            dead = [(record, reason) for record, reason in dead if record.offset < cut]
            if not taken:
                await _wait_for(partition.settled, IDLE_WAIT)
        if dead:
            await self._bury(dead)
        await owner.decide(received, datetime.now(UTC), position=int(taken[-1].offset) + 1 if taken else None)
        partition.decided.set()

    async def _settle(
        self, tp: TopicPartition, partition: _Partition, owner: PartitionOwner[S], deciding: asyncio.Task[None]
    ) -> None:
        while not deciding.done():
            partition.decided.clear()
            position = await owner.settle()
            partition.settled.set()
            partition.settled.clear()
            await self._commit(tp, partition, position)
            await _wait_for(partition.decided, IDLE_WAIT)

    async def _commit(self, tp: TopicPartition, partition: _Partition, position: int | None) -> None:
        if position is None:
            return
        partition.position = position
        await faultpoints.reached("owner.before_commit")
        try:
            await self._consumer.commit({tp: position})
        except (CommitFailedError, IllegalStateError) as error:
            # The group has moved on; the next owner recognises these commands by their ids.
            log.info("commit refused", partition=tp.partition, reason=str(error))
        except KafkaError as error:
            log.warning("commit failed", partition=tp.partition, reason=str(error))

    async def _rewind(self, tp: TopicPartition, partition: _Partition) -> None:
        """Has the first command that is not known to be done delivered again, and all after it."""
        while not partition.released.is_set():
            try:
                position = partition.position
                if position is None:
                    position = await self._consumer.committed(tp)
                if position is None:
                    position = (await self._consumer.beginning_offsets([tp]))[tp]
                # From here to the seek nothing may be awaited: what was fetched in between would come before what it
                # follows, and be committed past it.
                partition.waiting.clear()
                self._consumer.seek(tp, position)
                if partition.paused:
                    partition.paused = False
                    self._consumer.resume(tp)
            except (KafkaError, IllegalStateError) as error:
                # Going on from where the queue stands would skip the commands of the failed turn.
                log.warning("rewinding failed", partition=tp.partition, reason=str(error))
                await asyncio.sleep(1)
            else:
                return

    def _unpack(
        self, records: Sequence[ConsumerRecord]
    ) -> tuple[list[ReceivedCommand], list[tuple[ConsumerRecord, str]]]:
        received: list[ReceivedCommand] = []
        dead: list[tuple[ConsumerRecord, str]] = []
        for record in records:
            try:
                envelope, message = unpack(tuple(record.headers), record.value)
            except UndecodableError as error:
                dead.append((record, str(error)))
                continue
            if not isinstance(message, Command):
                dead.append((record, f"{message.type_name} is not a command"))
                continue
            received.append(
                ReceivedCommand(
                    aggregate_id=envelope.subject,
                    command=message,
                    envelope=envelope,
                    appended_at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
                    offset=record.offset,
                )
            )
        return received, dead

    async def _bury(self, dead: Sequence[tuple[ConsumerRecord, str]]) -> None:
        await self._log.publish([dead_letter(record, reason) for record, reason in dead])
        for record, reason in dead:
            metrics.DEAD_LETTERS.labels(record.topic).inc()
            log.error(
                "dead letter",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                reason=reason,
                **messaging.named_in(record.headers),
            )


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    """Until the event is set, or the time is up."""
    if seconds > 0:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()


def dead_letter(record: ConsumerRecord, reason: str) -> Outgoing:
    """The record as it was, with where it came from and what was wrong."""
    origin = (
        ("dead_letter_reason", reason.encode()),
        ("dead_letter_topic", record.topic.encode()),
        ("dead_letter_partition", b"%d" % record.partition),
        ("dead_letter_offset", b"%d" % record.offset),
        *(() if record.key is None else (("dead_letter_key", record.key),)),
    )
    return Outgoing(
        topic=dead_letters(record.topic),
        key=None,
        headers=(*((name, value or b"") for name, value in record.headers), *origin),
        # Without a key a producer takes no tombstone; the reason says that it was one.
        value=record.value or b"",
        partition=record.partition,
    )
