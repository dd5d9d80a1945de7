"""A process is killed at every named step of its work; afterwards everything accepted is live exactly once.

The judge is the platforms' own ledger. CRASH_ROUNDS repeats each case at later occurrences of its step
(`make crash-matrix`).
"""

from __future__ import annotations

import os
from typing import Any

import pytest

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "1"))

STEPS = {
    "posts": (
        "owner.before_append",
        "owner.after_append",
        "owner.after_follow_ups",
        "owner.after_projection",
        "owner.after_verdicts",
        "owner.before_commit",
    ),
    "publisher": (
        "publisher.claimed",
        "publisher.upload_recorded",
        "publisher.assembled",
        "publisher.before_send_recorded",
        "publisher.send_recorded",
        "publisher.before_call",
        "publisher.after_call",
        "publisher.answer_recorded",
        "publisher.before_report",
        "publisher.after_report",
    ),
}


EVERYWHERE = ("upload_recorded", "assembled", "send_recorded", "after_call")
"""Steps of the publisher that are tried on all platforms; with more rounds all are."""


@pytest.mark.parametrize("occurrence", [3 * number + 2 for number in range(ROUNDS)])
@pytest.mark.parametrize(("service", "step"), [(service, step) for service, steps in STEPS.items() for step in steps])
def test_killed_at(
    request: Any, stack: Any, eventually: Any, with_fault_points: Any, service: str, step: str, occurrence: int
) -> None:
    everywhere = service == "publisher" and (ROUNDS > 1 or step.endswith(EVERYWHERE))
    load = request.getfixturevalue("load_everywhere" if everywhere else "load")
    process = stack.process(service)
    with with_fault_points(process, f"{step}=kill@{occurrence}"):
        load.start()
        eventually(lambda: not process.alive, what=f"{service} being killed at {step}")
        process.start()
        load.verify()


@pytest.mark.parametrize("service", ["kafka", "store", "gateway", "posts", "publisher"])
def test_killed_in_the_middle_of_everything(stack: Any, load_everywhere: Any, service: str) -> None:
    process = stack.process(service)
    load_everywhere.start(rounds=2)
    process.kill()
    process.start()
    load_everywhere.verify()
