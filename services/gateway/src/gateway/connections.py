"""Connecting accounts as the gateway sees it: which addresses a person may be sent to, and the publisher, which alone
holds the platforms' secrets and is asked over its internal interface.
"""

from collections.abc import Collection
from typing import Protocol, TypeVar

import httpx
import msgspec
import structlog
from msgspec import Struct

from contracts.content import Platform
from contracts.verdicts import Refusal
from gateway.internal import post
from gateway.policy import BASE
from gateway.problems import KINDS, FieldError, ProblemError

log = structlog.get_logger()

A = TypeVar("A", bound=Struct)

CALLBACK = f"{BASE}/accounts/callback"
TIMEOUT = 45.0
"""Seconds. A platform is asked several times before an account is connected, and the log once."""
_LONGEST_DETAIL = 500


class Publisher(Protocol):
    async def call(self, path: str, request: Struct, answer: type[A]) -> A:
        """One of the calls in `contracts.connections`. Raises ProblemError."""
        ...


class HttpPublisher:
    """The publisher's internal interface."""

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
            log.warning("the publisher does not answer", path=path, reason=type(error).__name__)
            raise _unavailable() from None
        try:
            if response.status_code == 200:
                return msgspec.json.decode(response.content, type=answer)
            refusal = msgspec.json.decode(response.content, type=Refusal)
        except msgspec.MsgspecError:
            log.error("the publisher answers what is not understood", path=path, status=response.status_code)
            raise _unavailable() from None
        code = refusal.code if refusal.code in KINDS else "internal_error"
        raise ProblemError(code, refusal.message[:_LONGEST_DETAIL])

    async def close(self) -> None:
        await self._http.aclose()


class NoPublisher:
    """Where no publisher is named, nothing can be connected."""

    async def call(self, path: str, request: Struct, answer: type[A]) -> A:  # noqa: ARG002
        raise _unavailable()


class Redirects:
    """Where a platform may send a person back to: the addresses listed, compared letter by letter, and our own page."""

    def __init__(self, allowed: Collection[str], public_url: str | None) -> None:
        self._allowed = frozenset(allowed)
        self._public_url = None if public_url is None else public_url.rstrip("/")

    def hosted(self, platform: Platform) -> str | None:
        """The address of our own page for this platform; None when we do not know our own address."""
        return None if self._public_url is None else f"{self._public_url}{CALLBACK}/{platform}"

    def choose(self, platform: Platform, wanted: str | None) -> tuple[str, bool]:
        """The address, and whether it is our own page: that is so when none is wanted. Raises ProblemError."""
        hosted = self.hosted(platform)
        if hosted is not None and wanted in (None, hosted):
            return hosted, True
        if wanted is None:
            raise _not_allowed("/redirect_uri", "A redirect_uri is needed: this installation has no page of its own.")
        if wanted not in self._allowed:
            raise _not_allowed("/redirect_uri", "This redirect_uri is not on the list.")
        return wanted, False

    def check_return(self, wanted: str | None) -> None:
        """Raises ProblemError."""
        if wanted is not None and wanted not in self._allowed:
            raise _not_allowed("/return_to", "This return_to is not on the list.")


def _not_allowed(pointer: str, message: str) -> ProblemError:
    error = FieldError(pointer=pointer, rule="redirect.allowed", message=message)
    return ProblemError("redirect_not_allowed", message, errors=(error,))


def _unavailable() -> ProblemError:
    return ProblemError("connecting_unavailable", "Accounts cannot be connected or changed now.")
