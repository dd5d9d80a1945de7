"""The simulated X: its routes, and what every call goes through."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import ClassVar

from sandbox.accounts import Account
from sandbox.faults import Fault
from sandbox.mentions import NewMention
from sandbox.platforms import NewAccount, Platform, UnfitAccountError
from sandbox.tokens import AccessToken, RefreshToken
from sandbox.web import RefusedError, Request, Response, Route, Router, as_json
from sandbox.world import World
from sandbox.x.limits import rate_headers
from sandbox.x.media import Media, command_of
from sandbox.x.oauth import OAuth
from sandbox.x.posts import Posts
from sandbox.x.problems import DUPLICATE, unknown_path
from sandbox.x.reads import Reads
from sandbox.x.settings import XSettings
from sandbox.x.state import PLATFORM, State

UserHandler = Callable[[Request, Account], Response]

_DEFAULT_SCOPES = ("tweet.read", "tweet.write", "users.read", "media.write", "offline.access")
_READ = ("tweet.read", "users.read")
_WRITE = (*_READ, "tweet.write")
_MEDIA = ("media.write",)
_COMMAND_CALLS = {"INIT": "upload_init", "APPEND": "upload_append", "FINALIZE": "upload_finalize"}


class X(Platform):
    """API v2 of X, under ``/x`` and at its own paths."""

    name: ClassVar[str] = PLATFORM
    prefix: ClassVar[str] = "/x"
    roots: ClassVar[tuple[str, ...]] = ("/2/", "/i/oauth2/")

    tells_mentions: ClassVar[bool] = True

    settings: XSettings

    def __init__(self, world: World) -> None:
        self._world = world
        self._state = State(world)
        self.settings = self._state.settings
        oauth, media = OAuth(self._state), Media(self._state)
        self._posts = posts = Posts(self._state)
        reads = Reads(self._state)
        self.router = Router(
            (
                Route("GET", "/i/oauth2/authorize", "authorize", oauth.authorize),
                Route("GET", "/2/oauth2/authorize", "authorize", oauth.authorize),
                Route("POST", "/2/oauth2/token", "token", oauth.token),
                Route("POST", "/2/oauth2/revoke", "revoke", oauth.revoke),
                self._route("GET", "/2/users/me", "me", reads.me, scopes=_READ),
                self._route("GET", "/2/users/{id}/tweets", "timeline", reads.timeline, scopes=_READ),
                self._route("GET", "/2/users/{id}/mentions", "mentions", reads.mentions, scopes=_READ),
                self._route("POST", "/2/tweets", "create_post", posts.create, scopes=_WRITE),
                self._route("GET", "/2/tweets", "get_posts", reads.posts, scopes=_READ),
                self._route("GET", "/2/tweets/{id}", "get_post", reads.post, scopes=_READ),
                self._route("DELETE", "/2/tweets/{id}", "delete_post", posts.delete, scopes=_WRITE),
                self._route("POST", "/2/media/upload", "upload_init", media.upload, scopes=_MEDIA, budget="upload"),
                self._route("GET", "/2/media/upload", "upload_status", media.status, scopes=_MEDIA),
                self._route("POST", "/2/media/upload/initialize", "upload_init", media.initialize, scopes=_MEDIA),
                self._route("POST", "/2/media/upload/{id}/append", "upload_append", media.append, scopes=_MEDIA),
                self._route("POST", "/2/media/upload/{id}/finalize", "upload_finalize", media.finalize, scopes=_MEDIA),
                self._route("POST", "/2/media/metadata", "alt_text", media.describe, scopes=_MEDIA),
            )
        )

    def open_account(self, new: NewAccount) -> Account:
        if new.kind not in (None, "user"):
            raise UnfitAccountError("X has users only")
        account = Account(
            platform=self.name,
            id=self._state.new_id(),
            username=new.username,
            display_name=new.display_name,
            followers=new.followers,
            kind="user",
            created_at=self._state.now,
            premium=new.premium,
        )
        self._world.accounts.add(account)
        return account

    def hear(self, account: Account, said: NewMention) -> str:
        known = (other for other in self._world.accounts.of(self.name) if other.username == said.author)
        author = next(known, None) or self.open_account(NewAccount(self.name, said.author, said.author))
        return self._posts.say(author, account, said)

    def grant(
        self, account: Account, scopes: list[str] | None, expires_in: float | None
    ) -> tuple[AccessToken, RefreshToken | None]:
        granted = frozenset(_DEFAULT_SCOPES if scopes is None else scopes)
        lifetime = self.settings.access_token_seconds if expires_in is None else expires_in
        access = self._world.tokens.issue_access(account.id, granted, lifetime)
        if "offline.access" not in granted:
            return access, None
        return access, self._world.tokens.issue_refresh(account.id, granted, self.settings.refresh_token_seconds)

    def call_of(self, route: Route, request: Request) -> str:
        if route.method == "POST" and route.path == "/2/media/upload":
            return _COMMAND_CALLS.get(command_of(request) or "INIT", route.call)
        return route.call

    def accounts_of(self, call: str, request: Request) -> list[str]:
        if call in ("token", "revoke"):
            form = request.form
            credential = form.get("refresh_token") or form.get("code") or form.get("token")
        else:
            credential = request.bearer
        holder = self._world.tokens.holder(credential) if credential else None
        return [holder] if holder else []

    def refusal(self, fault: Fault) -> Response:
        problems, params = self._state.problems, fault.script.params
        match fault.script.fault:
            case "rate_limited":
                response = problems.plain(429).response
                resets_at = self._state.now + params.lasting(self.settings.rate_limits.window_seconds)
                response.headers = {**_identity(), **rate_headers("x-rate-limit", 100, 0, resets_at)}
                return response
            case "rate_limited_without_headers":
                return problems.plain(429).response
            case "unauthorized_401":
                return problems.plain(401).response
            case "duplicate_refused":
                return problems.plain(403, DUPLICATE).response
            case "credits_depleted_402":
                return problems.credits_depleted().response
            case "forbidden_403" if params.body is not None:
                return as_json(403, params.body)
            case _:
                return problems.plain(403).response

    def unknown_path(self) -> Response:
        return unknown_path()

    def _route(
        self,
        method: str,
        path: str,
        call: str,
        handler: UserHandler,
        *,
        scopes: tuple[str, ...],
        budget: str | None = None,
    ) -> Route:
        """A call that needs a user's token with all of these scopes and spends a rate window."""

        def handle(request: Request) -> Response:
            token, account = self._authenticated(request)
            allowed, headers = self._state.windows.spend(
                self.settings.rate_limits,
                budget or call,
                account.id,
                token.client_id or "sandbox",
                self._state.now,
            )
            try:
                if not allowed:
                    raise self._state.problems.plain(429)
                if not token.scopes.issuperset(scopes):
                    raise self._state.problems.plain(403)
                response = handler(request, account)
            except RefusedError as refused:
                response = refused.response
            response.headers |= {**_identity(), **headers}
            return response

        return Route(method, path, call, handle)

    def _authenticated(self, request: Request) -> tuple[AccessToken, Account]:
        """The user of a request. Raises RefusedError, without rate headers as in production."""
        problems = self._state.problems
        if request.bearer is None:
            raise problems.plain(401)
        token = self._world.tokens.access(request.bearer)
        account = self._world.accounts.get(token.account) if token else None
        if token is None or account is None or account.platform != self.name:
            if self.settings.unknown_token_status == 403:
                raise problems.unsupported_authentication()
            raise problems.plain(401)
        if token.revoked:
            if self.settings.revoked_token_status == 403:
                raise problems.unsupported_authentication()
            raise problems.plain(401)
        if token.expires_at <= self._state.now:
            raise problems.plain(401)
        return token, account


def _identity() -> dict[str, str]:
    return {
        "api-version": "2.167",
        "x-access-level": "read-write",
        "x-transaction-id": secrets.token_hex(8),
    }
