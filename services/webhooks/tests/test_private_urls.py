"""Endpoints whose URLs lead into a private network: no attempt connects to anything there, and each says why."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any

import pytest
from libs.guarded.tests.payloads import ANSWERS, HOSTS, PAYLOADS, Canary, watch_dials
from msgspec.structs import replace

from guarded.client import GuardedClient
from guarded.resolving import Resolve
from guarded.urls import ANYWHERE, PUBLIC_HTTPS, ForbiddenUrlError, Rules, check

Play = Callable[..., None]

PUBLIC, LOOPBACK, NOWHERE = ("93.184.216.34",), ("127.0.0.1",), ()
NOT_PUBLIC = "The name leads to an address that is not on the public internet."
UNKNOWN = "The host name is not known."
UNREACHABLE = "No connection could be made."
SAID: Mapping[tuple[str, ...], str] = {PUBLIC: UNREACHABLE, LOOPBACK: NOT_PUBLIC, NOWHERE: UNKNOWN}


def forbidden(url: str, rules: Rules) -> str:
    with pytest.raises(ForbiddenUrlError) as refused:
        check(url, rules)
    return str(refused.value)


def resolver(answers: Mapping[str, Sequence[Sequence[str]]]) -> Resolve:
    """Each name has the answers in turn, and anew from the first. To all other names it says: this machine."""
    turns = {name: cycle(given) for name, given in answers.items()}

    async def resolve(host: str, port: int) -> Sequence[str]:
        found = next(turns[host]) if host in turns else LOOPBACK
        if not found:
            raise socket.gaierror("no such name")
        return found

    return resolve


def beside_production(canary: Canary) -> Rules:
    """As in production, but that the canary's port is allowed too: what gets through reaches it."""
    return replace(PUBLIC_HTTPS, ports=(*PUBLIC_HTTPS.ports, canary.port))


async def attempts(world: Any, client: GuardedClient, urls: Sequence[str], seconds: float) -> dict[str, list[Any]]:
    """What is recorded, by URL, of one event's attempts within that time."""
    world.courier.sender = client
    for number, url in enumerate(urls):
        world.targets.add(f"e{number}")
        world.targets.change(f"e{number}", url=url)
    await world.record()
    await asyncio.sleep(seconds)
    return {url: list(world.deliveries.of(f"e{number}")[0].log) for number, url in enumerate(urls)}


def test_no_attempt_at_a_private_url_connects(play: Play) -> None:
    async def scenario(world: Any) -> None:
        canary = Canary()
        await canary.start()
        rules = beside_production(canary)
        client = GuardedClient(rules, user_agent="test", resolve=resolver({}))
        urls = [*PAYLOADS, *(f"https://{host}:{canary.port}/" for host in HOSTS)]
        with watch_dials() as dialled:
            made = await attempts(world, client, urls, 400)
        await client.close()
        await canary.stop()
        errors = {url: [each.error for each in log] for url, log in made.items()}
        assert errors == {url: [forbidden(url, rules)] * 3 for url in urls}
        assert {(each.status, each.response) for log in made.values() for each in log} == {(None, "")}
        assert {each.status for each in world.deliveries.stored.values()} == {"pending"}
        assert all(world.standings.since.values())
        assert (dialled, canary.connections) == ([], 0)

    play(scenario)


def test_names_that_lead_inside_are_refused_at_every_attempt(play: Play) -> None:
    """Also those that an endpoint may have, since they led elsewhere or nowhere when it was made."""
    turning: dict[str, Sequence[tuple[str, ...]]] = {
        "flipping.example.com": [PUBLIC, LOOPBACK],
        "turned.example.com": [PUBLIC, *[LOOPBACK] * 10],
        "late.example.com": [NOWHERE, *[LOOPBACK] * 10],
        "wavering.example.com": [NOWHERE, PUBLIC, LOOPBACK],
    }
    private = {f"private-{number}.example.com": [answer] for number, answer in enumerate(ANSWERS)}

    async def scenario(world: Any) -> None:
        canary = Canary()
        await canary.start()
        client = GuardedClient(beside_production(canary), user_agent="test", resolve=resolver({**turning, **private}))
        with watch_dials() as dialled:
            for name in turning:
                await client.examine(f"https://{name}:{canary.port}/hook")
            urls = [f"https://{name}:{canary.port}/hook" for name in (*turning, *private)]
            made = await attempts(world, client, urls, 12_000)
        await client.close()
        await canary.stop()
        errors = {check(url, ANYWHERE).host: [each.error for each in log] for url, log in made.items()}
        for name, answers in turning.items():
            turns = cycle(answers)
            next(turns)  # was for the one who examined it
            assert errors.pop(name) == [SAID[next(turns)] for _ in range(5)], name
        assert errors == {name: [NOT_PUBLIC if answer else UNKNOWN] * 5 for name, (answer,) in private.items()}
        assert set(dialled) == set(PUBLIC)
        assert canary.connections == 0

    play(scenario)


def test_the_canary_would_notice(play: Play) -> None:
    async def scenario(world: Any) -> None:
        canary = Canary()
        await canary.start()
        client = GuardedClient(ANYWHERE, user_agent="test", resolve=resolver({}))
        urls = [f"http://{host}:{canary.port}/" for host in ("127.0.0.1", "turned.example.com")]
        with watch_dials() as dialled:
            made = await attempts(world, client, urls, 1)
        await client.close()
        await canary.stop()
        assert [[each.status for each in log] for log in made.values()] == [[200], [200]]
        assert (dialled, canary.connections) == ([*LOOPBACK, *LOOPBACK], 2)

    play(scenario)
