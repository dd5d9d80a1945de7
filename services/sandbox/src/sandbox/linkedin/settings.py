"""Switches of the simulated LinkedIn. Where its behaviour is not established, a switch stands for the doubt."""

from __future__ import annotations

from typing import Literal

import msgspec

from sandbox.tokens import Client


def _active_versions() -> list[str]:
    """There was no 202512."""
    return ["202510", "202511", *(f"2026{month:02d}" for month in range(1, 10))]


class RateLimits(msgspec.Struct, forbid_unknown_fields=True):
    """Daily quotas of "Share on LinkedIn", reset at 00:00 UTC. Every call counts."""

    enabled: bool = True
    member_day: int = 150
    app_day: int = 100_000


class LinkedInSettings(msgspec.Struct, forbid_unknown_fields=True):
    """All switches.

    Attributes:
        active_versions: values of ``LinkedIn-Version`` that are not retired.
        duplicate_window_seconds: documented as ten minutes.
        duplicates_compare_media: whether the same text with other content is a different post.
        deleted_are_duplicates: reports tell of refusals that name a deleted post.
        poll_durations: what the longer ones are called, ``SEVEN_DAYS`` or ``ONE_WEEK``; both were told.
        reserved_in_urls: whether an unescaped reserved character cuts the text inside a URL too.
        max_commentary: UTF-16 units of the text without escapes.
        comments_need_feed_scope: current documents ask for ``w_member_social_feed`` to comment, and for
            ``r_organization_social_feed`` to read a page's comments.
        comments_lag_seconds: how long after its creation a post cannot be commented on; not documented.
        member_reads_video_status: whether ``w_member_social`` may poll a video.
        fresh_token_delay_seconds: how long a new token is answered with 65601.
        refresh_tokens: approved partners only; the 365 days do not start again on refresh.
        scope_separator: of the token answer; both were seen.
        encode_restli_id: whether ``x-restli-id`` arrives percent-encoded.
        locale: the shape of ``locale`` in userinfo.
        clients: registered apps; when empty, any client id and secret are accepted.
    """

    active_versions: list[str] = msgspec.field(default_factory=_active_versions)
    duplicate_window_seconds: float = 600.0
    duplicates_compare_media: bool = True
    deleted_are_duplicates: bool = True
    poll_durations: Literal["days", "weeks"] = "days"
    reserved_in_urls: bool = True
    max_commentary: int = 3_000
    comments_need_feed_scope: bool = True
    comments_lag_seconds: float = 0.0
    image_processing_seconds: float = 0.5
    document_processing_seconds: float = 1.0
    video_processing_seconds: float = 2.0
    upload_url_seconds: float = 86_400.0
    member_reads_video_status: bool = False
    rate_limits: RateLimits = msgspec.field(default_factory=RateLimits)
    auto_approve: bool = False
    code_seconds: float = 1_800.0
    access_token_seconds: float = 5_184_000.0
    refresh_tokens: bool = False
    refresh_token_seconds: float = 31_536_000.0
    fresh_token_delay_seconds: float = 0.0
    scope_separator: Literal[",", " "] = ","
    encode_restli_id: bool = False
    locale: Literal["string", "object"] = "string"
    clients: list[Client] = []
