from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from contracts.content import Content, LivePart
from contracts.posts import (
    CreatePost,
    Held,
    Post,
    PostCreated,
    ReportOutcome,
    ResolveTarget,
    TargetOutcomeRecorded,
    TargetResolved,
)
from contracts.publishing import PublishRequested
from eventlog.spec import Spec
from posts.domain.post import PostAggregate

Resolve = Callable[..., ResolveTarget]


@pytest.fixture
def resolve(now: datetime) -> Resolve:
    def resolve(resolution: str, **changes: Any) -> ResolveTarget:
        wish = {"post_id": "post_1", "tenant_id": "tenant_1", "actor": "user_1", "issued_at": now}
        return ResolveTarget(**{**wish, "target_id": "twitter:acc_tw", "resolution": resolution, **changes})

    return resolve


def jobs(outcome: Any) -> list[PublishRequested]:
    return [each for each in outcome.follow_ups() if isinstance(each, PublishRequested)]


def test_confirmed_it_is_published(a_held_post: Spec[Post], resolve: Resolve) -> None:
    outcome = a_held_post.when(resolve("confirm", platform_post_id="tw_9", url="https://x.com/i/status/9"))
    post = outcome.then_event(TargetResolved)
    assert (post.status, post.targets[0].status, post.targets[0].platform_post_id) == ("published", "published", "tw_9")
    assert jobs(outcome) == []


def test_a_confirmation_names_the_post(a_held_post: Spec[Post], resolve: Resolve) -> None:
    a_held_post.when(resolve("confirm")).then_refused("invalid_content")


def test_seen_to_be_absent_it_is_sent_again(a_held_post: Spec[Post], resolve: Resolve) -> None:
    outcome = a_held_post.when(resolve("republish"))
    post = outcome.then_event(TargetResolved)
    (job,) = jobs(outcome)
    assert (job.target_id, job.attempt, job.absent) == ("twitter:acc_tw", 2, True)
    assert (post.status, post.targets[0].status) == ("publishing", "publishing")


def test_dropped_it_has_failed(a_held_post: Spec[Post], resolve: Resolve) -> None:
    post = a_held_post.when(resolve("drop")).then_event(TargetResolved)
    assert (post.status, post.targets[0].status) == ("failed", "failed")
    assert post.targets[0].failure is not None
    assert post.targets[0].failure.code == "dropped"


def test_the_rest_of_a_thread_goes_on_after_a_confirmed_part(
    nothing: Spec[Post],
    create: Callable[..., CreatePost],
    report: Callable[..., ReportOutcome],
    held: Held,
    twitter: Any,
    resolve: Resolve,
) -> None:
    wish = create(
        kind="thread",
        parts=(Content(text="One"), Content(text="Two")),
        platforms=("twitter",),
        targets=(twitter,),
        publish_now=True,
    )
    sent = Spec(PostAggregate(), nothing.when(wish).then_event(PostCreated))
    stuck = Spec(PostAggregate(), sent.when(report(twitter, held)).then_event(TargetOutcomeRecorded))
    outcome = stuck.when(resolve("confirm", platform_post_id="tw_1"))
    post = outcome.then_event(TargetResolved)
    (job,) = jobs(outcome)
    assert job.live_parts == (LivePart(index=0, platform_post_id="tw_1"),)
    assert not job.absent
    assert post.status == "publishing"


@pytest.mark.parametrize("state", ["a_published_post", "a_failed_post", "an_unresolved_post", "a_draft"])
def test_only_what_is_held_can_be_resolved(state: str, resolve: Resolve, request: pytest.FixtureRequest) -> None:
    refusal = request.getfixturevalue(state).when(resolve("drop"))
    refusal.then_refused("target_not_found" if state == "a_draft" else "not_resolvable")
