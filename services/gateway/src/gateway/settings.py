"""What the gateway is told through its environment."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Environment variables are the upper-case field names. Raises ValidationError at start."""

    gateway_host: str = "127.0.0.1"
    gateway_port: int = 8000

    jwt_issuer: str
    jwt_audience: str
    jwt_keys_file: Path | None = None
    """A JWKS in a file; read again when a token names an unknown key."""
    jwt_jwks_url: str | None = None
    """Where the issuer publishes its JWKS; fetched again when a token names an unknown key."""

    verdict_timeout: float = Field(default=5.0, gt=0)
    """Seconds a write waits for its verdict before it is answered with 202."""
    max_in_flight: int = Field(default=2_000, gt=0)
    """Commands waiting for a verdict at once; beyond it writes are answered with 503."""

    max_body_bytes: int = Field(default=262_144, gt=0, le=400_000)
    """A post must fit into one Kafka record (1 MB) together with its read model, hence the bound."""
    max_header_bytes: int = Field(default=32_768, gt=0)
    """Request line and headers together."""
    body_timeout: float = Field(default=30.0, gt=0)
    """Seconds within which a request body must have arrived."""

    reads_per_second: float = Field(default=50.0, gt=0)
    """Sustained rate for one user of one tenant; bursts may be four seconds' worth."""
    writes_per_second: float = Field(default=20.0, gt=0)

    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins whose pages may call the API from a browser, separated by commas."""

    drain_timeout: int = Field(default=10, gt=0)
    """Seconds that requests in progress get to finish at the end."""

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(origin.strip() for origin in value.split(",") if origin.strip())
        return value

    @model_validator(mode="after")
    def _one_source_of_keys(self) -> Self:
        if (self.jwt_keys_file is None) == (self.jwt_jwks_url is None):
            raise ValueError("set exactly one of JWT_KEYS_FILE and JWT_JWKS_URL")
        return self
