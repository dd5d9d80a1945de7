"""Which processes a stack started, on disk, so that one left behind can be ended and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from localstack.process import POLL_SECONDS

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Entry(Struct, frozen=True):
    name: str
    pid: int
    identity: str
    """Tells this process from a later one that was given the same number."""

    @classmethod
    def of(cls, name: str, pid: int) -> Entry:
        return cls(name, pid, identity(pid) or "")

    @property
    def alive(self) -> bool:
        return self.identity != "" and identity(self.pid) == self.identity


class Record:
    """The processes of one state folder: first the supervisor, then what it started, in that order."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, entries: Iterable[Entry]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.write_bytes(msgspec.json.format(msgspec.json.encode(list(entries))))
        new.replace(self._path)

    def alive(self) -> list[Entry]:
        """The recorded processes that still run."""
        if not self._path.exists():
            return []
        return [entry for entry in msgspec.json.decode(self._path.read_bytes(), type=list[Entry]) if entry.alive]

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


def identity(pid: int) -> str | None:
    """When a running process was started, and after which boot; None if there is no such process.

    Not its command: for a moment after a start that is still empty.
    """
    stat = Path(f"/proc/{pid}/stat")
    if stat.exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return None
        state, start_time = fields[0], fields[19]
        return None if state == "Z" else f"{_BOOT_ID.read_text().strip()} {start_time}"
    listed = subprocess.run(("ps", "-o", "lstart=", "-p", str(pid)), check=False, capture_output=True, text=True)
    return listed.stdout.strip() or None


def end(entry: Entry, grace: float) -> bool:
    """SIGTERM, and SIGKILL after `grace` seconds; False if that was needed. Only ever the recorded process itself."""
    _send(entry, signal.SIGTERM)
    _send(entry, signal.SIGCONT)
    if _gone_within(entry, grace):
        return True
    _send(entry, signal.SIGKILL)
    _gone_within(entry, grace)
    return False


def _send(entry: Entry, number: signal.Signals) -> None:
    if entry.alive:
        os.kill(entry.pid, number)


def _gone_within(entry: Entry, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while entry.alive:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
