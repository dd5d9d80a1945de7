"""Google's OAuth 2.0 for web server applications: consent, tokens, revocation, who it is.

developers.google.com/identity/protocols/oauth2/web-server
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping

from sandbox.consent import chosen_account, error_page, redirect
from sandbox.tokens import AccessToken, Client, verifier_matches
from sandbox.web import RefusedError, Request, Response, as_json
from sandbox.youtube.errors import oauth_error
from sandbox.youtube.state import PLATFORM, Caller, State

TOKEN_PREFIX = "ya29."  # noqa: S105 - how Google's access tokens begin
TOKEN_ENTROPY_BYTES = 160
_SIGN_IN = frozenset(("openid", "email", "profile"))
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_EXPIRED = "Token has been expired or revoked."


class OAuth:
    """The calls that lead to tokens."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._offline: set[str] = set()
        """Codes whose exchange gives a refresh token."""
        self._consented: set[tuple[str, str]] = set()
        """Accounts and clients that have had an offline consent."""

    def authorize(self, request: Request) -> Response:
        """Send the person back with a code, after they chose a channel."""
        query = request.query
        client_id, redirect_uri = query.get("client_id", ""), query.get("redirect_uri", "")
        client = self._client(client_id)
        if not client_id or (client is None and self._state.settings.clients):
            return error_page("Error 401: invalid_client. The OAuth client was not found.")
        if not redirect_uri or (
            client is not None and client.redirect_uris and redirect_uri not in client.redirect_uris
        ):
            return error_page("Error 400: redirect_uri_mismatch")
        asked = query.get("scope", "").split()
        if query.get("response_type") != "code" or not asked:
            return error_page("Error 400: invalid_request")
        if query.get("code_challenge_method", "S256") not in ("S256", "plain"):
            return error_page("Error 400: invalid_request. Invalid code_challenge_method.")
        accounts = self._state.world.accounts.of(PLATFORM)
        chosen = chosen_account(request, "YouTube", accounts, self._state.settings.auto_approve)
        back = {"state": query["state"]} if "state" in query else {}
        if chosen == "denied":
            return redirect(redirect_uri, {"error": "access_denied", **back})
        granted = frozenset(asked) - frozenset(self._state.settings.unticked_scopes)
        code = self._state.world.tokens.issue_code(
            chosen.id,
            granted,
            self._state.settings.code_seconds,
            client_id=client_id,
            redirect_uri=redirect_uri,
            challenge=query.get("code_challenge"),
            challenge_method=query.get("code_challenge_method", "plain"),
        )
        first = (chosen.id, client_id) not in self._consented
        if query.get("access_type") == "offline" and (first or "consent" in query.get("prompt", "").split()):
            self._offline.add(code.value)
            self._consented.add((chosen.id, client_id))
        return redirect(redirect_uri, {**back, "code": code.value, "scope": " ".join(sorted(granted))})

    def token(self, request: Request) -> Response:
        form = request.form
        match form.get("grant_type"):
            case "authorization_code":
                return self._exchange(form)
            case "refresh_token":
                return self._refresh(form)
            case _:
                raise oauth_error("Invalid grant_type: " + form.get("grant_type", ""), "unsupported_grant_type")

    def revoke(self, request: Request) -> Response:
        """Everything that the person granted this project ends."""
        value = request.form.get("token") or request.query.get("token", "")
        holder = self._state.world.tokens.holder(value)
        if holder is None:
            raise oauth_error("Token is invalid or expired.", "invalid_token")
        self._state.world.tokens.revoke_account(holder)
        self._consented = {pair for pair in self._consented if pair[0] != holder}
        return as_json(200, {})

    def userinfo(self, _request: Request, caller: Caller) -> Response:
        """The Google account behind the channel, as far as the scopes go."""
        number = str(int(hashlib.sha256(caller.account.id.encode()).hexdigest(), 16))[:21]
        person: dict[str, object] = {"id": number}
        if _granted(caller.token, "profile"):
            person |= {
                "name": caller.account.display_name,
                "given_name": caller.account.display_name,
                "picture": f"https://lh3.googleusercontent.com/a/{number}=s96-c",
            }
        if _granted(caller.token, "email"):
            person |= {"email": f"{caller.account.username}@gmail.com", "verified_email": True}
        return as_json(200, person)

    def _exchange(self, form: Mapping[str, str]) -> Response:
        client_id = self._check_client(form)
        code = self._state.world.tokens.code(_required(form, "code"))
        if code is None or code.client_id != client_id:
            raise oauth_error("Malformed auth code.", "invalid_grant")
        if _required(form, "redirect_uri") != code.redirect_uri:
            raise oauth_error("Bad Request", "redirect_uri_mismatch")
        if code.challenge is not None:
            verifier = form.get("code_verifier", "")
            if not verifier:
                raise oauth_error("Missing code verifier.", "invalid_grant")
            if not _VERIFIER.fullmatch(verifier) or not verifier_matches(code, verifier):
                raise oauth_error("Invalid code verifier.", "invalid_grant")
        code.spent = True
        answer = self._issued(code.account, code.scopes, client_id)
        if code.value in self._offline:
            self._offline.remove(code.value)
            lifetime = self._state.settings.refresh_token_seconds
            refresh = self._state.world.tokens.issue_refresh(code.account, code.scopes, lifetime, client_id=client_id)
            answer["refresh_token"] = refresh.value
            if lifetime is not None:
                answer["refresh_token_expires_in"] = int(lifetime)
        return as_json(200, answer)

    def _refresh(self, form: Mapping[str, str]) -> Response:
        """The refresh token stays as it is, and none is answered."""
        client_id = self._check_client(form)
        refresh = self._state.world.tokens.refresh(_required(form, "refresh_token"))
        if refresh is None:
            raise oauth_error(_EXPIRED, "invalid_grant")
        if refresh.client_id not in (None, client_id):
            raise oauth_error("Unauthorized", "unauthorized_client", 401)
        return as_json(200, self._issued(refresh.account, refresh.scopes, client_id))

    def _issued(self, account: str, scopes: frozenset[str], client_id: str) -> dict[str, object]:
        lifetime = self._state.settings.access_token_seconds
        access = self._state.world.tokens.issue_access(
            account, scopes, lifetime, client_id=client_id, prefix=TOKEN_PREFIX, entropy_bytes=TOKEN_ENTROPY_BYTES
        )
        return {
            "access_token": access.value,
            "expires_in": max(0, int(lifetime) - 1),
            "scope": " ".join(sorted(scopes)),
            "token_type": "Bearer",
        }

    def _check_client(self, form: Mapping[str, str]) -> str:
        """The client id, once its secret is right. Raises RefusedError."""
        client_id = _required(form, "client_id")
        secret = form.get("client_secret")
        client = self._client(client_id)
        if client is None and self._state.settings.clients:
            raise oauth_error("The OAuth client was not found.", "invalid_client", 401)
        if not secret:
            raise oauth_error("client_secret is missing.", "invalid_request")
        expected = client.client_secret if client is not None else None
        if expected is not None and not hmac.compare_digest(expected.encode(), secret.encode()):
            raise oauth_error("The provided client secret is invalid.", "invalid_client", 401)
        return client_id

    def _client(self, client_id: str) -> Client | None:
        for client in self._state.settings.clients:
            if client.client_id == client_id:
                return client
        return None


def _granted(token: AccessToken, name: str) -> bool:
    return name in token.scopes or f"https://www.googleapis.com/auth/userinfo.{name}" in token.scopes


def may_sign_in(token: AccessToken) -> bool:
    return bool(token.scopes & _SIGN_IN) or _granted(token, "profile") or _granted(token, "email")


def _required(form: Mapping[str, str], name: str) -> str:
    value = form.get(name)
    if not value:
        raise _missing(name)
    return value


def _missing(name: str) -> RefusedError:
    return oauth_error(f"Missing required parameter: {name}", "invalid_request")
