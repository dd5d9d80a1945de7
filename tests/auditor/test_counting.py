"""Given a log, then each target is where it should be, and whatever cannot be is found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from tests.auditor.writing import (
    HELD,
    LINKEDIN,
    NOW,
    REJECTED,
    TENANT,
    Log,
    MemoryStore,
    X,
    created,
    deferred,
    due,
    live,
    scheduled,
    spec,
    started,
    told,
    unknown,
)

from auditor.books import Books
from auditor.domain.findings import Finding
from auditor.domain.watching import Bounds
from contracts.content import LivePart
from contracts.messages import Event
from contracts.posts import (
    DuplicateDetected,
    PostCancelled,
    PostChanges,
    PostDeleted,
    PostEdited,
    RemovalRecorded,
    RemovalStarted,
    Removed,
    Resolution,
    TargetResolved,
)
from contracts.verdicts import CommandRefused, Refusal

LATER = NOW + timedelta(minutes=5)
BOUNDS = Bounds()
CANCELLED = PostCancelled(actor="user_1", at=NOW)
DELETED = PostDeleted(actor="user_1", at=NOW)
REFUSED = CommandRefused(command_type="post.edit.v1", refusal=Refusal(code="not_editable", message="no"))


def edited(*target_ids: str) -> PostEdited:
    targets = tuple(spec(each) for each in target_ids) or None
    return PostEdited(actor="user_1", at=NOW, changes=PostChanges(), targets=targets)


def resolved(target_id: str, resolution: Resolution, live_id: str | None = None) -> TargetResolved:
    part = None if live_id is None else LivePart(index=0, platform_post_id=live_id)
    return TargetResolved(at=NOW, actor="user_1", target_id=target_id, resolution=resolution, live=part)


def duplicate(target_id: str) -> DuplicateDetected:
    first, second = (LivePart(index=0, platform_post_id=each) for each in ("a", "b"))
    return DuplicateDetected(at=NOW, target_id=target_id, attempt=1, first=first, second=second)


def removal(*target_ids: str) -> RemovalStarted:
    return RemovalStarted(at=NOW, actor="user_1", target_ids=target_ids)


def removed(target_id: str) -> RemovalRecorded:
    return RemovalRecorded(at=NOW, target_id=target_id, attempt=1, outcome=Removed())


async def audited(log: Log, *events: Event) -> tuple[Books, Sequence[Finding]]:
    books = Books(MemoryStore())
    await books.load()
    return books, await books.fold(log.records(*events))


def counted(books: Books) -> dict[str, int]:
    return {name: n for name, n in books.totals[TENANT].states.items() if n}


OUT = created(X, LINKEDIN)
PLANNED = created(X, LINKEDIN, due=LATER)


@pytest.mark.parametrize(
    ("events", "accepted", "states"),
    [
        ([OUT], 2, {"twitter/publishing": 1, "linkedin/publishing": 1}),
        ([OUT, told(X, live("a")), told(LINKEDIN, REJECTED)], 2, {"twitter/published": 1, "linkedin/failed": 1}),
        ([OUT, told(X, live("a")), REFUSED], 2, {"twitter/published": 1, "linkedin/publishing": 1}),
        ([created(X), told(X, deferred(LATER))], 1, {"twitter/deferred": 1}),
        ([created(X), told(X, deferred(LATER)), due(X)], 1, {"twitter/publishing": 1}),
        ([created(X), told(X, deferred(LATER)), CANCELLED], 1, {"twitter/cancelled": 1}),
        ([created(X), told(X, unknown(LATER)), due(X)], 1, {"twitter/unknown": 1}),
        ([created(X), told(X, unknown(LATER)), due(X), told(X, HELD)], 1, {"twitter/held": 1}),
        ([created(X), told(X, HELD), resolved(X, "drop")], 1, {"twitter/failed": 1}),
        ([created(X), told(X, HELD), resolved(X, "confirm", "a")], 1, {"twitter/published": 1}),
        ([created(X), told(X, HELD), resolved(X, "republish")], 1, {"twitter/publishing": 1}),
        ([created(X, parts=2), told(X, HELD), resolved(X, "confirm", "a")], 1, {"twitter/publishing": 1}),
        ([created(X), told(X, REJECTED), started(X)], 1, {"twitter/publishing": 1}),
        ([created(X), told(X, REJECTED), told(X, live("a"))], 1, {"twitter/published": 1}),
        ([created()], 0, {}),
        ([created(), started(X, chosen=[spec(X)])], 1, {"twitter/publishing": 1}),
        ([created(), scheduled(X, due=LATER)], 1, {"twitter/scheduled": 1}),
        ([PLANNED], 2, {"twitter/scheduled": 1, "linkedin/scheduled": 1}),
        ([PLANNED, started(X, LINKEDIN)], 2, {"twitter/publishing": 1, "linkedin/publishing": 1}),
        ([PLANNED, CANCELLED], 2, {"twitter/cancelled": 1, "linkedin/cancelled": 1}),
        ([PLANNED, DELETED], 2, {"twitter/deleted": 1, "linkedin/deleted": 1}),
        ([PLANNED, edited(X)], 3, {"twitter/withdrawn": 1, "linkedin/withdrawn": 1, "twitter/scheduled": 1}),
        ([created(X), told(X, REJECTED), edited()], 1, {"twitter/failed": 1}),
        ([created(X), told(X, live("a")), removal(X), removed(X)], 1, {"twitter/deleted": 1}),
    ],
)
async def test_every_target_is_accounted_for(
    log: Log, events: list[Event], accepted: int, states: dict[str, int]
) -> None:
    books, found = await audited(log, *events)
    assert list(found) == []
    if accepted:
        assert counted(books) == states
        assert books.totals[TENANT].accepted == accepted
        assert books.unbalanced(NOW) == []


async def test_a_first_comment_is_a_target_of_its_own(log: Log) -> None:
    commented = created(X, options={"first_comment": "first!"})
    books, found = await audited(log, commented, told(X, live("a")), told(f"{X}#comment", live("b"), attempt=2))
    assert list(found) == []
    assert counted(books) == {"twitter/published": 2}
    assert books.totals[TENANT].accepted == 2


@pytest.mark.parametrize(
    ("events", "kinds"),
    [
        # Published twice, as the posts service has seen it, or has not.
        ([created(X), told(X, live("a")), duplicate(X)], ["duplicate"]),
        ([created(X), told(X, live("a")), told(X, live("b"))], ["duplicate"]),
        ([created(X), told(X, live("a")), told(X, live("a"))], ["contradiction"]),
        ([created(X), told(X, live("a")), started(X)], ["contradiction"]),
        ([created(X), told(X, live("a")), due(X)], ["contradiction"]),
        ([created(X), told(X, HELD), due(X)], ["contradiction"]),
        ([created(X), told(X, HELD), started(X)], ["contradiction"]),
        # Outcomes of what nobody asked for.
        ([created(X), told(LINKEDIN, live("a"))], ["unaccepted"]),
        ([PLANNED, told(X, live("a"))], ["unaccepted"]),
        ([PLANNED, CANCELLED, told(X, live("a"))], ["unaccepted"]),
        ([created(), told(X, REJECTED)], ["unaccepted"]),
        ([created(X), started(LINKEDIN)], ["unaccepted"]),
        ([told(X, live("a"))], ["unaccepted"]),
        # What was known is undone.
        ([created(X), told(X, live("a")), told(X, REJECTED)], ["contradiction"]),
        ([created(X), told(X, REJECTED), told(X, HELD)], ["contradiction"]),
        ([created(X), resolved(X, "confirm", "a")], ["contradiction"]),
        ([created(X, parts=3), told(X, live("a", "b"))], ["contradiction"]),
        ([created(X), created(X)], ["contradiction", "contradiction"]),
        # Targets that get lost: replaced before anybody has told their end.
        ([created(X), scheduled(X, due=LATER)], ["contradiction"]),
        ([created(X), edited()], ["contradiction"]),
        ([created(X), told(X, live("a")), scheduled(X, due=LATER)], ["contradiction"]),
        ([PLANNED, DELETED, started(X)], ["contradiction"]),
    ],
)
async def test_what_cannot_be_is_found(log: Log, events: list[Event], kinds: list[str]) -> None:
    books, found = await audited(log, *events)
    assert [finding.kind for finding in found] == kinds
    assert {finding.post_id for finding in found} == {"post_1"}
    assert books.unbalanced(NOW) == [], "the sums are right even of what is wrong"


@pytest.mark.parametrize(
    ("events", "after", "kind"),
    [
        ([PLANNED, started(X)], BOUNDS.late + timedelta(minutes=5), "overdue"),
        ([created(X)], BOUNDS.silent, "stuck"),
        ([created(X), told(X, deferred(LATER))], BOUNDS.late + timedelta(minutes=5), "stuck"),
        ([created(X), told(X, unknown(LATER))], BOUNDS.late + timedelta(minutes=5), "stuck"),
        ([created(X), told(X, unknown(LATER)), due(X, at=LATER)], BOUNDS.silent + timedelta(minutes=5), "stuck"),
        ([created(X), told(X, live("a")), removal(X)], BOUNDS.silent, "unremoved"),
    ],
)
async def test_what_gets_lost_is_missing_at_its_bound_and_not_before(
    log: Log, events: list[Event], after: timedelta, kind: str
) -> None:
    books, _ = await audited(log, *events)
    before = books.missing(NOW + after, BOUNDS)
    assert [finding.kind for finding in before] == []
    found = books.missing(NOW + after + timedelta(seconds=1), BOUNDS)
    assert {finding.kind for finding in found} == {kind}


async def test_nothing_is_on_its_way_or_unknown_for_ever(log: Log) -> None:
    """Even if something is heard of it again and again."""
    at, events = NOW, list[Event]()
    while at < NOW + timedelta(days=8):
        at += timedelta(hours=12)
        events += [due(X, at=at), told(X, deferred(at + timedelta(hours=12)), at=at, attempt=len(events) // 2 + 2)]
    books, _ = await audited(log, created(X), told(X, deferred(NOW)), *events)
    (finding,) = books.missing(at, BOUNDS)
    assert (finding.kind, finding.at) == ("stuck", NOW)

    at, events = NOW, []
    while at < NOW + timedelta(hours=9):
        at += timedelta(minutes=30)
        events += [due(X, at=at), told(X, unknown(at + timedelta(minutes=30)), at=at)]
    books, _ = await audited(Log(), created(X), told(X, unknown(NOW)), *events)
    (finding,) = books.missing(at, BOUNDS)
    assert (finding.kind, finding.at) == ("stuck", NOW)


async def test_what_does_not_follow_is_void_and_what_cannot_be_read_is_found(log: Log) -> None:
    books, _ = await audited(log, created(X))
    assert await books.fold([log.void(told(X, live("a")))]) == []
    assert counted(books) == {"twitter/publishing": 1}
    assert (books.events, books.void) == (1, 1)
    (finding,) = await books.fold([log.garbage()])
    assert (finding.kind, finding.post_id) == ("unreadable", "0@2")
    assert books.positions == {0: 3}
