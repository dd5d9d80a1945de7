"""Consuming work: in order per key, concurrent across keys, offsets committed without gaps."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import ConsumerRecord
from msgspec import Struct

from chassis import tracing
from chassis.health import Heartbeat
from contracts.messages import Message, UndecodableError
from contracts.wire import Envelope, unpack
from eventlog import messaging, metrics
from eventlog.kafka import Cluster, KafkaEventLog, member, start_patiently
from eventlog.owner import dead_letter

log = structlog.get_logger()

COMMIT_EVERY = 0.2
"""Seconds. What is not committed yet is delivered again after a crash."""

STALE_AFTER = 30.0


class Job(Struct, frozen=True, kw_only=True):
    topic: str
    partition: int
    offset: int
    key: str
    envelope: Envelope
    message: Message


class Progress:
    """Which offsets of a partition are done, and up to where all of them are."""

    def __init__(self, first: int) -> None:
        self.next_offset = first
        self.lost = False
        """The partition has been taken away: begin nothing more of it."""
        self._done: set[int] = set()
        self._open: deque[int] = deque()

    def begin(self, offset: int) -> None:
        self._open.append(offset)

    def finish(self, offset: int) -> None:
        self._done.add(offset)
        while self._open and self._open[0] in self._done:
            self.next_offset = self._open.popleft() + 1
            self._done.discard(self.next_offset - 1)


class JobConsumer(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """At least once: a handler must recognise a job it has done before.

    A handler that raises is called again with back-off for ever, its key waiting, other keys going on. Undecodable
    messages go to the dead-letter topic.
    """

    def __init__(
        self,
        kafka: Cluster,
        topics: Sequence[str],
        *,
        group: str,
        handle: Callable[[Job], Awaitable[None]],
        concurrency: int = 64,
    ) -> None:
        self._topics = topics
        self._group = group
        self._handle = handle
        self._slots = asyncio.Semaphore(concurrency)
        self._limit = concurrency * 8
        self._keys: dict[tuple[str, str], deque[tuple[Job, Progress]]] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._progress: dict[TopicPartition, Progress] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._committed_at = 0.0
        self._fetching = Heartbeat("fetching", stale_after=STALE_AFTER)
        self._joined = False
        self._queued = 0
        self._dead = KafkaEventLog(kafka, topics[0], client_id=f"{group}-dead-letters")
        self._consumer = member(
            kafka,
            group,
            stays=True,
            # Long uploads may keep every slot busy; that is no reason to be thrown out of the group.
            max_poll_interval_ms=1_800_000,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Consumes until `stop`, then finishes the jobs in progress, commits and leaves the group."""
        await self._dead.start()
        self._consumer.subscribe(list(self._topics), listener=self)
        await start_patiently(self._consumer)
        try:
            while not stop.is_set():
                await self._fetch()
                await self._commit()
        finally:
            await self._give_up(list(self._progress), patience=20)
            for task in self._workers:
                task.cancel()
            await self._consumer.stop()
            await self._dead.close()

    @property
    def queued(self) -> int:
        """Jobs that were fetched and are not done."""
        return self._queued

    def healthy(self) -> str | None:
        """None, or what is wrong."""
        return self._fetching.resting() or (None if self._joined else "not in the consumer group yet")

    # --- fetching and committing ----------------------------------------------------------------------

    async def _fetch(self) -> None:
        self._fetching.beat()
        if self._queued >= self._limit:
            # Enough to do. Heartbeats go on in the background; fetching does not have to.
            await asyncio.wait(self._workers, timeout=COMMIT_EVERY, return_when=asyncio.FIRST_COMPLETED)
            return
        try:
            fetched = await self._consumer.getmany(
                timeout_ms=int(COMMIT_EVERY * 1000), max_records=self._limit - self._queued
            )
        except KafkaError as error:
            log.warning("fetching jobs failed", group=self._group, error=str(error))
            await asyncio.sleep(0.5)
            return
        for tp, records in fetched.items():
            progress = self._progress.get(tp)
            if progress is None:
                progress = self._progress[tp] = Progress(records[0].offset)
            for record in records:
                progress.begin(record.offset)
                await self._accept(record, progress)

    async def _accept(self, record: ConsumerRecord, progress: Progress) -> None:
        try:
            envelope, message = unpack(tuple(record.headers), record.value)
        except UndecodableError as error:
            await self._dead.publish([dead_letter(record, str(error))])
            metrics.DEAD_LETTERS.labels(record.topic).inc()
            log.error(
                "dead letter",
                topic=record.topic,
                offset=record.offset,
                reason=str(error),
                **messaging.named_in(record.headers),
            )
            progress.finish(record.offset)
            return
        key = (record.key or b"").decode(errors="replace")
        job = Job(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=key,
            envelope=envelope,
            message=message,
        )
        self._queued += 1
        line = self._keys.get((record.topic, key))
        if line is not None:
            line.append((job, progress))
            return
        line = self._keys[record.topic, key] = deque([(job, progress)])
        task = asyncio.create_task(self._work((record.topic, key), line))
        self._workers.add(task)
        task.add_done_callback(self._workers.discard)

    async def _work(self, key: tuple[str, str], line: deque[tuple[Job, Progress]]) -> None:
        """One key's jobs, one after the other, until there are none."""
        while line:
            job, progress = line[0]
            pause = 0.2
            while not progress.lost:
                if await self._attempt(job):
                    progress.finish(job.offset)
                    break
                await asyncio.sleep(pause)
                pause = min(pause * 2, 10.0)
            line.popleft()
            self._queued -= 1
        del self._keys[key]

    async def _attempt(self, job: Job) -> bool:
        async with self._slots:
            span = tracing.start(
                f"process {job.topic}",
                "consumer",
                parent=job.envelope.traceparent,
                attributes=messaging.processing(
                    job.topic,
                    group=self._group,
                    partition=job.partition,
                    offset=job.offset,
                    message_id=job.envelope.id,
                ),
            )
            with tracing.within(span, **messaging.about(job.envelope, job.message)):
                try:
                    await self._handle(job)
                except Exception as error:
                    span.fail(type(error).__name__)
                    log.exception("job failed, will be tried again", topic=job.topic, key=job.key, offset=job.offset)
                    return False
        return True

    async def _commit(self, *, now: bool = False) -> None:
        if not now and time.monotonic() - self._committed_at < COMMIT_EVERY:
            return
        self._committed_at = time.monotonic()
        offsets = {
            tp: progress.next_offset
            for tp, progress in self._progress.items()
            if progress.next_offset > self._committed.get(tp, -1)
        }
        if not offsets:
            return
        try:
            await self._consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError) as error:
            log.info("commit refused", group=self._group, reason=str(error))
        except KafkaError as error:
            log.warning("commit failed", group=self._group, reason=str(error))
        else:
            self._committed.update(offsets)

    # --- rebalancing ----------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Drops what has not begun; gives what has begun a moment to end, so that it need not be repeated."""
        await self._give_up([tp for tp in revoked if tp in self._progress], patience=10)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:  # noqa: ARG002  # maybe none
        self._joined = True

    async def _give_up(self, partitions: Sequence[TopicPartition], patience: float) -> None:
        for tp in partitions:
            self._progress[tp].lost = True
        for line in self._keys.values():
            kept = [item for index, item in enumerate(line) if index == 0 or not item[1].lost]
            self._queued -= len(line) - len(kept)
            line.clear()
            line.extend(kept)
        if self._workers:
            await asyncio.wait(self._workers, timeout=patience)
        await self._commit(now=True)
        for tp in partitions:
            del self._progress[tp]
            self._committed.pop(tp, None)
