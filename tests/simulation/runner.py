"""One seed, one run: a time of faults, then a quiet phase in which everything must come to its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from unittest.mock import patch

from tests.simulation.engine import Violated
from tests.simulation.world import PARTITION, Member, Owner, World, drive, reached

from chassis import tracing
from contracts.posts import Post
from eventlog import partition
from eventlog.partition import PartitionOwner
from eventlog.rebuild import Comparison, Rebuild

FAULTY_STEPS = 260
QUIET_STEPS = 6_000

TICKS = (0.05, 0.3, 1.0)
LEAPS = (1.0, 70.0, 1_900.0)
"""Seconds. The longest is longer than the patience with a silent publisher."""


@dataclass
class Result:
    """What one run saw."""

    seed: int
    events: int = 0
    steps: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    violation: str | None = None


class _Silent:
    def warning(self, *_: object, **__: object) -> None: ...


class _Metrics:
    """Stands in for `eventlog.metrics`: what matters is counted, the rest is dropped."""

    def __init__(self, seen: Counter[str]) -> None:
        none: Counter[str] = Counter()
        self.GAPS = _Metric(seen, "another writer found in the log")
        self.REDELIVERIES = _Metric(seen, "redelivery recognised")
        self.COMMANDS = self.EVENTS = self.OLDEST_OVERDUE = _Metric(none, "")


class _Metric:
    def __init__(self, seen: Counter[str], name: str) -> None:
        self._seen = seen
        self._name = name

    def labels(self, *_: str) -> _Metric:
        return self

    def inc(self, _: float = 1) -> None:
        self._seen[self._name] += 1

    def set(self, _: float) -> None: ...


class _FaultPoints:
    def __init__(self, world: World) -> None:
        self._world = world

    async def reached(self, point: str) -> None:
        await reached(self._world, point)


class _Tracing:
    """Stands in for `chassis.tracing`, which asks the operating system for random numbers."""

    @staticmethod
    def start(*_: object, parent: str | None, **__: object) -> tracing.Span:
        return tracing.Span(parent or "00-00000000000000000000000000000001-0000000000000001-00")


@contextmanager
def _surroundings(world: World) -> Iterator[None]:
    with ExitStack() as stack:
        for name, substitute in (
            ("time", world.scheduler),
            ("log", _Silent()),
            ("metrics", _Metrics(world.seen)),
            ("faultpoints", _FaultPoints(world)),
            ("tracing", _Tracing),
        ):
            stack.enter_context(patch.object(partition, name, substitute))
        yield


def run(seed: int, owner_class: type[Owner] = PartitionOwner, member_class: type[Member] = Member) -> Result:
    """Plays one seed. The same seed always plays the same."""
    world = World(seed, owner_class, member_class)
    result = Result(seed=seed, seen=world.seen)
    try:
        with _surroundings(world):
            result.steps = _play(world)
        _check_end(world)
    except (Violated, AssertionError, RuntimeError) as violation:
        result.violation = f"{type(violation).__name__}: {violation}"
    finally:
        world.scheduler.close()
    result.events = len(world.oracle.accepted)
    return result


def _play(world: World) -> int:
    world.assign()
    scheduler = world.scheduler
    for _ in range(FAULTY_STEPS):
        world.disturb()
        possible = scheduler.steps() + world.clients.steps() + world.publisher.steps()
        if not possible or scheduler.chance(0.12):
            scheduler.pass_time(
                scheduler.random.choice((0.05, 0.3, 1.0, 1.0, 70.0, 1_900.0)[: 4 + 2 * scheduler.chance(0.1)])
            )
            continue
        scheduler.random.choice(possible)()
    _calm(world)
    for step in range(QUIET_STEPS):
        possible = scheduler.steps() + world.clients.steps() + world.publisher.steps()
        if possible:
            scheduler.random.choice(possible)()
        elif _at_rest(world):
            return FAULTY_STEPS + step
        else:
            scheduler.pass_time(1.0 if world.is_busy() else 30.0)
    raise Violated("(4) the system never comes to rest")


def _calm(world: World) -> None:
    """No more faults: the dead stay dead, zombies learn that they are, and one fresh owner is there."""
    world.scheduler.faulty = False
    for member in world.living():
        member.frozen = False
        if member is not world.assigned:
            member.released = True
    if world.assigned is None or world.assigned.dead:
        world.assign()


def _at_rest(world: World) -> bool:
    if world.is_busy():
        return False
    horizon = world.now - timedelta(seconds=65)
    return all(
        due_at is None
        for _, stored in world.documents.stored.values()
        for due_at in [world.aggregate.due_at(stored.state)]
    ) and (not world.commands or world.commands[-1].appended_at <= horizon)


def _check_end(world: World) -> None:
    world.oracle.check_end()
    comparison = Comparison()
    rebuild: Rebuild[Post] = Rebuild(world.aggregate, world.log, world.documents)
    drive(rebuild.compare(PARTITION, comparison))
    if not comparison.is_sound or comparison.newer:
        raise Violated(f"(5) the documents are not what the log says: {comparison}")
    if set(world.documents.stored) != {name for name, post in world.oracle.posts.items() if post.version}:
        raise Violated("(5) the documents are of other posts than the log")
    if comparison.events != len(world.oracle.accepted):
        raise Violated("(1) the rebuild accepts other events than the oracle")
