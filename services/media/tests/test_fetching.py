"""URLs from strangers: none of them reaches our own network, however it is written and wherever it leads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from libs.guarded.tests.payloads import HOSTS

from guarded.client import GuardedClient
from guarded.urls import ANYWHERE, PUBLIC_WEB
from media.adapters.fetching import FetchedFile, Fetcher, FetchFailedError, FetchRefusedError

URLS = (
    *(f"http://{host}:{{port}}/a.png" for host in HOSTS),
    "http://user:password@127.0.0.1:{port}/",
    "http://example.com@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@example.com/",
    "http://127.0.0.1\\@example.com:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://127.0.0.1%00.example.com:{port}/",
    "http:///127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_x",
    "file:///etc/passwd",
    "ftp://127.0.0.1:{port}/a",
    "data:image/png;base64,AAAA",
    "jar:http://127.0.0.1:{port}/!/",
    "http://127.0.0.1:{port}/\r\nHost: a",
    "//127.0.0.1:{port}/",
    "",
)


class Canary:
    """Listens on this machine, and counts who comes."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    canary = Canary()
    server = await asyncio.start_server(canary.serve, "127.0.0.1", 0)
    canary.port = server.sockets[0].getsockname()[1]
    yield canary
    server.close()
    await server.wait_closed()


def test_there_are_enough() -> None:
    assert len(URLS) >= 60


async def test_none_is_called(canary: Canary, tmp_path: Path) -> None:
    client = GuardedClient(PUBLIC_WEB, user_agent="test")
    fetcher = Fetcher(client, max_bytes=100)
    for url in URLS:
        with pytest.raises((FetchRefusedError, FetchFailedError)):
            await fetcher.fetch(url.format(port=canary.port), tmp_path / "file")
    await client.close()
    assert canary.connections == 0


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["::1"], ["64:ff9b::7f00:1"]])
async def test_a_name_that_leads_inside_is_not_followed(addresses: list[str], canary: Canary, tmp_path: Path) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return addresses

    client = GuardedClient(PUBLIC_WEB, user_agent="test", resolve=resolve)
    with pytest.raises(FetchRefusedError) as caught:
        await Fetcher(client, max_bytes=100).fetch("http://cdn.example.com:8080/a.png", tmp_path / "file")
    await client.close()
    assert caught.value.rule == "media.url"
    assert canary.connections == 0


async def test_a_name_that_changes_its_mind_is_asked_once(canary: Canary, tmp_path: Path) -> None:
    """DNS rebinding: what is checked is what is dialled."""
    answers = [["192.0.2.77"], ["127.0.0.1"]]

    async def resolve(_host: str, _port: int) -> list[str]:
        return answers.pop(0) if answers else ["127.0.0.1"]

    client = GuardedClient(PUBLIC_WEB, user_agent="test", resolve=resolve)
    for _ in range(3):
        with pytest.raises((FetchRefusedError, FetchFailedError)):
            await Fetcher(client, max_bytes=100).fetch("http://cdn.example.com:8080/a.png", tmp_path / "file")
    await client.close()
    assert canary.connections == 0


@pytest.mark.parametrize(
    "location",
    ["http://[::ffff:169.254.169.254]/", "http://127.0.0.1:1/", "file:///etc/passwd", "//localhost/", "gopher://a/"],
)
async def test_redirects_are_checked_like_the_first_address(location: str, canary: Canary, tmp_path: Path) -> None:
    """The canary plays the public server; where it sends us is judged by the rules for strangers."""
    canary.answer = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
    first = GuardedClient(ANYWHERE, user_agent="test")
    strict = GuardedClient(PUBLIC_WEB, user_agent="test")

    class Leading(GuardedClient):
        def get(self, url: str, **options):  # type: ignore[no-untyped-def]
            return (first if str(canary.port) in url else strict).get(url, **options)

    leading = Leading(PUBLIC_WEB, user_agent="test")
    with pytest.raises(FetchRefusedError):
        await Fetcher(leading, max_bytes=100).fetch(f"http://127.0.0.1:{canary.port}/", tmp_path / "file")
    for client in (first, strict, leading):
        await client.close()
    assert canary.connections == 1


async def test_what_may_be_fetched_is_fetched_within_bounds(canary: Canary, tmp_path: Path) -> None:
    client = GuardedClient(ANYWHERE, user_agent="test")
    url = f"http://127.0.0.1:{canary.port}/a.png"
    found = await Fetcher(client, max_bytes=2).fetch(url, tmp_path / "file")
    assert isinstance(found, FetchedFile)
    assert ((tmp_path / "file").read_bytes(), found.size) == (b"ok", 2)
    with pytest.raises(FetchRefusedError) as caught:
        await Fetcher(client, max_bytes=1).fetch(url, tmp_path / "file")
    assert caught.value.rule == "media.size"
    canary.answer = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(FetchFailedError):
        await Fetcher(client, max_bytes=2).fetch(url, tmp_path / "file")
    canary.answer = b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(FetchRefusedError):
        await Fetcher(client, max_bytes=2).fetch(url, tmp_path / "file")
    await client.close()
