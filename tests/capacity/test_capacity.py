"""The model of what is needed: held against what can be reckoned by hand, and the page against the model."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from capacity import ASSUMED, MEASURED, Fleet, Measured, due_times, lateness, partitions_for, plan, storage, tables
from msgspec.structs import replace

QUICK = {"posts": 1.0, "publisher": 10.0}
INSTANT = replace(ASSUMED, platform_seconds=0.0, slots=1_000_000)
GIB = 1 << 30


def test_the_pages_tables_are_the_models() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations" / "capacity.md").read_text()
    for table in tables():
        assert table in page, f"print them anew with `python bench/capacity.py`, and read the rest:\n{table}"


def test_a_crowd_passes_one_after_the_other() -> None:
    """One owner, one publisher: the last of 1,000 is out after one decision and 1,000 turns of the slower one."""
    found = lateness([0.0] * 1_000, Fleet(posts=1, publishers=1), random.Random(1), cpu_ms=QUICK, assumed=INSTANT)
    assert found.worst == pytest.approx(0.001 + 1_000 * 0.010)
    assert found.p50 == pytest.approx(0.001 + 500 * 0.010)


def test_slots_hold_up_what_cores_would_not() -> None:
    """Four slots and a second at the platform: some four a second, however fast the core is."""
    assumed = replace(ASSUMED, platform_seconds=1.0, slots=4)
    found = lateness([0.0] * 2_000, Fleet(posts=1, publishers=1), random.Random(1), cpu_ms=QUICK, assumed=assumed)
    assert found.worst == pytest.approx(500, rel=0.1)


def test_who_comes_alone_waits_for_nobody() -> None:
    apart = [float(second) for second in range(0, 1_000, 10)]
    found = lateness(apart, Fleet(posts=2, publishers=2), random.Random(1), cpu_ms=QUICK, assumed=INSTANT)
    assert found.worst == pytest.approx(0.011)


def test_a_random_stream_waits_as_the_theory_says() -> None:
    """M/D/1 at half load: a mean wait of half a service, so a median below one and a half of it."""
    chance, at, due = random.Random(7), 0.0, []
    for _ in range(20_000):
        at += chance.expovariate(50.0)
        due.append(at)
    found = lateness(due, Fleet(posts=1, publishers=1), random.Random(1), cpu_ms=QUICK, assumed=INSTANT)
    assert 0.011 <= found.p50 < 0.017
    assert found.p999 < 0.1


def test_half_of_the_busiest_hour_is_due_at_once() -> None:
    due = due_times(100_000, random.Random(1))
    assert due.count(0.0) == 6_000
    assert len(due) == pytest.approx(6_000 + 6_000 / 10, rel=0.1)
    assert list(due) == sorted(due)


@pytest.mark.parametrize("posts", [1_000, 50_000, 1_000_000])
def test_a_plan_keeps_its_aim_and_more_posts_need_no_less(posts: int) -> None:
    small, large = plan(posts, 30.0), plan(2 * posts, 30.0)
    for each in (small, large):
        assert each.lateness.p999 <= each.aim
        assert each.partitions >= 2 * max(each.instances["posts"], each.instances["publisher"])
    assert large.cost >= small.cost
    assert all(large.instances[name] >= count for name, count in small.instances.items())
    assert plan(posts, 300.0).instances["publisher"] <= small.instances["publisher"]


def test_storage_grows_with_what_is_kept_and_stops_where_it_is_not() -> None:
    one = Measured(
        cpu_ms=MEASURED.cpu_ms,
        few_ms=MEASURED.few_ms,
        log_bytes={"posts.events": 1_000, "posts.commands": 1_000, "social.post_published": 1_000},
        store_bytes={"posts": 1_000, "public_events": 1_000},
    )
    found = storage(GIB / 1_000, one, replace(ASSUMED, readings=0, store_ratio=1.0))
    assert found.log_for_ever == pytest.approx(365)
    assert found.log_kept_a_while == pytest.approx(7 + 30)
    assert found.store == pytest.approx(365 + 90)


def test_partitions_leave_room() -> None:
    assert [partitions_for(members) for members in (1, 12, 13, 100)] == [24, 24, 48, 216]
