"""A receiver of webhooks, and events put into the public topics without waiting for any post."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from contracts.ids import new_id
from contracts.public_events import SocialMentionReceived
from contracts.topics import MENTION_RECEIVED, partition_for
from contracts.wire import Envelope, pack
from eventlog.kafka import producer
from localstack.stack import Stack


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """A real HTTP server. `answer` is asked for the status of each request."""

    server: ThreadingHTTPServer
    answer: Callable[[Received], int] = lambda _received: 200
    received: list[Received] = field(default_factory=list)
    accepted: list[Received] = field(default_factory=list)

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
