"""Every instance of every service is replaced under load: no request fails, nothing is lost, nothing happens twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any

import pytest
from tests.media.corpus import png
from tests.operations.fleet import Receiver, RoundRobin, two_of_each

from contracts.ids import new_id
from localstack.stack import Stack

pytestmark = pytest.mark.stack

PAUSE = 0.2
"""Seconds between two publications of one writer: load, but of a machine with two cores."""

Wish = tuple[str, int, dict[str, object]]
"""The end of a path, the status of the answer, and the body."""


class Load:
    """Users who write, schedule, read, upload and manage, until they are told to stop."""

    def __init__(self, new_client: Callable[[], RoundRobin], accounts: dict[str, str]) -> None:
        self._new_client = new_client
        self._accounts = accounts
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write) for _ in range(2)]
        self._threads.append(threading.Thread(target=self._manage))
        self.failed: list[str] = []
        self.answers: Counter[int] = Counter()
        self.texts: dict[str, str] = {}
        """What was accepted for publication, by the post's id."""
        self.uploads: list[str] = []

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def goes_on(self, eventually: Callable[..., Any]) -> None:
        """Ten publications more, or a request that failed."""
        before = len(self.texts)
        eventually(lambda: self.failed or len(self.texts) >= before + 10, what="load")
        assert self.failed == [], self.answers

    def _ask(self, client: RoundRobin, expected: int, method: str, path: str, *body: object, **options: Any) -> Any:
        try:
            answer = client.request(method, path, *body, **options)
        except Exception as error:
            self.failed.append(f"{method} {path}: {error!r}")
            return None
        self.answers[answer.status_code] += 1
        if answer.status_code != expected:
            self.failed.append(f"{method} {path}: {answer.status_code} {answer.text}")
            return None
        return answer.json()

    def _write(self) -> None:
        client = self._new_client()
        wishes = cycle([_now, _later])
        while not self._stop.wait(PAUSE):
            text = f"{new_id('mark')} under way"
            draft = {"content": {"text": text}, "platforms": list(self._accounts), "accounts": self._accounts}
            post = self._ask(client, 201, "POST", "/posts", draft)
            if post is None:
                continue
            due = datetime.now(UTC) + timedelta(seconds=2)
            path, expected, wish = next(wishes)(due)
            if self._ask(client, expected, "POST", f"/posts/{post['id']}/{path}", wish) is not None:
                self.texts[post["id"]] = text
            self._ask(client, 200, "GET", f"/posts/{post['id']}")

    def _manage(self) -> None:
        client = self._new_client()
        while not self._stop.wait(3 * PAUSE):
            self._ask(client, 200, "GET", "/webhooks")
            file = {"file": (f"{time.monotonic_ns()}.png", png(16, 16))}
            upload = self._ask(client, 201, "POST", "/media/upload", files=file)
            if upload is not None:
                self.uploads.append(upload["media_id"])


def _now(_due: datetime) -> Wish:
    return "publish", 202, {"publish_now": True}


def _later(due: datetime) -> Wish:
    return "schedule", 200, {"scheduled_at": due.isoformat(), "timezone": "UTC"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def test_a_rolling_restart_is_noticed_by_nobody(
    stack: Stack,
    sandbox: Any,
    connect: Callable[..., Any],
    as_role: Any,
    receiver: Receiver,
    eventually: Callable[..., Any],
) -> None:
    tenant = new_id("tenant")
    accounts = [connect(tenant, "twitter"), connect(tenant, "linkedin")]
    by_platform = {account.platform: account.id for account in accounts}
    client = as_role("content_manager", tenant)
    hook = {"url": receiver.url, "event_types": ["social.post_published"]}
    as_role("tenant_admin", tenant).post("/webhooks", hook, status=201)
    token = stack.token(role=["content_manager", "tenant_admin"], tenant=tenant)
    with two_of_each(stack) as fleet:
        with Load(lambda: RoundRobin(fleet.gateway_urls, token), by_platform) as load:
            load.goes_on(eventually)
            fleet.roll()
            load.goes_on(eventually)
        assert load.failed == [], load.answers
        for post_id in load.texts:
            client.settled(post_id, "published")
        for account in accounts:
            live = Counter(post["text"] for post in sandbox.live(account))
            assert live == Counter(load.texts.values())
        eventually(lambda: len(receiver.told) >= len(load.texts), what="webhooks of all of them")
        assert Counter(receiver.told.values()) == Counter(load.texts.keys()), (
            "one event each, however often it was sent"
        )
        for media_id in load.uploads:
            assert client.get(f"/media/{media_id}")["status"] == "ready"
