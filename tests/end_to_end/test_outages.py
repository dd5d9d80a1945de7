"""Kafka or the store is down: writes say so, nothing that was accepted is lost, and service resumes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.ids import new_id

pytestmark = pytest.mark.stack


@pytest.fixture(params=["kafka", "store"])
def server(request: Any, stack: Any) -> Iterator[Any]:
    server = stack.broker if request.param == "kafka" else stack.store
    yield server
    server.start()


def test_an_outage_is_answered_with_503_and_ends_by_itself(
    client: Any, sandbox: Any, twitter: Any, server: Any, eventually: Any
) -> None:
    marks = [new_id("n") for _ in range(4)]

    def body(mark: str, **more: Any) -> Any:
        return {"content": {"text": f"Through an outage {mark}"}, "platforms": [{"platform": "twitter"}], **more}

    due = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    accepted = [
        client.post("/publish", body(marks[0]), status=201)["post_id"],
        client.post("/publish", body(marks[1], publish_at=due), status=201)["post_id"],
    ]
    server.kill()

    def refused() -> Any:
        answer = client.request("POST", "/publish", body(new_id("n")))
        return answer if answer.status_code == 503 else None

    answer = eventually(refused)
    assert answer.headers["retry-after"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["retryable"] is True

    server.start()
    key = new_id("key")

    def works_again() -> Any:
        answer = client.request("POST", "/publish", body(marks[2]), key=key)
        return answer.json() if answer.status_code == 201 else None

    accepted.append(eventually(works_again)["post_id"])
    for post_id in accepted:
        client.settled(post_id, "published")
    live = [post["text"] for post in sandbox.live(twitter)]
    for mark in marks[:3]:
        assert len([text for text in live if mark in text]) == 1
