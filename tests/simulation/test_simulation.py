"""The event log's owner and the post aggregate under simulated disaster. `python -m tests.simulation` runs far more."""

from __future__ import annotations

import pytest
from tests.simulation.batch import Report, run_all
from tests.simulation.mutants import MUTANTS, Mutant, hunt
from tests.simulation.runner import run

SEEDS = range(2_000)
MUTANT_SEEDS = 2_000


@pytest.fixture(scope="module")
def report() -> Report:
    return run_all(SEEDS)


def test_every_invariant_holds_for_every_seed(report: Report) -> None:
    assert not report.violations, "\n".join(
        f"{violation}\n    python -m tests.simulation --seed {seed}" for seed, violation in report.violations[:5]
    )


def test_every_kind_of_fault_has_happened(report: Report) -> None:
    assert not report.never_seen()


def test_a_seed_always_plays_the_same() -> None:
    first, second = run(7), run(7)

    assert first == second
    assert first.events > 0


@pytest.mark.parametrize("mutant", [mutant for mutant in MUTANTS if not mutant.rare], ids=lambda mutant: mutant.name)
def test_a_broken_rule_is_noticed(mutant: Mutant) -> None:
    caught = hunt(mutant, range(MUTANT_SEEDS))

    assert caught is not None, f"no invariant noticed in {MUTANT_SEEDS:,} seeds: {mutant.name}"
