"""What OAuth 2 providers share: the authorization request, PKCE, and calls that answer JSON."""

import base64
import hashlib
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, TypeVar
from urllib.parse import urlencode

import httpx
import msgspec

from contracts.content import Platform
from publisher.adapters.http import calling, never_sent, utc_now
from publisher.domain.connection import (
    Connectable,
    Grant,
    GrantDeadError,
    GrantRefusedError,
    PlatformFailedError,
    Profile,
    Scopes,
)

T = TypeVar("T")

Pkce = Literal["none", "base64url", "hex"]
"""How the S256 challenge is written: RFC 7636 says base64url, TikTok's desktop apps want hexadecimal."""

MAX_ANSWER = 1_048_576
_CODE = re.compile(r"[A-Za-z0-9_.:/ -]{1,80}")


class App(msgspec.Struct, frozen=True, kw_only=True):
    """What we are registered as at the platform."""

    client_id: str
    client_secret: str | None = None

    def __repr__(self) -> str:
        return f"App(client_id={self.client_id!r}, …)"


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 6749 §5.1, with the members that platforms add. Values of another type are refused."""

    access_token: str
    expires_in: float | None = None
    refresh_token: str | None = None
    refresh_token_expires_in: float | None = None
    refresh_expires_in: float | None = None
    scope: str | None = None

    def grant(self, *, default_scopes: Sequence[str] = ()) -> Grant:
        """`default_scopes` were granted when the answer does not say (RFC 6749 §5.1)."""
        lifetime = self.refresh_token_expires_in or self.refresh_expires_in
        return Grant(
            access_token=self.access_token,
            expires_at=after(self.expires_in),
            refresh_token=self.refresh_token,
            refresh_expires_at=after(lifetime),
            scopes=tuple(default_scopes) if self.scope is None else split_scopes(self.scope),
        )

    def __repr__(self) -> str:
        return "TokenAnswer(…)"


class Provider(ABC):
    """One way to log in to one platform.

    Calls raise GrantRefusedError when the platform refuses, GrantDeadError when it does so for good, and
    PlatformFailedError when it does not answer.
    """

    platform: ClassVar[Platform]
    login: ClassVar[str | None] = None
    """Which way to log in; None where the platform has one, or for its first."""
    name: ClassVar[str]
    rotates: ClassVar[bool] = False
    """Whether a renewal ends the refresh token it was made with."""
    renew_ahead: ClassVar[timedelta] = timedelta(minutes=5)
    """How long before its end an access token is renewed when it is asked for."""
    keep_every: ClassVar[timedelta] = timedelta(days=30)
    """How long an authorization may rest before it is renewed so as not to end for want of use."""
    keep_ahead: ClassVar[timedelta] = timedelta()
    """How long before its end an access token is renewed though nobody asks for it: where a token that has run out
    cannot be renewed.
    """
    scope_separator: ClassVar[str] = " "
    pkce: Pkce = "base64url"
    revokes: ClassVar[Literal["token", "person", "never"]] = "never"
    """What revoking takes with it: only this token, or everything that the person has granted us."""
    revoke_notice: ClassVar[str] = ""
    """Where a person can end the authorization on the platform."""

    def __init__(self, http: httpx.AsyncClient, app: App, scopes: Scopes, *, authorize_url: str) -> None:
        self._http = http
        self._app = app
        self.scopes = scopes
        self._authorize_url = authorize_url

    # --- connecting -----------------------------------------------------------------------------------

    def new_verifier(self) -> str | None:
        """A PKCE verifier of 64 characters; None where PKCE is not used."""
        return None if self.pkce == "none" else secrets.token_urlsafe(48)

    def authorization_url(self, *, redirect_uri: str, state: str, verifier: str | None) -> str:
        parameters = {
            "response_type": "code",
            self._client_key: self._app.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.scope_separator.join(self.scopes.asked),
            "state": state,
            **self._more_parameters(),
        }
        if verifier is not None:
            parameters |= {"code_challenge": challenge(verifier, self.pkce), "code_challenge_method": "S256"}
        return f"{self._authorize_url}?{urlencode(parameters)}"

    @abstractmethod
    async def exchange(self, *, code: str, redirect_uri: str, verifier: str | None) -> Grant: ...

    @abstractmethod
    async def connectables(self, grant: Grant) -> Sequence[Connectable]:
        """What the authorization may publish to; empty when there is nothing."""
        ...

    @abstractmethod
    async def profile(self, grant: Grant, platform_user_id: str) -> Profile:
        """The account as it is now."""
        ...

    # --- keeping --------------------------------------------------------------------------------------

    def can_renew(self, grant: Grant, age: timedelta) -> bool:  # only some look at the age
        """Whether tokens of this age can be renewed without a person."""
        return grant.refresh_token is not None

    async def renew(self, grant: Grant) -> Grant:
        """The next tokens; what the platform leaves out stays as it was."""
        raise GrantRefusedError(f"{self.name} has no renewal")

    async def revoke(self, grant: Grant) -> bool:
        """Whether the platform has agreed that the authorization is over."""
        return False

    # --- for the platforms' modules -------------------------------------------------------------------

    _client_key: ClassVar[str] = "client_id"

    def _more_parameters(self) -> Mapping[str, str]:
        """Of the authorization request."""
        return {}

    def _client_fields(self) -> dict[str, str]:
        fields = {self._client_key: self._app.client_id}
        if self._app.client_secret is not None:
            fields["client_secret"] = self._app.client_secret
        return fields

    def _is_dead(self, status: int, body: Mapping[str, Any]) -> bool:
        """Whether this refusal says that the authorization is over."""
        return body.get("error") == "invalid_grant"

    async def _call(
        self,
        method: Literal["GET", "POST", "DELETE"],
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
        call: str = "oauth",
    ) -> Mapping[str, Any]:
        """The JSON object of a successful answer."""
        sent_headers = {"Accept": "application/json", **(headers or {})}
        if token is not None:
            sent_headers["Authorization"] = f"Bearer {token}"
        auth = None if basic is None else httpx.BasicAuth(*basic)
        try:
            with calling(self.platform, call):
                async with self._http.stream(
                    method, url, params=query, data=form, headers=sent_headers, auth=auth
                ) as response:
                    content = await _bounded(response)
        except httpx.HTTPError as error:
            # Only the kind: the error's words hold the URL, and that may hold a token.
            raise PlatformFailedError(type(error).__name__, reached=not never_sent(error)) from None
        return self._judged(response.status_code, content)

    def _judged(self, status: int, content: bytes) -> Mapping[str, Any]:
        if status >= 500 or status == 429:
            raise PlatformFailedError(f"status {status}", reached=status != 429)
        try:
            body = msgspec.json.decode(content) if content.strip() else {}
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise PlatformFailedError(f"status {status} without JSON", reached=True) from None
        if body is True:
            # The Graph API answers a bare `true`.
            body = {"success": True}
        if not isinstance(body, dict):
            raise PlatformFailedError(f"status {status} without a JSON object", reached=True)
        if not 200 <= status < 300 or self._is_error(body):
            kind = GrantDeadError if self._is_dead(status, body) else GrantRefusedError
            raise kind(error_code(status, body))
        return body

    def _is_error(self, body: Mapping[str, Any]) -> bool:
        """For platforms that refuse with 200."""
        return bool(body.get("error"))


def challenge(verifier: str, how: Pkce) -> str:
    """RFC 7636 §4.2."""
    digest = hashlib.sha256(verifier.encode()).digest()
    if how == "hex":
        return digest.hex()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def split_scopes(text: str) -> tuple[str, ...]:
    """Platforms separate them by commas, spaces or both."""
    return tuple(filter(None, re.split(r"[,\s]+", text)))


def after(seconds: float | None) -> datetime | None:
    return None if seconds is None or seconds <= 0 else utc_now() + timedelta(seconds=seconds)


def read(body: object, shape: type[T]) -> T:
    """What a platform sent, in the shape that we rely on. Raises PlatformFailedError."""
    try:
        return msgspec.convert(body, shape, strict=False)
    except msgspec.ValidationError as error:
        raise PlatformFailedError(f"an answer of another shape: {error}", reached=True) from None


def error_code(status: int, body: Mapping[str, Any]) -> str:
    """The platform's code for what is wrong; its other words may quote what we sent."""
    error = body.get("error") or body.get("error_type") or body.get("code") or body.get("serviceErrorCode")
    if isinstance(error, dict):
        match error.get("errors"):
            case [{"reason": reason}, *_]:  # Google's
                error = reason
            case _:
                error = error.get("code")
    code = str(error)
    return f"{status} {code}" if error is not None and _CODE.fullmatch(code) else str(status)


async def _bounded(response: httpx.Response) -> bytes:
    content = b""
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > MAX_ANSWER:
            raise PlatformFailedError("an answer that is too long", reached=True)
    return content
