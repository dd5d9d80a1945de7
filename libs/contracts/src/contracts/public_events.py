"""`social.*`: the public interface for downstream systems. Only compatible changes, for ever.

Internal facts are not these events; `posts`, `publisher` and `analytics` translate.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from contracts.content import Failure, Platform
from contracts.messages import Event, message
from contracts.posts import TargetStatus


class PlatformPost(Struct, frozen=True, kw_only=True):
    """One target of a post, as the public sees it. `post_id` and `url` are the platform's."""

    platform: Platform
    account_id: str
    status: TargetStatus
    post_id: str | None = None
    url: str | None = None
    published_at: datetime | None = None
    failure: Failure | None = None


@message("social.post_published")
class SocialPostPublished(Event, frozen=True, kw_only=True):
    """Every target of the post is live."""

    tenant_id: str
    post_id: str
    publish_id: str
    title: str | None
    campaign_id: str | None
    tags: tuple[str, ...]
    published_at: datetime
    platforms: tuple[PlatformPost, ...]


@message("social.post_failed")
class SocialPostFailed(Event, frozen=True, kw_only=True):
    """No target is in progress any more and at least one is not live. `reason` is the first failure's code."""

    tenant_id: str
    post_id: str
    publish_id: str
    title: str | None
    campaign_id: str | None
    tags: tuple[str, ...]
    failed_at: datetime
    reason: str
    message: str
    platforms: tuple[PlatformPost, ...]


@message("social.account_disconnected")
class SocialAccountDisconnected(Event, frozen=True, kw_only=True):
    tenant_id: str
    account_id: str
    platform: Platform
    username: str
    reason: str
    disconnected_at: datetime


@message("social.engagement_spike")
class SocialEngagementSpike(Event, frozen=True, kw_only=True):
    tenant_id: str
    post_id: str
    platform: Platform
    account_id: str
    metric: str
    value: float
    baseline: float
    factor: float
    detected_at: datetime


@message("social.mention_received")
class SocialMentionReceived(Event, frozen=True, kw_only=True):
    tenant_id: str
    account_id: str
    platform: Platform
    mention_id: str
    kind: Literal["mention", "reply", "quote", "comment"]
    author: str
    text: str
    url: str | None
    mentioned_at: datetime
