"""What only a real server on a real socket shows: raw bytes, slow clients, large requests, the end of the process."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from gateway.bootstrap import listen
from gateway.protocol import BoundedHttp

BODY = {"content": {"text": "Hello"}, "platforms": [{"platform": "twitter"}]}


@asynccontextmanager
async def serving(world: Any) -> AsyncIterator[tuple[str, int, asyncio.Event]]:
    """The host and port of a running gateway, and the event that ends it."""
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    running = asyncio.create_task(listen(world.app, world.settings, stop, on_ready=ready.set_result))
    try:
        host, port = await ready
        yield host, port, stop
    finally:
        stop.set()
        await running


async def raw(host: str, port: int, request: bytes) -> bytes:
    """Everything the server sends until it closes."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()


def head(world: Any, line: str, *headers: str) -> bytes:
    own = ("Host: gateway", f"Authorization: Bearer {world.issuer.token()}", *headers)
    return "\r\n".join([line, *own, "", ""]).encode("latin-1")


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(gateway_port=0, body_timeout=0.3, drain_notice=0, drain_timeout=5)


async def test_a_whole_request_over_a_socket(world: Any) -> None:
    async with serving(world) as (host, port, _), httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(
            f"http://{host}:{port}/api/v1/creator/social/publish",
            json=BODY,
            headers={"Authorization": f"Bearer {world.issuer.token()}", "Idempotency-Key": "k"},
        )
    assert answer.status_code == 201, answer.text
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_turned_away(world: Any, request_bytes: bytes) -> None:
    async with serving(world) as (host, port, _):
        answer = await raw(host, port, request_bytes)
        assert answer.startswith(b"HTTP/1.1 4") or answer == b""
        assert answer == b"" or b"x-content-type-options: nosniff" in answer.lower()
        healthy = await raw(host, port, b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert healthy.startswith(b"HTTP/1.1 200")


async def test_forged_tokens_are_refused_over_a_socket(world: Any) -> None:
    """A handful, with bytes that a client library would not send; `test_auth.py` has the others."""
    good = world.issuer.token()
    header, payload, signature = good.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt","kid":"k1"}').decode().rstrip("=")
    line = "GET /api/v1/creator/social/posts HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n"
    async with serving(world) as (host, port, _):
        assert (await raw(host, port, f"{line}Authorization: Bearer {good}\r\n\r\n".encode())).startswith(
            b"HTTP/1.1 200"
        )
        for name, authorization in {
            "nothing": "",
            "alg none": f"Bearer {none}.{payload}.",
            "no signature": f"Bearer {header}.{payload}.",
            "signature of zeros": f"Bearer {header}.{payload}.{'A' * 86}",
            "another payload": f"Bearer {header}.{payload[:-2]}AA.{signature}",
            "bytes that are no text": f"Bearer {good}\xff\xfe",
            "a tab": f"Bearer \t{good}",
            "two in one": f"Bearer {good}, Bearer {good}",
            "another scheme": f"Basic {good}",
        }.items():
            request = f"{line}Authorization: {authorization}\r\n\r\n".encode("latin-1")
            answer = await raw(host, port, request)
            assert answer.startswith(b"HTTP/1.1 401"), (name, answer)
            assert b"www-authenticate: bearer" in answer.lower(), name
            assert b'"code":"unauthenticated"' in answer, name
            assert b"Traceback" not in answer, name
        twice = f"{line}Authorization: Bearer {good}\r\nAuthorization: Bearer {good}\r\n\r\n".encode()
        assert (await raw(host, port, twice)).startswith(b"HTTP/1.1 401")
        folded = f"{line}Authorization: Bearer\r\n {good}\r\n\r\n".encode()
        assert not (await raw(host, port, folded)).startswith(b"HTTP/1.1 200")


async def test_odd_paths_are_not_found(world: Any) -> None:
    async with serving(world) as (host, port, _):
        for path in ("/%ff%fe", "/..%2f..%2fetc/passwd", "/api/v1/creator/social/posts/%00/x", "//", "/?%zz"):
            answer = await raw(host, port, head(world, f"GET {path} HTTP/1.1", "Connection: close"))
            assert answer.startswith(b"HTTP/1.1 404"), (path, answer)


async def test_a_slow_body_is_given_up(world: Any) -> None:
    async with serving(world) as (host, port, _):
        answer = await raw(
            host,
            port,
            head(
                world,
                "POST /api/v1/creator/social/posts HTTP/1.1",
                "Content-Type: application/json",
                "Content-Length: 100",
            )
            + b'{"title": ',
        )
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"code":"request_timeout"' in answer
    assert world.log.sent == []


async def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(world: Any) -> None:
    async with serving(world) as (host, port, _):
        _, writer = await asyncio.open_connection(host, port)
        writer.write(
            head(world, "POST /api/v1/creator/social/posts HTTP/1.1", "Content-Length: 100", "Idempotency-Key: k")
            + b'{"title": '
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        healthy = await raw(host, port, b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert healthy.startswith(b"HTTP/1.1 200")
    assert world.log.sent == []
    assert world.records.records == {}


async def test_a_large_body_is_refused_and_the_connection_closed(world: Any) -> None:
    async with serving(world) as (host, port, _):
        answer = await raw(
            host,
            port,
            head(
                world,
                "POST /api/v1/creator/social/posts HTTP/1.1",
                "Content-Type: application/json",
                "Content-Length: 100000000",
            )
            + b"x" * 1_000,
        )
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"code":"body_too_large"' in answer
    assert world.log.sent == []


async def test_headers_beyond_the_limit_are_refused_and_far_beyond_it_not_even_read(world: Any) -> None:
    line = "GET /api/v1/creator/social/posts HTTP/1.1"
    async with serving(world) as (host, port, _):
        answer = await raw(host, port, head(world, line, "X-Much: " + "x" * 40_000))
        assert answer.startswith(b"HTTP/1.1 431")
        beyond = await raw(host, port, head(world, line, "X-Much: " + "x" * 140_000))
        assert beyond.startswith(b"HTTP/1.1 431")
        assert b"x-content-type-options: nosniff" in beyond
        endless = head(world, line, "X-Much: ")[:-4]
        _, writer = await asyncio.open_connection(host, port)
        writer.write(endless)
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(_write_for_ever(writer), 20)
        writer.close()


async def test_a_head_that_never_ends_is_given_up(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedHttp, "head_timeout", 0.1)
    async with serving(world) as (host, port, _):
        for beginning in (b"", b"GET /livez HTTP/1.1\r\nHost: x\r\n"):
            assert await raw(host, port, beginning) == b""
        twice = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 2
        assert (await raw(host, port, twice + b"GET")).count(b"HTTP/1.1 200") == 2


async def test_a_request_in_progress_is_finished_before_the_end(make_world: Any) -> None:
    world = make_world(gateway_port=0, verdict_timeout=5.0)
    world.log.mood = "silent"
    async with serving(world) as (host, port, stop):
        body = json.dumps(BODY).encode()
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(
            head(
                world,
                "POST /api/v1/creator/social/publish HTTP/1.1",
                "Content-Type: application/json",
                f"Content-Length: {len(body)}",
            )
            + body
        )
        await eventually(lambda: _is(bool(world.log.sent)))
        stop.set()
        await eventually(lambda: _refuses_connections(host, port))
        (command,) = world.log.sent
        world.log.tell_waiting(command.post_id)
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 201")


async def test_callers_are_asked_to_leave_before_connections_are_closed(make_world: Any) -> None:
    world = make_world(gateway_port=0, drain_notice=0.5)
    ask = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    async with serving(world) as (host, port, stop):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(ask)
        assert b"connection: close" not in await reader.readuntil(b"\r\n\r\n")
        stop.set()
        writer.write(ask)
        answers = [await asyncio.wait_for(reader.read(), 20), await raw(host, port, ask)]
        writer.close()
    for answer in answers:
        assert answer.count(b"HTTP/1.1 200") == 1
        assert b"connection: close" in answer


async def _write_for_ever(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x" * 10_000)
        await writer.drain()
        await asyncio.sleep(0)


async def eventually(probe: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await probe():  # noqa: ASYNC110  # nothing tells us
            await asyncio.sleep(0.001)


async def _is(value: bool) -> bool:
    return value


async def _refuses_connections(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return True
    writer.close()
    return False
