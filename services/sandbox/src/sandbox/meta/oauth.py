"""Facebook Login and Instagram Login."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from sandbox.accounts import Account
from sandbox.consent import chosen_account, error_page, redirect
from sandbox.meta.errors import error, expired_token
from sandbox.meta.graph import Json, parameters, text
from sandbox.meta.state import INSTAGRAM, Caller, State
from sandbox.tokens import AccessToken, AuthorizationCode, Client
from sandbox.web import RefusedError, Request, Response, as_json

NEVER = float("inf")
_APP_MARK = "|"
_ENTROPY_BYTES = 130


def _client(clients: Sequence[Client], client_id: str) -> Client | None:
    return next((client for client in clients if client.client_id == client_id), None)


def _scopes(request: Request) -> frozenset[str]:
    return frozenset(scope for scope in request.query.get("scope", "").replace(" ", ",").split(",") if scope)


class FacebookLogin:
    def __init__(self, state: State) -> None:
        self._state = state
        self._page_tokens: dict[tuple[str, str], AccessToken] = {}

    def dialog(self, request: Request) -> Response:
        query, settings = request.query, self._state.facebook
        client_id, redirect_uri = query.get("client_id", ""), query.get("redirect_uri", "")
        client = _client(settings.clients, client_id)
        if not client_id or (settings.clients and client is None):
            return error_page("Invalid App ID: The provided app ID does not look like a valid app ID.")
        if not redirect_uri or (client and client.redirect_uris and redirect_uri not in client.redirect_uris):
            return error_page("URL blocked: the redirect URI is not in the app's list of valid OAuth redirect URIs.")
        back = {"state": query["state"]} if "state" in query else {}
        scopes = _scopes(request)
        unknown = sorted(scopes - set(client.scopes)) if client and client.scopes is not None else []
        if unknown:
            message = f"Invalid Scopes: {', '.join(unknown)}"
            return redirect(redirect_uri, {"error_code": "100", "error_message": message, **back})
        chosen = chosen_account(request, "Facebook", self._state.people(), settings.auto_approve)
        if chosen == "denied":
            return redirect(
                redirect_uri,
                {
                    "error": "access_denied",
                    "error_code": "200",
                    "error_description": "Permissions error",
                    "error_reason": "user_denied",
                    **back,
                },
            )
        code = self._state.world.tokens.issue_code(
            chosen.id, scopes, settings.code_seconds, client_id=client_id, redirect_uri=redirect_uri
        )
        answer = redirect(redirect_uri, {"code": code.value, **back})
        answer.headers["location"] += "#_=_"
        return answer

    def access_token(self, request: Request) -> Response:
        """A code or a short-lived token for a token; or an app's own token."""
        given = parameters(request)
        client_id = self._checked_client(given)
        settings, tokens = self._state.facebook, self._state.world.tokens
        match text(given, "grant_type"):
            case "fb_exchange_token":
                short = tokens.access(text(given, "fb_exchange_token") or "")
                if short is None or short.revoked or short.client_id not in (None, client_id):
                    raise error(190, "Invalid OAuth access token - Cannot parse access token")
                if short.expires_at <= self._state.now:
                    raise expired_token(400)
                return self._issued(short.account, short.scopes, client_id, settings.long_token_seconds)
            case "client_credentials":
                secret = text(given, "client_secret") or ""
                return as_json(200, {"access_token": f"{client_id}{_APP_MARK}{secret}", "token_type": "bearer"})
            case None | "authorization_code":
                code = tokens.code(text(given, "code") or "")
                if code is None or code.client_id != client_id:
                    message = "This authorization code has been used." if code is None else "Invalid verification code"
                    raise error(100, message, subcode=36009)
                if code.redirect_uri != text(given, "redirect_uri"):
                    raise error(
                        100,
                        "Error validating verification code. Please make sure your redirect_uri is identical to the "
                        "one you used in the OAuth dialog request",
                        subcode=36008,
                    )
                code.spent = True
                granted = code.scopes - set(settings.declined_scopes)
                return self._issued(code.account, granted, client_id, settings.short_token_seconds)
            case other:
                raise error(100, f"Unsupported grant type {other}")

    def _issued(self, account: str, scopes: frozenset[str], client_id: str, lifetime: float) -> Response:
        token = self._state.world.tokens.issue_access(
            account, scopes, lifetime, client_id=client_id, prefix="EAA", entropy_bytes=_ENTROPY_BYTES
        )
        return as_json(200, {"access_token": token.value, "token_type": "bearer", "expires_in": int(lifetime)})

    def _checked_client(self, given: Json) -> str:
        client_id, secret = text(given, "client_id"), text(given, "client_secret")
        if not client_id:
            raise error(101, "Missing client_id parameter.")
        client = _client(self._state.facebook.clients, client_id)
        if self._state.facebook.clients and client is None:
            raise error(101, "Error validating application. Cannot get application info due to a system error.")
        expected = client.client_secret if client else None
        if expected is not None and not hmac.compare_digest(expected.encode(), (secret or "").encode()):
            raise error(1, "Error validating client secret.")
        return client_id

    def page_token(self, page: Account, granted: AccessToken) -> AccessToken:
        """The Page's token for this person: for ever when theirs is long-lived."""
        long = granted.expires_at - granted.issued_at > self._state.facebook.short_token_seconds
        key = (page.id, granted.value)
        known = self._page_tokens.get(key)
        if known is None or known.revoked:
            known = self._state.world.tokens.issue_access(
                page.id,
                granted.scopes,
                NEVER if long else granted.expires_at - self._state.now,
                member=granted.member,
                client_id=granted.client_id,
                prefix="EAA",
                entropy_bytes=_ENTROPY_BYTES,
            )
            self._page_tokens[key] = known
        return known

    def permissions(self, _request: Request, caller: Caller) -> Response:
        granted = [{"permission": scope, "status": "granted"} for scope in sorted(caller.token.scopes)]
        declined = [
            {"permission": scope, "status": "declined"}
            for scope in self._state.facebook.declined_scopes
            if scope not in caller.token.scopes
        ]
        return as_json(200, {"data": granted + declined})

    def revoke(self, request: Request, caller: Caller) -> Response:
        """The person removes the app, or one permission of it."""
        if caller.account.kind != "user":
            raise error(100, "Page tokens cannot revoke permissions")
        name = request.path_parameters.get("permission")
        tokens = self._state.world.tokens
        if name is None:
            tokens.revoke_member(caller.token.member)
        else:
            caller.token.scopes -= {name}
        return as_json(200, {"success": True})

    def debug(self, request: Request) -> Response:
        given = parameters(request)
        token = self._state.world.tokens.access(text(given, "input_token") or "")
        asking = text(given, "access_token") or request.bearer or ""
        if _APP_MARK not in asking and self._state.world.tokens.access(asking) is None:
            raise error(100, "(#100) You must provide an app access token, or a user access token of the app")
        if token is None:
            problem = {"code": 190, "message": "Invalid OAuth access token - Cannot parse access token"}
            return as_json(200, {"data": {"error": problem, "is_valid": False, "scopes": []}})
        account = self._state.world.accounts.get(token.account)
        page = account is not None and account.kind == "page"
        data: Json = {
            "app_id": token.client_id or "0",
            "type": "PAGE" if page else "USER",
            "application": "Sandbox",
            "data_access_expires_at": int(token.issued_at + 7_776_000),
            "expires_at": 0 if token.expires_at == NEVER else int(token.expires_at),
            "issued_at": int(token.issued_at),
            "is_valid": not token.revoked and token.expires_at > self._state.now,
            "scopes": sorted(token.scopes),
            "granular_scopes": [{"scope": scope} for scope in sorted(token.scopes)],
            "user_id": token.member,
        }
        if page:
            data["profile_id"] = token.account
        return as_json(200, {"data": data})


class InstagramLogin:
    """Business Login for Instagram; its code exchange has errors of its own shape."""

    def __init__(self, state: State) -> None:
        self._state = state

    def authorize(self, request: Request) -> Response:
        query, settings = request.query, self._state.instagram
        client_id, redirect_uri = query.get("client_id", ""), query.get("redirect_uri", "")
        client = _client(settings.clients, client_id)
        if query.get("response_type") != "code" or not client_id or not redirect_uri:
            return error_page("Invalid Request: Request parameters are invalid")
        if settings.clients and client is None:
            return error_page("Invalid Request: Invalid platform app")
        if client and client.redirect_uris and redirect_uri not in client.redirect_uris:
            return error_page("Invalid Request: Invalid redirect_uri")
        back = {"state": query["state"]} if "state" in query else {}
        accounts = [each for each in self._state.world.accounts.of(INSTAGRAM) if each.administrator is None]
        chosen = chosen_account(request, "Instagram", accounts, settings.auto_approve)
        if chosen == "denied":
            return redirect(
                redirect_uri,
                {
                    "error": "access_denied",
                    "error_reason": "user_denied",
                    "error_description": "The user denied your request",
                    **back,
                },
            )
        code = self._state.world.tokens.issue_code(
            chosen.id, _scopes(request), settings.code_seconds, client_id=client_id, redirect_uri=redirect_uri
        )
        answer = redirect(redirect_uri, {"code": code.value, **back})
        answer.headers["location"] += "#_"
        return answer

    def exchange_code(self, request: Request) -> Response:
        given = parameters(request)
        client_id = text(given, "client_id") or ""
        client = _client(self._state.instagram.clients, client_id)
        if self._state.instagram.clients and client is None:
            raise self._refusal("Invalid platform app")
        expected = client.client_secret if client else None
        secret = text(given, "client_secret") or ""
        if not secret or (expected is not None and not hmac.compare_digest(expected.encode(), secret.encode())):
            raise self._refusal("Error validating client secret.")
        if text(given, "grant_type") != "authorization_code":
            raise self._refusal("Invalid grant_type: only authorization_code is supported")
        code = self._state.world.tokens.code(text(given, "code") or "")
        if code is None or code.client_id != client_id:
            raise self._refusal("Matching code was not found or was already used")
        if code.redirect_uri != text(given, "redirect_uri"):
            raise self._refusal(
                "Error validating verification code. Please make sure your redirect_uri is identical to the one you "
                "used in the OAuth dialog request"
            )
        code.spent = True
        answer = self._answer(code, client_id)
        return as_json(200, answer if self._state.instagram.code_answer == "flat" else {"data": [answer]})

    def _answer(self, code: AuthorizationCode, client_id: str) -> Json:
        token = self._state.world.tokens.issue_access(
            code.account,
            code.scopes,
            self._state.instagram.short_token_seconds,
            client_id=client_id,
            prefix="IGAA",
            entropy_bytes=_ENTROPY_BYTES,
        )
        permissions = ",".join(sorted(code.scopes))
        return {"access_token": token.value, "user_id": code.account, "permissions": permissions}

    def exchange_token(self, request: Request) -> Response:
        """A short-lived token for a long-lived one."""
        given = parameters(request)
        if text(given, "grant_type") != "ig_exchange_token":
            raise error(100, "Invalid grant_type")
        caller = self._state.caller(text(given, "access_token"), on_instagram=True)
        client = _client(self._state.instagram.clients, caller.token.client_id or "")
        secret = text(given, "client_secret")
        if not secret or (client and client.client_secret is not None and client.client_secret != secret):
            raise error(101, "Error validating client secret.")
        return self._long(caller.token)

    def refresh(self, request: Request) -> Response:
        """A long-lived token for a newer one. The old one stays valid until it expires."""
        given = parameters(request)
        if text(given, "grant_type") != "ig_refresh_token":
            raise error(100, "Invalid grant_type")
        token = self._state.caller(text(given, "access_token"), on_instagram=True).token
        if "instagram_business_basic" not in token.scopes:
            raise error(10, "(#10) Application does not have permission for this action", status=403)
        if self._state.now - token.issued_at < self._state.instagram.refresh_after_seconds:
            raise error(190, "The access token must be at least 24 hours old to be refreshed")
        return self._long(token)

    def _long(self, token: AccessToken) -> Response:
        lifetime = self._state.instagram.long_token_seconds
        long = self._state.world.tokens.issue_access(
            token.account,
            token.scopes,
            lifetime,
            client_id=token.client_id,
            prefix="IGAA",
            entropy_bytes=_ENTROPY_BYTES,
        )
        return as_json(
            200,
            {
                "access_token": long.value,
                "token_type": "bearer",
                "expires_in": int(lifetime),
                "permissions": ",".join(sorted(token.scopes)),
            },
        )

    @staticmethod
    def _refusal(message: str) -> RefusedError:
        return RefusedError(as_json(400, {"error_type": "OAuthException", "code": 400, "error_message": message}))
