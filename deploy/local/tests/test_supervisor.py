from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localstack.process import Process, ProcessFailedError, wait_until
from localstack.record import Entry, Record, end
from localstack.supervisor import Supervisor

WAITS = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: exit(0)); open('{ready}', 'w'); time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('{ready}', 'w'); time.sleep(600)"
CRASHES_ONCE = (
    "import pathlib, sys; first = pathlib.Path('{folder}/first')\n"
    "if not first.exists(): first.touch(); open('{ready}', 'w'); print('Traceback: on purpose'); sys.exit(3)\n" + WAITS
)


class Room:
    """A folder with a supervisor, and dummy programs that are ready once they made their file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.record = Record(folder / "stack.json")
        self.supervisor = Supervisor(self.record, self.said.append, first_delay=0.05)

    def program(self, name: str, code: str, *, grace: float = 20.0) -> Process:
        ready = self.folder / f"{name}.ready"
        filled = code.format(ready=ready, folder=self.folder)
        return Process(
            name, (sys.executable, "-c", filled), log=self.folder / f"{name}.log", probe=ready.exists, grace=grace
        )

    def hears(self, words: str) -> Callable[[], bool]:
        return lambda: any(words in line for line in self.said)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    room = Room(tmp_path)
    yield room
    room.supervisor.kill()


@pytest.fixture
def leave() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_crashing_program_is_started_again_and_it_is_said(room: Room, leave: threading.Event) -> None:
    crashing = room.program("crashing", CRASHES_ONCE)
    room.supervisor.processes.append(crashing)
    crashing.spawn()
    first_pid = crashing.pid
    watcher = threading.Thread(target=room.supervisor.watch, args=(leave,))
    watcher.start()
    wait_until(room.hears("crashing is ready again"), 30, "the crashed program")
    leave.set()
    watcher.join()
    assert crashing.alive
    assert crashing.pid != first_pid
    assert any("crashing ended with code 3" in line for line in room.said)
    assert [entry.pid for entry in room.record.alive() if entry.name == "crashing"] == [crashing.pid]


def test_programs_are_ended_in_the_opposite_order_of_their_start(room: Room) -> None:
    room.supervisor.start([room.program("first", WAITS), room.program("second", WAITS)])
    room.said.clear()
    room.supervisor.drain()
    assert room.said == ["second ended", "first ended"]
    assert not any(process.alive for process in room.supervisor.processes)
    assert room.record.alive() == []


def test_a_program_that_ignores_the_request_is_killed_with_a_warning(room: Room) -> None:
    room.supervisor.start([room.program("deaf", DEAF, grace=0.2)])
    room.supervisor.drain()
    assert room.said[-1] == "WARNING: deaf did not end within 0.2 s and was killed"


def test_a_paused_program_can_still_be_ended(room: Room) -> None:
    program = room.program("paused", WAITS)
    room.supervisor.start([program])
    program.pause()
    assert program.stop()


def test_a_program_that_ends_before_it_is_ready_fails_the_start_with_its_last_words(room: Room) -> None:
    with pytest.raises(ProcessFailedError, match=r"code 4 before it was ready(.|\n)*no such port"):
        room.supervisor.start([room.program("hopeless", "import sys; print('no such port'); sys.exit(4)")])


def test_only_the_recorded_process_is_ever_ended(room: Room) -> None:
    program = room.program("program", WAITS)
    room.supervisor.start([program])
    (recorded,) = [entry for entry in room.record.alive() if entry.name == "program"]
    another_with_the_same_pid = type(recorded)(recorded.name, recorded.pid, "started on another day")
    assert not another_with_the_same_pid.alive
    end(another_with_the_same_pid, 0.1)
    assert program.alive
    assert end(recorded, 20.0)
    assert not program.alive


def test_a_process_is_known_by_its_record_from_its_very_start(room: Room) -> None:
    program = room.program("program", WAITS)
    room.supervisor.processes.append(program)
    program.spawn()
    recorded = Entry.of("program", program.pid)
    program.wait_ready()
    assert recorded.alive
    program.kill()
    assert not recorded.alive
