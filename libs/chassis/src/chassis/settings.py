"""Settings common to every service, read once from the environment."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Environment variables are the upper-case field names, without a prefix. Raises ValidationError at start."""

    model_config = SettingsConfigDict(env_prefix="", extra="ignore", frozen=True)

    kafka_bootstrap: str
    mongodb_uri: str
    mongodb_database: str = "social"
    health_host: str = "127.0.0.1"
    health_port: int | None = None
    """None: no health server, for tests that run a service in their own process."""
    log_level: str = "INFO"
