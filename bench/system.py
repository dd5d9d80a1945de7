"""The whole system on free ports with data of its own, told not to hold the load generator back."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.content import Platform
from localstack.stack import Stack
from localstack.testing import isolated_settings

API = "/api/v1/creator/social"
TENANT = "bench"
SERVICES = ("analytics", "gateway", "posts", "publisher")


class System:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.host = stack.settings.gateway_host
        self.port = stack.settings.gateway_port
        self.bootstrap = stack.kafka_bootstrap
        self.headers = {
            "Authorization": f"Bearer {stack.token(tenant=TENANT)}",
            "Content-Type": "application/json",
        }

    def connect(self, platform: Platform, count: int) -> list[tuple[str, str]]:
        """Account ids, each ours and the platform's."""
        ids = [self.stack.connect_account(TENANT, platform, username=f"bench{number}") for number in range(count)]
        return [(account_id, self.stack.platform_user_id(account_id)) for account_id in ids]

    def sandbox(self, method: str, path: str, **options: Any) -> Any:
        answer = httpx.request(
            method, f"{self.stack.sandbox_url}/_sandbox{path}", trust_env=False, timeout=60, **options
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def rss(self) -> dict[str, float]:
        """Resident memory of each process in MiB."""
        names = (*SERVICES, "sandbox", "kafka", "store")
        return {name: _rss(self.stack.process(name).pid) for name in names}

    async def records(self, topic: str) -> int:
        """How many records the topic holds now."""
        return await records(self.bootstrap, topic)


async def records(bootstrap: str, topic: str) -> int:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=None)
    await consumer.start()
    try:
        partitions: list[TopicPartition] = list(consumer.assignment())
        return sum((await consumer.end_offsets(partitions)).values())
    finally:
        await consumer.stop()


def _rss(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"no VmRSS of {pid}")


@contextmanager
def running() -> Iterator[System]:
    # Services inherit these.
    os.environ |= {
        "READS_PER_SECOND": "1000000",
        "WRITES_PER_SECOND": "1000000",
        "LOG_LEVEL": "WARNING",
        "WEBHOOKS_MOST_ENDPOINTS": "5000",
    }
    with tempfile.TemporaryDirectory() as folder, Stack(isolated_settings(Path(folder)), print) as stack:
        system = System(stack)
        yield system
