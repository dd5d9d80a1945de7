"""One process after another dies at random for SOAK_MINUTES (`make soak`), under load all the time."""

from __future__ import annotations

import os
import random
import time
from typing import Any

import pytest

MINUTES = float(os.environ.get("SOAK_MINUTES", "1"))
SEED = int(os.environ.get("SOAK_SEED", "1"))

pytestmark = [pytest.mark.stack, pytest.mark.timeout(MINUTES * 60 + 600)]


def test_whatever_dies_whenever(stack: Any, load: Any) -> None:
    dice = random.Random(SEED)
    until = time.monotonic() + MINUTES * 60
    while time.monotonic() < until:
        load.start()
        victim = stack.process(dice.choice(["kafka", "store", "gateway", "posts", "publisher"]))
        victim.kill()
        victim.start()
        load.offered()
    load.verify()
