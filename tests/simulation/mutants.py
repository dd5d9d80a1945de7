"""Rules broken one at a time, to prove that the invariants would notice."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from unittest.mock import patch

from msgspec.structs import replace
from tests.simulation.runner import Result, run
from tests.simulation.world import PARTITION, Member, Owner, World

from contracts.messages import Command, Event
from contracts.posts import Post, PublicationStarted, ReportOutcome, TargetOutcomeRecorded
from contracts.verdicts import Refusal
from contracts.wire import Envelope
from eventlog import partition
from eventlog.aggregate import Decision
from eventlog.chain import Stored, advance
from eventlog.partition import Accepted, Decided, PartitionOwner
from eventlog.ports import EventLog, LogRecord, NewRecord, ReceivedCommand
from posts.domain import post as post_module
from posts.domain.deciding import BecomeDue, decide
from posts.domain.evolving import target_of


@dataclass(frozen=True)
class Mutant:
    """A broken rule: another owner, another process around it, or functions replaced."""

    name: str
    owner: type[Owner] = PartitionOwner
    member: type[Member] = Member
    patches: tuple[tuple[object, str, Callable[..., object]], ...] = ()
    rare: bool = False
    """One run in thousands notices it; a test of its own, in libs/eventlog/tests/test_partition_owner.py, always."""


def hunt(mutant: Mutant, seeds: range) -> Result | None:
    """The first run in which an invariant notices the mutant; None when none does."""
    with ExitStack() as stack:
        for target, name, function in mutant.patches:
            stack.enter_context(patch.object(target, name, function))
        for seed in seeds:
            result = run(seed, mutant.owner, mutant.member)
            if result.violation is not None:
                return result
    return None


# --- acceptance ---------------------------------------------------------------------------------------


def _anything_counts(stored: Stored[Post] | None, envelope: Envelope) -> bool:
    return stored is not None or envelope.sequence == 1


def _version_counts(stored: Stored[Post] | None, envelope: Envelope) -> bool:
    return envelope.sequence == (0 if stored is None else stored.version) + 1


class _TrustsSilence(Member):
    async def append(self, partition: int, records: Sequence[NewRecord]) -> Sequence[int | None]:
        hoped = range(self.owner._end, self.owner._end + len(records))
        offsets = await super().append(partition, records)
        return [at if at is not None else hoped[index] for index, at in enumerate(offsets)]


class _TrustsEverything(Member):
    async def append(self, partition: int, records: Sequence[NewRecord]) -> Sequence[int | None]:
        hoped = range(self.owner._end, self.owner._end + len(records))
        await super().append(partition, records)
        return list(hoped)


class _Unasked:
    """A log that, asked for its end before anything was appended, says what its owner believes."""

    def __init__(self, owner: Owner, log: EventLog) -> None:
        self._owner = owner
        self._log = log
        self._appended = False

    async def end(self, partition: int) -> int:
        return await self._log.end(partition) if self._appended else self._owner._end

    async def read(self, partition: int, start: int, end: int) -> Sequence[LogRecord]:
        return await self._log.read(partition, start, end)

    async def append(self, partition: int, records: Sequence[NewRecord]) -> Sequence[int | None]:
        self._appended = True
        return await self._log.append(partition, records)


class _AnswersUnasked(PartitionOwner[Post]):
    async def _attempt(self, pending: Sequence[ReceivedCommand], now: datetime) -> Sequence[ReceivedCommand]:
        log = self._log
        self._log = _Unasked(self, log)
        try:
            return await super()._attempt(pending, now)
        finally:
            self._log = log


# --- order --------------------------------------------------------------------------------------------


class _CommitsFirst(Member):
    async def _turn(self, owner: Owner) -> None:
        if self.fetched < len(self.world.commands):
            await self._commit(self.fetched + 1)
        await super()._turn(owner)


class _AnswersFirst(PartitionOwner[Post]):
    async def _attempt(self, pending: Sequence[ReceivedCommand], now: datetime) -> Sequence[ReceivedCommand]:
        await self._load({command.aggregate_id for command in pending})
        overlay: dict[str, Stored[Post]] = {}
        decided: list[Decided[Post]] = []
        for command in pending:
            before = overlay.get(command.aggregate_id) or self._cache.get(command.aggregate_id)
            event, refusal = self._decide(command, before)
            after = before
            if event is not None:
                after = advance(self._aggregate, before, self._stamp(command, before, now), event, self._end)
                overlay[command.aggregate_id] = after
            decided.append(Decided(command, after, refusal, None))
        await self._answer(decided)
        return await super()._attempt(pending, now)


class _TellsLast(PartitionOwner[Post]):
    async def _tell(self, accepted: Sequence[Accepted[Post]]) -> None:
        await super()._project(accepted)

    async def _project(self, accepted: Sequence[Accepted[Post]]) -> None:
        await super()._tell(accepted)


class _ChecksInFirst(PartitionOwner[Post]):
    async def settle(self) -> int | None:
        self._settled_end = self._end
        await self._save_checkpoint()
        return await super().settle()


# --- memory -------------------------------------------------------------------------------------------


def _remembers_nothing(stored: Stored[Post], command_id: str) -> None:
    return None


def _save_whatever_comes(world: World, changed: Sequence[Stored[Post]]) -> None:
    for stored in changed:
        world.documents.stored[stored.aggregate_id] = (PARTITION, stored)


class _NeverRefills(PartitionOwner[Post]):
    async def _refill(self, now: datetime) -> None:
        self._refill_at = now


class _StartsAtTheEnd(PartitionOwner[Post]):
    async def take_over(self) -> None:
        self._checkpoint = self._settled_end = self._end = await self._log.end(self.partition)


class _ForgetsWhileDeciding(PartitionOwner[Post]):
    async def settle(self) -> int | None:
        position = await super().settle()
        self._forget_surplus()
        return position


class _NeverRewinds(Member):
    def _rewind(self) -> None:
        pass


# --- decisions ----------------------------------------------------------------------------------------


class _KeepsRefusalsToItself(PartitionOwner[Post]):
    def _decide(self, received: ReceivedCommand, before: Stored[Post] | None) -> tuple[Event | None, Refusal | None]:
        event, refusal = super()._decide(received, before)
        return (None if refusal else event), refusal


class _IgnoresDeadlines(PartitionOwner[Post]):
    def _decide(self, received: ReceivedCommand, before: Stored[Post] | None) -> tuple[Event | None, Refusal | None]:
        return super()._decide(replace(received, envelope=replace(received.envelope, deadline=None)), before)


class _BelievesItsHeap(PartitionOwner[Post]):
    async def _due_commands(self, now: datetime) -> list[ReceivedCommand]:
        if now >= self._refill_at + timedelta(minutes=1):
            await self._refill(now)
        due: set[str] = set()
        while self._due and self._due[0][0] <= now:
            due.add(heapq.heappop(self._due)[1])
        await self._load(due)
        return [self._own_command(name, now) for name in sorted(due) if name in self._cache]


def _starts_whatever_is_due(post: Post | None, command: Command) -> Decision:
    if isinstance(command, BecomeDue) and post is not None and post.schedule is not None and post.attempts == 0:
        target_ids = tuple(target.target_id for target in post.targets)
        return PublicationStarted(
            at=command.now, actor=None, due_at=post.schedule.at, target_ids=target_ids, targets=()
        )
    return decide(post, command)


def _believes_stale_outcomes(post: Post | None, command: Command) -> Decision:
    decision = decide(post, command)
    if decision is None and isinstance(command, ReportOutcome) and post is not None:
        target = target_of(post, command.target_id)
        if target is not None and command.attempt < target.attempt and post.status == "publishing":
            return TargetOutcomeRecorded(
                at=command.issued_at, target_id=command.target_id, attempt=command.attempt, outcome=command.outcome
            )
    return decision


MUTANTS = (
    Mutant("acceptance rule dropped", patches=((partition, "counts", _anything_counts),)),
    Mutant("acceptance by version only", patches=((partition, "counts", _version_counts),)),
    Mutant("acknowledgement without offset taken as contiguous", member=_TrustsSilence),
    Mutant("contiguity not checked", member=_TrustsEverything),
    Mutant("answers without an append do not ask for the end", owner=_AnswersUnasked, rare=True),
    Mutant("commit before append", member=_CommitsFirst),
    Mutant("verdict before acceptance", owner=_AnswersFirst),
    Mutant("documents saved before follow-ups are told", owner=_TellsLast),
    Mutant("checkpoint saved before settling", owner=_ChecksInFirst),
    Mutant("memo forgotten", patches=((Stored, "remembers", _remembers_nothing),)),
    Mutant("lower version overwrites a document", patches=((World, "save", _save_whatever_comes),)),
    Mutant("schedule not reloaded", owner=_NeverRefills),
    Mutant("takeover without reading the log", owner=_StartsAtTheEnd),
    Mutant("aggregates forgotten while they are decided", owner=_ForgetsWhileDeciding),
    Mutant("commands of a failed turn not read again", member=_NeverRewinds),
    Mutant("refusals not recorded", owner=_KeepsRefusalsToItself),
    Mutant("deadline ignored", owner=_IgnoresDeadlines),
    Mutant(
        "due entry not compared with the post",
        owner=_BelievesItsHeap,
        patches=((post_module, "decide", _starts_whatever_is_due),),
    ),
    Mutant("outcome of a stale attempt believed", patches=((post_module, "decide", _believes_stale_outcomes),)),
)
