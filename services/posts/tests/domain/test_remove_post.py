from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from contracts.content import Failure, TargetSpec
from contracts.posts import (
    Deferred,
    DeletePost,
    Post,
    PostDeleted,
    Rejected,
    RemovalOutcome,
    RemovalRecorded,
    RemovalStarted,
    Removed,
    RemovePost,
    ReportRemoval,
)
from contracts.publishing import RemovalRequested
from eventlog.spec import Spec
from posts.domain.deciding import BecomeDue
from posts.domain.post import PostAggregate


@pytest.fixture
def remove(now: datetime) -> RemovePost:
    return RemovePost(post_id="post_1", tenant_id="tenant_1", actor="user_1", issued_at=now)


@pytest.fixture
def told(now: datetime) -> Callable[..., ReportRemoval]:
    def told(target: TargetSpec, outcome: RemovalOutcome, attempt: int = 1) -> ReportRemoval:
        return ReportRemoval(
            post_id="post_1",
            tenant_id="tenant_1",
            target_id=target.target_id,
            attempt=attempt,
            issued_at=now,
            outcome=outcome,
        )

    return told


@pytest.fixture
def going(a_published_post: Spec[Post], remove: RemovePost) -> Spec[Post]:
    return Spec(PostAggregate(), a_published_post.when(remove).then_event(RemovalStarted))


def test_what_is_live_is_handed_to_the_publisher(a_published_post: Spec[Post], remove: RemovePost) -> None:
    outcome = a_published_post.when(remove)
    post = outcome.then_event(RemovalStarted)
    jobs = [each for each in outcome.follow_ups() if isinstance(each, RemovalRequested)]
    assert [(job.target_id, job.attempt, [part.platform_post_id for part in job.live_parts]) for job in jobs] == [
        ("twitter:acc_tw", 1, ["tw_1"]),
        ("linkedin:acc_li", 1, ["li_1"]),
    ]
    assert (post.status, post.deleted) == ("published", False)


def test_only_what_is_live_is_taken_down(a_partly_failed_post: Spec[Post], remove: RemovePost) -> None:
    a_partly_failed_post.when(remove).then(
        RemovalStarted(at=remove.issued_at, actor="user_1", target_ids=("twitter:acc_tw",))
    )


def test_what_is_nowhere_live_is_deleted(a_failed_post: Spec[Post], remove: RemovePost) -> None:
    a_failed_post.when(remove).then(PostDeleted(actor="user_1", at=remove.issued_at))


@pytest.mark.parametrize("state", ["a_publishing_post", "a_held_post"])
def test_what_may_still_go_live_is_not(state: str, remove: RemovePost, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(state).when(remove).then_refused("not_deletable")


def test_it_is_deleted_once_it_is_gone_everywhere(
    going: Spec[Post], told: Callable[..., ReportRemoval], twitter: TargetSpec, linkedin: TargetSpec
) -> None:
    half = going.when(told(twitter, Removed())).then_event(RemovalRecorded)
    assert not half.deleted
    whole = Spec(PostAggregate(), half).when(told(linkedin, Removed())).then_event(RemovalRecorded)
    assert whole.deleted
    assert PostAggregate().due_at(whole) is None


def test_what_a_platform_does_not_remove_stays_with_the_reason(
    going: Spec[Post], told: Callable[..., ReportRemoval], twitter: TargetSpec, linkedin: TargetSpec, remove: RemovePost
) -> None:
    reason = Failure(code="platform_rejected", message="It is too old.")
    half = going.when(told(twitter, Rejected(failure=reason))).then_event(RemovalRecorded)
    post = Spec(PostAggregate(), half).when(told(linkedin, Removed())).then_event(RemovalRecorded)
    removal = post.targets[0].removal
    assert removal is not None
    assert (post.deleted, removal.status, removal.failure) == (False, "failed", reason)
    again = Spec(PostAggregate(), post).when(remove)
    again.then(RemovalStarted(at=remove.issued_at, actor="user_1", target_ids=("twitter:acc_tw",)))


def test_a_deferred_removal_is_asked_for_again(
    going: Spec[Post],
    told: Callable[..., ReportRemoval],
    twitter: TargetSpec,
    now: datetime,
    become_due: Callable[[datetime], BecomeDue],
) -> None:
    later = now + timedelta(minutes=1)
    reason = Failure(code="rate_limited", message="Too many.", retryable=True)
    waiting = going.when(told(twitter, Deferred(until=later, reason=reason))).then_event(RemovalRecorded)
    assert PostAggregate().due_at(waiting) == later
    outcome = Spec(PostAggregate(), waiting).when(become_due(later))
    outcome.then(RemovalStarted(at=later, actor=None, target_ids=("twitter:acc_tw",)))
    (job,) = [each for each in outcome.follow_ups() if isinstance(each, RemovalRequested)]
    assert job.attempt == 2


def test_old_news_changes_nothing(
    going: Spec[Post], told: Callable[..., ReportRemoval], twitter: TargetSpec, a_published_post: Spec[Post]
) -> None:
    going.when(told(twitter, Removed(), attempt=2)).then_nothing()
    a_published_post.when(told(twitter, Removed())).then_nothing()


def test_meanwhile_it_is_neither_deleted_nor_removed_again(
    going: Spec[Post], remove: RemovePost, delete: Callable[..., DeletePost]
) -> None:
    going.when(remove).then_refused("not_deletable")
    going.when(delete()).then_refused("not_deletable")
