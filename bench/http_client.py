"""A keep-alive HTTP/1.1 client that costs little beside what it measures, and the loop that drives it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Mapping

from msgspec import Struct


class Load(Struct, frozen=True):
    """`latencies` in seconds, one for each answer."""

    latencies: list[float]
    seconds: float
    statuses: dict[int, int]

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, host: str, port: int) -> Connection:
        return cls(*await asyncio.open_connection(host, port))

    async def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        return int(head[9:12]), await self._reader.readexactly(length)

    def close(self) -> None:
        self._writer.close()


async def drive(
    host: str,
    port: int,
    request: Callable[[int], tuple[str, str, Mapping[str, str], bytes]],
    *,
    connections: int,
    seconds: float,
    count: int = sys.maxsize,
) -> Load:
    """Sends `request(n)` for n = 0, 1, … below `count` over this many connections, each waiting for its answer."""
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    numbers = iter(range(count))
    began = time.perf_counter()

    async def one() -> None:
        connection = await Connection.open(host, port)
        for number in numbers:
            sent = time.perf_counter()
            if sent - began > seconds:
                break
            status, _ = await connection.request(*request(number))
            latencies.append(time.perf_counter() - sent)
            statuses[status] = statuses.get(status, 0) + 1
        connection.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return Load(latencies, time.perf_counter() - began, statuses)
