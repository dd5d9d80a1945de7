"""The audit itself, with a log, a journal and a clock of the test's own."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY
from tests.auditor.writing import (
    LINKEDIN,
    NOW,
    REJECTED,
    TENANT,
    Log,
    MemoryJournal,
    MemoryReader,
    MemoryStore,
    X,
    created,
    live,
    told,
    unknown,
)

from auditor.auditing import Auditor
from auditor.checking import check, table
from auditor.domain.findings import KINDS
from auditor.domain.watching import Bounds
from chassis import tracing
from chassis.exporting import Chosen, OtelRecorder

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def auditor(store: MemoryStore, journal: MemoryJournal, reader: MemoryReader, clock: Clock) -> Auditor:
    return Auditor(store=store, journal=journal, reader=reader, bounds=Bounds(), now=clock, check_every=0.0, patrol=2)


def shown(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(name, labels)
    assert value is not None
    return value


def imbalance() -> dict[str, float]:
    return {kind: n for kind in KINDS if (n := shown("auditor_imbalance", kind=kind))}


async def turn(auditor: Auditor, clock: Clock, *, times: int = 3, minutes: float = 0) -> None:
    """Time passes first. Whatever the journal shows stands from the second look on."""
    clock.now += timedelta(minutes=minutes)
    for _ in range(times):
        await auditor.turn()


async def test_all_is_well(
    auditor: Auditor, reader: MemoryReader, log: Log, journal: MemoryJournal, clock: Clock
) -> None:
    reader.log += log.records(created(X, LINKEDIN), told(X, live("a")), told(LINKEDIN, unknown(NOW)))
    journal.add(X, "published", "a")
    journal.add(LINKEDIN, "unknown")
    await turn(auditor, clock, minutes=2)
    assert imbalance() == {}
    assert shown("auditor_targets", platform="twitter", state="published") == 1
    assert shown("auditor_targets", platform="linkedin", state="unknown") == 1
    assert shown("auditor_oldest_unknown_seconds") == 120
    assert shown("auditor_behind_seconds") == 0


async def test_a_lost_target_is_missing_until_it_is_heard_of(
    auditor: Auditor, reader: MemoryReader, log: Log, journal: MemoryJournal, clock: Clock
) -> None:
    reader.log += log.records(created(X, due=NOW))
    await turn(auditor, clock, minutes=16)
    assert imbalance() == {"overdue": 1}


async def test_a_double_is_counted_and_stands_until_somebody_settles_it(
    auditor: Auditor, reader: MemoryReader, log: Log, journal: MemoryJournal, clock: Clock, store: MemoryStore
) -> None:
    before = shown("auditor_duplicates_total")
    reader.log += log.records(created(X), told(X, live("a")), told(X, live("b")))
    journal.add(X, "published", "a")
    auditor._saved_at = 0.0
    await turn(auditor, clock)
    assert shown("auditor_duplicates_total") == before + 1
    assert imbalance() == {"duplicate": 1}
    store.findings.clear()
    await turn(auditor, clock)
    assert imbalance() == {}


async def test_a_success_of_the_journal_is_to_be_in_the_log(
    auditor: Auditor, reader: MemoryReader, log: Log, journal: MemoryJournal, clock: Clock
) -> None:
    reader.log += log.records(created(X))
    journal.add(X, "published", "a")
    await turn(auditor, clock, minutes=4)
    assert imbalance() == {}
    await turn(auditor, clock, minutes=2)
    assert imbalance() == {"unrecorded": 1}
    reader.log += log.records(told(X, live("a"), at=clock.now))
    await turn(auditor, clock)
    assert imbalance() == {}


@pytest.mark.parametrize("outcome", ["rejected", "deferred", "held", "unknown"])
async def test_so_is_every_other_end_of_an_attempt(
    auditor: Auditor, reader: MemoryReader, log: Log, journal: MemoryJournal, clock: Clock, outcome: str
) -> None:
    reader.log += log.records(created(X))
    journal.add(X, outcome)
    await turn(auditor, clock, minutes=6)
    assert imbalance() == {"unrecorded": 1}


async def test_a_success_that_the_log_calls_a_failure(
    auditor: Auditor, reader: MemoryReader, log: Log, journal: MemoryJournal, clock: Clock
) -> None:
    """At rest by the log: only the patrol comes past it."""
    reader.log += log.records(created(X), told(X, REJECTED))
    for number in range(5):
        journal.add("twitter:other", "rejected", post_id=f"post_0{number}")
    journal.add(X, "published", "a")
    await turn(auditor, clock, minutes=6, times=8)
    assert imbalance() == {"unrecorded": 1}


async def test_what_is_published_by_the_log_is_in_the_journal(
    auditor: Auditor, reader: MemoryReader, log: Log, journal: MemoryJournal, clock: Clock
) -> None:
    reader.log += log.records(created(X), told(X, live("a")))
    await turn(auditor, clock, minutes=0.5)
    assert imbalance() == {}
    await turn(auditor, clock, minutes=1)
    assert imbalance() == {"unjournalled": 1}
    journal.add(X, "published", "a", at=clock.now)
    await turn(auditor, clock)
    assert imbalance() == {}


async def test_they_name_the_same_post(
    auditor: Auditor, reader: MemoryReader, log: Log, journal: MemoryJournal, clock: Clock
) -> None:
    reader.log += log.records(created(X), told(X, live("a")))
    journal.add(X, "published", "b")
    await turn(auditor, clock, minutes=6)
    assert imbalance() == {"unjournalled": 1, "disagreement": 1}


async def test_what_is_in_the_journal_was_accepted(
    auditor: Auditor, reader: MemoryReader, log: Log, journal: MemoryJournal, clock: Clock
) -> None:
    reader.log += log.records(created(X))
    journal.add(LINKEDIN, "published", "a")
    journal.add(X, "published", "b", post_id="post_2")
    await turn(auditor, clock, minutes=6)
    assert imbalance() == {"unaccepted": 2}


async def test_without_the_end_of_the_log_nothing_is_missed(
    auditor: Auditor, reader: MemoryReader, log: Log, journal: MemoryJournal, clock: Clock
) -> None:
    reader.log += log.records(created(X, due=NOW))
    unread = log.records(created(X), post_id="post_2", partition=1)

    async def ends() -> dict[int, int]:
        return {0: 1, 1: 1}

    reader.ends = ends  # type: ignore[method-assign]
    await turn(auditor, clock, minutes=60)
    assert imbalance() == {}
    assert shown("auditor_behind_seconds") == 3600
    reader.log += unread
    await turn(auditor, clock)
    assert imbalance() == {"overdue": 1, "stuck": 1}
    assert shown("auditor_behind_seconds") == 0


async def test_another_log_is_counted_from_its_beginning(
    auditor: Auditor, reader: MemoryReader, log: Log, journal: MemoryJournal, store: MemoryStore
) -> None:
    """After a restore the log may be shorter than the books."""
    store.positions = {0: 10}
    reader.log += log.records(created(X))
    stop = asyncio.Event()
    running = asyncio.create_task(auditor.run(stop))
    await reader.came.wait()
    stop.set()
    await running
    assert store.positions == {0: 1}
    assert store.totals[TENANT].of("publishing") == 1


# --- once, from the beginning ---------------------------------------------------------------------------


async def test_a_check_says_who_has_what(reader: MemoryReader, log: Log, journal: MemoryJournal, clock: Clock) -> None:
    reader.log += log.records(created(X, LINKEDIN), told(X, live("a")))
    reader.log += log.records(created(X, tenant_id="tenant_2", due=NOW + timedelta(days=1)), post_id="post_2")
    journal.add(X, "published", "a")
    audit = await check(journal, reader, Bounds(), clock)
    assert audit.is_sound
    assert [(each.tenant_id, each.accepted, each.published, each.scheduled) for each in audit.rows] == [
        (TENANT, 2, 1, 0),
        ("tenant_2", 1, 0, 1),
    ]
    said = table(audit)
    assert said.startswith("tenant    accepted  published  failed  cancelled  withdrawn  deleted  held  scheduled")
    assert said.endswith("balanced")


async def test_a_check_says_what_is_missing(
    reader: MemoryReader, log: Log, journal: MemoryJournal, clock: Clock
) -> None:
    reader.log += log.records(created(X, LINKEDIN), told(X, live("a")))
    clock.now += timedelta(hours=1)
    audit = await check(journal, reader, Bounds(), clock)
    assert not audit.is_sound
    assert sorted(finding.kind for finding in audit.findings) == ["stuck", "unjournalled"]
    (row,) = audit.rows
    assert (row.in_flight, row.missing, row.balances) == (0, 1, False)
    assert "NOT BALANCED: 2 findings" in table(audit)
    assert "stuck (handed to the publisher, and nothing has happened since): tenant_1 post_1/linkedin:acc_2" in table(
        audit
    )


async def test_what_is_read_at_once_is_one_span_that_leads_to_where_each_event_comes_from(
    auditor: Auditor, log: Log, reader: MemoryReader, clock: Clock
) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=Chosen(1.0), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    first, second = log.records(created(X), told(X, live("1")))
    reader.log += [
        replace(each, headers=(*each.headers, ("traceparent", traceparent.encode())))
        for each, traceparent in ((first, SAMPLED), (second, f"{SAMPLED[:-1]}0"))
    ]
    tracing.record_with(OtelRecorder(provider))
    try:
        await turn(auditor, clock)
    finally:
        tracing.record_with(None)
    (span,) = exporter.get_finished_spans()
    assert span.attributes == {"social.events": 2}
    assert sorted(f"{link.context.span_id:016x}" for link in span.links) == [SAMPLED[36:52], SAMPLED[36:52]]
