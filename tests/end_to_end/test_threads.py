"""Threads on X: several parts, each an answer to the one before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.ids import new_id

pytestmark = pytest.mark.stack


@pytest.fixture
def body(twitter: Any, sandbox: Any) -> dict[str, Any]:
    mark = new_id("n")
    image = {"type": "image", "url": sandbox.media("image.png")}
    return {
        "platform": "twitter",
        "account_id": twitter.id,
        "posts": [
            {"text": f"🧵 Here's everything you need to know (thread): {mark}"},
            {"text": f"1/ First, we've added intelligent order prediction {mark}", "media": [image]},
            {"text": f"2/ Next, our voice AI can handle complex modifications {mark}", "media": [image]},
            {"text": f"3/ Finally, the new analytics dashboard\n\nTry it today! 👇 {mark}"},
        ],
    }


def texts(body: Any) -> list[str]:
    return [part["text"] for part in body["posts"]]


def test_a_thread_goes_out_in_order_each_part_answering_the_one_before(
    client: Any, sandbox: Any, twitter: Any, body: Any
) -> None:
    answer = client.post("/threads", body, status=201)
    assert answer["thread_id"].startswith("thread_")
    assert (answer["platform"], answer["post_count"]) == ("twitter", 4)
    assert answer["status"] in {"publishing", "published"}
    assert answer["scheduled_at"] is None
    thread = client_thread(client, answer["thread_id"])

    live = [post for post in sandbox.live(twitter) if post["text"] in texts(body)]
    assert [post["text"] for post in live] == texts(body)
    assert [post["in_reply_to"] for post in live] == [None, *[post["id"] for post in live[:-1]]]
    assert [len(post["media"]) for post in live] == [0, 1, 1, 0]
    assert [part["post_id"] for part in thread["posts"]] == [post["id"] for post in live]
    assert [part["url"] for part in thread["posts"]] == [
        f"https://x.com/mycompany/status/{post['id']}" for post in live
    ]
    assert [part["text"] for part in thread["posts"]] == texts(body)


def client_thread(client: Any, thread_id: str) -> Any:
    thread = client.get(f"/threads/{thread_id}")
    client.settled(thread["post_id"], "published")
    return client.get(f"/threads/{thread_id}")


def test_a_thread_may_be_scheduled(client: Any, body: Any) -> None:
    due = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    answer = client.post("/threads", {**body, "schedule_at": due.isoformat()}, status=201)
    assert answer["status"] == "scheduled"
    assert datetime.fromisoformat(answer["scheduled_at"]) == due
    post_id = client.get(f"/threads/{answer['thread_id']}")["post_id"]
    assert client.post(f"/posts/{post_id}/cancel")["status"] == "cancelled"


def test_a_thread_interrupted_half_way_goes_on_where_it_stopped(
    client: Any, sandbox: Any, twitter: Any, body: Any
) -> None:
    mark = new_id("n")
    parts = [{"text": f"{number} {mark}"} for number in range(3)]
    forbidden = {"title": "Forbidden", "detail": "You are not permitted to perform this action.", "status": 403}
    sandbox.fault(twitter, "create_post", "forbidden_403", after=1, body=forbidden)
    answer = client.post("/threads", {**body, "posts": parts}, status=201)
    thread = client.get(f"/threads/{answer['thread_id']}")
    client.settled(thread["post_id"], "failed")
    thread = client.get(f"/threads/{answer['thread_id']}")
    assert [part["post_id"] is not None for part in thread["posts"]] == [True, False, False]

    client.post(f"/posts/{thread['post_id']}/publish", {"publish_now": True}, status=202)
    client_thread(client, answer["thread_id"])
    live = [post for post in sandbox.live(twitter) if mark in post["text"]]
    assert [post["text"] for post in live] == [part["text"] for part in parts]
    assert [post["in_reply_to"] for post in live] == [None, live[0]["id"], live[1]["id"]]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"posts": [{"text": "alone"}]}, "/posts"),
        ({"posts": []}, "/posts"),
        ({"posts": [{"text": "first"}, {"text": "x" * 281}]}, "/posts/1/text"),
        ({"posts": [{"text": "first"}, {"text": ""}]}, "/posts/1/text"),
        ({"platform": "linkedin"}, "/platform"),
    ],
    ids=["one part", "no part", "long part", "empty part", "wrong platform"],
)
def test_what_cannot_be_a_thread_is_refused(client: Any, linkedin: Any, body: Any, change: Any, pointer: str) -> None:
    if change.get("platform") == "linkedin":
        change = {**change, "account_id": linkedin.id}
    problem = client.refused(400, "invalid_content", "POST", "/threads", {**body, **change})
    assert pointer in [error["pointer"] for error in problem["errors"]]


def test_an_unknown_thread(client: Any, stranger: Any, body: Any) -> None:
    thread_id = client.post("/threads", body, status=201)["thread_id"]
    stranger.refused(404, "post_not_found", "GET", f"/threads/{thread_id}")
