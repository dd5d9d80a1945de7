"""Times: scheduling, the queue, zones, cancelling before the moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from contracts.ids import new_id

pytestmark = pytest.mark.stack


@pytest.fixture
def post_id(client: Any) -> str:
    body = {"title": "Weekly Tips", "content": {"text": f"A tip {new_id('n')}"}, "platforms": ["twitter", "linkedin"]}
    return str(client.post("/posts", body, status=201)["id"])


def ahead(**delta: float) -> datetime:
    return (datetime.now(UTC) + timedelta(**delta)).replace(microsecond=0)


def test_a_scheduled_post_waits_in_the_queue(client: Any, post_id: str) -> None:
    due = ahead(days=30)
    post = client.post(
        f"/posts/{post_id}/schedule", {"scheduled_at": due.isoformat(), "timezone": "America/Los_Angeles"}
    )
    assert post["status"] == "scheduled"
    assert datetime.fromisoformat(post["scheduled_at"]) == due
    assert post["timezone"] == "America/Los_Angeles"
    queue = client.get("/scheduling/queue", limit=100)
    (entry,) = [entry for entry in queue["queue"] if entry["id"] == post_id]
    assert entry["title"] == "Weekly Tips"
    assert datetime.fromisoformat(entry["scheduled_at"]) == due
    assert entry["platforms"] == ["twitter", "linkedin"]
    assert entry["status"] == "scheduled"
    assert queue["total_scheduled"] >= len(queue["queue"]) > 0
    times = [datetime.fromisoformat(each["scheduled_at"]) for each in queue["queue"]]
    assert times == sorted(times)


def test_a_local_time_is_understood_in_its_zone(client: Any, post_id: str) -> None:
    zone = ZoneInfo("America/Los_Angeles")
    expected = (datetime.now(zone) + timedelta(days=3)).replace(microsecond=0)
    post = client.post(
        f"/posts/{post_id}/schedule",
        {"scheduled_at": expected.replace(tzinfo=None).isoformat(), "timezone": "America/Los_Angeles"},
    )
    assert datetime.fromisoformat(post["scheduled_at"]) == expected


@pytest.mark.parametrize(
    "schedule",
    [
        {"scheduled_at": "2020-01-01T00:00:00Z"},
        {"scheduled_at": "2126-01-01T00:00:00Z"},
        {"scheduled_at": "2026-12-24T12:00:00"},
        {"scheduled_at": "2026-12-24T12:00:00", "timezone": "America/Los_Angelos"},
        {"scheduled_at": "tomorrow"},
        {},
    ],
    ids=["past", "too far", "no zone", "bad zone", "no time", "nothing"],
)
def test_an_impossible_time_is_refused(client: Any, post_id: str, schedule: Any) -> None:
    problem = client.refused(400, "invalid_content", "POST", f"/posts/{post_id}/schedule", schedule)
    assert problem["errors"]
    assert client.get(f"/posts/{post_id}")["status"] == "draft"


def test_a_cancelled_post_stays_unpublished(client: Any, sandbox: Any, twitter: Any, post_id: str) -> None:
    client.post(f"/posts/{post_id}/schedule", {"scheduled_at": ahead(seconds=8).isoformat()})
    cancelled = client.post(f"/posts/{post_id}/cancel")
    assert cancelled["status"] == "cancelled"
    assert post_id not in [entry["id"] for entry in client.get("/scheduling/queue", limit=100)["queue"]]
    client.refused(409, "not_cancellable", "POST", f"/posts/{post_id}/cancel")

    # Whatever was due at the same time and later has gone out; this has not.
    marker = {
        "content": {"text": f"Later {new_id('n')}"},
        "platforms": [{"platform": "twitter"}],
        "publish_at": ahead(seconds=9).isoformat(),
    }
    later = client.post("/publish", marker, status=201)
    client.settled(later["post_id"], "published")
    assert client.get(f"/posts/{post_id}")["status"] == "cancelled"
    text = client.get(f"/posts/{post_id}")["content"]["text"]
    assert not [live for live in sandbox.live(twitter) if text in live["text"]]


def test_rescheduling_replaces_the_time_and_editing_the_text(
    client: Any, sandbox: Any, twitter: Any, post_id: str
) -> None:
    client.post(f"/posts/{post_id}/schedule", {"scheduled_at": ahead(hours=1).isoformat()})
    text = f"The last word {new_id('n')}"
    client.put(f"/posts/{post_id}", {"content": {"text": text}})
    due = ahead(seconds=2)
    client.post(f"/posts/{post_id}/schedule", {"scheduled_at": due.isoformat()})
    client.settled(post_id, "published")
    (live,) = [live for live in sandbox.live(twitter) if live["text"] == text]
    assert datetime.fromisoformat(live["created_at"]) >= due


def test_a_post_may_be_created_scheduled(client: Any) -> None:
    body = {
        "content": {"text": f"At once {new_id('n')}"},
        "platforms": ["twitter"],
        "status": "scheduled",
        "scheduled_at": ahead(days=1).isoformat(),
    }
    assert client.post("/posts", body, status=201)["status"] == "scheduled"
    del body["scheduled_at"]
    client.refused(400, "invalid_content", "POST", "/posts", body)
