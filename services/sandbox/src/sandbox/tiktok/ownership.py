"""From where TikTok pulls: domains and URL prefixes that the developer has proven to own."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

_LOOPBACK = frozenset({"127.0.0.1", "localhost"})


def is_verified(url: str, verified: Iterable[str]) -> bool:
    """Whether TikTok pulls this URL: https, by name, under a verified domain or prefix.

    The loopback interface stands for a developer's own host: there http and the address will do.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        return False
    if _is_address(host) and host not in _LOOPBACK:
        return False
    return any(
        url.startswith(each) if "://" in each else host == each or host.endswith(f".{each}") for each in verified
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
