"""`make bench`: what the main road costs on this machine, as ratios to its bare parts in the same run.

python bench [--quick] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

import due
import front
import hooks
import rebuilding
import sampling
import uploads
import writer
from figures import Figure, as_json, table
from system import System, running

ACCOUNTS = 32


PARTS = ("front", "due", "writer", "growth", "rebuild", "analytics", "media", "webhooks")


async def measure(system: System, parts: Sequence[str], *, quick: bool) -> list[Figure]:
    accounts = system.connect("twitter", ACCOUNTS) if "due" in parts else []
    system.sandbox("POST", "/settings", json={"twitter": {"rate_limits": {"enabled": False}}})
    figures = _memory(system, "after start")
    for part in parts:
        match part:
            case "front":
                figures += await front.measure(system)
            case "due":
                figures += await due.measure(system, accounts, 1_000 if quick else 10_000)
            case "writer":
                figures += await writer.measure(system, 5_000 if quick else 20_000)
            case "growth":
                figures += await front.flatness(system, 1_000, 20_000 if quick else 100_000)
            case "media":
                figures += await uploads.measure(system, quick=quick)
            case "rebuild":
                figures += await rebuilding.measure(system)
            case "analytics":
                many, ingested, questions = (20_000, 3_000, 100) if quick else (100_000, 10_000, 300)
                figures += await sampling.measure(system, 1_000, many, ingested=ingested, questions=questions)
            case "webhooks":
                figures += await hooks.measure(system, quick=quick)
    figures += _memory(system, "at the end")
    return figures


def _memory(system: System, when: str) -> list[Figure]:
    return [
        Figure(group=f"resident memory {when}", name=name, value=size, unit="MiB")
        for name, size in system.rss().items()
    ]


def main() -> None:
    arguments = argparse.ArgumentParser(prog="bench", description="What the main road costs on this machine.")
    arguments.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all unless named")
    arguments.add_argument("--quick", action="store_true", help="smaller numbers, some two minutes")
    arguments.add_argument("--json", type=Path, help="write the figures here too")
    options = arguments.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        arguments.error(f"there is no part {', '.join(sorted(unknown))}")
    with running() as system:
        figures = asyncio.run(measure(system, options.parts or PARTS, quick=options.quick))
    print(table(figures))
    if options.json:
        options.json.write_text(as_json(figures) + "\n")
    else:
        print(as_json(figures))


if __name__ == "__main__":
    main()
