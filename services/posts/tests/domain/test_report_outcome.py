from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from contracts.content import LivePart, TargetSpec
from contracts.posts import (
    AttemptsDue,
    Deferred,
    DuplicateDetected,
    Held,
    Outcome,
    Post,
    PostCancelled,
    PostDeleted,
    Published,
    Rejected,
    ReportOutcome,
    TargetOutcomeRecorded,
    Unknown,
)
from eventlog.spec import Spec
from posts.domain.post import PostAggregate

Report = Callable[..., ReportOutcome]
Live = Callable[[str], Published]


def test_a_published_target_shows_where_it_is(
    a_publishing_post: Spec[Post], report: Report, twitter: TargetSpec, published: Live, now: datetime
) -> None:
    sent_at = now - timedelta(seconds=2)

    post = a_publishing_post.when(report(twitter, published("tw_1"), sent_at=sent_at)).then(
        TargetOutcomeRecorded(at=now, target_id="twitter:acc_tw", attempt=1, outcome=published("tw_1"), sent_at=sent_at)
    )

    target = post.targets[0]
    assert (target.status, target.platform_post_id, target.url, target.published_at) == (
        "published",
        "tw_1",
        "https://example.com/tw_1",
        now,
    )
    assert (target.live_parts, target.next_attempt_at, target.failure) == (published("tw_1").parts, None, None)
    assert (post.status, post.published_at) == ("publishing", None)


def test_the_post_is_published_with_its_last_target(
    a_publishing_post: Spec[Post],
    report: Report,
    twitter: TargetSpec,
    linkedin: TargetSpec,
    published: Live,
    now: datetime,
) -> None:
    later = Published(parts=(LivePart(index=0, platform_post_id="li_1"),), at=now + timedelta(minutes=3))
    half_live = a_publishing_post.given(
        TargetOutcomeRecorded(at=now, target_id=linkedin.target_id, attempt=1, outcome=later)
    )

    post = half_live.when(report(twitter, published("tw_1"))).then_event(TargetOutcomeRecorded)

    assert (post.status, post.published_at) == ("published", later.at)
    assert PostAggregate().due_at(post) is None


def test_a_rejected_target_says_why(
    a_publishing_post: Spec[Post], report: Report, twitter: TargetSpec, rejected: Rejected
) -> None:
    post = a_publishing_post.when(report(twitter, rejected)).then_event(TargetOutcomeRecorded)

    assert (post.targets[0].status, post.targets[0].failure) == ("failed", rejected.failure)
    assert post.status == "publishing"


def test_the_post_has_failed_when_its_last_target_ends_without_success(
    a_publishing_post: Spec[Post],
    report: Report,
    twitter: TargetSpec,
    linkedin: TargetSpec,
    published: Live,
    rejected: Rejected,
    now: datetime,
) -> None:
    half_live = a_publishing_post.given(
        TargetOutcomeRecorded(at=now, target_id=twitter.target_id, attempt=1, outcome=published("tw_1"))
    )

    post = half_live.when(report(linkedin, rejected)).then_event(TargetOutcomeRecorded)

    assert (post.status, post.published_at) == ("failed", None)
    assert post.targets[0].status == "published"


def test_a_rejected_thread_shows_the_parts_that_are_live(
    a_publishing_post: Spec[Post], report: Report, twitter: TargetSpec, rejected: Rejected
) -> None:
    half = Rejected(failure=rejected.failure, parts=(LivePart(index=0, platform_post_id="tw_1"),))

    post = a_publishing_post.when(report(twitter, half)).then_event(TargetOutcomeRecorded)

    assert (post.targets[0].status, post.targets[0].live_parts) == ("failed", half.parts)


def test_a_deferred_target_is_tried_again_when_told(
    a_publishing_post: Spec[Post],
    report: Report,
    twitter: TargetSpec,
    deferred: Deferred,
    rejected: Rejected,
    linkedin: TargetSpec,
    now: datetime,
) -> None:
    other_ended = a_publishing_post.given(
        TargetOutcomeRecorded(at=now, target_id=linkedin.target_id, attempt=1, outcome=rejected)
    )

    post = other_ended.when(report(twitter, deferred)).then_event(TargetOutcomeRecorded)

    assert (post.targets[0].status, post.targets[0].failure) == ("deferred", deferred.reason)
    assert (post.status, PostAggregate().due_at(post)) == ("publishing", deferred.until)


def test_live_parts_survive_an_outcome_that_names_none(
    a_publishing_post: Spec[Post], report: Report, twitter: TargetSpec, deferred: Deferred, now: datetime
) -> None:
    first_part = (LivePart(index=0, platform_post_id="tw_1"),)
    resumed = a_publishing_post.given(
        TargetOutcomeRecorded(
            at=now,
            target_id=twitter.target_id,
            attempt=1,
            outcome=Deferred(until=deferred.until, reason=deferred.reason, parts=first_part),
        ),
        AttemptsDue(at=deferred.until, target_ids=(twitter.target_id,)),
    )

    post = resumed.when(report(twitter, deferred, attempt=2)).then_event(TargetOutcomeRecorded)

    assert post.targets[0].live_parts == first_part


def test_an_unknown_target_remembers_since_when(
    a_publishing_post: Spec[Post], report: Report, twitter: TargetSpec, unknown: Unknown, now: datetime
) -> None:
    post = a_publishing_post.when(report(twitter, unknown)).then_event(TargetOutcomeRecorded)

    target = post.targets[0]
    assert (target.status, target.unresolved_since, target.next_attempt_at) == ("unknown", now, unknown.probe_at)
    assert post.status == "publishing"


@pytest.fixture
def a_looked_up_post(an_unresolved_post: Spec[Post], twitter: TargetSpec, unknown: Unknown) -> Spec[Post]:
    """The publisher is looking on X, attempt 2."""
    return an_unresolved_post.given(AttemptsDue(at=unknown.probe_at, target_ids=(twitter.target_id,)))


def test_a_second_look_without_an_answer_does_not_restart_the_clock(
    a_looked_up_post: Spec[Post], report: Report, twitter: TargetSpec, unknown: Unknown, now: datetime
) -> None:
    again = Unknown(probe_at=unknown.probe_at + timedelta(hours=1), reason=unknown.reason)

    post = a_looked_up_post.when(report(twitter, again, attempt=2, issued_at=unknown.probe_at)).then_event(
        TargetOutcomeRecorded
    )

    target = post.targets[0]
    assert (target.status, target.probing, target.unresolved_since) == ("unknown", False, now)
    assert PostAggregate().due_at(post) == again.probe_at


def test_an_unknown_target_found_live_is_published(
    a_looked_up_post: Spec[Post], report: Report, twitter: TargetSpec, now: datetime
) -> None:
    found = Published(parts=(LivePart(index=0, platform_post_id="tw_1"),), at=now, proof="readback")

    post = a_looked_up_post.when(report(twitter, found, attempt=2)).then_event(TargetOutcomeRecorded)

    assert (post.status, post.targets[0].status, post.targets[0].unresolved_since) == ("published", "published", None)


def test_an_unknown_target_proved_absent_is_sent_again(
    a_looked_up_post: Spec[Post], report: Report, twitter: TargetSpec, deferred: Deferred
) -> None:
    post = a_looked_up_post.when(report(twitter, deferred, attempt=2)).then_event(TargetOutcomeRecorded)

    assert (post.targets[0].status, post.targets[0].unresolved_since) == ("deferred", None)


def test_what_can_never_be_proved_is_held(
    a_looked_up_post: Spec[Post], report: Report, twitter: TargetSpec, held: Held, now: datetime
) -> None:
    post = a_looked_up_post.when(report(twitter, held, attempt=2)).then_event(TargetOutcomeRecorded)

    target = post.targets[0]
    assert (target.status, target.failure, target.unresolved_since) == ("held", held.reason, now)
    assert (post.status, PostAggregate().due_at(post)) == ("failed", None)


@pytest.mark.parametrize("before", ["a_held_post", "a_failed_post", "an_unresolved_post", "a_deferred_post"])
def test_whatever_was_believed_live_is_live(
    request: pytest.FixtureRequest, before: str, report: Report, twitter: TargetSpec, published: Live
) -> None:
    spec: Spec[Post] = request.getfixturevalue(before)

    post = spec.when(report(twitter, published("tw_1"))).then_event(TargetOutcomeRecorded)

    assert (post.targets[0].status, post.targets[0].platform_post_id) == ("published", "tw_1")


def test_an_earlier_attempt_that_succeeded_after_all_counts(
    a_deferred_post: Spec[Post], report: Report, twitter: TargetSpec, published: Live, deferred: Deferred
) -> None:
    asked_again = a_deferred_post.given(AttemptsDue(at=deferred.until, target_ids=(twitter.target_id,)))

    post = asked_again.when(report(twitter, published("tw_1"), attempt=1)).then_event(TargetOutcomeRecorded)

    assert (post.targets[0].status, post.targets[0].attempt) == ("published", 2)


def test_a_post_live_after_its_cancellation_says_so(
    a_deferred_post: Spec[Post], report: Report, twitter: TargetSpec, published: Live, now: datetime
) -> None:
    cancelled = a_deferred_post.given(PostCancelled(actor="user_1", at=now))

    post = cancelled.when(report(twitter, published("tw_1"))).then_event(TargetOutcomeRecorded)

    assert (post.status, post.targets[0].status) == ("failed", "published")


def test_a_deleted_post_still_learns_what_is_live(
    a_failed_post: Spec[Post], report: Report, twitter: TargetSpec, published: Live, now: datetime
) -> None:
    deleted = a_failed_post.given(PostDeleted(actor="user_1", at=now))

    post = deleted.when(report(twitter, published("tw_1"))).then_event(TargetOutcomeRecorded)

    assert post.deleted
    assert post.targets[0].status == "published"


@pytest.mark.parametrize("outcome", ["rejected", "deferred", "unknown", "held"])
def test_a_stale_attempt_is_ignored(
    request: pytest.FixtureRequest, outcome: str, a_deferred_post: Spec[Post], report: Report, twitter: TargetSpec
) -> None:
    told: Outcome = request.getfixturevalue(outcome)
    asked_again = a_deferred_post.given(
        AttemptsDue(at=a_deferred_post.state.updated_at, target_ids=(twitter.target_id,))
    )

    asked_again.when(report(twitter, told, attempt=1)).then_nothing()


@pytest.mark.parametrize("outcome", ["rejected", "deferred", "unknown", "held"])
@pytest.mark.parametrize(
    "before", ["a_published_post", "a_failed_post", "a_deferred_post", "an_unresolved_post", "a_held_post"]
)
def test_an_attempt_ends_once(
    request: pytest.FixtureRequest, outcome: str, before: str, report: Report, twitter: TargetSpec
) -> None:
    spec: Spec[Post] = request.getfixturevalue(before)
    told: Outcome = request.getfixturevalue(outcome)

    spec.when(report(twitter, told)).then_nothing()


def test_the_same_success_told_twice_is_nothing_new(
    a_published_post: Spec[Post], report: Report, twitter: TargetSpec, published: Live
) -> None:
    a_published_post.when(report(twitter, published("tw_1"), attempt=2)).then_nothing()


def test_a_second_live_post_is_a_duplicate(
    a_published_post: Spec[Post], report: Report, twitter: TargetSpec, published: Live, now: datetime
) -> None:
    before = a_published_post.state

    post = a_published_post.when(report(twitter, published("tw_2"), attempt=2)).then(
        DuplicateDetected(
            at=now,
            target_id="twitter:acc_tw",
            attempt=2,
            first=published("tw_1").parts[0],
            second=published("tw_2").parts[0],
        )
    )

    assert (post.status, post.targets) == (before.status, before.targets)


def test_a_success_without_a_part_is_refused(
    a_publishing_post: Spec[Post], report: Report, twitter: TargetSpec, now: datetime
) -> None:
    a_publishing_post.when(report(twitter, Published(parts=(), at=now))).then_refused("invalid_outcome")


@pytest.mark.parametrize("before", ["a_scheduled_post", "a_cancelled_post"])
def test_a_target_that_was_never_handed_over_cannot_be_live(
    request: pytest.FixtureRequest, before: str, report: Report, twitter: TargetSpec, published: Live
) -> None:
    spec: Spec[Post] = request.getfixturevalue(before)

    spec.when(report(twitter, published("tw_1"))).then_refused("invalid_outcome")


def test_an_unknown_target_id_is_ignored(
    a_publishing_post: Spec[Post], report: Report, twitter: TargetSpec, published: Live
) -> None:
    a_publishing_post.when(report(twitter, published("tw_1"), target_id="tiktok:acc_tt")).then_nothing()


def test_another_tenants_report_is_ignored(
    a_publishing_post: Spec[Post], report: Report, twitter: TargetSpec, published: Live
) -> None:
    a_publishing_post.when(report(twitter, published("tw_1"), tenant_id="tenant_2")).then_nothing()


def test_a_report_on_nothing_is_ignored(
    nothing: Spec[Post], report: Report, twitter: TargetSpec, published: Live
) -> None:
    nothing.when(report(twitter, published("tw_1"))).then_nothing()
