from collections.abc import Callable
from datetime import datetime

import pytest

from contracts.posts import DeletePost, Post, PostDeleted
from eventlog.spec import Spec
from posts.domain.post import PostAggregate

Delete = Callable[..., DeletePost]


@pytest.mark.parametrize(
    "before",
    [
        "a_draft",
        "a_scheduled_post",
        "a_published_post",
        "a_partly_failed_post",
        "a_failed_post",
        "a_held_post",
        "a_cancelled_post",
    ],
)
def test_a_post_at_rest_is_deleted_and_never_due_again(
    request: pytest.FixtureRequest, before: str, delete: Delete, now: datetime
) -> None:
    spec: Spec[Post] = request.getfixturevalue(before)

    post = spec.when(delete()).then(PostDeleted(actor="user_1", at=now))

    assert post.deleted
    assert PostAggregate().due_at(post) is None
    assert PostAggregate().index(post)["deleted"] is True


@pytest.mark.parametrize("before", ["a_publishing_post", "a_deferred_post", "an_unresolved_post"])
def test_a_post_on_its_way_is_not_deleted(request: pytest.FixtureRequest, before: str, delete: Delete) -> None:
    spec: Spec[Post] = request.getfixturevalue(before)

    spec.when(delete()).then_refused("not_deletable")


def test_a_deleted_post_is_not_found(a_deleted_post: Spec[Post], delete: Delete) -> None:
    a_deleted_post.when(delete()).then_not_found()


def test_what_never_existed_is_not_found(nothing: Spec[Post], delete: Delete) -> None:
    nothing.when(delete()).then_not_found()


def test_another_tenants_post_is_not_found(a_draft: Spec[Post], delete: Delete) -> None:
    a_draft.when(delete(tenant_id="tenant_2")).then_not_found()


def test_deleting_what_was_read_is_taken(a_draft: Spec[Post], delete: Delete) -> None:
    a_draft.when(delete(expected_revision=1)).then_event(PostDeleted)


def test_deleting_something_older_is_refused(a_draft: Spec[Post], delete: Delete) -> None:
    a_draft.when(delete(expected_revision=2)).then_refused("revision_mismatch")
