"""Which instant people mean who write a time of day. Names and rules of zones are those of the IANA database."""

from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

_LONGEST_NAME = 40
"""Of a zone that is worth correcting; the longest real one has 32 characters."""


def instant_of(local_or_aware: datetime, timezone: str | None) -> tuple[datetime, str | None]:
    """The instant in UTC, and what the writer should know about it where clocks change.

    A datetime with an offset is an instant already; `timezone` is only where it will be shown. One without is local
    time in `timezone`. Where clocks go forward some local times do not exist: such a one is moved forward by what is
    skipped. Where clocks go back some come twice: the first is meant.

    Raises ValueError for a zone that does not exist, naming ones like it, and for a local time without a zone;
    OverflowError for an instant outside the years 1 to 9999.
    """
    zone = None if timezone is None else zone_named(timezone)
    if local_or_aware.utcoffset() is not None:
        return local_or_aware.astimezone(UTC), None
    if zone is None:
        raise ValueError("a time without an offset needs a time zone")
    first = local_or_aware.replace(tzinfo=zone, fold=0)
    instant = first.astimezone(UTC)
    before, after = first.utcoffset(), first.replace(fold=1).utcoffset()
    if before is None or after is None or before == after:
        return instant, None
    local = local_or_aware.replace(tzinfo=None)
    if before < after:
        moved = instant.astimezone(zone).replace(tzinfo=None)
        return instant, f"{local} does not exist in {timezone}, where clocks go forward; {moved} is meant"
    return instant, f"{local} comes twice in {timezone}, where clocks go back; the first is meant"


def zone_named(name: str) -> ZoneInfo:
    """Raises ValueError for a zone that does not exist, naming ones like it."""
    if name in zone_names():
        return ZoneInfo(name)
    near = _near(name)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise ValueError(f"there is no time zone {name[:_LONGEST_NAME]!r}{hint}")


@cache
def zone_names() -> frozenset[str]:
    """All names of the IANA database, links included."""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split())


def _near(name: str) -> list[str]:
    if len(name) > _LONGEST_NAME:
        return []
    folded = name.casefold().replace(" ", "_")
    by_folded = {known.casefold(): known for known in sorted(zone_names())}
    cities = sorted(known for key, known in by_folded.items() if key.rpartition("/")[2] == folded)
    return cities[:3] or [by_folded[key] for key in get_close_matches(folded, by_folded, n=3, cutoff=0.75)]
