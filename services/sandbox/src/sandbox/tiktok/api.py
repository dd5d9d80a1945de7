"""The simulated TikTok: its routes, and what every call goes through."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import ClassVar

from sandbox.accounts import Account
from sandbox.faults import Fault, FaultName
from sandbox.platforms import NewAccount, Platform, UnfitAccountError
from sandbox.tiktok.display import Display
from sandbox.tiktok.errors import refused
from sandbox.tiktok.oauth import ACCESS_PREFIX, SCOPES, OAuth
from sandbox.tiktok.publishing import Publishing
from sandbox.tiktok.settings import TikTokSettings
from sandbox.tiktok.state import PLATFORM, Caller, State
from sandbox.tiktok.uploads import Uploads
from sandbox.tokens import AccessToken, RefreshToken
from sandbox.web import Request, Response, Route, Router, as_json
from sandbox.world import World

CallerHandler = Callable[[Request, Caller], Response]

_PUBLISH = "/v2/post/publish"


class TikTok(Platform):
    """Version 2 of TikTok's API under ``/tiktok``; its own paths are not served, LinkedIn's begin alike."""

    name: ClassVar[str] = PLATFORM
    prefix: ClassVar[str] = "/tiktok"
    roots: ClassVar[tuple[str, ...]] = ()
    foreign_faults: ClassVar[frozenset[FaultName]] = frozenset({"credits_depleted_402", "duplicate_refused"})

    settings: TikTokSettings

    def __init__(self, world: World) -> None:
        self._world = world
        self._state = State(world)
        self.settings = self._state.settings
        self._uploads = Uploads(self._state)
        oauth, publishing, display = OAuth(self._state), Publishing(self._state), Display(self._state)
        self.router = Router(
            (
                Route("GET", "/v2/auth/authorize/", "authorize", oauth.authorize),
                Route("POST", "/v2/oauth/token/", "token", oauth.token),
                Route("POST", "/v2/oauth/revoke/", "revoke", oauth.revoke),
                Route("PUT", "/upload/video/", "upload_append", self._uploads.put),
                self._route("GET", "/v2/user/info/", "me", display.user_info, None),
                self._route("POST", "/v2/video/list/", "timeline", display.list_videos, ("video.list",)),
                self._route("POST", "/v2/video/query/", "get_posts", display.query_videos, ("video.list",)),
                self._route(
                    "POST",
                    f"{_PUBLISH}/creator_info/query/",
                    "creator_info",
                    publishing.creator_info,
                    ("video.publish",),
                ),
                self._route(
                    "POST",
                    f"{_PUBLISH}/video/init/",
                    "upload_init",
                    publishing.initialize_video,
                    ("video.publish",),
                    budget="video_init",
                ),
                self._route(
                    "POST",
                    f"{_PUBLISH}/inbox/video/init/",
                    "upload_init",
                    publishing.initialize_inbox_video,
                    ("video.upload",),
                    budget="inbox_init",
                ),
                self._route(
                    "POST",
                    f"{_PUBLISH}/content/init/",
                    "create_post",
                    publishing.initialize_content,
                    ("video.publish", "video.upload"),
                    budget="content_init",
                ),
                self._route(
                    "POST",
                    f"{_PUBLISH}/status/fetch/",
                    "upload_status",
                    publishing.status,
                    ("video.publish", "video.upload"),
                ),
                self._route(
                    "POST",
                    f"{_PUBLISH}/cancel/",
                    "cancel_post",
                    publishing.cancel,
                    ("video.publish", "video.upload"),
                ),
            )
        )
        self.router.calls.add("upload_finalize")

    def open_account(self, new: NewAccount) -> Account:
        if new.kind not in (None, "user"):
            raise UnfitAccountError("TikTok has users only")
        account = Account(
            platform=self.name,
            id=str(uuid.uuid4()),
            username=new.username,
            display_name=new.display_name,
            followers=new.followers,
            kind="user",
            created_at=self._state.now,
        )
        self._world.accounts.add(account)
        return account

    def grant(
        self, account: Account, scopes: list[str] | None, expires_in: float | None
    ) -> tuple[AccessToken, RefreshToken | None]:
        granted = frozenset(SCOPES if scopes is None else scopes)
        lifetime = self.settings.access_token_seconds if expires_in is None else expires_in
        access = self._world.tokens.issue_access(account.id, granted, lifetime, prefix=ACCESS_PREFIX)
        return access, self._world.tokens.issue_refresh(account.id, granted, self.settings.refresh_token_seconds)

    def call_of(self, route: Route, request: Request) -> str:
        """What makes a post is ``create_post``: an init by which TikTok pulls, or the last chunk of an upload."""
        if route.method == "PUT":
            return "create_post" if self._uploads.is_last(request) else route.call
        if route.call == "upload_init" and b'"PULL_FROM_URL"' in request.body:
            return "create_post"
        return route.call

    def accounts_of(self, call: str, request: Request) -> list[str]:
        if request.method == "PUT":
            task = self._uploads.task_of(request)
            return [task.caller.account.id] if task is not None else []
        if call in ("token", "revoke"):
            form = request.form
            credential = form.get("refresh_token") or form.get("code") or form.get("token")
        else:
            credential = request.bearer
        holder = self._world.tokens.holder(credential) if credential else None
        return [holder] if holder else []

    def refusal(self, fault: Fault) -> Response:
        match fault.script.fault:
            case "rate_limited" | "rate_limited_without_headers":
                return refused("rate_limit_exceeded").response
            case "unauthorized_401":
                return refused("access_token_invalid").response
            case "forbidden_403" if fault.script.params.body is not None:
                return as_json(403, fault.script.params.body)
            case _:
                return refused("spam_risk_user_banned_from_posting").response

    def unknown_path(self) -> Response:
        return refused("unsupported_path").response

    def _route(
        self,
        method: str,
        path: str,
        call: str,
        handler: CallerHandler,
        scopes: tuple[str, ...] | None,
        *,
        budget: str | None = None,
    ) -> Route:
        """A call that needs a user's token with any of these scopes and spends a rate window."""

        def handle(request: Request) -> Response:
            caller = self._authenticated(request)
            limits = self.settings.rate_limits
            if not self._state.windows.spend(limits, budget or call, caller.token.value, self._state.now):
                raise refused("rate_limit_exceeded")
            if scopes is not None and caller.token.scopes.isdisjoint(scopes):
                raise refused("scope_not_authorized")
            return handler(request, caller)

        return Route(method, path, call, handle)

    def _authenticated(self, request: Request) -> Caller:
        """Raises RefusedError."""
        token = self._world.tokens.access(request.bearer or "")
        account = self._world.accounts.get(token.account) if token else None
        if token is None or account is None or account.platform != self.name:
            raise refused("access_token_invalid")
        if token.revoked or token.expires_at <= self._state.now:
            raise refused("access_token_invalid")
        return Caller(token, account)
