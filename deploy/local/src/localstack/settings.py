"""Where things are on this machine: every address and folder, settable by environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

REPOSITORY = Path(__file__).parents[4]


class Settings(BaseSettings):
    """Environment variables are the upper-case field names. Raises ValidationError if one cannot be read."""

    model_config = SettingsConfigDict(env_prefix="", extra="ignore", frozen=True, env_ignore_empty=True)

    social_cache: Path = Field(default_factory=lambda: Path.home() / ".cache" / "social-publishing")
    """What may be downloaded or built again: Kafka's jars, a built store. Shared by all checkouts."""
    social_state: Path = REPOSITORY / ".local"
    """What belongs to this stack: data, logs, keys, process ids."""

    kafka_bootstrap: str | None = None
    """A Kafka to use instead of starting one."""
    kafka_port: int = 19092
    kafka_controller_port: int = 19093
    kafka_java_options: str = ""
    """More options for Kafka's Java runtime, as one would type them."""
    topic_partitions: int = 8

    mongodb_uri: str | None = None
    """A store to use instead of starting one."""
    mongodb_port: int = 27018
    mongodb_database: str = "social"

    gateway_host: str = "127.0.0.1"
    gateway_port: int = 8000
    gateway_health_port: int = 8001
    posts_health_port: int = 8002
    publisher_health_port: int = 8003
    publisher_internal_port: int = 8004
    analytics_health_port: int = 8010
    media_health_port: int = 8020
    webhooks_health_port: int = 8030
    webhooks_internal_port: int = 8031
    auditor_health_port: int = 8040
    sandbox_host: str = "127.0.0.1"
    sandbox_port: int = 8090

    jwt_issuer: str = "https://issuer.social-publishing.localhost"
    jwt_audience: str = "social-publishing-api"
    log_level: str = "INFO"

    @property
    def gateway_url(self) -> str:
        return f"http://{self.gateway_host}:{self.gateway_port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://{self.sandbox_host}:{self.sandbox_port}"

    @property
    def bootstrap(self) -> str:
        """Kafka's address, whoever runs it."""
        return self.kafka_bootstrap or f"127.0.0.1:{self.kafka_port}"

    @property
    def store_uri(self) -> str:
        """The store's address, whoever runs it."""
        return self.mongodb_uri or f"mongodb://127.0.0.1:{self.mongodb_port}"

    @property
    def ports(self) -> Mapping[str, int]:
        """Every port that a stack with these settings listens on, by the variable that sets it."""
        ours = {
            "GATEWAY_PORT": self.gateway_port,
            "GATEWAY_HEALTH_PORT": self.gateway_health_port,
            "POSTS_HEALTH_PORT": self.posts_health_port,
            "PUBLISHER_HEALTH_PORT": self.publisher_health_port,
            "PUBLISHER_INTERNAL_PORT": self.publisher_internal_port,
            "ANALYTICS_HEALTH_PORT": self.analytics_health_port,
            "MEDIA_HEALTH_PORT": self.media_health_port,
            "WEBHOOKS_HEALTH_PORT": self.webhooks_health_port,
            "AUDITOR_HEALTH_PORT": self.auditor_health_port,
            "WEBHOOKS_INTERNAL_PORT": self.webhooks_internal_port,
            "SANDBOX_PORT": self.sandbox_port,
        }
        if self.kafka_bootstrap is None:
            ours |= {"KAFKA_PORT": self.kafka_port, "KAFKA_CONTROLLER_PORT": self.kafka_controller_port}
        if self.mongodb_uri is None:
            ours["MONGODB_PORT"] = self.mongodb_port
        return ours

    @property
    def record(self) -> Path:
        """Where the processes of the running stack are listed."""
        return self.social_state / "stack.json"

    @property
    def logs(self) -> Path:
        return self.social_state / "logs"

    @property
    def data(self) -> Path:
        return self.social_state / "data"

    @property
    def jars(self) -> Path:
        return self.social_cache / "kafka"
