from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from contracts.content import Schedule, TargetSpec
from contracts.posts import Post, PostScheduled, SchedulePost
from eventlog.spec import Spec
from posts.domain.deciding import PAST_GRACE
from posts.domain.post import PostAggregate

ScheduleWish = Callable[..., SchedulePost]


@pytest.mark.parametrize("before", ["a_draft", "a_scheduled_post", "a_failed_post", "a_cancelled_post"])
def test_a_post_that_is_not_live_waits_for_its_hour(
    request: pytest.FixtureRequest,
    before: str,
    schedule: ScheduleWish,
    now: datetime,
    twitter: TargetSpec,
    linkedin: TargetSpec,
) -> None:
    spec: Spec[Post] = request.getfixturevalue(before)
    tomorrow = Schedule(at=now + timedelta(days=1), timezone="America/New_York")

    post = spec.when(schedule(schedule=tomorrow)).then(
        PostScheduled(actor="user_1", at=now, schedule=tomorrow, targets=(twitter, linkedin))
    )

    assert (post.status, post.schedule) == ("scheduled", tomorrow)
    assert [(target.status, target.attempt, target.failure) for target in post.targets] == [("pending", 0, None)] * 2
    assert (post.publishing_started_at, post.cancelled_at) == (None, None)
    assert PostAggregate().due_at(post) == tomorrow.at


@pytest.mark.parametrize(
    "before",
    [
        "a_publishing_post",
        "a_deferred_post",
        "an_unresolved_post",
        "a_published_post",
        "a_partly_failed_post",
        "a_held_post",
    ],
)
def test_what_is_live_or_may_be_is_not_scheduled(
    request: pytest.FixtureRequest, before: str, schedule: ScheduleWish
) -> None:
    spec: Spec[Post] = request.getfixturevalue(before)

    spec.when(schedule()).then_refused("not_schedulable")


def test_a_time_just_past_is_taken(a_draft: Spec[Post], schedule: ScheduleWish, now: datetime) -> None:
    a_draft.when(schedule(schedule=Schedule(at=now - PAST_GRACE))).then_event(PostScheduled)


def test_a_time_long_past_is_refused(a_draft: Spec[Post], schedule: ScheduleWish, now: datetime) -> None:
    long_ago = Schedule(at=now - PAST_GRACE - timedelta(seconds=1))

    a_draft.when(schedule(schedule=long_ago)).then_refused("invalid_content")


def test_targets_chosen_before_the_platforms_changed_are_refused(
    a_draft: Spec[Post], schedule: ScheduleWish, twitter: TargetSpec
) -> None:
    a_draft.when(schedule(targets=(twitter,))).then_refused("revision_mismatch")


def test_scheduling_what_was_read_is_taken(a_draft: Spec[Post], schedule: ScheduleWish) -> None:
    a_draft.when(schedule(expected_revision=1)).then_event(PostScheduled)


def test_scheduling_something_older_is_refused(a_draft: Spec[Post], schedule: ScheduleWish) -> None:
    a_draft.when(schedule(expected_revision=2)).then_refused("revision_mismatch")


def test_another_tenants_post_is_not_found(a_draft: Spec[Post], schedule: ScheduleWish) -> None:
    a_draft.when(schedule(tenant_id="tenant_2")).then_not_found()


@pytest.mark.parametrize("before", ["nothing", "a_deleted_post"])
def test_what_does_not_exist_is_not_found(request: pytest.FixtureRequest, before: str, schedule: ScheduleWish) -> None:
    spec: Spec[Post] = request.getfixturevalue(before)

    spec.when(schedule()).then_not_found()
