"""Calls to the platforms over HTTP: what all connectors share."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

import httpx
import msgspec
from prometheus_client import Histogram

from chassis import tracing
from contracts.content import Failure
from publisher.domain.answers import Ambiguous, Answer, Retry, SetbackError

CALL_SECONDS = Histogram("publisher_platform_call_seconds", "How long calls to platforms take", ("platform", "call"))

QUOTE_LENGTH = 300
CONNECT_TIMEOUT = 5.0

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""Not a byte of the request was written when these are raised: name resolution, TCP or TLS failed."""


@cache
def tls() -> ssl.SSLContext:
    """One for all clients: reading the certificates takes longer than anything else about a client."""
    return httpx.create_ssl_context(trust_env=False)


def new_client(base_url: str, *, timeout: float) -> httpx.AsyncClient:
    """Follows no redirects and reads no proxy settings: tokens go where the operator says, and nowhere else."""
    return httpx.AsyncClient(
        base_url=base_url,
        timeout=httpx.Timeout(timeout, connect=min(CONNECT_TIMEOUT, timeout), pool=min(CONNECT_TIMEOUT, timeout)),
        limits=httpx.Limits(max_connections=128, max_keepalive_connections=128, keepalive_expiry=15.0),
        follow_redirects=False,
        trust_env=False,
        verify=tls(),
        event_hooks={"response": [_note_answer]},
    )


@contextmanager
def calling(platform: str, call: str) -> Iterator[None]:
    """Measures one call to a platform, and makes it a span. `call` names what it does; its URL may hold secrets."""
    attributes = {"social.platform": platform, "social.call": call}
    with (
        CALL_SECONDS.labels(platform, call).time(),
        tracing.span(f"{platform} {call}", "client", attributes=attributes),
    ):
        yield


async def _note_answer(response: httpx.Response) -> None:
    span = tracing.current_span()
    span.set("http.request.method", response.request.method)
    span.set("server.address", response.request.url.host)
    span.set("http.response.status_code", response.status_code)
    if response.is_error:
        span.fail(str(response.status_code))


def never_sent(error: httpx.HTTPError) -> bool:
    return isinstance(error, _NEVER_SENT)


def failed_send(name: str, error: httpx.HTTPError | TimeoutError) -> Answer:
    """What a failure of the irreversible call means."""
    cause = type(error).__name__
    if isinstance(error, httpx.HTTPError) and never_sent(error):
        return Retry("unreachable", unreachable(name, cause))
    failure = Failure(
        code="outcome_unknown",
        message=f"The connection to {name} broke after the post had been sent.",
        platform_error=cause,
    )
    return Ambiguous(failure)


def failed_step(name: str, error: httpx.HTTPError | TimeoutError) -> SetbackError:
    """A step that can be repeated did not get through."""
    return SetbackError(Retry("unreachable", unreachable(name, type(error).__name__)))


def unreachable(name: str, cause: str) -> Failure:
    return Failure(
        code="platform_unreachable",
        message=f"{name} cannot be reached.",
        remediation="Nothing to do: it is tried again.",
        platform_error=cause,
        retryable=True,
    )


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def quote(response: httpx.Response) -> str:
    """The platform's words, shortened."""
    words = " ".join(response.text.split())
    return f"{response.status_code} {words[:QUOTE_LENGTH]}".strip()


def json_object(response: httpx.Response) -> Mapping[str, Any] | None:
    """The body, when it is a JSON object."""
    try:
        body = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return body if isinstance(body, dict) else None


def utc_now() -> datetime:
    return datetime.now(UTC)
