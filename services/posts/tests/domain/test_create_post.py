from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from contracts.content import Content, Media, Schedule, TargetSpec
from contracts.posts import CreatePost, Post, PostCreated
from eventlog.spec import Spec
from posts.domain.deciding import PAST_GRACE
from posts.domain.evolving import PATIENCE
from posts.domain.post import PostAggregate

Create = Callable[..., CreatePost]


def test_a_draft_is_created_as_wished(nothing: Spec[Post], create: Create, now: datetime) -> None:
    parts = (Content(text="Look", hashtags=("new",), media=(Media(type="image", media_id="med_1"),)),)
    wish = create(
        title="Look",
        parts=parts,
        accounts={"twitter": "acc_tw"},
        options={"linkedin": {"visibility": "PUBLIC"}},
        overrides={"linkedin": Content(text="See")},
        tags=("launch",),
        campaign_id="campaign_1",
    )

    post = nothing.when(wish).then(
        PostCreated(
            post_id="post_1",
            kind="post",
            tenant_id="tenant_1",
            actor="user_1",
            at=now,
            title="Look",
            parts=parts,
            platforms=("twitter", "linkedin"),
            accounts={"twitter": "acc_tw"},
            options={"linkedin": {"visibility": "PUBLIC"}},
            overrides={"linkedin": Content(text="See")},
            targets=(),
            tags=("launch",),
            campaign_id="campaign_1",
            schedule=None,
            publish_now=False,
        )
    )

    assert post == Post(
        post_id="post_1",
        kind="post",
        tenant_id="tenant_1",
        created_by="user_1",
        created_at=now,
        updated_at=now,
        title="Look",
        parts=parts,
        platforms=("twitter", "linkedin"),
        accounts={"twitter": "acc_tw"},
        options={"linkedin": {"visibility": "PUBLIC"}},
        overrides={"linkedin": Content(text="See")},
        tags=("launch",),
        campaign_id="campaign_1",
        status="draft",
        revision=1,
    )
    assert PostAggregate().due_at(post) is None


def test_a_scheduled_post_waits_with_its_targets(
    nothing: Spec[Post], create: Create, now: datetime, twitter: TargetSpec, linkedin: TargetSpec
) -> None:
    when = Schedule(at=now + timedelta(days=1), timezone="Europe/Berlin")

    post = nothing.when(create(schedule=when, targets=(twitter, linkedin))).then_event(PostCreated)

    assert (post.status, post.schedule) == ("scheduled", when)
    assert [(target.target_id, target.status, target.attempt) for target in post.targets] == [
        ("twitter:acc_tw", "pending", 0),
        ("linkedin:acc_li", "pending", 0),
    ]
    assert post.targets[1].content == linkedin.content
    assert PostAggregate().due_at(post) == when.at


def test_a_post_published_at_once_is_with_the_publisher(
    nothing: Spec[Post], create: Create, now: datetime, twitter: TargetSpec, linkedin: TargetSpec
) -> None:
    post = nothing.when(create(publish_now=True, targets=(twitter, linkedin))).then_event(PostCreated)

    assert (post.status, post.publishing_started_at, post.attempts) == ("publishing", now, 1)
    assert [(target.status, target.attempt) for target in post.targets] == [("publishing", 1), ("publishing", 1)]
    assert PostAggregate().due_at(post) == now + PATIENCE


def test_a_thread_keeps_its_parts_in_order(nothing: Spec[Post], create: Create) -> None:
    parts = tuple(Content(text=f"{number}/3") for number in (1, 2, 3))

    post = nothing.when(create(kind="thread", parts=parts)).then_event(PostCreated)

    assert (post.kind, post.parts) == ("thread", parts)


def test_a_schedule_may_lie_a_little_in_the_past(
    nothing: Spec[Post], create: Create, now: datetime, twitter: TargetSpec, linkedin: TargetSpec
) -> None:
    just_now = Schedule(at=now - PAST_GRACE)

    nothing.when(create(schedule=just_now, targets=(twitter, linkedin))).then_event(PostCreated)


def test_a_schedule_further_in_the_past_is_refused(
    nothing: Spec[Post], create: Create, now: datetime, twitter: TargetSpec, linkedin: TargetSpec
) -> None:
    long_ago = Schedule(at=now - PAST_GRACE - timedelta(seconds=1))

    nothing.when(create(schedule=long_ago, targets=(twitter, linkedin))).then_refused("invalid_content")


@pytest.mark.parametrize("at_once", [True, False], ids=["publish now", "schedule"])
def test_without_an_account_nothing_can_go_out(
    nothing: Spec[Post], create: Create, now: datetime, *, at_once: bool
) -> None:
    wish = create(publish_now=at_once, schedule=None if at_once else Schedule(at=now))

    nothing.when(wish).then_refused("invalid_content")


def test_an_account_named_twice_is_refused(
    nothing: Spec[Post], create: Create, twitter: TargetSpec, linkedin: TargetSpec
) -> None:
    nothing.when(create(publish_now=True, targets=(twitter, twitter, linkedin))).then_refused("invalid_content")


def test_a_platform_without_a_target_is_refused(nothing: Spec[Post], create: Create, twitter: TargetSpec) -> None:
    nothing.when(create(publish_now=True, targets=(twitter,))).then_refused("invalid_content")


def test_a_target_on_another_platform_is_refused(
    nothing: Spec[Post], create: Create, twitter: TargetSpec, linkedin: TargetSpec
) -> None:
    wish = create(publish_now=True, platforms=("twitter",), targets=(twitter, linkedin))

    nothing.when(wish).then_refused("invalid_content")


def test_a_post_is_created_once(a_draft: Spec[Post], create: Create) -> None:
    a_draft.when(create()).then_refused("post_exists")


def test_the_id_of_a_deleted_post_stays_taken(a_deleted_post: Spec[Post], create: Create) -> None:
    a_deleted_post.when(create()).then_refused("post_exists")


def test_another_tenants_post_is_not_given_away(a_draft: Spec[Post], create: Create) -> None:
    a_draft.when(create(tenant_id="tenant_2")).then_not_found()
