"""What one post costs in processor time, on the log and in the store: the figures that `capacity.py` reckons with.

python bench/volume.py [POSTS]

Each post has a text of 200 characters and goes to one account on X at once. Nobody has a webhook. Then once more, a
quarter as many, with every trace recorded and sent to a collector that throws it away.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from os import sysconf
from pathlib import Path

import bson
from http_client import drive
from pymongo import MongoClient
from system import API, SERVICES, System, running

PROCESSES = (*SERVICES, "auditor", "media", "webhooks", "sandbox", "kafka", "store")
TRACED = tuple(name for name in PROCESSES if name not in ("sandbox", "kafka", "store"))
PATIENCE = 600.0
WARM_UP = 100
IDLE_SECONDS = 20.0
TEXT = "Three things we learned this week. " * 6


def cpu_seconds(system: System) -> dict[str, float]:
    """Processor time of each process since it was started, its threads included."""
    found = {}
    for name in PROCESSES:
        fields = Path(f"/proc/{system.stack.process(name).pid}/stat").read_text().rpartition(")")[2].split()
        found[name] = (int(fields[11]) + int(fields[12])) / sysconf("SC_CLK_TCK")
    return found


def log_bytes(system: System) -> dict[str, int]:
    """Bytes of the records of each topic, as they lie on the disk."""
    found: dict[str, int] = defaultdict(int)
    for segment in system.stack.settings.social_state.rglob("*.log"):
        topic, _, partition = segment.parent.name.rpartition("-")
        if partition.isdigit() and segment.stem.isdigit() and not topic.startswith("__"):  # the broker's own
            found[topic] += segment.stat().st_size
    return found


def store_bytes(system: System) -> dict[str, int]:
    """Bytes of the documents of each collection as BSON, before the store compresses them."""
    with MongoClient[dict[str, object]](system.stack.mongodb_uri) as client:
        database = client[system.stack.settings.mongodb_database]
        return {
            name: sum(len(bson.encode(document)) for document in database[name].find())
            for name in sorted(database.list_collection_names())
        }


async def publish(system: System, account_id: str, posts: int) -> None:
    """Returns when all are live and nothing more is written."""
    before = int(system.sandbox("GET", "/ledger/stats")["live"])

    def request(number: int) -> tuple[str, str, Mapping[str, str], bytes]:
        body = {
            "content": {"text": f"{before + number} {TEXT}"[:200]},
            "platforms": [{"platform": "twitter", "account_id": account_id}],
        }
        return "POST", f"{API}/publish", system.headers, json.dumps(body).encode()

    load = await drive(system.host, system.port, request, connections=16, seconds=3_600, count=posts)
    if set(load.statuses) != {201}:
        raise RuntimeError(f"not every post was accepted: {load.statuses}")
    ends = time.monotonic() + PATIENCE
    while (live := int(system.sandbox("GET", "/ledger/stats")["live"]) - before) < posts:
        if time.monotonic() > ends:
            raise RuntimeError(f"{live} of {posts} posts are live after {PATIENCE:g} s")
        await asyncio.sleep(1)
    await _still(system)


async def _still(system: System) -> None:
    """Until nothing more is written."""
    before: dict[str, int] = {}
    while (now := log_bytes(system)) != before:
        before = now
        await asyncio.sleep(5)


def _idle(system: System) -> dict[str, float]:
    """Cores that each process uses while nothing happens."""
    begun, before = time.monotonic(), cpu_seconds(system)
    time.sleep(IDLE_SECONDS)
    seconds, after = time.monotonic() - begun, cpu_seconds(system)
    return {name: (after[name] - before[name]) / seconds for name in PROCESSES}


def _grown(before: Mapping[str, int], after: Mapping[str, int], posts: int) -> dict[str, int]:
    grown = {name: round((size - before.get(name, 0)) / posts) for name, size in sorted(after.items())}
    return {name: size for name, size in grown.items() if size > 0}


def cost(system: System, account_id: str, posts: int) -> dict[str, Mapping[str, float]]:
    """Of a post in ms of each process, without what that uses anyway."""
    asyncio.run(publish(system, account_id, WARM_UP))
    idle = _idle(system)
    begun, before = time.monotonic(), cpu_seconds(system)
    asyncio.run(publish(system, account_id, posts))
    seconds, after = time.monotonic() - begun, cpu_seconds(system)
    spent = {name: after[name] - before[name] - idle[name] * seconds for name in PROCESSES}
    return {
        "idle_cores": {name: round(cores, 3) for name, cores in idle.items()},
        "cpu_ms": {name: round(each * 1e3 / posts, 2) for name, each in spent.items()},
    }


@contextmanager
def recording(system: System) -> Iterator[None]:
    """All services record every trace; what takes their spans is no part of what is measured."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in TRACED:
        process = system.stack.process(name)
        process.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"
        process.restart()
    yield
    server.shutdown()


def main() -> None:
    posts = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    with running() as system:
        system.sandbox("POST", "/settings", json={"twitter": {"rate_limits": {"enabled": False}}})
        (account_id, _), *_ = system.connect("twitter", 1)
        log, store = log_bytes(system), store_bytes(system)
        measured: dict[str, object] = {"posts": posts, **cost(system, account_id, posts)}
        measured |= {
            "log_bytes": _grown(log, log_bytes(system), posts + WARM_UP),
            "store_bytes": _grown(store, store_bytes(system), posts + WARM_UP),
        }
        with recording(system):
            measured["recorded"] = cost(system, account_id, posts // 4)
    print(json.dumps(measured, indent=2))


if __name__ == "__main__":
    main()
