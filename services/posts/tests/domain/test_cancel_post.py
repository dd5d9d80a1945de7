from collections.abc import Callable
from datetime import datetime

import pytest

from contracts.content import LivePart, TargetSpec
from contracts.posts import CancelPost, Deferred, Outcome, Post, PostCancelled, Rejected, TargetOutcomeRecorded
from eventlog.spec import Spec
from posts.domain.post import PostAggregate

Cancel = Callable[..., CancelPost]


def test_a_scheduled_post_never_goes_out(a_scheduled_post: Spec[Post], cancel: Cancel, now: datetime) -> None:
    post = a_scheduled_post.when(cancel()).then(PostCancelled(actor="user_1", at=now))

    assert (post.status, post.cancelled_at) == ("cancelled", now)
    assert PostAggregate().due_at(post) is None


def test_targets_that_wait_are_dropped(a_deferred_post: Spec[Post], cancel: Cancel) -> None:
    post = a_deferred_post.when(cancel()).then_event(PostCancelled)

    assert post.status == "cancelled"
    assert [(target.status, target.failure and target.failure.code) for target in post.targets] == [
        ("failed", "cancelled"),
        ("failed", "cancelled"),
    ]
    assert PostAggregate().due_at(post) is None


def _with(spec: Spec[Post], twitter: Outcome, linkedin: Outcome, now: datetime) -> Spec[Post]:
    return spec.given(
        TargetOutcomeRecorded(at=now, target_id="twitter:acc_tw", attempt=1, outcome=twitter),
        TargetOutcomeRecorded(at=now, target_id="linkedin:acc_li", attempt=1, outcome=linkedin),
    )


def test_what_is_live_stays_and_what_waits_is_dropped(
    a_publishing_post: Spec[Post],
    cancel: Cancel,
    now: datetime,
    published: Callable[[str], Outcome],
    deferred: Deferred,
) -> None:
    half_live = _with(a_publishing_post, published("tw_1"), deferred, now)

    post = half_live.when(cancel()).then_event(PostCancelled)

    assert (post.status, post.targets[0]) == ("failed", half_live.state.targets[0])
    assert (post.targets[1].status, post.targets[1].next_attempt_at) == ("failed", None)


def test_a_post_that_failed_elsewhere_is_failed(
    a_publishing_post: Spec[Post], cancel: Cancel, now: datetime, rejected: Rejected, deferred: Deferred
) -> None:
    post = _with(a_publishing_post, rejected, deferred, now).when(cancel()).then_event(PostCancelled)

    assert post.status == "failed"


def test_a_target_with_the_publisher_cannot_be_stopped(
    a_publishing_post: Spec[Post], cancel: Cancel, now: datetime, deferred: Deferred
) -> None:
    half_deferred = a_publishing_post.given(
        TargetOutcomeRecorded(at=now, target_id="twitter:acc_tw", attempt=1, outcome=deferred)
    )

    half_deferred.when(cancel()).then_refused("not_cancellable")


def test_a_thread_that_is_half_out_cannot_be_stopped(
    a_publishing_post: Spec[Post], cancel: Cancel, now: datetime, twitter: TargetSpec, deferred: Deferred
) -> None:
    first_part_live = Deferred(
        until=deferred.until, reason=deferred.reason, parts=(LivePart(index=0, platform_post_id="tw_1"),)
    )

    _with(a_publishing_post, first_part_live, deferred, now).when(cancel()).then_refused("not_cancellable")


@pytest.mark.parametrize(
    "before",
    [
        "a_draft",
        "a_publishing_post",
        "an_unresolved_post",
        "a_published_post",
        "a_failed_post",
        "a_held_post",
        "a_cancelled_post",
    ],
)
def test_what_does_not_wait_cannot_be_cancelled(request: pytest.FixtureRequest, before: str, cancel: Cancel) -> None:
    spec: Spec[Post] = request.getfixturevalue(before)

    refusal = spec.when(cancel()).then_refused("not_cancellable")

    assert refusal.details == {"status": spec.state.status, "revision": spec.state.revision}


def test_cancelling_what_was_read_is_taken(a_scheduled_post: Spec[Post], cancel: Cancel) -> None:
    a_scheduled_post.when(cancel(expected_revision=1)).then_event(PostCancelled)


def test_cancelling_something_older_is_refused(a_scheduled_post: Spec[Post], cancel: Cancel) -> None:
    a_scheduled_post.when(cancel(expected_revision=2)).then_refused("revision_mismatch")


def test_another_tenants_post_is_not_found(a_scheduled_post: Spec[Post], cancel: Cancel) -> None:
    a_scheduled_post.when(cancel(tenant_id="tenant_2")).then_not_found()


@pytest.mark.parametrize("before", ["nothing", "a_deleted_post"])
def test_what_does_not_exist_is_not_found(request: pytest.FixtureRequest, before: str, cancel: Cancel) -> None:
    spec: Spec[Post] = request.getfixturevalue(before)

    spec.when(cancel()).then_not_found()
