"""Command → verdict through HTTP, beside a bare Litestar POST and a bare acknowledged append."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import bare
from figures import Figure, percentile
from http_client import Load, drive
from system import API, System
from writer import backlog

from contracts.ids import new_id
from contracts.topics import POSTS_EVENTS
from localstack.process import accepts_connections, free_ports, wait_until

SECONDS = 6.0
BODY = json.dumps(
    {
        "title": "Product Launch Announcement",
        "content": {"text": "Big news coming tomorrow! Stay tuned.", "hashtags": ["launch"]},
        "platforms": ["twitter", "linkedin"],
        "tags": ["product_launch"],
    }
).encode()


async def ours(system: System, connections: int, *, keys: bool, seconds: float = SECONDS) -> Load:
    def request(_: int) -> tuple[str, str, Mapping[str, str], bytes]:
        headers = {**system.headers, "Idempotency-Key": new_id("key")} if keys else system.headers
        return "POST", f"{API}/posts", headers, BODY

    load = await drive(system.host, system.port, request, connections=connections, seconds=seconds)
    if set(load.statuses) != {201}:
        raise RuntimeError(f"not every post was created: {load.statuses}")
    return load


async def bare_litestar(connections: int) -> Load:
    (port,) = free_ports(1)
    server = subprocess.Popen([sys.executable, str(Path(__file__).with_name("bare_gateway.py")), str(port)])
    try:
        wait_until(lambda: accepts_connections("127.0.0.1", port), 30, "the bare gateway")
        headers = {"Content-Type": "application/json"}
        return await drive(
            "127.0.0.1", port, lambda _: ("POST", "/posts", headers, BODY), connections=connections, seconds=SECONDS
        )
    finally:
        server.terminate()
        server.wait()


async def measure(system: System) -> Sequence[Figure]:
    group = "command → verdict through HTTP"
    figures = []
    for connections in (1, 64):
        plain = await bare_litestar(connections)
        appended, latencies = await bare.produce(
            system.bootstrap, "social.mention_received", BODY, at_once=connections, seconds=SECONDS
        )
        figures += [
            Figure(group=group, name=f"bare Litestar POST, {connections} at once", value=plain.rate, unit="/s"),
            Figure(group=group, name=f"bare append, {connections} at once", value=appended, unit="/s"),
            Figure(
                group=group,
                name=f"bare append p50, {connections} at once",
                value=percentile(latencies, 50) * 1000,
                unit="ms",
            ),
        ]
        for keys in (False, True):
            load = await ours(system, connections, keys=keys)
            name = f"create a draft{', Idempotency-Key' if keys else ''}, {connections} at once"
            figures += [
                Figure(
                    group=group,
                    name=name,
                    value=load.rate,
                    unit="/s",
                    ratio=load.rate / plain.rate,
                    to="the bare POST",
                ),
                Figure(group=group, name=f"{name}, p50", value=percentile(load.latencies, 50) * 1000, unit="ms"),
                Figure(group=group, name=f"{name}, p99", value=percentile(load.latencies, 99) * 1000, unit="ms"),
            ]
    return figures


async def flatness(system: System, few: int, many: int) -> Sequence[Figure]:
    """What a command costs when there are few posts, and when there are many."""
    group = "cost of a command as posts grow"
    await fill(system, few)
    before = await ours(system, 64, keys=False)
    await fill(system, many)
    after = await ours(system, 64, keys=False)
    return [
        Figure(group=group, name=f"with {few:,} posts", value=before.rate, unit="/s"),
        Figure(
            group=group,
            name=f"with {many:,} posts",
            value=after.rate,
            unit="/s",
            ratio=after.rate / before.rate,
            to=f"that with {few:,}",
        ),
    ]


async def fill(system: System, count: int) -> None:
    """Until there are so many posts: past the gateway, which is not what is measured here."""
    await backlog(system, max(0, count - await system.records(POSTS_EVENTS)))
    while await system.records(POSTS_EVENTS) < count:
        await asyncio.sleep(0.1)
