"""The contract's fields, made from read models in every state."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from contracts.content import Content, Failure, LivePart, Media, Schedule
from contracts.posts import Post, Target
from gateway import examples, views

AT = datetime(2026, 1, 24, 20, 0, tzinfo=UTC)
FAILED = Failure(code="forbidden", message="Not allowed.", platform_error="403 Forbidden")


def post(status: Any, *targets: Target, **more: Any) -> Post:
    return replace(examples.SCHEDULED, status=status, targets=targets, **more)


def on(status: Any, **more: Any) -> Target:
    return Target(platform="twitter", account_id="acc", status=status, **more)


@pytest.mark.parametrize(
    ("of_post", "of_target", "shown"),
    [
        ("scheduled", "pending", "scheduled"),
        ("cancelled", "pending", "cancelled"),
        ("publishing", "pending", "pending"),
        ("publishing", "publishing", "publishing"),
        ("publishing", "deferred", "deferred"),
        ("publishing", "unknown", "unknown"),
        ("failed", "held", "held"),
        ("failed", "failed", "failed"),
        ("failed", "published", "published"),
        ("published", "published", "published"),
    ],
)
def test_a_target_waits_with_its_post_and_then_has_its_own_status(of_post: str, of_target: str, shown: str) -> None:
    shaped = post(of_post, on(of_target))
    assert views.publication(shaped).platforms[0].status == shown
    assert views.post_view(shaped).targets[0].status == shown
    assert views.post_view(shaped).platform_posts[0].status == shown


@pytest.mark.parametrize(
    ("status", "is_shown"), [("publishing", False), ("deferred", True), ("unknown", True), ("published", False)]
)
def test_the_next_attempt_is_told_only_when_there_will_be_one(status: str, is_shown: bool) -> None:
    target = on(status, next_attempt_at=AT, attempt=2)
    shown = views.publication(post("publishing", target)).platforms[0]
    assert shown.next_attempt_at == (AT if is_shown else None)
    assert shown.attempts == 2


def test_a_published_post_has_the_contracts_fields() -> None:
    shown = msgspec.json.decode(msgspec.json.encode(views.post_view(examples.PUBLISHED)))
    assert shown["published_at"] == "2027-01-24T20:00:00Z"
    contract = ("id", "title", "content", "media", "platforms", "status", "published_at", "platform_posts", "analytics")
    assert set(contract) <= set(shown)
    assert [
        {key: entry[key] for key in ("platform", "post_id", "url", "status")} for entry in shown["platform_posts"]
    ] == [
        {
            "platform": "twitter",
            "post_id": "1234567890",
            "url": "https://x.com/mycompany/status/1234567890",
            "status": "published",
        },
        {
            "platform": "linkedin",
            "post_id": "urn:li:share:7890",
            "url": "https://www.linkedin.com/feed/update/urn:li:share:7890/",
            "status": "published",
        },
    ]


def test_failures_say_why_and_what_is_live_stays_visible() -> None:
    live = on("published", platform_post_id="1", url="https://x.com/1", published_at=AT)
    failed = Target(platform="linkedin", account_id="in", status="failed", failure=FAILED)
    shown = views.post_view(post("failed", live, failed))
    assert [(reason.platform, reason.error.code) for reason in shown.failure_reasons] == [("linkedin", "forbidden")]
    assert [entry.post_id for entry in shown.platform_posts] == ["1", None]
    assert views.publication(post("failed", live, failed)).platforms[1].error == FAILED


def test_nothing_of_the_tenant_or_of_the_inside_is_shown() -> None:
    shown = msgspec.json.encode(views.post_view(examples.PUBLISHED)).decode()
    assert "tenant" not in shown
    assert "probing" not in shown


@pytest.mark.parametrize(
    ("zone", "local"),
    [
        ("America/Los_Angeles", "2026-01-24T12:00:00-08:00"),
        ("Asia/Kolkata", "2026-01-25T01:30:00+05:30"),
        (None, None),
    ],
)
def test_a_time_is_told_on_the_creators_clock_too(zone: str | None, local: str | None) -> None:
    shown = views.post_view(post("scheduled", schedule=Schedule(at=AT, timezone=zone)))
    assert (shown.scheduled_at, shown.timezone, shown.scheduled_local) == (AT, zone, local)


def test_a_thread_shows_which_parts_are_live() -> None:
    half = on("publishing", live_parts=(LivePart(index=0, platform_post_id="1", url="https://x.com/1"),))
    shown = views.thread(
        post(
            "publishing", half, kind="thread", parts=(Content(text="a"), Content(text="b", media=(Media(type="gif"),)))
        )
    )
    assert shown.post_count == 2
    assert [(part.text, part.post_id, part.url) for part in shown.posts] == [
        ("a", "1", "https://x.com/1"),
        ("b", None, None),
    ]
    assert shown.posts[1].media == (Media(type="gif"),)
    assert shown.thread_id.startswith("thread_")
    assert shown.post_id.startswith("post_")


def test_the_queue_holds_only_what_is_scheduled() -> None:
    entry = views.queue_entry(examples.SCHEDULED)
    assert (entry.id, entry.scheduled_at) == (examples.POST_ID, examples.SCHEDULED.created_at + timedelta(minutes=30))
    with pytest.raises(ValueError, match="not scheduled"):
        views.queue_entry(replace(examples.SCHEDULED, schedule=None))


@pytest.mark.parametrize(("username", "shown"), [("mycompany", "@mycompany"), ("@mycompany", "@mycompany")])
def test_usernames_are_written_as_the_platform_writes_them(username: str, shown: str) -> None:
    assert views.handle("twitter", username) == shown
    assert views.handle("linkedin", username) == username
