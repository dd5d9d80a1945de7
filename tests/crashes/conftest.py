"""Work under way while processes die, and the account of what became of it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from contracts.ids import new_id
from localstack.stack import Stack


class Load:
    """Publications of every kind, each recognisable on the platforms by its mark."""

    def __init__(
        self,
        client: Any,
        sandbox: Any,
        accounts: tuple[Any, ...],
        visual: tuple[Any, ...],
        eventually: Callable[..., Any],
    ) -> None:
        self._client = client
        self._sandbox = sandbox
        self._accounts = accounts
        self._visual = visual
        self._eventually = eventually
        self._expected: dict[str, list[str]] = {}
        self._expected_visual: list[tuple[Any, str]] = []
        self._cancelled: set[str] = set()
        self._post_ids: list[str] = []
        self._offering: threading.Thread | None = None
        self._failure: BaseException | None = None

    def start(self, rounds: int = 1) -> None:
        """Offers twelve publications a round, and one for each that is to be seen, in the background."""

        def offer() -> None:
            try:
                for _ in range(rounds):
                    self._offer()
            except BaseException as failure:
                self._failure = failure

        self._offering = threading.Thread(target=offer)
        self._offering.start()

    def offered(self) -> None:
        """Waits until all are accepted."""
        assert self._offering is not None
        self._offering.join()
        if self._failure is not None:
            raise self._failure

    def verify(self) -> None:
        """Everything ends as published; each mark is live exactly once on each account, the cancelled ones nowhere."""
        self.offered()
        for post_id in self._post_ids:
            self._client.settled(post_id, "published", seconds=120)
        for account in self._accounts:
            live = [post["text"] for post in self._sandbox.live(account)]
            for mark, texts in self._expected.items():
                elsewhere = len(texts) > 1 and account.platform != "twitter"
                wanted = [] if mark in self._cancelled or elsewhere else texts
                assert [text for text in live if mark in text] == wanted, (account.platform, mark)
        for account, mark in self._expected_visual:
            seen = [post["text"] for post in self._sandbox.live(account) if mark in post["text"]]
            assert len(seen) == 1, (account.platform, mark, seen)

    def _offer(self) -> None:
        targets = [{"platform": account.platform, "account_id": account.id} for account in self._accounts]
        now = datetime.now(UTC)
        for _ in range(4):
            self._publish({"platforms": targets})
            self._publish({"platforms": targets, "publish_at": (now + timedelta(seconds=1)).isoformat()})
        for _ in range(3):
            self._publish_and_cancel({"platforms": targets, "publish_at": (now + timedelta(minutes=5)).isoformat()})
        self._thread()
        for account, media, options in self._visual:
            self._publish_media(account, media, options)

    def _publish_media(self, account: Any, media: list[dict[str, Any]], options: dict[str, Any]) -> None:
        mark = new_id("mark")
        body = {
            "content": {"text": f"seen {mark}", "media": media},
            "title": "A title",
            "platforms": [{"platform": account.platform, "account_id": account.id, "options": options}],
        }
        self._post_ids.append(self._insist("POST", "/publish", body)["post_id"])
        self._expected_visual.append((account, mark))

    def _publish(self, body: Any) -> None:
        mark = new_id("mark")
        answer = self._insist("POST", "/publish", {"content": {"text": f"once {mark}"}, **body})
        self._expected[mark] = [f"once {mark}"]
        self._post_ids.append(answer["post_id"])

    def _publish_and_cancel(self, body: Any) -> None:
        self._publish(body)
        self._insist("POST", f"/posts/{self._post_ids.pop()}/cancel", None)
        self._cancelled.add(list(self._expected)[-1])

    def _thread(self) -> None:
        mark = new_id("mark")
        parts = [f"part {number} {mark}" for number in range(3)]
        account = self._accounts[0]
        body = {"platform": "twitter", "account_id": account.id, "posts": [{"text": part} for part in parts]}
        thread_id = self._insist("POST", "/threads", body)["thread_id"]
        self._expected[mark] = parts
        self._post_ids.append(self._read(f"/threads/{thread_id}")["post_id"])

    def _insist(self, method: str, path: str, body: Any) -> Any:
        """The final answer, however long the outage: repeating with the same key is what clients are told to do."""
        key = new_id("key")

        def answered() -> Any:
            try:
                answer = self._client.request(method, path, body, key=key)
            except httpx.TransportError:
                return None
            if answer.status_code in (200, 201):
                return answer.json()
            # 202: no verdict yet. 404: the store does not show the post yet. 409: our own earlier try is under way.
            assert answer.status_code in (202, 404, 409, 503), answer.text
            return None

        return self._eventually(answered, seconds=120, what=f"{method} {path}")

    def _read(self, path: str) -> Any:
        def answered() -> Any:
            try:
                answer = self._client.request("GET", path)
            except httpx.TransportError:
                return None
            return answer.json() if answer.status_code == 200 else None

        return self._eventually(answered, what=f"GET {path}")


@pytest.fixture(scope="module")
def audited(stack: Stack) -> Iterator[set[str]]:
    """Tenants whose books must balance in the end, by the auditor, which reads the log and the journal by itself."""
    tenants: set[str] = set()
    yield tenants
    checked = subprocess.run(
        [sys.executable, "-m", "auditor", "check"],
        env={**os.environ, **stack.process("auditor").environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    rows = {row[0]: row[1:] for line in checked.stdout.splitlines() if (row := line.split())}
    for tenant in tenants:
        *_, missing, findings = rows[tenant]
        assert (missing, findings) == ("0", "0"), checked.stdout


@pytest.fixture
def load(client: Any, sandbox: Any, twitter: Any, linkedin: Any, eventually: Any, audited: set[str]) -> Load:
    """Texts, on X and LinkedIn."""
    audited.add(client.tenant)
    return Load(client, sandbox, (twitter, linkedin), (), eventually)


@pytest.fixture
def load_everywhere(everywhere: Any, sandbox: Any, eventually: Any, audited: set[str]) -> Load:
    """The same, and pictures and videos on the other platforms: every protocol of several steps."""
    audited.add(everywhere.client.tenant)
    images = [{"type": "image", "url": sandbox.media("image.jpg", w=1080, h=1080, shade=shade)} for shade in (1, 2)]
    video = [{"type": "video", "url": sandbox.media("video.mp4", w=720, h=1280, seconds=5)}]
    accounts = everywhere.accounts
    visual: tuple[Any, ...] = (
        (accounts["facebook"], images, {}),
        (accounts["instagram"], images, {}),
        (accounts["instagram"], video, {}),
        (accounts["youtube"], video, {}),
        (accounts["tiktok"], video, {"privacy_level": "public_to_everyone"}),
    )
    return Load(everywhere.client, sandbox, (accounts["twitter"], accounts["linkedin"]), visual, eventually)


@pytest.fixture
def with_fault_points() -> Any:
    """Runs a process with fault points inside; from its next start it is without them."""

    @contextmanager
    def with_fault_points(process: Any, script: str) -> Iterator[None]:
        process.environment["FAULT_POINTS"] = script
        process.stop()
        process.spawn()
        del process.environment["FAULT_POINTS"]
        try:
            yield
        finally:
            process.resume()
            process.restart()

    return with_fault_points
