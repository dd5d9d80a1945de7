"""Fault points do nothing unless a test asks, and then exactly what it asked."""

import os
import signal
import subprocess
import sys

import pytest

SCRIPT = """
import asyncio
from chassis.faultpoints import InjectedFaultError, reached
async def main():
    for number in range(3):
        try:
            await reached("here")
        except InjectedFaultError:
            print("raised at", number)
    print("done")
asyncio.run(main())
"""


def run(points: str | None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "FAULT_POINTS"}
    if points is not None:
        environment["FAULT_POINTS"] = points
    return subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("points", [None, "", "elsewhere=kill"])
def test_without_an_order_nothing_happens(points: str | None) -> None:
    assert run(points).stdout == "done\n"


def test_raise_at_the_second_time() -> None:
    assert run("here=raise@2").stdout == "raised at 1\ndone\n"


def test_kill() -> None:
    assert run("elsewhere=stop,here=kill").returncode == -signal.SIGKILL


def test_an_unknown_action_ends_the_process_at_once() -> None:
    ended = run("here=explode")
    assert ended.returncode != 0
    assert "unknown action 'explode'" in ended.stderr
