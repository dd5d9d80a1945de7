"""A day of an account in a few numbers. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from contracts.analytics import DayEntry
from contracts.content import Platform
from platforms.measures import rate

TOP = 5
"""Posts of a day, by each measure, that its summary names."""


class TopPost(Struct, frozen=True, array_like=True):
    post_id: str
    impressions: int | None
    engagements: int | None


class Summary(Struct, frozen=True, kw_only=True):
    """What most questions need of some targets, so that nobody has to look at each.

    `posts` counts each post once, however many accounts it went to; `platform_posts` once on each platform.
    `rated_engagements` are those of targets whose impressions are told: what rates are made of.
    """

    targets: int = 0
    measured: int = 0
    posts: int = 0
    platform_posts: int = 0
    impressions: int = 0
    engagements: int = 0
    rated_engagements: int = 0
    oldest_reading: datetime | None = None
    newest_reading: datetime | None = None
    top: tuple[TopPost, ...] = ()

    @property
    def engagement_rate(self) -> float | None:
        """Weighted by impressions."""
        return rate(self.rated_engagements, self.impressions)


class DayRollup(Struct, frozen=True, kw_only=True):
    account_id: str
    platform: Platform
    summary: Summary


def summary(entries: Sequence[DayEntry]) -> Summary:
    measured = [entry for entry in entries if entry.observed_at is not None]
    readings = [entry.observed_at for entry in measured if entry.observed_at is not None]
    return Summary(
        targets=len(entries),
        measured=len(measured),
        posts=sum(entry.first for entry in entries),
        platform_posts=sum(entry.first_on_platform for entry in entries),
        impressions=sum(entry.impressions or 0 for entry in measured),
        engagements=sum(entry.engagements or 0 for entry in measured),
        rated_engagements=sum(entry.engagements or 0 for entry in measured if entry.impressions is not None),
        oldest_reading=min(readings, default=None),
        newest_reading=max(readings, default=None),
        top=_top([TopPost(entry.post_id, entry.impressions, entry.engagements) for entry in measured]),
    )


def together(parts: Sequence[Summary]) -> Summary:
    """All of them as one; `top` holds every post that one of them names, its figures added."""
    by_post: dict[str, TopPost] = {}
    for part in parts:
        for post in part.top:
            known = by_post.get(post.post_id)
            by_post[post.post_id] = post if known is None else _added(known, post)
    return Summary(
        targets=sum(part.targets for part in parts),
        measured=sum(part.measured for part in parts),
        posts=sum(part.posts for part in parts),
        platform_posts=sum(part.platform_posts for part in parts),
        impressions=sum(part.impressions for part in parts),
        engagements=sum(part.engagements for part in parts),
        rated_engagements=sum(part.rated_engagements for part in parts),
        oldest_reading=min((part.oldest_reading for part in parts if part.oldest_reading), default=None),
        newest_reading=max((part.newest_reading for part in parts if part.newest_reading), default=None),
        top=tuple(by_post.values()),
    )


def ranked(posts: Iterable[TopPost], *, by: str) -> list[TopPost]:
    """The best first; `by` is `engagements` or `impressions`, and the other decides between equals."""
    other = "impressions" if by == "engagements" else "engagements"
    return sorted(posts, key=lambda post: (-(getattr(post, by) or 0), -(getattr(post, other) or 0), post.post_id))


def _top(posts: Sequence[TopPost]) -> tuple[TopPost, ...]:
    chosen = {*ranked(posts, by="engagements")[:TOP], *ranked(posts, by="impressions")[:TOP]}
    return tuple(sorted(chosen, key=lambda post: post.post_id))


def _added(one: TopPost, other: TopPost) -> TopPost:
    return TopPost(one.post_id, _sum(one.impressions, other.impressions), _sum(one.engagements, other.engagements))


def _sum(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else one + other
