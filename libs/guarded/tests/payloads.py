"""URLs that lead into a private network, in every disguise, and what notices that one of them was called.

For the tests of everything that calls URLs of users.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

LOOPBACK = (
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.127.127.127",
    "2130706433",
    "0x7f000001",
    "0x7f.0x0.0x0.0x1",
    "0177.0.0.1",
    "0177.0.0.01",
    "017700000001",
    "127.0.0.1.",
    "0",
    "0.0.0.0",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "foo.localhost",
    "localhost.localdomain",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2002:7f00:0001::1]",
    "[2001:0:7f00:1::1]",
    "[::1%25lo]",
    "①②⑦.⓪.⓪.①",
    "１２７.0.0.1",
    "127。0。0。1",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
)
ELSEWHERE = (
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[fec0::1]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[ff02::1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::ffff:10.0.0.1]",
    "[::ffff:0:7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "[2001:0:a9fe:a9fe::1]",
    "[2001::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[5f00::1]",
    "[100::1]",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "168.63.129.16",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "metadata.google.internal",
    "kubernetes.default.svc.cluster.local",
    "instance-data",
    "router.lan",
    "printer.local",
    "intranet",
)
SHAPES = (
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://example.com@127.0.0.1/",
    "https://127.0.0.1@example.com/",
    "https://example.com:80@127.0.0.1/",
    "https://example.com#@127.0.0.1/",
    "https://example.com\\@127.0.0.1/",
    "https://127.0.0.1\\.example.com/",
    "https://example.com/ HTTP/1.1\r\nHost: 127.0.0.1",
    "https://example.com\t.evil/",
    "https://exa\nmple.com/",
    " https://example.com/",
    "https://example.com:22/",
    "https://example.com:25/",
    "https://example.com:6379/",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://example.com:/",
    "https://[127.0.0.1]/",
    "https://[example.com]/",
    "https://%31%32%37.0.0.1/",
    "https://example.com%00.evil/",
    "https:///path",
    "https:example.com",
    "//example.com/",
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_",
    "dict://127.0.0.1:11211/",
    "data:text/plain,hello",
    "javascript:alert(1)",
    "unix:///var/run/docker.sock",
    "",
    "https://",
    "https://" + "a" * 3_000 + ".com/",
    "https://xn--a.com/",
    "https://-.com/",
    "https://a..com/",
)
HOSTS = (*LOOPBACK, *ELSEWHERE)
PAYLOADS = (*(f"https://{host}/" for host in HOSTS), *SHAPES)
"""None of them may be called under the rules of production, whatever a resolver says."""
ANSWERS: Sequence[Sequence[str]] = (
    ("127.0.0.1",),
    ("::1",),
    ("::ffff:127.0.0.1",),
    ("64:ff9b::7f00:1",),
    ("93.184.216.34", "127.0.0.1"),
    ("127.0.0.1", "93.184.216.34"),
    ("2606:2800:220:1::1", "::1"),
    ("93.184.216.34", "::ffff:7f00:1"),
    ("fe80::1%lo",),
    ("10.0.0.1",),
    ("169.254.169.254",),
    (),
)
"""What a resolver may say about a name. A name is called only if all of its addresses are public."""


class Canary:
    """Listens on the loopback, IPv4 and where there is one IPv6, and counts who comes."""

    def __init__(self) -> None:
        self.connections = 0
        self.servers: list[asyncio.Server] = []
        self.port = 0

    async def start(self) -> None:
        first = await asyncio.start_server(self._came, "127.0.0.1", 0)
        self.port = first.sockets[0].getsockname()[1]
        self.servers.append(first)
        with contextlib.suppress(OSError):
            self.servers.append(await asyncio.start_server(self._came, "::1", self.port))

    async def _came(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
        await writer.drain()
        writer.close()

    async def stop(self) -> None:
        for server in self.servers:
            server.close()


@contextlib.contextmanager
def watch_dials() -> Iterator[list[str]]:
    """The addresses that the running loop connects to meanwhile. What is not on this machine refuses."""
    loop = asyncio.get_running_loop()
    connect = loop.sock_connect
    dialled: list[str] = []

    async def watched(sock: socket.socket, address: Any) -> None:
        dialled.append(address[0])
        if not ipaddress.ip_address(address[0]).is_loopback:
            raise ConnectionRefusedError
        await connect(sock, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "sock_connect", watched)
        yield dialled
