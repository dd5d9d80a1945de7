"""Samples in any order, late, twice, going down: the same figures."""

import random
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.domain import folding
from contracts.analytics import AccountMetrics, DayEntry, PostMetrics
from contracts.collecting import FollowersMeasured, NotMeasured, PostMeasured, PostTracked
from contracts.content import Failure
from platforms import rollups, series

PUBLISHED = datetime(2026, 1, 24, 20, 0, 30, tzinfo=UTC)
WHO = {"tenant_id": "t", "account_id": "acc", "platform": "twitter"}
WHAT = {"post_id": "post_1", "target_id": "twitter:acc"}


def measured(age: timedelta, **counters: int) -> PostMeasured:
    return PostMeasured(
        **WHO,
        **WHAT,
        published_at=PUBLISHED,
        content_type="text",
        observed_at=PUBLISHED + age,
        counters=counters,
    )


SAMPLES = [
    (
        "s0",
        PostTracked(**WHO, **WHAT, published_at=PUBLISHED, content_type="text", first=True, first_on_platform=True),
    ),
    ("s1", measured(timedelta(minutes=5), impression_count=100, like_count=4)),
    ("s2", measured(timedelta(minutes=15), impression_count=400, like_count=9)),
    ("s3", measured(timedelta(hours=1), impression_count=1_000, like_count=20, retweet_count=5)),
    ("s4", measured(timedelta(hours=1, minutes=20), impression_count=1_200, like_count=22, retweet_count=5)),
    ("s5", measured(timedelta(hours=6), impression_count=5_000, like_count=50, retweet_count=9)),
    ("s6", measured(timedelta(days=1), impression_count=4_800, like_count=60, retweet_count=9)),
]


def folded(samples: list[tuple[str, PostTracked | PostMeasured]]) -> tuple[PostMetrics | None, dict[str, DayEntry]]:
    state: PostMetrics | None = None
    entries: dict[str, DayEntry] = {}
    for sample_id, sample in samples:
        state = folding.post(state, sample, sample_id)
        entries = folding.day(entries, sample, sample_id)
    return state, entries


@given(st.permutations(SAMPLES + SAMPLES[2:5]))
def test_neither_order_nor_repetition_matters(samples: list[tuple[str, PostTracked | PostMeasured]]) -> None:
    assert folded(samples) == folded(SAMPLES)


def test_readings_of_one_hour_replace_each_other_but_not_in_the_first() -> None:
    state, _ = folded(SAMPLES)
    assert state is not None
    # s3 (21:00:30) and s4 (21:20:30) lie in one hour of the clock.
    assert [reading.sample_id for reading in state.readings] == ["s1", "s2", "s4", "s5", "s6"]


def test_the_newest_reading_is_right_also_when_a_counter_went_down() -> None:
    state, entries = folded(SAMPLES)
    assert state is not None
    (entry,) = entries.values()
    assert (entry.impressions, entry.engagements) == (4_800, 69)
    gains = series.hourly("twitter", PUBLISHED, state.readings)
    assert sum(gain.impressions or 0 for gain in gains) == 4_800
    assert sum(gain.engagements or 0 for gain in gains) == 69
    assert all((gain.impressions or 0) >= 0 for gain in gains)
    assert gains[0].at == datetime(2026, 1, 24, 20, tzinfo=UTC)
    assert len(gains) == 25


def test_a_failure_is_remembered_until_a_reading_succeeds() -> None:
    def failed(age: timedelta, *, gone: bool = False) -> NotMeasured:
        reason = Failure(code="rate_limited", message="Busy.")
        return NotMeasured(**WHO, **WHAT, subject="post", at=PUBLISHED + age, reason=reason, gone=gone)

    state = folding.post(None, failed(timedelta(minutes=5)), "f1")
    assert state.problem is not None
    state = folding.post(state, SAMPLES[3][1], "s3")
    assert state.problem is None
    # One that comes late does not bring the failure back.
    assert folding.post(state, failed(timedelta(minutes=15)), "f2") == state
    assert folding.post(state, failed(timedelta(days=1), gone=True), "f3").gone


def test_followers_keep_the_last_of_each_day() -> None:
    account = folding.new_account("t", "acc", "twitter")
    readings = [(9, "a", 100), (18, "b", 110), (12, "c", 105)]
    random.Random(1).shuffle(readings)
    for hour, sample_id, count in readings:
        at = datetime(2026, 1, 5, hour, tzinfo=UTC)
        account = folding.followers(account, FollowersMeasured(**WHO, observed_at=at, followers=count), sample_id)
    assert {day: reading.followers for day, reading in account.followers.items()} == {"2026-01-05": 110}


def test_a_day_is_summed_up_by_hand() -> None:
    entries: dict[str, DayEntry] = {}
    for number, (impressions, likes) in enumerate([(1_000, 30), (500, 40), (None, 7)]):
        counters = (
            {"like_count": likes} if impressions is None else {"impression_count": impressions, "like_count": likes}
        )
        sample = PostMeasured(
            **WHO,
            post_id=f"post_{number}",
            target_id="twitter:acc",
            published_at=PUBLISHED,
            content_type="text",
            observed_at=PUBLISHED + timedelta(hours=number),
            counters=counters,
        )
        entries = folding.day(entries, sample, f"s{number}")
    found = rollups.summary(list(entries.values()))
    assert msgspec.structs.asdict(found) == {
        "targets": 3,
        "measured": 3,
        "posts": 0,
        "platform_posts": 0,
        "impressions": 1_500,
        "engagements": 77,
        "rated_engagements": 70,
        "oldest_reading": PUBLISHED,
        "newest_reading": PUBLISHED + timedelta(hours=2),
        "top": (
            rollups.TopPost("post_0", 1_000, 30),
            rollups.TopPost("post_1", 500, 40),
            rollups.TopPost("post_2", None, 7),
        ),
    }


@pytest.mark.parametrize("count", [folding.OUTCOMES + 30])
def test_what_is_kept_of_an_account_is_bounded_and_the_newest(count: int) -> None:
    order = list(range(count))
    random.Random(2).shuffle(order)

    def learned(numbers: list[int]) -> AccountMetrics:
        account = folding.new_account("t", "acc", "twitter")
        for number in numbers:
            at = PUBLISHED + timedelta(minutes=number)
            sample = PostMeasured(
                **WHO,
                post_id=f"post_{number:05}",
                target_id="twitter:acc",
                published_at=at,
                content_type="text",
                observed_at=at + timedelta(minutes=5),
                counters={"impression_count": 100, "like_count": number},
            )
            account = folding.account_learned(account, folding.post(None, sample, f"s{number}")).account
        return account

    shuffled, straight = learned(order), learned(sorted(order))
    assert shuffled == straight
    assert set(shuffled.outcomes) == {f"post_{number:05}|twitter:acc" for number in range(30, count)}
    assert len(shuffled.gains) == folding.COMPARED
