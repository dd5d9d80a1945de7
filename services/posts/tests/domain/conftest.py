"""A post in each state it can be in, and the wishes put to it. The clock stands at `now`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.content import Content, Failure, LivePart, Schedule, TargetSpec
from contracts.posts import (
    CancelPost,
    CreatePost,
    Deferred,
    DeletePost,
    EditPost,
    Held,
    Outcome,
    Post,
    PostCancelled,
    PostChanges,
    PostCreated,
    PostDeleted,
    Published,
    PublishPost,
    Rejected,
    ReportOutcome,
    SchedulePost,
    TargetOutcomeRecorded,
    Unknown,
)
from eventlog.spec import Spec
from posts.domain.deciding import BecomeDue
from posts.domain.post import PostAggregate

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
IN_AN_HOUR = NOW + timedelta(hours=1)
WISH: dict[str, Any] = {"post_id": "post_1", "tenant_id": "tenant_1", "actor": "user_1", "issued_at": NOW}
TWITTER = TargetSpec(platform="twitter", account_id="acc_tw", username="mycompany")
LINKEDIN = TargetSpec(platform="linkedin", account_id="acc_li", content=Content(text="Good morning, LinkedIn"))


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def twitter() -> TargetSpec:
    return TWITTER


@pytest.fixture
def linkedin() -> TargetSpec:
    """Its content replaces the post's own."""
    return LINKEDIN


# --- posts --------------------------------------------------------------------------------------------


def _created(**changes: Any) -> PostCreated:
    facts: dict[str, Any] = {
        "post_id": "post_1",
        "kind": "post",
        "tenant_id": "tenant_1",
        "actor": "user_1",
        "at": NOW,
        "title": "Greeting",
        "parts": (Content(text="Good morning"),),
        "platforms": ("twitter", "linkedin"),
        "accounts": {"twitter": "acc_tw"},
        "options": {},
        "overrides": {"linkedin": Content(text="Good morning, LinkedIn")},
        "targets": (),
        "tags": ("greetings",),
        "campaign_id": "campaign_1",
        "schedule": None,
        "publish_now": False,
    }
    return PostCreated(**{**facts, **changes})


def _told(target: TargetSpec, outcome: Outcome, attempt: int = 1) -> TargetOutcomeRecorded:
    return TargetOutcomeRecorded(at=NOW, target_id=target.target_id, attempt=attempt, outcome=outcome)


def _published(platform_post_id: str) -> Published:
    part = LivePart(index=0, platform_post_id=platform_post_id, url=f"https://example.com/{platform_post_id}")
    return Published(parts=(part,), at=NOW)


REJECTED = Rejected(failure=Failure(code="duplicate_content", message="Said before."))
DEFERRED = Deferred(until=IN_AN_HOUR, reason=Failure(code="rate_limited", message="Too many.", retryable=True))
UNKNOWN = Unknown(probe_at=IN_AN_HOUR, reason=Failure(code="outcome_unknown", message="No answer."))
HELD = Held(reason=Failure(code="outcome_unknown", message="No proof either way."))


@pytest.fixture
def nothing() -> Spec[Post]:
    """No post yet."""
    return Spec(PostAggregate())


@pytest.fixture
def a_draft(nothing: Spec[Post]) -> Spec[Post]:
    return nothing.given(_created())


@pytest.fixture
def a_scheduled_post(nothing: Spec[Post]) -> Spec[Post]:
    """For X and LinkedIn, due in an hour."""
    return nothing.given(_created(schedule=Schedule(at=IN_AN_HOUR), targets=(TWITTER, LINKEDIN)))


@pytest.fixture
def a_publishing_post(nothing: Spec[Post]) -> Spec[Post]:
    """X and LinkedIn are with the publisher, attempt 1."""
    return nothing.given(_created(publish_now=True, targets=(TWITTER, LINKEDIN)))


@pytest.fixture
def a_published_post(a_publishing_post: Spec[Post]) -> Spec[Post]:
    return a_publishing_post.given(_told(TWITTER, _published("tw_1")), _told(LINKEDIN, _published("li_1")))


@pytest.fixture
def a_failed_post(a_publishing_post: Spec[Post]) -> Spec[Post]:
    """Both platforms refused it."""
    return a_publishing_post.given(_told(TWITTER, REJECTED), _told(LINKEDIN, REJECTED))


@pytest.fixture
def a_partly_failed_post(a_publishing_post: Spec[Post]) -> Spec[Post]:
    """Live on X; LinkedIn refused it."""
    return a_publishing_post.given(_told(TWITTER, _published("tw_1")), _told(LINKEDIN, REJECTED))


@pytest.fixture
def a_deferred_post(a_publishing_post: Spec[Post]) -> Spec[Post]:
    """Both targets wait for an hour; nothing was sent."""
    return a_publishing_post.given(_told(TWITTER, DEFERRED), _told(LINKEDIN, DEFERRED))


@pytest.fixture
def an_unresolved_post(a_publishing_post: Spec[Post]) -> Spec[Post]:
    """Live on LinkedIn; whether it is on X is to be looked up in an hour."""
    return a_publishing_post.given(_told(TWITTER, UNKNOWN), _told(LINKEDIN, _published("li_1")))


@pytest.fixture
def a_held_post(a_publishing_post: Spec[Post]) -> Spec[Post]:
    """Live on LinkedIn; nobody can say whether it is on X."""
    return a_publishing_post.given(_told(TWITTER, HELD), _told(LINKEDIN, _published("li_1")))


@pytest.fixture
def a_cancelled_post(a_scheduled_post: Spec[Post]) -> Spec[Post]:
    return a_scheduled_post.given(PostCancelled(actor="user_1", at=NOW))


@pytest.fixture
def a_deleted_post(a_draft: Spec[Post]) -> Spec[Post]:
    return a_draft.given(PostDeleted(actor="user_1", at=NOW))


# --- outcomes -----------------------------------------------------------------------------------------


@pytest.fixture
def published() -> Callable[[str], Published]:
    """`published("tw_1")`: one live part under that id."""
    return _published


@pytest.fixture
def rejected() -> Rejected:
    return REJECTED


@pytest.fixture
def deferred() -> Deferred:
    """For an hour."""
    return DEFERRED


@pytest.fixture
def unknown() -> Unknown:
    """To be looked up in an hour."""
    return UNKNOWN


@pytest.fixture
def held() -> Held:
    return HELD


# --- wishes -------------------------------------------------------------------------------------------


@pytest.fixture
def create() -> Callable[..., CreatePost]:
    """A draft for X and LinkedIn, with these changes."""

    def create(**changes: Any) -> CreatePost:
        wish: dict[str, Any] = {
            **WISH,
            "kind": "post",
            "parts": (Content(text="Good morning"),),
            "platforms": ("twitter", "linkedin"),
        }
        return CreatePost(**{**wish, **changes})

    return create


@pytest.fixture
def edit() -> Callable[..., EditPost]:
    """A new title, with these changes to the wish."""
    return lambda **changes: EditPost(**{**WISH, "changes": PostChanges(title="Farewell"), **changes})


@pytest.fixture
def schedule() -> Callable[..., SchedulePost]:
    """For X and LinkedIn in an hour, with these changes."""
    wish = {**WISH, "schedule": Schedule(at=IN_AN_HOUR), "targets": (TWITTER, LINKEDIN)}
    return lambda **changes: SchedulePost(**{**wish, **changes})


@pytest.fixture
def publish() -> Callable[..., PublishPost]:
    """On X and LinkedIn, with these changes."""
    return lambda **changes: PublishPost(**{**WISH, "targets": (TWITTER, LINKEDIN), **changes})


@pytest.fixture
def cancel() -> Callable[..., CancelPost]:
    return lambda **changes: CancelPost(**{**WISH, **changes})


@pytest.fixture
def delete() -> Callable[..., DeletePost]:
    return lambda **changes: DeletePost(**{**WISH, **changes})


@pytest.fixture
def become_due() -> Callable[[datetime], BecomeDue]:
    return lambda at: BecomeDue(post_id="post_1", now=at)


@pytest.fixture
def report() -> Callable[..., ReportOutcome]:
    """`report(target, outcome, attempt=1)`."""

    def report(target: TargetSpec, outcome: Outcome, attempt: int = 1, **changes: Any) -> ReportOutcome:
        wish: dict[str, Any] = {
            "post_id": "post_1",
            "tenant_id": "tenant_1",
            "target_id": target.target_id,
            "attempt": attempt,
            "issued_at": NOW,
            "outcome": outcome,
        }
        return ReportOutcome(**{**wish, **changes})

    return report
