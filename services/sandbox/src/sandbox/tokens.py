"""OAuth credentials: authorization codes, access tokens, refresh tokens and the apps that hold them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from sandbox.clock import Clock


class Client(msgspec.Struct, forbid_unknown_fields=True):
    """A registered developer app.

    Attributes:
        client_secret: None for a public client.
        redirect_uris: exact matches; empty accepts any.
        scopes: what the app's products allow; None allows every scope.
    """

    client_id: str
    client_secret: str | None = None
    redirect_uris: list[str] = []
    scopes: list[str] | None = None


@dataclass(slots=True)
class AccessToken:
    """A bearer token. ``member`` is who signed in; it differs from ``account`` for a LinkedIn page."""

    value: str
    account: str
    member: str
    client_id: str | None
    scopes: frozenset[str]
    issued_at: float
    expires_at: float
    revoked: bool = False


@dataclass(slots=True)
class RefreshToken:
    value: str
    account: str
    member: str
    client_id: str | None
    scopes: frozenset[str]
    expires_at: float | None
    revoked: bool = False


@dataclass(slots=True)
class AuthorizationCode:
    value: str
    account: str
    client_id: str
    redirect_uri: str
    scopes: frozenset[str]
    expires_at: float
    challenge: str | None
    challenge_method: str | None
    spent: bool = False


class Tokens:
    """Issues and remembers credentials. Values are random and never leave it except to their owner."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._access: dict[str, AccessToken] = {}
        self._refresh: dict[str, RefreshToken] = {}
        self._codes: dict[str, AuthorizationCode] = {}

    def issue_access(
        self,
        account: str,
        scopes: frozenset[str],
        lifetime: float,
        *,
        member: str | None = None,
        client_id: str | None = None,
        prefix: str = "",
        entropy_bytes: int = 64,
    ) -> AccessToken:
        now = self._clock.now()
        value = prefix + secrets.token_urlsafe(entropy_bytes)
        token = AccessToken(value, account, member or account, client_id, scopes, now, now + lifetime)
        self._access[value] = token
        return token

    def issue_refresh(
        self,
        account: str,
        scopes: frozenset[str],
        lifetime: float | None,
        *,
        member: str | None = None,
        client_id: str | None = None,
    ) -> RefreshToken:
        value = secrets.token_urlsafe(64)
        expires_at = None if lifetime is None else self._clock.now() + lifetime
        token = RefreshToken(value, account, member or account, client_id, scopes, expires_at)
        self._refresh[value] = token
        return token

    def issue_code(
        self,
        account: str,
        scopes: frozenset[str],
        lifetime: float,
        *,
        client_id: str,
        redirect_uri: str,
        challenge: str | None = None,
        challenge_method: str | None = None,
    ) -> AuthorizationCode:
        value = secrets.token_urlsafe(48)
        code = AuthorizationCode(
            value,
            account,
            client_id,
            redirect_uri,
            scopes,
            self._clock.now() + lifetime,
            challenge,
            challenge_method,
        )
        self._codes[value] = code
        return code

    def access(self, value: str) -> AccessToken | None:
        return self._access.get(value)

    def refresh(self, value: str) -> RefreshToken | None:
        """The refresh token if it can still be used."""
        token = self._refresh.get(value)
        if token is None or token.revoked:
            return None
        if token.expires_at is not None and token.expires_at <= self._clock.now():
            return None
        return token

    def code(self, value: str) -> AuthorizationCode | None:
        """The authorization code if it was neither spent nor left to expire."""
        code = self._codes.get(value)
        if code is None or code.spent or code.expires_at <= self._clock.now():
            return None
        return code

    def holder(self, value: str) -> str | None:
        """The account that any credential belongs to, usable or not."""
        credential = self._access.get(value) or self._refresh.get(value) or self._codes.get(value)
        return None if credential is None else credential.account

    def revoke(self, value: str) -> None:
        """Revoke one access or refresh token; an unknown value is ignored (RFC 7009 §2.2)."""
        for token in (self._access.get(value), self._refresh.get(value)):
            if token is not None:
                token.revoked = True

    def revoke_account(self, account: str) -> None:
        for token in self._all():
            if token.account == account:
                token.revoked = True

    def revoke_member(self, member: str) -> None:
        """Revoke everything that this person granted, pages' tokens included."""
        for token in self._all():
            if token.member == member:
                token.revoked = True

    def revoke_other_scopes(self, member: str, client_id: str, scopes: frozenset[str]) -> None:
        """Revoke what this member granted this app under any other set of scopes."""
        for token in self._all():
            if token.member == member and token.client_id == client_id and token.scopes != scopes:
                token.revoked = True

    def _all(self) -> Iterator[AccessToken | RefreshToken]:
        yield from self._access.values()
        yield from self._refresh.values()

    def expire_account(self, account: str) -> None:
        """Let the account's access tokens expire now; refresh tokens stay usable."""
        now = self._clock.now()
        for token in self._access.values():
            if token.account == account:
                token.expires_at = now

    def forget_account(self, account: str) -> None:
        self._access = {value: token for value, token in self._access.items() if token.account != account}
        self._refresh = {value: token for value, token in self._refresh.items() if token.account != account}


def verifier_matches(code: AuthorizationCode, verifier: str) -> bool:
    """Whether a PKCE verifier answers the challenge the code was issued for (RFC 7636 §4.6)."""
    if code.challenge is None:
        return True
    if code.challenge_method == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        verifier = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return hmac.compare_digest(code.challenge.encode(), verifier.encode())
