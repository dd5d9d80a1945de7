"""Recommended times against a truth that is known because it was planted."""

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from statistics import fmean
from zoneinfo import ZoneInfo

import pytest

from contracts.content import PLATFORMS
from platforms.posting_times import (
    HOURS,
    PROFILES,
    Past,
    best_daily,
    best_of_day,
    next_time,
    read_profiles,
    week,
    windows_to_avoid,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")
NEW_YORK = ZoneInfo("America/New_York")
SCATTER = 0.7


def planted(peaks: dict[tuple[int, int], float]) -> list[float]:
    """A week like no platform's profile: flat but for these hours and their neighbours."""
    truth = [0.0] * HOURS
    for (day, hour), lift in peaks.items():
        for distance, share in ((-1, 0.6), (0, 1.0), (1, 0.6)):
            truth[(day * 24 + hour + distance) % HOURS] += lift * share
    mean = fmean(truth)
    return [value - mean for value in truth]


def posted(
    truth: list[float], count: int, zone: ZoneInfo, seed: int, *, content_type: str = "text", base: float = 0.03
) -> list[Past]:
    """Posts at random hours of the last half year, each as good as its hour, give or take what chance does."""
    chance = random.Random(seed)
    posts = []
    for _ in range(count):
        at = NOW - timedelta(hours=chance.uniform(24, 180 * 24))
        local = at.astimezone(zone)
        rate = base * math.exp(truth[local.weekday() * 24 + local.hour] + chance.gauss(0, SCATTER))
        impressions = chance.randint(500, 5_000)
        engagements = max(0, round(chance.gauss(impressions * rate, math.sqrt(impressions * rate))))
        posts.append(
            Past(
                account_id="acc",
                published_at=at,
                observed_at=at + timedelta(days=1),
                content_type=content_type,
                impressions=impressions,
                engagements=engagements,
            )
        )
    return posts


def error_of(estimate: list[float], truth: list[float]) -> float:
    mean = fmean(estimate)
    return math.sqrt(fmean((value - mean - true) ** 2 for value, true in zip(estimate, truth, strict=True)))


def plain_mean(posts: list[Past], zone: ZoneInfo) -> list[float]:
    """What one would do first: the mean rate of each hour, and the overall mean where there was no post."""
    rates: dict[int, list[float]] = {}
    for post in posts:
        local = post.published_at.astimezone(zone)
        rates.setdefault(local.weekday() * 24 + local.hour, []).append(post.engagements / (post.impressions or 1))
    overall = fmean(rate for values in rates.values() for rate in values)
    return [math.log(max(fmean(rates.get(index, [overall])), 1e-4) / overall) for index in range(HOURS)]


def lifts(posts: list[Past], zone: ZoneInfo) -> list[float]:
    return [math.log1p(hour.lift) for hour in week("twitter", posts, zone, now=NOW).hours]


def test_planted_best_hours_are_found() -> None:
    truth = planted({(6, 21): 0.9, (2, 6): 0.9})
    for seed in range(5):
        found = week("twitter", posted(truth, 3_000, PARIS, seed), PARIS, now=NOW)
        best = sorted(found.hours, key=lambda hour: -hour.lift)[:4]
        assert {(6, 21), (2, 6)} <= {(hour.day, hour.hour) for hour in best}
        assert found.basis == "own"
        assert best[0].score >= 95


def like_the_profile(_: random.Random) -> list[float]:
    return [0.8 * level for level in PROFILES["twitter"].levels]


def flat(_: random.Random) -> list[float]:
    return [0.0] * HOURS


def against_the_profile(_: random.Random) -> list[float]:
    return [-0.8 * level for level in PROFILES["twitter"].levels]


def in_another_part_of_the_world(chance: random.Random) -> list[float]:
    levels, hours = PROFILES["twitter"].levels, chance.choice((8, 10, 12, 14))
    return [0.8 * levels[index - hours] for index in range(HOURS)]


def a_few_hours(chance: random.Random) -> list[float]:
    return planted({(chance.randrange(7), chance.randrange(24)): chance.uniform(0.4, 0.9) for _ in range(3)})


def a_wave_a_day(chance: random.Random) -> list[float]:
    """Any hour may be its crest, and each day is a little better or worse."""
    crest, height = chance.uniform(0, 24), chance.uniform(0.15, 0.45)
    days = [chance.gauss(0, 0.1) for _ in range(7)]
    wave = [height * math.cos((index % 24 - crest) * math.pi / 12) + days[index // 24] for index in range(HOURS)]
    return [level - fmean(wave) for level in wave]


@pytest.mark.parametrize("count", [10, 40, 150])
@pytest.mark.parametrize(
    "tenant",
    [like_the_profile, flat, a_few_hours, a_wave_a_day, in_another_part_of_the_world, against_the_profile],
)
def test_small_samples_are_told_from_chance(
    tenant: Callable[[random.Random], list[float]], count: int, record_property: Callable[[str, object], None]
) -> None:
    """Better than a plain mean by hour: over many tenants, also of kinds that no profile is true of."""
    ours, plain = [], []
    for seed in range(20):
        truth = tenant(random.Random(1_000 + seed))
        posts = posted(truth, count, PARIS, seed)
        ours.append(error_of(lifts(posts, PARIS), truth))
        plain.append(error_of(plain_mean(posts, PARIS), truth))
    record_property(f"{tenant.__name__}, {count} posts", f"error {fmean(ours):.3f}, of a mean {fmean(plain):.3f}")
    assert fmean(ours) < fmean(plain)


def test_a_profile_that_is_not_true_is_believed_less_and_less() -> None:
    truth = against_the_profile(random.Random())
    errors = [
        fmean(error_of(lifts(posted(truth, count, PARIS, seed), PARIS), truth) for seed in range(6))
        for count in (20, 150, 1_000)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.1


def test_profiles_are_data_and_say_what_they_rest_on() -> None:
    assert set(PROFILES) == set(PLATFORMS)
    assert all(profile.basis == "assumption" and profile.note for profile in PROFILES.values())
    own = files("platforms").joinpath("posting_profiles.toml").read_text("utf-8")
    measured = own.replace('basis = "assumption"', 'basis = "measured"', 1).replace("belief = 0.4", "belief = 1.0", 1)
    profiles = read_profiles(measured.replace("{ 9 = 1.0, 12 = 0.9, 17 = 0.8 }", "{ 3 = 1.0 }", 1))
    found = week("twitter", [], PARIS, now=NOW, profiles=profiles)
    assert profiles["twitter"].basis == "measured"
    assert {hour.hour for hour in found.hours if hour.score >= 90} == {2, 3, 4}
    for wrong in ("", "[myspace]", own.replace("9 = 1.0", "25 = 1.0", 1), own.replace("0.88, 0.6", "0.6", 1)):
        with pytest.raises(ValueError, match="profile"):
            read_profiles(wrong)


def test_without_posts_the_profile_speaks_and_says_so() -> None:
    for platform in PLATFORMS:
        found = week(platform, [], PARIS, now=NOW)
        assert found.basis == "prior"
        assert found.sample_size == 0
        assert {hour.basis for hour in found.hours} == {"prior"}
        assert [math.log1p(hour.lift) for hour in found.hours] == pytest.approx(
            [PROFILES[platform].belief * level for level in PROFILES[platform].levels], abs=2e-3
        )
    assert best_daily(week("twitter", [], PARIS, now=NOW)) == [9, 12, 17]
    assert best_daily(week("linkedin", [], PARIS, now=NOW)) == [8, 12, 16]


def test_few_posts_are_mixed_with_the_profile() -> None:
    truth = planted({(2, 6): 0.9})
    assert week("twitter", posted(truth, 40, PARIS, seed=3), PARIS, now=NOW).basis == "mixed"


def test_hours_are_those_of_the_zone_on_both_sides_of_a_change_of_clocks() -> None:
    """09:00 in New York is 13:00 UTC in summer and 14:00 in winter: one hour of the week all the same."""
    posts = []
    for days in range(1, 170):
        local = (NOW - timedelta(days=days)).astimezone(NEW_YORK)
        for hour, engagements in ((9, 90), (15, 30)):
            at = local.replace(hour=hour, minute=10).astimezone(UTC)
            posts.append(
                Past(
                    account_id="acc",
                    published_at=at,
                    observed_at=at + timedelta(days=1),
                    content_type="text",
                    impressions=1_000,
                    engagements=engagements,
                )
            )
    found = week("twitter", posts, NEW_YORK, now=NOW)
    weekday = found.hours[24:48]
    assert max(weekday, key=lambda hour: hour.score).hour == 9
    assert weekday[9].at_this_hour in (24, 25)
    assert weekday[8].at_this_hour == weekday[10].at_this_hour == 0


def test_next_time_skips_an_hour_that_clocks_leave_out() -> None:
    after = datetime(2027, 3, 22, tzinfo=UTC)
    # 28 March 2027 02:00 does not exist in Paris.
    assert next_time(6, 2, PARIS, after=after) == datetime(2027, 4, 4, 0, tzinfo=UTC)
    assert next_time(6, 3, PARIS, after=after) == datetime(2027, 3, 28, 1, tzinfo=UTC)
    assert next_time(0, 1, PARIS, after=datetime(2027, 3, 22, 0, tzinfo=UTC)) == datetime(2027, 3, 28, 23, tzinfo=UTC)


def test_recent_posts_count_more() -> None:
    def at_hour(hour: int, age_days: int, engagements: int) -> list[Past]:
        posts = []
        for number in range(12):
            at = (NOW - timedelta(days=age_days + 7 * number)).replace(hour=hour)
            posts.append(
                Past(
                    account_id="acc",
                    published_at=at,
                    observed_at=at + timedelta(days=2),
                    content_type="text",
                    impressions=1_000,
                    engagements=engagements,
                )
            )
        return posts

    was_good = at_hour(5, 400, 90) + at_hour(22, 400, 20)
    is_good = at_hour(5, 2, 20) + at_hour(22, 2, 90)
    found = week("twitter", was_good + is_good, ZoneInfo("UTC"), now=NOW)
    assert found.hours[24 + 22].lift > found.hours[24 + 5].lift


def test_each_kind_of_content_has_its_hours() -> None:
    text = posted(planted({(2, 6): 0.9}), 1_500, PARIS, seed=5)
    video = posted(planted({(6, 21): 0.9}), 1_500, PARIS, seed=6, content_type="video", base=0.10)
    for kind, day, hour in (("text", 2, 6), ("video", 6, 21)):
        found = week("twitter", text + video, PARIS, now=NOW, content_type=kind)
        best = max(found.hours, key=lambda each: each.lift)
        assert (best.day, best.hour) == (day, hour)


def test_what_is_too_young_is_left_out() -> None:
    fresh = Past(
        account_id="acc",
        published_at=NOW - timedelta(hours=2),
        observed_at=NOW,
        content_type="text",
        impressions=10,
        engagements=9,
    )
    assert week("twitter", [fresh], PARIS, now=NOW).sample_size == 0


def test_platforms_without_impressions_are_compared_by_numbers() -> None:
    posts = [
        Past(
            account_id="acc",
            published_at=NOW - timedelta(days=days) + timedelta(hours=hour - 12),
            observed_at=NOW,
            content_type="text",
            impressions=None,
            engagements=engagements,
        )
        for days in range(1, 60)
        for hour, engagements in ((7, 40), (13, 5))
    ]
    found = week("linkedin", posts, ZoneInfo("UTC"), now=NOW)
    assert best_daily(found)[0] in (6, 7, 8)


def test_choices_of_a_day_keep_apart_and_the_worst_windows_are_named() -> None:
    found = week("linkedin", [], PARIS, now=NOW)
    tuesday = best_of_day(found.hours[24:48], count=3)
    assert [hour.hour for hour in tuesday] == [8, 12, 16]
    windows = windows_to_avoid(found)
    assert windows
    for day, start, end in windows:
        assert end - start >= 2
        assert all(found.hours[day * 24 + hour].score < 20 for hour in range(start, end))
