"""A named process that restarts gets its partitions back, and nobody else notices (KIP-345)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import TopicPartition

from chassis.settings import KafkaSettings
from contracts.accounts import DisconnectAccount
from contracts.topics import TopicSpec, dead_letters
from contracts.wire import Envelope, pack
from eventlog.jobs import Job, JobConsumer
from eventlog.kafka import KafkaEventLog, member
from eventlog.ports import Outgoing
from eventlog.provision import provision

PARTITIONS = 4


class Watched(JobConsumer):
    """Notes what it is given and what is taken from it, and which jobs it has done."""

    def __init__(self, kafka: KafkaSettings, topic: str) -> None:
        super().__init__(kafka, [topic], group=topic, handle=self._note)
        self.owned: frozenset[int] = frozenset()
        self.assignments = 0
        self.revocations = 0
        self.done: list[tuple[int, str]] = []

    async def _note(self, job: Job) -> None:
        self.done.append((job.partition, job.envelope.id))

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        await super().on_partitions_assigned(assigned)
        self.assignments += 1
        self.owned = frozenset(tp.partition for tp in assigned)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await super().on_partitions_revoked(revoked)
        if self.assignments:
            self.revocations += 1


@pytest.fixture
async def topic(kafka_bootstrap: str) -> str:
    name = f"jobs_{uuid.uuid4().hex[:8]}"
    await provision(
        kafka_bootstrap,
        [
            TopicSpec(name=each, partitions=PARTITIONS, config={}, key="", description="", messages=())
            for each in (name, dead_letters(name))
        ],
    )
    return name


@pytest.fixture
async def send(kafka_bootstrap: str, topic: str) -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """`await send("label")`: one job to each partition."""
    log = await KafkaEventLog(kafka_bootstrap, topic, "test").start()

    async def send(label: str) -> None:
        job = DisconnectAccount(
            account_id=label, tenant_id="tenant_1", actor=None, issued_at=datetime.now(UTC), reason=label
        )
        headers, value = pack(job, Envelope(id=label, source="test", subject=label, time=datetime.now(UTC)))
        await log.publish(
            [Outgoing(topic=topic, key=label, headers=headers, value=value, partition=n) for n in range(PARTITIONS)]
        )

    yield send
    await log.close()


@asynccontextmanager
async def running(kafka: str, topic: str, name: str, session: float) -> AsyncIterator[Watched]:
    settings = KafkaSettings(kafka_bootstrap=kafka, kafka_group_instance_id=name, kafka_static_session=session)
    stop = asyncio.Event()
    consumer = Watched(settings, topic)
    task = asyncio.create_task(consumer.run(stop))
    try:
        yield consumer
    finally:
        stop.set()
        await task


@pytest.mark.stack
async def test_a_restart_within_the_session_is_no_rebalance(
    kafka_bootstrap: str, topic: str, send: Any, eventually: Any
) -> None:
    async with running(kafka_bootstrap, topic, "worker-1", 60) as stayed:
        async with running(kafka_bootstrap, topic, "worker-0", 60) as first:
            await eventually(lambda: len(first.owned) == len(stayed.owned) == PARTITIONS // 2)
            await send("before")
            await eventually(lambda: len(first.done) + len(stayed.done) == PARTITIONS)
        before = (stayed.assignments, stayed.revocations, stayed.owned)

        await send("meanwhile")
        await eventually(lambda: len(stayed.done) == PARTITIONS)
        assert {number for number, _ in stayed.done} == stayed.owned, "the others' partitions wait"

        async with running(kafka_bootstrap, topic, "worker-0", 60) as again:
            await send("after")
            await eventually(lambda: len(again.done) == PARTITIONS and len(stayed.done) == PARTITIONS * 3 // 2)
            assert again.owned == first.owned
            assert sorted(again.done) == sorted(
                (each, label) for each in again.owned for label in ("meanwhile", "after")
            )
        assert (stayed.assignments, stayed.revocations, stayed.owned) == before


@pytest.mark.stack
async def test_whoever_does_not_come_back_is_replaced(
    kafka_bootstrap: str, topic: str, send: Any, eventually: Any
) -> None:
    async with running(kafka_bootstrap, topic, "worker-1", 6) as stayed:
        async with running(kafka_bootstrap, topic, "worker-0", 6) as gone:
            await eventually(lambda: len(gone.owned) == len(stayed.owned) == PARTITIONS // 2)
        await send("left behind")
        await eventually(lambda: len({number for number, _ in stayed.done}) == PARTITIONS)


async def test_only_work_that_can_wait_waits() -> None:
    named = KafkaSettings(kafka_bootstrap="127.0.0.1:1", kafka_group_instance_id="worker-0")
    for stays, expected in ((True, "worker-0"), (False, None)):
        consumer = member(named, "group", stays=stays)
        assert consumer._group_instance_id == expected
        await consumer.stop()
