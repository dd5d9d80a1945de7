"""From the due moment to the platform: how late a scheduled post goes out, by the platform's own clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from figures import Figure, percentile
from http_client import drive
from system import API, System

from contracts.ids import new_id

PATIENCE = timedelta(minutes=10)


async def measure(system: System, accounts: Sequence[tuple[str, str]], crowd: int) -> Sequence[Figure]:
    idle = await _lateness(system, accounts, 200, apart=timedelta(milliseconds=50), ahead=timedelta(seconds=10))
    ahead = timedelta(seconds=20 + crowd / 150)
    crowded = await _lateness(system, accounts, crowd, apart=timedelta(seconds=1) / crowd, ahead=ahead)
    one, many = "due → live, one at a time", f"due → live, {crowd:,} due within one second"
    return [
        Figure(group=one, name="p50", value=percentile(idle, 50) * 1000, unit="ms"),
        Figure(group=one, name="p99", value=percentile(idle, 99) * 1000, unit="ms"),
        Figure(group=many, name="p50", value=percentile(crowded, 50), unit="s"),
        Figure(group=many, name="p99", value=percentile(crowded, 99), unit="s"),
        Figure(group=many, name="all of them", value=max(crowded), unit="s"),
    ]


async def _lateness(
    system: System, accounts: Sequence[tuple[str, str]], count: int, *, apart: timedelta, ahead: timedelta
) -> list[float]:
    """Seconds from each post's due moment to its arrival at the platform."""
    first = datetime.now(UTC) + ahead
    mark = new_id("due")
    due = {f"{mark} {number}": first + number * apart for number in range(count)}
    texts = list(due)

    def request(number: int) -> tuple[str, str, Mapping[str, str], bytes]:
        text = texts[number]
        body: dict[str, Any] = {
            "content": {"text": text},
            "platforms": [{"platform": "twitter", "account_id": accounts[number % len(accounts)][0]}],
            "publish_at": due[text].isoformat(),
        }
        return "POST", f"{API}/publish", system.headers, json.dumps(body).encode()

    before = int(system.sandbox("GET", "/ledger/stats")["live"])
    load = await drive(system.host, system.port, request, connections=64, seconds=3600, count=count)
    if set(load.statuses) != {201}:
        raise RuntimeError(f"not every post was scheduled: {load.statuses}")
    if datetime.now(UTC) > first:
        raise RuntimeError(f"scheduling took {load.seconds:.0f} s, longer than there was until the first was due")
    await asyncio.sleep((first - datetime.now(UTC)).total_seconds())
    # Counting disturbs the platforms less than listing does.
    while (live := int(system.sandbox("GET", "/ledger/stats")["live"]) - before) < count:
        if datetime.now(UTC) > first + PATIENCE:
            raise RuntimeError(f"{live:,} of {count:,} posts have arrived {PATIENCE} after the first was due")
        await asyncio.sleep(1)
    posts = system.sandbox("GET", "/ledger", params={"platform": "twitter"})["posts"]
    arrived = {post["text"]: datetime.fromisoformat(post["created_at"]) for post in posts if post["text"] in due}
    if live > count or len(arrived) < count:
        raise RuntimeError(f"{live:,} posts are live, {len(arrived):,} different ones, of {count:,}")
    return [(arrived[text] - due[text]).total_seconds() for text in texts]
