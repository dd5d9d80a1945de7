"""A real server in this process, reset before every test, and people who use it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import httpx
import pytest

from sandbox.server import build

_PATIENCE = 10.0
_PREFIXES = {"twitter": "x"}
_LINKEDIN_HEADERS = {"LinkedIn-Version": "202609", "X-Restli-Protocol-Version": "2.0.0"}


def eventually(probe: Callable[[], Any]) -> Any:
    """The first truthy answer of ``probe``."""
    deadline = time.monotonic() + _PATIENCE
    while not (answer := probe()):
        assert time.monotonic() < deadline, f"still {answer!r} after {_PATIENCE:g} s"
        time.sleep(0.01)
    return answer


class Account:
    """Someone with a token. ``http`` speaks to the platform with that token."""

    def __init__(self, url: str, created: dict[str, Any]) -> None:
        self.id: str = created["platform_user_id"]
        self.username: str = created["username"]
        self.scopes: list[str] = created["scopes"]
        self.access_token: str = created["access_token"]
        self.refresh_token: str | None = created["refresh_token"]
        platform: str = created["platform"]
        headers = {
            "Authorization": f"Bearer {self.access_token}",
            **(_LINKEDIN_HEADERS if platform == "linkedin" else {}),
        }
        self.http = httpx.Client(
            base_url=f"{url}/{_PREFIXES.get(platform, platform)}", headers=headers, trust_env=False, timeout=_PATIENCE
        )


class Control:
    """The control API."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=f"{url}/_sandbox", trust_env=False, timeout=_PATIENCE)
        self._accounts: list[Account] = []

    def account(self, platform: str, username: str = "amara", **more: Any) -> Account:
        body = {"platform": platform, "username": username, "display_name": username.title(), **more}
        account = Account(self.url, self.done(self.http.post("/accounts", json=body)))
        self._accounts.append(account)
        return account

    def fault(self, platform: str, fault: str, call: str = "create_post", **more: Any) -> str:
        script = {"platform": platform, "fault": fault, "call": call, **more}
        return str(self.done(self.http.post("/faults", json=script))["id"])

    def fired(self, fault_id: str) -> int:
        faults = self.done(self.http.get("/faults"))["faults"]
        return next(int(fault["fired"]) for fault in faults if fault["id"] == fault_id)

    def settings(self, **switches: Any) -> None:
        self.done(self.http.post("/settings", json=switches))

    def advance(self, seconds: float) -> None:
        self.done(self.http.post("/clock", json={"advance": seconds}))

    def posts(self, account: Account, **query: Any) -> list[dict[str, Any]]:
        """What is live on the account, oldest first."""
        return list(self.done(self.http.get("/ledger", params={"account": account.id, **query}))["posts"])

    def requests(self, account: Account, call: str) -> list[dict[str, Any]]:
        return list(self.done(self.http.get("/requests", params={"account": account.id, "call": call}))["requests"])

    def sample(self, name: str, **parameters: int) -> bytes:
        answer = self.http.get(f"/media/{name}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.content

    @staticmethod
    def done(answer: httpx.Response) -> Any:
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def close(self) -> None:
        self.http.close()
        for account in self._accounts:
            account.http.close()


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    server = build("127.0.0.1", 0, "warning")
    thread = Thread(target=server.run, name="sandbox")
    thread.start()
    eventually(lambda: server.started or not thread.is_alive())
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def control(sandbox_url: str) -> Iterator[Control]:
    control = Control(sandbox_url)
    control.done(control.http.post("/reset"))
    yield control
    control.close()


@pytest.fixture
def wait() -> Callable[[Callable[[], Any]], Any]:
    return eventually
