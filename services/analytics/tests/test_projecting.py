"""Folding in batches, where the store fails in the middle of it."""

import random
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analytics.domain.folding import DayKey
from analytics.ports import Announcement, FoldedAccount, FoldedDay, FoldedPost
from analytics.projecting import Projector, Recorded
from contracts.collecting import Mention, MentionsFound, PostMeasured, PostTracked
from contracts.public_events import SocialEngagementSpike

START = datetime(2026, 10, 1, tzinfo=UTC)


class MemoryModels:
    """`analytics.ports.Models`. `breaks`: how many of the parts of the next saving succeed; None: all, as ever."""

    def __init__(self) -> None:
        self.stored_posts: dict[str, FoldedPost] = {}
        self.stored_days: dict[DayKey, FoldedDay] = {}
        self.stored_accounts: dict[str, FoldedAccount] = {}
        self.mentions: set[str] = set()
        self.breaks: int | None = None

    async def posts(self, keys: Collection[str]) -> Mapping[str, FoldedPost]:
        return {key: self.stored_posts[key] for key in keys if key in self.stored_posts}

    async def accounts(self, account_ids: Collection[str]) -> Mapping[str, FoldedAccount]:
        return {key: self.stored_accounts[key] for key in account_ids if key in self.stored_accounts}

    async def days(self, keys: Collection[DayKey]) -> Mapping[DayKey, FoldedDay]:
        return {key: self.stored_days[key] for key in keys if key in self.stored_days}

    async def save(
        self,
        posts: Mapping[str, FoldedPost],
        days: Mapping[DayKey, FoldedDay],
        accounts: Mapping[str, FoldedAccount],
    ) -> None:
        parts: list[tuple[dict[Any, Any], Mapping[Any, Any]]] = [
            (self.stored_posts, dict(list(posts.items())[::2])),
            (self.stored_posts, posts),
            (self.stored_days, days),
            (self.stored_accounts, accounts),
        ]
        done, self.breaks = self.breaks, None
        for into, part in parts[:done]:
            into.update(part)
        if done is not None:
            raise ConnectionError("the store is away")

    async def unseen_mentions(self, ids: Collection[str]) -> set[str]:
        return set(ids) - self.mentions

    async def remember_mentions(self, mentions: Mapping[str, datetime]) -> None:
        self.mentions.update(mentions)

    def figures(self) -> Any:
        return (
            {key: folded.state for key, folded in self.stored_posts.items()},
            {key: folded.entries for key, folded in self.stored_days.items()},
            {key: folded.state for key, folded in self.stored_accounts.items()},
        )


class Announced:
    """`analytics.ports.Announcer`."""

    def __init__(self) -> None:
        self.told: list[Announcement] = []

    async def announce(self, announcements: Sequence[Announcement]) -> None:
        self.told += announcements


def history() -> list[Recorded]:
    """Fifteen posts of one account; the last gains ten times as much in its second age. Two mentions, found twice."""
    chance = random.Random(3)
    samples: list[Any] = []
    for number in range(15):
        published = START + timedelta(days=number)
        what: dict[str, Any] = {
            "tenant_id": "t",
            "account_id": "acc",
            "platform": "twitter",
            "post_id": f"post_{number:02}",
            "target_id": "twitter:acc",
            "published_at": published,
            "content_type": "text",
        }
        samples.append(PostTracked(**what, first=True, first_on_platform=True))
        second = 400 if number == 14 else chance.randint(30, 40)
        for age, count in ((timedelta(minutes=5), 25), (timedelta(minutes=15), 25 + second)):
            counters = {"impression_count": count * 20, "like_count": count}
            samples.append(PostMeasured(**what, observed_at=published + age, counters=counters))
    for _ in range(2):
        mentions = tuple(
            Mention(mention_id=f"m{n}", kind="mention", author="a", text="", url=None, mentioned_at=START)
            for n in range(2)
        )
        samples.append(
            MentionsFound(tenant_id="t", account_id="acc", platform="twitter", observed_at=START, mentions=mentions)
        )
    return [Recorded(offset=offset, sample_id=f"s{offset}", sample=sample) for offset, sample in enumerate(samples)]


async def folded(batches: Sequence[Sequence[Recorded]], breaks: Sequence[int | None]) -> tuple[MemoryModels, Announced]:
    """As the consumer does it: a batch that fails comes again."""
    models, announced = MemoryModels(), Announced()
    projector = Projector(models, announced)
    for batch, after in zip(batches, breaks, strict=True):
        models.breaks = after
        if after is not None:
            with pytest.raises(ConnectionError):
                await projector.fold(batch)
        await projector.fold(batch)
    return models, announced


@pytest.mark.parametrize("seed", range(8))
async def test_a_batch_that_fails_half_way_and_comes_again_leaves_the_same_figures(seed: int) -> None:
    chance = random.Random(seed)
    records = history()
    borders = sorted(chance.sample(range(1, len(records)), 5))
    batches = [records[start:end] for start, end in zip([0, *borders], [*borders, len(records)], strict=True)]
    smooth, told = await folded([records], [None])
    rough, told_again = await folded(batches, [chance.choice([None, 0, 1, 2, 3]) for _ in batches])
    assert rough.figures() == smooth.figures()
    spikes = [each for each in told.told if isinstance(each.message, SocialEngagementSpike)]
    assert [each.key for each in spikes] == ["post_14"]
    assert len(told.told) == 3
    # What is told again has the same id, and nothing else is.
    assert {each.id for each in told_again.told} == {each.id for each in told.told}


async def test_what_was_not_in_the_store_is_inserted_and_what_was_is_replaced() -> None:
    models = MemoryModels()
    records = history()
    await Projector(models, None).fold(records[:10])
    assert not any(folded.stored for folded in models.stored_posts.values())
    read = {
        key: FoldedPost(position=each.position, state=each.state, stored=True)
        for key, each in models.stored_posts.items()
    }
    models.stored_posts = dict(read)
    await Projector(models, None).fold(records[10:12])
    assert models.stored_posts["post_03|twitter:acc"].stored
    assert models.stored_posts["post_03|twitter:acc"].position == 11
