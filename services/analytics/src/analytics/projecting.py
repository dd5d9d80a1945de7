"""Folding samples in batches: read what they touch, fold, tell what is to be told, write, all in bulk.

At least once. Each read model knows the offset of its newest sample and skips what it holds already; public events are
sent before what remembers them is written, so a crash between may send one again, with the same id.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from analytics.domain import folding
from analytics.domain.folding import DayKey, day_of, key_of
from analytics.domain.spikes import METRIC, Spike
from analytics.ports import Announcement, Announcer, Folded, FoldedAccount, FoldedDay, FoldedPost, Models
from contracts.analytics import PostMetrics
from contracts.collecting import (
    FollowersMeasured,
    MentionsFound,
    NotMeasured,
    PostMeasured,
    PostTracked,
    Sample,
)
from contracts.ids import derived_id
from contracts.public_events import SocialEngagementSpike, SocialMentionReceived
from contracts.topics import ENGAGEMENT_SPIKE, MENTION_RECEIVED


class Recorded(Struct, frozen=True, kw_only=True):
    """A sample with its place in its partition."""

    offset: int
    sample_id: str
    sample: Sample
    traceparent: str | None = None


class Projector:
    """`announcer` None: nothing is told, as when everything is folded again."""

    def __init__(self, models: Models, announcer: Announcer | None) -> None:
        self._models = models
        self._announcer = announcer

    async def fold(self, records: Sequence[Recorded]) -> None:
        """Of one partition, in order."""
        batch = _Batch()
        batch.posts = dict(await self._models.posts(_posts_in(records)))
        batch.days = dict(await self._models.days(_days_in(records)))
        batch.accounts = dict(await self._models.accounts({record.sample.account_id for record in records}))
        for record in records:
            batch.fold(record)
        await self._tell(batch)
        await self._models.save(
            {key: batch.posts[key] for key in batch.changed_posts},
            {key: batch.days[key] for key in batch.changed_days},
            {key: batch.accounts[key] for key in batch.changed_accounts},
        )

    async def _tell(self, batch: "_Batch") -> None:
        if not batch.mentions and not batch.spikes:
            return
        unseen = await self._models.unseen_mentions(set(batch.mentions)) if batch.mentions else set()
        new = [mention for id_, mention in batch.mentions.items() if id_ in unseen]
        if self._announcer is not None:
            await self._announcer.announce([*batch.spikes, *new])
        if new:
            await self._models.remember_mentions({mention.id: _time_of(mention) for mention in new})


class _Batch:
    def __init__(self) -> None:
        self.posts: dict[str, FoldedPost] = {}
        self.days: dict[DayKey, FoldedDay] = {}
        self.accounts: dict[str, FoldedAccount] = {}
        self.changed_posts: set[str] = set()
        self.changed_days: set[DayKey] = set()
        self.changed_accounts: set[str] = set()
        self.spikes: list[Announcement] = []
        self.mentions: dict[str, Announcement] = {}

    def fold(self, record: Recorded) -> None:
        match record.sample:
            case PostTracked() | PostMeasured() as sample:
                target = self._post(record, sample)
                self._day(record, sample)
                self._account(record, target)
            case NotMeasured(subject="post") as sample:
                self._post(record, sample)
            case sample:
                self._account(record, None)
                if isinstance(sample, MentionsFound):
                    for announcement in _mentions(sample):
                        self.mentions.setdefault(announcement.id, announcement)

    def _post(self, record: Recorded, sample: PostTracked | PostMeasured | NotMeasured) -> PostMetrics:
        key = key_of(sample.post_id or "", sample.target_id or "")
        known = self.posts.get(key)
        if known is not None and known.position >= record.offset:
            return known.state
        state = folding.post(None if known is None else known.state, sample, record.sample_id)
        self.posts[key] = FoldedPost(position=record.offset, state=state, stored=_is_stored(known))
        self.changed_posts.add(key)
        return state

    def _day(self, record: Recorded, sample: PostTracked | PostMeasured) -> None:
        key = day_of(sample.account_id, sample.published_at)
        known = self.days.get(key)
        if known is not None and known.position >= record.offset:
            return
        entries = folding.day({} if known is None else known.entries, sample, record.sample_id)
        self.days[key] = FoldedDay(
            position=record.offset,
            tenant_id=sample.tenant_id,
            platform=sample.platform,
            entries=entries,
            stored=_is_stored(known),
        )
        self.changed_days.add(key)

    def _account(self, record: Recorded, target: PostMetrics | None) -> None:
        sample = record.sample
        known = self.accounts.get(sample.account_id)
        if known is not None and known.position >= record.offset:
            return
        account = (
            folding.new_account(sample.tenant_id, sample.account_id, sample.platform) if known is None else known.state
        )
        match sample:
            case PostMeasured() if target is not None:
                learned = folding.account_learned(account, target)
                account = learned.account
                self._spiked(record, target, learned.spikes)
            case FollowersMeasured():
                account = folding.followers(account, sample, record.sample_id)
            case MentionsFound():
                account = folding.mentions(account, sample)
            case NotMeasured() if sample.subject != "post":
                account = folding.account_problem(account, sample)
            case _:
                pass
        if known is not None and account is known.state:
            return
        self.accounts[sample.account_id] = FoldedAccount(
            position=record.offset, state=account, stored=_is_stored(known)
        )
        self.changed_accounts.add(sample.account_id)

    def _spiked(self, record: Recorded, target: PostMetrics, found: Sequence[Spike]) -> None:
        if not found:
            return
        key = key_of(target.post_id, target.target_id)
        known = self.posts[key]
        self.posts[key] = FoldedPost(
            position=max(record.offset, known.position), state=folding.flagged(target, found), stored=known.stored
        )
        self.changed_posts.add(key)
        at = target.readings[-1].at
        self.spikes += [_spike(target, spike, at) for spike in found if spike.starts]


def _is_stored(known: Folded | None) -> bool:
    return known is not None and known.stored


def _posts_in(records: Sequence[Recorded]) -> set[str]:
    return {
        key_of(sample.post_id, sample.target_id)
        for record in records
        if not isinstance(sample := record.sample, FollowersMeasured | MentionsFound)
        and sample.post_id is not None
        and sample.target_id is not None
    }


def _days_in(records: Sequence[Recorded]) -> set[DayKey]:
    return {
        day_of(record.sample.account_id, record.sample.published_at)
        for record in records
        if isinstance(record.sample, PostTracked | PostMeasured)
    }


def _spike(target: PostMetrics, spike: Spike, at: datetime) -> Announcement:
    return Announcement(
        topic=ENGAGEMENT_SPIKE,
        key=target.post_id,
        id=derived_id(
            "evt", "spike", target.post_id, target.target_id, spike.age, at_ms=_ms(target.published_at or at)
        ),
        tenant_id=target.tenant_id,
        message=SocialEngagementSpike(
            tenant_id=target.tenant_id,
            post_id=target.post_id,
            platform=target.platform,
            account_id=target.account_id,
            metric=METRIC,
            value=spike.value,
            baseline=spike.baseline,
            factor=spike.factor,
            detected_at=at,
        ),
    )


def _mentions(sample: MentionsFound) -> list[Announcement]:
    return [
        Announcement(
            topic=MENTION_RECEIVED,
            key=sample.account_id,
            id=derived_id("evt", "mention", sample.account_id, mention.mention_id, at_ms=_ms(mention.mentioned_at)),
            tenant_id=sample.tenant_id,
            message=SocialMentionReceived(
                tenant_id=sample.tenant_id,
                account_id=sample.account_id,
                platform=sample.platform,
                mention_id=mention.mention_id,
                kind=mention.kind,
                author=mention.author,
                text=mention.text,
                url=mention.url,
                mentioned_at=mention.mentioned_at,
            ),
        )
        for mention in sample.mentions
    ]


def _time_of(announcement: Announcement) -> datetime:
    message = announcement.message
    if not isinstance(message, SocialMentionReceived):
        raise TypeError(f"{message.type_name} is no mention")
    return message.mentioned_at


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1_000)
