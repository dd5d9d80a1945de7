"""Files that Meta's crawler fetches by URL."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

from sandbox.samples import SAMPLES, UnfitSampleError
from sandbox.web import Request

_USER_AGENT = "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"
_SECONDS = 20.0
_LARGEST = 310 * 1024 * 1024

Arrived = Callable[[bytes | None], None]
"""Takes the file, or None when it cannot be had."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        return None


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)


def fetch(request: Request, url: str, arrived: Arrived) -> None:
    """Get a file, without keeping anybody waiting. The sandbox's own samples arrive at once."""
    if url.startswith(_own(request)):
        arrived(own_sample(request, url))
        return
    loop = asyncio.get_running_loop()

    def get() -> None:
        content = _get(url)
        loop.call_soon_threadsafe(arrived, content)

    loop.run_in_executor(None, get)


def _own(request: Request) -> str:
    scheme, _, rest = request.base_url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/_sandbox/media/"


def own_sample(request: Request, url: str) -> bytes | None:
    """A sample of the sandbox by its URL; None for any other file."""
    if not url.startswith(_own(request)):
        return None
    parts = urlsplit(url.removeprefix(_own(request)))
    sample = SAMPLES.get(parts.path)
    if sample is None:
        return None
    try:
        return sample.render(**{key: int(value) for key, value in parse_qsl(parts.query)})
    except (UnfitSampleError, TypeError, ValueError):
        return None


def _get(url: str) -> bytes | None:
    if not url.isascii() or urlsplit(url).scheme not in ("http", "https"):
        return None
    asked = urllib.request.Request(url, headers={"User-Agent": _USER_AGENT})  # noqa: S310 - the scheme is checked
    try:
        with _opener.open(asked, timeout=_SECONDS) as answer:
            content: bytes = answer.read(_LARGEST + 1)
    except (OSError, ValueError):
        return None
    return content if len(content) <= _LARGEST else None
