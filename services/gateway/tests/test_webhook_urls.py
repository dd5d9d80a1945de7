"""URLs of webhooks that lead into a private network, as users send them: through the gateway and the webhooks service
as they are, under the rules of production. The endpoints' own rules decide; only names, store and log are in memory.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import datetime
from typing import Any

import httpx
import pytest
from libs.guarded.tests.payloads import ANSWERS, PAYLOADS, watch_dials

from contracts.endpoints import Endpoint, EndpointCommand
from contracts.messages import Event
from contracts.verdicts import Refusal
from eventlog.aggregate import NotFound
from gateway.webhooks import HttpWebhooks
from guarded.client import GuardedClient
from guarded.urls import PUBLIC_HTTPS, ForbiddenUrlError, check
from webhooks.domain.endpoint import EndpointAggregate
from webhooks.domain.signing import Signer
from webhooks.entrypoints import internal
from webhooks.managing import Managing

SECRET = "s" * 43
PUBLIC = "https://93.184.216.34/hook"
NOT_PUBLIC = "The name leads to an address that is not on the public internet."


class Endpoints:
    """Endpoints, their log and their keys."""

    def __init__(self) -> None:
        self.known: dict[str, Endpoint] = {}
        self.events: list[Event] = []
        self.keys: dict[str, Signer] = {}
        self._aggregate = EndpointAggregate()

    async def get(self, tenant_id: str, endpoint_id: str) -> Endpoint | None:
        found = self.known.get(endpoint_id)
        return found if found is not None and found.tenant_id == tenant_id else None

    async def count(self, tenant_id: str) -> int:
        return len(self.known)

    async def ask(self, command: EndpointCommand, *, command_id: str) -> Endpoint:
        before = self.known.get(command.endpoint_id)
        decided = self._aggregate.decide(before, command)
        assert decided is not None
        assert not isinstance(decided, Refusal | NotFound)
        self.events.append(decided)
        self.known[command.endpoint_id] = self._aggregate.evolve(before, decided)
        return self.known[command.endpoint_id]

    async def ensure(self, tenant_id: str, endpoint_id: str, key_id: str, now: datetime) -> Signer:
        return self.keys.setdefault(key_id, Signer.generate())

    async def show(self, tenant_id: str, endpoint_id: str, key_id: str) -> str | None:
        return self.keys[key_id].secret


class Names:
    """A resolver. Names it was not told of do not exist."""

    def __init__(self) -> None:
        self.known: dict[str, Sequence[str]] = {}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host not in self.known:
            raise socket.gaierror("no such name")
        return self.known[host]


class Inside(HttpWebhooks):
    """Without a network between."""

    def __init__(self, managing: Managing) -> None:
        super().__init__("http://webhooks", SECRET)
        app: Any = internal.create_app(managing, secret=SECRET)
        outside = self._http
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url=outside.base_url, headers=outside.headers
        )


@pytest.fixture
def endpoints() -> Endpoints:
    return Endpoints()


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
async def manager(
    make_world: Callable[[], Any], endpoints: Endpoints, names: Names
) -> AsyncIterator[httpx.AsyncClient]:
    world = make_world()
    anything: Any = endpoints
    guarded = GuardedClient(PUBLIC_HTTPS, user_agent="test", resolve=names)
    inside = Inside(
        Managing(
            endpoints=anything,
            signers=anything,
            deliveries=anything,
            feed=anything,
            endpoint_log=anything,
            urls=guarded,
            partition_of=lambda _endpoint_id: 0,
            most_endpoints=100,
            now=world.clock,
            notice=lambda _endpoint_id: True,
        )
    )
    world.webhooks.call = inside.call
    with watch_dials() as dialled:
        async with world.client(roles=["manager"]) as api:
            yield api
    await inside.close()
    await guarded.close()
    assert dialled == []


async def send(manager: httpx.AsyncClient, endpoint_id: str | None, url: str) -> httpx.Response:
    """Creates an endpoint, or changes the one that there is."""
    if endpoint_id is None:
        return await manager.post("/webhooks", json={"url": url})
    return await manager.put(f"/webhooks/{endpoint_id}", json={"url": url})


@pytest.fixture(params=["create", "update"])
async def target(request: pytest.FixtureRequest, manager: httpx.AsyncClient, names: Names) -> str | None:
    """What the URL is for: a new endpoint, or this one."""
    if request.param == "create":
        return None
    made = await manager.post("/webhooks", json={"url": PUBLIC})
    assert made.status_code == 201
    names.asked.clear()
    identity: str = made.json()["id"]
    return identity


def refusal(url: str) -> tuple[str, str] | None:
    """Code and reason, where the URL's looks decide."""
    try:
        check(url)
    except ForbiddenUrlError as error:
        return "url_not_allowed", str(error)
    return None


async def refused(manager: httpx.AsyncClient, target: str | None, urls: Collection[str]) -> dict[str, tuple[str, str]]:
    """Code and reason of each refusal."""
    found = {}
    for url in urls:
        answer = await send(manager, target, url)
        assert answer.status_code == 400, (url, answer.text)
        problem = answer.json()
        (error,) = problem["errors"]
        assert error["pointer"] == "/url", url
        found[url] = problem["code"], error["message"]
    return found


async def test_private_urls_are_refused_with_the_reason(
    manager: httpx.AsyncClient, endpoints: Endpoints, names: Names, target: str | None
) -> None:
    before = (dict(endpoints.known), list(endpoints.events), dict(endpoints.keys))
    sized = [url for url in PAYLOADS if 1 <= len(url) <= 2_048]
    assert len(sized) >= 100
    assert await refused(manager, target, sized) == {url: refusal(url) for url in sized}
    # The length is the gateway's affair.
    others = await refused(manager, target, [url for url in PAYLOADS if url not in sized])
    assert {code for code, _ in others.values()} == {"invalid_content"}
    assert (endpoints.known, endpoints.events, endpoints.keys) == before
    assert names.asked == [], "no name server hears of them"


async def test_names_with_any_private_address_are_refused(
    manager: httpx.AsyncClient, endpoints: Endpoints, names: Names, target: str | None
) -> None:
    names.known = {f"private-{number}.example.com": answer for number, answer in enumerate(ANSWERS) if answer}
    before = (dict(endpoints.known), list(endpoints.events), dict(endpoints.keys))
    urls = [f"https://{name}/hook" for name in names.known]
    assert await refused(manager, target, urls) == dict.fromkeys(urls, ("url_not_allowed", NOT_PUBLIC))
    assert (endpoints.known, endpoints.events, endpoints.keys) == before


async def test_names_that_may_be_public_are_accepted(
    manager: httpx.AsyncClient, endpoints: Endpoints, names: Names, target: str | None
) -> None:
    """Where they lead is looked at again whenever they are called."""
    names.known = {"empty.example.com": (), "public.example.com": ("93.184.216.34", "2606:2800:220:1::1")}
    for name in ("unknown.example.com", *names.known):
        made = await send(manager, target, f"https://{name}/hook")
        assert made.status_code == (201 if target is None else 200), made.text
        assert endpoints.known[made.json()["id"]].url == f"https://{name}/hook"
    assert names.asked == ["unknown.example.com", *names.known]
