"""Switches of the simulated Meta platforms. Where their behaviour is not established, a switch stands for the doubt."""

from __future__ import annotations

from typing import Literal

import msgspec

from sandbox.tokens import Client


class RateLimits(msgspec.Struct, forbid_unknown_fields=True):
    """Business use case limits: calls per account and rolling 24 hours.

    Attributes:
        calls: in production 4,800 for each engaged user, so a quiet account has few.
        shown_from: percent used from which on the usage headers appear.
    """

    enabled: bool = True
    calls: int = 4_800
    shown_from: int = 1


def _all_tasks() -> list[str]:
    return ["ANALYZE", "ADVERTISE", "MESSAGING", "MODERATE", "CREATE_CONTENT", "MANAGE"]


class FacebookSettings(msgspec.Struct, forbid_unknown_fields=True):
    """Facebook's own switches, and those of Facebook Login.

    Attributes:
        refuse_duplicates: whether a text is refused that is identical to the last one.
        error_status: of most refusals; 190 was also seen with 401.
        throttle_status: both 400 and 403 are reported.
        reels_per_day: through the API, per Page and rolling 24 hours.
        video_processing_seconds: from the end of an upload to the post.
        chunk_bytes: what ``/videos`` asks for at a time.
        photo_seconds: how long an unpublished photo lives.
        max_attached_media: not documented.
        tasks: of every administrator on every Page.
        declined_scopes: what people untick in the dialog.
    """

    rate_limits: RateLimits = msgspec.field(default_factory=RateLimits)
    refuse_duplicates: bool = True
    error_status: Literal[400, 401] = 400
    throttle_status: Literal[400, 403] = 400
    reels_per_day: int = 30
    video_processing_seconds: float = 1.0
    chunk_bytes: int = 1024 * 1024
    photo_seconds: float = 86_400.0
    max_attached_media: int = 10
    tasks: list[str] = msgspec.field(default_factory=_all_tasks)
    declined_scopes: list[str] = []
    auto_approve: bool = False
    code_seconds: float = 600.0
    short_token_seconds: float = 5_400.0
    long_token_seconds: float = 5_183_944.0
    page_size: int = 25
    clients: list[Client] = []


class InstagramSettings(msgspec.Struct, forbid_unknown_fields=True):
    """Instagram's own switches, and those of Instagram Login.

    Attributes:
        publish_quota: posts per account and rolling 24 hours; both 50 and 100 are documented.
        container_quota: containers per account and rolling 24 hours.
        container_seconds: how long a container can be published.
        image_processing_seconds: images are in progress for a moment, too.
        republish: what publishing a published container does; not documented. ``again`` makes a second post of it.
        omit_at: captions are read without the ``@`` of mentions.
        code_answer: the shape of the answer to an authorization code; both were seen.
        delete: whether media can be deleted, with Facebook Login; documented by the specification only.
        refresh_after_seconds: how old a token must be to be refreshed.
    """

    rate_limits: RateLimits = msgspec.field(default_factory=RateLimits)
    publish_quota: int = 50
    container_quota: int = 400
    container_seconds: float = 86_400.0
    image_processing_seconds: float = 0.5
    video_processing_seconds: float = 2.0
    republish: Literal["refused", "again"] = "refused"
    omit_at: bool = True
    code_answer: Literal["flat", "data"] = "flat"
    delete: bool = True
    refresh_after_seconds: float = 86_400.0
    auto_approve: bool = False
    code_seconds: float = 3_600.0
    short_token_seconds: float = 3_600.0
    long_token_seconds: float = 5_183_944.0
    clients: list[Client] = []
