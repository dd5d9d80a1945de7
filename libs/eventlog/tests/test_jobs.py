"""Jobs in order per key, concurrent across keys, none lost."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from hypothesis import given
from hypothesis import strategies as st

from contracts.accounts import DisconnectAccount
from contracts.topics import TopicSpec, dead_letters
from contracts.wire import Envelope, pack
from eventlog.jobs import Job, JobConsumer, Progress
from eventlog.kafka import KafkaEventLog
from eventlog.ports import Outgoing
from eventlog.provision import provision

Handler = Callable[[Job], Awaitable[None]]

# --- progress -----------------------------------------------------------------------------------------


def test_nothing_is_done_at_first() -> None:
    assert Progress(5).next_offset == 5


def test_an_unfinished_job_holds_back_all_that_follow() -> None:
    progress = Progress(5)
    for offset in (5, 6, 7):
        progress.begin(offset)

    progress.finish(6)
    progress.finish(7)
    assert progress.next_offset == 5

    progress.finish(5)
    assert progress.next_offset == 8


def test_offsets_may_have_gaps() -> None:
    progress = Progress(5)
    progress.begin(5)
    progress.begin(9)

    progress.finish(5)
    assert progress.next_offset == 6
    progress.finish(9)
    assert progress.next_offset == 10


@given(st.lists(st.integers(1, 3), min_size=1, max_size=40), st.data())
def test_only_what_is_done_without_a_gap_is_committed(steps: Sequence[int], data: st.DataObject) -> None:
    """Begins and finishes in any order in which a consumer may; below the committed offset nothing is open."""
    progress = Progress(0)
    waiting = [sum(steps[:index]) for index in range(len(steps))]
    begun: list[int] = []
    open_offsets: set[int] = set()
    while waiting or open_offsets:
        if waiting and (not open_offsets or data.draw(st.booleans(), label="begin another")):
            offset = waiting.pop(0)
            progress.begin(offset)
            begun.append(offset)
            open_offsets.add(offset)
        else:
            offset = data.draw(st.sampled_from(sorted(open_offsets)), label="finish")
            progress.finish(offset)
            open_offsets.remove(offset)
        assert all(offset >= progress.next_offset for offset in open_offsets)
        done_in_a_row = [offset for offset in begun if all(offset < other for other in open_offsets)]
        assert progress.next_offset == (done_in_a_row[-1] + 1 if done_in_a_row else 0)


# --- the consumer -------------------------------------------------------------------------------------


@pytest.fixture
async def jobs_topic(kafka_bootstrap: str) -> str:
    name = f"jobs_{uuid.uuid4().hex[:8]}"
    await provision(
        kafka_bootstrap,
        [
            TopicSpec(name=topic, partitions=2, config={}, key="", description="", messages=())
            for topic in (name, dead_letters(name))
        ],
    )
    return name


@pytest.fixture
async def send(kafka_bootstrap: str, jobs_topic: str) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """`await send(("key", "label"), …)`: to partition 0, in this order."""
    log = await KafkaEventLog(kafka_bootstrap, jobs_topic, "test").start()

    async def send(*jobs: tuple[str, str]) -> None:
        messages = []
        for key, label in jobs:
            job = DisconnectAccount(
                account_id=key, tenant_id="tenant_1", actor=None, issued_at=datetime.now(UTC), reason=label
            )
            headers, value = pack(job, Envelope(id=label, source="test", subject=key, time=datetime.now(UTC)))
            messages.append(Outgoing(topic=jobs_topic, key=key, headers=headers, value=value, partition=0))
        await log.publish(messages)

    yield send
    await log.close()


@pytest.fixture
def consuming(
    kafka_bootstrap: str, jobs_topic: str, eventually: Any
) -> Callable[[Handler], AbstractAsyncContextManager[asyncio.Event]]:
    """`async with consuming(handle) as stop`: a consumer of the topic's only group; its end is awaited."""

    @asynccontextmanager
    async def consuming(handle: Handler) -> AsyncIterator[asyncio.Event]:
        stop = asyncio.Event()
        consumer = JobConsumer(kafka_bootstrap, [jobs_topic], group=jobs_topic, handle=handle)
        task = asyncio.create_task(consumer.run(stop))
        try:
            yield stop
            await eventually(lambda: consumer.healthy() is None, "the consumer being well")
        finally:
            stop.set()
            await task

    return consuming


@pytest.fixture
def committed(kafka_bootstrap: str, jobs_topic: str) -> Callable[[], Awaitable[int]]:
    """The offset of partition 0 at which the group would go on; -1 before any commit."""

    async def committed() -> int:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(jobs_topic)
        finally:
            await admin.close()
        return next((int(found.offset) for tp, found in offsets.items() if tp.partition == 0), -1)

    return committed


def reason(job: Job) -> str:
    assert isinstance(job.message, DisconnectAccount)
    return job.message.reason


class Seen:
    """A handler that notes what it was given, by key."""

    def __init__(self) -> None:
        self.by_key: defaultdict[str, list[str]] = defaultdict(list)

    async def __call__(self, job: Job) -> None:
        self.by_key[job.key].append(reason(job))

    def count(self) -> int:
        return sum(map(len, self.by_key.values()))


@pytest.mark.stack
async def test_jobs_of_a_key_are_done_in_order_and_committed(
    send: Any, consuming: Any, committed: Any, eventually: Any
) -> None:
    seen = Seen()
    await send(*((f"key_{number % 5}", str(number)) for number in range(100)))

    async with consuming(seen):
        await eventually(lambda: seen.count() == 100)

    assert seen.by_key == {
        f"key_{key}": [str(number) for number in range(100) if number % 5 == key] for key in range(5)
    }
    assert await committed() == 100


@pytest.mark.stack
async def test_a_job_may_wait_for_one_of_another_key(send: Any, consuming: Any, eventually: Any) -> None:
    second_began, done = asyncio.Event(), []

    async def handle(job: Job) -> None:
        if job.key == "first":
            await second_began.wait()
        second_began.set()
        done.append(job.key)

    await send(("first", "1"), ("second", "1"))
    async with consuming(handle):
        await eventually(lambda: sorted(done) == ["first", "second"])


@pytest.mark.stack
async def test_a_failing_job_holds_back_its_key_only(send: Any, consuming: Any, eventually: Any) -> None:
    seen, attempts = Seen(), 0

    async def handle(job: Job) -> None:
        nonlocal attempts
        if (job.key, reason(job)) == ("bad", "1"):
            attempts += 1
            if attempts < 3 or len(seen.by_key["good"]) < 2:
                raise ConnectionError("the platform is away")
        await seen(job)

    await send(("bad", "1"), ("bad", "2"), ("good", "1"), ("good", "2"))
    async with consuming(handle):
        await eventually(lambda: seen.count() == 4)

    assert attempts >= 3
    assert seen.by_key == {"bad": ["1", "2"], "good": ["1", "2"]}


@pytest.mark.stack
async def test_nothing_is_committed_past_an_unfinished_job(
    send: Any, consuming: Any, committed: Any, eventually: Any
) -> None:
    seen, release = Seen(), asyncio.Event()

    async def handle(job: Job) -> None:
        if job.key == "slow":
            await release.wait()
        await seen(job)

    async def at(offset: int) -> bool:
        return bool(await committed() == offset)

    await send(("fast", "1"), ("slow", "1"), ("fast", "2"), ("fast", "3"))
    async with consuming(handle):
        await eventually(lambda: len(seen.by_key["fast"]) == 3)
        await eventually(lambda: at(1))
        release.set()
        await eventually(lambda: at(4))


@pytest.mark.stack
async def test_a_stop_finishes_and_commits_what_has_begun_and_leaves_the_rest(
    send: Any, consuming: Any, committed: Any, eventually: Any
) -> None:
    seen, begun, release = Seen(), asyncio.Event(), asyncio.Event()

    async def handle(job: Job) -> None:
        begun.set()
        await release.wait()
        await seen(job)

    await send(("a", "1"), ("a", "2"))
    async with consuming(handle) as stop:
        await begun.wait()
        stop.set()
        release.set()
    assert seen.by_key["a"][0] == "1"
    assert await committed() == seen.count()

    async with consuming(seen):
        await eventually(lambda: seen.count() == 2)
    assert seen.by_key == {"a": ["1", "2"]}


@pytest.mark.stack
async def test_what_nobody_can_read_is_put_aside_with_its_reason(
    send: Any,
    consuming: Any,
    committed: Any,
    eventually: Any,
    kafka_bootstrap: str,
    jobs_topic: str,
    read_topic: Any,
) -> None:
    log = await KafkaEventLog(kafka_bootstrap, jobs_topic, "vandal").start()
    await log.publish(
        [
            Outgoing(topic=jobs_topic, key="a", headers=(), value=b"garbage", partition=0),
            Outgoing(topic=jobs_topic, key="a", headers=(("ce_type", b"x"),), value=None, partition=0),
        ]
    )
    await log.close()
    await send(("a", "1"))
    seen = Seen()

    async with consuming(seen):
        await eventually(lambda: seen.count() == 1)

    assert await committed() == 3
    garbage, tombstone = await read_topic(dead_letters(jobs_topic))
    assert (garbage.value, tombstone.value) == (b"garbage", b"")
    assert dict(garbage.headers)["dead_letter_reason"] == b"header 'ce_type' is missing"
    assert dict(tombstone.headers) == {
        "ce_type": b"x",
        "dead_letter_reason": b"no data (a tombstone)",
        "dead_letter_topic": jobs_topic.encode(),
        "dead_letter_partition": b"0",
        "dead_letter_offset": b"1",
        "dead_letter_key": b"a",
    }


@pytest.mark.stack
async def test_consumers_of_a_group_share_the_work(send: Any, consuming: Any, committed: Any, eventually: Any) -> None:
    first, second = Seen(), Seen()
    await send(*(("a", str(number)) for number in range(10)))

    async with consuming(first):
        await eventually(lambda: first.count() == 10)
        async with consuming(second):
            await send(*(("a", str(number)) for number in range(10, 20)))
            await eventually(lambda: first.count() + second.count() >= 20)
        await send(*(("a", str(number)) for number in range(20, 30)))
        await eventually(lambda: first.count() + second.count() >= 30)

    assert {*first.by_key["a"], *second.by_key["a"]} == {str(number) for number in range(30)}
    assert await committed() == 30


DYING = """
import asyncio, os, signal, sys
from contracts import catalogue
from eventlog.jobs import JobConsumer

async def handle(job):
    if job.message.reason == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    os.write(1, (job.message.reason + "\\n").encode())

async def main(bootstrap, topic):
    await JobConsumer(bootstrap, [topic], group=topic, handle=handle).run(asyncio.Event())

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.stack
async def test_a_killed_consumers_jobs_are_done_by_the_next(
    send: Any, consuming: Any, committed: Any, eventually: Any, kafka_bootstrap: str, jobs_topic: str
) -> None:
    await send(*(("a", str(number)) for number in range(10)), ("a", "deadly"), ("a", "last"))
    dying = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DYING, kafka_bootstrap, jobs_topic, stdout=subprocess.PIPE, env=os.environ
    )
    output, _ = await dying.communicate()
    assert dying.returncode == -9

    seen = Seen()
    async with consuming(seen):
        # The group waits for the dead member's session to end.
        await eventually(lambda: seen.by_key["a"][-1:] == ["last"])

    assert "deadly" in seen.by_key["a"]
    assert {*output.decode().split(), *seen.by_key["a"]} >= {str(number) for number in range(10)}
    assert await committed() == 12
