# ruff: noqa: DTZ001, DTZ901 (times of day without a zone are the matter here)

from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.time_zones import instant_of, zone_names

FROM, UNTIL = datetime(2024, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
NAMES = sorted(zone_names())


def offset_at(zone: ZoneInfo, instant: datetime) -> timedelta:
    """Only the direction from UTC to local time, which has one answer always, is used to judge the other one."""
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def transitions(zone: ZoneInfo) -> list[tuple[datetime, timedelta, timedelta]]:
    """The instants where the offset changes, found by halving; no zone changes twice in a week in these years."""
    found = []
    weeks = [FROM + timedelta(weeks=n) for n in range((UNTIL - FROM) // timedelta(weeks=1) + 1)]
    offsets = [offset_at(zone, week) for week in weeks]
    for week, (before, after) in zip(weeks, pairwise(offsets), strict=False):
        if before == after:
            continue
        low, high = 0, 7 * 24 * 3600
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset_at(zone, week + timedelta(seconds=middle)) == before else (low, middle)
        found.append((week + timedelta(seconds=high), before, after))
    return found


def instants_shown_as(zone: ZoneInfo, local: datetime, offsets: set[timedelta]) -> list[datetime]:
    candidates = sorted({(local - offset).replace(tzinfo=UTC) for offset in offsets})
    return [instant for instant in candidates if instant.astimezone(zone).replace(tzinfo=None) == local]


def test_every_change_of_clocks_in_every_zone_from_2024_to_2035() -> None:
    probes = changes = 0
    for name in distinct_zones():
        zone = ZoneInfo(name)
        for at, before, after in transitions(zone):
            changes += 1
            size = abs(after - before)
            edges = (at.replace(tzinfo=None) + before, at.replace(tzinfo=None) + after)
            for edge in edges:
                for shift in (-size, -size / 2, -timedelta(seconds=1), timedelta(0), timedelta(seconds=1), size / 2):
                    local = edge + shift
                    shown = instants_shown_as(zone, local, {before, after})
                    instant, note = instant_of(local, name)
                    probes += 1
                    if len(shown) == 1:
                        assert (instant, note) == (shown[0], None), (name, local)
                    elif shown:
                        assert instant == shown[0], (name, local)
                        assert note is not None
                        assert "comes twice" in note
                    else:
                        moved = local + (after - before)
                        assert [instant] == instants_shown_as(zone, moved, {before, after}), (name, local)
                        assert note is not None
                        assert f"does not exist in {name}" in note
                        assert f"{moved} is meant" in note
    assert changes > 1_000
    assert probes == 12 * changes


def distinct_zones() -> list[str]:
    """One name for each set of rules: links share their bytes."""
    root = files("tzdata.zoneinfo")
    return sorted({root.joinpath(*name.split("/")).read_bytes(): name for name in NAMES}.values())


local_times = st.datetimes(datetime(2024, 1, 1), datetime(2036, 1, 1))


@given(local_times, st.sampled_from(NAMES))
def test_an_instant_without_a_note_shows_as_the_time_that_was_written(local: datetime, name: str) -> None:
    instant, note = instant_of(local, name)
    shown = instant.astimezone(ZoneInfo(name)).replace(tzinfo=None)
    assert instant.tzinfo is UTC
    assert shown == local or (note is not None and "does not exist" in note and shown > local)


@given(st.datetimes(datetime(2024, 1, 1), datetime(2036, 1, 1), timezones=st.timezones()), st.sampled_from(NAMES))
def test_a_time_with_an_offset_is_an_instant_already(aware: datetime, name: str) -> None:
    assert instant_of(aware, name) == instant_of(aware, None) == (aware.astimezone(UTC), None)


def test_paris() -> None:
    assert instant_of(datetime(2027, 1, 25, 10), "Europe/Paris") == (datetime(2027, 1, 25, 9, tzinfo=UTC), None)
    assert instant_of(datetime(2027, 3, 28, 2, 30), "Europe/Paris") == (
        datetime(2027, 3, 28, 1, 30, tzinfo=UTC),
        "2027-03-28 02:30:00 does not exist in Europe/Paris, where clocks go forward; 2027-03-28 03:30:00 is meant",
    )
    assert instant_of(datetime(2027, 10, 31, 2, 30), "Europe/Paris") == (
        datetime(2027, 10, 31, 0, 30, tzinfo=UTC),
        "2027-10-31 02:30:00 comes twice in Europe/Paris, where clocks go back; the first is meant",
    )
    second = datetime(2027, 10, 31, 2, 30, fold=1)
    assert instant_of(second, "Europe/Paris")[0] == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("europe/paris", "Europe/Paris"),
        ("Europe/Pariss", "Europe/Paris"),
        ("Berlin", "Europe/Berlin"),
        ("new york", "America/New_York"),
    ],
)
def test_a_zone_that_does_not_exist_is_told_from_ones_that_do(name: str, meant: str) -> None:
    with pytest.raises(ValueError, match=meant):
        instant_of(datetime(2027, 1, 1), name)


@pytest.mark.parametrize("name", ["", "America", "../../etc/passwd", "/etc/localtime", "x" * 1000, "a\0b", "."])
def test_a_zone_name_cannot_be_anything_else(name: str) -> None:
    for time in (datetime(2027, 1, 1), datetime(2027, 1, 1, tzinfo=UTC)):
        with pytest.raises(ValueError, match="there is no time zone"):
            instant_of(time, name)


def test_a_local_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a time zone"):
        instant_of(datetime(2027, 1, 1), None)


def test_instants_outside_the_calendar() -> None:
    with pytest.raises(OverflowError):
        instant_of(datetime.max, "America/New_York")
