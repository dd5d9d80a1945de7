"""The services as processes: what each is told through its environment, and how it says that it is ready."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from http.client import HTTPException
from urllib.request import ProxyHandler, build_opener

from localstack.keys import Keys
from localstack.process import Process
from localstack.settings import Settings

SERVICES = ("sandbox", "publisher", "posts", "media", "analytics", "webhooks", "auditor", "gateway")
"""In the order of their start; they are ended in the opposite order, so that what was accepted is finished."""

END_WITHIN = 45.0
"""Seconds for a service to end by itself: it takes less even where Kafka and the store are gone."""

REDIRECT_URI = "http://localhost:3000/oauth/callback"
"""Where an app under development may have people sent back to."""

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
    objects = (settings.data / "objects").absolute().as_uri()
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
            "PUBLISHER_INTERNAL_HOST": "127.0.0.1",
            "PUBLISHER_INTERNAL_PORT": str(settings.publisher_internal_port),
            "PUBLISHER_INTERNAL_SECRET_FILE": str(keys.internal_secret),
            **platforms(settings.sandbox_url, settings.sandbox_url, str(keys.client_secret)),
            "OBJECTS_URL": objects,
            "MEDIA_SIGNING_KEYS_FILE": str(keys.media_signing_keys),
            "PUBLIC_URL": settings.gateway_url,
            "MEDIA_ALLOW_PRIVATE": "true",
        },
        "media": {
            **common,
            "HEALTH_PORT": str(settings.media_health_port),
            "OBJECTS_URL": objects,
            "MEDIA_WORK_DIR": str(settings.social_state / "media-work"),
            "MEDIA_FETCH_ALLOW_PRIVATE": "true",
        },
        "posts": {
            **common,
            "HEALTH_PORT": str(settings.posts_health_port),
        },
        "analytics": {
            **common,
            "HEALTH_PORT": str(settings.analytics_health_port),
        },
        "auditor": {
            **common,
            "HEALTH_PORT": str(settings.auditor_health_port),
        },
        "webhooks": {
            **common,
            "HEALTH_PORT": str(settings.webhooks_health_port),
            "WEBHOOKS_KEYS_FILE": str(keys.webhooks_keys),
            "WEBHOOKS_INTERNAL_HOST": "127.0.0.1",
            "WEBHOOKS_INTERNAL_PORT": str(settings.webhooks_internal_port),
            "WEBHOOKS_INTERNAL_SECRET_FILE": str(keys.webhooks_secret),
            "WEBHOOKS_ALLOW_PRIVATE": "true",
        },
        "gateway": {
            **common,
            "HEALTH_PORT": str(settings.gateway_health_port),
            "GATEWAY_HOST": settings.gateway_host,
            "GATEWAY_PORT": str(settings.gateway_port),
            "JWT_ISSUER": settings.jwt_issuer,
            "JWT_AUDIENCE": settings.jwt_audience,
            "JWT_KEYS_FILE": str(keys.public_keys),
            "PUBLIC_URL": settings.gateway_url,
            "OBJECTS_URL": objects,
            "MEDIA_SIGNING_KEYS_FILE": str(keys.media_signing_keys),
            "CONNECT_REDIRECT_URIS": REDIRECT_URI,
            "PUBLISHER_INTERNAL_URL": f"http://127.0.0.1:{settings.publisher_internal_port}",
            "PUBLISHER_INTERNAL_SECRET_FILE": str(keys.internal_secret),
            "WEBHOOKS_INTERNAL_URL": f"http://127.0.0.1:{settings.webhooks_internal_port}",
            "WEBHOOKS_INTERNAL_SECRET_FILE": str(keys.webhooks_secret),
        },
    }


def platforms(sandbox: str, sandbox_for_browsers: str, secret_file: str) -> Mapping[str, str]:
    """Where the publisher finds each platform in the sandbox, and as which app."""
    x, linkedin, tiktok = f"{sandbox}/x", f"{sandbox}/linkedin", f"{sandbox}/tiktok"
    facebook, instagram, youtube = f"{sandbox}/facebook", f"{sandbox}/instagram", f"{sandbox}/youtube"
    return {
        "X_API_BASE": x,
        "X_AUTHORIZE_URL": f"{sandbox_for_browsers}/x/i/oauth2/authorize",
        "X_CLIENT_ID": "sandbox-x",
        "X_CLIENT_SECRET_FILE": secret_file,
        "LINKEDIN_API_BASE": linkedin,
        "LINKEDIN_AUTHORIZE_URL": f"{sandbox_for_browsers}/linkedin/oauth/v2/authorization",
        "LINKEDIN_TOKEN_URL": f"{linkedin}/oauth/v2/accessToken",
        "LINKEDIN_CLIENT_ID": "sandbox-linkedin",
        "LINKEDIN_CLIENT_SECRET_FILE": secret_file,
        "LINKEDIN_PAGES_CLIENT_ID": "sandbox-linkedin-pages",
        "LINKEDIN_PAGES_CLIENT_SECRET_FILE": secret_file,
        "FACEBOOK_API_BASE": facebook,
        "META_RUPLOAD_BASE": facebook,
        "FACEBOOK_AUTHORIZE_URL": f"{sandbox_for_browsers}/facebook/v26.0/dialog/oauth",
        "FACEBOOK_CLIENT_ID": "sandbox-facebook",
        "FACEBOOK_CLIENT_SECRET_FILE": secret_file,
        "INSTAGRAM_API_BASE": instagram,
        "INSTAGRAM_AUTHORIZE_URL": f"{sandbox_for_browsers}/instagram/oauth/authorize",
        "INSTAGRAM_TOKEN_URL": f"{instagram}/oauth/access_token",
        "INSTAGRAM_CLIENT_ID": "sandbox-instagram",
        "INSTAGRAM_CLIENT_SECRET_FILE": secret_file,
        "YOUTUBE_API_BASE": youtube,
        "YOUTUBE_ANALYTICS_BASE": youtube,
        "YOUTUBE_AUTHORIZE_URL": f"{sandbox_for_browsers}/youtube/o/oauth2/v2/auth",
        "YOUTUBE_TOKEN_URL": f"{youtube}/token",
        "YOUTUBE_REVOKE_URL": f"{youtube}/revoke",
        "YOUTUBE_CLIENT_ID": "sandbox-youtube",
        "YOUTUBE_CLIENT_SECRET_FILE": secret_file,
        "TIKTOK_API_BASE": tiktok,
        "TIKTOK_AUTHORIZE_URL": f"{sandbox_for_browsers}/tiktok/v2/auth/authorize/",
        "TIKTOK_CLIENT_ID": "sandbox-tiktok",
        "TIKTOK_CLIENT_SECRET_FILE": secret_file,
    }


def ready_urls(settings: Settings) -> Mapping[str, str]:
    """Where each service answers 200 once it can work."""
    return {
        "sandbox": f"{settings.sandbox_url}/_sandbox/health",
        "publisher": f"http://127.0.0.1:{settings.publisher_health_port}/readyz",
        "posts": f"http://127.0.0.1:{settings.posts_health_port}/readyz",
        "media": f"http://127.0.0.1:{settings.media_health_port}/readyz",
        "analytics": f"http://127.0.0.1:{settings.analytics_health_port}/readyz",
        "webhooks": f"http://127.0.0.1:{settings.webhooks_health_port}/readyz",
        "auditor": f"http://127.0.0.1:{settings.auditor_health_port}/readyz",
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
        grace=END_WITHIN,
    )
