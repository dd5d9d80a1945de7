"""Switches of the simulated TikTok. Where its behaviour is not established, a switch stands for the doubt."""

from __future__ import annotations

from typing import Literal

import msgspec

from sandbox.tokens import Client


class Creator(msgspec.Struct, forbid_unknown_fields=True):
    """What a creator has set in the app.

    Attributes:
        private: their account; it decides which privacy levels they are offered.
    """

    private: bool = False
    comment_disabled: bool = False
    duet_disabled: bool = False
    stitch_disabled: bool = False
    max_video_post_duration_sec: int = 600


def _published_limits() -> dict[str, int]:
    """https://developers.tiktok.com/doc/tiktok-api-v2-rate-limit and the references of the single calls."""
    return {
        "creator_info": 20,
        "video_init": 6,
        "inbox_init": 6,
        "content_init": 6,
        "upload_status": 30,
        "me": 600,
        "timeline": 600,
        "get_posts": 600,
    }


class RateLimits(msgspec.Struct, forbid_unknown_fields=True):
    """Requests allowed to one call, per access token and sliding minute."""

    enabled: bool = True
    calls: dict[str, int] = msgspec.field(default_factory=_published_limits)


class TikTokSettings(msgspec.Struct, forbid_unknown_fields=True):
    """All switches.

    Attributes:
        creators: by username; everybody else has the defaults of ``Creator``.
        audited: what an app that is not may post is SELF_ONLY, to accounts that are private, for five users a day.
        verified: domains (with their subdomains) and URL prefixes from which TikTok pulls.
        branded_self_only: whether content made for another brand may be private; the guidelines forbid it, what the
            API does is not documented.
        posts_per_day: direct posts of a creator in 24 hours.
        pending_shares_per_day: what may be sent to an inbox in 24 hours.
        active_users_per_day: creators that the app may post for in 24 hours; None for no limit.
        invalid_params_code: both spellings were seen.
        upload_base: where upload URLs lead, in place of ``…/tiktok/upload`` wherever the client reached this process.
        upload_url_seconds: documented as one hour.
        publish_id_seconds: how long a publish_id is known; not documented, None for ever.
        processing_seconds: from the last byte to the post.
        moderation_seconds: from the post to its public id.
        uploaded_bytes_shown: whether status/fetch tells them before the first byte has come.
        photos_listed: whether video/list shows photo posts; not documented.
        pkce: how a challenge is encoded (Login Kit for desktop writes it in hexadecimal).
        pkce_required: for the web nothing is documented, desktop and mobile apps must use it.
        denied_scopes: what people untick on the authorization page.
        oauth_error_status: not documented.
        access_token_seconds, refresh_token_seconds: older documents say 86,400 and 31,536,000.
        rotate_refresh_tokens: whether the old one stops working as soon as there is a new one.
        clients: registered apps, ``client_id`` is the client key; when empty, any key and secret are accepted.
    """

    creators: dict[str, Creator] = {}
    audited: bool = True
    verified: list[str] = msgspec.field(default_factory=lambda: ["127.0.0.1", "localhost"])
    branded_self_only: bool = False
    posts_per_day: int = 15
    pending_shares_per_day: int = 5
    active_users_per_day: int | None = None
    invalid_params_code: Literal["invalid_param", "invalid_params"] = "invalid_params"
    upload_base: str | None = None
    upload_url_seconds: float = 3_600.0
    publish_id_seconds: float | None = None
    processing_seconds: float = 1.0
    moderation_seconds: float = 1.0
    uploaded_bytes_shown: bool = True
    photos_listed: bool = True
    rate_limits: RateLimits = msgspec.field(default_factory=RateLimits)
    auto_approve: bool = False
    pkce: Literal["hex", "base64url"] = "hex"
    pkce_required: bool = False
    denied_scopes: list[str] = []
    oauth_error_status: Literal[200, 400, 401] = 400
    code_seconds: float = 60.0
    access_token_seconds: float = 7_200.0
    refresh_token_seconds: float = 15_552_000.0
    rotate_refresh_tokens: bool = True
    clients: list[Client] = []
