from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from contracts.content import Content, TargetSpec
from contracts.posts import EditPost, Post, PostChanges, PostEdited, PublicationStarted, PublishPost
from eventlog.spec import Spec
from posts.domain.post import PostAggregate

Edit = Callable[..., EditPost]


def test_a_draft_takes_every_change(a_draft: Spec[Post], edit: Edit, now: datetime) -> None:
    later = now + timedelta(minutes=1)
    changes = PostChanges(
        title="Farewell",
        campaign_id="campaign_2",
        parts=(Content(text="Good night"),),
        platforms=("facebook",),
        accounts={"facebook": "acc_fb"},
        options={"facebook": {"feed": True}},
        overrides={},
        tags=("partings",),
    )

    post = a_draft.when(edit(changes=changes, actor="user_2", issued_at=later)).then(
        PostEdited(actor="user_2", at=later, changes=changes, targets=None)
    )

    assert (post.title, post.campaign_id, post.tags) == ("Farewell", "campaign_2", ("partings",))
    assert post.parts == (Content(text="Good night"),)
    assert (post.platforms, post.accounts) == (("facebook",), {"facebook": "acc_fb"})
    assert (post.options, post.overrides) == ({"facebook": {"feed": True}}, {})
    assert (post.created_by, post.created_at, post.updated_at) == ("user_1", now, later)
    assert (post.status, post.revision) == ("draft", 2)


def test_what_is_unset_stays(a_draft: Spec[Post], edit: Edit) -> None:
    before = a_draft.state

    post = a_draft.when(edit(changes=PostChanges(title=None))).then_event(PostEdited)

    assert post.title is None
    assert (post.campaign_id, post.parts, post.platforms, post.accounts, post.options, post.overrides, post.tags) == (
        before.campaign_id,
        before.parts,
        before.platforms,
        before.accounts,
        before.options,
        before.overrides,
        before.tags,
    )


def test_a_draft_has_no_targets_even_when_some_are_sent(
    a_draft: Spec[Post], edit: Edit, twitter: TargetSpec, linkedin: TargetSpec
) -> None:
    post = a_draft.when(edit(targets=(twitter, linkedin))).then_event(PostEdited)

    assert post.targets == ()


def test_a_scheduled_post_keeps_its_time_and_takes_the_new_targets(
    a_scheduled_post: Spec[Post], edit: Edit, twitter: TargetSpec
) -> None:
    before = a_scheduled_post.state

    post = a_scheduled_post.when(edit(changes=PostChanges(platforms=("twitter",)), targets=(twitter,))).then_event(
        PostEdited
    )

    assert (post.status, post.schedule) == ("scheduled", before.schedule)
    assert [(target.target_id, target.status) for target in post.targets] == [("twitter:acc_tw", "pending")]
    assert PostAggregate().due_at(post) == PostAggregate().due_at(before)


def test_an_edit_made_for_a_draft_does_not_fit_a_scheduled_post(a_scheduled_post: Spec[Post], edit: Edit) -> None:
    a_scheduled_post.when(edit()).then_refused("revision_mismatch")


def test_a_scheduled_post_refuses_targets_of_other_platforms(
    a_scheduled_post: Spec[Post], edit: Edit, twitter: TargetSpec
) -> None:
    a_scheduled_post.when(edit(targets=(twitter,))).then_refused("revision_mismatch")


@pytest.mark.parametrize("before", ["a_failed_post", "a_cancelled_post"])
def test_what_failed_or_was_cancelled_starts_over_as_a_draft(
    request: pytest.FixtureRequest, before: str, edit: Edit
) -> None:
    spec: Spec[Post] = request.getfixturevalue(before)

    post = spec.when(edit()).then_event(PostEdited)

    assert (post.status, post.title, post.targets, post.schedule) == ("draft", "Farewell", (), None)
    assert (post.publishing_started_at, post.cancelled_at) == (None, None)


def test_attempt_numbers_go_on_after_an_edit(
    a_failed_post: Spec[Post], edit: Edit, publish: Callable[..., PublishPost]
) -> None:
    edited = a_failed_post.given(PostEdited(actor="user_1", at=edit().issued_at, changes=edit().changes, targets=None))

    post = edited.when(publish()).then_event(PublicationStarted)

    assert {target.attempt for target in post.targets} == {2}


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
def test_what_is_live_or_may_be_cannot_be_changed(request: pytest.FixtureRequest, before: str, edit: Edit) -> None:
    spec: Spec[Post] = request.getfixturevalue(before)

    spec.when(edit()).then_refused("not_editable")


def test_an_edit_of_what_was_read_is_taken(a_draft: Spec[Post], edit: Edit) -> None:
    a_draft.when(edit(expected_revision=1)).then_event(PostEdited)


def test_an_edit_of_something_older_is_refused(a_draft: Spec[Post], edit: Edit) -> None:
    refusal = a_draft.when(edit(expected_revision=7)).then_refused("revision_mismatch")

    assert refusal.details == {"status": "draft", "revision": 1}


def test_another_tenants_post_is_not_found(a_draft: Spec[Post], edit: Edit) -> None:
    a_draft.when(edit(tenant_id="tenant_2")).then_not_found()


@pytest.mark.parametrize("before", ["nothing", "a_deleted_post"])
def test_what_does_not_exist_is_not_found(request: pytest.FixtureRequest, before: str, edit: Edit) -> None:
    spec: Spec[Post] = request.getfixturevalue(before)

    spec.when(edit()).then_not_found()
