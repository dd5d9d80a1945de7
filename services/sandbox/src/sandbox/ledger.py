"""What is live on the platforms: the only judge of "published exactly once"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from sandbox.clock import iso_milliseconds


class PublishedMedia(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file attached to a post. ``sha256`` is of the bytes as the platform assembled them."""

    id: str
    kind: str
    content_type: str
    bytes: int
    sha256: str
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    alt_text: str | None = None
    title: str | None = None


@dataclass(slots=True)
class Post:
    """One post or comment.

    Attributes:
        text: what readers see, before any link shortening.
        raw: the text field exactly as the client sent it.
        visible_at: when reads start to show it (later than ``created_at`` under read-back lag).
        metrics: engagement set through the control API.
    """

    platform: str
    id: str
    account: str
    text: str
    raw: str
    created_at: float
    visible_at: float
    conversation_id: str
    media: list[PublishedMedia] = field(default_factory=list)
    in_reply_to: str | None = None
    options: dict[str, object] = field(default_factory=dict)
    metrics: dict[str, int] = field(default_factory=dict)
    deleted_at: float | None = None

    def visible(self, now: float) -> bool:
        return self.deleted_at is None and self.visible_at <= now


class Entry(msgspec.Struct):
    """A post as the control API shows it."""

    platform: str
    id: str
    account: str
    text: str
    raw: str
    media: list[PublishedMedia]
    in_reply_to: str | None
    conversation_id: str
    options: dict[str, object]
    metrics: dict[str, int]
    created_at: str
    visible_at: str
    deleted_at: str | None


class AccountCount(msgspec.Struct):
    live: int = 0
    deleted: int = 0


class Duplicate(msgspec.Struct):
    """Live posts of one account with identical text."""

    account: str
    text: str
    ids: list[str]


class Stats(msgspec.Struct):
    live: int
    deleted: int
    accounts: dict[str, AccountCount]
    duplicates: list[Duplicate]


class Ledger:
    """Every post ever accepted, in order of acceptance."""

    def __init__(self) -> None:
        self._posts: dict[str, Post] = {}

    def add(self, post: Post) -> None:
        self._posts[post.id] = post

    def get(self, post_id: str) -> Post | None:
        return self._posts.get(post_id)

    def posts(
        self, platform: str | None = None, account: str | None = None, include_deleted: bool = False
    ) -> Iterable[Post]:
        return (
            post
            for post in self._posts.values()
            if (platform is None or post.platform == platform)
            and (account is None or post.account == account)
            and (include_deleted or post.deleted_at is None)
        )

    def stats(self) -> Stats:
        accounts: dict[str, AccountCount] = {}
        groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for post in self._posts.values():
            count = accounts.setdefault(post.account, AccountCount())
            if post.deleted_at is None:
                count.live += 1
                groups[post.account, post.text].append(post.id)
            else:
                count.deleted += 1
        return Stats(
            live=sum(count.live for count in accounts.values()),
            deleted=sum(count.deleted for count in accounts.values()),
            accounts=accounts,
            duplicates=[Duplicate(account, text, ids) for (account, text), ids in groups.items() if len(ids) > 1],
        )


def entry(post: Post) -> Entry:
    return Entry(
        platform=post.platform,
        id=post.id,
        account=post.account,
        text=post.text,
        raw=post.raw,
        media=post.media,
        in_reply_to=post.in_reply_to,
        conversation_id=post.conversation_id,
        options=post.options,
        metrics=post.metrics,
        created_at=iso_milliseconds(post.created_at),
        visible_at=iso_milliseconds(post.visible_at),
        deleted_at=None if post.deleted_at is None else iso_milliseconds(post.deleted_at),
    )
