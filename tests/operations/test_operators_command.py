"""The operator's command, all of it, on the running system; and its backup as another system."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Client

from chassis import store
from contracts.content import Failure
from contracts.ids import new_id
from contracts.messages import Message
from contracts.posts import CancelPost, Post, Target, TargetStatus
from contracts.topics import POSTS_COMMANDS, dead_letters, partition_for
from contracts.wire import Envelope, pack
from eventlog.chain import Stored
from eventlog.documents import to_document
from eventlog.kafka import producer
from localstack.services import environments
from localstack.stack import Stack
from localstack.testing import local_broker, local_store
from ops.__main__ import main
from ops.projections import AGGREGATES
from posts.domain.post import PostAggregate

pytestmark = pytest.mark.stack

Ops = Callable[..., Any]


@pytest.fixture
def ops(stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ops:
    """`ops("topics")`: what it prints, read as JSON. `expecting` is its status; with 2 it is its complaint."""
    told = environments(stack.settings, stack.keys)

    def ops(*arguments: str, expecting: int = 0, **environment: str) -> Any:
        with monkeypatch.context() as patch:
            for name, value in {**told["publisher"], **told["webhooks"], **environment}.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["ops", *arguments, "--json"])
            status = main()
        printed = capsys.readouterr()
        assert status == expecting, printed
        return printed.err if status == 2 else json.loads(printed.out)

    return ops


class Scene:
    """A tenant with an account on X."""

    def __init__(self, client: Client, account_id: str) -> None:
        self.client, self._account_id = client, account_id

    def draft(self) -> str:
        draft = {
            "content": {"text": f"{new_id('mark')} for the record"},
            "platforms": ["twitter"],
            "accounts": {"twitter": self._account_id},
        }
        post_id: str = self.client.post("/posts", draft, status=201)["id"]
        return post_id

    def publish(self) -> str:
        post_id = self.draft()
        self.client.post(f"/posts/{post_id}/publish", {"publish_now": True}, status=202)
        self.client.settled(post_id, "published")
        return post_id

    def schedule(self, seconds: float) -> str:
        post_id = self.draft()
        due = datetime.now(UTC) + timedelta(seconds=seconds)
        self.client.post(f"/posts/{post_id}/schedule", {"scheduled_at": due.isoformat(), "timezone": "UTC"})
        return post_id


@pytest.fixture(scope="module")
def scene(stack: Stack, sandbox: Any) -> Scene:
    client = Client(stack, new_id("tenant"))
    return Scene(client, stack.connect_account(client.tenant, "twitter"))


@contextmanager
def ended(stack: Stack, *names: str) -> Iterator[None]:
    processes = [stack.process(name) for name in names]
    for process in processes:
        process.stop()
    try:
        yield
    finally:
        for process in processes:
            process.spawn()
        for process in processes:
            process.wait_ready()


def test_looking(stack: Stack, scene: Scene, ops: Ops, eventually: Any) -> None:
    scene.publish()
    late = scene.schedule(1.5)
    stack.process("posts").pause()
    try:

        def overdue() -> Any:
            found = ops("overdue", "--limit", "500")["overdue"]
            return next((each for each in found if each["id"] == late), None)

        found = eventually(overdue, what="the post being late")
    finally:
        stack.process("posts").resume()
    assert (found["aggregate"], found["tenant_id"]) == ("posts", scene.client.tenant)
    assert found["late_seconds"] > 0
    scene.client.settled(late, "published")
    assert overdue() is None

    found = ops("topics")
    sizes = {each["topic"]: each for each in found["topics"]}
    assert sizes["posts.events"]["partitions"] == stack.settings.topic_partitions
    assert sizes["posts.events"]["end"] == sizes["posts.events"]["records"] >= 6
    assert {"posts", "publisher", "accounts", "analytics"} <= {each["group"] for each in found["lag"]}
    eventually(
        lambda: all(each["lag"] == 0 for each in ops("topics")["lag"] if each["group"] in ("posts", "publisher")),
        what="no lag",
    )

    (owner,) = [each for each in ops("owners")["owners"] if each["group"] == "posts"]
    assert (owner["state"], owner["topic"]) == ("Stable", "posts.commands")
    assert owner["partitions"] == f"0-{stack.settings.topic_partitions - 1}"


def test_what_is_held_is_named_with_its_reason(stack: Stack, ops: Ops) -> None:
    database, now = f"ops_{new_id('db')[-12:].lower()}", datetime.now(UTC)

    def post(post_id: str, tenant: str, *statuses: TargetStatus) -> store.Document:
        lost = Failure(code="outcome_unknown", message="Nobody can tell.")
        state = Post(
            post_id=post_id,
            kind="post",
            tenant_id=tenant,
            created_by="user_001",
            created_at=now,
            updated_at=now,
            title=None,
            parts=(),
            platforms=("twitter",),
            status="failed",
            targets=tuple(
                Target(platform="twitter", account_id=f"acc_{n}", username=f"u{n}", status=status, failure=lost)
                for n, status in enumerate(statuses)
            ),
        )
        stored = Stored(aggregate_id=post_id, version=1, event_id="evt", state=state, log=(0,))
        return to_document(PostAggregate(), 0, stored)

    async def arrange() -> None:
        client = store.connect(stack.mongodb_uri)
        try:
            documents = [
                post("post_1", "t1", "held", "failed"),
                post("post_2", "t2", "held"),
                post("post_3", "t2", "published"),
            ]
            await client[database]["posts"].insert_many(documents)
            held = {"parts": [{"step": "confirmed"}, {"step": "held"}]}
            for each in documents:
                entry = {"_id": f"{each['_id']}/x", "post_id": each["_id"], "tenant_id": each["tenant_id"], **held}
                await client[database]["publications"].insert_one(entry)
        finally:
            await client.close()

    asyncio.run(arrange())
    found = ops("held", MONGODB_DATABASE=database)
    assert [(each["post_id"], each["target_id"]) for each in found["held"]] == [
        ("post_1", "twitter:acc_0"),
        ("post_2", "twitter:acc_0"),
    ]
    assert (found["held"][0]["account"], found["held"][0]["reason"]) == ("u0", "outcome_unknown")
    assert "resolve" in found["remarks"][0]
    assert [each["tenant_id"] for each in ops("held", "--tenant", "t2", MONGODB_DATABASE=database)["held"]] == ["t2"]


def bury(stack: Stack, letters: Sequence[tuple[str, tuple[tuple[str, bytes], ...], bytes]]) -> list[str]:
    """As an older release would have put them aside: the key, headers and value of each. Their names."""

    async def put() -> list[str]:
        client = producer(stack.kafka_bootstrap, "test")
        await client.start()
        try:
            names = []
            for key, headers, value in letters:
                partition = partition_for(key, stack.settings.topic_partitions)
                origin = (
                    ("dead_letter_reason", b"an older release did not know it"),
                    ("dead_letter_topic", POSTS_COMMANDS.encode()),
                    ("dead_letter_partition", b"%d" % partition),
                    ("dead_letter_offset", b"0"),
                    ("dead_letter_key", key.encode()),
                )
                written = await client.send_and_wait(
                    dead_letters(POSTS_COMMANDS), value=value, partition=partition, headers=[*headers, *origin]
                )
                names.append(f"{written.topic}/{written.partition}/{written.offset}")
            return names
        finally:
            await client.stop()

    return asyncio.run(put())


def command(message: Message, subject: str, tenant: str) -> tuple[str, tuple[tuple[str, bytes], ...], bytes]:
    envelope = Envelope(id=new_id("cmd"), source="test", subject=subject, time=datetime.now(UTC), tenant_id=tenant)
    return subject, *pack(message, envelope)


def test_dead_letters_go_back_once_they_can_be_read(stack: Stack, scene: Scene, ops: Ops) -> None:
    post_id, tenant = scene.schedule(3_600), scene.client.tenant
    cancel = CancelPost(post_id=post_id, tenant_id=tenant, actor="user_001", issued_at=datetime.now(UTC))
    good, bad = bury(stack, [command(cancel, post_id, tenant), (post_id, (("ce_type", b"post.x.v9"),), b"{}")])

    listed = {
        each["id"]: each for each in ops("dead-letters", "list", "--topic", "posts.commands.dead")["dead_letters"]
    }
    assert (listed[good]["type"], listed[good]["tenant_id"]) == ("post.cancel.v1", tenant)
    assert listed[good]["replayed_at"] is None
    assert listed[bad]["reason"] == "an older release did not know it"
    (whole,) = ops("dead-letters", "show", good)["dead_letter"]
    assert (whole["value"]["post_id"], whole["headers"]["dead_letter_topic"]) == (post_id, "posts.commands")

    results = ops("dead-letters", "replay", good, bad, expecting=1)["replayed"]
    assert results[0]["result"].startswith("put back, to posts.commands/")
    assert results[1]["result"].startswith("left: it still cannot be read")
    scene.client.settled(post_id, "cancelled")
    history = scene.client.get(f"/posts/{post_id}/history")

    (again,) = ops("dead-letters", "replay", good)["replayed"]
    assert again["result"].startswith("was put back at")
    ops("dead-letters", "replay", good, "--repeat")
    marker = scene.publish()
    assert scene.client.get(f"/posts/{post_id}/history") == history, f"known by its id, as {marker} shows it was read"
    listed = {each["id"]: each for each in ops("dead-letters", "list")["dead_letters"]}
    assert listed[good]["replayed_at"] is not None
    assert "names no dead letter" in ops("dead-letters", "show", "posts.events/0/0", expecting=2)


def test_a_projection_is_built_beside_and_put_in_place(stack: Stack, scene: Scene, ops: Ops) -> None:
    kept, lost = scene.publish(), scene.publish()
    (sound,) = ops("rebuild", "posts")["comparison"]
    assert sound["equal"] + sound["newer"] >= 2
    assert "end all instances of posts first" in ops("rebuild", "posts", "--switch-over", expecting=2)

    async def harm() -> None:
        client = store.connect(stack.mongodb_uri)
        try:
            posts = client[stack.database]["posts"]
            await posts.delete_one({"_id": lost})
            await posts.update_one({"_id": kept}, {"$set": {"event_id": "evt_wrong"}})
            await posts.insert_one({**(await posts.find_one({"_id": kept}) or {}), "_id": "post_nobody_wrote"})
        finally:
            await client.close()

    with ended(stack, "posts"):
        asyncio.run(harm())
        (found,) = ops("rebuild", "posts", expecting=1)["comparison"]
        assert (found["missing"], found["different"], found["extra"]) == (1, 1, 1)
        assert found["events"] >= sound["events"]
        switched = ops("rebuild", "posts", "--switch-over")
        assert switched["comparison"][0]["events"] == 0, "it goes on from where the last one ended"
    for post_id in (kept, lost):
        assert scene.client.get(f"/posts/{post_id}")["status"] == "published"
    assert scene.client.request("GET", "/posts/post_nobody_wrote").status_code == 404
    scene.publish()
    (after,) = ops("rebuild", "posts")["comparison"]
    assert (after["missing"], after["different"], after["extra"]) == (0, 0, 0)


def test_keys_are_rotated_together(scene: Scene, ops: Ops) -> None:
    rows = ops("rotate-keys")["rotation"]
    assert [(each["secrets"], each["remaining"]) for each in rows] == [("tokens", 0), ("signing keys", 0)]


def test_a_backup_is_another_system(stack: Stack, scene: Scene, ops: Ops, tmp_path: Path) -> None:
    scene.publish()
    folder = str(tmp_path / "backup")
    saved = ops("backup", folder)
    broker, documents = local_broker(tmp_path / "kafka"), local_store(tmp_path / "store")
    broker.start()
    documents.start()
    try:
        elsewhere = {"KAFKA_BOOTSTRAP": broker.bootstrap, "MONGODB_URI": documents.uri, "MONGODB_DATABASE": "restored"}
        restored = ops("restore", folder, "--replication", "1", **elsewhere)
        assert restored["topics"] == saved["topics"]
        assert restored["collections"] == saved["collections"]
        for name in AGGREGATES:
            (found,) = ops("rebuild", name, **elsewhere)["comparison"]
            assert (found["missing"], found["different"], found["newer"], found["extra"]) == (0, 0, 0, 0)
        here = {(each["group"], each["topic"]) for each in ops("topics")["lag"]}
        there = {(each["group"], each["topic"]): each["lag"] for each in ops("topics", **elsewhere)["lag"]}
        assert there.keys() == here
        assert "not empty" in ops("restore", folder, "--replication", "1", expecting=2, **elsewhere)
        assert "not empty" in ops("backup", folder, expecting=2)
    finally:
        broker.stop()
        documents.stop()
