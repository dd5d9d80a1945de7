"""A log written by hand, and books in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

from auditor.domain.comparing import Entry
from auditor.domain.counting import Account
from auditor.domain.findings import Finding
from auditor.domain.totals import Totals
from auditor.ports import LogRecord, Saved
from contracts.content import Content, Failure, LivePart, Platform, Schedule, TargetSpec
from contracts.messages import Event
from contracts.posts import (
    AttemptsDue,
    Deferred,
    Held,
    Outcome,
    PostCreated,
    PostScheduled,
    PublicationStarted,
    Published,
    Rejected,
    TargetOutcomeRecorded,
    Unknown,
)
from contracts.wire import Envelope, pack

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TENANT = "tenant_1"
REASON = Failure(code="platform", message="no")
X, LINKEDIN = "twitter:acc_1", "linkedin:acc_2"


def spec(target_id: str, **fields: Any) -> TargetSpec:
    platform, _, account_id = target_id.partition(":")
    return TargetSpec(platform=platform, account_id=account_id, **fields)  # type: ignore[arg-type]


def created(
    *target_ids: str,
    at: datetime = NOW,
    due: datetime | None = None,
    parts: int = 1,
    tenant_id: str = TENANT,
    **each: Any,
) -> PostCreated:
    """A post that goes out at once, or when it is due."""
    platforms: tuple[Platform, ...] = tuple(spec(target_id).platform for target_id in target_ids)
    return PostCreated(
        post_id="post_1",
        kind="post",
        tenant_id=tenant_id,
        actor="user_1",
        at=at,
        title=None,
        parts=tuple(Content(text=str(number)) for number in range(parts)),
        platforms=platforms,
        accounts={},
        options={},
        overrides={},
        targets=tuple(spec(target_id, **each) for target_id in target_ids),
        tags=(),
        campaign_id=None,
        schedule=None if due is None else Schedule(at=due),
        publish_now=due is None and bool(target_ids),
    )


def started(*target_ids: str, at: datetime = NOW, chosen: Sequence[TargetSpec] = ()) -> PublicationStarted:
    return PublicationStarted(at=at, actor=None, due_at=None, target_ids=target_ids, targets=tuple(chosen))


def due(*target_ids: str, at: datetime = NOW) -> AttemptsDue:
    return AttemptsDue(at=at, target_ids=target_ids)


def told(target_id: str, outcome: Outcome, *, at: datetime = NOW, attempt: int = 1) -> TargetOutcomeRecorded:
    return TargetOutcomeRecorded(at=at, target_id=target_id, attempt=attempt, outcome=outcome)


def live(*ids: str) -> Published:
    parts = tuple(LivePart(index=index, platform_post_id=each) for index, each in enumerate(ids))
    return Published(parts=parts, at=NOW)


REJECTED = Rejected(failure=REASON)
HELD = Held(reason=REASON)


def deferred(until: datetime) -> Deferred:
    return Deferred(until=until, reason=REASON)


def unknown(probe_at: datetime) -> Unknown:
    return Unknown(probe_at=probe_at, reason=REASON)


def scheduled(*target_ids: str, due: datetime, at: datetime = NOW) -> PostScheduled:
    return PostScheduled(
        actor="user_1", at=at, schedule=Schedule(at=due), targets=tuple(spec(target_id) for target_id in target_ids)
    )


class Log:
    """Events of posts, chained as their owner chains them."""

    def __init__(self) -> None:
        self._chains: dict[str, tuple[int, str | None]] = {}
        self._offsets: dict[int, int] = {}
        self._ids = count(1)

    def records(self, *events: Event, post_id: str = "post_1", partition: int = 0) -> list[LogRecord]:
        return [self._record(event, post_id, partition) for event in events]

    def void(self, event: Event, post_id: str = "post_1", partition: int = 0) -> LogRecord:
        """As an owner appends it that has lost its partition: with a version that is taken."""
        sequence, previous = self._chains[post_id]
        return self._at(partition, event, post_id, sequence, previous)

    def garbage(self, partition: int = 0) -> LogRecord:
        return self._placed(partition, (("ce_type", b"post.created.v1"),), b"{}")

    def _record(self, event: Event, post_id: str, partition: int) -> LogRecord:
        sequence, previous = self._chains.get(post_id, (0, None))
        record = self._at(partition, event, post_id, sequence + 1, previous)
        self._chains[post_id] = (sequence + 1, dict(record.headers)["ce_id"].decode())
        return record

    def _at(self, partition: int, event: Event, post_id: str, sequence: int, previous: str | None) -> LogRecord:
        envelope = Envelope(
            id=f"evt_{next(self._ids)}",
            source="posts",
            subject=post_id,
            time=NOW,
            sequence=sequence,
            previous_id=previous,
            tenant_id=TENANT,
        )
        return self._placed(partition, *pack(event, envelope))

    def _placed(self, partition: int, headers: tuple[tuple[str, bytes], ...], value: bytes) -> LogRecord:
        offset = self._offsets.get(partition, 0)
        self._offsets[partition] = offset + 1
        return LogRecord(partition, offset, headers, value)


class MemoryStore:
    """`auditor.ports.Store`: what is saved outlives the books."""

    def __init__(self) -> None:
        self.positions: dict[int, int] = {}
        self.accounts: dict[str, Account] = {}
        self.totals: dict[str, Totals] = {}
        self.findings: dict[str, Finding] = {}
        self.fails: list[Exception] = []

    async def load(self) -> Saved:
        totals = {name: Totals(each.accepted, dict(each.states)) for name, each in self.totals.items()}
        return Saved(self.positions, totals)

    async def watched(self, until: datetime) -> Sequence[Account]:
        return [each for each in self.accounts.values() if each.watch_at is not None and each.watch_at <= until]

    async def fetch(self, post_ids: Iterable[str]) -> Mapping[str, Account]:
        if self.fails:
            raise self.fails.pop()
        return {name: self.accounts[name] for name in post_ids if name in self.accounts}

    async def save(
        self,
        positions: Mapping[int, int],
        accounts: Sequence[Account],
        totals: Mapping[str, Totals],
        findings: Sequence[Finding],
    ) -> None:
        self.positions = dict(positions)
        self.accounts |= {each.post_id: each for each in accounts}
        self.totals |= {name: Totals(each.accepted, dict(each.states)) for name, each in totals.items()}
        for finding in findings:
            self.findings.setdefault(finding.finding_id, finding)

    async def forget(self) -> None:
        self.positions, self.accounts, self.totals = {}, {}, {}

    async def unsettled(self) -> Sequence[Finding]:
        return list(self.findings.values())


class MemoryJournal:
    """`auditor.ports.Journal`."""

    def __init__(self, *entries: Entry) -> None:
        self.known = {entry.entry_id: entry for entry in entries}

    def add(
        self, target_id: str, outcome: str, *live: str, at: datetime = NOW, post_id: str = "post_1", attempt: int = 1
    ) -> None:
        entry = Entry(
            post_id=post_id,
            target_id=target_id,
            tenant_id=TENANT,
            live=live,
            outcome=outcome,
            attempt=attempt,
            ended_at=at,
        )
        self.known[entry.entry_id] = entry

    async def entries(self, entry_ids: Sequence[str]) -> Mapping[str, Entry]:
        return {name: self.known[name] for name in entry_ids if name in self.known}

    async def after(self, entry_id: str, limit: int) -> Sequence[Entry]:
        return [self.known[name] for name in sorted(self.known) if name > entry_id][:limit]

    async def all(self) -> AsyncIterator[Entry]:
        for entry in list(self.known.values()):
            yield entry


class MemoryReader:
    """`auditor.ports.LogReader` over what a test has put into it."""

    def __init__(self) -> None:
        self.log: list[LogRecord] = []
        self._read = 0
        self.positions: Mapping[int, int] = {}
        self.came = asyncio.Event()
        """Something was read."""

    async def start(self, positions: Mapping[int, int]) -> None:
        self.positions = positions
        self._read = 0

    async def poll(self) -> Sequence[LogRecord]:
        found = [each for each in self.log[self._read :] if each.offset >= self.positions.get(each.partition, 0)]
        self._read = len(self.log)
        if found:
            self.came.set()
        else:
            await asyncio.sleep(0)
        return found

    async def ends(self) -> dict[int, int]:
        ends: dict[int, int] = {}
        for each in self.log:
            ends[each.partition] = each.offset + 1
        return ends
