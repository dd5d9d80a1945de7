from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from contracts.content import TargetSpec
from contracts.posts import Post, PublicationStarted, PublishPost, Rejected, TargetOutcomeRecorded
from eventlog.spec import Spec
from posts.domain.evolving import PATIENCE
from posts.domain.post import PostAggregate

Publish = Callable[..., PublishPost]


@pytest.mark.parametrize("before", ["a_draft", "a_scheduled_post", "a_cancelled_post"])
def test_every_target_is_handed_to_the_publisher(
    request: pytest.FixtureRequest,
    before: str,
    publish: Publish,
    now: datetime,
    twitter: TargetSpec,
    linkedin: TargetSpec,
) -> None:
    spec: Spec[Post] = request.getfixturevalue(before)

    post = spec.when(publish()).then(
        PublicationStarted(
            at=now,
            actor="user_1",
            due_at=None,
            target_ids=("twitter:acc_tw", "linkedin:acc_li"),
            targets=(twitter, linkedin),
        )
    )

    assert (post.status, post.publishing_started_at, post.cancelled_at) == ("publishing", now, None)
    assert [(target.status, target.attempt) for target in post.targets] == [("publishing", 1)] * 2
    # A publisher that never answers is asked again.
    assert PostAggregate().due_at(post) == now + PATIENCE


def test_only_the_failed_targets_are_tried_again(
    a_partly_failed_post: Spec[Post], publish: Publish, now: datetime
) -> None:
    live, _ = a_partly_failed_post.state.targets

    post = a_partly_failed_post.when(publish()).then(
        PublicationStarted(at=now, actor="user_1", due_at=None, target_ids=("linkedin:acc_li",), targets=())
    )

    assert post.status == "publishing"
    assert post.targets[0] == live
    assert (post.targets[1].status, post.targets[1].attempt, post.targets[1].failure) == ("publishing", 2, None)


def test_a_retry_keeps_the_targets_it_was_created_with(
    a_failed_post: Spec[Post], publish: Publish, twitter: TargetSpec
) -> None:
    post = a_failed_post.when(publish(targets=(twitter,))).then_event(PublicationStarted)

    assert [target.target_id for target in post.targets] == ["twitter:acc_tw", "linkedin:acc_li"]


def test_every_retry_has_a_number_of_its_own(a_failed_post: Spec[Post], publish: Publish, rejected: Rejected) -> None:
    spec, numbers = a_failed_post, []
    for _ in range(3):
        started = spec.when(publish()).decision
        assert isinstance(started, PublicationStarted)
        spec = spec.given(started)
        numbers.append(spec.state.attempts)
        spec = spec.given(
            *(
                TargetOutcomeRecorded(
                    at=started.at, target_id=target.target_id, attempt=target.attempt, outcome=rejected
                )
                for target in spec.state.targets
            )
        )

    assert numbers == [2, 3, 4]


def test_the_first_start_of_a_publication_is_kept(a_failed_post: Spec[Post], publish: Publish, now: datetime) -> None:
    post = a_failed_post.when(publish(issued_at=now + timedelta(hours=1))).then_event(PublicationStarted)

    assert post.publishing_started_at == now


def test_what_is_held_must_be_resolved_by_a_person(a_held_post: Spec[Post], publish: Publish) -> None:
    a_held_post.when(publish()).then_refused("not_publishable")


@pytest.mark.parametrize("before", ["a_publishing_post", "a_deferred_post", "an_unresolved_post", "a_published_post"])
def test_what_is_on_its_way_or_live_is_not_published_again(
    request: pytest.FixtureRequest, before: str, publish: Publish
) -> None:
    spec: Spec[Post] = request.getfixturevalue(before)

    spec.when(publish()).then_refused("not_publishable")


def test_targets_chosen_before_the_platforms_changed_are_refused(
    a_draft: Spec[Post], publish: Publish, twitter: TargetSpec
) -> None:
    a_draft.when(publish(targets=(twitter,))).then_refused("revision_mismatch")


def test_publishing_what_was_read_is_taken(a_draft: Spec[Post], publish: Publish) -> None:
    a_draft.when(publish(expected_revision=1)).then_event(PublicationStarted)


def test_publishing_something_older_is_refused(a_draft: Spec[Post], publish: Publish) -> None:
    a_draft.when(publish(expected_revision=2)).then_refused("revision_mismatch")


def test_another_tenants_post_is_not_found(a_draft: Spec[Post], publish: Publish) -> None:
    a_draft.when(publish(tenant_id="tenant_2")).then_not_found()


@pytest.mark.parametrize("before", ["nothing", "a_deleted_post"])
def test_what_does_not_exist_is_not_found(request: pytest.FixtureRequest, before: str, publish: Publish) -> None:
    spec: Spec[Post] = request.getfixturevalue(before)

    spec.when(publish()).then_not_found()
