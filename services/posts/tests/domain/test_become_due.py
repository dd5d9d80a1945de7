from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from contracts.posts import AttemptsDue, Post, PostDeleted, PublicationStarted
from eventlog.spec import Spec
from posts.domain.deciding import BecomeDue
from posts.domain.evolving import PATIENCE
from posts.domain.post import PostAggregate

Due = Callable[[datetime], BecomeDue]
HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)


def test_a_scheduled_post_starts_at_its_hour(a_scheduled_post: Spec[Post], become_due: Due, now: datetime) -> None:
    post = a_scheduled_post.when(become_due(now + HOUR)).then(
        PublicationStarted(
            at=now + HOUR,
            actor=None,
            due_at=now + HOUR,
            target_ids=("twitter:acc_tw", "linkedin:acc_li"),
            targets=(),
        )
    )

    assert (post.status, post.publishing_started_at) == ("publishing", now + HOUR)
    assert [(target.status, target.attempt) for target in post.targets] == [("publishing", 1)] * 2


def test_a_late_start_tells_when_it_was_due(a_scheduled_post: Spec[Post], become_due: Due, now: datetime) -> None:
    decision = a_scheduled_post.when(become_due(now + 5 * HOUR)).decision

    assert isinstance(decision, PublicationStarted)
    assert (decision.at, decision.due_at) == (now + 5 * HOUR, now + HOUR)


def test_before_its_hour_nothing_starts(a_scheduled_post: Spec[Post], become_due: Due, now: datetime) -> None:
    a_scheduled_post.when(become_due(now + HOUR - INSTANT)).then_nothing()


def test_a_start_happens_once(a_scheduled_post: Spec[Post], become_due: Due, now: datetime) -> None:
    started = a_scheduled_post.when(become_due(now + HOUR)).decision
    assert isinstance(started, PublicationStarted)

    a_scheduled_post.given(started).when(become_due(now + HOUR)).then_nothing()


def test_deferred_targets_are_handed_over_again(a_deferred_post: Spec[Post], become_due: Due, now: datetime) -> None:
    post = a_deferred_post.when(become_due(now + HOUR)).then(
        AttemptsDue(at=now + HOUR, target_ids=("twitter:acc_tw", "linkedin:acc_li"))
    )

    assert [(target.status, target.attempt, target.failure) for target in post.targets] == [("publishing", 2, None)] * 2
    assert PostAggregate().due_at(post) == now + HOUR + PATIENCE


def test_an_unresolved_target_is_looked_up_and_stays_unknown(
    an_unresolved_post: Spec[Post], become_due: Due, now: datetime
) -> None:
    before, live = an_unresolved_post.state.targets

    post = an_unresolved_post.when(become_due(now + HOUR)).then(
        AttemptsDue(at=now + HOUR, target_ids=("twitter:acc_tw",))
    )

    looked_up = post.targets[0]
    assert (looked_up.status, looked_up.probing, looked_up.attempt) == ("unknown", True, 2)
    assert (looked_up.unresolved_since, looked_up.failure) == (now, before.failure)
    assert post.targets[1] == live


def test_a_silent_publisher_is_asked_again(a_publishing_post: Spec[Post], become_due: Due, now: datetime) -> None:
    a_publishing_post.when(become_due(now + PATIENCE - INSTANT)).then_nothing()

    post = a_publishing_post.when(become_due(now + PATIENCE)).then_event(AttemptsDue)

    assert [(target.status, target.attempt) for target in post.targets] == [("publishing", 2)] * 2


@pytest.mark.parametrize(
    "before",
    [
        "nothing",
        "a_draft",
        "a_published_post",
        "a_partly_failed_post",
        "a_failed_post",
        "a_held_post",
        "a_cancelled_post",
        "a_deleted_post",
    ],
)
def test_what_is_at_rest_is_never_due(
    request: pytest.FixtureRequest, before: str, become_due: Due, now: datetime
) -> None:
    spec: Spec[Post] = request.getfixturevalue(before)

    spec.when(become_due(now + timedelta(days=400))).then_nothing()


def test_a_deleted_schedule_never_starts(a_scheduled_post: Spec[Post], become_due: Due, now: datetime) -> None:
    deleted = a_scheduled_post.given(PostDeleted(actor="user_1", at=now))

    deleted.when(become_due(now + HOUR)).then_nothing()


def test_the_owners_own_wish_carries_its_clock(now: datetime) -> None:
    assert PostAggregate().when_due("post_1", now) == BecomeDue(post_id="post_1", now=now)
