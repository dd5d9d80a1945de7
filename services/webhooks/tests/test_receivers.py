"""Receivers as they come, at the other end of real sockets: the engine and its client, in virtual time."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trustme

from contracts.webhooks import Attempt
from guarded.client import GuardedClient
from guarded.urls import ANYWHERE

Play = Callable[..., None]
Said = Sequence[bytes | float]
"""What a receiver sends, and the seconds for which it waits in between."""

FINAL = "Content-Length: 6\r\n\r\nanswer"
DISCONNECTED = "The connection was closed before there was an answer."
OK = b"HTTP/1.1 200 OK\r\n"
BLOCK = b"x" * 65_536
RESET: Said = ()
NOT_TLS = b"HTTP/1.1 400 Plain HTTP, please\r\n\r\n"


@pytest.fixture
def under_way() -> float:
    return 0.05


@asynccontextmanager
async def listening(says: Callable[[str], Said], tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a server that says this to whoever asks for a path, once a connection."""

    async def answer(reader: asyncio.StreamReader) -> Said:
        if await reader.readexactly(1) != b"P":
            return (NOT_TLS,)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line[15:] for line in head.lower().splitlines() if line.startswith(b"content-length:"))
        await reader.readexactly(int(length))
        return says(head.split()[1].decode())

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await answer(reader)
        if said is RESET:
            writer.transport.abort()
        for part in said:
            if isinstance(part, float):
                await asyncio.sleep(part)
            else:
                writer.write(part)
                await writer.drain()
        writer.close()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handling.append(asyncio.create_task(handle(reader, writer)))

    handling: list[asyncio.Task[None]] = []
    server = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=tls, backlog=1_000)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for task in handling:
        task.cancel()
    await asyncio.gather(*handling, return_exceptions=True)


async def attempts(world: Any, urls: Mapping[str, str]) -> dict[str, Attempt]:
    """The first one of one event at each of these endpoints, by name."""
    client = world.courier.sender = GuardedClient(ANYWHERE, user_agent="test")
    for name, url in urls.items():
        world.targets.add(name)
        world.targets.change(name, url=url)
    await world.record()
    await asyncio.sleep(20)
    await client.close()
    return {name: world.deliveries.of(name)[0].log[0] for name in urls}


@pytest.mark.parametrize("first", range(100, 600, 100))
def test_each_status_of_a_real_answer(play: Play, first: int) -> None:
    """From 100 to 599, a hundred at a time for want of sockets. What is not final is no answer, and nobody follows a
    redirect.
    """
    statuses = range(first, first + 100)

    async def scenario(world: Any) -> None:
        asked: set[str] = set()

        def says(path: str) -> Said:
            asked.add(path)
            status = int(path[1:])
            rest = "\r\n" if status < 200 or status in (204, 304) else FINAL
            return (f"HTTP/1.1 {status} Said\r\nLocation: /inside\r\n{rest}".encode(),)

        async with listening(says) as port:
            made = await attempts(world, {str(each): f"http://127.0.0.1:{port}/{each}" for each in statuses})
        for status in statuses:
            (delivery,) = world.deliveries.of(str(status))
            attempt, endpoint = made[str(status)], world.targets.known[str(status)].endpoint
            if status < 200 and status != 101:
                assert (attempt.status, attempt.error) == (None, DISCONNECTED), status
            else:
                assert (attempt.status, attempt.error) == (status, None)
                assert attempt.response == ("" if status in (101, 204, 304) else "answer"), status
            expected = "delivered" if 200 <= status < 300 else "failed" if status == 410 else "pending"
            assert delivery.status == expected, status
            assert endpoint.status == ("disabled" if status == 410 else "enabled"), status
        assert asked == {f"/{status}" for status in statuses}

    play(scenario)


SAYS: Mapping[str, Said] = {
    "well": (OK, b"Content-Length: 2\r\n\r\nok"),
    "just_in_time": (14.9, OK, b"Content-Length: 2\r\n\r\nok"),
    "stalling_body": (OK, b"Content-Length: 100\r\n\r\nbeginning", 3_600.0),
    "long": (OK, b"Content-Length: 3000\r\n\r\n", b"x" * 3_000),
    "bytes": (OK, b"Content-Length: 3\r\n\r\na\xff\x00"),
    "huge": (OK, b"Content-Length: 1000000000\r\n\r\n", *[BLOCK] * 15_000),
    "endless": (OK, b"Transfer-Encoding: chunked\r\n\r\n", *[b"10000\r\n" + BLOCK + b"\r\n"] * 100_000),
    "silent": (3_600.0,),
    "dripping_head": (OK, b"X-Slow: ", *(b"z", 1.0) * 3_600),
    "endless_head": (OK, *[b"X-More: " + BLOCK[:4_000] + b"\r\n"] * 100_000),
    "not_http": (b"SSH-2.0-OpenSSH_9.2\r\n",),
    "resetting": RESET,
}
ACCEPTED = {
    "well": "ok",
    "just_in_time": "ok",
    "stalling_body": "beginning",
    "long": "x" * 1_024,
    "bytes": "a\ufffd\x00",
    "huge": "x" * 1_024,
    "endless": "x" * 1_024,
}
FAILED = {
    "silent": "There was no answer in time.",
    "dripping_head": "There was no answer in time.",
    "endless_head": "What came back is not an HTTP answer.",
    "not_http": "What came back is not an HTTP answer.",
    "resetting": DISCONNECTED,
    "nobody": "No connection could be made.",
    "no_tls": "TLS could not be agreed on: is the certificate valid for this name?",
    "unvouched": "TLS could not be agreed on: is the certificate valid for this name?",
}


def test_whatever_a_receiver_does_the_log_says_it(play: Play) -> None:
    """Status, time and the first kB of the answer, or why there is none; and no receiver holds up another."""
    unvouched = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(unvouched)

    def says(path: str) -> Said:
        return SAYS[path[1:]]

    async def scenario(world: Any) -> None:
        async with listening(says) as port, listening(says, unvouched) as tls_port:
            urls = {name: f"http://127.0.0.1:{port}/{name}" for name in SAYS}
            urls["nobody"] = "http://127.0.0.1:1/"
            urls["no_tls"] = f"https://127.0.0.1:{port}/well"
            urls["unvouched"] = f"https://127.0.0.1:{tls_port}/well"
            made = await attempts(world, urls)
        assert {name: (made[name].status, made[name].response) for name in ACCEPTED} == {
            name: (200, response) for name, response in ACCEPTED.items()
        }
        assert {name: (made[name].status, made[name].error) for name in FAILED} == {
            name: (None, error) for name, error in FAILED.items()
        }
        statuses = {name: world.deliveries.of(name)[0].status for name in urls}
        assert statuses == dict.fromkeys(ACCEPTED, "delivered") | dict.fromkeys(FAILED, "pending")
        for name in ("silent", "dripping_head"):
            assert made[name].milliseconds == 15_000, name
        assert made["just_in_time"].milliseconds == 14_900
        assert made["well"].milliseconds == 0

    play(scenario)
