"""`python -m tests.simulation`: runs many seeds, or replays one.

SEEDS=20000 PROCESSES=2 python -m tests.simulation
python -m tests.simulation --seed 4711
python -m tests.simulation --mutants
"""

from __future__ import annotations

import argparse
import os
import sys

from tests.simulation.batch import SOMETIMES, Report, run_parallel
from tests.simulation.mutants import MUTANTS, hunt
from tests.simulation.runner import Result, run

INVARIANTS = (
    "(1) one accepted event per version, an unbroken chain",
    "(2) a command's verdict and its event agree, for ever, and a read after the verdict sees the write",
    "(3) nothing goes out after a cancel, and what goes out is the last edit",
    "(4) at most one live post per target; every publication comes to an end",
    "(5) the documents equal a rebuild of the log",
    "(6) what others are told is what a clean replay tells, at least once",
    "(7) the checkpoint is covered by the documents",
    "(8) nothing scheduled goes out early",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Simulate the posts service.")
    parser.add_argument("--seed", type=int, help="replay this seed alone")
    parser.add_argument("--seeds", type=int, default=int(os.environ.get("SEEDS", "20000")))
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=int(os.environ.get("PROCESSES", "2")))
    parser.add_argument("--mutants", action="store_true", help="how many seeds does each broken rule survive?")
    options = parser.parse_args()
    if options.seed is not None:
        return _replay(run(options.seed))
    if options.mutants:
        return _mutants(range(options.first, options.first + options.seeds))
    return _table(run_parallel(range(options.first, options.first + options.seeds), options.processes))


def _say(line: str = "") -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _replay(result: Result) -> int:
    for name, number in sorted(result.seen.items()):
        _say(f"{number:>10,}  {name}")
    _say(f"seed {result.seed}: {result.events} events in {result.steps} steps")
    _say(result.violation or "every invariant held")
    return 0 if result.violation is None else 1


def _mutants(seeds: range) -> int:
    survivors = 0
    for mutant in MUTANTS:
        caught = hunt(mutant, seeds)
        survivors += caught is None
        told = "survived" if caught is None else f"{caught.seed - seeds.start + 1:>6} seeds  {caught.violation}"
        _say(f"{mutant.name:<52}{told[:120]}")
    return 1 if survivors else 0


def _table(report: Report) -> int:
    for name in SOMETIMES:
        _say(f"{report.seen[name]:>10,}  {name}")
    for name in sorted(report.seen.keys() - set(SOMETIMES)):
        _say(f"{report.seen[name]:>10,}  {name} *")
    _say("* may happen, need not")
    _say()
    for invariant in INVARIANTS:
        broken = [seed for seed, violation in report.violations if invariant[:3] in violation]
        _say(f"{'broken ' + str(len(broken)) if broken else 'held':>10}  {invariant}")
    _say()
    crashes = sum(number for name, number in report.seen.items() if name.startswith("crash"))
    _say(
        f"{report.seeds:,} seeds, {report.events:,} events, {report.steps:,} steps, {crashes:,} crashes "
        f"in {report.seconds:.0f} s ({report.seeds / report.seconds:.0f} seeds/s)"
    )
    for seed, violation in report.violations[:10]:
        _say(f"{violation}\n    python -m tests.simulation --seed {seed}")
    never = report.never_seen()
    if never:
        _say(f"never happened: {', '.join(never)}")
    return 1 if report.violations or never else 0


if __name__ == "__main__":
    sys.exit(main())
