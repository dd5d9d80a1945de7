"""Settings of the publisher, and the patience that follows from them."""

from pathlib import Path

from chassis.settings import ServiceSettings
from contracts.content import Platform
from publisher.domain.answers import Cause
from publisher.domain.publication import Policy

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


class Settings(ServiceSettings):
    """Seconds throughout."""

    vault_keys_file: Path
    """The key-encryption keys of the token vault: see `publisher.adapters.vault.Keyring.from_file`."""
    publisher_platforms: tuple[Platform, ...] = ("twitter", "linkedin")
    publisher_concurrency: int = 64
    x_api_base: str = "https://api.x.com"
    linkedin_api_base: str = "https://api.linkedin.com"
    linkedin_version: str = "202609"
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

    def x_policy(self) -> Policy:
        return self._policy(self.x_absence_gap, None)

    def linkedin_policy(self) -> Policy:
        return self._policy(
            self.linkedin_absence_gap, self.linkedin_resend_window if self.linkedin_probe_by_resend else None
        )

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
