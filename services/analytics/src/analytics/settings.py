"""What the analytics service is told through its environment."""

from datetime import timedelta

from chassis.settings import ServiceSettings
from contracts.content import PLATFORMS, Platform


class Settings(ServiceSettings):
    """Seconds throughout."""

    analytics_platforms: tuple[Platform, ...] = PLATFORMS
    """Others are neither planned nor asked for."""
    analytics_poll: float = 1.0
    """How often due readings are looked for."""
    analytics_ages: tuple[float, ...] = ()
    """At which ages posts are read, instead of `analytics.domain.ages.PLANNED`: for tests."""
    analytics_followers_every: float = 86_400.0
    analytics_mentions_every: float = 900.0
    """X charges for each post it shows. 0: mentions are not looked for."""
    analytics_refresh_every: float = 60.0
    """How often somebody may have one post read anew."""
    analytics_batch: int = 2_000
    """Samples of one partition folded at once: what they have in common is written once."""

    @property
    def ages(self) -> tuple[timedelta, ...] | None:
        return tuple(timedelta(seconds=age) for age in self.analytics_ages) or None
