"""The simulated Kafka, store, publisher, platform and clients around the real owner."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from random import Random
from typing import Any

from msgspec.structs import replace
from tests.simulation.engine import CrashHere, Operation, Process, Scheduler, StoreFailedError, Task, Wait, ask
from tests.simulation.oracle import Oracle

from contracts.content import Content, Failure, LivePart, Schedule, TargetSpec
from contracts.messages import Command
from contracts.posts import (
    CancelPost,
    CreatePost,
    Deferred,
    DeletePost,
    EditPost,
    Held,
    Outcome,
    Post,
    PostChanges,
    Published,
    PublishPost,
    Rejected,
    ReportOutcome,
    SchedulePost,
    Unknown,
)
from contracts.publishing import PublishRequested
from contracts.wire import Envelope, unpack
from eventlog.chain import Stored
from eventlog.memory import MemoryDocuments, MemoryLog
from eventlog.partition import PartitionOwner, fair_cut
from eventlog.ports import AppendFailedError, LogRecord, NewRecord, Outgoing, ReceivedCommand
from posts.domain.post import PostAggregate

PARTITION = 0
TENANT = "tenant_1"
SKEWS = (0.0, 0.0, -20.0, -2.0, 2.0, 20.0)
"""Seconds by which an owner's clock may be wrong."""
Owner = PartitionOwner[Post]
Step = Callable[[], None]


class World:
    """Everything one run is made of."""

    def __init__(self, seed: int, owner_class: type[Owner], member_class: type[Member]) -> None:
        self.scheduler = Scheduler(seed)
        self.random = self.scheduler.random
        self.seen = self.scheduler.seen
        self.owner_class = owner_class
        self.member_class = member_class
        self.aggregate = PostAggregate()
        self.log = MemoryLog()
        self.documents: MemoryDocuments[Post] = MemoryDocuments(self.aggregate)
        self.oracle = Oracle(self.documents, self.seen, timedelta(seconds=max(SKEWS)))
        self.commands: list[ReceivedCommand] = []
        self.committed = 0
        self.covered = 0
        """The highest position ever committed."""
        self.event_ids = count(1)
        self.members: list[Member] = []
        self.assigned: Member | None = None
        self.cache_size = self.random.choice((1, 2, 100))
        self.unrest = self.random.choice((0.05, 0.15, 0.6))
        self.zombie_ends = self.random.choice((0.005, 0.03))
        """How likely, at each step, a process learns that it has lost the partition."""
        self.clients = Clients(self)
        self.publisher = Publisher(self)

    @property
    def now(self) -> datetime:
        return self.scheduler.now

    # --- the servers ----------------------------------------------------------------------------------

    def append(self, records: Sequence[NewRecord]) -> Sequence[int | None]:
        written = self.log.partitions.setdefault(PARTITION, [])
        first = len(written)
        for index, record in enumerate(records):
            written.append(LogRecord(first + index, record.headers, record.value))
            self.oracle.appended(written[-1])
        if self.scheduler.faulty and self.scheduler.chance(self.scheduler.fault_rate):
            self.seen["append acknowledged without offsets"] += 1
            return [None] * len(records)
        return list(range(first, first + len(records)))

    def publish(self, messages: Sequence[Outgoing]) -> None:
        for outgoing in messages:
            self.oracle.published(outgoing)
            if outgoing.topic.startswith("publish.requests."):
                self.publisher.jobs.append(outgoing)

    def save(self, changed: Sequence[Stored[Post]]) -> None:
        drive(self.documents.save(PARTITION, changed))

    def save_checkpoint(self, offset: int) -> None:
        self.oracle.checkpointed(offset)
        drive(self.documents.save_checkpoint(PARTITION, offset))

    def command(self, command: Command, envelope: Envelope) -> None:
        """Appends a command to its topic, which stamps it with the time."""
        received = ReceivedCommand(
            aggregate_id=envelope.subject,
            command=command,
            envelope=envelope,
            appended_at=self.now,
            offset=len(self.commands),
        )
        self.commands.append(received)
        self.oracle.commanded(received)

    def commit(self, member: Member, position: int) -> None:
        if member is not self.assigned and not self.scheduler.chance(0.3):
            self.seen["commit of a zombie refused"] += 1
            return
        if member is not self.assigned and position < self.committed:
            self.seen["commit of a zombie went back"] += 1
        self.committed = position
        self.covered = max(self.covered, position)

    # --- the group ------------------------------------------------------------------------------------

    def assign(self) -> None:
        """A fresh process gets the partition; whoever had it may not know."""
        member = self.member_class(self, f"owner-{len(self.members)}")
        self.members.append(member)
        self.assigned = member
        self.scheduler.start(member, member.own())

    def is_busy(self) -> bool:
        """Whether commands or answers are still under way."""
        # A commit that landed late may have gone back, after another had covered everything; that costs a redelivery to
        # the next owner, nothing else.
        position = None if self.assigned is None else self.assigned.position
        return bool(self.scheduler.operations) or max(self.covered, position or 0) < len(self.commands)

    def living(self) -> list[Member]:
        return [member for member in self.members if not member.dead]

    def disturb(self) -> None:
        """Something happens to a process."""
        living = self.living()
        if self.assigned is None or self.assigned.dead:
            if self.scheduler.chance(0.2):
                self.assign()
        elif self.scheduler.chance(self.scheduler.fault_rate * self.unrest):
            kind = self.random.choice(("crash", "freeze", "rebalance"))
            self.seen[kind] += 1
            if kind == "crash":
                self.scheduler.crash(self.assigned)
            elif kind == "freeze":
                self.assigned.frozen = True
                self.assign()
            else:
                self.assign()
        for member in living:
            if member is self.assigned:
                continue
            if member.frozen and self.scheduler.chance(0.05):
                member.frozen = False
                self.seen["zombie resumed"] += 1
            elif not member.frozen and self.scheduler.chance(self.zombie_ends):
                member.released = True


def drive(coroutine: Coroutine[Any, Any, None]) -> None:
    """Runs what never waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits")


class Member(Process):
    """One process of the owner service: around `PartitionOwner`, what `eventlog.owner` does with real topics."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__()
        self.world = world
        self.name = name
        self.fetched = world.committed
        """The next command it will be given."""
        self.position: int | None = None
        self.skew = timedelta(seconds=world.random.choice(SKEWS))
        if self.skew:
            world.seen["owner with a wrong clock"] += 1
        self.released = False
        self.decided = False
        self.is_owner = False
        self.owner: Owner

    # --- the loop -------------------------------------------------------------------------------------

    async def own(self) -> None:
        world = self.world
        while not self.released:
            self.is_owner = False
            owner = self.owner = world.owner_class(
                world.aggregate,
                PARTITION,
                event_log=self,
                outbox=self,
                documents=Documents(self),
                source=self.name,
                cache_size=world.cache_size,
                next_event_id=lambda: f"evt_{next(world.event_ids)}",
            )
            try:
                await owner.take_over()
                self.is_owner = True
                deciding = world.scheduler.start(self, self._decide(owner))
                settling = world.scheduler.start(self, self._settle(owner, deciding))
                await _both(world.scheduler, deciding, settling)
                await self._commit(await owner.release())
            except (AppendFailedError, StoreFailedError):
                world.seen["taken over again after an error"] += 1
                self._rewind()

    def _rewind(self) -> None:
        self.fetched = self.world.committed if self.position is None else self.position

    async def _decide(self, owner: Owner) -> None:
        world = self.world
        while not self.released:
            due = owner.next_due()
            idle = world.now + timedelta(seconds=1)
            await ask(
                Wait(
                    lambda: self.released or self.fetched < len(world.commands),
                    idle if due is None else min(due - self.skew, idle),
                )
            )
            await self._turn(owner)

    async def _turn(self, owner: Owner) -> None:
        world = self.world
        taken = world.commands[self.fetched : self.fetched + world.random.randint(1, 6)]
        taken = taken[: fair_cut(taken, owner.unsettled())]
        self.fetched += len(taken)
        await owner.decide(taken, world.now + self.skew, position=self.fetched if taken else None)
        self.decided = True

    async def _settle(self, owner: Owner, deciding: Task) -> None:
        while not deciding.done:
            self.decided = False
            await self._commit(await owner.settle())
            await ask(Wait(lambda: self.decided or deciding.done, self.world.now + timedelta(seconds=1)))

    async def _commit(self, position: int | None) -> None:
        if position is None:
            return
        self.position = position
        await reached(self.world, "owner.before_commit")
        try:
            await ask(Operation("commit", partial(self.world.commit, self, position), faults=StoreFailedError))
        except StoreFailedError:
            self.world.seen["commit failed"] += 1

    # --- EventLog and Outbox --------------------------------------------------------------------------

    async def end(self, partition: int) -> int:
        log = self.world.log.partitions
        answer: int = await ask(
            Operation("end", lambda: len(log.get(partition, [])), faults=AppendFailedError, changes=False)
        )
        return answer

    async def read(self, partition: int, start: int, end: int) -> Sequence[LogRecord]:
        def perform() -> Sequence[LogRecord]:
            size = self.world.random.randint(1, 8)
            return self.world.log.partitions[partition][start : min(end, start + size)]

        records: Sequence[LogRecord] = await ask(Operation("read", perform, faults=AppendFailedError, changes=False))
        if self.is_owner and any(dict(record.headers)["ce_source"] != self.name.encode() for record in records):
            self.world.seen["catch-up with events of a rival"] += 1
        return records

    async def append(self, partition: int, records: Sequence[NewRecord]) -> Sequence[int | None]:
        perform = partial(self.world.append, records)
        offsets: Sequence[int | None] = await ask(Operation("append", perform, faults=AppendFailedError))
        return offsets

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        world = self.world

        def some(random: Random) -> None:
            world.publish(messages[: random.randrange(len(messages))])

        await ask(Operation("publish", partial(world.publish, messages), faults=AppendFailedError, part=some))


class Documents:
    """The store as one process reaches it."""

    def __init__(self, member: Member) -> None:
        self._world = member.world

    async def load(self, aggregate_ids: Iterable[str]) -> Mapping[str, Stored[Post]]:
        stored = self._world.documents.stored
        names = sorted(aggregate_ids)

        def perform() -> Mapping[str, Stored[Post]]:
            return {name: stored[name][1] for name in names if name in stored}

        found: Mapping[str, Stored[Post]] = await ask(
            Operation("load", perform, faults=StoreFailedError, changes=False)
        )
        return found

    async def save(self, partition: int, changed: Sequence[Stored[Post]]) -> None:
        world = self._world

        def some(random: Random) -> None:
            world.save([item for item in changed if random.random() < 0.5])

        await ask(Operation("save", partial(world.save, changed), faults=StoreFailedError, part=some))

    async def due(self, partition: int, until: datetime, limit: int) -> Sequence[tuple[datetime, str]]:
        def perform() -> Sequence[tuple[datetime, str]]:
            aggregate = self._world.aggregate
            found = [
                (due_at, post_id)
                for post_id, (_, stored) in self._world.documents.stored.items()
                if (due_at := aggregate.due_at(stored.state)) is not None and due_at <= until
            ]
            return sorted(found)[:limit]

        answer: Sequence[tuple[datetime, str]] = await ask(
            Operation("due", perform, faults=StoreFailedError, changes=False)
        )
        return answer

    async def checkpoint(self, partition: int) -> int:
        checkpoints = self._world.documents.checkpoints
        offset: int = await ask(
            Operation("checkpoint", lambda: checkpoints.get(partition, 0), faults=StoreFailedError, changes=False)
        )
        return offset

    async def save_checkpoint(self, partition: int, offset: int) -> None:
        perform = partial(self._world.save_checkpoint, offset)
        await ask(Operation("save checkpoint", perform, faults=StoreFailedError))


async def _both(scheduler: Scheduler, first: Task, second: Task) -> None:
    """Like a task group: when one fails the other is cancelled where it stands."""
    await ask(Wait(lambda: (first.done and second.done) or first.error is not None or second.error is not None))
    for task in (first, second):
        scheduler.cancel(task)
    for task in (first, second):
        if task.error is not None:
            raise task.error


async def reached(world: World, point: str) -> None:
    """Stands in for `chassis.faultpoints.reached`."""
    if world.scheduler.faulty and world.scheduler.chance(world.scheduler.fault_rate * 0.1):
        await ask(CrashHere(point))


# --- clients ------------------------------------------------------------------------------------------


class Clients:
    """They create, edit, schedule, publish, cancel and delete a few posts, and repeat themselves."""

    PATIENCE = timedelta(seconds=3)

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = count(1)
        self._posts: list[str] = []
        self._sent: list[tuple[Command, Envelope]] = []
        self._slow: list[tuple[Command, Envelope]] = []
        self._repeats = world.random.choice((0.05, 0.15, 0.6))
        self.left = world.random.randint(8, 24)
        """Commands still to be given."""

    def steps(self) -> list[Step]:
        possible: list[Step] = []
        if self.left:
            possible.append(self._act)
        if self._slow:
            possible.append(self._deliver_slow)
        return possible

    def _deliver_slow(self) -> None:
        command, envelope = self._slow.pop(0)
        self._world.command(command, envelope)
        if envelope.deadline is not None and self._world.now > envelope.deadline:
            self._world.seen["command appended after its deadline"] += 1

    def _act(self) -> None:
        world, random = self._world, self._world.random
        self.left -= 1
        if self._sent and random.random() < self._repeats:
            world.seen["command repeated by its sender"] += 1
            command, envelope = random.choice(self._sent)
            world.command(command, replace(envelope, reply_partition=next(self._numbers)))
            return
        if not self._posts or (len(self._posts) < 3 and random.random() < 0.2):
            command = self._create()
            self._posts.append(command.post_id)
            self._send(command.post_id, command, may_lag=False)
        else:
            post_id = random.choice(self._posts)
            self._send(post_id, self._change(post_id), may_lag=True)

    def _send(self, post_id: str, command: Command, *, may_lag: bool) -> None:
        random = self._world.random
        lags = may_lag and random.random() < 0.1
        envelope = Envelope(
            id=f"cmd_{next(self._numbers)}",
            source="client",
            subject=post_id,
            time=self._world.now,
            tenant_id=TENANT,
            reply_partition=0,
            deadline=self._world.now + self.PATIENCE if lags else None,
        )
        if lags:
            self._slow.append((command, envelope))
            return
        self._sent.append((command, envelope))
        self._world.command(command, envelope)

    def _targets(self) -> tuple[TargetSpec, ...]:
        return tuple(TargetSpec(platform=platform, account_id="acc_1") for platform in ("twitter", "linkedin"))

    def _schedule(self) -> Schedule:
        return Schedule(at=self._world.now + timedelta(seconds=self._world.random.choice((0, 1, 2, 5, 400))))

    def _create(self) -> CreatePost:
        kind = self._world.random.choice(("draft", "scheduled", "scheduled", "now"))
        number = next(self._numbers)
        return CreatePost(
            post_id=f"post_{number}",
            kind="post",
            tenant_id=TENANT,
            actor="user_1",
            issued_at=self._world.now,
            parts=(Content(text=f"text {number}"),),
            platforms=("twitter", "linkedin"),
            targets=() if kind == "draft" else self._targets(),
            schedule=self._schedule() if kind == "scheduled" else None,
            publish_now=kind == "now",
        )

    def _change(self, post_id: str) -> Command:
        world, random = self._world, self._world.random
        common: dict[str, Any] = {
            "post_id": post_id,
            "tenant_id": TENANT,
            "actor": "user_1",
            "issued_at": world.now,
            "expected_revision": random.randint(1, 6) if random.random() < 0.1 else None,
        }
        kind = random.choices(
            (EditPost, SchedulePost, CancelPost, PublishPost, DeletePost), weights=(30, 25, 25, 15, 4)
        )[0]
        if kind is EditPost:
            changes = PostChanges(parts=(Content(text=f"text {next(self._numbers)}"),))
            return EditPost(changes=changes, targets=self._targets(), **common)
        if kind is SchedulePost:
            return SchedulePost(schedule=self._schedule(), targets=self._targets(), **common)
        if kind is PublishPost:
            return PublishPost(targets=self._targets(), **common)
        return CancelPost(**common) if kind is CancelPost else DeletePost(**common)


# --- publisher and platform ---------------------------------------------------------------------------


class Publisher:
    """Obeys each request at least once, sends each target once by its journal, and reports, sometimes late or twice."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.jobs: list[Outgoing] = []
        self._journal: dict[str, tuple[int, Outcome]] = {}
        """The newest attempt at each target and how it ended."""
        self._live: dict[str, tuple[LivePart, datetime]] = {}
        self._late: list[ReportOutcome] = []
        self._numbers = count(1)

    def steps(self) -> list[Step]:
        possible: list[Step] = []
        if self.jobs:
            possible.append(self._work)
        if self._late:
            possible.append(self._report_late)
        return possible

    def _work(self) -> None:
        world = self._world
        outgoing = self.jobs[0]
        _, request = unpack(outgoing.headers, outgoing.value)
        assert isinstance(request, PublishRequested)
        key = f"{request.post_id}/{request.target_id}"
        attempt, outcome = self._journal.get(key, (0, None))
        if outcome is None or request.attempt > attempt:
            outcome = self._attempt(key, request)
            self._journal[key] = (request.attempt, outcome)
            world.seen[f"outcome {type(outcome).__name__.lower()}"] += 1
        elif request.attempt < attempt:
            self.jobs.pop(0)
            return
        if world.scheduler.faulty and world.scheduler.chance(0.05):
            world.seen["publisher crashed before its report"] += 1
            return
        self.jobs.pop(0)
        report = ReportOutcome(
            post_id=request.post_id,
            tenant_id=request.tenant_id,
            target_id=request.target_id,
            attempt=request.attempt,
            issued_at=world.now,
            outcome=outcome,
        )
        if world.scheduler.faulty and world.scheduler.chance(0.15):
            world.seen["report delayed"] += 1
            self._late.append(report)
        else:
            self._report(report)

    def _report_late(self) -> None:
        # Not before something else has had the chance to happen: patience may run out meanwhile.
        if self._world.scheduler.faulty and self._world.scheduler.chance(0.9):
            return
        self._report(self._late.pop(0))

    def _report(self, report: ReportOutcome) -> None:
        envelope = Envelope(
            id=f"report_{next(self._numbers)}",
            source="publisher",
            subject=report.post_id,
            time=self._world.now,
            tenant_id=report.tenant_id,
        )
        self._world.command(report, envelope)
        if self._world.scheduler.faulty and self._world.scheduler.chance(0.1):
            self._world.seen["report repeated"] += 1
            self._world.command(report, envelope)

    def _attempt(self, key: str, request: PublishRequested) -> Outcome:
        world, random = self._world, self._world.random
        reason = Failure(code="platform", message="simulated")
        live = self._live.get(key)
        if live is not None:
            return Published(parts=(live[0],), at=live[1], proof="readback")
        soon = world.now + timedelta(seconds=random.choice((1, 5, 60)))
        kinds = ["published", "published", "rejected", "held"]
        if world.scheduler.faulty:
            kinds += ["published", "deferred", "deferred", "unknown", "sent"]
        kind = random.choice(kinds)
        if kind == "rejected":
            return Rejected(failure=reason)
        if kind == "held":
            return Held(reason=reason)
        if kind == "deferred":
            return Deferred(until=soon, reason=reason)
        if kind == "unknown":
            return Unknown(probe_at=soon, reason=reason)
        part = LivePart(index=0, platform_post_id=f"live_{len(self._live) + 1}")
        self._live[key] = (part, world.now)
        world.oracle.sent(request.post_id, request.target_id, request.parts[0].text, part.platform_post_id, world.now)
        if kind == "sent":
            return Unknown(probe_at=soon, reason=reason)
        return Published(parts=(part,), at=world.now)
