"""The read models as folds of samples. Pure.

Each keeps the newest reading for a key, so what comes late, twice or in another order makes no difference. What is
older than what is kept bounded is forgotten, whenever it comes.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from analytics.domain import spikes
from analytics.domain.ages import slot
from analytics.domain.spikes import Spike
from contracts.analytics import AccountMetrics, DayEntry, FollowersReading, Outcome, PostMetrics, Reading
from contracts.collecting import FollowersMeasured, MentionsFound, NotMeasured, PostMeasured, PostTracked
from contracts.content import Platform
from platforms.measures import figures

OUTCOMES = 500
"""Newest posts of an account that posting times and reach are learned from."""
COMPARED = 150
"""Newest posts of an account that new ones are compared with."""
FOLLOWER_DAYS = 800

DayKey = tuple[str, str]
"""Account, and date in UTC."""


def key_of(post_id: str, target_id: str) -> str:
    return f"{post_id}|{target_id}"


def day_of(account_id: str, published_at: datetime) -> DayKey:
    return account_id, published_at.astimezone(UTC).date().isoformat()


# --- one target ---------------------------------------------------------------------------------------


def post(state: PostMetrics | None, sample: PostTracked | PostMeasured | NotMeasured, sample_id: str) -> PostMetrics:
    """Raises ValueError for a NotMeasured that is not about a post."""
    if sample.post_id is None or sample.target_id is None:
        raise ValueError("not about a post")
    known = state or PostMetrics(
        tenant_id=sample.tenant_id,
        account_id=sample.account_id,
        platform=sample.platform,
        post_id=sample.post_id,
        target_id=sample.target_id,
    )
    match sample:
        case PostTracked(published_at=published_at, content_type=content_type):
            return replace(known, published_at=published_at, content_type=content_type)
        case PostMeasured(published_at=published_at, content_type=content_type):
            reading = Reading(at=sample.observed_at, sample_id=sample_id, counters=sample.counters)
            overcome = known.problem_at is None or sample.observed_at >= known.problem_at
            return replace(
                known,
                published_at=published_at,
                content_type=content_type,
                readings=_with_reading(known.readings, reading, published_at),
                problem=None if overcome else known.problem,
                gone=known.gone and not overcome,
            )
        case NotMeasured(at=at, reason=reason, gone=gone):
            newest = known.readings[-1].at if known.readings else None
            if (newest is not None and at < newest) or (known.problem_at is not None and at < known.problem_at):
                return known
            return replace(known, problem=reason, problem_at=at, gone=gone)


def _with_reading(readings: Sequence[Reading], new: Reading, published_at: datetime) -> tuple[Reading, ...]:
    place = slot(published_at, new.at)
    kept = []
    for reading in readings:
        if slot(published_at, reading.at) != place:
            kept.append(reading)
        elif _order(reading) > _order(new):
            new = reading
    return tuple(sorted([*kept, new], key=_order))


def _order(reading: Reading | FollowersReading) -> tuple[datetime, str]:
    return reading.at, reading.sample_id


# --- one day of an account ----------------------------------------------------------------------------


def day(entries: Mapping[str, DayEntry], sample: PostTracked | PostMeasured, sample_id: str) -> dict[str, DayEntry]:
    """By target's key."""
    key = key_of(sample.post_id, sample.target_id)
    entry = entries.get(key) or DayEntry(
        post_id=sample.post_id,
        target_id=sample.target_id,
        published_at=sample.published_at,
        content_type=sample.content_type,
    )
    match sample:
        case PostTracked(first=first, first_on_platform=first_on_platform):
            entry = replace(entry, first=first, first_on_platform=first_on_platform)
        case PostMeasured(observed_at=at):
            if entry.observed_at is None or (entry.observed_at, entry.sample_id) < (at, sample_id):
                told = figures(sample.platform, sample.counters)
                entry = replace(
                    entry,
                    observed_at=at,
                    sample_id=sample_id,
                    impressions=told.impressions,
                    engagements=told.engagements,
                )
    return {**entries, key: entry}


# --- one account --------------------------------------------------------------------------------------


class Learned(Struct, frozen=True, kw_only=True):
    """What a target's new reading taught about its account."""

    account: AccountMetrics
    spikes: tuple[Spike, ...]


def new_account(tenant_id: str, account_id: str, platform: Platform) -> AccountMetrics:
    return AccountMetrics(tenant_id=tenant_id, account_id=account_id, platform=platform)


def account_learned(account: AccountMetrics, target: PostMetrics) -> Learned:
    """`target` as it is after its newest reading."""
    if target.published_at is None or target.content_type is None or not target.readings:
        return Learned(account=account, spikes=())
    own = spikes.gains(target.platform, target.published_at, target.readings)
    key = key_of(target.post_id, target.target_id)
    others = [gains for other, gains in account.gains.items() if other != key]
    found = spikes.judge(own, account.gains.get(key, {}), others, target.spikes)
    # What is a spike is no measure of what is usual, but a median can bear it.
    gains = account.gains if not own else _newest({**account.gains, key: own}, COMPARED)
    return Learned(
        account=replace(account, outcomes=_with_outcome(account.outcomes, key, target), gains=gains),
        spikes=tuple(found),
    )


def flagged(target: PostMetrics, found: Sequence[Spike]) -> PostMetrics:
    """An age that is known to be a spike may be found again, when its account is behind after a crash."""
    new = [spike.age for spike in found if spike.age not in target.spikes]
    return replace(target, spikes=(*target.spikes, *new)) if new else target


def followers(account: AccountMetrics, sample: FollowersMeasured, sample_id: str) -> AccountMetrics:
    date = sample.observed_at.astimezone(UTC).date().isoformat()
    new = FollowersReading(at=sample.observed_at, sample_id=sample_id, followers=sample.followers)
    old = account.followers.get(date)
    kept = {**account.followers, date: new if old is None or _order(old) < _order(new) else old}
    return replace(account, followers=dict(sorted(kept.items())[-FOLLOWER_DAYS:]), followers_problem=None)


def mentions(account: AccountMetrics, sample: MentionsFound) -> AccountMetrics:
    read_to = max(filter(None, (account.mentions_read_to, sample.observed_at)))
    return replace(account, mentions_read_to=read_to, mentions_problem=None)


def account_problem(account: AccountMetrics, sample: NotMeasured) -> AccountMetrics:
    if sample.subject == "followers":
        return replace(account, followers_problem=sample.reason)
    return replace(account, mentions_problem=sample.reason)


def _with_outcome(outcomes: Mapping[str, Outcome], key: str, target: PostMetrics) -> dict[str, Outcome]:
    if target.published_at is None or target.content_type is None:
        return dict(outcomes)
    newest = target.readings[-1]
    told = figures(target.platform, newest.counters)
    new = Outcome(
        published_at=target.published_at,
        observed_at=newest.at,
        sample_id=newest.sample_id,
        content_type=target.content_type,
        impressions=told.impressions,
        engagements=told.engagements,
        reach=told.reach,
    )
    kept = {**outcomes, key: new}
    if len(kept) <= OUTCOMES:
        return kept
    oldest = min(kept, key=lambda each: (kept[each].published_at, each))
    return {each: value for each, value in kept.items() if each != oldest}


def _newest(gains: dict[str, dict[str, float]], limit: int) -> dict[str, dict[str, float]]:
    """Post ids are in order of time."""
    return gains if len(gains) <= limit else {key: gains[key] for key in sorted(gains)[-limit:]}
