"""What holds for a post whatever is asked of it, in whatever order."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import event as note
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.accounts import DisconnectAccount
from contracts.content import Content, Failure, LivePart, Schedule, TargetSpec
from contracts.messages import Command, Event, encode
from contracts.posts import (
    COMMENT,
    CancelPost,
    CreatePost,
    Deferred,
    DeletePost,
    EditPost,
    Held,
    Outcome,
    Post,
    PostChanges,
    Published,
    PublishPost,
    Rejected,
    Removed,
    RemovePost,
    ReportOutcome,
    ReportRemoval,
    ResolveTarget,
    SchedulePost,
    Unknown,
)
from contracts.publishing import PublishRequested
from eventlog.aggregate import FollowUp
from posts.domain.deciding import BecomeDue
from posts.domain.post import PostAggregate

POSTS = PostAggregate()
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TARGETS = (
    TargetSpec(platform="twitter", account_id="acc_tw", options={"first_comment": "More here"}),
    TargetSpec(platform="linkedin", account_id="acc_li", content=Content(text="See")),
    TargetSpec(platform="linkedin", account_id="acc_li2"),
)
FAILURE = Failure(code="some_reason", message="For some reason.")


# --- any command --------------------------------------------------------------------------------------

instants = st.integers(-600, 10_000).map(lambda seconds: START + timedelta(seconds=seconds))
chosen = st.sampled_from([TARGETS[:2], TARGETS[:2], TARGETS[:2], TARGETS[:1], TARGETS[1:], (TARGETS[0],) * 2, ()])
schedules = st.builds(Schedule, at=instants)
live = st.lists(st.sampled_from(["p1", "p2"]), max_size=2).map(
    lambda ids: tuple(LivePart(index=index, platform_post_id=name) for index, name in enumerate(ids))
)
outcomes: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(Published, parts=st.just((LivePart(index=0, platform_post_id="p1"),)), at=instants),
    st.builds(Published, parts=live, at=instants),
    st.builds(Rejected, failure=st.just(FAILURE), parts=live),
    st.builds(Deferred, until=instants, reason=st.just(FAILURE), parts=live),
    st.builds(Unknown, probe_at=instants, reason=st.just(FAILURE), parts=live),
    st.builds(Held, reason=st.just(FAILURE), parts=live),
)
revisions = st.one_of(st.none(), st.none(), st.none(), st.integers(1, 5))
wish: dict[str, Any] = {
    "post_id": st.just("post_1"),
    "tenant_id": st.sampled_from(["tenant_1"] * 9 + ["tenant_2"]),
    "actor": st.just("user_1"),
    "issued_at": instants,
}
changes = st.builds(PostChanges, title=st.text(max_size=3), platforms=st.just(("twitter", "linkedin")))
target_ids = st.sampled_from([*(target.target_id for target in (*TARGETS[:2], *TARGETS)), f"twitter:acc_tw{COMMENT}"])
reports = st.builds(
    ReportOutcome,
    post_id=st.just("post_1"),
    tenant_id=st.just("tenant_1"),
    target_id=target_ids,
    attempt=st.sampled_from([1, 1, 1, 0, 2, 2, 3, 4]),
    issued_at=instants,
    outcome=outcomes,
)
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        CreatePost,
        **wish,
        kind=st.sampled_from(["post", "thread"]),
        parts=st.just((Content(text="Look"),)),
        platforms=st.just(("twitter", "linkedin")),
        targets=chosen,
        schedule=st.one_of(st.none(), schedules),
        publish_now=st.booleans(),
    ),
    st.builds(EditPost, **wish, changes=changes, targets=st.one_of(st.none(), chosen), expected_revision=revisions),
    st.builds(SchedulePost, **wish, schedule=schedules, targets=chosen, expected_revision=revisions),
    st.builds(PublishPost, **wish, targets=chosen, expected_revision=revisions),
    st.builds(CancelPost, **wish, expected_revision=revisions),
    st.builds(DeletePost, **wish, expected_revision=revisions),
    st.builds(BecomeDue, post_id=st.just("post_1"), now=instants),
    reports,
    reports,
    reports,
    st.builds(RemovePost, **wish, expected_revision=revisions),
    st.builds(
        ResolveTarget,
        **wish,
        target_id=target_ids,
        resolution=st.sampled_from(["confirm", "republish", "drop"]),
        platform_post_id=st.sampled_from([None, "p1"]),
        expected_revision=revisions,
    ),
    st.builds(
        ReportRemoval,
        post_id=st.just("post_1"),
        tenant_id=st.just("tenant_1"),
        target_id=target_ids,
        attempt=st.sampled_from([1, 1, 1, 2]),
        issued_at=instants,
        outcome=st.one_of(
            st.just(Removed()),
            st.builds(Rejected, failure=st.just(FAILURE)),
            st.builds(Deferred, until=instants, reason=st.just(FAILURE)),
        ),
    ),
    st.builds(
        DisconnectAccount,
        account_id=st.just("acc_tw"),
        tenant_id=st.just("tenant_1"),
        actor=st.none(),
        issued_at=instants,
        reason=st.just("revoked"),
    ),
)
Past = list[tuple[Post | None, Event, Post]]


def lived(wishes: Sequence[Command]) -> Past:
    """Every change these commands brought, in order: before, event, after."""
    past: Past = []
    post: Post | None = None
    for command in wishes:
        decision = POSTS.decide(post, command)
        assert POSTS.decide(post, command) == decision
        if isinstance(decision, Event):
            after = POSTS.evolve(post, decision)
            past.append((post, decision, after))
            post = after
    note(f"status {post.status if post else None}")
    return past


creations = st.builds(
    CreatePost,
    **{**wish, "tenant_id": st.just("tenant_1"), "issued_at": st.just(START)},
    kind=st.just("post"),
    parts=st.just((Content(text="Look"),)),
    platforms=st.just(("twitter", "linkedin")),
    targets=st.just(TARGETS[:2]),
    schedule=st.sampled_from([None, Schedule(at=START + timedelta(minutes=10))]),
    publish_now=st.sampled_from([True, True, False]),
)
pasts = st.builds(
    lambda first, others: lived([first, *others]), creations, st.lists(commands, min_size=10, max_size=20)
)


def told(past: Past) -> list[FollowUp]:
    return [
        follow_up
        for number, (before, event, after) in enumerate(past)
        for follow_up in POSTS.follow_ups(before, event, f"evt_{number}", after)
    ]


# --- what holds ---------------------------------------------------------------------------------------


@given(pasts)
def test_the_status_follows_the_targets(past: Past) -> None:
    for _, _, post in past:
        statuses = {target.status for target in post.targets}
        match post.status:
            case "draft" | "scheduled":
                assert statuses <= {"pending"}
            case "publishing":
                assert statuses & {"publishing", "deferred", "unknown"}
            case "published":
                assert statuses == {"published"}
            case "failed":
                assert statuses & {"failed", "held"}
                assert statuses <= {"published", "failed", "held"}
            case "cancelled":
                assert statuses <= {"pending", "failed"}


@given(pasts)
def test_exactly_what_waits_has_a_due_time(past: Past) -> None:
    for _, _, post in past:
        beside = any(comment.next_attempt_at is not None for comment in post.comments) or any(
            target.removal is not None and target.removal.status in ("requested", "deferred")
            for target in (*post.targets, *post.comments)
        )
        waits = (post.status in ("scheduled", "publishing") or beside) and not post.deleted
        assert (POSTS.due_at(post) is not None) == waits


@given(pasts)
def test_when_due_something_happens(past: Past) -> None:
    for _, _, post in past:
        due_at = POSTS.due_at(post)
        if due_at is not None:
            decision = POSTS.decide(post, POSTS.when_due(post.post_id, due_at))
            assert isinstance(decision, Event)
            assert POSTS.due_at(POSTS.evolve(post, decision)) != due_at


@given(pasts)
def test_a_published_target_stays_as_it_is(past: Past) -> None:
    for before, _, after in past:
        for target in before.targets if before else ():
            if target.status == "published":
                assert replace(target, removal=None) in [replace(other, removal=None) for other in after.targets]


@given(pasts)
def test_every_hand_over_has_a_new_number(past: Past) -> None:
    for before, event, after in past:
        grown = after.attempts - (before.attempts if before else 0)
        handed_over = [
            follow_up.message.attempt
            for follow_up in POSTS.follow_ups(before, event, "evt", after)
            if isinstance(follow_up.message, PublishRequested)
        ]
        assert grown == (1 if handed_over else 0)
        assert set(handed_over) <= {after.attempts}


@given(pasts)
def test_nobody_is_told_the_same_thing_twice(past: Past) -> None:
    ids = [(follow_up.topic, follow_up.id) for follow_up in told(past)]

    assert len(ids) == len(set(ids))


@given(pasts)
def test_every_change_is_a_new_revision(past: Past) -> None:
    assert [post.revision for _, _, post in past] == list(range(1, len(past) + 1))


@given(pasts)
def test_state_and_events_survive_storage(past: Past) -> None:
    for _, event, post in past:
        assert msgspec.json.decode(encode(post), type=Post) == post
        assert msgspec.json.decode(encode(event), type=type(event)) == event


@given(pasts)
def test_the_tenant_never_changes(past: Past) -> None:
    assert len({POSTS.index(post)["tenant_id"] for _, _, post in past}) <= 1
