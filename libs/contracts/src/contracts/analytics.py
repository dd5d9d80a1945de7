"""The read models of analytics: folds of `metrics.samples`. The gateway reads them, as it reads posts.

All hold the newest reading for each key, by its time and then by its sample's id. So it does not matter in which order
samples come, nor how often.
"""

from datetime import datetime

from msgspec import Struct

from contracts.collecting import ContentType
from contracts.content import Failure, Platform


class Reading(Struct, frozen=True, kw_only=True):
    """Counters under the platform's own names, as they stood at `at`."""

    at: datetime
    sample_id: str
    counters: dict[str, int]


class PostMetrics(Struct, frozen=True, kw_only=True):
    """What is known of one target: collection `analytics_posts`, one document each."""

    tenant_id: str
    account_id: str
    platform: Platform
    post_id: str
    target_id: str
    published_at: datetime | None = None
    """None as long as no reading has succeeded."""
    content_type: ContentType | None = None
    readings: tuple[Reading, ...] = ()
    """The last of each hour, oldest first."""
    problem: Failure | None = None
    """Why the last attempt failed; None when it succeeded."""
    problem_at: datetime | None = None
    gone: bool = False
    """Nothing more is to be expected: the platform does not have it any more, or does not tell."""
    spikes: tuple[str, ...] = ()
    """The ages, as `analytics.domain.spikes` names them, in which it did unusually well."""


class DayEntry(Struct, frozen=True, kw_only=True):
    """One target's figures on the day it was published. None is what the platform does not tell."""

    post_id: str
    target_id: str
    published_at: datetime
    content_type: ContentType
    first: bool = False
    first_on_platform: bool = False
    observed_at: datetime | None = None
    """None: it is live, and nothing has been read yet."""
    sample_id: str = ""
    impressions: int | None = None
    engagements: int | None = None


class FollowersReading(Struct, frozen=True, kw_only=True):
    at: datetime
    sample_id: str
    followers: int


class Outcome(Struct, frozen=True, kw_only=True, array_like=True):
    """How a post did in the end, for learning when to post."""

    published_at: datetime
    observed_at: datetime
    sample_id: str
    content_type: ContentType
    impressions: int | None
    engagements: int | None
    reach: int | None


class AccountMetrics(Struct, frozen=True, kw_only=True):
    """What is known of one account: collection `analytics_accounts`."""

    tenant_id: str
    account_id: str
    platform: Platform
    followers: dict[str, FollowersReading] = {}
    """The last of each day in UTC, by date."""
    outcomes: dict[str, Outcome] = {}
    """Of its newest posts, by target."""
    gains: dict[str, dict[str, float]] = {}
    """Engagements gained, by target and then age: what new posts are compared with. See `analytics.domain.spikes`."""
    mentions_read_to: datetime | None = None
    mentions_problem: Failure | None = None
    """Why mentions cannot be read, or that the platform has none."""
    followers_problem: Failure | None = None
