"""The publisher against the real sandbox, with the journal's twin in memory and a clock that tests may move."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from contracts.accounts import Account
from contracts.content import Content, Media, Options
from contracts.messages import Command
from contracts.posts import ReportOutcome
from contracts.publishing import PublishRequested
from publisher.adapters.facebook import FacebookConnector
from publisher.adapters.http import new_client, tls
from publisher.adapters.instagram import InstagramConnector
from publisher.adapters.linkedin import LinkedInConnector
from publisher.adapters.media import MediaFetcher
from publisher.adapters.memory import MemoryJournal
from publisher.adapters.tiktok import TikTokConnector
from publisher.adapters.x import XConnector
from publisher.adapters.youtube import GRAIN, YouTubeConnector
from publisher.domain.budgets import Budgets
from publisher.domain.publication import Policy
from publisher.handlers import Publisher
from publisher.ports import Connector, Secret
from publisher.settings import RETRY_DELAYS
from sandbox.server import build

TENANT = "tenant-1"


class Clock:
    """The real time, moved on: ours and the sandbox's."""

    def __init__(self, control: httpx.AsyncClient) -> None:
        self._control = control
        self._ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    async def sleep(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)
        (await self._control.post("/clock", json={"advance": seconds})).raise_for_status()

    async def reach(self, at: datetime) -> None:
        """Moves on to that instant, unless it is over."""
        await self.sleep(max(0.0, (at - self.now()).total_seconds()))


class FakeAccounts:
    def __init__(self) -> None:
        self.known: dict[str, Account] = {}

    async def get(self, tenant_id: str, account_id: str) -> Account | None:
        account = self.known.get(account_id)
        return account if account is not None and account.tenant_id == tenant_id else None

    def forget(self, account_id: str) -> None:
        pass


class FakeTokens:
    def __init__(self) -> None:
        self.known: dict[str, Secret] = {}

    async def access_token(self, account: Account, *, refused: str | None = None) -> Secret | None:
        return self.known.get(account.account_id)

    def forget(self, account_id: str) -> None:
        pass


class RecordingSender:
    def __init__(self) -> None:
        self.sent: list[tuple[str, Command]] = []

    async def send(self, topic: str, key: str, command: Command, *, command_id: str, **rest: Any) -> None:
        self.sent.append((command_id, command))

    @property
    def outcomes(self) -> list[ReportOutcome]:
        return [command for _, command in self.sent if isinstance(command, ReportOutcome)]


class World:
    """One sandbox, one journal, any number of publisher processes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.control = httpx.AsyncClient(base_url=f"{url}/_sandbox", trust_env=False, verify=tls())
        self.clock = Clock(self.control)
        self.journal = MemoryJournal()
        self.accounts = FakeAccounts()
        self.tokens = FakeTokens()
        self.sender = RecordingSender()
        self.fetcher = MediaFetcher(allow_private=True)
        self._clients = [new_client(f"{url}/{name}", timeout=2.0) for name in ("x", "linkedin", "tiktok")]
        policy = Policy(call_timeout=2.0, fence=5.0, retry_delays=RETRY_DELAYS)
        by_resend = Policy(call_timeout=2.0, fence=5.0, retry_delays=RETRY_DELAYS, resend_window=540.0)
        self.connectors: dict[str, Connector] = {
            "twitter": XConnector(self._clients[0], policy, self.fetcher, Budgets(), now=self.clock.now),
            "linkedin": LinkedInConnector(
                self._clients[1], by_resend, self.fetcher, Budgets(), version="202609", now=self.clock.now
            ),
            "tiktok": TikTokConnector(self._clients[2], policy, self.fetcher, Budgets(), now=self.clock.now),
        }
        graph = [new_client(f"{url}/{name}", timeout=2.0) for name in ("facebook", "instagram")]
        self._clients += graph
        self.connectors["facebook"] = FacebookConnector(
            graph[0], graph[0], policy, self.fetcher, Budgets(), version="v26.0", now=self.clock.now
        )
        self.connectors["instagram"] = InstagramConnector(
            graph[0],
            graph[1],
            graph[0],
            replace(policy, assembles=True, absence_gap=30.0),
            self.fetcher,
            budgets=Budgets(),
            facebook_version="v26.0",
            instagram_version="v26.0",
            now=self.clock.now,
        )
        self._clients.append(new_client(f"{url}/youtube", timeout=2.0))
        self.connectors["youtube"] = YouTubeConnector(
            self._clients[-1], policy, self.fetcher, Budgets(), chunk_bytes=GRAIN, now=self.clock.now
        )
        self._processes = 0

    def process(self) -> Publisher:
        """A publisher that has just started."""
        self._processes += 1
        return Publisher(
            owner=f"process-{self._processes}",
            journal=self.journal,
            accounts=self.accounts,
            tokens=self.tokens,
            connectors=self.connectors,
            sender=self.sender,
            now=self.clock.now,
            sleep=self.clock.sleep,
        )

    async def account(self, platform: str, *, account_type: str = "personal", **more: Any) -> Account:
        body = {"platform": platform, "username": f"u{len(self.accounts.known)}", "display_name": "Amara", **more}
        made = (await self.control.post("/accounts", json=body)).raise_for_status().json()
        account = Account(
            account_id=f"acc-{len(self.accounts.known)}",
            tenant_id=TENANT,
            platform=made["platform"],
            platform_user_id=made["platform_user_id"],
            username=made["username"],
            display_name="Amara",
            account_type=account_type,
            connected_at=self.clock.now(),
        )
        self.accounts.known[account.account_id] = account
        self.tokens.known[account.account_id] = Secret(made["access_token"])
        return account

    def client(self, platform: str) -> httpx.AsyncClient:
        """What the platform's connector speaks through."""
        client: httpx.AsyncClient = vars(self.connectors[platform])["_client"]
        return client

    async def fault(self, account: Account, fault: str, call: str = "create_post", **more: Any) -> None:
        body = {"platform": account.platform, "account": account.platform_user_id, "fault": fault, "call": call, **more}
        (await self.control.post("/faults", json=body)).raise_for_status()

    async def live(self, account: Account) -> list[dict[str, Any]]:
        answer = await self.control.get("/ledger", params={"account": account.platform_user_id})
        posts: list[dict[str, Any]] = answer.raise_for_status().json()["posts"]
        return posts

    async def calls(self, account: Account, call: str) -> int:
        answer = await self.control.get("/requests", params={"account": account.platform_user_id, "call": call})
        return len(answer.raise_for_status().json()["requests"])

    async def accepted_late(self, account: Account) -> None:
        """Waits until what the platform kept back has been handled."""
        async with asyncio.timeout(30):
            while True:
                answer = await self.control.get("/requests", params={"account": account.platform_user_id})
                if any(request["accepted_late_at"] for request in answer.raise_for_status().json()["requests"]):
                    return
                await asyncio.sleep(0.02)

    def request(
        self, account: Account, *parts: Content, attempt: int = 1, options: Options | None = None, **more: Any
    ) -> PublishRequested:
        return PublishRequested(
            post_id="post_1",
            tenant_id=TENANT,
            target_id=f"{account.platform}:{account.account_id}",
            attempt=attempt,
            platform=account.platform,
            account_id=account.account_id,
            parts=parts,
            options=options or {},
            live_parts=(),
            due_at=self.clock.now(),
            unresolved_since=None,
            **more,
        )

    async def run(self, request: PublishRequested, *, publisher: Publisher | None = None) -> ReportOutcome:
        """One job handled; what was reported last."""
        await (publisher or self.process()).publish(request, job_id="job_1")
        return self.sender.outcomes[-1]

    def image(self) -> Media:
        return Media(type="image", url=f"{self.url}/_sandbox/media/image.png", alt_text="A cat")

    async def close(self) -> None:
        for client in (self.control, *self._clients):
            await client.aclose()
        await self.fetcher.close()


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    server = build("127.0.0.1", 0, "warning")
    thread = Thread(target=server.run, name="sandbox")
    thread.start()
    _eventually(lambda: server.started or not thread.is_alive())
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def _eventually(probe: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not probe():
        assert time.monotonic() < deadline, "the sandbox does not start"
        time.sleep(0.01)


@pytest.fixture
async def world(sandbox_url: str) -> AsyncIterator[World]:
    world = World(sandbox_url)
    (await world.control.post("/reset")).raise_for_status()
    yield world
    await world.close()
