"""What a measurement says, and how it is shown."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from msgspec import Struct


class Figure(Struct, frozen=True, kw_only=True):
    """`value` in `unit`; `ratio` to what the same machine did without us, in the same run."""

    group: str
    name: str
    value: float
    unit: str
    ratio: float | None = None
    to: str | None = None
    """What the ratio is to."""


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that at least `percent` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def table(figures: Sequence[Figure]) -> str:
    width = max(len(figure.name) for figure in figures)
    lines: list[str] = []
    group = None
    for figure in figures:
        if figure.group != group:
            group = figure.group
            lines += ["", group]
        value = f"{figure.value:,.0f}" if abs(figure.value) >= 100 else f"{figure.value:,.2f}"
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f} of {figure.to}"
        lines.append(f"  {figure.name:<{width}}  {value:>10} {figure.unit:<10} {ratio}".rstrip())
    return "\n".join(lines)


def as_json(figures: Sequence[Figure]) -> str:
    return json.dumps(
        [{field: getattr(figure, field) for field in figure.__struct_fields__} for figure in figures], indent=2
    )
