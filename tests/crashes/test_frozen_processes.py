"""A process is frozen for longer than its group waits, another takes its place, and then the frozen one goes on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from localstack.process import Process, free_ports
from localstack.services import is_ready

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


@pytest.fixture
def another(stack: Any, tmp_path: Any) -> Iterator[Any]:
    """Starts a second process of a service."""
    started: list[Process] = []

    def another(service: str) -> Process:
        port, internal = free_ports(2)
        process = Process(
            f"second-{service}",
            (sys.executable, "-m", service),
            log=tmp_path / f"{service}.log",
            probe=lambda: is_ready(f"http://127.0.0.1:{port}/readyz"),
            environment={
                **stack.process(service).environment,
                "HEALTH_PORT": str(port),
                "PUBLISHER_INTERNAL_PORT": str(internal),
            },
        )
        started.append(process)
        process.start()
        return process

    yield another
    for process in started:
        process.stop()


@pytest.mark.parametrize("service", ["posts", "publisher"])
def test_frozen_between_two_steps_and_replaced(stack: Any, load: Any, another: Any, service: str) -> None:
    process = stack.process(service)
    load.start(rounds=2)
    process.pause()
    another(service)
    load.verify()
    process.resume()
    load.start()
    load.verify()


@pytest.mark.parametrize(
    ("service", "step"),
    [
        ("posts", "owner.before_append"),
        ("posts", "owner.after_append"),
        ("publisher", "publisher.before_call"),
        ("publisher", "publisher.after_call"),
    ],
)
def test_frozen_at(
    stack: Any, load: Any, another: Any, eventually: Any, with_fault_points: Any, service: str, step: str
) -> None:
    process = stack.process(service)
    with with_fault_points(process, f"{step}=stop@2"):
        load.start()
        eventually(lambda: _is_stopped(process.pid), what=f"{service} being frozen at {step}")
        another(service)
        load.verify()
        process.resume()
        load.start()
        load.verify()


def _is_stopped(pid: int) -> bool:
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "T"
