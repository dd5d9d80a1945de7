"""The auditor beside the running system: balanced while processes die, and not when somebody forges the log."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import ConsumerRecord

from auditor.adapters.store import MongoStore
from auditor.domain.counting import Account, Promise
from auditor.domain.findings import KINDS, Finding
from auditor.domain.totals import Totals
from auditor.ports import AnotherAuditorError
from chassis import store
from contracts.content import LivePart
from contracts.ids import new_id
from contracts.posts import Published, TargetOutcomeRecorded
from contracts.topics import POSTS_EVENTS, partition_for
from contracts.wire import Envelope, pack, unpack
from eventlog.kafka import partition_count

pytestmark = pytest.mark.stack


class Audit:
    """The running auditor, from outside."""

    def __init__(self, stack: Any) -> None:
        self._stack = stack
        self._url = f"http://127.0.0.1:{stack.settings.auditor_health_port}/metrics"

    def metric(self, name: str) -> dict[str, float]:
        """By its labels as they are written."""
        answer = httpx.get(self._url, trust_env=False)
        lines = (line.rpartition(" ") for line in answer.text.splitlines() if line.startswith(name))
        return {series.removeprefix(name): float(value) for series, _, value in lines}

    def imbalance(self) -> dict[str, float]:
        found = {labels: value for labels, value in self.metric("auditor_imbalance").items() if value}
        return {kind: found[f'{{kind="{kind}"}}'] for kind in KINDS if f'{{kind="{kind}"}}' in found}

    def published(self) -> float:
        targets = self.metric("auditor_targets")
        return sum(value for labels, value in targets.items() if 'state="published"' in labels)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "auditor", *words],
            env={**os.environ, **self._stack.process("auditor").environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def audit(stack: Any) -> Audit:
    return Audit(stack)


def test_it_balances_while_processes_die(
    stack: Any, audit: Audit, as_role: Any, connect: Any, sandbox: Any, eventually: Any
) -> None:
    tenant = new_id("tenant")
    client = as_role("content_manager", tenant)
    accounts = [connect(tenant, "twitter"), connect(tenant, "linkedin")]
    targets = [{"platform": each.platform, "account_id": each.id} for each in accounts]
    # Whatever state other tests have left, this tenant's is told apart by `check`; the sum is of all.
    before = audit.published()
    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()

    def publish(number: int, **more: Any) -> str:
        body = {"content": {"text": f"once {number} {tenant}"}, "platforms": targets, **more}
        key = new_id("key")

        def accepted() -> str | None:
            try:
                answer = client.request("POST", "/publish", body, key=key)
            except httpx.TransportError:
                return None
            return answer.json()["post_id"] if answer.status_code in (200, 201) else None

        return str(eventually(accepted, what="a publication being accepted"))

    going_out = [publish(number) for number in range(4)]
    stack.process("auditor").kill()
    going_out += [publish(number, publish_at=soon) for number in range(4, 8)]
    for name in ("posts", "publisher"):
        stack.process(name).kill()
        stack.process(name).start()
    planned, given_up = publish(8, publish_at=later), publish(9, publish_at=later)
    client.post(f"/posts/{given_up}/cancel")
    stack.process("auditor").start()
    for post_id in going_out:
        client.settled(post_id, "published", seconds=120)

    eventually(lambda: audit.published() >= before + 16, what="the auditor having counted them")
    assert audit.imbalance() == {}
    checked = audit.command("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    (row,) = [line.split() for line in checked.stdout.splitlines() if line.startswith(tenant)]
    assert row[1:] == ["20", "16", "0", "2", "0", "0", "0", "2", "0", "0", "0"]
    client.post(f"/posts/{planned}/cancel")


async def test_a_forged_event_does_not_pass(
    stack: Any, audit: Audit, as_role: Any, connect: Any, sandbox: Any, eventually: Any
) -> None:
    """Somebody writes into the log as its owner would: a second live post for a target."""
    tenant = new_id("tenant")
    client = as_role("content_manager", tenant)
    account = connect(tenant, "twitter")
    body = {"content": {"text": f"once {tenant}"}, "platforms": [{"platform": "twitter", "account_id": account.id}]}
    post_id = client.post("/publish", body, status=201)["post_id"]
    client.settled(post_id, "published")
    doubles = audit.metric("auditor_duplicates_total")[""]

    last = await newest(stack.kafka_bootstrap, post_id)
    envelope, _ = unpack(tuple(last.headers), last.value)
    forged = Envelope(
        id=new_id("evt"),
        source="somebody",
        subject=post_id,
        time=datetime.now(UTC),
        sequence=(envelope.sequence or 0) + 1,
        previous_id=envelope.id,
        tenant_id=tenant,
    )
    event = TargetOutcomeRecorded(
        at=forged.time,
        target_id=f"twitter:{account.id}",
        attempt=1,
        outcome=Published(parts=(LivePart(index=0, platform_post_id="42"),), at=forged.time),
    )
    headers, value = pack(event, forged)
    async with AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap) as producer:
        await producer.send_and_wait(
            POSTS_EVENTS, value, key=post_id.encode(), partition=last.partition, headers=list(headers)
        )

    eventually(lambda: audit.imbalance() == {"duplicate": 1}, what="the auditor noticing")
    assert audit.metric("auditor_duplicates_total")[""] == doubles + 1
    checked = audit.command("check")
    assert checked.returncode == 1
    assert f"duplicate (live twice): {tenant} {post_id}/twitter:{account.id}" in checked.stdout

    # It stands, whatever happens to the process, until a person has looked into it.
    stack.process("auditor").restart()
    eventually(lambda: audit.imbalance() == {"duplicate": 1}, what="the auditor remembering")
    finding = f"duplicate/{post_id}/twitter:{account.id}/{forged.sequence}"
    assert finding in audit.command("findings").stdout
    assert audit.command("settle", finding, "forged", "by a test").returncode == 0
    eventually(lambda: audit.imbalance() == {}, what="the finding being settled")
    assert audit.command("settle", finding, "again").returncode == 1


async def newest(bootstrap: str, post_id: str) -> ConsumerRecord:
    """The last event of a post."""
    tp = TopicPartition(POSTS_EVENTS, partition_for(post_id, await partition_count(bootstrap, POSTS_EVENTS)))
    found: ConsumerRecord = None
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        consumer.assign([tp])
        await consumer.seek_to_beginning(tp)
        end = (await consumer.end_offsets([tp]))[tp]
        while await consumer.position(tp) < end:
            for record in (await consumer.getmany(tp, timeout_ms=500)).get(tp, ()):
                found = record if record.key == post_id.encode() else found
    return found


async def test_two_auditors_never_write_the_same_books(mongodb_uri: str) -> None:
    """Against the real store: the later one takes over, and what it loads is whole."""
    at = datetime(2026, 3, 2, tzinfo=UTC)
    promise = Promise(platform="twitter", state="published", since=at, unproven=True, live=("1",))
    account = Account(post_id="post_1", tenant_id="t", version=2, event_id="e", promises={"twitter:a": promise})
    finding = Finding(kind="duplicate", tenant_id="t", post_id="post_1", at=at, detail="1 and 2", version=2)
    async with store.connect(mongodb_uri) as client:
        database = store.database(client, new_id("audit"))
        first, second = MongoStore(database), MongoStore(database)
        await first.load()
        await first.save({0: 7}, [account], {"t": Totals(1, {"twitter/published": 1})}, [finding])
        saved = await second.load()
        assert (saved.positions, saved.totals["t"].accepted) == ({0: 7}, 1)
        assert list(await second.watched(at)) == [account]
        assert list(await second.watched(at - timedelta(seconds=1))) == []
        with pytest.raises(AnotherAuditorError):
            await first.save({0: 1}, [], {}, [])
        await second.save({0: 8}, [], {}, [finding])
        assert await second.fetch(["post_1", "post_2"]) == {"post_1": account}
        assert list(await second.unsettled()) == [finding]
        assert await second.settle(finding.finding_id, "known", at)
        await second.save({0: 9}, [], {}, [finding])
        assert list(await second.unsettled()) == []
        await second.forget()
        with pytest.raises(AnotherAuditorError):
            await second.save({0: 9}, [], {}, [])
        assert (await MongoStore(database).load()).positions == {}
        await client.drop_database(database.name)
