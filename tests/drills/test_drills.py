"""Alerts, caused for real on the running system (`make drills`): what a runbook is about, seen before it is needed."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from tests.auditor.test_running import newest
from tests.drills.recording import Recorder
from tests.manifests.test_rules import GROUPS, names, promtool

from chassis import store
from contracts.content import Failure, LivePart
from contracts.ids import new_id
from contracts.messages import Event
from contracts.posts import Published, Rejected, TargetOutcomeRecorded
from contracts.topics import POSTS_COMMANDS, POSTS_EVENTS
from contracts.wire import Envelope, pack, unpack

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(1_200),
    pytest.mark.skipif("DRILLS" not in os.environ, reason="takes minutes: make drills"),
]

CALM = 20
"""Scrapes before anything is done."""
CAUSED = (
    "ApiErrors",
    "AuditorImbalance",
    "DeadLetter",
    "DuplicateDetected",
    "InstanceDown",
    "PlatformRefuses",
    "PublishingDoubtful",
    "PublishingLate",
    "SecretDoesNotOpen",
    "ServiceDown",
    "TargetHeld",
)


class Hand:
    """Does what is not to be done."""

    def __init__(self, stack: Any, client: Any, connect: Callable[..., Any], sandbox: Any, eventually: Any) -> None:
        self.stack, self.client, self.sandbox, self.eventually = stack, client, sandbox, eventually
        self.accounts = [connect(client.tenant, "twitter") for _ in range(5)]

    def publish(self, account: Any, *, at: datetime | None = None) -> str:
        body: dict[str, Any] = {
            "content": {"text": new_id("drill")},
            "platforms": [{"platform": "twitter", "account_id": account.id}],
        }
        if at is not None:
            body["publish_at"] = at.isoformat()
        return str(self.client.post("/publish", body, status=201)["post_id"])

    def make_sends_doubtful(self) -> None:
        """Seven answers get lost, and one post can never be found again."""
        lost, unseen, *_ = self.accounts
        self.sandbox.fault(lost, "create_post", "accept_then_reset", times=7)
        self.sandbox.fault(unseen, "create_post", "accept_then_reset")
        self.sandbox.fault(unseen, "timeline", "server_error_500", times=1_000)
        for account in [lost] * 7 + [unseen]:
            self.publish(account)

    def have_everything_refused(self) -> None:
        account = self.accounts[2]
        self.sandbox.fault(account, "create_post", "forbidden_403", times=30)
        for _ in range(30):
            self.publish(account)

    def halt_the_posts_service(self) -> None:
        """Eight posts come due while it is frozen."""
        account, process = self.accounts[3], self.stack.process("posts")
        due = datetime.now(UTC) + timedelta(seconds=3)
        planned = [self.publish(account, at=due) for _ in range(8)]
        process.pause()
        recorder_waits = due + timedelta(seconds=35)
        self.eventually(lambda: datetime.now(UTC) > recorder_waits, what="time")
        process.resume()
        for post_id in planned:
            self.client.settled(post_id, "published")

    def take_the_store_away(self) -> None:
        process = self.stack.process("store")
        process.kill()
        for _ in range(20):
            self.client.request("GET", "/posts")
        process.start()

    async def move_a_token(self) -> None:
        """One account's sealed tokens, in the place of another's."""
        theirs, ours = self.accounts[2], self.accounts[4]
        async with store.connect(self.stack.mongodb_uri) as client:
            tokens = store.database(client, self.stack.database)["tokens"]
            source = await tokens.find_one({"_id": theirs.id, "tenant_id": self.client.tenant})
            assert source is not None
            moved = {name: value for name, value in source.items() if isinstance(value, dict) and "ciphertext" in value}
            assert moved
            await tokens.update_one({"_id": ours.id, "tenant_id": self.client.tenant}, {"$set": moved})
        self.stack.process("publisher").restart()
        self.publish(ours)

    async def forge(self, post_id: str, *outcomes: Published | Rejected) -> None:
        last = await newest(self.stack.kafka_bootstrap, post_id)
        envelope, event = unpack(tuple(last.headers), last.value)
        assert isinstance(event, Event)
        sequence, previous = envelope.sequence or 0, envelope.id
        async with AIOKafkaProducer(bootstrap_servers=self.stack.kafka_bootstrap) as producer:
            for outcome in outcomes:
                now = datetime.now(UTC)
                sequence += 1
                forged = Envelope(
                    id=new_id("evt"),
                    source="somebody",
                    subject=post_id,
                    time=now,
                    sequence=sequence,
                    previous_id=previous,
                    tenant_id=self.client.tenant,
                )
                told = TargetOutcomeRecorded(
                    at=now, target_id=f"twitter:{self.accounts[0].id}", attempt=1, outcome=outcome
                )
                headers, value = pack(told, forged)
                await producer.send_and_wait(
                    POSTS_EVENTS, value, key=post_id.encode(), partition=last.partition, headers=list(headers)
                )
                previous = forged.id
            await producer.send_and_wait(POSTS_COMMANDS, b"{}", headers=[("ce_type", b"nothing.known.v1")])


async def test_what_is_caused_is_noticed(
    stack: Any, stranger: Any, connect: Any, sandbox: Any, eventually: Any, tmp_path: Path
) -> None:
    hand = Hand(stack, stranger, connect, sandbox, eventually)
    settings = stack.settings
    recorder = Recorder(
        {
            name: f"http://127.0.0.1:{getattr(settings, f'{name}_health_port')}/metrics"
            for name in ("gateway", "posts", "publisher", "media", "analytics", "webhooks", "auditor")
        },
        promtool(),
    )
    first = hand.publish(hand.accounts[0])
    hand.client.settled(first, "published")
    recorder.start()
    try:
        recorder.wait(CALM)
        stack.process("webhooks").kill()
        hand.make_sends_doubtful()
        hand.have_everything_refused()
        recorder.wait(14)
        stack.process("webhooks").start()
        hand.halt_the_posts_service()
        hand.take_the_store_away()
        await hand.move_a_token()
        second = Published(parts=(LivePart(index=0, platform_post_id="42"),), at=datetime.now(UTC))
        await hand.forge(first, second, Rejected(failure=Failure(code="forged", message="no")))
        recorder.wait(90)
    finally:
        recorder.stop()
    home = {alert: group for group in GROUPS for alert in names(group)}
    early = {each for each in CAUSED if recorder.fired(each, home[each], tmp_path, until=CALM - 1)}
    fired = {each for each in CAUSED if recorder.fired(each, home[each], tmp_path)}
    assert early == set()
    assert fired == set(CAUSED)
