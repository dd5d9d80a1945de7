"""One program that we start, watch and end. Its output goes to a log file of its own."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path

POLL_SECONDS = 0.05


class ProcessFailedError(RuntimeError):
    """A program ended, or did not become ready in time; the message quotes the end of its log."""


class Process:
    """A child process in a session of its own, so that a terminal's Ctrl-C reaches only its owner.

    `probe` tells whether the program does its work; it must be cheap, must not raise, and is asked often.
    All methods block and may be called from any thread, but only one at a time. A process that has ended,
    however it ended, can be started again.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        probe: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
        grace: float = 20.0,
    ) -> None:
        self.name = name
        self.command = tuple(command)
        self.log = log
        self.environment = dict(environment or {})
        self.grace = grace
        self._probe = probe
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the latest start. Raises ProcessFailedError if there was none."""
        if self._child is None:
            raise ProcessFailedError(f"{self.name} was never started")
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative numbers are signals, as in `subprocess`."""
        return None if self._child is None else self._child.poll()

    @property
    def ready(self) -> bool:
        return self.alive and self._probe()

    def prepare(self) -> None:
        """What must be on disk before the program starts; subclasses say."""

    def spawn(self) -> None:
        """Start the program without waiting until it is ready."""
        if self.alive:
            return
        self.prepare()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until the probe succeeds; raise ProcessFailedError if it ends first or `timeout` seconds pass."""
        deadline = time.monotonic() + timeout
        while not self.ready:
            if not self.alive:
                raise ProcessFailedError(self._failure(f"ended with code {self.exit_code} before it was ready"))
            if time.monotonic() > deadline:
                raise ProcessFailedError(self._failure(f"was not ready within {timeout:g} s"))
            time.sleep(POLL_SECONDS)

    def start(self, timeout: float = 60.0) -> None:
        self.spawn()
        self.wait_ready(timeout)

    def stop(self) -> bool:
        """Ask it to end (SIGTERM) and wait; False if it had to be killed after `grace` seconds."""
        if self._child is None or self._child.poll() is not None:
            return True
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        try:
            self._child.wait(self.grace)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True

    def kill(self) -> None:
        """SIGKILL, to it and to what it started, and wait until it is gone."""
        if self._child is None or self._child.poll() is not None:
            return
        os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()

    def restart(self, timeout: float = 60.0) -> None:
        """Stop it if it runs, and start it again on the same data."""
        self.stop()
        self.start(timeout)

    def pause(self) -> None:
        """SIGSTOP: alive but silent, as after a long garbage collection or a suspended machine."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        if self._child is not None:
            self._child.send_signal(number)

    def _failure(self, what: str) -> str:
        tail = "\n".join(f"    {line}" for line in last_lines(self.log, 8))
        return f"{self.name} {what}; its log, {self.log}, ends with:\n{tail}"


def last_lines(path: Path, count: int) -> list[str]:
    if not path.exists():
        return []
    return path.read_text(errors="replace").splitlines()[-count:]


def accepts_connections(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            return False
        return True


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now, below the range from which the system takes ports of outgoing connections.

    A client that keeps calling a dead server may otherwise be given that server's port as its own.
    """
    candidates = random.sample(range(20_000, 32_000), 12_000)
    return list(islice(filter(is_free, candidates), count))


def wait_until(probe: Callable[[], bool], seconds: float, what: str) -> None:
    """Ask until the probe succeeds; raise TimeoutError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not probe():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} was not ready within {seconds:g} s")
        time.sleep(POLL_SECONDS)
