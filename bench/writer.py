"""How fast the posts service works off a backlog, beside a loop that only consumes, appends and commits."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

import bare
import httpx
from figures import Figure
from system import TENANT, System

from contracts.content import Content
from contracts.ids import new_id
from contracts.posts import CreatePost
from contracts.topics import POSTS_COMMANDS
from eventlog.sending import CommandSender


async def measure(system: System, count: int) -> Sequence[Figure]:
    group = f"posts: a backlog of {count:,} commands"
    posts = system.stack.process("posts")
    posts.stop()
    await backlog(system, count)
    posts.spawn()
    began, already = await _settled(system, 1)
    ended, _ = await _settled(system, count)
    ours = (count - already) / (ended - began)
    loop = await bare.consume_and_append(system.bootstrap, POSTS_COMMANDS, "social.mention_received", count)
    return [
        Figure(group=group, name="consume, append, commit and nothing else", value=loop, unit="/s"),
        Figure(
            group=group,
            name="decided, appended, projected, answered",
            value=ours,
            unit="/s",
            ratio=ours / loop,
            to="that loop",
        ),
    ]


async def backlog(system: System, count: int) -> None:
    """Appends so many commands, each creating a draft."""
    sender = await CommandSender.connect(system.bootstrap, source="bench")

    async def one() -> None:
        post_id = new_id("post")
        command = CreatePost(
            post_id=post_id,
            kind="post",
            tenant_id=TENANT,
            actor="bench",
            issued_at=datetime.now(UTC),
            title="Product Launch Announcement",
            parts=(Content(text="Big news coming tomorrow! Stay tuned.", hashtags=("launch",)),),
            platforms=("twitter", "linkedin"),
        )
        await sender.send(POSTS_COMMANDS, post_id, command, command_id=new_id("cmd"), tenant_id=TENANT, timeout=60)

    for start in range(0, count, 500):
        await asyncio.gather(*(one() for _ in range(min(500, count - start))))
    await sender.close()


async def _settled(system: System, count: int) -> tuple[float, int]:
    """When the service was seen to have answered at least so many commands since its start, and how many it had."""
    url = f"http://127.0.0.1:{system.stack.settings.posts_health_port}/metrics"
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            with suppress(httpx.TransportError):
                found = _ANSWERED.search((await client.get(url)).text)
                if found is not None and (answered := int(float(found[1]))) >= count:
                    return time.perf_counter(), answered
            await asyncio.sleep(0.05)


_ANSWERED = re.compile(r'^eventlog_commands_total\{aggregate="posts"\} (\S+)$', re.MULTILINE)
