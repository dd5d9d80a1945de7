"""Folding the whole log again, beside a loop that consumes it and writes a document for each record."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence

import bare
from figures import Figure
from system import System

from chassis import store
from localstack.services import environments


async def measure(system: System) -> Sequence[Figure]:
    group = "rebuild"
    events = await system.records("posts.events")
    began = time.perf_counter()
    await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "posts", "rebuild"],
        env={**os.environ, **environments(system.stack.settings, system.stack.keys)["posts"]},
        check=True,
    )
    ours = events / (time.perf_counter() - began)
    client = store.connect(system.stack.mongodb_uri)
    database = store.database(client, "bench_bare")
    document = {"version": 1, "event_id": "evt", "partition": 0, "due_at": None, "memo": [], "log": [0]}
    loop = await bare.consume_and_write(system.bootstrap, "posts.events", database["documents"], document)
    await client.close()
    return [
        Figure(group=group, name="consume and bulk write, nothing else", value=loop, unit="events/s"),
        Figure(
            group=group,
            name=f"fold {events:,} events, write, compare",
            value=ours,
            unit="events/s",
            ratio=ours / loop,
            to="that loop",
        ),
    ]
