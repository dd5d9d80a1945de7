"""What a newcomer does first: run it, try it, end it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from localstack.process import Process, wait_until
from localstack.record import Record
from localstack.settings import Settings
from localstack.testing import isolated_settings

pytestmark = pytest.mark.stack


def localstack(verb: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "localstack", verb)
    return subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, **environment})


def as_environment(settings: Settings) -> dict[str, str]:
    return {
        "SOCIAL_STATE": str(settings.social_state),
        "MONGODB_DATABASE": settings.mongodb_database,
        **{variable: str(port) for variable, port in settings.ports.items()},
    }


def test_it_runs_shows_a_round_trip_passes_smoke_and_drains(tmp_path: Path) -> None:
    settings = isolated_settings(tmp_path / "state")
    environment = as_environment(settings)
    assert localstack("doctor", environment).returncode == 0
    output = tmp_path / "run.log"
    run = Process(
        "run",
        (sys.executable, "-m", "localstack", "run"),
        log=output,
        probe=lambda: "Ctrl-C ends it" in output.read_text(),
        environment=environment,
        grace=120.0,
    )
    try:
        run.start(timeout=180.0)
        shown = output.read_text()
        assert "DEMO FAILED" not in shown
        assert shown.count("live on twitter: http") == 2
        assert shown.count("live on linkedin: http") == 2
        smoke = localstack("smoke", environment)
        assert smoke.returncode == 0, smoke.stdout
        assert localstack("run", environment).returncode == 1, "a second stack on the same state must be refused"
        run.signal(signal.SIGINT)
        wait_until(lambda: not run.alive, 120.0, "the end of the drain")
        assert run.exit_code == 0
        assert "kill" not in output.read_text().rpartition("kills instead")[2]
        assert Record(settings.record).alive() == []
    finally:
        run.stop()
        localstack("down", environment)


def test_what_a_killed_run_leaves_behind_can_be_ended(tmp_path: Path) -> None:
    settings = isolated_settings(tmp_path / "state")
    environment = as_environment(settings)
    record = Record(settings.record)
    run = Process(
        "run",
        (sys.executable, "-m", "localstack", "run"),
        log=tmp_path / "run.log",
        probe=lambda: {"kafka", "store"} <= {entry.name for entry in record.alive()},
        environment=environment,
    )
    try:
        run.start(timeout=120.0)
        run.kill()
        left = record.alive()
        assert {"kafka", "store"} <= {entry.name for entry in left}
        assert localstack("down", environment).returncode == 0
        assert not any(entry.alive for entry in left)
    finally:
        localstack("down", environment)
