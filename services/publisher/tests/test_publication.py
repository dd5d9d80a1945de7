"""The journal's rules, without any platform: above all, no second send without proof that the first took no effect."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.content import Content, Failure, LivePart
from contracts.posts import Deferred, Held, Published, Rejected, Unknown
from contracts.publishing import PublishRequested
from publisher.domain import claiming, doubt, publication, sending
from publisher.domain.answers import UNREADABLE, Accepted, Ambiguous, Answer, Candidate, Finding, Refused, Retry
from publisher.domain.claiming import LeasedElsewhereError, LookUp, Report, SendPart, Skip
from publisher.domain.publication import Finished, Policy, Publication
from publisher.settings import RETRY_DELAYS

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
POLICY = Policy(retry_delays=RETRY_DELAYS)
FAILURE = Failure(code="x", message="It did not work.")


def request(attempt: int = 1, parts: int = 1, live: tuple[LivePart, ...] = ()) -> PublishRequested:
    return PublishRequested(
        post_id="post_1",
        tenant_id="t",
        target_id="twitter:acc_1",
        attempt=attempt,
        platform="twitter",
        account_id="acc_1",
        parts=tuple(Content(text=f"Part {index}") for index in range(parts)),
        options={},
        live_parts=live,
        due_at=NOW,
        unresolved_since=None,
    )


def claim(
    entry: Publication | None, job: PublishRequested, now: datetime = NOW, owner: str = "a", *, readable: bool = True
) -> Publication:
    return claiming.claim(entry, job, owner=owner, now=now, policy=POLICY, readable=readable)


def answered(entry: Publication, answer: Answer, now: datetime = NOW) -> Publication:
    number = entry.parts[0].number
    return sending.answered(entry, 0, answer, number=number, now=now, policy=POLICY, readable=True)


def held() -> Publication:
    return doubt.withheld(answered(sent(), Ambiguous(FAILURE)), 0, FAILURE, NOW)


def test_what_is_held_stays_so_until_somebody_has_seen_that_it_is_absent() -> None:
    again = claim(held(), request(attempt=2))
    assert isinstance(again.finished, Finished)
    assert isinstance(again.finished.outcome, Held)
    seen = replace(request(attempt=2), absent=True)
    fresh = claim(held(), seen)
    assert claiming.next_action(fresh, seen, NOW, POLICY, readable=True) == SendPart(0)
    assert fresh.parts[0].sends == ()


def test_what_is_held_is_done_with_once_it_is_known_to_be_live() -> None:
    confirmed = claim(held(), request(attempt=2, live=(LivePart(index=0, platform_post_id="42"),)))
    assert isinstance(confirmed.finished, Finished)
    assert isinstance(confirmed.finished.outcome, Published)


def sent(now: datetime = NOW) -> Publication:
    return sending.start_send(claim(None, request()), 0, "f", now, POLICY)


def test_a_text_is_sent_at_once() -> None:
    assert claiming.next_action(claim(None, request()), request(), NOW, POLICY, readable=True) == SendPart(0)


def test_sending_found_by_anybody_is_unknown_and_never_sent_again() -> None:
    for owner in ("a", "b"):
        entry = claim(sent(), request(), NOW + timedelta(seconds=1), owner)
        assert entry.parts[0].step == "unknown"
        assert entry.finished is not None
        assert isinstance(entry.finished.outcome, Unknown)


def test_a_foreign_lease_is_respected_until_it_ends() -> None:
    entry = claim(None, request())
    with pytest.raises(LeasedElsewhereError) as caught:
        claim(entry, request(), NOW, "b")
    assert claim(entry, request(), caught.value.until, "b").owner == "b"


def test_an_ended_attempt_is_reported_again_and_an_old_one_skipped() -> None:
    entry = answered(sent(), Accepted("42"))
    again = claim(entry, request())
    action = claiming.next_action(again, request(), NOW, POLICY, readable=True)
    assert isinstance(action, Report)
    assert isinstance(action.finished.outcome, Published)
    later = claim(entry, request(attempt=2))
    assert isinstance(claiming.next_action(claim(later, request()), request(), NOW, POLICY, readable=True), Skip)


def test_what_the_job_says_is_live_is_not_sent() -> None:
    live = LivePart(index=0, platform_post_id="42")
    job = request(parts=2, live=(live,))
    entry = claim(None, job)
    assert claiming.next_action(entry, job, NOW, POLICY, readable=True) == SendPart(1)
    assert publication.reply_to(entry, 1) == "42"


def test_never_sent_is_put_off_ever_longer_and_given_up_in_the_end() -> None:
    entry, now, waits = None, NOW, []
    for attempt in range(1, 14):
        begun = sending.start_send(claim(entry, request(attempt), now), 0, "f", now, POLICY)
        entry = answered(begun, Retry("unreachable", FAILURE), now)
        assert entry.finished is not None
        outcome = entry.finished.outcome
        if isinstance(outcome, Deferred):
            waits.append((outcome.until - now).total_seconds())
            now = outcome.until
    assert waits == [1, 5, 30, 120, *[600] * 8]
    assert isinstance(outcome, Rejected)


def test_one_reading_or_two_close_together_prove_no_absence() -> None:
    entry, now = claim(sent(), request(), NOW), NOW
    attempt, proofs = 2, 0
    absent = Finding(complete=True)
    while True:
        assert entry.finished is not None
        assert isinstance(entry.finished.outcome, Unknown)
        now = max(now, entry.finished.outcome.probe_at)
        entry = claim(entry, request(attempt), now)
        proofs += now > sent().parts[0].sends[0].deadline
        entry = doubt.looked(entry, 0, absent, started=now, now=now, policy=POLICY)
        if entry.parts[0].step == "armed":
            break
        attempt += 1
    assert proofs >= 2
    assert now - sent().parts[0].sends[0].deadline >= timedelta(seconds=POLICY.absence_gap)


def test_a_late_answer_is_recorded_though_somebody_else_has_gone_on() -> None:
    mine = sent()
    theirs = claim(mine, request(), NOW + timedelta(seconds=1), "b")
    number = mine.parts[0].number
    entry = sending.answered(theirs, 0, Accepted("42"), number=number, now=NOW, policy=POLICY, readable=True)
    assert entry.parts[0].step == "confirmed"


EVENTS = st.lists(
    st.sampled_from(
        ("crash", "accepted", "lost_accepted", "lost_refused", "refused", "unreachable", "unreadable", "old_job")
    ),
    max_size=30,
)


def _sent(entry: Publication, event: str, live: list[str], now: datetime) -> Publication:
    if event in ("accepted", "lost_accepted", "crash"):
        live.append(str(len(live) + 1))
    answers: dict[str, Answer] = {
        "accepted": Accepted(str(len(live))),
        "lost_accepted": Ambiguous(FAILURE),
        "lost_refused": Ambiguous(FAILURE),
        "refused": Refused(FAILURE),
        "unreachable": Retry("unreachable", FAILURE),
    }
    return answered(entry, answers[event], now) if event in answers else entry


@settings(max_examples=300, deadline=None)
@given(EVENTS)
def test_whatever_happens_there_is_never_a_second_live_post(events: list[str]) -> None:
    """The model platform: a send takes effect by its deadline or never; a reading shows what is live."""
    entry: Publication | None = None
    live: list[str] = []
    now, attempt = NOW, 1
    for event in events:
        job = request(attempt - 1 if event == "old_job" and attempt > 1 else attempt)
        try:
            entry = claim(entry, job, now)
        except LeasedElsewhereError:
            now += POLICY.lease
            continue
        action = claiming.next_action(entry, job, now, POLICY, readable=True)
        if isinstance(action, SendPart):
            entry = sending.start_send(entry, 0, "f", now, POLICY)
            entry = _sent(entry, event, live, now)
        elif isinstance(action, LookUp) and event != "crash":
            found = tuple(Candidate(post_id, NOW) for post_id in live)
            finding = UNREADABLE if event == "unreadable" else Finding(found, complete=True)
            entry = doubt.looked(entry, 0, finding, started=now, now=now, policy=POLICY)
        assert len(live) <= 1
        if entry.finished is not None:
            match entry.finished.outcome:
                case Published(parts=parts):
                    assert [part.platform_post_id for part in parts] == live
                case Rejected():
                    assert not live
                case Unknown(probe_at=at) | Deferred(until=at):
                    now = max(now, at)
                case Held():
                    pass
            attempt += 1
