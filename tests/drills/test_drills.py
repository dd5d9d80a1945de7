"""Alerts, caused for real on the running system (`make drills`): what a runbook is about, seen before it is needed.

Each drill also looks where the runbooks say that one should look, and finds there what they say.
"""

from __future__ import annotations

import asyncio
import io
import os
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from PIL import Image
from tests.auditor.test_running import newest
from tests.conftest import API
from tests.drills.alerts import DRILLS
from tests.drills.conftest import Drill
from tests.drills.receiving import customer

from chassis import store
from contracts.content import Failure, LivePart
from contracts.ids import new_id
from contracts.messages import Event
from contracts.posts import CancelPost, Outcome, Published, Rejected, TargetOutcomeRecorded, Unknown
from contracts.topics import POSTS_COMMANDS, POSTS_EVENTS, partition_for
from contracts.wire import Envelope, pack, unpack
from eventlog.kafka import member, producer

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(600),
    pytest.mark.skipif("DRILLS" not in os.environ, reason="takes minutes: make drills"),
]


async def forge(
    drill: Drill, account: Any, post_id: str, *outcomes: Outcome, at: datetime | None = None, copies: int = 0
) -> None:
    """Writes outcomes of the post's target into the log, as its owner would; or only copies that follow nothing."""
    last = await newest(drill.stack.kafka_bootstrap, post_id)
    envelope, event = unpack(tuple(last.headers), last.value)
    assert isinstance(event, Event)
    sequence, previous = envelope.sequence or 0, envelope.id
    forger = producer(drill.stack.kafka_bootstrap, "somebody")
    await forger.start()
    try:
        for outcome in outcomes:
            sequence += 1
            forged = Envelope(
                id=new_id("evt"),
                source="somebody",
                subject=post_id,
                time=datetime.now(UTC),
                sequence=sequence,
                previous_id=previous,
                tenant_id=drill.client.tenant,
            )
            target_id = f"{account.platform}:{account.id}"
            told = TargetOutcomeRecorded(at=at or forged.time, target_id=target_id, attempt=1, outcome=outcome)
            headers, value = pack(told, forged)
            await forger.send_and_wait(
                POSTS_EVENTS, value, key=post_id.encode(), partition=last.partition, headers=list(headers)
            )
            previous = forged.id
        for _ in range(copies):
            await forger.send_and_wait(
                POSTS_EVENTS, last.value, key=last.key, partition=last.partition, headers=list(last.headers)
            )
            # Its owner finds it when it is asked for something next.
            await asyncio.to_thread(drill.client.request, "POST", f"/posts/{post_id}/cancel")
    finally:
        await forger.stop()


async def send_commands(drill: Drill, count: int) -> None:
    """To cancel posts that there are not."""
    sender = producer(drill.stack.kafka_bootstrap, "somebody")
    await sender.start()
    try:
        sent = []
        for _ in range(count):
            post_id, now = new_id("post"), datetime.now(UTC)
            command = CancelPost(post_id=post_id, tenant_id=drill.client.tenant, actor="somebody", issued_at=now)
            envelope = Envelope(
                id=new_id("cmd"), source="somebody", subject=post_id, time=now, tenant_id=drill.client.tenant
            )
            headers, value = pack(command, envelope)
            partition = partition_for(post_id, drill.stack.settings.topic_partitions)
            sent.append(
                await sender.send(
                    POSTS_COMMANDS, value, key=post_id.encode(), partition=partition, headers=list(headers)
                )
            )
        await asyncio.gather(*sent)
    finally:
        await sender.stop()


# --- deaths and forgeries -------------------------------------------------------------------------------


@asynccontextmanager
async def swapped_tokens(drill: Drill, taken: Any, given: Any) -> AsyncIterator[None]:
    """One account's sealed tokens in the place of another's, which are put back afterwards."""

    async def put(tokens: Mapping[str, Any]) -> None:
        sealed = {"sealed": tokens["sealed"], "key_version": tokens["key_version"]}
        await collection.update_one({"_id": given.id, "tenant_id": drill.client.tenant}, {"$set": sealed})
        # It remembers what it has opened.
        await asyncio.to_thread(drill.stack.process("publisher").restart)

    async with store.connect(drill.stack.mongodb_uri) as client:
        collection = store.database(client, drill.stack.database)["tokens"]
        theirs, own = [
            await collection.find_one({"_id": account.id, "tenant_id": drill.client.tenant})
            for account in (taken, given)
        ]
        assert theirs is not None
        assert own is not None
        await put(theirs)
        yield
        await put(own)


async def test_deaths_and_forgeries(drill: Drill, connect: Any, sandbox: Any, tmp_path: Path) -> None:
    stack, client, recorder = drill.stack, drill.client, drill.recorder
    lost, unseen, refused, late, robbed = [connect(client.tenant, "twitter") for _ in range(5)]
    drill.restart("auditor", AUDITOR_CHECK_EVERY="1")
    with customer(b"") as receiver:
        client.post("/webhooks", {"url": receiver.url("hook")}, status=201)
        first = drill.published(lost)
        drill.begin()

        drill.cause("ServiceDown", "InstanceDown", "WebhooksLate")
        stack.process("webhooks").kill()
        drill.cause("PublishingDoubtful", "TargetHeld")
        sandbox.fault(lost, "create_post", "accept_then_reset", times=7)
        sandbox.fault(unseen, "create_post", "accept_then_reset")
        sandbox.fault(unseen, "timeline", "server_error_500", times=1_000)
        for account in [lost] * 7 + [unseen]:
            drill.publish(account)
        drill.cause("PlatformRefuses")
        sandbox.fault(refused, "create_post", "forbidden_403", times=30)
        for _ in range(30):
            drill.publish(refused)
        recorder.wait(14)
        stack.process("webhooks").start()

        drill.cause("PublishingLate")
        due = datetime.now(UTC) + timedelta(seconds=3)
        planned = [drill.publish(late, publish_at=due.isoformat()) for _ in range(8)]
        stack.process("posts").pause()
        recorder.wait(38)
        stack.process("posts").resume()
        for post_id in planned:
            client.settled(post_id, "published")

        drill.cause("ApiErrors")
        stack.process("store").kill()
        for _ in range(8):
            assert client.request("GET", "/posts").status_code == 503
        stack.process("store").start()

        drill.cause("SecretDoesNotOpen")
        async with swapped_tokens(drill, refused, robbed):
            locked = drill.publish(robbed)

            drill.cause("DuplicateDetected", "AuditorImbalance")
            second = Published(parts=(LivePart(index=0, platform_post_id="42"),), at=datetime.now(UTC))
            await forge(drill, lost, first, second, Rejected(failure=Failure(code="forged", message="no")))
            drill.cause("DeadLetter")
            sender = producer(stack.kafka_bootstrap, "somebody")
            await sender.start()
            await sender.send_and_wait(POSTS_COMMANDS, b"{}", headers=[("ce_type", b"nothing.known.v1")])
            await sender.stop()
            recorder.wait(20)
        client.settled(locked, "published")

    findings = drill.run("auditor", "findings", of="auditor")
    assert "duplicate" in findings
    assert "contradiction" in findings
    assert drill.told("auditor", '"finding"', first)
    assert drill.told("publisher", '"outcome": "unknown"')
    assert drill.told("publisher", '"outcome": "rejected"')
    assert drill.told("publisher", "does not open", robbed.id)
    assert drill.told("posts", '"dead letter"')
    assert drill.told("gateway", '"status": 503')
    assert "posts.commands.dead" in drill.run("ops", "dead-letters", "list", of="posts")
    assert client.tenant in drill.run("ops", "held", of="posts")
    drill.followed(tmp_path, DRILLS["deaths and forgeries"])


# --- standstills ----------------------------------------------------------------------------------------


async def crowd(drill: Drill, account: Any, count: int) -> Sequence[int]:
    """As many clients at once, each of which plans a post; their answers' statuses."""
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    target = [{"platform": account.platform, "account_id": account.id}]
    async with httpx.AsyncClient(
        base_url=drill.stack.gateway_url,
        headers={"Authorization": f"Bearer {drill.client.token}"},
        limits=httpx.Limits(max_connections=None),
        timeout=120.0,
        trust_env=False,
    ) as http:

        async def plan(number: int) -> int:
            body = {"content": {"text": f"{number}"}, "platforms": target, "publish_at": later}
            answer = await http.post(f"{API}/publish", json=body, headers={"Idempotency-Key": new_id("key")})
            return answer.status_code

        return await asyncio.gather(*(plan(number) for number in range(count)))


async def test_standstills(drill: Drill, connect: Any, tmp_path: Path) -> None:
    stack, client, recorder = drill.stack, drill.client, drill.recorder
    account = connect(client.tenant, "twitter")
    drill.restart("auditor", AUDITOR_CHECK_EVERY="1")
    drill.restart("analytics", ANALYTICS_MENTIONS_EVERY="2")
    drill.restart("gateway", VERDICT_TIMEOUT="90")
    drill.published(account)
    # A partition of which nothing was ever committed has no lag.
    await send_commands(drill, 100)
    drill.begin()

    drill.cause("PublishingStalled")
    stack.process("publisher").pause()
    waiting = [drill.publish(account) for _ in range(3)]
    drill.cause("GatewayFull", "ApiSlow", "LagGrows")
    stack.process("posts").pause()
    # In a loop of its own, which it keeps busy.
    crowded = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(crowd(drill, account, 1_700))))
    await send_commands(drill, 6_000)
    await asyncio.to_thread(drill.seen, "gateway_commands_in_flight", 1_600)
    await asyncio.to_thread(drill.seen, 'kafka_consumergroup_lag{consumergroup="posts"', 5_000)
    for _ in range(20):
        await send_commands(drill, 100)
        await asyncio.to_thread(recorder.wait, 1)
    lags = await asyncio.to_thread(drill.run, "ops", "topics", of="posts")
    assert any(line.split()[0] == "publisher" for line in lags.splitlines() if line.strip())
    stack.process("posts").resume()
    stack.process("publisher").resume()
    assert set(await crowded) <= {201, 202}
    for post_id in waiting:
        await asyncio.to_thread(client.settled, post_id, "published")
    await asyncio.to_thread(recorder.wait, 6)

    drill.cause("PostsOverdue", "ReadingsOverdue", "AuditorBehind")
    due = datetime.now(UTC) + timedelta(seconds=10)
    planned = [drill.publish(account, publish_at=due.isoformat()) for _ in range(3)]
    stack.process("store").kill()
    # An owner that is asked for nothing would still decide from memory what comes due.
    await send_commands(drill, 100)
    recorder.wait(55)
    assert "store" in drill.readiness("auditor")
    assert "store" in drill.readiness("posts")
    stack.process("store").start()
    for post_id in planned:
        client.settled(post_id, "published")
    assert drill.told("posts", "turn failed, taking over again")
    assert drill.told("analytics", "planning failed")
    assert drill.told("auditor", "cannot be reached")
    drill.followed(tmp_path, DRILLS["standstills"])


# --- platforms and partitions ---------------------------------------------------------------------------


async def come_and_go(drill: Drill) -> None:
    """Another member of the group that owns posts, which does not stay; until its partitions are taken over again."""
    before = drill.recorder.latest('eventlog_takeovers_total{aggregate="posts"')
    guest = member(
        drill.stack.kafka_bootstrap, "posts", POSTS_COMMANDS, partition_assignment_strategy=(StickyPartitionAssignor,)
    )
    await guest.start()
    await guest.stop()
    await asyncio.to_thread(
        drill.eventually,
        lambda: (
            drill.recorder.latest('eventlog_takeovers_total{aggregate="posts"')
            >= before + drill.stack.settings.topic_partitions
        ),
        what="the owner having all of them again",
    )


async def test_platforms_and_partitions(drill: Drill, connect: Any, sandbox: Any, tmp_path: Path) -> None:
    stack, client, recorder = drill.stack, drill.client, drill.recorder
    slow, spent, doubtful = connect(client.tenant, "linkedin"), *[connect(client.tenant, "twitter") for _ in range(2)]
    ended = [connect(client.tenant, "twitter", token_expires_in=1) for _ in range(8)]
    drill.restart("auditor", AUDITOR_CHECK_EVERY="1")
    drill.restart("publisher", PUBLISHER_CALL_TIMEOUT="15", PUBLISHER_KEEP_EVERY="1", PUBLISHER_TOKEN_DELAYS="[1, 600]")
    first = drill.published(doubtful)
    for account in (slow, spent):
        drill.published(account)
    drill.begin()

    drill.cause("PlatformSlow")
    sandbox.fault(slow, "create_post", "accept_then_slow", times=4, seconds=9)
    for _ in range(4):
        drill.publish(slow)
    drill.cause("TokenRenewalsFail", "TokenRenewalsFailEverywhere")
    for account in ended:
        sandbox.fault(account, "token", "server_error_503", times=1_000)
        drill.publish(account)
    drill.cause("BudgetExhausted")
    sandbox.fault(spent, "create_post", "rate_limited")
    for _ in range(24):
        drill.publish(spent)

    drill.cause("TwoWriters")
    await forge(drill, doubtful, first, copies=40)
    drill.cause("PartitionsChangeHands")
    for _ in range(8):
        await come_and_go(drill)

    drill.cause("OutcomeUnknownForLong")
    await asyncio.to_thread(client.settled, first, "published")
    stack.process("publisher").pause()
    unknown = drill.publish(doubtful)
    now = datetime.now(UTC)
    outcome = Unknown(probe_at=now + timedelta(days=1), reason=Failure(code="outcome_unknown", message="forged"))
    await forge(drill, doubtful, unknown, outcome, at=now - timedelta(hours=7.5))
    await asyncio.to_thread(drill.seen, "auditor_oldest_unknown_seconds", 25_200)
    recorder.wait(2)
    stack.process("publisher").resume()
    recorder.wait(12)

    owners = drill.run("ops", "owners", of="posts")
    assert "posts.commands" in owners
    assert drill.told("posts", "another writer in the log")
    assert drill.told("posts", "partition taken over")
    assert drill.told("publisher", "a token could not be renewed", ended[0].id)
    drill.followed(tmp_path, DRILLS["platforms and partitions"])


# --- customers ------------------------------------------------------------------------------------------


def image(colours: int, side: int) -> bytes:
    """A PNG of vertical stripes."""
    row = Image.frombytes("RGB", (side, 1), random.Random(colours).randbytes(3 * side))
    data = io.BytesIO()
    row.resize((side, side), Image.Resampling.NEAREST).save(data, "PNG", optimize=True)
    return data.getvalue()


def read_late(drill: Drill, post_id: str) -> None:
    """Numbers of the post, which lie in the log for some seconds before they are folded."""
    recorder = drill.recorder
    publisher, analytics = drill.stack.process("publisher"), drill.stack.process("analytics")
    asked, read, folded = (
        recorder.latest(name)
        for name in ("analytics_requests_total", "publisher_readings_total", "analytics_samples_total")
    )
    publisher.pause()
    drill.client.post(f"/posts/{post_id}/analytics/refresh", status=202)
    drill.eventually(lambda: recorder.latest("analytics_requests_total") > asked, what="a reading being asked for")
    analytics.pause()
    publisher.resume()
    drill.eventually(lambda: recorder.latest("publisher_readings_total") > read, what="a reading")
    recorder.wait(3)
    analytics.resume()
    drill.eventually(lambda: recorder.latest("analytics_samples_total") > folded, what="a sample being folded")


def test_customers(drill: Drill, connect: Any, tmp_path: Path) -> None:
    client, recorder = drill.client, drill.recorder
    account = connect(client.tenant, "twitter")
    stripes = image(1, 640)
    # What is made of a file may be four times as large as the largest image.
    drill.restart("media", MEDIA_MAX_IMAGE_BYTES=str(len(stripes) + 1))
    with customer(image(0, 16)) as receiver:
        for number in range(12):
            client.post("/webhooks", {"url": receiver.url(f"{number}")}, status=201)
        post_id = drill.published(account)
        drill.begin()

        drill.cause("DecodersDie")
        for _ in range(8):
            client.request("POST", "/media/upload", files={"file": ("a.png", stripes)})
        drill.cause("WebhooksFail")
        receiver.status = 500
        for _ in range(12):
            drill.published(account)
        drill.cause("MediaSlow")
        media = [{"type": "image", "url": receiver.url("slow.png"), "alt_text": "stripes"}]
        for _ in range(2):
            drill.publish(account, content={"text": new_id("drill"), "media": media})
        drill.cause("SamplesLate")
        read_late(drill, post_id)
        read_late(drill, post_id)
        drill.cause("EndpointsDisabled")
        receiver.status = 410
        drill.published(account)
        recorder.wait(25)
        assert len(client.get("/webhooks")["webhooks"]) == 12

    assert drill.told("webhooks", '"endpoint disabled"', client.tenant)
    assert drill.told("media", '"job done"', '"outcome": "unfit"')
    drill.followed(tmp_path, DRILLS["customers"])
