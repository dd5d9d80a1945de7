"""OAuth 2.0 of LinkedIn: three-legged authorization, refresh for partners, introspection."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from sandbox.consent import chosen_account, error_page, redirect
from sandbox.linkedin.errors import oauth_error
from sandbox.linkedin.state import PLATFORM, State
from sandbox.tokens import Client
from sandbox.web import Request, Response, as_json

TOKEN_PREFIX = "AQ"  # noqa: S105 - how LinkedIn's tokens begin
TOKEN_ENTROPY_BYTES = 370
_CODE_REFUSED = (
    "Unable to retrieve access token: appid/redirect uri/code verifier does not match authorization code. "
    "Or authorization code expired. Or external member binding exists"
)
_REFRESH_REFUSED = "The provided authorization grant or refresh token is invalid, expired or revoked."


class OAuth:
    """The calls that lead to tokens."""

    def __init__(self, state: State) -> None:
        self._state = state

    def authorize(self, request: Request) -> Response:
        """Send the member back with a code, after they chose an account."""
        query = request.query
        client = self._client(query.get("client_id", ""))
        redirect_uri = query.get("redirect_uri", "")
        if query.get("response_type") != "code" or not query.get("client_id") or not redirect_uri:
            return error_page("You need to pass response_type, client_id and redirect_uri")
        if client is None and self._state.settings.clients:
            return error_page("The passed in client_id is invalid")
        if client is not None and client.redirect_uris and redirect_uri not in client.redirect_uris:
            return error_page("The redirect_uri does not match the registered value")
        scopes = frozenset(query.get("scope", "").split())
        back = {"state": query["state"]} if "state" in query else {}
        refused = sorted(scopes - frozenset(client.scopes)) if client and client.scopes is not None else []
        if refused and query.get("prompt") != "none":
            description = f'Scope "{refused[0]}" is not authorized for your application'
            return redirect(
                redirect_uri,
                {"error": "unauthorized_scope_error", "error_description": description, **back},
            )
        members = [account for account in self._state.world.accounts.of(PLATFORM) if account.kind == "member"]
        chosen = chosen_account(request, "LinkedIn", members, self._state.settings.auto_approve)
        if chosen == "denied":
            description = "The user cancelled LinkedIn login"
            return redirect(
                redirect_uri,
                {"error": "user_cancelled_authorize", "error_description": description, **back},
            )
        code = self._state.world.tokens.issue_code(
            chosen.id,
            scopes.difference(refused),
            self._state.settings.code_seconds,
            client_id=query["client_id"],
            redirect_uri=redirect_uri,
        )
        return redirect(redirect_uri, {"code": code.value, **back})

    def access_token(self, request: Request) -> Response:
        form = request.form
        match _required(form, "grant_type"):
            case "authorization_code":
                return self._exchange(form)
            case "refresh_token":
                return self._refresh(form)
            case _:
                raise oauth_error("The grant type is not supported", "unsupported_grant_type")

    def introspect(self, request: Request) -> Response:
        self._check_client(request.form)
        token = self._state.world.tokens.access(_required(request.form, "token"))
        if token is None:
            return as_json(200, {"active": False})
        expired = token.expires_at <= self._state.now
        status = "revoked" if token.revoked else "expired" if expired else "active"
        return as_json(
            200,
            {
                "active": status == "active",
                "status": status,
                "scope": ",".join(sorted(token.scopes)),
                "client_id": token.client_id or request.form["client_id"],
                "created_at": int(token.issued_at),
                "authorized_at": int(token.issued_at),
                "expires_at": int(token.expires_at),
                "auth_type": "3L",
            },
        )

    def _exchange(self, form: Mapping[str, str]) -> Response:
        value, redirect_uri = _required(form, "code"), _required(form, "redirect_uri")
        client_id = self._check_client(form)
        tokens, settings = self._state.world.tokens, self._state.settings
        code = tokens.code(value)
        if code is None or code.client_id != client_id or code.redirect_uri != redirect_uri:
            raise oauth_error(_CODE_REFUSED)
        code.spent = True
        # Asking for another set of scopes invalidates what the member granted this app before.
        tokens.revoke_other_scopes(code.account, client_id, code.scopes)
        access = tokens.issue_access(
            code.account,
            code.scopes,
            settings.access_token_seconds,
            client_id=client_id,
            prefix=TOKEN_PREFIX,
            entropy_bytes=TOKEN_ENTROPY_BYTES,
        )
        answer: dict[str, object] = {
            "access_token": access.value,
            "expires_in": int(settings.access_token_seconds),
            "scope": settings.scope_separator.join(sorted(code.scopes)),
        }
        if settings.refresh_tokens:
            refresh = tokens.issue_refresh(
                code.account, code.scopes, settings.refresh_token_seconds, client_id=client_id
            )
            answer["refresh_token"] = refresh.value
            answer["refresh_token_expires_in"] = int(settings.refresh_token_seconds)
        return as_json(200, answer)

    def _refresh(self, form: Mapping[str, str]) -> Response:
        value, client_id = _required(form, "refresh_token"), self._check_client(form)
        tokens, settings = self._state.world.tokens, self._state.settings
        refresh = tokens.refresh(value)
        if refresh is None or refresh.client_id not in (None, client_id):
            raise oauth_error(_REFRESH_REFUSED)
        access = tokens.issue_access(
            refresh.account,
            refresh.scopes,
            settings.access_token_seconds,
            member=refresh.member,
            client_id=client_id,
            prefix=TOKEN_PREFIX,
            entropy_bytes=TOKEN_ENTROPY_BYTES,
        )
        answer: dict[str, object] = {
            "access_token": access.value,
            "expires_in": int(settings.access_token_seconds),
            "refresh_token": refresh.value,
            "scope": settings.scope_separator.join(sorted(refresh.scopes)),
        }
        if refresh.expires_at is not None:
            answer["refresh_token_expires_in"] = int(refresh.expires_at - self._state.now)
        return as_json(200, answer)

    def _check_client(self, form: Mapping[str, str]) -> str:
        """The client id, once its secret is right. Raises RefusedError."""
        client_id, secret = _required(form, "client_id"), _required(form, "client_secret")
        client = self._client(client_id)
        expected = client.client_secret if client is not None else None
        unknown = client is None and bool(self._state.settings.clients)
        wrong = expected is not None and not hmac.compare_digest(expected.encode(), secret.encode())
        if unknown or wrong:
            raise oauth_error("Client authentication failed", "invalid_client", 401)
        return client_id

    def _client(self, client_id: str) -> Client | None:
        for client in self._state.settings.clients:
            if client.client_id == client_id:
                return client
        return None


def _required(form: Mapping[str, str], name: str) -> str:
    value = form.get(name)
    if not value:
        raise oauth_error(f'A required parameter "{name}" is missing')
    return value
