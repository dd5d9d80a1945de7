"""The audit that never ends: reads on, and looks for what should have happened."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta
from itertools import islice

import structlog
from aiokafka.errors import KafkaError
from prometheus_client import Counter, Gauge
from pymongo.errors import PyMongoError

from auditor.books import Books
from auditor.domain.comparing import Entry, against_journal, against_log, entry_id, is_proven
from auditor.domain.counting import STATES
from auditor.domain.findings import KINDS, Finding
from auditor.domain.watching import Bounds
from auditor.ports import Journal, LogReader, LogRecord, Store
from chassis import tracing
from chassis.health import Heartbeat
from contracts.content import PLATFORMS
from contracts.topics import POSTS_EVENTS

log = structlog.get_logger()

IMBALANCE = Gauge("auditor_imbalance", "Findings that stand, by kind; 0 when all is well", ("kind",))
DUPLICATES = Counter("auditor_duplicates", "Targets found to be live twice")
TARGETS = Gauge("auditor_targets", "Accepted targets, by what has become of them", ("platform", "state"))
OLDEST_UNKNOWN = Gauge("auditor_oldest_unknown_seconds", "For how long nobody has known whether a target is live")
BEHIND = Gauge("auditor_behind_seconds", "Since when the log has not been read to its end")
EVENTS = Counter("auditor_events", "Events taken into account")
ENTRIES = Counter("auditor_journal_entries", "Journal entries held against the log")

SAVE_AT = 1_000
"""Changed accounts that are saved together: all of them lie in one document for a moment."""
SAVE_EVERY = 5.0
STALE_AFTER = 120.0
CURRENT = timedelta(minutes=1)
"""How far behind the log the journal may be held against it."""
MOST_QUIET = 2_000
"""Targets without news that are looked up in the journal at one check; the patrol comes to the others."""
CALL_ENTRIES = 500


class Auditor:
    def __init__(
        self,
        *,
        store: Store,
        journal: Journal,
        reader: LogReader,
        bounds: Bounds,
        now: Callable[[], datetime],
        check_every: float = 10.0,
        patrol: int = 200,
    ) -> None:
        self.books = Books(store)
        self.standing: dict[str, Finding] = {}
        """What is wrong, by the last check."""
        self._store = store
        self._journal = journal
        self._reader = reader
        self._bounds = bounds
        self._now = now
        self._check_every = check_every
        self._patrol = patrol
        self._reading = Heartbeat("reading", stale_after=STALE_AFTER)
        self._saved_at = self._checked_at = time.monotonic()
        self._unfolded: Sequence[LogRecord] = ()
        self._asked: tuple[datetime, dict[int, int]] | None = None
        """When the ends of the log were asked for, and where they were."""
        self._read_until = now()
        self._is_current = False
        """Whether the log has been read to an end at least once."""
        self._patrolled = ""
        self._suspects: dict[str, Finding] = {}
        """What the journal has shown at the last check, by entry. It stands when it is seen again."""

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; what was read is saved then. Raises AnotherAuditorError."""
        await self._insist(self._begin, stop)
        while not stop.is_set():
            await self._insist(self.turn, stop)
        if self.books.unsaved():
            # What cannot be saved any more is read again at the next start.
            with suppress(PyMongoError):
                await self.books.save()

    def healthy(self) -> str | None:
        """None once it reads. One that has much to read yet is well."""
        return self._reading.resting()

    def turning(self) -> str | None:
        """None, or that only a restart can help."""
        return self._reading.missed()

    async def turn(self) -> None:
        """Reads what there is, saves what is worth saving, checks when it is time to. May be repeated if it raises."""
        self._reading.beat()
        now = time.monotonic()
        if not self._unfolded:
            self._unfolded = await self._reader.poll()
        if self._unfolded:
            with _span(self._unfolded):
                await self._fold()
        if self.books.unsaved() >= SAVE_AT or now - self._saved_at >= SAVE_EVERY:
            await self.books.save()
            self._saved_at = time.monotonic()
        if now - self._checked_at >= self._check_every:
            await self.check()
            self._checked_at = time.monotonic()

    async def check(self) -> None:
        """Sets the metrics, and what stands."""
        await self._look_for_the_end()
        await self.books.look_ahead(self._now())
        BEHIND.set((self._now() - self._read_until).total_seconds())
        found = [*await self._store.unsettled(), *self.books.unbalanced(self._read_until)]
        if self._is_current:
            found += self.books.missing(self._read_until, self._bounds)
        if self._is_current and self._now() - self._read_until < CURRENT:
            found += await self._hold_against_the_journal()
        standing = {finding.finding_id: finding for finding in found}
        for finding_id in standing.keys() - self.standing.keys():
            _announce(standing[finding_id])
        self.standing = standing
        self._measure()

    async def _fold(self) -> None:
        events = self.books.events
        for finding in await self.books.fold(self._unfolded):
            _announce(finding)
            DUPLICATES.inc(finding.kind == "duplicate")
        EVENTS.inc(self.books.events - events)
        self._unfolded = ()

    async def _begin(self) -> None:
        await self.books.load()
        await self._reader.start(self.books.positions)
        ends = await self._reader.ends()
        if any(position > ends.get(partition, 0) for partition, position in self.books.positions.items()):
            log.error("the log is shorter than the books: it was restored, or is another one; counting anew")
            await self._store.forget()
            await self.books.load()
            await self._reader.start({})

    async def _insist(self, step: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
        """Waits for Kafka and the store for as long as they are away; nothing that was read is lost."""
        while not stop.is_set():
            try:
                await step()
            except (KafkaError, PyMongoError, TimeoutError) as error:
                log.warning("the log, the journal or the books cannot be reached", reason=type(error).__name__)
                BEHIND.set((self._now() - self._read_until).total_seconds())
                await asyncio.sleep(1)
            else:
                return

    async def _look_for_the_end(self) -> None:
        if self._asked is None:
            asked_at = self._now()
            self._asked = asked_at, await self._reader.ends()
        asked_at, ends = self._asked
        if all(self.books.positions.get(partition, 0) >= end for partition, end in ends.items()):
            self._read_until, self._is_current, self._asked = asked_at, True, None

    # --- the journal ----------------------------------------------------------------------------------

    async def _hold_against_the_journal(self) -> list[Finding]:
        found = await self._prove()
        quiet = islice(self._quiet(), MOST_QUIET)
        looked_at = await self._entries({*self._suspects, *quiet})
        page = await self._journal.after(self._patrolled, self._patrol)
        self._patrolled = page[-1].entry_id if len(page) == self._patrol else ""
        looked_at |= {entry.entry_id: entry for entry in page}
        accounts = await self.books.find({entry.post_id for entry in looked_at.values()})
        ENTRIES.inc(len(looked_at))
        suspects = {}
        for name, entry in looked_at.items():
            finding = against_log(entry, accounts.get(entry.post_id), self._read_until, self._bounds)
            if finding is not None:
                suspects[name] = finding
        # The journal is read later than the log: what is not in the log yet is by the next check.
        found += [finding for name, finding in suspects.items() if name in self._suspects]
        self._suspects = suspects
        return found

    async def _prove(self) -> list[Finding]:
        """Finds in the journal what was recorded as published; what is not there is returned."""
        unproven = [
            (account, target_id, promise)
            for account in self.books.watched()
            for target_id, promise in account.promises.items()
            if promise.unproven
        ]
        entries = await self._entries({entry_id(account.post_id, target_id) for account, target_id, _ in unproven})
        ENTRIES.inc(len(entries))
        found = []
        for account, target_id, promise in unproven:
            entry = entries.get(entry_id(account.post_id, target_id))
            if is_proven(promise, entry):
                self.books.prove(account.post_id, target_id)
                continue
            finding = against_journal(account, target_id, promise, entry, now=self._now(), bounds=self._bounds)
            if finding is not None:
                found.append(finding)
        return found

    def _quiet(self) -> Iterable[str]:
        """At the publisher for longer than a word from it takes."""
        for account in self.books.watched():
            for target_id, promise in account.promises.items():
                if promise.state == "publishing" and self._read_until - promise.since > self._bounds.recorded:
                    yield entry_id(account.post_id, target_id)

    async def _entries(self, names: set[str]) -> dict[str, Entry]:
        wanted = sorted(names)
        found: dict[str, Entry] = {}
        for start in range(0, len(wanted), CALL_ENTRIES):
            found |= await self._journal.entries(wanted[start : start + CALL_ENTRIES])
        return found

    # --- metrics --------------------------------------------------------------------------------------

    def _measure(self) -> None:
        for kind in KINDS:
            IMBALANCE.labels(kind).set(sum(finding.kind == kind for finding in self.standing.values()))
        totals = self.books.totals.values()
        for platform in PLATFORMS:
            for state in STATES:
                TARGETS.labels(platform, state).set(sum(each.states.get(f"{platform}/{state}", 0) for each in totals))
        unknown = [
            promise.unknown_since
            for account in self.books.watched()
            for promise in account.promises.values()
            if promise.unknown_since is not None
        ]
        OLDEST_UNKNOWN.set((self._now() - min(unknown)).total_seconds() if unknown else 0)


def _span(records: Sequence[LogRecord]) -> AbstractContextManager[tracing.Span]:
    """One for all that was read at once, with links to where each comes from."""
    headers = (header for each in records for header in each.headers)
    causes = {value.decode(errors="replace") for name, value in headers if name == "traceparent"}
    span = tracing.start(
        f"process {POSTS_EVENTS}",
        "consumer",
        parent=None,
        links=sorted(causes),
        about={"events": len(records)},
    )
    return tracing.within(span)


def _announce(finding: Finding) -> None:
    log.error(
        "finding",
        finding_id=finding.finding_id,
        kind=finding.kind,
        tenant_id=finding.tenant_id,
        post_id=finding.post_id,
        target_id=finding.target_id,
        since=finding.at.isoformat(),
        detail=finding.detail,
    )
