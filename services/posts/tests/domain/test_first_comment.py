from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from contracts.content import Content, TargetSpec
from contracts.posts import (
    CreatePost,
    Post,
    PostCreated,
    Published,
    Rejected,
    ReportOutcome,
    TargetOutcomeRecorded,
    Unknown,
)
from contracts.publishing import PublishRequested
from eventlog.spec import Spec
from posts.domain.deciding import BecomeDue
from posts.domain.post import PostAggregate

Report = Callable[..., ReportOutcome]


@pytest.fixture
def commented(twitter: TargetSpec) -> TargetSpec:
    return replace(twitter, options={"first_comment": "More at example.com"})


@pytest.fixture
def sent(nothing: Spec[Post], create: Callable[..., CreatePost], commented: TargetSpec) -> Spec[Post]:
    wish = create(platforms=("twitter",), targets=(commented,), publish_now=True)
    return Spec(PostAggregate(), nothing.when(wish).then_event(PostCreated))


def jobs(outcome: Any) -> list[PublishRequested]:
    return [each for each in outcome.follow_ups() if isinstance(each, PublishRequested)]


@pytest.fixture
def live(sent: Spec[Post], report: Report, commented: TargetSpec, published: Callable[[str], Published]) -> Spec[Post]:
    return Spec(PostAggregate(), sent.when(report(commented, published("tw_1"))).then_event(TargetOutcomeRecorded))


def test_it_is_asked_for_when_the_post_is_live(
    sent: Spec[Post], report: Report, commented: TargetSpec, published: Callable[[str], Published]
) -> None:
    outcome = sent.when(report(commented, published("tw_1")))
    post = outcome.then_event(TargetOutcomeRecorded)
    (job,) = jobs(outcome)
    assert (job.target_id, job.attempt, job.reply_to) == ("twitter:acc_tw#comment", 2, "tw_1")
    assert (job.parts, job.options) == ((Content(text="More at example.com"),), {})
    assert (post.status, post.comments[0].status) == ("published", "publishing")


def test_it_is_asked_for_once(
    live: Spec[Post], report: Report, commented: TargetSpec, published: Callable[[str], Published]
) -> None:
    live.when(report(commented, published("tw_1"))).then_nothing()


def test_a_refused_one_leaves_the_post_published(
    live: Spec[Post], report: Report, commented: TargetSpec, rejected: Rejected
) -> None:
    told = report(commented, rejected, attempt=2, target_id="twitter:acc_tw#comment")
    post = live.when(told).then_event(TargetOutcomeRecorded)
    assert (post.status, post.comments[0].status) == ("published", "failed")
    assert post.comments[0].failure == rejected.failure


def test_one_of_unknown_fate_is_looked_up_when_its_time_comes(
    live: Spec[Post],
    report: Report,
    commented: TargetSpec,
    unknown: Unknown,
    become_due: Callable[[datetime], BecomeDue],
) -> None:
    told = report(commented, unknown, attempt=2, target_id="twitter:acc_tw#comment")
    doubtful = live.when(told).then_event(TargetOutcomeRecorded)
    assert PostAggregate().due_at(doubtful) == unknown.probe_at
    outcome = Spec(PostAggregate(), doubtful).when(become_due(unknown.probe_at))
    (job,) = jobs(outcome)
    assert (job.target_id, job.attempt, job.reply_to) == ("twitter:acc_tw#comment", 3, "tw_1")
    assert job.unresolved_since is not None


def test_one_that_is_live_has_its_place(
    live: Spec[Post], report: Report, commented: TargetSpec, published: Callable[[str], Published]
) -> None:
    told = report(commented, published("tw_2"), attempt=2, target_id="twitter:acc_tw#comment")
    post = live.when(told).then_event(TargetOutcomeRecorded)
    assert (post.comments[0].status, post.comments[0].platform_post_id) == ("published", "tw_2")
    assert PostAggregate().due_at(post) is None
