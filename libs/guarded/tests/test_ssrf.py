"""URLs that lead into a private network, in every disguise: refused, and not one connection made."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Sequence

import pytest
import trustme
from libs.guarded.tests.payloads import ANSWERS, HOSTS, PAYLOADS, Canary, watch_dials

from guarded import addresses
from guarded.client import Answer, CallFailedError, GuardedClient
from guarded.urls import PUBLIC_HTTPS, PUBLIC_WEB, ForbiddenUrlError, Rules, check


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    canary = Canary()
    await canary.start()
    yield canary
    await canary.stop()


def test_there_are_enough_payloads() -> None:
    assert len(set(PAYLOADS)) >= 100


@pytest.mark.parametrize("url", PAYLOADS)
def test_it_is_refused_by_its_looks(url: str) -> None:
    with pytest.raises(ForbiddenUrlError):
        check(url)


@pytest.mark.parametrize("host", HOSTS)
async def test_nothing_is_dialled_on_the_canarys_own_port(canary: Canary, host: str) -> None:
    """As lenient as rules can be without `allow_private`: any of these that got through would reach the canary."""
    rules = Rules(schemes=("http", "https"), ports=(canary.port,))
    client = GuardedClient(rules, user_agent="test")
    for scheme in ("http", "https"):
        for call in ("post", "get"):
            with pytest.raises((ForbiddenUrlError, CallFailedError)):
                await _call(client, call, f"{scheme}://{host}:{canary.port}/")
    await client.close()
    assert canary.connections == 0


async def _call(client: GuardedClient, call: str, url: str) -> Answer | None:
    if call == "post":
        return await client.post(url, body=b"{}", headers={}, seconds=2, max_bytes=100)
    async with client.get(url, seconds=2, max_bytes=100) as download:
        async for _ in download.chunks:
            pass
    return None


@pytest.mark.parametrize("answer", ANSWERS)
async def test_a_name_is_called_only_if_every_address_is_public(canary: Canary, answer: Sequence[str]) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return answer

    client = GuardedClient(Rules(schemes=("http",), ports=(canary.port,)), user_agent="test", resolve=resolve)
    for call in ("post", "get"):
        with pytest.raises(CallFailedError) as failed:
            await _call(client, call, f"http://rebinding.example.com:{canary.port}/")
        assert failed.value.cause in ("not_public", "unknown_name")
        assert "127" not in str(failed.value)
    if answer:
        with pytest.raises(ForbiddenUrlError):
            await client.examine(f"http://rebinding.example.com:{canary.port}/")
    await client.close()
    assert canary.connections == 0


async def test_a_name_that_changes_its_mind_gains_nothing(canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name server answers with a public address first and with the loopback ever after. What is dialled is what was
    checked: each dial has one look-up of its own, and none follows it.
    """
    asked: list[str] = []

    async def flip(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ("93.184.216.34",) if len(asked) % 2 else ("127.0.0.1",)

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: pytest.fail("a second look-up"))
    client = GuardedClient(Rules(schemes=("http",), ports=(canary.port,)), user_agent="test", resolve=flip)
    with watch_dials() as dialled:
        for _ in range(20):
            with pytest.raises(CallFailedError):
                await _call(client, "post", f"http://flipping.example.com:{canary.port}/")
    await client.close()
    assert len(asked) == 20
    assert dialled == ["93.184.216.34"] * 10
    assert canary.connections == 0


@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:{port}/", "http://[::ffff:169.254.169.254]/", "//127.0.0.1:{port}/"]
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(canary: Canary, location: str, status: int) -> None:
    where = location.format(port=canary.port)

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status} Away\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(redirect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = GuardedClient(Rules(schemes=("http",), allow_private=True), user_agent="test")
    answer = await client.post(f"http://127.0.0.1:{port}/", body=b"{}", headers={}, seconds=5, max_bytes=100)
    assert answer.status == status
    async with client.get(f"http://127.0.0.1:{port}/", seconds=5, max_bytes=100) as download:
        assert download.status == status
    await client.close()
    server.close()
    assert canary.connections == 0


async def test_no_proxy_is_asked(canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")

    async def nowhere(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror("no such name")

    client = GuardedClient(PUBLIC_WEB, user_agent="test", resolve=nowhere)
    with pytest.raises(CallFailedError):
        await _call(client, "post", "http://example.com/")
    await client.close()
    assert canary.connections == 0


PUBLIC = (
    "93.184.216.34",
    "1.1.1.1",
    "8.8.8.8",
    "100.128.0.1",
    "172.32.0.1",
    "2606:4700::1111",
    "2a00:1450::1",
    "2001:4860::1",
)


@pytest.mark.parametrize("text", PUBLIC)
def test_what_is_public_is_allowed(text: str) -> None:
    assert addresses.is_public(addresses.read(text))
    host = f"[{text}]" if ":" in text else text
    assert check(f"https://{host}/hook").host == text


def test_nothing_private_to_python_is_public_to_us() -> None:
    """The standard library knows the registries; we refuse at least what it refuses."""
    for network in ("0.0.0.0/4", "96.0.0.0/4", "160.0.0.0/4", "176.0.0.0/4", "192.0.0.0/4", "224.0.0.0/3"):
        base = ipaddress.IPv4Network(network)
        for index in range(0, base.num_addresses, 65_521):
            address = base[index]
            if not address.is_global or address.is_multicast:
                assert not addresses.is_public(address), address


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("https://Example.COM", "https://example.com/"),
        ("https://example.com:443/a?b=c", "https://example.com/a?b=c"),
        ("https://example.com:8443/a", "https://example.com:8443/a"),
        ("https://bücher.example.com/straße?q=ü", "https://xn--bcher-kva.example.com/stra%C3%9Fe?q=%C3%BC"),
        ("https://example.com./", "https://example.com/"),
        ("https://example.com/%2e%2e/%20", "https://example.com/%2e%2e/%20"),
    ],
)
def test_urls_have_one_form(given: str, normal: str) -> None:
    assert check(given).url == normal
    assert check(normal).url == normal


async def test_tls_keeps_the_name_and_checks_it() -> None:
    """Connected to an address, the certificate is still that of the name."""
    authority = trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("hooks.example.com").configure_cert(server_side)
    client_side = ssl.create_default_context()
    authority.configure_trust(client_side)
    seen: list[bytes] = []
    names: list[str | None] = []
    server_side.sni_callback = lambda _socket, name, _context: names.append(name)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 Done\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_side)
    port = server.sockets[0].getsockname()[1]

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ("127.0.0.1",)

    rules = Rules(schemes=("https",), allow_private=True)
    client = GuardedClient(rules, user_agent="test", resolve=resolve, tls=client_side)
    answer = await client.post(f"https://hooks.example.com:{port}/", body=b"{}", headers={}, seconds=5, max_bytes=100)
    assert answer.status == 204
    assert b"Host: hooks.example.com" in seen[0]
    assert names == ["hooks.example.com"]
    with pytest.raises(CallFailedError) as failed:
        await client.post(f"https://other.example.com:{port}/", body=b"{}", headers={}, seconds=5, max_bytes=100)
    assert failed.value.cause == "tls"
    await client.close()
    server.close()


def test_the_rules_for_production_are_https_only() -> None:
    assert PUBLIC_HTTPS.schemes == ("https",)
    assert not PUBLIC_HTTPS.allow_private
