"""The examples of the guide, run as they are."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from contracts.ids import new_id
from localstack.process import free_ports

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@contextmanager
def running(example: str, *arguments: str, **environment: str) -> Iterator[list[str]]:
    """What it has printed so far."""
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / example), *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    printed: list[str] = []
    assert process.stdout is not None
    output = process.stdout
    reading = threading.Thread(target=lambda: printed.extend(iter(output.readline, "")), daemon=True)
    reading.start()
    try:
        yield printed
    finally:
        process.kill()
        process.wait()
        reading.join()


def test_a_newcomer_sees_a_verified_delivery(as_role: Any, eventually: Any) -> None:
    manager = as_role("manager")
    (port,) = free_ports(1)
    webhook = manager.post("/webhooks", {"url": f"http://127.0.0.1:{port}/"}, status=201)
    with running("webhook_consumer.py", str(port), WEBHOOK_SECRET=webhook["secret"]) as printed:
        eventually(lambda: printed)
        manager.post(f"/webhooks/{webhook['id']}/test", status=202)
        eventually(lambda: any(line.startswith("verified #1 webhook.test") for line in printed))


def test_the_example_refuses_what_others_sign(as_role: Any, eventually: Any) -> None:
    manager = as_role("manager")
    (port,) = free_ports(1)
    webhook = manager.post("/webhooks", {"url": f"http://127.0.0.1:{port}/"}, status=201)
    other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazmbV3dx0Qk="
    with running("webhook_consumer.py", str(port), WEBHOOK_SECRET=other) as printed:
        eventually(lambda: printed)
        sent = manager.post(f"/webhooks/{webhook['id']}/test", status=202)
        log = eventually(lambda: manager.get(f"/webhooks/{webhook['id']}/deliveries/{sent['id']}")["log"])
        assert log[0]["status"] == 400
        assert len(printed) == 1


def test_the_kafka_consumer(stack: Any, as_role: Any, say: Any, eventually: Any) -> None:
    tenant = as_role("creator").tenant
    say(tenant, 3)
    with running("kafka_consumer.py", KAFKA_BOOTSTRAP=stack.kafka_bootstrap, KAFKA_GROUP=new_id("group")) as printed:
        eventually(lambda: sum(tenant in line and "social.mention_received" in line for line in printed) == 3)
