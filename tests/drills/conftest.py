"""A drill: what is watched, what was caused and when, and whether each alert followed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.drills.recording import Recorder
from tests.manifests.test_rules import GROUPS, names, promtool

from contracts.ids import new_id

SERVICES = ("gateway", "posts", "publisher", "media", "analytics", "webhooks", "auditor")


class Drill:
    def __init__(self, stack: Any, client: Any, eventually: Any) -> None:
        self.stack, self.client, self.eventually = stack, client, eventually
        ports = {name: getattr(stack.settings, f"{name}_health_port") for name in SERVICES}
        urls = {name: f"http://127.0.0.1:{port}/metrics" for name, port in ports.items()}
        self.recorder = Recorder(urls, stack.kafka_bootstrap, promtool())
        self.started = False
        self._caused: dict[str, int] = {}
        self._environments: dict[str, dict[str, str]] = {}
        self._log_begins = {name: len(stack.logs(name)) for name in SERVICES}

    def restart(self, name: str, **environment: str) -> None:
        """With these settings, until the end of the drill."""
        process = self.stack.process(name)
        self._environments.setdefault(name, process.environment)
        process.environment = {**process.environment, **environment}
        process.restart()

    def begin(self, calm: int = 15) -> None:
        """Watches, for some scrapes before anything is done."""
        self.started = True
        self.recorder.start()
        self.recorder.wait(calm)

    def cause(self, *alerts: str) -> None:
        """What is done next is to make these fire; none of them may have fired before."""
        self._caused |= dict.fromkeys(alerts, self.recorder.ticks)

    def followed(self, folder: Path, alerts: Collection[str]) -> None:
        """Ends watching, and asserts that these were caused and fired: all of them, and none before it was caused."""
        assert sorted(self._caused) == sorted(alerts)
        self.recorder.stop()
        self.started = False
        wrong = []
        for group in GROUPS:
            caused = {alert: tick for alert, tick in self._caused.items() if alert in names(group)}
            if caused:
                wrong.append(self.recorder.wrong(group, caused, folder))
        assert not any(wrong), "\n".join(wrong)

    def end(self) -> None:
        if self.started:
            self.recorder.stop()
        for name in SERVICES:
            self.stack.process(name).resume()
        for name, environment in self._environments.items():
            process = self.stack.process(name)
            process.environment = environment
            process.restart()

    def seen(self, series: str, least: float) -> None:
        """Waits until the sum of all series that begin so is above that."""
        self.eventually(lambda: self.recorder.latest(series) > least, what=f"{series} above {least:g}")

    def told(self, name: str, *words: str) -> bool:
        """Whether the service has logged a line with all of these since the drill began."""
        lines = self.stack.logs(name)[self._log_begins[name] :].splitlines()
        return any(all(word in line for word in words) for line in lines)

    def readiness(self, name: str) -> str:
        """What the service says is wrong, in words."""
        port = getattr(self.stack.settings, f"{name}_health_port")
        answer = httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False)
        return "" if answer.is_success else answer.text

    def run(self, module: str, *arguments: str, of: str) -> str:
        """What an operator reads who runs this in a pod of that service."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, **self.stack.process(of).environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.stdout + done.stderr

    def publish(self, account: Any, **more: Any) -> str:
        body = {
            "content": {"text": new_id("drill")},
            "platforms": [{"platform": account.platform, "account_id": account.id}],
            **more,
        }
        return str(self.client.post("/publish", body, status=201)["post_id"])

    def published(self, account: Any, **more: Any) -> str:
        post_id = self.publish(account, **more)
        self.client.settled(post_id, "published")
        return post_id


@pytest.fixture
def drill(stack: Any, as_role: Any, sandbox: Any, eventually: Any) -> Iterator[Drill]:
    """On a tenant of its own."""
    made = Drill(stack, as_role("manager"), eventually)
    yield made
    made.end()
