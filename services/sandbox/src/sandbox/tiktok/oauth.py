"""Login Kit: authorization, tokens that rotate, revocation.

https://developers.tiktok.com/docs/en/oauth-refresh-a-user-access-token (November 2026). Two traps are the platform's
own: scopes are separated by commas, and Login Kit for desktop writes a PKCE challenge in hexadecimal.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from sandbox.consent import chosen_account, error_page, redirect
from sandbox.tiktok.errors import oauth_error
from sandbox.tiktok.state import PLATFORM, State
from sandbox.tokens import AuthorizationCode, Client, verifier_matches
from sandbox.web import RefusedError, Request, Response, as_json

SCOPES = ("user.info.basic", "user.info.profile", "user.info.stats", "video.list", "video.upload", "video.publish")
ACCESS_PREFIX = "act."
_LONGEST_REDIRECT = 512
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_LOOPBACK = ("localhost", "127.0.0.1")


class OAuth:
    def __init__(self, state: State) -> None:
        self._state = state

    def authorize(self, request: Request) -> Response:
        query = request.query
        settings = self._state.settings
        client = self._client(query.get("client_key", ""))
        wrong = self._wrong_parameter(query, client)
        if wrong is not None:
            return error_page(wrong)
        scopes = frozenset(query["scope"].split(","))
        back = {"state": query["state"]} if "state" in query else {}
        chosen = chosen_account(request, "TikTok", self._state.world.accounts.of(PLATFORM), settings.auto_approve)
        if chosen == "denied":
            description = "The user denied the request"
            return redirect(query["redirect_uri"], {"error": "access_denied", "error_description": description, **back})
        granted = scopes.difference(settings.denied_scopes)
        code = self._state.world.tokens.issue_code(
            chosen.id,
            granted,
            settings.code_seconds,
            client_id=query["client_key"],
            redirect_uri=query["redirect_uri"],
            challenge=query.get("code_challenge"),
            challenge_method=query.get("code_challenge_method"),
        )
        return redirect(query["redirect_uri"], {"code": code.value, "scopes": ",".join(sorted(granted)), **back})

    def token(self, request: Request) -> Response:
        form = self._form(request)
        match form.get("grant_type"):
            case "authorization_code":
                return self._exchange(form)
            case "refresh_token":
                return self._refresh(form)
            case _:
                raise self._error("unsupported_grant_type", "The grant type is not supported.")

    def revoke(self, request: Request) -> Response:
        """Takes back the whole grant of the token's owner."""
        form = self._form(request)
        self._authenticated_client(form)
        holder = self._state.world.tokens.holder(self._required(form, "token"))
        if holder is None:
            raise self._error("invalid_grant", "The token is invalid.")
        self._state.world.tokens.revoke_account(holder)
        return as_json(200, {})

    def _exchange(self, form: Mapping[str, str]) -> Response:
        client_key = self._authenticated_client(form)
        code = self._state.world.tokens.code(self._required(form, "code"))
        if code is None or code.client_id != client_key or code.redirect_uri != self._required(form, "redirect_uri"):
            raise self._error("invalid_grant", "Authorization code is expired.")
        if code.challenge is not None and not self._answers(code, form.get("code_verifier", "")):
            raise self._error("invalid_request", "Code verifier or code challenge is invalid.")
        code.spent = True
        return self._issue(code.account, code.scopes, client_key)

    def _refresh(self, form: Mapping[str, str]) -> Response:
        client_key = self._authenticated_client(form)
        refresh = self._state.world.tokens.refresh(self._required(form, "refresh_token"))
        if refresh is None or refresh.client_id not in (None, client_key):
            raise self._error("invalid_grant", "Refresh token is invalid or expired.")
        if self._state.settings.rotate_refresh_tokens:
            refresh.revoked = True
        return self._issue(refresh.account, refresh.scopes, client_key)

    def _issue(self, account: str, scopes: frozenset[str], client_key: str) -> Response:
        tokens, settings = self._state.world.tokens, self._state.settings
        access = tokens.issue_access(
            account, scopes, settings.access_token_seconds, client_id=client_key, prefix=ACCESS_PREFIX
        )
        refresh = tokens.issue_refresh(account, scopes, settings.refresh_token_seconds, client_id=client_key)
        return as_json(
            200,
            {
                "open_id": account,
                "scope": ",".join(sorted(scopes)),
                "access_token": access.value,
                "expires_in": int(settings.access_token_seconds),
                "refresh_token": refresh.value,
                "refresh_expires_in": int(settings.refresh_token_seconds),
                "token_type": "Bearer",
            },
        )

    def _answers(self, code: AuthorizationCode, verifier: str) -> bool:
        """Whether the verifier answers the challenge, in the encoding that this app's platform uses."""
        if _VERIFIER.fullmatch(verifier) is None or code.challenge is None:
            return False
        if self._state.settings.pkce == "base64url":
            return verifier_matches(code, verifier)
        expected = hashlib.sha256(verifier.encode()).hexdigest()
        return hmac.compare_digest(expected.encode(), code.challenge.encode())

    def _wrong_parameter(self, query: Mapping[str, str], client: Client | None) -> str | None:
        """What is wrong with an authorization request; the browser is not sent back then."""
        if not query.get("client_key") or (client is None and self._state.settings.clients):
            return "client_key"
        if query.get("response_type") != "code":
            return "response_type"
        scopes = frozenset(query.get("scope", "").split(","))
        allowed = SCOPES if client is None or client.scopes is None else client.scopes
        if not scopes <= frozenset(allowed):
            return "scope"
        redirect_uri = query.get("redirect_uri", "")
        if not _is_redirect_uri(redirect_uri):
            return "redirect_uri"
        if client is not None and client.redirect_uris and redirect_uri not in client.redirect_uris:
            return "redirect_uri"
        challenged = "code_challenge" in query
        if challenged != (query.get("code_challenge_method") == "S256"):
            return "code_challenge"
        if self._state.settings.pkce_required and not challenged:
            return "code_challenge"
        return None

    def _form(self, request: Request) -> Mapping[str, str]:
        if request.media_type != "application/x-www-form-urlencoded":
            raise self._error("invalid_request", "The content type must be application/x-www-form-urlencoded.")
        return request.form

    def _authenticated_client(self, form: Mapping[str, str]) -> str:
        client_key, secret = self._required(form, "client_key"), self._required(form, "client_secret")
        client = self._client(client_key)
        unknown = client is None and bool(self._state.settings.clients)
        expected = None if client is None else client.client_secret
        if unknown or (expected is not None and not hmac.compare_digest(expected.encode(), secret.encode())):
            raise self._error("invalid_client", "Client key or secret is incorrect.")
        return client_key

    def _client(self, client_key: str) -> Client | None:
        return next((each for each in self._state.settings.clients if each.client_id == client_key), None)

    def _required(self, form: Mapping[str, str], name: str) -> str:
        value = form.get(name)
        if not value:
            raise self._error("invalid_request", f"The request parameters are malformed: {name} is missing.")
        return value

    def _error(self, name: str, description: str) -> RefusedError:
        return oauth_error(name, description, self._state.settings.oauth_error_status)


def _is_redirect_uri(uri: str) -> bool:
    """Absolute and static: https, or http to the loopback interface with a port."""
    try:
        parts = urlsplit(uri)
        local = parts.scheme == "http" and parts.hostname in _LOOPBACK and parts.port is not None
    except ValueError:
        return False
    return (
        len(uri) < _LONGEST_REDIRECT
        and (local or (parts.scheme == "https" and bool(parts.hostname)))
        and "?" not in uri
        and "#" not in uri
    )
