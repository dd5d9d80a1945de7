"""A receiver of webhooks, and events put into the public topics without waiting for any post."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import DescribeGroupsRequest_v2
from aiokafka.protocol.api import Request
from aiokafka.protocol.group import LeaveGroupRequest
from aiokafka.structs import ConsumerRecord

from contracts.ids import new_id
from contracts.public_events import SocialMentionReceived
from contracts.topics import MENTION_RECEIVED, partition_for
from contracts.wire import Envelope, pack
from eventlog.kafka import producer
from localstack.stack import Stack

T = TypeVar("T")


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @cached_property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """A real HTTP server. `answer` is asked for the status of each request."""

    server: ThreadingHTTPServer
    answer: Callable[[Received], int] = lambda _received: 200
    received: list[Received] = field(default_factory=list)
    accepted: list[Received] = field(default_factory=list)
    told: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The ids of the events that were accepted, by path."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    def of_type(self, kind: str) -> list[Received]:
        return [each for each in list(self.accepted) if each.json["type"] == kind]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Whoever sends is killed now and then; that is not ours to tell."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received = Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            made.received.append(received)
            status = made.answer(received)
            if 200 <= status < 300:
                made.accepted.append(received)
                made.told[received.path].add(received.json["event_id"])
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    made = Receiver(server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def say(stack: Stack) -> Callable[..., list[str]]:
    """Puts mentions into their public topic, as the service that finds them would; returns their ids in order."""

    async def put(tenant: str, accounts: Sequence[str]) -> list[str]:
        client = producer(stack.kafka_bootstrap, "test")
        await client.start()
        try:
            count = len(await client.partitions_for(MENTION_RECEIVED))
            ids, sent = [], []
            for account_id in accounts:
                event = SocialMentionReceived(
                    tenant_id=tenant,
                    account_id=account_id,
                    platform="twitter",
                    mention_id=new_id("mention"),
                    kind="mention",
                    author="somebody",
                    text="hello",
                    url=None,
                    mentioned_at=datetime.now(UTC),
                )
                envelope = Envelope(
                    id=new_id("evt"), source="test", subject=account_id, time=datetime.now(UTC), tenant_id=tenant
                )
                headers, value = pack(event, envelope)
                sent.append(
                    await client.send(
                        MENTION_RECEIVED,
                        value=value,
                        key=account_id.encode(),
                        partition=partition_for(account_id, count),
                        headers=list(headers),
                    )
                )
                ids.append(envelope.id)
            await asyncio.gather(*sent)
            return ids
        finally:
            await client.stop()

    def say(tenant: str, count: int = 1, *, accounts: int = 4) -> list[str]:
        return asyncio.run(put(tenant, [f"acc_{number % accounts}" for number in range(count)]))

    return say


@pytest.fixture
def records(stack: Stack) -> Callable[[str, str], list[ConsumerRecord]]:
    """What a topic holds by now under a key, as anybody who reads Kafka sees it."""

    async def read(topic: str, key: bytes) -> list[ConsumerRecord]:
        count = stack.settings.topic_partitions
        partition = TopicPartition(topic, partition_for(key.decode(), count))
        consumer = AIOKafkaConsumer(bootstrap_servers=stack.kafka_bootstrap, enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign([partition])
            await consumer.seek_to_beginning(partition)
            end = (await consumer.end_offsets([partition]))[partition]
            found: list[ConsumerRecord] = []
            while await consumer.position(partition) < end:
                batch = await consumer.getmany(partition, timeout_ms=200)
                found += [record for record in batch.get(partition, ()) if record.key == key]
            return found
        finally:
            await consumer.stop()

    return lambda topic, key: asyncio.run(read(topic, key.encode()))


GROUPS = ("endpoints", "webhooks")
Member = tuple[str, str]
"""A consumer group, and the id of a member of it."""


class _DescribeGroups(Request[DescribeGroupsRequest_v2]):  # type: ignore[misc]  # aiokafka is untyped
    """aiokafka misreads the answer to the newest version of this request."""

    API_KEY = DescribeGroupsRequest_v2.API_KEY

    def build(self, request_struct_class: type[DescribeGroupsRequest_v2]) -> DescribeGroupsRequest_v2:
        return request_struct_class(list(GROUPS))


class Members:
    """Who Kafka, of one broker, takes to be in the consumer groups of the service. A process that was killed stays in
    them for ten seconds, for which nobody else gets its partitions.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    def known(self) -> set[Member]:
        return asyncio.run(self._with_admin(self._known))

    def bury(self, dead: Collection[Member] | None = None) -> None:
        """Says that these have left, all of them by default: as Kafka would find out, without the wait."""

        async def bury(admin: AIOKafkaAdminClient) -> None:
            for group, member in await self._known(admin) if dead is None else dead:
                await admin._send_request(LeaveGroupRequest(group, member))

        asyncio.run(self._with_admin(bury))

    @staticmethod
    async def _known(admin: AIOKafkaAdminClient) -> set[Member]:
        answer = await admin._send_request(_DescribeGroups())
        return {(group, member[0]) for _, group, _, _, _, members in answer.groups for member in members}

    async def _with_admin(self, work: Callable[[AIOKafkaAdminClient], Awaitable[T]]) -> T:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        try:
            return await work(admin)
        finally:
            await admin.close()


@pytest.fixture
def members(stack: Stack) -> Members:
    return Members(stack.kafka_bootstrap)
