"""Settings of the process, read from the environment once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Config:
    """``SANDBOX_HOST`` (127.0.0.1), ``SANDBOX_PORT`` (8090) and ``LOG_LEVEL`` (info)."""

    host: str
    port: int
    log_level: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Config:
        return cls(
            host=environment.get("SANDBOX_HOST", "127.0.0.1"),
            port=int(environment.get("SANDBOX_PORT", "8090")),
            log_level=environment.get("LOG_LEVEL", "info"),
        )
