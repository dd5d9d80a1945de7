"""Settings of the publisher, and the patience that follows from them."""

from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from contracts.content import PLATFORMS, Platform
from publisher.domain.answers import Cause
from publisher.domain.publication import Policy
from publisher.oauth_settings import OAuthSettings

RETRY_DELAYS: dict[Cause, tuple[float, ...]] = {
    "unreachable": (1, 5, 30, 120, *[600] * 8),
    "token_refused": (60, 600),
    "token_unripe": (5,),
    "token_dead": (),
    "media_refused": (1,),
    "media_processing": (5, 5, 10, 10, 20, 30, 60, 60, 120, 300),
    "media_unavailable": (5, 30, 120, 600),
    "conflict": (1,),
}
"""Seconds. X once refused good tokens for two hours, so `token_refused` is given time."""


class Settings(OAuthSettings):
    """Seconds throughout."""

    vault_keys_file: Path
    """The key-encryption keys of the token vault: see `chassis.sealing.Keyring.from_file`."""
    publisher_platforms: tuple[Platform, ...] = PLATFORMS
    publisher_concurrency: int = 64
    publisher_collect_concurrency: int = 4
    publisher_collect_below: int = 8
    """Reading numbers waits while there are this many publishing jobs at hand."""
    publisher_keep_every: float = 60.0
    """How often authorizations that nobody uses are looked after."""
    objects_url: str | None = None
    """Where uploads are kept, as the gateway and the media service are told; without it none can be published."""
    media_signing_keys_file: Path | None = None
    """As the gateway is told."""
    public_url: str | None = None
    """Where platforms reach the gateway, and fetch files from it."""
    media_allow_private: bool = False
    """Lets media URLs lead into private networks: for development only."""
    publisher_call_timeout: float = 15.0
    publisher_fence: float = 30.0
    publisher_probe_delays: tuple[float, ...] = (10.0, 60.0, 300.0, 1800.0, 21_600.0)
    publisher_unreachable_delays: tuple[float, ...] = RETRY_DELAYS["unreachable"]
    publisher_token_delays: tuple[float, ...] = RETRY_DELAYS["token_refused"]
    x_absence_gap: float = 60.0
    x_credits_pause: float = 900.0
    linkedin_absence_gap: float = 60.0
    linkedin_probe_by_resend: bool = True
    linkedin_resend_window: float = 540.0
    """LinkedIn documents that it refuses duplicates for about ten minutes."""
    linkedin_operator_pause: float = 300.0
    linkedin_poll_in_weeks: bool = False
    """What LinkedIn calls the longer durations of a poll is told in two ways: SEVEN_DAYS, or ONE_WEEK."""
    tiktok_call_timeout: float = 60.0
    """The last chunk of a video, up to 20 MB, is fetched and sent within it."""
    tiktok_absence_gap: float = 10.0
    tiktok_cap_pause: float = 86_400.0
    """How long a creator is left alone whose daily cap is reached; all apps together may post about 15 times."""
    tiktok_id_patience: float = 600.0
    """How long a public post is waited for to be named by its id; then its publish_id stands for it."""
    tiktok_pull_prefixes: tuple[str, ...] = ()
    """URL prefixes, verified at TikTok, from which it pulls videos itself. Others are uploaded; photos are pulled
    always.
    """

    meta_rupload_base: str = "https://rupload.facebook.com"
    """Where Facebook's reels and, for accounts of Facebook Login, Instagram's videos are sent."""
    meta_spam_pause: float = 21_600.0
    """How long an account rests that Meta has taken for a spammer."""
    facebook_app_id: str | None = None
    """Where it is set, only posts of this app are taken for ours in looking for what became of one."""
    facebook_absence_gap: float = 60.0
    instagram_absence_gap: float = 30.0
    instagram_delivery: Literal["url", "resumable"] = "url"
    """Whether Instagram fetches videos by their URLs, or is sent them where the account's login allows it."""
    instagram_quota_pause: float = 3_600.0
    """How long to wait when the day's posts are used up: they free one by one."""
    instagram_container_delays: tuple[float, ...] = (2, 30, 120)
    """The pauses before media that Instagram failed on is given to it anew."""

    youtube_analytics_base: str = "https://youtubeanalytics.googleapis.com"
    youtube_call_timeout: float = 60.0
    """The last chunk of a video is fetched and sent within it."""
    youtube_chunk_bytes: int = 8 * 1024 * 1024
    """A multiple of 262,144."""
    youtube_video_bytes: int = 4 * 1024 * 1024 * 1024
    """The largest video that is kept on disk for an upload; YouTube takes 256 GB."""
    youtube_session_lifetime: float = 86_400.0
    """After it an upload that was not published is begun anew; YouTube says only that it is finite."""
    youtube_absence_gap: float = 60.0
    youtube_operator_pause: float = 300.0

    def x_policy(self) -> Policy:
        return self._policy(self.x_absence_gap, None)

    def linkedin_policy(self) -> Policy:
        return self._policy(
            self.linkedin_absence_gap, self.linkedin_resend_window if self.linkedin_probe_by_resend else None
        )

    def tiktok_policy(self) -> Policy:
        return replace(self._policy(self.tiktok_absence_gap, None), call_timeout=self.tiktok_call_timeout)

    def facebook_policy(self) -> Policy:
        return self._policy(self.facebook_absence_gap, None)

    def instagram_policy(self) -> Policy:
        policy = self._policy(self.instagram_absence_gap, None)
        delays = {**policy.retry_delays, "media_refused": self.instagram_container_delays}
        return replace(policy, assembles=True, retry_delays=delays)

    def youtube_policy(self) -> Policy:
        return replace(self._policy(self.youtube_absence_gap, None), call_timeout=self.youtube_call_timeout)

    def _policy(self, absence_gap: float, resend_window: float | None) -> Policy:
        return Policy(
            call_timeout=self.publisher_call_timeout,
            fence=self.publisher_fence,
            probe_delays=self.publisher_probe_delays,
            absence_gap=absence_gap,
            resend_window=resend_window,
            retry_delays={
                **RETRY_DELAYS,
                "unreachable": self.publisher_unreachable_delays,
                "token_refused": self.publisher_token_delays,
            },
        )
