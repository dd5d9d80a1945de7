"""What Kafka says about topics, groups and their members."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import groupby

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import for_code
from msgspec import Struct

from eventlog.kafka import Cluster, admin, reader
from ops.reporting import Report, Table

REQUEST_MS = 10_000


class Topic(Struct, frozen=True):
    topic: str
    partitions: int
    records: int
    end: int
    """The sum of the partitions' ends: how many records were ever written."""


class Lag(Struct, frozen=True):
    group: str
    topic: str
    lag: int
    behind: int
    """In how many partitions."""


class Owner(Struct, frozen=True):
    group: str
    state: str
    member: str
    host: str
    topic: str
    partitions: str


class Member(Struct, frozen=True):
    member_id: str
    host: str
    assigned: Sequence[TopicPartition]


class Group(Struct, frozen=True):
    name: str
    state: str
    members: Sequence[Member]


@asynccontextmanager
async def administering(kafka: Cluster) -> AsyncIterator[AIOKafkaAdminClient]:
    client = admin(kafka, request_timeout_ms=REQUEST_MS)
    try:
        await client.start()
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def reading(kafka: Cluster) -> AsyncIterator[AIOKafkaConsumer]:
    client = reader(
        kafka,
        "ops",
        auto_offset_reset="none",
        request_timeout_ms=REQUEST_MS,
        fetch_max_wait_ms=100,
        max_partition_fetch_bytes=4_000_000,
    )
    try:
        await client.start()
        # A client that is stopped before its tasks have begun raises CancelledError.
        await asyncio.sleep(0)
        yield client
    finally:
        await client.stop()


async def partitions(client: AIOKafkaAdminClient) -> Mapping[str, int]:
    """How many each topic has, without Kafka's own topics."""
    return {
        each["topic"]: len(each["partitions"])
        for each in await client.describe_topics()
        if not each["topic"].startswith("__")
    }


async def groups(client: AIOKafkaAdminClient, names: Iterable[str] | None = None) -> Sequence[Group]:
    """Those of consumers, by name."""
    if names is None:
        names = [name for name, kind in await client.list_consumer_groups() if kind in ("consumer", "")]
    found: list[Group] = []
    for name in sorted(names):
        (answer,) = await client.describe_consumer_groups([name])
        for code, group, state, _, _, members, *_ in answer.groups:
            if code:
                raise for_code(code)(group)
            found.append(Group(group, state, [_member(*member[:5]) for member in members]))
    return found


def _member(member_id: str, _client_id: str, host: str, _metadata: bytes, assignment: bytes) -> Member:
    assigned = ConsumerProtocolMemberAssignment.decode(assignment).partitions() if assignment else []
    return Member(member_id, host.removeprefix("/"), sorted(assigned))


async def topics(kafka: Cluster) -> Report:
    async with administering(kafka) as client, reading(kafka) as consumer:
        counts = await partitions(client)
        every = [TopicPartition(topic, number) for topic, count in counts.items() for number in range(count)]
        begins, ends = await consumer.beginning_offsets(every), await consumer.end_offsets(every)
        lags: list[Lag] = []
        for group in await groups(client):
            committed = await client.list_consumer_group_offsets(group.name)
            behind = {
                tp: ends[tp] - max(found.offset, begins[tp])
                for tp, found in committed.items()
                if tp in ends and found.offset >= 0
            }
            for topic in sorted({tp.topic for tp in behind}):
                of_topic = [lag for tp, lag in behind.items() if tp.topic == topic]
                lags.append(Lag(group.name, topic, sum(of_topic), sum(lag > 0 for lag in of_topic)))
    rows = [
        Topic(
            topic,
            count,
            sum(ends[tp] - begins[tp] for tp in every if tp.topic == topic),
            sum(ends[tp] for tp in every if tp.topic == topic),
        )
        for topic, count in sorted(counts.items())
    ]
    return Report(
        tables=[
            Table("topics", rows, "There are no topics."),
            Table("lag", lags, "No group has committed anything yet."),
        ]
    )


async def owners(kafka: Cluster) -> Report:
    async with administering(kafka) as client:
        found = await groups(client)
    rows = [
        Owner(group.name, group.state, member.member_id, member.host, topic, ranges(tp.partition for tp in assigned))
        for group in found
        for member in sorted(group.members, key=lambda each: list(each.assigned))
        for topic, assigned in groupby(member.assigned, key=lambda tp: str(tp.topic))
    ]
    idle = [
        f"{group.name}: {len(group.members)} members, {group.state.lower()}, {idle} of them without a partition"
        for group in found
        if (idle := sum(not member.assigned for member in group.members)) or not group.members
    ]
    return Report(tables=[Table("owners", rows, "No partition has an owner.")], remarks=idle)


def ranges(numbers: Iterable[int]) -> str:
    """0-3,7"""
    parts: list[str] = []
    ordered = enumerate(sorted(numbers))
    for _, run in groupby(ordered, key=lambda pair: pair[1] - pair[0]):
        found = [number for _, number in run]
        parts.append(str(found[0]) if len(found) == 1 else f"{found[0]}-{found[-1]}")
    return ",".join(parts)
