"""Switches of the simulated YouTube. Where its behaviour is not established, a switch stands for the doubt."""

from __future__ import annotations

from typing import Literal

import msgspec

from sandbox.tokens import Client


class Quotas(msgspec.Struct, forbid_unknown_fields=True):
    """Of one project (OAuth client) and day; a day ends at midnight in California. Every call costs, refused or not."""

    enabled: bool = True
    uploads: int = 100
    units: int = 10_000
    statistics: int = 10_000


class YouTubeSettings(msgspec.Struct, forbid_unknown_fields=True):
    """All switches.

    Attributes:
        session_seconds: how long an upload session lives; documented only as finite.
        expired_session_status: 404 is documented, 410 was seen.
        equal_chunks: whether the chunks of a session must all have one size, as documented, except the last.
        created_status: of the answer to a video's last byte; 201 is documented, 200 was seen.
        channel_uploads: videos that one channel may upload within 24 hours; YouTube does not tell its number.
        missing_video: how ``videos.list`` answers for an id that does not exist.
        no_channel: makes every Google account one without a channel, and how that shows.
        verified_thumbnails: whether only verified channels (``premium``) may set thumbnails.
        verified_seconds: longest video of a channel that is not verified.
        thumbnails: that one channel may set within 24 hours.
        unticked_scopes: what people do not tick on the consent page.
        refresh_token_seconds: None for ever; 604800 while an app is in testing.
        analytics_lag_days: how old a day must be to be in reports.
        clients: registered apps; when empty, any client id and secret are accepted.
    """

    session_seconds: float = 604_800.0
    expired_session_status: Literal[404, 410] = 404
    equal_chunks: bool = True
    created_status: Literal[200, 201] = 201
    processing_seconds: float = 1.0
    channel_uploads: int = 100
    missing_video: Literal["empty", "not_found"] = "empty"
    no_channel: Literal["off", "empty", "signup_required"] = "off"
    verified_thumbnails: bool = True
    verified_seconds: float = 900.0
    thumbnails: int = 50
    quotas: Quotas = msgspec.field(default_factory=Quotas)
    auto_approve: bool = False
    code_seconds: float = 600.0
    access_token_seconds: float = 3_600.0
    refresh_token_seconds: float | None = None
    unticked_scopes: list[str] = []
    analytics_lag_days: int = 2
    clients: list[Client] = []
