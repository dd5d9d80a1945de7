"""Starts programs, watches over them, ends them in the opposite order of their start."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from localstack.logs import LogFollower
from localstack.process import POLL_SECONDS, Process, ProcessFailedError
from localstack.record import Entry, Record

_FIRST_DELAY_SECONDS = 1.0
_LONGEST_DELAY_SECONDS = 30.0
_STEADY_AFTER_SECONDS = 60.0
_REMINDER_SECONDS = 5.0


@dataclass(slots=True)
class _Recovery:
    """A process that ended: when it is started again, and how far that has come."""

    delay: float
    due: float
    restarted: bool = False
    announced: bool = False


class Supervisor:
    """Owns the processes of one stack. `record` always lists those that may run; `say` gets lines for a person."""

    def __init__(
        self, record: Record, say: Callable[[str], None], *, first_delay: float = _FIRST_DELAY_SECONDS
    ) -> None:
        self.processes: list[Process] = []
        self._record = record
        self._say = say
        self._first_delay = first_delay
        self._recoveries: dict[str, _Recovery] = {}

    def start(self, processes: Sequence[Process], timeout: float = 60.0) -> None:
        """Start all of them, and wait until each is ready; raise ProcessFailedError for the first that fails."""
        began = time.monotonic()
        for process in processes:
            self.processes.append(process)
            process.spawn()
            self._write_record()
        waiting = list(processes)
        reminded = began
        while waiting:
            for process in [process for process in waiting if process.ready]:
                waiting.remove(process)
                self._say(f"{process.name} is ready ({time.monotonic() - began:.1f} s)")
            for process in waiting:
                if not process.alive or time.monotonic() - began > timeout:
                    process.wait_ready(timeout=0)
            if time.monotonic() - reminded > _REMINDER_SECONDS:
                reminded = time.monotonic()
                self._say("waiting for " + ", ".join(process.name for process in waiting))
            time.sleep(POLL_SECONDS)

    def watch(self, until: threading.Event) -> None:
        """Until the event is set: start again what ended, ever more slowly, and show what the logs warn of."""
        follower = LogFollower({process.name: process.log for process in self.processes})
        while not until.wait(0.2):
            for line in follower.news():
                self._say(line)
            for process in self.processes:
                self._recover(process)

    def drain(self) -> None:
        """End everything, the last started first; kill, with a warning, what does not end in its time."""
        for process in reversed(self.processes):
            if not process.alive:
                continue
            if process.stop():
                self._say(f"{process.name} ended")
            else:
                self._say(f"WARNING: {process.name} did not end within {process.grace:g} s and was killed")
        self._record.remove()

    def kill(self) -> None:
        """End everything at once, without any drain."""
        for process in reversed(self.processes):
            process.kill()
        self._record.remove()

    def _recover(self, process: Process) -> None:
        now = time.monotonic()
        recovery = self._recoveries.get(process.name)
        if process.alive:
            if recovery is not None:
                self._follow_recovery(process, recovery)
            return
        if recovery is None or recovery.restarted:
            delay = self._first_delay if recovery is None else min(2 * recovery.delay, _LONGEST_DELAY_SECONDS)
            self._recoveries[process.name] = _Recovery(delay, now + delay)
            self._say(
                f"WARNING: {process.name} ended with code {process.exit_code}, starts again in {delay:g} s; "
                f"its log is {process.log}"
            )
        elif now >= recovery.due:
            recovery.restarted = True
            self._say(f"starting {process.name} again")
            try:
                process.spawn()
            except (ProcessFailedError, OSError) as failure:
                self._say(f"WARNING: {process.name} cannot be started: {failure}")
            self._write_record()

    def _follow_recovery(self, process: Process, recovery: _Recovery) -> None:
        if not recovery.announced and process.ready:
            recovery.announced = True
            self._say(f"{process.name} is ready again")
        if time.monotonic() - recovery.due > _STEADY_AFTER_SECONDS:
            del self._recoveries[process.name]

    def _write_record(self) -> None:
        running = [Entry.of(process.name, process.pid) for process in self.processes if process.alive]
        self._record.write([Entry.of("supervisor", os.getpid()), *running])
