"""Many seeds, in as many processes as wanted, and what they have seen together."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from tests.simulation.runner import run

CHUNK = 250

SOMETIMES = (
    "another writer found in the log",
    "append acknowledged without offsets",
    "append done after its sender gave up",
    "append done unknown to its sender",
    "append landed after its sender had gone",
    "append not done",
    "append skipped by the acceptance rule",
    "cancel lost to due",
    "catch-up with events of a rival",
    "command appended after its deadline",
    "command repeated by its sender",
    "commit done after its sender gave up",
    "commit done unknown to its sender",
    "commit landed after its sender had gone",
    "commit not done",
    "commit of a zombie refused",
    "commit of a zombie went back",
    "crash",
    "crash at owner.after_append",
    "crash at owner.after_follow_ups",
    "crash at owner.after_projection",
    "crash at owner.after_verdicts",
    "crash at owner.before_append",
    "crash at owner.before_commit",
    "due lost to a cancel",
    "due not done",
    "end not done",
    "follow-up told again",
    "freeze",
    "load not done",
    "owner with a wrong clock",
    "outcome deferred",
    "outcome held",
    "outcome published",
    "outcome rejected",
    "outcome unknown",
    "publish done after its sender gave up",
    "publish done in part",
    "publish landed after its sender had gone",
    "publish not done",
    "publisher crashed before its report",
    "read not done",
    "rebalance",
    "redelivery recognised",
    "refused: expired",
    "report delayed",
    "report repeated",
    "save checkpoint done unknown to its sender",
    "save checkpoint landed after its sender had gone",
    "save checkpoint not done",
    "save done in part",
    "save done unknown to its sender",
    "save landed after its sender had gone",
    "save not done",
    "skipped although its version looked right",
    "taken over again after an error",
    "verdict repeated",
    "zombie resumed",
)
"""What a large batch must have met, or its silence about the invariants means little."""


@dataclass
class Report:
    seeds: int = 0
    events: int = 0
    steps: int = 0
    seconds: float = 0.0
    seen: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[int, str]] = field(default_factory=list)

    def never_seen(self) -> list[str]:
        return [name for name in SOMETIMES if not self.seen[name]]

    def add(self, other: Report) -> None:
        self.seeds += other.seeds
        self.events += other.events
        self.steps += other.steps
        self.seen += other.seen
        self.violations += other.violations


def run_all(seeds: range) -> Report:
    """All of these in this process."""
    started = time.perf_counter()
    report = Report()
    for seed in seeds:
        result = run(seed)
        report.seeds += 1
        report.events += result.events
        report.steps += result.steps
        report.seen += result.seen
        if result.violation is not None:
            report.violations.append((seed, result.violation))
    report.seconds = time.perf_counter() - started
    return report


def run_parallel(seeds: range, processes: int) -> Report:
    """All of these in several processes."""
    started = time.perf_counter()
    report = Report()
    chunks = [seeds[first : first + CHUNK] for first in range(0, len(seeds), CHUNK)]
    with ProcessPoolExecutor(processes) as pool:
        for part in pool.map(run_all, chunks):
            report.add(part)
    report.seconds = time.perf_counter() - started
    return report
