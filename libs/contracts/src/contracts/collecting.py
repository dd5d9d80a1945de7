"""Collecting: what the analytics service asks of the publisher, and what the publisher has read on the platforms.

Samples hold cumulative counters under the platform's own names. They carry all that the projections need, so that these
can be made again from `metrics.samples` alone.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from contracts.content import Failure, Platform
from contracts.messages import Command, Event, message

ContentType = Literal["text", "link", "image", "video", "document", "thread"]
"""What a post is, by the first of its attachments. A link counts where there is no attachment."""

MentionKind = Literal["mention", "reply", "quote", "comment"]
Subject = Literal["post", "followers", "mentions"]


class LivePost(Struct, frozen=True, kw_only=True):
    """One target that is live; the parts of a thread are measured together."""

    post_id: str
    target_id: str
    platform_post_ids: tuple[str, ...]
    published_at: datetime
    content_type: ContentType


@message("collect.posts_requested.v1")
class CollectPosts(Command, frozen=True, kw_only=True):
    """Read the counters of these posts of one account. Not worth doing after `expires_at`: the next one comes."""

    tenant_id: str
    account_id: str
    platform: Platform
    posts: tuple[LivePost, ...]
    expires_at: datetime


@message("collect.account_requested.v1")
class CollectAccount(Command, frozen=True, kw_only=True):
    """Read how many follow an account, and who has mentioned it since `mentions_since`."""

    tenant_id: str
    account_id: str
    platform: Platform
    followers: bool
    mentions_since: datetime | None
    """None: do not look for mentions."""
    expires_at: datetime


@message("analytics.refresh.v1")
class RefreshAnalytics(Command, frozen=True, kw_only=True):
    """Somebody wants a post's numbers now. Obeyed as often as the rate limit allows."""

    post_id: str
    tenant_id: str
    actor: str
    issued_at: datetime


@message("metrics.post_tracked.v1")
class PostTracked(Event, frozen=True, kw_only=True):
    """A target has gone live, and is going to be measured. Written by analytics, so that the samples tell of posts that
    nothing has been read about yet.
    """

    tenant_id: str
    account_id: str
    platform: Platform
    post_id: str
    target_id: str
    published_at: datetime
    content_type: ContentType
    first: bool
    """The first of its post: counting these counts posts."""
    first_on_platform: bool


@message("metrics.post_measured.v1")
class PostMeasured(Event, frozen=True, kw_only=True):
    """The counters of one target as the platform told them at `observed_at`; of a thread, those of all parts added."""

    tenant_id: str
    account_id: str
    platform: Platform
    post_id: str
    target_id: str
    published_at: datetime
    content_type: ContentType
    observed_at: datetime
    counters: dict[str, int]


@message("metrics.followers_measured.v1")
class FollowersMeasured(Event, frozen=True, kw_only=True):
    tenant_id: str
    account_id: str
    platform: Platform
    observed_at: datetime
    followers: int


class Mention(Struct, frozen=True, kw_only=True):
    """Somebody named the account. `mention_id` is the platform's; `author` and `text` are empty where it tells none."""

    mention_id: str
    kind: MentionKind
    author: str
    text: str
    url: str | None
    mentioned_at: datetime


@message("metrics.mentions_found.v1")
class MentionsFound(Event, frozen=True, kw_only=True):
    """The same mention may be found again."""

    tenant_id: str
    account_id: str
    platform: Platform
    observed_at: datetime
    mentions: tuple[Mention, ...]


@message("metrics.not_measured.v1")
class NotMeasured(Event, frozen=True, kw_only=True):
    """Something could not be read. `gone`: nor will it ever be."""

    tenant_id: str
    account_id: str
    platform: Platform
    subject: Subject
    post_id: str | None
    target_id: str | None
    at: datetime
    reason: Failure
    gone: bool = False
    retry_at: datetime | None = None
    """When asking again may help, where the platform or a budget says so."""


CollectRequest = CollectPosts | CollectAccount
Sample = PostTracked | PostMeasured | FollowersMeasured | MentionsFound | NotMeasured
