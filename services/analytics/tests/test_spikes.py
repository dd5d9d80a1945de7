"""Spikes among posts whose fate was decided beforehand."""

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from analytics.domain import folding, spikes
from analytics.domain.ages import PLANNED, next_reading
from contracts.analytics import Reading
from contracts.collecting import PostMeasured

START = datetime(2026, 1, 1, tzinfo=UTC)
SHARES = [0.04, 0.06, 0.2, 0.3, 0.2, *([0.2 / 29] * 29)]
"""Of what a post gains in all, at each planned age."""


def account(
    seed: int, *, posts: int, level: float, scatter: float, spiking: dict[int, tuple[int, float]]
) -> list[set[str]]:
    """The ages at which each post was announced to spike. `spiking`: by post, the age and the factor."""
    chance = random.Random(seed)
    metrics = folding.new_account("t", "acc", "twitter")
    announced: list[set[str]] = []
    for number in range(posts):
        published = START + timedelta(days=number)
        size = level * math.exp(chance.gauss(0, scatter))
        at_age, factor = spiking.get(number, (-1, 1.0))
        state, total, told = None, 0.0, set()
        for index, age in enumerate(PLANNED[:12]):
            gained = size * SHARES[index] * math.exp(chance.gauss(0, scatter / 2))
            total += gained * factor if index == at_age else gained
            sample = PostMeasured(
                tenant_id="t",
                account_id="acc",
                platform="twitter",
                post_id=f"post_{number:05}",
                target_id="twitter:acc",
                published_at=published,
                content_type="text",
                observed_at=published + age + timedelta(seconds=chance.uniform(0, 20)),
                counters={"impression_count": int(total * 40), "like_count": int(total)},
            )
            state = folding.post(state, sample, f"s{number}-{index}")
            learned = folding.account_learned(metrics, state)
            metrics, state = learned.account, folding.flagged(state, learned.spikes)
            told |= {spike.age for spike in learned.spikes if spike.starts}
        announced.append(told)
    return announced


def test_precision_and_recall_on_labelled_accounts(record_property: Callable[[str, object], None]) -> None:
    """60 accounts of different size and evenness; a tenth of their posts gain 8 to 20 times as much at some age."""
    right = wrong = missed = 0
    for seed in range(60):
        chance = random.Random(seed * 7 + 1)
        level, scatter = chance.choice([300, 2_000, 20_000]), chance.choice([0.2, 0.4, 0.6])
        spiking = {
            number: (chance.choice([2, 3, 4]), chance.uniform(8, 20))
            for number in range(12, 60)
            if chance.random() < 0.1
        }
        for number, told in enumerate(account(seed, posts=60, level=level, scatter=scatter, spiking=spiking)):
            if number in spiking:
                right += bool(told)
                missed += not told
                wrong += max(0, len(told) - 1)
            else:
                wrong += len(told)
    precision, recall = right / (right + wrong), right / (right + missed)
    record_property(
        "spikes", f"precision {precision:.3f}, recall {recall:.3f} ({right} right, {wrong} wrong, {missed} missed)"
    )
    assert precision > 0.9
    assert recall > 0.9


def test_a_spike_is_announced_once_however_long_it_lasts() -> None:
    chance = random.Random(4)
    metrics = folding.new_account("t", "acc", "twitter")
    told: list[str] = []
    for number in range(12):
        published = START + timedelta(days=number)
        state, total = None, 0.0
        for index, age in enumerate(PLANNED[:8]):
            lasting = number == 11 and 2 <= index <= 5
            total += 1_000 * SHARES[index] * math.exp(chance.gauss(0, 0.1)) * (15 if lasting else 1)
            for repeat in range(2):
                sample = PostMeasured(
                    tenant_id="t",
                    account_id="acc",
                    platform="twitter",
                    post_id=f"post_{number:05}",
                    target_id="twitter:acc",
                    published_at=published,
                    content_type="text",
                    observed_at=published + age,
                    counters={"like_count": int(total)},
                )
                state = folding.post(state, sample, f"s{number}-{index}-{repeat}")
                learned = folding.account_learned(metrics, state)
                metrics, state = learned.account, folding.flagged(state, learned.spikes)
                told += [spike.age for spike in learned.spikes if spike.starts]
    assert told == ["1h"]


def test_nothing_is_unusual_without_history_or_for_a_handful() -> None:
    usual = [{"1h": 2.0} for _ in range(20)]
    assert spikes.judge({"1h": 5_000.0}, {}, usual[:5], ()) == []
    assert spikes.judge({"1h": 15.0}, {}, usual, ()) == []
    (spike,) = spikes.judge({"1h": 500.0}, {}, usual, ())
    assert (spike.baseline, spike.factor, spike.starts) == (2.0, 167.0, True)


def test_gains_need_readings_near_their_ages() -> None:
    def reading(age: timedelta, likes: int) -> Reading:
        return Reading(at=START + age, sample_id="s", counters={"like_count": likes})

    # Read for the first time after ten days: nobody knows when it was gained.
    assert spikes.gains("twitter", START, [reading(timedelta(days=10), 900)]) == {}
    found = spikes.gains(
        "twitter",
        START,
        [reading(timedelta(minutes=5), 10), reading(timedelta(minutes=15), 25), reading(timedelta(hours=1), 70)],
    )
    assert found == {"5m": 10, "15m": 15, "1h": 45}


def test_the_schedule_of_readings() -> None:
    minute = timedelta(minutes=1)
    assert next_reading(START, START) == START + 5 * minute
    assert next_reading(START, START + 5 * minute) == START + 15 * minute
    assert next_reading(START, START + 20 * minute) == START + 60 * minute
    assert next_reading(START, START + timedelta(hours=7)) == START + timedelta(days=1)
    assert next_reading(START, START + timedelta(days=29, hours=1)) == START + timedelta(days=30)
    assert next_reading(START, START + timedelta(days=30)) is None
