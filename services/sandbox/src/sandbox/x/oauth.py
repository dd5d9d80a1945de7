"""OAuth 2.0 with PKCE: authorize, token, revoke.

https://docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping

from sandbox.consent import chosen_account, error_page, redirect
from sandbox.tokens import Client, verifier_matches
from sandbox.web import Request, Response, as_json
from sandbox.x.problems import oauth_error
from sandbox.x.state import PLATFORM, State
from sandbox.x.vocabulary import SCOPES

_LONGEST_STATE = 500
_INVALID_TOKEN = "Value passed for the token was invalid."  # noqa: S105 - a message


class OAuth:
    """The calls that lead to tokens."""

    def __init__(self, state: State) -> None:
        self._state = state

    def authorize(self, request: Request) -> Response:
        """Send the person back with a code, after they chose an account."""
        query = request.query
        client = self._client(query.get("client_id", ""))
        redirect_uri = query.get("redirect_uri", "")
        scopes = frozenset(query.get("scope", "").split())
        wrong = _wrong_parameter(query, client, scopes)
        if wrong is not None:
            return error_page(f"You weren't able to give access to the App: {wrong}.")
        accounts = self._state.world.accounts.of(PLATFORM)
        chosen = chosen_account(request, "X", accounts, self._state.settings.auto_approve)
        back = {"state": query["state"]}
        if chosen == "denied":
            return redirect(redirect_uri, {**back, "error": "access_denied"})
        code = self._state.world.tokens.issue_code(
            chosen.id,
            scopes,
            self._state.settings.code_seconds,
            client_id=query["client_id"],
            redirect_uri=redirect_uri,
            challenge=query["code_challenge"],
            challenge_method=query.get("code_challenge_method", "plain"),
        )
        return redirect(redirect_uri, {**back, "code": code.value})

    def token(self, request: Request) -> Response:
        form = request.form
        client_id = self._authenticated_client(request)
        match form.get("grant_type"):
            case "authorization_code":
                return self._exchange(form, client_id)
            case "refresh_token":
                return self._refresh(form, client_id)
            case _:
                raise oauth_error("Missing or unsupported grant_type.", "unsupported_grant_type")

    def revoke(self, request: Request) -> Response:
        self._authenticated_client(request)
        self._state.world.tokens.revoke(_required(request.form, "token"))
        return as_json(200, {"revoked": True})

    def _exchange(self, form: Mapping[str, str], client_id: str) -> Response:
        code = self._state.world.tokens.code(_required(form, "code"))
        if code is None or code.client_id != client_id:
            raise oauth_error("Value passed for the authorization code was invalid.")
        if _required(form, "redirect_uri") != code.redirect_uri:
            raise oauth_error("Value passed for the redirect uri did not match the uri of the authorization code.")
        if not verifier_matches(code, _required(form, "code_verifier")):
            raise oauth_error("Value passed for the code verifier did not match the code challenge.")
        code.spent = True
        return self._issue(code.account, code.scopes, client_id)

    def _refresh(self, form: Mapping[str, str], client_id: str) -> Response:
        refresh = self._state.world.tokens.refresh(_required(form, "refresh_token"))
        if refresh is None or refresh.client_id not in (None, client_id):
            raise oauth_error(_INVALID_TOKEN)
        # Refresh tokens are single use: whoever loses the answer has lost the account.
        refresh.revoked = True
        return self._issue(refresh.account, refresh.scopes, client_id)

    def _issue(self, account: str, scopes: frozenset[str], client_id: str) -> Response:
        tokens, settings = self._state.world.tokens, self._state.settings
        access = tokens.issue_access(account, scopes, settings.access_token_seconds, client_id=client_id)
        answer: dict[str, object] = {
            "token_type": "bearer",
            "expires_in": int(settings.access_token_seconds),
            "access_token": access.value,
            "scope": " ".join(sorted(scopes)),
        }
        if "offline.access" in scopes:
            refresh = tokens.issue_refresh(account, scopes, settings.refresh_token_seconds, client_id=client_id)
            answer["refresh_token"] = refresh.value
        return as_json(200, answer)

    def _authenticated_client(self, request: Request) -> str:
        """The client id of a confidential (Basic) or public client. Raises RefusedError."""
        if request.media_type != "application/x-www-form-urlencoded":
            raise oauth_error("The request body must be application/x-www-form-urlencoded.")
        basic = _basic(request)
        client_id, secret = basic or (request.form.get("client_id", ""), None)
        if not client_id:
            raise oauth_error("Missing valid authorization header", "unauthorized_client", 401)
        client = self._client(client_id)
        if client is not None and client.client_secret is not None:
            if secret is None or not hmac.compare_digest(secret.encode(), client.client_secret.encode()):
                raise oauth_error("Missing valid authorization header", "unauthorized_client", 401)
        elif client is None and (self._state.settings.clients or secret == ""):
            raise oauth_error("Value passed for the client id was invalid.", "unauthorized_client", 401)
        return client_id

    def _client(self, client_id: str) -> Client | None:
        for client in self._state.settings.clients:
            if client.client_id == client_id:
                return client
        return None


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return client_id, secret


def _required(form: Mapping[str, str], name: str) -> str:
    value = form.get(name)
    if not value:
        raise oauth_error(f"Missing required parameter [{name}].")
    return value


def _wrong_parameter(query: Mapping[str, str], client: Client | None, scopes: frozenset[str]) -> str | None:
    """What is wrong with an authorization request; None when nothing is."""
    if query.get("response_type") != "code":
        return "response_type must be code"
    if not query.get("client_id") or not query.get("redirect_uri"):
        return "client_id and redirect_uri are required"
    if client is not None and client.redirect_uris and query["redirect_uri"] not in client.redirect_uris:
        return "redirect_uri is not registered"
    if not 0 < len(query.get("state", "")) <= _LONGEST_STATE:
        return f"state is required and has at most {_LONGEST_STATE} characters"
    if not query.get("code_challenge"):
        return "code_challenge is required"
    if query.get("code_challenge_method", "plain") not in ("S256", "plain"):
        return "code_challenge_method must be S256 or plain"
    if not scopes or not scopes <= SCOPES:
        return "scope names an unknown scope or none"
    if client is not None and client.scopes is not None and not scopes <= frozenset(client.scopes):
        return "scope names a scope that the app does not have"
    return None
