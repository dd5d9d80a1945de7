"""Without Kafka and the store services are alive and not ready, end when they are asked to, and nothing is lost.

It takes two minutes, as they wait for half a one: `make crash-matrix` runs it.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import httpx
import pytest

from chassis.process import CLOSE_SECONDS, DRAIN_SECONDS, LAST_SPANS_SECONDS
from contracts.ids import new_id
from localstack.process import Process
from localstack.services import SERVICES
from localstack.stack import Stack

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif("CRASH_ROUNDS" not in os.environ, reason="takes two minutes: make crash-matrix"),
]

MARGIN = 10.0
"""For a machine that has much else to do."""


def answer(process: Process, path: str) -> int:
    """The status of a probe."""
    return httpx.get(f"http://127.0.0.1:{process.environment['HEALTH_PORT']}{path}", trust_env=False).status_code


def test_every_service_ends_in_time_without_kafka_and_the_store(
    stack: Stack, client: Any, twitter: Any, sandbox: Any, eventually: Any, record_property: Any
) -> None:
    texts = [new_id("mark") for _ in range(12)]
    target = {"platform": "twitter", "account_id": twitter.id}
    post_ids = [
        client.post("/publish", {"content": {"text": text}, "platforms": [target]}, status=201)["post_id"]
        for text in texts
    ]
    infrastructure = [stack.process("kafka"), stack.process("store")]
    # The simulated platforms remember what is live in memory only.
    services = [stack.process(name) for name in SERVICES if name != "sandbox"]
    took: dict[str, float] = {}
    try:
        for process in infrastructure:
            process.kill()
        # They cannot do their work, and a restart would not mend that.
        eventually(lambda: {answer(each, "/readyz") for each in services} == {503}, what="nobody being ready")
        assert {answer(each, "/livez") for each in services} == {200}
        for process in services:
            process.signal(signal.SIGTERM)
        asked_at = time.monotonic()

        def running() -> list[str]:
            for process in services:
                if not process.alive:
                    took.setdefault(process.name, round(time.monotonic() - asked_at, 1))
            return [process.name for process in services if process.alive]

        bound = DRAIN_SECONDS + CLOSE_SECONDS + LAST_SPANS_SECONDS + MARGIN
        eventually(lambda: not running(), seconds=bound, what="the end of all services")
        # None was killed: each has ended by itself.
        assert {process.name for process in services if process.exit_code not in (0, 1)} == set()
        record_property("seconds", took)
    finally:
        for process in (*reversed(infrastructure), *services):
            process.start()
    for post_id in post_ids:
        client.settled(post_id, "published")
    live = [post["text"] for post in sandbox.live(twitter)]
    assert [live.count(text) for text in texts] == [1] * len(texts)
