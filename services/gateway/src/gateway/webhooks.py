"""Webhooks as the gateway sees them: the webhooks service, asked over its internal interface.

Secrets pass through here on their way to whoever asked, once; they are neither kept nor logged.
"""

from typing import Protocol, TypeVar

import httpx
import msgspec
import structlog
from msgspec import Struct

from contracts.verdicts import Refusal
from gateway.internal import post
from gateway.problems import KINDS, FieldError, ProblemError

log = structlog.get_logger()

A = TypeVar("A", bound=Struct)

TIMEOUT = 20.0
"""Seconds. The log is asked within it, and replaying goes through some thousand events."""
_LONGEST_DETAIL = 500


class Webhooks(Protocol):
    async def call(self, path: str, request: Struct, answer: type[A]) -> A:
        """One of the calls in `contracts.webhooks`. Raises ProblemError."""
        ...


class HttpWebhooks:
    """The webhooks service's internal interface."""

    def __init__(self, url: str, secret: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {secret}", "Content-Type": "application/json"},
            timeout=httpx.Timeout(TIMEOUT, connect=3.0, pool=3.0),
            follow_redirects=False,
            trust_env=False,
        )

    async def call(self, path: str, request: Struct, answer: type[A]) -> A:
        try:
            response = await post(self._http, path, msgspec.json.encode(request))
        except httpx.HTTPError as error:
            log.warning("the webhooks service does not answer", path=path, reason=type(error).__name__)
            raise _unavailable() from None
        try:
            if response.status_code == 200:
                return msgspec.json.decode(response.content, type=answer)
            refusal = msgspec.json.decode(response.content, type=Refusal)
        except msgspec.MsgspecError:
            log.error("the webhooks service answers what is not understood", path=path, status=response.status_code)
            raise _unavailable() from None
        code = refusal.code if refusal.code in KINDS else "internal_error"
        message = refusal.message[:_LONGEST_DETAIL]
        pointer = {"url_not_allowed": "/url", "invalid_content": "/event_types"}.get(code)
        errors = () if pointer is None else (FieldError(pointer=pointer, rule=f"webhook.{code}", message=message),)
        raise ProblemError(code, message, errors=errors)

    async def close(self) -> None:
        await self._http.aclose()


class NoWebhooks:
    """Where no webhooks service is named, there are none."""

    async def call(self, path: str, request: Struct, answer: type[A]) -> A:  # noqa: ARG002
        raise _unavailable()


def _unavailable() -> ProblemError:
    return ProblemError("webhooks_unavailable", "Webhooks cannot be read or changed now.")
