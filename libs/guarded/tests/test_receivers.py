"""Servers of every kind: slow, endless, lying, breaking. The call ends in time, with what can be said."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from guarded.client import CallFailedError, GuardedClient, TooLargeError
from guarded.urls import ANYWHERE

Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Serve = Callable[[Behave], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    servers: list[asyncio.Server] = []

    async def serve(behave: Behave) -> str:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await behave(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"

    yield serve
    for server in servers:
        server.close()


@pytest.fixture
async def client() -> AsyncIterator[GuardedClient]:
    client = GuardedClient(ANYWHERE, user_agent="test")
    yield client
    await client.close()


async def request_of(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    return head + await reader.readexactly(length)


async def post(client: GuardedClient, url: str, **more: Any) -> Any:
    options = {"body": b'{"a":1}', "headers": {"X-Mine": "yes"}, "seconds": 5.0, "max_bytes": 1_024, **more}
    return await client.post(url, **options)


async def test_an_ordinary_answer(client: GuardedClient, serve: Serve) -> None:
    seen: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request_of(reader))
        writer.write(b"HTTP/1.1 201 Made\r\nContent-Length: 2\r\nRetry-After: 7\r\n\r\nok")
        await writer.drain()

    answer = await post(client, await serve(behave))
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (201, b"ok", "7")
    assert b"User-Agent: test" in seen[0]
    assert b"X-Mine: yes" in seen[0]
    assert seen[0].endswith(b'{"a":1}')


async def test_one_connection_is_used_again(client: GuardedClient, serve: Serve) -> None:
    connections = 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await request_of(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + b"x" * 3_000)
            await writer.drain()

    url = await serve(behave)
    for _ in range(10):
        assert len((await post(client, url)).body) == 1_024
    assert connections == 1


async def test_a_kept_connection_that_was_closed_costs_nothing(client: GuardedClient, serve: Serve) -> None:
    served = 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        await request_of(reader)
        served += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await reader.readexactly(1)  # the next request comes, and is not answered

    url = await serve(behave)
    for _ in range(5):
        assert (await post(client, url, repeatable=True)).status == 200
    assert served == 5


async def test_cookies_are_not_carried_to_others(client: GuardedClient, serve: Serve) -> None:
    seen: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request_of(reader))
        writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()

    url = await serve(behave)
    await post(client, url)
    await post(client, url)
    assert b"cookie" not in seen[1].lower()


@pytest.mark.parametrize("seconds", [0.3])
async def test_silence_ends_in_time(client: GuardedClient, serve: Serve, seconds: float) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    with pytest.raises(CallFailedError) as failed:
        await post(client, await serve(behave), seconds=seconds)
    assert failed.value.cause == "timeout"


async def test_a_head_that_drips_ends_in_time(client: GuardedClient, serve: Serve) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        for character in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"z" * 10_000:
            writer.write(bytes([character]))
            await writer.drain()
            await asyncio.sleep(0.05)

    with pytest.raises(CallFailedError) as failed:
        await post(client, await serve(behave), seconds=0.5)
    assert failed.value.cause == "timeout"


async def test_headers_without_end_are_not_swallowed(client: GuardedClient, serve: Serve) -> None:
    sent = 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while sent < 200 << 20:
            line = b"X-Header-%d: " % sent + b"y" * 4_000 + b"\r\n"
            writer.write(line)
            sent += len(line)
            await writer.drain()

    with pytest.raises(CallFailedError):
        await post(client, await serve(behave), seconds=5)
    assert sent < 20 << 20


@pytest.mark.parametrize(
    "head", [b"Content-Length: 1000000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n", b"\r\n"]
)
async def test_a_body_without_end_is_left(client: GuardedClient, serve: Serve, head: bytes) -> None:
    sent = 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n" + head)
        block = b"x" * 65_536
        while sent < 1 << 30:
            writer.write(b"10000\r\n" + block + b"\r\n" if b"chunked" in head else block)
            sent += len(block)
            await writer.drain()

    answer = await post(client, await serve(behave))
    assert (answer.status, len(answer.body)) == (200, 1_024)
    assert sent < 32 << 20


async def test_a_body_that_drips_does_not_undo_the_status(
    client: GuardedClient, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guarded.client.BODY_SECONDS", 0.2)

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\nbeginning")
        await writer.drain()
        await reader.read()

    answer = await post(client, await serve(behave))
    assert (answer.status, answer.body) == (200, b"beginning")


async def test_nothing_is_inflated(client: GuardedClient, serve: Serve) -> None:
    bomb = gzip.compress(b"\0" * (50 << 20))

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb)
        await writer.drain()

    answer = await post(client, await serve(behave))
    assert answer.body == bomb[:1_024]


@pytest.mark.parametrize(
    "bytes_back",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/9.9 abc def\r\n\r\n",
        b"\x00\x01\x02\x03",
        b"HTTP/1.1 200 OK\r\nbroken\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_a_failure(client: GuardedClient, serve: Serve, bytes_back: bytes) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(bytes_back)
        await writer.drain()

    with pytest.raises(CallFailedError) as failed:
        await post(client, await serve(behave))
    assert failed.value.cause in ("broken", "not_http")


async def test_a_reset_is_a_failure(client: GuardedClient, serve: Serve) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.transport.abort()

    with pytest.raises(CallFailedError) as failed:
        await post(client, await serve(behave))
    assert failed.value.cause == "broken"


async def test_nobody_there(client: GuardedClient, serve: Serve) -> None:
    with pytest.raises(CallFailedError) as failed:
        await post(client, "http://127.0.0.1:1/")
    assert failed.value.cause == "unreachable"


async def test_tls_that_is_none(client: GuardedClient, serve: Serve) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Plain\r\n\r\n")
        await writer.drain()

    with pytest.raises(CallFailedError) as failed:
        await post(client, (await serve(behave)).replace("http:", "https:"))
    assert failed.value.cause == "tls"


async def test_a_download_comes_bit_by_bit_and_within_its_bounds(client: GuardedClient, serve: Serve) -> None:
    content = bytes(range(256)) * 4_000

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + content)
        await writer.drain()

    url = await serve(behave)
    async with client.get(url, seconds=5, max_bytes=len(content)) as download:
        assert download.status == 200
        assert b"".join([chunk async for chunk in download.chunks]) == content
    async with client.get(url, seconds=5, max_bytes=len(content) - 1) as download:
        with pytest.raises(TooLargeError):
            async for _ in download.chunks:
                pass


async def test_a_download_that_says_it_is_too_large_is_not_begun(client: GuardedClient, serve: Serve) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with client.get(await serve(behave), seconds=5, max_bytes=1_000) as download:
        with pytest.raises(TooLargeError):
            async for _ in download.chunks:
                pass


async def test_a_download_that_stalls_ends_in_time(client: GuardedClient, serve: Serve) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbeginning")
        await writer.drain()
        await reader.read()

    async with client.get(await serve(behave), seconds=0.5, max_bytes=1_000) as download:
        with pytest.raises(CallFailedError) as failed:
            async for _ in download.chunks:
                pass
    assert failed.value.cause == "timeout"
