"""What the gateway is told through its environment."""

import re
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from chassis.leaving import NOTICE
from chassis.settings import ServiceSettings

_ORIGIN = re.compile(r"https?://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


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
    """Origins whose pages may call the API from a browser, such as `https://app.example`, separated by commas. They are
    compared letter by letter; there is no way to allow all."""

    public_url: str | None = None
    """Where people reach this API from outside; needed for our own page after connecting an account."""
    connect_redirect_uris: Annotated[tuple[str, ...], NoDecode] = ()
    """Where platforms may send people back to, and our page may lead them to; separated by commas."""
    publisher_internal_url: str | None = None
    """The publisher's internal interface. Without it no account can be connected."""
    publisher_internal_secret_file: Path | None = None

    objects_url: str | None = None
    """Where uploads are kept: `file:///folder`, `s3://bucket/prefix`, `gs://…`, `az://…`. Without it none are taken."""
    media_signing_keys_file: Path | None = None
    """Secrets, one a line, that sign the addresses of files; the first signs, all are accepted."""
    media_max_image_bytes: int = Field(default=64 << 20, gt=0)
    media_max_video_bytes: int = Field(default=4 << 30, gt=0)
    media_url_lifetime: float = Field(default=86_400.0, gt=0)
    """Seconds for which the address of a file is good, at least; at most twice as long."""
    media_image_patience: float = Field(default=15.0, ge=0)
    """Seconds for which an upload waits until its image is looked into; then it is answered with 202."""
    media_video_patience: float = Field(default=4.0, ge=0)

    analytics_refresh_every: float = Field(default=60.0, ge=0)
    """Seconds between two wishes for fresh numbers of one post."""
    posting_profiles_file: Path | None = None
    """What is assumed of when posts do well, instead of `platforms/posting_profiles.toml`, and in the same form."""

    webhooks_internal_url: str | None = None
    """The webhooks service's internal interface. Without it there are no webhooks."""
    webhooks_internal_secret_file: Path | None = None
    stream_seconds: float = Field(default=600.0, gt=0)
    """For which a live stream of events lasts; then its client comes again, with a token that is looked at again."""
    most_streams: int = Field(default=500, gt=0)
    """Of one process, and a twentieth of it for one tenant."""

    drain_notice: float = Field(default=NOTICE, ge=0)
    """Seconds at the end for which requests are still taken, and their callers asked to leave."""
    drain_timeout: int = Field(default=10, gt=0)
    """Seconds that requests in progress get to finish at the end."""

    @field_validator("cors_origins", "connect_redirect_uris", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(origin.strip() for origin in value.split(",") if origin.strip())
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if _ORIGIN.fullmatch(origin) is None:
                raise ValueError(
                    f"{origin!r} is not an origin as browsers write it: scheme://host or scheme://host:port"
                )
        return value

    @field_validator("connect_redirect_uris")
    @classmethod
    def _absolute(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            parts = urlsplit(address)
            if parts.scheme not in ("http", "https") or not parts.netloc or "#" in address:
                raise ValueError(f"{address!r} is not an absolute http or https address without a fragment")
        return value

    @model_validator(mode="after")
    def _secret_for_the_publisher(self) -> Self:
        if (self.publisher_internal_url is None) != (self.publisher_internal_secret_file is None):
            raise ValueError("PUBLISHER_INTERNAL_URL and PUBLISHER_INTERNAL_SECRET_FILE go together")
        return self

    @model_validator(mode="after")
    def _signed_addresses(self) -> Self:
        if (self.objects_url is None) != (self.media_signing_keys_file is None):
            raise ValueError("OBJECTS_URL and MEDIA_SIGNING_KEYS_FILE go together")
        return self

    @model_validator(mode="after")
    def _secret_for_webhooks(self) -> Self:
        if (self.webhooks_internal_url is None) != (self.webhooks_internal_secret_file is None):
            raise ValueError("WEBHOOKS_INTERNAL_URL and WEBHOOKS_INTERNAL_SECRET_FILE go together")
        return self

    @model_validator(mode="after")
    def _one_source_of_keys(self) -> Self:
        if (self.jwt_keys_file is None) == (self.jwt_jwks_url is None):
            raise ValueError("set exactly one of JWT_KEYS_FILE and JWT_JWKS_URL")
        return self
