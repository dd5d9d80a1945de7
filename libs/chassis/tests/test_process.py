"""A process ends when it is asked to, whatever its parts wait for."""

from __future__ import annotations

import signal
import subprocess
import sys
from textwrap import dedent, indent

import pytest

PROGRAM = """
import asyncio

from chassis import logs, process

process.DRAIN_SECONDS, process.CLOSE_SECONDS = {drain}, {close}


async def main(stop):
    logs.configure("test", "INFO")
    print("ready", flush=True)
{main}


process.run(main)
"""


def ended(main: str, *, drain: float = 0.2, close: float = 30.0) -> tuple[int, str]:
    """The exit code and what was said by a process whose `main` is this, after SIGTERM."""
    code = PROGRAM.format(main=indent(dedent(main), "    "), drain=drain, close=close)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
    return process.returncode, output


def test_what_drains_in_time_ends_well() -> None:
    code, output = ended("await stop.wait(); await asyncio.sleep(0.01)", drain=30.0)
    assert code == 0
    assert "stopped" in output
    assert "given up" not in output


def test_what_does_not_drain_is_cancelled_and_may_put_things_away() -> None:
    code, output = ended("""
        try:
            await asyncio.Event().wait()
        finally:
            print("put away", flush=True)
    """)
    assert code == 1
    assert "drain given up" in output
    assert "main" in output.partition("still_busy")[2]
    assert "put away" in output
    assert "without farewells" not in output


@pytest.mark.parametrize(
    "main",
    [
        # It will not be cancelled.
        """
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
        """,
        # What it leaves behind will not be cancelled.
        """
        async def stubborn():
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    pass

        left = asyncio.create_task(stubborn())
        await stop.wait()
        """,
    ],
)
def test_what_will_not_be_cancelled_does_not_keep_the_process(main: str) -> None:
    code, output = ended(main, close=0.3)
    assert code == 1
    assert "ended without farewells" in output


def test_a_part_that_fails_ends_the_process_with_the_others() -> None:
    code, output = ended(
        """
        async def fails():
            await stop.wait()
            raise ValueError("no")

        async def lasts():
            await asyncio.Event().wait()

        await process.run_together(stop, fails(), lasts())
        """,
        drain=30.0,
    )
    assert code == 1
    assert "service failed" in output
