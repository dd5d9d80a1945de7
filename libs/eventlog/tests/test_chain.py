"""The acceptance rule, and what an aggregate remembers."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.messages import Event
from contracts.verdicts import CommandRefused, Refusal
from contracts.wire import Envelope
from eventlog.chain import LOG_SIZE, MEMO_SIZE, Memo, Stored, advance, counts

Fold = Callable[..., Stored[Any]]


def envelope(event_id: str, version: int, previous: str | None, command_id: str | None = None) -> Envelope:
    return Envelope(
        id=event_id,
        source="test",
        subject="tally_1",
        time=datetime(2026, 3, 2, tzinfo=UTC),
        sequence=version,
        previous_id=previous,
        command_id=command_id,
    )


@pytest.fixture
def fold(aggregate: Any, toy: Any) -> Fold:
    """Folds records `(envelope, amount)` as every reader does; the offset is the position in the log."""

    def fold(*log: tuple[Envelope, int]) -> Stored[Any] | None:
        stored = None
        for offset, (stamp, amount) in enumerate(log):
            if counts(stored, stamp):
                event = toy.Added(amount=amount, tenant_id="tenant_1", label=stamp.id)
                stored = advance(aggregate, stored, stamp, event, offset)
        return stored

    return fold


def test_a_first_event_names_no_other() -> None:
    assert counts(None, envelope("a1", 1, None))
    assert not counts(None, envelope("a1", 1, "a0"))
    assert not counts(None, envelope("a2", 2, "a1"))


def test_the_next_event_counts(fold: Fold) -> None:
    stored = fold((envelope("a1", 1, None), 1), (envelope("a2", 2, "a1"), 2))

    assert (stored.version, stored.event_id, stored.state.total) == (2, "a2", 3)


@pytest.mark.parametrize(
    ("event_id", "version", "previous"),
    [("a1", 1, None), ("b2", 2, "b1"), ("a3", 3, "a1"), ("a3", 3, "a2"), ("a2", 2, None), ("b1", 1, "a1")],
    ids=["again", "another chain", "a gap", "a gap and a stranger", "no cause", "an older version"],
)
def test_whatever_does_not_follow_is_skipped(fold: Fold, event_id: str, version: int, previous: str | None) -> None:
    stored = fold((envelope("a1", 1, None), 1), (envelope(event_id, version, previous), 10))

    assert (stored.version, stored.state.total, stored.log) == (1, 1, (0,))


def test_a_second_creation_is_skipped(fold: Fold) -> None:
    stored = fold((envelope("a1", 1, None), 1), (envelope("b1", 1, None), 10))

    assert stored.event_id == "a1"


def test_a_zombies_events_are_skipped_although_their_versions_fit(fold: Fold) -> None:
    # The rival wrote version 2 first. The zombie, not knowing, writes its own 2 and on it 3: by version alone the 3
    # would be the next one.
    stored = fold(
        (envelope("a1", 1, None), 1),
        (envelope("rival2", 2, "a1"), 2),
        (envelope("zombie2", 2, "a1"), 100),
        (envelope("zombie3", 3, "zombie2"), 1_000),
        (envelope("rival3", 3, "rival2"), 4),
    )

    assert stored.state.steps == ("a1", "rival2", "rival3")
    assert (stored.version, stored.event_id, stored.log) == (3, "rival3", (0, 1, 4))


def test_events_without_a_version_are_skipped(fold: Fold) -> None:
    unversioned = Envelope(id="a1", source="test", subject="tally_1", time=datetime(2026, 3, 2, tzinfo=UTC))

    assert fold((unversioned, 1)) is None


def test_an_aggregate_remembers_what_became_of_a_command(fold: Fold) -> None:
    stored = fold((envelope("a1", 1, None, "cmd_1"), 1), (envelope("a2", 2, "a1", "cmd_2"), 1))

    assert stored.remembers("cmd_1") == Memo(command_id="cmd_1", version=1)
    assert stored.remembers("cmd_2") == Memo(command_id="cmd_2", version=2)
    assert stored.remembers("cmd_3") is None


def test_events_without_a_command_leave_no_memory(fold: Fold) -> None:
    assert fold((envelope("a1", 1, None), 1)).memo == ()


def test_a_refusal_is_remembered_and_changes_nothing_else(fold: Fold, aggregate: Any) -> None:
    stored = fold((envelope("a1", 1, None), 5))
    refusal = Refusal(code="below_zero", message="No.")
    refused: Event = CommandRefused(command_type="tally.add.v1", refusal=refusal)

    after = advance(aggregate, stored, envelope("a2", 2, "a1", "cmd_2"), refused, 7)

    assert after.state == stored.state
    assert (after.version, after.event_id, after.log) == (2, "a2", (0, 7))
    assert after.remembers("cmd_2") == Memo(command_id="cmd_2", version=2, refusal=refusal)


def test_memory_and_history_are_bounded_and_keep_the_newest(fold: Fold) -> None:
    log = [(envelope(f"a{n}", n, f"a{n - 1}" if n > 1 else None, f"cmd_{n}"), 1) for n in range(1, LOG_SIZE + 11)]

    stored = fold(*log)

    assert stored.state.total == LOG_SIZE + 10
    assert [memo.version for memo in stored.memo] == list(range(LOG_SIZE + 11 - MEMO_SIZE, LOG_SIZE + 11))
    assert stored.log == tuple(range(10, LOG_SIZE + 10))
