"""Switches of the simulated X. Where X's behaviour is not established, a switch stands for the doubt."""

from __future__ import annotations

from typing import Literal

import msgspec

from sandbox.tokens import Client


class Limit(msgspec.Struct, forbid_unknown_fields=True):
    """Requests allowed to one call.

    Attributes:
        user: per user and window of 15 minutes.
        user_day: per user and 24 hours.
        app_day: per app and 24 hours.
    """

    user: int | None = None
    user_day: int | None = None
    app_day: int | None = None


def _published_limits() -> dict[str, Limit]:
    """https://docs.x.com/x-api/fundamentals/rate-limits"""
    return {
        "create_post": Limit(user=100, app_day=10_000),
        "delete_post": Limit(user=50),
        "get_post": Limit(user=900),
        "get_posts": Limit(user=5_000),
        "timeline": Limit(user=900),
        "mentions": Limit(user=300),
        "me": Limit(user=75),
        "upload": Limit(user=500, app_day=50_000),
        "upload_init": Limit(user=1_875, app_day=180_000),
        "upload_append": Limit(user=1_875, app_day=180_000),
        "upload_finalize": Limit(user=1_875, app_day=180_000),
        "upload_status": Limit(user=1_000, app_day=100_000),
        "alt_text": Limit(user=500, app_day=50_000),
    }


class RateLimits(msgspec.Struct, forbid_unknown_fields=True):
    """Rate windows. Disabled, nothing is refused and the headers always show a fresh window."""

    enabled: bool = True
    window_seconds: float = 900.0
    calls: dict[str, Limit] = msgspec.field(default_factory=_published_limits)


class XSettings(msgspec.Struct, forbid_unknown_fields=True):
    """All switches.

    Attributes:
        fields: whose names requests may use and answers carry. ``requested``: both vocabularies are accepted and
            the answer speaks the one of the request, as observed in August 2026 (``post.fields`` brings
            ``referenced_posts``, ``tweet.fields`` or nothing brings ``referenced_tweets``). ``both``: answers
            carry each value under both names.
        duplicate_window_seconds: how long a text is remembered; not documented.
        reply_restriction: replies only to authors who mentioned the replier (self-serve access, February 2026).
        self_threads: whether replies to one's own posts are exempt from it.
        quotes: quoting needs Enterprise access since April 2026.
        max_cashtags: None for no limit.
        over_length_status: both 400 and 403 were reported.
        missing_parent_status: 403 was recorded for replies to deleted posts; 404 is the generic answer.
        delete_missing: the answer to deleting what is not there; not documented.
        unknown_token_status: a made-up bearer was answered with 403, an expired one with 401.
        escape_html: whether answers carry ``&amp;``, ``&lt;`` and ``&gt;``.
        media_processing_seconds: how long videos and GIFs take.
        max_segment_bytes: per appended chunk; not documented.
        credits: dollars left of the app's prepaid credits; None for no accounting.
        refresh_token_seconds: not documented; None for no limit.
        clients: registered apps; when empty, any client id and secret are accepted.
    """

    fields: Literal["requested", "classic", "2.167", "both"] = "requested"
    duplicate_window_seconds: float = 86_400.0
    reply_restriction: bool = True
    self_threads: bool = True
    quotes: bool = False
    max_cashtags: int | None = 1
    over_length_status: Literal[400, 403] = 400
    missing_parent_status: Literal[403, 404] = 403
    delete_missing: Literal["not_found", "false"] = "not_found"
    unknown_token_status: Literal[401, 403] = 403
    revoked_token_status: Literal[401, 403] = 401
    escape_html: bool = True
    media_processing_seconds: float = 1.0
    max_segment_bytes: int = 5 * 1024 * 1024
    credits: float | None = None
    rate_limits: RateLimits = msgspec.field(default_factory=RateLimits)
    auto_approve: bool = False
    code_seconds: float = 30.0
    access_token_seconds: float = 7_200.0
    refresh_token_seconds: float | None = None
    clients: list[Client] = []
