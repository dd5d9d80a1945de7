"""Every event reaches every endpoint that wants it, whatever dies: judged by the receiver.

WEBHOOK_EVENTS sets how many go through in the long run of it (`make webhook-losses`).
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from localstack.process import Process, free_ports
from localstack.services import is_ready

pytestmark = [pytest.mark.stack, pytest.mark.timeout(7_200)]

EVENTS = int(os.environ.get("WEBHOOK_EVENTS", "600"))
PART = max(600, EVENTS // 20)
"""Events between two deaths in the long run."""
STEPS = (
    "webhooks.before_record",
    "webhooks.after_record",
    "webhooks.before_commit",
    "webhooks.before_call",
    "webhooks.after_call",
    "webhooks.answer_recorded",
)


@pytest.fixture
def second(stack: Any, tmp_path: Any) -> Iterator[Callable[[], Process]]:
    """Starts another instance of the service."""
    started: list[Process] = []

    def second() -> Process:
        port, internal = free_ports(2)
        process = Process(
            "second-webhooks",
            (sys.executable, "-m", "webhooks"),
            log=tmp_path / "webhooks.log",
            probe=lambda: is_ready(f"http://127.0.0.1:{port}/readyz"),
            environment={
                **stack.process("webhooks").environment,
                "HEALTH_PORT": str(port),
                "WEBHOOKS_INTERNAL_PORT": str(internal),
            },
        )
        started.append(process)
        process.start()
        return process

    yield second
    for process in started:
        process.stop()


class Tenants:
    """Tenants with endpoints of several kinds at one receiver, each known by its path."""

    def __init__(self, as_role: Any, receiver: Any, eventually: Any, *, endpoints: int) -> None:
        self.manager = as_role("manager")
        self._receiver = receiver
        self._eventually = eventually
        self.ids = [
            self.manager.post("/webhooks", {"url": f"{receiver.url}/{number}", "fifo": number % 2 == 1}, status=201)[
                "id"
            ]
            for number in range(endpoints)
        ]
        self.expected: list[str] = []

    @property
    def id(self) -> str:
        return str(self.manager.tenant)

    def verify(self, *, seconds: float = 120) -> Counter[str]:
        """Each event once or more at each endpoint, under one `webhook-id` and one number; no number is missing."""
        wanted = set(self.expected)
        paths = [f"/hook/{number}" for number in range(len(self.ids))]
        self._eventually(
            lambda: all(len(self._receiver.told[path]) >= len(wanted) for path in paths),
            seconds=seconds,
            what="every event at every endpoint",
        )
        found: dict[str, list[Any]] = {path: [] for path in paths}
        for each in list(self._receiver.accepted):
            if each.path in found:
                found[each.path].append(each)
        repeats: Counter[str] = Counter()
        for path, got in found.items():
            numbers = {each.id: each.json["sequence"] for each in got}
            events = {each.id: each.json["event_id"] for each in got}
            assert len(numbers) == len(wanted), "one webhook-id for each event"
            assert sorted(numbers.values()) == list(range(1, len(wanted) + 1)), "no gap, nothing twice"
            assert set(events.values()) == wanted
            assert len({(each.id, each.body) for each in got}) == len(numbers), "the same body every time"
            repeats[path] = len(got) - len(numbers)
        return repeats

    def in_order(self, number: int) -> bool:
        """Whether what this endpoint saw for the first time came in the order of the numbers."""
        first = dict.fromkeys(
            each.json["sequence"] for each in self._receiver.accepted if each.path == f"/hook/{number}"
        )
        return list(first) == sorted(first)


@pytest.fixture
def tenants(as_role: Any, receiver: Any, eventually: Any) -> Callable[..., Tenants]:
    def tenants(endpoints: int = 4) -> Tenants:
        return Tenants(as_role, receiver, eventually, endpoints=endpoints)

    return tenants


def test_killed_at_each_step(stack: Any, tenants: Any, say: Any, members: Any, eventually: Any) -> None:
    """One step after the other, also while it makes good for the death before."""
    tenant = tenants()
    process = stack.process("webhooks")
    process.stop()
    try:
        for step in STEPS:
            occurrence = 7 if "call" in step or "answer" in step else 1
            process.environment["FAULT_POINTS"] = f"{step}=kill@{occurrence}"
            process.spawn()
            tenant.expected += say(tenant.id, 20)
            eventually(lambda: not process.alive, what=f"webhooks being killed at {step}")
            tenant.expected += say(tenant.id, 5)
            members.bury()
    finally:
        del process.environment["FAULT_POINTS"]
        process.restart()
    tenant.verify()
    assert tenant.in_order(1)
    assert tenant.in_order(3)


def test_killed_again_and_again(stack: Any, tenants: Any, say: Any, receiver: Any, members: Any) -> None:
    """At random moments, while the receiver refuses now and then: each delivery once at most, as a third attempt comes
    only minutes after the second.
    """
    chance = random.Random(1)
    refused = set()

    def answer(received: Any) -> int:
        delivery = received.path, received.id
        if delivery in refused or chance.random() >= 0.02:
            return 200
        refused.add(delivery)
        return 503

    receiver.answer = answer
    tenant = tenants(3)
    process = stack.process("webhooks")
    for _ in range(5):
        tenant.expected += say(tenant.id, 60)
        time.sleep(chance.random() * 0.5)
        process.kill()
        members.bury()
        process.start()
    receiver.answer = lambda _received: 200
    tenant.verify(seconds=240)


def test_two_instances_share_the_work_and_either_may_die(
    stack: Any, tenants: Any, say: Any, second: Any, members: Any
) -> None:
    tenant = tenants(6)
    tenant.expected += say(tenant.id, 30)
    first = members.known()
    other = second()
    tenant.expected += say(tenant.id, 60, accounts=16)
    tenant.verify()
    process = stack.process("webhooks")
    process.kill()
    members.bury(first)
    tenant.expected += say(tenant.id, 60, accounts=16)
    tenant.verify()
    others = members.known()
    process.start()
    tenant.expected += say(tenant.id, 60, accounts=16)
    other.kill()
    members.bury(others)
    tenant.expected += say(tenant.id, 30, accounts=16)
    tenant.verify()


def test_one_frozen_and_replaced_loses_nothing(stack: Any, tenants: Any, say: Any, second: Any) -> None:
    """The frozen one does not know that it has been thrown out when it goes on."""
    tenant = tenants(4)
    process = stack.process("webhooks")
    tenant.expected += say(tenant.id, 40)
    process.pause()
    try:
        second()
        tenant.expected += say(tenant.id, 40)
        tenant.verify()
    finally:
        process.resume()
    tenant.expected += say(tenant.id, 40)
    tenant.verify()


def test_none_of_many_is_lost(stack: Any, tenants: Any, say: Any, receiver: Any, members: Any, eventually: Any) -> None:
    """The long run: the service dies again and again meanwhile."""
    tenant = tenants(2)
    process = stack.process("webhooks")
    begun, kills, left = time.monotonic(), 0, EVENTS

    def minutes() -> float:
        return (time.monotonic() - begun) / 60

    while left:
        count = min(left, PART)
        tenant.expected += say(tenant.id, count, accounts=64)
        left -= count
        # Not all deaths at the beginning: as many deliveries are made between two of them as events are said.
        delivered = len(tenant.expected) - PART
        eventually(lambda: min(map(len, receiver.told.values()), default=0) >= delivered, seconds=600)  # noqa: B023
        process.kill()
        kills += 1
        members.bury()
        process.start()
        print(f"{minutes():.1f} minutes: {len(tenant.expected):,} events, {kills} kills")  # noqa: T201  # it takes long
    repeats = tenant.verify(seconds=60 + EVENTS / 10)
    print(  # noqa: T201  # the figure
        f"{EVENTS:,} events to 2 endpoints, {2 * EVENTS:,} deliveries, in {minutes():.1f} minutes and {kills} kills:"
        f" none lost, {repeats.total()} repeated"
    )
