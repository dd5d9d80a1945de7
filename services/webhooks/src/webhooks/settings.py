"""What the webhooks service is told through its environment."""

from pathlib import Path

from pydantic import Field

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Environment variables are the upper-case field names; seconds and days as they say. Raises ValidationError."""

    webhooks_keys_file: Path
    """The key-encryption keys of the signing keys: see `chassis.sealing.Keyring.from_file`."""
    webhooks_internal_host: str = "127.0.0.1"
    webhooks_internal_port: int | None = None
    """Where the gateway asks; None: nowhere."""
    webhooks_internal_secret_file: Path | None = None
    webhooks_allow_private: bool = False
    """Lets endpoints be http and lie in private networks: for development only."""
    webhooks_attempt_seconds: float = Field(default=15.0, gt=0)
    webhooks_most_open: int = Field(default=2_000, gt=0)
    """Requests under way at once; each takes a file descriptor."""
    webhooks_patience_days: float = Field(default=5.0, gt=0)
    """For which an endpoint may accept nothing before it is disabled."""
    webhooks_most_endpoints: int = Field(default=100, gt=0)
    """Of one tenant."""
    webhooks_deliveries_days: float = Field(default=30.0, gt=0)
    """For which settled deliveries are kept."""
    webhooks_feed_days: float = Field(default=90.0, gt=0)
    """For which events can be caught up with, and replayed."""
