"""`make bench`: what the main road costs on this machine, as ratios to its bare parts in the same run.

python bench [--quick] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import due
import front
import rebuilding
import writer
from figures import Figure, as_json, table
from system import System, running

ACCOUNTS = 32


async def measure(system: System, *, quick: bool) -> list[Figure]:
    accounts = system.connect("twitter", ACCOUNTS)
    system.sandbox("POST", "/settings", json={"twitter": {"rate_limits": {"enabled": False}}})
    figures = _memory(system, "after start")
    figures += await front.measure(system)
    figures += await due.measure(system, accounts, 1_000 if quick else 10_000)
    figures += await writer.measure(system, 5_000 if quick else 20_000)
    figures += await front.flatness(system, 1_000, 20_000 if quick else 100_000)
    figures += await rebuilding.measure(system)
    figures += _memory(system, "at the end")
    return figures


def _memory(system: System, when: str) -> list[Figure]:
    return [
        Figure(group=f"resident memory {when}", name=name, value=size, unit="MiB")
        for name, size in system.rss().items()
    ]


def main() -> None:
    arguments = argparse.ArgumentParser(prog="bench", description="What the main road costs on this machine.")
    arguments.add_argument("--quick", action="store_true", help="smaller numbers, some two minutes")
    arguments.add_argument("--json", type=Path, help="write the figures here too")
    options = arguments.parse_args()
    with running() as system:
        figures = asyncio.run(measure(system, quick=options.quick))
    print(table(figures))
    if options.json:
        options.json.write_text(as_json(figures) + "\n")
    else:
        print(as_json(figures))


if __name__ == "__main__":
    main()
