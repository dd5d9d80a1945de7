"""A scheduler that runs coroutines by hand: at every await of a port the seed decides what happens next.

There is no event loop. A coroutine yields an `Operation` (something asked of the world) or a `Wait`; the scheduler
keeps what was yielded and picks, by its random numbers alone, which of all possible steps comes next. An operation
takes effect in one step and is answered in a later one, so that its sender may be frozen, cancelled or dead in between.
"""

from __future__ import annotations

import types
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from eventlog.ports import AppendFailedError

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class StoreFailedError(Exception):
    """The store did not answer: the write may have happened, may happen yet, or not."""


class Violated(Exception):  # noqa: N818  # the result of a check, not an error of the simulator
    """An invariant does not hold."""


class Operation:
    """Something a task asked of the world."""

    __slots__ = ("applied", "changes", "faults", "name", "part", "perform", "result", "task")

    def __init__(
        self,
        name: str,
        perform: Callable[[], object],
        *,
        faults: type[Exception],
        changes: bool = True,
        part: Callable[[Random], object] | None = None,
    ) -> None:
        self.name = name
        self.perform = perform
        self.faults = faults
        """How a failure looks to the sender."""
        self.changes = changes
        """Whether it leaves anything behind."""
        self.part = part
        """Does some of it, for what is not atomic."""
        self.task: Task | None = None
        """None once nobody waits for the answer any more."""
        self.applied = False
        self.result: object = None


class Wait:
    """Until the condition holds or the time has come."""

    __slots__ = ("condition", "until")

    def __init__(self, condition: Callable[[], bool], until: datetime | None = None) -> None:
        self.condition = condition
        self.until = until


class CrashHere:
    """The process of the task dies at this point."""

    def __init__(self, point: str) -> None:
        self.point = point


@types.coroutine
def ask(request: Operation | Wait | CrashHere) -> Generator[Operation | Wait | CrashHere, object, Any]:
    return (yield request)


class Process:
    """What dies, freezes and is told things as one."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.frozen = False
        self.dead = False


class Task:
    """A coroutine and what it waits for."""

    __slots__ = ("coroutine", "done", "error", "process", "waiting")

    def __init__(self, process: Process, coroutine: Coroutine[Any, Any, None]) -> None:
        self.process = process
        self.coroutine = coroutine
        self.waiting: Operation | Wait | None = None
        self.done = False
        self.error: Exception | None = None


class Scheduler:
    """Time, chance, tasks, and what is under way between them and the world."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = START
        self.faulty = True
        """Whether things still go wrong; off in the quiet phase."""
        self.fault_rate = self.random.choice((0.0, 0.02, 0.06, 0.12))
        self.seen: Counter[str] = Counter()
        self.operations: list[Operation] = []
        self.tasks: list[Task] = []

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def monotonic(self) -> float:
        """Stands in for `time.monotonic`."""
        return (self.now - START).total_seconds()

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # --- tasks ----------------------------------------------------------------------------------------

    def start(self, process: Process, coroutine: Coroutine[Any, Any, None]) -> Task:
        task = Task(process, coroutine)
        task.waiting = Wait(lambda: True)
        process.tasks.append(task)
        self.tasks.append(task)
        return task

    def resume(self, task: Task, answer: object = None) -> None:
        task.waiting = None
        try:
            request = task.coroutine.throw(answer) if isinstance(answer, Exception) else task.coroutine.send(answer)
        except StopIteration:
            self._end(task)
            return
        except (AppendFailedError, StoreFailedError) as error:
            task.error = error
            self._end(task)
            return
        if isinstance(request, CrashHere):
            self.seen[f"crash at {request.point}"] += 1
            self.crash(task.process)
            return
        task.waiting = request
        if isinstance(request, Operation):
            request.task = task
            self.operations.append(request)

    def cancel(self, task: Task) -> None:
        """The task ends where it waits; what it has asked for stays under way."""
        if task.done:
            return
        task.coroutine.close()
        if isinstance(task.waiting, Operation):
            task.waiting.task = None
        self._end(task)

    def crash(self, process: Process) -> None:
        process.dead = True
        for task in list(process.tasks):
            self.cancel(task)

    def close(self) -> None:
        """Ends every task that is left."""
        for task in list(self.tasks):
            self.cancel(task)

    def _end(self, task: Task) -> None:
        task.done = True
        task.waiting = None
        self.tasks.remove(task)
        task.process.tasks.remove(task)

    # --- what can happen next -------------------------------------------------------------------------

    def steps(self) -> list[Callable[[], None]]:
        """Every step that is possible now, in an order that depends on the past alone."""
        possible: list[Callable[[], None]] = []
        for operation in self.operations:
            task = operation.task
            if operation.applied and task is not None and task.process.frozen:
                continue
            possible.append(lambda operation=operation: self._advance(operation))  # type: ignore[misc]
        for task in self.tasks:
            wait = task.waiting
            if not isinstance(wait, Wait) or task.process.frozen:
                continue
            if (wait.until is not None and wait.until <= self.now) or wait.condition():
                possible.append(lambda task=task: self.resume(task))  # type: ignore[misc]
        return possible

    def _advance(self, operation: Operation) -> None:
        task = operation.task
        if task is None:
            self._advance_orphan(operation)
            return
        if not operation.applied:
            operation.applied = True
            self._apply(operation)
            if task.process.frozen or self.chance(0.3):
                return
        self.operations.remove(operation)
        self.resume(task, operation.result)

    def _advance_orphan(self, operation: Operation) -> None:
        self.operations.remove(operation)
        if not operation.applied and operation.changes and self.chance(0.7):
            self.seen[f"{operation.name} landed after its sender had gone"] += 1
            operation.perform()

    def _apply(self, operation: Operation) -> None:
        if not self.faulty or not self.chance(self.fault_rate):
            operation.result = operation.perform()
            return
        operation.result = operation.faults(operation.name)
        kinds = ["not done"]
        if operation.changes:
            kinds += ["done unknown to its sender", "done after its sender gave up"]
        if operation.part is not None:
            kinds.append("done in part")
        kind = self.random.choice(kinds)
        self.seen[f"{operation.name} {kind}"] += 1
        if kind == "done unknown to its sender":
            operation.perform()
        elif kind == "done after its sender gave up":
            self.operations.append(Operation(operation.name, operation.perform, faults=operation.faults))
        elif kind == "done in part" and operation.part is not None:
            operation.part(self.random)
