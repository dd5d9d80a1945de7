"""Webhooks: deliveries a second beside a bare loop of the same client, how soon the first attempt comes, and whether a
dead endpoint is felt by the others.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
from aiokafka import AIOKafkaProducer
from figures import Figure, percentile
from system import API, System

from contracts.ids import new_id
from contracts.public_events import SocialMentionReceived
from contracts.topics import MENTION_RECEIVED, partition_for
from contracts.wire import Envelope, pack
from eventlog.kafka import producer
from guarded.client import GuardedClient
from guarded.urls import ANYWHERE

GROUP = "webhooks"
AT_ONCE = 8


class Receiver(asyncio.Protocol):
    """As little of an HTTP server as answers a POST: what is measured is not it."""

    arrived: list[tuple[float, bytes]] = []

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            lowered = head.lower()
            at = lowered.index(b"content-length:") + 15
            size = int(lowered[at : lowered.find(b"\r\n", at) if b"\r\n" in lowered[at:] else None])
            if len(rest) < size:
                return
            self.arrived.append((time.time(), rest[:size]))
            self._buffer = rest[size:]
            assert self._transport is not None
            self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


@asynccontextmanager
async def receiving() -> AsyncIterator[str]:
    Receiver.arrived = []
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", 0, backlog=2_000)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    server.close()


async def measure(system: System, *, quick: bool) -> list[Figure]:
    counts = (1, 20, 100) if quick else (1, 100, 1_000)
    total = 1_000 if quick else 5_000
    figures: list[Figure] = []
    client = producer(system.bootstrap, "bench-webhooks")
    await client.start()
    try:
        async with receiving() as url:
            bare = await _bare(url, total)
            figures.append(_figure("bare loop of the same client", bare, "calls/s"))
            for count in counts:
                tenant = new_id("tenant")
                await _register(system, tenant, [f"{url}{number}" for number in range(count)])
                rate = await _throughput(client, tenant, count, max(1, total // count))
                name = f"{count:,} endpoints: all deliveries"
                figures.append(_figure(name, rate, "calls/s", ratio=rate / bare, to="the bare loop"))
                figures += _delays(f"{count:,} endpoints", await _latencies(client, tenant, count, _looks(count)))
            silent = await asyncio.get_running_loop().create_server(Silent, "127.0.0.1", 0)
            await _register(system, tenant, [f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}/"])
            figures += _delays(
                f"{counts[-1]:,} endpoints and a dead one",
                await _latencies(client, tenant, counts[-1], _looks(counts[-1])),
            )
            silent.close()
    finally:
        await client.stop()
    return figures


class Silent(asyncio.Protocol):
    """Takes every connection and answers nothing."""


async def _bare(url: str, count: int) -> float:
    client = GuardedClient(ANYWHERE, user_agent="bench")
    left = iter(range(count))
    body = json.dumps({"data": "x" * 400}).encode()

    async def work() -> None:
        for _ in left:
            await client.post(url, body=body, headers={}, seconds=15, max_bytes=1_024)

    begun = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    taken = time.perf_counter() - begun
    await client.close()
    return count / taken


async def _register(system: System, tenant: str, urls: Sequence[str]) -> None:
    headers = {"Authorization": f"Bearer {system.stack.token(role='manager', tenant=tenant)}"}
    base = f"http://{system.host}:{system.port}{API}"
    left = iter(urls)
    async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=60) as client:

        async def work() -> None:
            for url in left:
                (await client.post(f"{base}/webhooks", json={"url": url})).raise_for_status()

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))


async def _say(client: AIOKafkaProducer, tenant: str, count: int) -> None:
    partitions = len(await client.partitions_for(MENTION_RECEIVED))
    sent = []
    for number in range(count):
        account = f"acc_{number % 64}"
        now = datetime.now(UTC)
        event = SocialMentionReceived(
            tenant_id=tenant,
            account_id=account,
            platform="twitter",
            mention_id=new_id("mention"),
            kind="mention",
            author="somebody",
            text="hello " * 30,
            url=None,
            mentioned_at=now,
        )
        envelope = Envelope(id=new_id("evt"), source="bench", subject=account, time=now, tenant_id=tenant)
        headers, value = pack(event, envelope)
        sent.append(
            await client.send(
                MENTION_RECEIVED,
                value=value,
                key=account.encode(),
                partition=partition_for(account, partitions),
                headers=list(headers),
            )
        )
    await asyncio.gather(*sent)


async def _throughput(client: AIOKafkaProducer, tenant: str, endpoints: int, events: int) -> float:
    Receiver.arrived.clear()
    begun = time.perf_counter()
    await _say(client, tenant, events)
    await _until(endpoints * events)
    return endpoints * events / (time.perf_counter() - begun)


async def _latencies(client: AIOKafkaProducer, tenant: str, endpoints: int, events: int) -> list[float]:
    """Milliseconds from the event to the receiver, one event at a time."""
    found: list[float] = []
    for _ in range(events):
        Receiver.arrived.clear()
        await _say(client, tenant, 1)
        await _until(endpoints)
        found += [
            (at - datetime.fromisoformat(json.loads(body)["timestamp"]).timestamp()) * 1_000
            for at, body in Receiver.arrived
        ]
    return found


def _looks(endpoints: int) -> int:
    """Events that latency is measured with: enough deliveries for a 99th percentile, not so many that it takes long."""
    return max(3, min(20, 3_000 // endpoints))


async def _until(count: int) -> None:
    async with asyncio.timeout(600):
        while len(Receiver.arrived) < count:
            await asyncio.sleep(0.002)


def _delays(name: str, milliseconds: Sequence[float]) -> list[Figure]:
    return [
        _figure(f"{name}: event to first attempt, p{percent}", percentile(milliseconds, percent), "ms")
        for percent in (50, 99)
    ]


def _figure(name: str, value: float, unit: str, *, ratio: float | None = None, to: str | None = None) -> Figure:
    return Figure(group=GROUP, name=name, value=value, unit=unit, ratio=ratio, to=to)
