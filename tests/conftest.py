"""What tests of the whole system share: a client of the gateway, accounts to publish to, the platforms' own ledger."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import httpx
import pytest

from contracts.content import Platform
from contracts.ids import new_id
from localstack.stack import Stack

API = "/api/v1/creator/social"
PATIENCE = 60.0
"""Seconds after which a condition that never comes true fails its test; nothing waits this long when all is well."""


def eventually(probe: Callable[[], Any], *, seconds: float = PATIENCE, what: str = "the condition") -> Any:
    """The first truthy answer of `probe`."""
    deadline = time.monotonic() + seconds
    while not (answer := probe()):
        assert time.monotonic() < deadline, f"{what} did not come true in {seconds:g} s; the last answer was {answer!r}"
        time.sleep(0.02)
    return answer


@pytest.fixture(name="eventually")
def _eventually() -> Callable[..., Any]:
    return eventually


class Client:
    """The API as one user of one tenant sees it. Every write carries a fresh idempotency key unless given one."""

    def __init__(self, stack: Stack, tenant: str, sub: str = "user_001", role: str = "content_manager") -> None:
        self.tenant = tenant
        self.sub = sub
        self.token = stack.token(role=role, tenant=tenant, sub=sub)
        self._http = httpx.Client(
            base_url=stack.gateway_url,
            headers={"Authorization": f"Bearer {self.token}"},
            trust_env=False,
            timeout=30.0,
        )

    def request(
        self, method: str, path: str, body: object = None, *, key: str | None = None, **options: Any
    ) -> httpx.Response:
        headers = dict(options.pop("headers", {}))
        if method not in {"GET", "HEAD"}:
            headers.setdefault("Idempotency-Key", key or new_id("key"))
        if body is not None:
            options["json"] = body
        return self._http.request(method, API + path, headers=headers, **options)

    def get(self, path: str, **query: Any) -> Any:
        return self._expect(200, self.request("GET", path, params=query))

    def post(self, path: str, body: object = None, *, status: int = 200, **options: Any) -> Any:
        return self._expect(status, self.request("POST", path, body, **options))

    def put(self, path: str, body: object, *, status: int = 200, **options: Any) -> Any:
        return self._expect(status, self.request("PUT", path, body, **options))

    def delete(self, path: str, *, status: int = 204, **options: Any) -> Any:
        return self._expect(status, self.request("DELETE", path, **options))

    def refused(self, status: int, code: str, method: str, path: str, body: object = None, **options: Any) -> Any:
        """The problem that this request is answered with."""
        answer = self.request(method, path, body, **options)
        assert answer.status_code == status, f"{answer.status_code} {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["code"] == code, problem
        assert problem["status"] == status
        return problem

    def settled(self, post_id: str, *statuses: str, seconds: float = PATIENCE) -> Any:
        """The post once it has reached one of these statuses."""
        return eventually(
            lambda: post if (post := self.get(f"/posts/{post_id}"))["status"] in statuses else None,
            seconds=seconds,
            what=f"{post_id} being {' or '.join(statuses)}",
        )

    @staticmethod
    def _expect(status: int, answer: httpx.Response) -> Any:
        assert answer.status_code == status, f"{answer.request.method} {answer.request.url}: {answer.text}"
        return answer.json() if answer.content else None


@dataclass(frozen=True)
class Account:
    """A connected account: `id` is ours, `platform_user_id` the platform's."""

    id: str
    platform: Platform
    platform_user_id: str


class Sandbox:
    """The platforms, seen from behind."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=f"{url}/_sandbox", trust_env=False, timeout=30.0)

    def live(self, account: Account) -> list[dict[str, Any]]:
        """What is live on the account, oldest first."""
        return list(self._get("/ledger", account=account.platform_user_id)["posts"])

    def requests(self, account: Account, call: str) -> list[dict[str, Any]]:
        return list(self._get("/requests", account=account.platform_user_id, call=call)["requests"])

    def fault(self, account: Account, call: str, fault: str, *, times: int = 1, after: int = 0, **params: Any) -> None:
        """The `times` requests after the next `after` of them go wrong."""
        script = {
            "platform": account.platform,
            "account": account.platform_user_id,
            "call": call,
            "fault": fault,
            "times": times,
            "after": after,
            "params": params,
        }
        answer = self._http.post("/faults", json=script)
        assert answer.status_code == 201, answer.text

    def change_settings(self, changes: dict[str, Any]) -> None:
        answer = self._http.post("/settings", json=changes)
        assert answer.status_code == 200, answer.text

    def media(self, name: str, **parameters: int) -> str:
        """The address of a sample file."""
        return str(httpx.URL(f"{self.url}/_sandbox/media/{name}", params=parameters))

    def _get(self, path: str, **query: str) -> Any:
        answer = self._http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="session")
def sandbox(stack: Stack) -> Sandbox:
    """Without quotas, as this suite publishes more in minutes than a platform lets one account publish in a day, and
    without the platforms' own refusal of repetitions, which would hide ours.
    """
    sandbox = Sandbox(stack.sandbox_url)
    lenient = {"rate_limits": {"enabled": False}, "duplicate_window_seconds": 0}
    sandbox.change_settings({"twitter": lenient, "linkedin": lenient})
    return sandbox


@pytest.fixture
def connect(stack: Stack, session_tenant: str) -> Callable[..., Account]:
    """Makes an account at a platform and connects it."""

    def connect(tenant: str, platform: Platform, **options: Any) -> Account:
        assert tenant != session_tenant, "other tests rely on it having one account on X and one on LinkedIn"
        account_id = stack.connect_account(tenant, platform, **options)
        return Account(account_id, platform, stack.platform_user_id(account_id))

    return connect


@pytest.fixture
def connect_with(stack: Stack) -> Callable[[str, str], str]:
    """Connects an account on X with this token, which X does not know; returns what the command has written."""

    def connect_with(tenant: str, token: str) -> str:
        account = {
            "tenant_id": tenant,
            "platform": "twitter",
            "platform_user_id": "1",
            "username": "canary",
            "display_name": "Canary",
            "followers": 1,
            "account_type": "profile",
            "permissions": ["post"],
            "access_token": token,
            "refresh_token": f"{token}-refresh",
        }
        connected = subprocess.run(
            [sys.executable, "-m", "publisher", "connect"],
            input=json.dumps(account),
            env={**os.environ, **stack.process("publisher").environment},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return connected.stdout + connected.stderr

    return connect_with


@pytest.fixture(scope="session")
def session_tenant() -> str:
    return new_id("tenant")


@pytest.fixture(scope="session")
def twitter(stack: Stack, session_tenant: str) -> Account:
    account_id = stack.connect_account(
        session_tenant, "twitter", username="mycompany", display_name="My Company", followers=15_420
    )
    return Account(account_id, "twitter", stack.platform_user_id(account_id))


@pytest.fixture(scope="session")
def linkedin(stack: Stack, session_tenant: str) -> Account:
    account_id = stack.connect_account(
        session_tenant, "linkedin", username="my-company", display_name="My Company", followers=8_500
    )
    return Account(account_id, "linkedin", stack.platform_user_id(account_id))


@pytest.fixture(scope="session")
def client(stack: Stack, session_tenant: str, sandbox: Sandbox, twitter: Account, linkedin: Account) -> Client:
    """A tenant with one account on X and one page on LinkedIn."""
    return Client(stack, session_tenant)


@dataclass(frozen=True)
class Everywhere:
    """A tenant with one account on each platform."""

    client: Client
    accounts: dict[Platform, Account]


@pytest.fixture(scope="module")
def everywhere(stack: Stack, sandbox: Sandbox) -> Everywhere:
    """Anew for each module: TikTok and Instagram let one account publish a few times a day only."""
    tenant = new_id("tenant")

    def account(platform: Platform) -> Account:
        account_id = stack.connect_account(tenant, platform, username=f"brand.{platform}")
        return Account(account_id, platform, stack.platform_user_id(account_id))

    return Everywhere(Client(stack, tenant), {platform: account(platform) for platform in get_args(Platform)})


@pytest.fixture
def stranger(stack: Stack) -> Client:
    """A user of another tenant, who has nothing."""
    return Client(stack, new_id("tenant"))


@pytest.fixture
def as_role(stack: Stack) -> Callable[..., Client]:
    """A user with this role, of a tenant of their own unless one is named."""

    def as_role(role: str, tenant: str | None = None) -> Client:
        return Client(stack, tenant or new_id("tenant"), role=role)

    return as_role
