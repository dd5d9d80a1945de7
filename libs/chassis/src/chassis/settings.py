"""Settings common to every service, read once from the environment."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class KafkaSettings(BaseSettings):
    """How every client of a process reaches Kafka: `eventlog.kafka` makes clients of it.

    Environment variables are the upper-case field names. Raises ValidationError for settings that contradict each
    other: a certificate that would not be used is a mistake that nobody would notice.
    """

    model_config = SettingsConfigDict(env_prefix="", extra="ignore", frozen=True)

    kafka_bootstrap: str
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_sasl_username: str | None = None
    kafka_sasl_password_file: Path | None = None
    """Read when a client is made: a new password takes a restart."""
    kafka_ca_file: Path | None = None
    """The authorities that sign the brokers' certificates, PEM; None: those that the system trusts."""
    kafka_cert_file: Path | None = None
    """The client's own certificate and what it was signed with, PEM, for listeners that ask for one."""
    kafka_key_file: Path | None = None
    kafka_group_instance_id: str | None = None
    """A name that no other process has and that outlives a restart, such as the name of a pod of a StatefulSet. Whoever
    comes back under it within `kafka_static_session` gets its partitions back, and nobody else notices.
    """
    kafka_static_session: float = Field(default=45.0, ge=6, le=300)
    """Seconds for which the partitions of a named process wait for it."""

    @property
    def kafka_encrypted(self) -> bool:
        return self.kafka_security_protocol.endswith("SSL")

    @property
    def kafka_authenticated(self) -> bool:
        return self.kafka_security_protocol.startswith("SASL")

    @model_validator(mode="after")
    def _who_logs_in(self) -> Self:
        given = (self.kafka_sasl_username is not None, self.kafka_sasl_password_file is not None)
        if given != (self.kafka_authenticated, self.kafka_authenticated):
            raise ValueError(
                "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD_FILE go with SASL_… protocols, and with each other"
            )
        return self

    @model_validator(mode="after")
    def _what_is_shown(self) -> Self:
        if (self.kafka_cert_file is None) != (self.kafka_key_file is None):
            raise ValueError("KAFKA_CERT_FILE and KAFKA_KEY_FILE go together")
        if not self.kafka_encrypted and (self.kafka_ca_file or self.kafka_cert_file):
            raise ValueError("KAFKA_CA_FILE and KAFKA_CERT_FILE go with SSL and SASL_SSL only")
        return self


class ServiceSettings(KafkaSettings):
    """Environment variables are the upper-case field names, without a prefix. Raises ValidationError at start."""

    mongodb_uri: str
    mongodb_database: str = "social"
    health_host: str = "127.0.0.1"
    health_port: int | None = None
    """None: no health server, for tests that run a service in their own process."""
    log_level: str = "INFO"
    otel_exporter_otlp_endpoint: str | None = None
    """The base address of a collector of traces that takes OTLP over HTTP; None: no spans are recorded."""
    traces_sample_ratio: float = Field(default=1.0, ge=0, le=1)
    """Of the traces that begin here. Whoever sends a `traceparent` has chosen already."""
