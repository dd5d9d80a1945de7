"""The owner of a partition, in memory: what it writes, tells, projects and answers, and what crashes do to that."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from chassis import tracing
from contracts.messages import Message
from contracts.topics import GATEWAY_REPLIES
from contracts.verdicts import CommandRefused, Refusal, Verdict
from contracts.wire import Envelope, unpack
from eventlog import partition
from eventlog.chain import MEMO_SIZE
from eventlog.memory import MemoryDocuments, MemoryLog
from eventlog.partition import PartitionOwner, fair_cut
from eventlog.ports import AppendFailedError, LogRecord, NewRecord, ReceivedCommand

Received = Callable[..., ReceivedCommand]
Owner = PartitionOwner[Any]
NewOwner = Callable[..., Owner]


async def taken_over(owner: Owner) -> Owner:
    await owner.take_over()
    return owner


@pytest.fixture
async def owner(new_owner: NewOwner) -> Owner:
    return await taken_over(new_owner())


@pytest.fixture
def facts(event_log: MemoryLog) -> Callable[[], list[tuple[Envelope, Message]]]:
    """Everything in the log, whether it counts or not."""
    return lambda: [unpack(record.headers, record.value) for record in event_log.partitions.get(0, [])]


@pytest.fixture
def verdicts(event_log: MemoryLog) -> Callable[[], list[Verdict]]:
    """Everything answered so far."""

    def verdicts() -> list[Verdict]:
        replies = [item for item in event_log.published if item.topic == GATEWAY_REPLIES]
        messages = [unpack(item.headers, item.value)[1] for item in replies]
        return [message for message in messages if isinstance(message, Verdict)]

    return verdicts


@pytest.fixture
def news(event_log: MemoryLog, toy: Any) -> Callable[[], list[tuple[str, int]]]:
    """What others were told so far: ids and totals."""

    def news() -> list[tuple[str, int]]:
        told = [unpack(item.headers, item.value) for item in event_log.published if item.topic == "tallies.news"]
        return [(envelope.id, message.total) for envelope, message in told if isinstance(message, toy.News)]

    return news


@pytest.fixture
def state(documents: MemoryDocuments[Any]) -> Callable[..., Any]:
    """The state in a document."""
    return lambda name="tally_1": documents.stored[name][1].state


class LogWrapper:
    """The log, with something in the way."""

    def __init__(self, inner: MemoryLog) -> None:
        self.inner = inner
        self.reads: list[int] = []

    async def end(self, partition: int) -> int:
        return await self.inner.end(partition)

    async def read(self, partition: int, start: int, end: int) -> Sequence[LogRecord]:
        self.reads.append(start)
        return await self.inner.read(partition, start, end)

    async def append(self, partition: int, records: Sequence[NewRecord]) -> Sequence[int | None]:
        return await self.inner.append(partition, records)


class Overtaken(LogWrapper):
    """Before the first append lands, somebody else writes."""

    def __init__(self, inner: MemoryLog, rival: Callable[[], Awaitable[None]]) -> None:
        super().__init__(inner)
        self.rival: Callable[[], Awaitable[None]] | None = rival

    async def append(self, partition: int, records: Sequence[NewRecord]) -> Sequence[int | None]:
        if self.rival is not None:
            rival, self.rival = self.rival, None
            await rival()
        return await super().append(partition, records)


class Mumbling(LogWrapper):
    """Acknowledges without saying where, as a broker does for a batch it had already."""

    async def append(self, partition: int, records: Sequence[NewRecord]) -> Sequence[int | None]:
        return [None for _ in await super().append(partition, records)]


class Failing(LogWrapper):
    """Loses the acknowledgement of its first append, or the records too."""

    def __init__(self, inner: MemoryLog, *, written: bool) -> None:
        super().__init__(inner)
        self.written = written

    async def append(self, partition: int, records: Sequence[NewRecord]) -> Sequence[int | None]:
        if self.written:
            await super().append(partition, records)
        raise AppendFailedError("no answer")


# --- deciding and answering ---------------------------------------------------------------------------


async def test_an_accepted_command_is_recorded_projected_told_and_answered(
    owner: Owner, received: Received, toy: Any, facts: Any, verdicts: Any, news: Any, state: Any
) -> None:
    await owner.turn([received(toy.Add(amount=2, label="a"), reply=3)], toy.now)

    ((envelope, event),) = facts()
    assert event == toy.Added(amount=2, tenant_id="tenant_1", label="a")
    assert (envelope.subject, envelope.sequence, envelope.previous_id) == ("tally_1", 1, None)
    assert (envelope.command_id, envelope.tenant_id, envelope.time) == ("cmd_0", "tenant_1", toy.now)
    assert state() == toy.Tally(tenant_id="tenant_1", total=2, steps=("a",))
    assert news() == [("owner1_evt_1:news", 2)]
    (verdict,) = verdicts()
    assert (verdict.command_id, verdict.aggregate_id, verdict.version, verdict.refusal) == ("cmd_0", "tally_1", 1, None)
    assert msgspec.json.decode(verdict.state, type=toy.Tally) == state()


async def test_a_verdict_goes_to_the_partition_that_waits_and_names_its_command(
    owner: Owner, received: Received, toy: Any, event_log: MemoryLog
) -> None:
    await owner.turn([received(toy.Add(amount=2), reply=3), received(toy.Add(amount=2))], toy.now)

    (reply,) = [item for item in event_log.published if item.topic == GATEWAY_REPLIES]
    assert (reply.partition, reply.key) == (3, None)
    assert dict(reply.headers)["ce_commandid"] == b"cmd_0"


async def test_the_answer_comes_after_everything_a_reader_could_see(
    new_owner: NewOwner, received: Received, toy: Any, event_log: MemoryLog, documents: MemoryDocuments[Any]
) -> None:
    seen_when_answered: list[int] = []

    class Watching(MemoryLog):
        async def publish(self, messages: Sequence[Any]) -> None:
            if messages[0].topic == GATEWAY_REPLIES:
                seen_when_answered.append(documents.stored["tally_1"][1].version)

    owner = await taken_over(new_owner(outbox=Watching()))
    await owner.turn([received(toy.Add(amount=2), reply=0)], toy.now)

    assert seen_when_answered == [1]


async def test_commands_of_one_turn_build_on_each_other(
    owner: Owner, received: Received, toy: Any, facts: Any, state: Any
) -> None:
    await owner.turn(
        [
            received(toy.Add(amount=1, label=label), to=to)
            for label, to in zip("abcd", ("x", "y", "x", "x"), strict=True)
        ],
        toy.now,
    )

    assert state("x").steps == ("a", "c", "d")
    assert state("y").steps == ("b",)
    assert [(envelope.sequence, envelope.previous_id) for envelope, _ in facts() if envelope.subject == "x"] == [
        (1, None),
        (2, "owner1_evt_1"),
        (3, "owner1_evt_3"),
    ]


async def test_a_refusal_on_an_existing_aggregate_is_a_fact(
    owner: Owner, received: Received, toy: Any, facts: Any, verdicts: Any, state: Any
) -> None:
    await owner.turn([received(toy.Add(amount=1)), received(toy.Add(amount=-5), reply=0)], toy.now)

    refusal = Refusal(code="below_zero", message="A tally never goes below zero.")
    assert facts()[1][1] == CommandRefused(command_type="tally.add.v1", refusal=refusal)
    (verdict,) = verdicts()
    assert (verdict.version, verdict.refusal, bytes(verdict.state)) == (2, refusal, b"null")
    assert state().total == 1


async def test_a_refusal_on_nothing_leaves_no_trace(
    owner: Owner, received: Received, toy: Any, facts: Any, verdicts: Any, documents: MemoryDocuments[Any]
) -> None:
    await owner.turn([received(toy.Add(amount=-5), reply=0)], toy.now)

    (verdict,) = verdicts()
    assert (verdict.version, verdict.refusal.code, bytes(verdict.state)) == (0, "below_zero", b"null")
    assert facts() == []
    assert documents.stored == {}


async def test_a_stranger_learns_nothing_and_leaves_no_trace(
    owner: Owner, received: Received, toy: Any, facts: Any, verdicts: Any
) -> None:
    await owner.turn([received(toy.Add(amount=1)), received(toy.Add(amount=1, tenant_id="tenant_2"), reply=0)], toy.now)

    (verdict,) = verdicts()
    assert (verdict.version, verdict.refusal.code, bytes(verdict.state)) == (0, "not_found", b"null")
    assert len(facts()) == 1


async def test_a_command_that_asks_for_nothing_new_is_answered_with_the_state(
    owner: Owner, received: Received, toy: Any, facts: Any, verdicts: Any
) -> None:
    await owner.turn([received(toy.Add(amount=1))], toy.now)
    await owner.turn([received(toy.Pause(), reply=0)], toy.now)

    (verdict,) = verdicts()
    assert (verdict.version, verdict.refusal) == (1, None)
    assert len(facts()) == 1


# --- redelivery and deadlines -------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [1, -5], ids=["accepted", "refused"])
@pytest.mark.parametrize("by", ["the same owner", "its successor"])
async def test_a_redelivered_command_gets_the_same_verdict_and_no_second_effect(
    new_owner: NewOwner, received: Received, toy: Any, facts: Any, verdicts: Any, amount: int, by: str
) -> None:
    owner = await taken_over(new_owner())
    command = received(toy.Add(amount=amount), reply=0)
    await owner.turn([received(toy.Add(amount=2)), command], toy.now)

    if by == "its successor":
        owner = await taken_over(new_owner())
    await owner.turn([command], toy.now)

    first, second = verdicts()
    assert first == replace(second, version=first.version)
    assert second.refusal == first.refusal
    assert len(facts()) == 2


async def test_a_command_twice_in_one_turn_is_obeyed_once(
    owner: Owner, received: Received, toy: Any, state: Any
) -> None:
    command = received(toy.Add(amount=2))

    await owner.turn([command, command], toy.now)

    assert state().total == 2


async def test_a_command_appended_after_its_deadline_is_void(
    owner: Owner, received: Received, toy: Any, facts: Any, verdicts: Any, later: Any
) -> None:
    await owner.turn(
        [received(toy.Add(amount=1), reply=0, deadline=later(0), appended_at=later(0.001))],
        toy.now,
    )

    (verdict,) = verdicts()
    assert (verdict.refusal.code, verdict.version) == ("expired", 0)
    assert facts() == []


async def test_a_command_appended_in_time_is_obeyed_however_late_it_is_read(
    owner: Owner, received: Received, toy: Any, state: Any, later: Any
) -> None:
    await owner.turn([received(toy.Add(amount=1), deadline=later(1), appended_at=later(1))], later(3_600))

    assert state().total == 1


# --- takeover and crashes -----------------------------------------------------------------------------


async def test_a_successor_tells_and_projects_what_was_only_appended(
    new_owner: NewOwner, received: Received, toy: Any, news: Any, state: Any
) -> None:
    owner = await taken_over(new_owner())
    await owner.turn([received(toy.Add(amount=1))], toy.now)
    await owner.decide([received(toy.Add(amount=2)), received(toy.Add(amount=3))], toy.now)
    # Here it dies.

    await taken_over(new_owner())

    assert news() == [("owner1_evt_1:news", 1), ("owner1_evt_2:news", 3), ("owner1_evt_3:news", 6)]
    assert state().total == 6


async def test_what_was_told_but_not_projected_is_told_again_under_the_same_id(
    new_owner: NewOwner, received: Received, toy: Any, news: Any, aggregate: Any, documents: MemoryDocuments[Any]
) -> None:
    class Unwilling(MemoryDocuments[Any]):
        async def save(self, partition: int, changed: Sequence[Any]) -> None:
            raise ConnectionError("the store is away")

    owner = await taken_over(new_owner(documents=Unwilling(aggregate)))
    with pytest.raises(ConnectionError):
        await owner.turn([received(toy.Add(amount=1))], toy.now)

    await taken_over(new_owner())

    assert news() == [("owner1_evt_1:news", 1), ("owner1_evt_1:news", 1)]
    assert documents.stored["tally_1"][1].version == 1


async def test_what_is_projected_is_never_told_again(
    new_owner: NewOwner, received: Received, toy: Any, news: Any, documents: MemoryDocuments[Any]
) -> None:
    owner = await taken_over(new_owner())
    await owner.turn([received(toy.Add(amount=1))], toy.now)
    documents.checkpoints.clear()

    await taken_over(new_owner())

    assert news() == [("owner1_evt_1:news", 1)]


async def test_taking_over_twice_changes_nothing(
    new_owner: NewOwner, received: Received, toy: Any, news: Any, documents: MemoryDocuments[Any]
) -> None:
    owner = await taken_over(new_owner())
    await owner.decide([received(toy.Add(amount=1))], toy.now)
    successor = await taken_over(new_owner())
    told, stored = news(), dict(documents.stored)

    await successor.take_over()

    assert (news(), documents.stored) == (told, stored)


async def test_takeover_reads_only_beyond_the_checkpoint(
    new_owner: NewOwner, received: Received, toy: Any, event_log: MemoryLog, documents: MemoryDocuments[Any]
) -> None:
    owner = await taken_over(new_owner())
    await owner.turn([received(toy.Add(amount=1)), received(toy.Add(amount=1))], toy.now)
    await owner.release()
    assert documents.checkpoints == {0: 2}
    wrapper = LogWrapper(event_log)

    await taken_over(new_owner(event_log=wrapper))
    assert wrapper.reads == []

    owner = await taken_over(new_owner())
    await owner.decide([received(toy.Add(amount=1))], toy.now)
    await taken_over(new_owner(event_log=wrapper))
    assert wrapper.reads == [2]


async def test_a_record_nobody_can_read_stops_the_takeover_and_says_where(
    new_owner: NewOwner, event_log: MemoryLog
) -> None:
    await event_log.append(0, [NewRecord("tally_1", (), b"garbage")])

    with pytest.raises(RuntimeError, match=r"tallies\.events\[0\]@0 cannot be read"):
        await new_owner().take_over()


@pytest.mark.parametrize("written", [True, False], ids=["records in the log", "records lost"])
async def test_after_a_failed_append_the_command_counts_exactly_once(
    new_owner: NewOwner, received: Received, toy: Any, event_log: MemoryLog, state: Any, news: Any, written: bool
) -> None:
    command = received(toy.Add(amount=2))
    owner = await taken_over(new_owner(event_log=Failing(event_log, written=written)))
    with pytest.raises(AppendFailedError):
        await owner.turn([command], toy.now)
    assert news() == []

    successor = await taken_over(new_owner())
    await successor.turn([command], toy.now)

    assert state().total == 2
    assert [total for _, total in news()] == [2]


# --- other writers ------------------------------------------------------------------------------------


async def test_an_overtaken_owner_decides_again_on_the_truth(
    new_owner: NewOwner, received: Received, toy: Any, event_log: MemoryLog, facts: Any, verdicts: Any, state: Any
) -> None:
    rival, withdrawal = new_owner(), received(toy.Add(amount=-3, label="rival"))

    async def overtake() -> None:
        await rival.take_over()
        await rival.turn([withdrawal], toy.now)

    first = await taken_over(new_owner())
    await first.turn([received(toy.Add(amount=4))], toy.now)
    stale = await taken_over(new_owner(event_log=Overtaken(event_log, overtake)))
    # Both withdrawals fit alone, not together.
    await stale.turn([received(toy.Add(amount=-3, label="stale"), reply=0)], toy.now)

    assert state().total == 1
    assert state().steps == ("", "rival")
    (verdict,) = verdicts()
    assert verdict.refusal.code == "below_zero"
    assert [type(event).__name__ for _, event in facts()] == ["Added", "Added", "Added", "CommandRefused"]


async def test_an_overtaken_owner_keeps_what_still_counts(
    new_owner: NewOwner,
    received: Received,
    toy: Any,
    event_log: MemoryLog,
    facts: Any,
    verdicts: Any,
    state: Any,
    news: Any,
) -> None:
    rival, other = new_owner(), received(toy.Add(amount=1, label="rival"), to="tally_2")

    async def overtake() -> None:
        await rival.take_over()
        await rival.turn([other], toy.now)

    stale = await taken_over(new_owner(event_log=Overtaken(event_log, overtake)))
    await stale.turn(
        [received(toy.Add(amount=5), to="tally_1", reply=0), received(toy.Add(amount=7), to="tally_2", reply=0)],
        toy.now,
    )

    assert (state("tally_1").total, state("tally_2").total) == (5, 8)
    # Of the four facts for two aggregates one is skipped: the stale one on tally_2. It is decided again.
    assert [(envelope.subject, envelope.sequence) for envelope, _ in facts()] == [
        ("tally_2", 1),
        ("tally_1", 1),
        ("tally_2", 1),
        ("tally_2", 2),
    ]
    assert sorted((verdict.aggregate_id, verdict.version) for verdict in verdicts()) == [("tally_1", 1), ("tally_2", 2)]
    assert Counter(total for _, total in news())[8] == 1


async def test_an_owner_that_was_overtaken_while_it_slept_finds_out(
    new_owner: NewOwner,
    received: Received,
    toy: Any,
    state: Any,
    facts: Any,
    aggregate: Any,
    documents: Any,
    event_log: Any,
) -> None:
    zombie = await taken_over(new_owner())
    await zombie.turn([received(toy.Add(amount=1, label="a"))], toy.now)
    rival = await taken_over(new_owner())
    await rival.turn([received(toy.Add(amount=1, label="b"))], toy.now)

    await zombie.turn([received(toy.Add(amount=1, label="c")), received(toy.Add(amount=1, label="d"))], toy.now)
    await rival.turn([received(toy.Add(amount=1, label="e"))], toy.now)

    assert state().steps == ("a", "b", "c", "d", "e")


async def test_a_memory_is_not_trusted_before_the_log_was_asked(
    new_owner: NewOwner, received: Received, toy: Any, verdicts: Any
) -> None:
    # A zombie that answers "not there" from memory must first see that it is there by now.
    zombie = await taken_over(new_owner())
    rival = await taken_over(new_owner())
    await rival.turn([received(toy.Add(amount=5))], toy.now)

    await zombie.turn([received(toy.Add(amount=-3), reply=0)], toy.now)

    (verdict,) = verdicts()
    assert (verdict.refusal, verdict.version) == (None, 2)


async def test_an_acknowledgement_without_offsets_is_read_back(
    new_owner: NewOwner, received: Received, toy: Any, event_log: MemoryLog, facts: Any, verdicts: Any, state: Any
) -> None:
    owner = await taken_over(new_owner(event_log=Mumbling(event_log)))

    await owner.turn([received(toy.Add(amount=1)), received(toy.Add(amount=2), reply=0)], toy.now)

    assert len(facts()) == 2
    assert (state().total, verdicts()[0].version) == (3, 2)


# --- the two stages -----------------------------------------------------------------------------------


async def test_settling_returns_the_newest_position(owner: Owner, received: Received, toy: Any) -> None:
    await owner.decide([received(toy.Add(amount=1))], toy.now, position=1)
    await owner.decide([received(toy.Add(amount=1))], toy.now, position=2)

    assert await owner.settle() == 2
    assert await owner.settle() is None


async def test_what_is_decided_is_unsettled_until_it_is_settled(owner: Owner, received: Received, toy: Any) -> None:
    await owner.decide([received(toy.Add(amount=1)), received(toy.Add(amount=1))], toy.now)
    await owner.decide([received(toy.Add(amount=1), to="tally_2")], toy.now)
    assert owner.unsettled() == Counter(tally_1=2, tally_2=1)

    await owner.settle()

    assert owner.unsettled() == Counter()


async def test_release_settles_and_leaves_nothing_to_read_again(
    owner: Owner, received: Received, toy: Any, state: Any, documents: MemoryDocuments[Any]
) -> None:
    await owner.decide([received(toy.Add(amount=1))], toy.now, position=9)

    assert await owner.release() == 9
    assert (state().total, documents.checkpoints) == (1, {0: 1})


async def test_forgotten_aggregates_come_back_from_the_documents(
    new_owner: NewOwner, received: Received, toy: Any, state: Any
) -> None:
    owner = await taken_over(new_owner(cache_size=1))
    for _ in range(3):
        for name in ("x", "y", "z"):
            await owner.turn([received(toy.Add(amount=1), to=name)], toy.now)

    assert [state(name).total for name in ("x", "y", "z")] == [3, 3, 3]


async def test_what_is_not_in_the_documents_yet_is_not_forgotten(
    new_owner: NewOwner, received: Received, toy: Any, state: Any
) -> None:
    owner = await taken_over(new_owner(cache_size=1))
    for _ in range(2):
        for name in ("x", "y", "z"):
            await owner.decide([received(toy.Add(amount=1), to=name)], toy.now)
    await owner.settle()

    assert [state(name).total for name in ("x", "y", "z")] == [2, 2, 2]


async def test_what_others_are_told_carries_tenant_and_trace(
    owner: Owner, received: Received, toy: Any, event_log: MemoryLog
) -> None:
    command = received(toy.Add(amount=1))
    trace = tracing.new_traceparent()

    await owner.turn([replace(command, envelope=replace(command.envelope, traceparent=trace))], toy.now)

    (told,) = event_log.published
    envelope, _ = unpack(told.headers, told.value)
    assert (told.key, envelope.subject, envelope.tenant_id, envelope.time) == ("all", "all", "tenant_1", toy.now)
    assert envelope.traceparent is not None
    assert tracing.trace_id(envelope.traceparent) == tracing.trace_id(trace)


# --- the schedule -------------------------------------------------------------------------------------


@pytest.fixture
def alarm(received: Received, toy: Any, later: Any) -> Callable[..., list[ReceivedCommand]]:
    """The commands that give a tally an alarm so many seconds from now, or none."""

    def alarm(seconds: float | None, to: str = "tally_1", *, new: bool = True) -> list[ReceivedCommand]:
        at = None if seconds is None else later(seconds)
        creation = [received(toy.Add(amount=1), to=to)] if new else []
        return [*creation, received(toy.SetAlarm(at=at), to=to)]

    return alarm


@pytest.fixture
def rang(facts: Any, toy: Any) -> Callable[[], list[tuple[str, datetime]]]:
    """Which tallies rang, and when, in the order of the log."""
    return lambda: [(envelope.subject, event.at) for envelope, event in facts() if isinstance(event, toy.Rang)]


async def test_an_alarm_rings_at_its_time_and_once(
    owner: Owner, toy: Any, alarm: Any, rang: Any, later: Any, facts: Any
) -> None:
    await owner.turn(alarm(10), toy.now)
    assert owner.next_due() == later(10)

    await owner.turn([], later(9.999))
    assert rang() == []
    await owner.turn([], later(10))
    await owner.turn([], later(11))

    assert rang() == [("tally_1", later(10))]
    assert facts()[-1][0].command_id is None
    assert owner.next_due() is None


async def test_an_alarm_that_cannot_be_recorded_stays_undecided(
    new_owner: NewOwner, toy: Any, alarm: Any, event_log: MemoryLog, later: Any
) -> None:
    owner = await taken_over(new_owner())
    await owner.turn(alarm(10), toy.now)
    assert owner.undecided() == later(10)
    failing = await taken_over(new_owner(event_log=Failing(event_log, written=False)))
    with pytest.raises(AppendFailedError):
        await failing.turn([], later(15))
    assert failing.undecided() == later(10)

    await owner.turn([], later(15))
    assert owner.undecided() is None


async def test_alarms_ring_in_the_order_of_their_times(
    owner: Owner, toy: Any, alarm: Any, rang: Any, later: Any
) -> None:
    await owner.turn([*alarm(3, "c"), *alarm(1, "a"), *alarm(2, "b")], toy.now)

    await owner.turn([], later(10))

    assert [name for name, _ in rang()] == ["a", "b", "c"]


async def test_an_alarm_that_is_moved_rings_at_the_new_time_only(
    owner: Owner, toy: Any, alarm: Any, rang: Any, later: Any
) -> None:
    await owner.turn([*alarm(10, "postponed"), *alarm(30, "advanced")], toy.now)
    await owner.turn([*alarm(20, "postponed", new=False), *alarm(5, "advanced", new=False)], toy.now)

    for second in range(1, 40):
        await owner.turn([], later(second))

    assert rang() == [("advanced", later(5)), ("postponed", later(20))]


async def test_an_alarm_that_is_taken_back_never_rings(
    owner: Owner, toy: Any, alarm: Any, rang: Any, later: Any
) -> None:
    await owner.turn(alarm(10), toy.now)
    await owner.turn(alarm(None, new=False), toy.now)

    await owner.turn([], later(600))

    assert rang() == []


async def test_a_cancellation_in_the_same_turn_comes_before_the_alarm(
    owner: Owner, toy: Any, alarm: Any, rang: Any, later: Any
) -> None:
    await owner.turn(alarm(10), toy.now)

    await owner.turn(alarm(None, new=False), later(10))

    assert rang() == []


async def test_a_far_alarm_is_loaded_when_it_comes_near(
    owner: Owner, toy: Any, alarm: Any, rang: Any, later: Any
) -> None:
    await owner.turn(alarm(3_600), toy.now)
    assert owner.next_due() is None

    await owner.turn([], later(3_500))
    assert owner.next_due() == later(3_600)
    await owner.turn([], later(3_600))

    assert rang() == [("tally_1", later(3_600))]


async def test_what_came_due_while_nobody_owned_the_partition_rings_at_once(
    new_owner: NewOwner, toy: Any, alarm: Any, rang: Any, later: Any
) -> None:
    owner = await taken_over(new_owner())
    await owner.turn([*alarm(10, "a"), *alarm(20, "b")], toy.now)

    successor = await taken_over(new_owner())
    await successor.turn([], later(86_400))

    assert rang() == [("a", later(86_400)), ("b", later(86_400))]


async def test_an_alarm_that_is_decided_but_not_projected_is_not_missed_by_a_refill(
    owner: Owner, toy: Any, alarm: Any, rang: Any, later: Any
) -> None:
    await owner.turn([], toy.now)
    await owner.decide(alarm(70), later(59))
    await owner.decide([], later(61))
    await owner.settle()

    await owner.turn([], later(70))

    assert rang() == [("tally_1", later(70))]


async def test_a_turn_takes_no_more_alarms_than_its_limit(
    new_owner: NewOwner, toy: Any, alarm: Any, rang: Any, later: Any
) -> None:
    owner = await taken_over(new_owner(due_limit=2))
    await owner.turn([*alarm(1, "a"), *alarm(2, "b"), *alarm(3, "c")], toy.now)

    await owner.turn([], later(10))
    assert [name for name, _ in rang()] == ["a", "b"]
    assert owner.next_due() == later(3)
    await owner.turn([], later(10))

    assert [name for name, _ in rang()] == ["a", "b", "c"]


async def test_more_alarms_than_one_load_holds_all_ring(
    new_owner: NewOwner, toy: Any, alarm: Any, rang: Any, later: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition, "REFILL_LIMIT", 2)
    owner = await taken_over(new_owner())
    names = [f"tally_{number}" for number in range(5)]
    await owner.turn([command for number, name in enumerate(names) for command in alarm(number + 1, name)], toy.now)
    successor = await taken_over(new_owner())

    for _ in range(3):
        await successor.turn([], later(10))

    assert [name for name, _ in rang()] == names


# --- fairness -----------------------------------------------------------------------------------------


def test_a_turn_takes_all_commands_that_the_memos_can_hold(received: Received, toy: Any) -> None:
    commands = [received(toy.Add(amount=1), to=f"tally_{number % 10}") for number in range(10 * (MEMO_SIZE // 2))]

    assert fair_cut(commands, Counter()) == len(commands)


def test_a_turn_ends_where_an_aggregate_would_forget(received: Received, toy: Any) -> None:
    commands = [received(toy.Add(amount=1)) for _ in range(MEMO_SIZE)]

    assert fair_cut(commands, Counter()) == MEMO_SIZE // 2
    assert fair_cut(commands, Counter(tally_1=MEMO_SIZE // 2 - 3)) == 3
    assert fair_cut(commands, Counter(tally_1=MEMO_SIZE)) == 0
    assert fair_cut(commands, Counter(tally_2=MEMO_SIZE)) == MEMO_SIZE // 2
