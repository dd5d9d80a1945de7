"""The services as processes: what each is told through its environment, and how it says that it is ready."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from http.client import HTTPException
from urllib.request import ProxyHandler, build_opener

from localstack.keys import Keys
from localstack.process import Process
from localstack.settings import Settings

SERVICES = ("sandbox", "publisher", "posts", "gateway")
"""In the order of their start; they are ended in the opposite order, so that what was accepted is finished."""


_direct = build_opener(ProxyHandler({}))


def environments(settings: Settings, keys: Keys) -> Mapping[str, Mapping[str, str]]:
    """The environment of each service, by name."""
    common = {
        "KAFKA_BOOTSTRAP": settings.bootstrap,
        "MONGODB_URI": settings.store_uri,
        "MONGODB_DATABASE": settings.mongodb_database,
        "HEALTH_HOST": "127.0.0.1",
        "LOG_LEVEL": settings.log_level,
    }
    return {
        "sandbox": {
            "SANDBOX_HOST": settings.sandbox_host,
            "SANDBOX_PORT": str(settings.sandbox_port),
            "LOG_LEVEL": settings.log_level,
        },
        "publisher": {
            **common,
            "HEALTH_PORT": str(settings.publisher_health_port),
            "VAULT_KEYS_FILE": str(keys.vault_keys),
            "X_API_BASE": f"{settings.sandbox_url}/x",
            "LINKEDIN_API_BASE": f"{settings.sandbox_url}/linkedin",
            "MEDIA_ALLOW_PRIVATE": "true",
        },
        "posts": {
            **common,
            "HEALTH_PORT": str(settings.posts_health_port),
        },
        "gateway": {
            **common,
            "HEALTH_PORT": str(settings.gateway_health_port),
            "GATEWAY_HOST": settings.gateway_host,
            "GATEWAY_PORT": str(settings.gateway_port),
            "JWT_ISSUER": settings.jwt_issuer,
            "JWT_AUDIENCE": settings.jwt_audience,
            "JWT_KEYS_FILE": str(keys.public_keys),
        },
    }


def ready_urls(settings: Settings) -> Mapping[str, str]:
    """Where each service answers 200 once it can work."""
    return {
        "sandbox": f"{settings.sandbox_url}/_sandbox/health",
        "publisher": f"http://127.0.0.1:{settings.publisher_health_port}/readyz",
        "posts": f"http://127.0.0.1:{settings.posts_health_port}/readyz",
        "gateway": f"http://127.0.0.1:{settings.gateway_health_port}/readyz",
    }


def processes(settings: Settings, keys: Keys) -> list[Process]:
    """All services, in the order of their start; none is started."""
    told = environments(settings, keys)
    urls = ready_urls(settings)
    return [_service(name, urls[name], told[name], settings) for name in SERVICES]


def is_ready(url: str) -> bool:
    try:
        with _direct.open(url, timeout=2.0):
            return True
    except (OSError, HTTPException):
        return False


def _service(name: str, url: str, environment: Mapping[str, str], settings: Settings) -> Process:
    return Process(
        name,
        (sys.executable, "-m", name),
        log=settings.logs / f"{name}.log",
        probe=lambda: is_ready(url),
        environment=environment,
    )
