"""Every topic, its key, its messages and how long it is kept: the map of the bus on one screen."""

import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

from msgspec import Struct

from contracts import accounts, collecting, endpoints, media, posts, public_events, publishing, verdicts
from contracts.content import PLATFORMS
from contracts.messages import Message

POSTS_COMMANDS = "posts.commands"
POSTS_EVENTS = "posts.events"
ACCOUNTS_COMMANDS = "accounts.commands"
ACCOUNTS_EVENTS = "accounts.events"
ENDPOINTS_COMMANDS = "endpoints.commands"
ENDPOINTS_EVENTS = "endpoints.events"
MEDIA_COMMANDS = "media.commands"
MEDIA_EVENTS = "media.events"
MEDIA_JOBS = "media.jobs"
ANALYTICS_COMMANDS = "analytics.commands"
METRICS_SAMPLES = "metrics.samples"
GATEWAY_REPLIES = "gateway.replies"
POST_PUBLISHED = "social.post_published"
POST_FAILED = "social.post_failed"
ENGAGEMENT_SPIKE = "social.engagement_spike"
ACCOUNT_DISCONNECTED = "social.account_disconnected"
MENTION_RECEIVED = "social.mention_received"
PUBLIC_TOPICS = (POST_PUBLISHED, POST_FAILED, ENGAGEMENT_SPIKE, ACCOUNT_DISCONNECTED, MENTION_RECEIVED)
UNREADABLE_EVENTS = "webhooks.dead"
"""Records of the public topics that could not be passed on."""


def publish_requests(platform: str) -> str:
    return f"publish.requests.{platform}"


def collect_requests(platform: str) -> str:
    return f"collect.requests.{platform}"


def dead_letters(topic: str) -> str:
    """Where messages of `topic` that nobody can read are kept, with the reason in a header."""
    return f"{topic}.dead"


_HOUR = 3_600_000
_DAY = 24 * _HOUR
_FOR_EVER = -1


class TopicSpec(Struct, frozen=True, kw_only=True):
    """A topic as the broker sees it, and what may be found in it."""

    name: str
    partitions: int
    config: Mapping[str, str]
    key: str
    description: str
    messages: tuple[type[Message], ...]


def partition_for(key: str, partitions: int) -> int:
    """The partition of an aggregate. Commands and events of one aggregate share key, and so partition number.

    Must never change, nor may the partition counts: the order of each aggregate's log rests on it.
    """
    return zlib.crc32(key.encode()) % partitions


def _config(retention_ms: int, **more: str) -> Mapping[str, str]:
    kept = {"cleanup.policy": "delete", "retention.ms": str(retention_ms), "retention.bytes": "-1"}
    return MappingProxyType({**kept, **{name.replace("_", "."): value for name, value in more.items()}})


def all_topics(partitions: int = 8) -> tuple[TopicSpec, ...]:
    """`partitions` applies to every topic; choose 24 to 48 for production and keep it for ever."""

    def topic(
        name: str,
        key: str,
        retention_ms: int,
        description: str,
        messages: tuple[type[Message], ...],
        **config: str,
    ) -> TopicSpec:
        return TopicSpec(
            name=name,
            partitions=partitions,
            config=_config(retention_ms, **config),
            key=key,
            description=description,
            messages=messages,
        )

    refused = (verdicts.CommandRefused,)
    aggregates = (
        # The append time decides whether a command is too late to be obeyed, so the broker must set it.
        topic(
            POSTS_COMMANDS,
            "post_id",
            7 * _DAY,
            "What clients and publishers ask of posts",
            get_args(posts.PostCommand),
            message_timestamp_type="LogAppendTime",
        ),
        topic(
            POSTS_EVENTS,
            "post_id",
            _FOR_EVER,
            "What happened to posts: the truth",
            get_args(posts.PostEvent) + refused,
        ),
        topic(
            ACCOUNTS_COMMANDS,
            "account_id",
            7 * _DAY,
            "What is asked of accounts",
            get_args(accounts.AccountCommand),
            message_timestamp_type="LogAppendTime",
        ),
        topic(
            ACCOUNTS_EVENTS,
            "account_id",
            _FOR_EVER,
            "What happened to accounts: the truth",
            get_args(accounts.AccountEvent) + refused,
        ),
        topic(
            ENDPOINTS_COMMANDS,
            "endpoint_id",
            7 * _DAY,
            "What is asked of webhook endpoints",
            get_args(endpoints.EndpointCommand),
            message_timestamp_type="LogAppendTime",
        ),
        topic(
            ENDPOINTS_EVENTS,
            "endpoint_id",
            _FOR_EVER,
            "What happened to webhook endpoints: the truth, and who has to be told that one was disabled",
            get_args(endpoints.EndpointEvent) + refused,
        ),
    )
    uploads = (
        topic(
            MEDIA_COMMANDS,
            "media_id",
            7 * _DAY,
            "What is asked of uploads",
            get_args(media.MediaCommand),
            message_timestamp_type="LogAppendTime",
        ),
        topic(
            MEDIA_EVENTS,
            "media_id",
            _FOR_EVER,
            "What happened to uploads: the truth",
            get_args(media.MediaEvent) + refused,
        ),
        topic(MEDIA_JOBS, "media_id", 7 * _DAY, "Files to look into and to convert", get_args(media.MediaJob)),
    )
    jobs = tuple(
        topic(
            publish_requests(platform),
            "account_id",
            7 * _DAY,
            f"Work for the publisher of {platform}",
            (publishing.PublishRequested, publishing.RemovalRequested),
        )
        for platform in PLATFORMS
    )
    collecting_jobs = tuple(
        topic(
            collect_requests(platform),
            "account_id",
            _DAY,
            f"Numbers to be read from {platform}",
            get_args(collecting.CollectRequest),
        )
        for platform in PLATFORMS
    )
    analytics = (
        topic(
            ANALYTICS_COMMANDS,
            "post_id",
            _HOUR,
            "Wishes for fresh numbers",
            (collecting.RefreshAnalytics,),
        ),
        # Platforms do not tell again what they told once, so this is the truth about the past.
        topic(
            METRICS_SAMPLES,
            "account_id",
            _FOR_EVER,
            "What was read on the platforms: the truth about how posts did",
            get_args(collecting.Sample),
        ),
    )
    replies = (
        topic(
            GATEWAY_REPLIES,
            "(explicit partition)",
            _HOUR,
            "Verdicts for waiting gateways",
            (verdicts.Verdict,),
        ),
    )
    public = tuple(
        topic(name, key, 30 * _DAY, description, (event,))
        for name, key, description, event in (
            (POST_PUBLISHED, "post_id", "Post published successfully", public_events.SocialPostPublished),
            (POST_FAILED, "post_id", "Post publishing failed", public_events.SocialPostFailed),
            (
                ENGAGEMENT_SPIKE,
                "post_id",
                "Unusual engagement detected",
                public_events.SocialEngagementSpike,
            ),
            (
                ACCOUNT_DISCONNECTED,
                "account_id",
                "Account auth expired",
                public_events.SocialAccountDisconnected,
            ),
            (MENTION_RECEIVED, "account_id", "Brand mention detected", public_events.SocialMentionReceived),
        )
    )
    dead = tuple(
        topic(
            dead_letters(source.name),
            source.key,
            _FOR_EVER,
            f"Messages of {source.name} that could not be read",
            (),
        )
        for source in (*aggregates[:5], uploads[0], uploads[2], *jobs, *collecting_jobs, *analytics)
    )
    unreadable = topic(UNREADABLE_EVENTS, "(as it was)", _FOR_EVER, "Public events that webhooks could not read", ())
    return (*aggregates, *uploads, *jobs, *collecting_jobs, *analytics, *replies, *public, *dead, unreadable)
