"""The simulated YouTube: its routes, and what every call goes through."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import ClassVar

from sandbox.accounts import Account
from sandbox.faults import Fault, FaultName
from sandbox.platforms import NewAccount, Platform, UnfitAccountError
from sandbox.tokens import AccessToken, RefreshToken
from sandbox.web import RefusedError, Request, Response, Route, Router, as_json
from sandbox.world import World
from sandbox.youtube.analytics import Analytics
from sandbox.youtube.comments import Comments
from sandbox.youtube.errors import (
    bad_request,
    error,
    forbidden,
    insufficient_scopes,
    quota_exceeded,
    rate_limited,
    unauthorized,
)
from sandbox.youtube.library import Library
from sandbox.youtube.oauth import TOKEN_ENTROPY_BYTES, TOKEN_PREFIX, OAuth, may_sign_in
from sandbox.youtube.quotas import Bucket, Spending
from sandbox.youtube.settings import YouTubeSettings
from sandbox.youtube.state import PLATFORM, Caller, State
from sandbox.youtube.uploads import Uploads
from sandbox.youtube.videos import Videos

CallerHandler = Callable[[Request, Caller], Response]

_PREFIX = "https://www.googleapis.com/auth/"
_UPLOAD = ("youtube.upload", "youtube", "youtube.force-ssl", "youtubepartner")
_READ = ("youtube.readonly", "youtube", "youtube.force-ssl", "youtubepartner")
_MANAGE = ("youtube", "youtube.force-ssl", "youtubepartner")
_COMMENT = ("youtube.force-ssl",)
_ANALYTICS = (
    "yt-analytics.readonly",
    "yt-analytics-monetary.readonly",
    "youtube.readonly",
    "youtube",
    "youtubepartner",
)
_DEFAULT_SCOPES = (
    "openid",
    "email",
    "profile",
    *(_PREFIX + name for name in ("youtube.upload", "youtube.readonly", "youtube.force-ssl", "yt-analytics.readonly")),
)

_ANYWHERE = frozenset(
    ("$.xgafv", "access_token", "alt", "callback", "fields", "key", "oauth_token", "prettyPrint", "quotaUser")
) | {"uploadType", "upload_protocol", "upload_id", "onBehalfOfContentOwner", "onBehalfOfContentOwnerChannel"}
"""Query parameters that every call takes."""


class YouTube(Platform):
    """www.googleapis.com under ``/youtube``, with the hosts of Google's OAuth and of the Analytics API."""

    name: ClassVar[str] = PLATFORM
    prefix: ClassVar[str] = "/youtube"
    roots: ClassVar[tuple[str, ...]] = ()
    foreign_faults: ClassVar[frozenset[FaultName]] = frozenset({"credits_depleted_402", "duplicate_refused"})

    settings: YouTubeSettings

    def __init__(self, world: World) -> None:
        self._world = world
        self._state = State(world)
        self.settings = self._state.settings
        self._spending = Spending()
        self._uploads = Uploads(self._state)
        oauth, uploads, videos = OAuth(self._state), self._uploads, Videos(self._state)
        library, comments, analytics = Library(self._state), Comments(self._state), Analytics(self._state)
        data = "/youtube/v3"
        self.router = Router(
            (
                Route("GET", "/o/oauth2/v2/auth", "authorize", oauth.authorize),
                Route("POST", "/token", "token", oauth.token),
                Route("POST", "/revoke", "revoke", oauth.revoke),
                self._route("GET", "/oauth2/v2/userinfo", "userinfo", oauth.userinfo, scopes=(), cost=0),
                *(
                    route
                    for root in ("/upload", "/resumable/upload")
                    for route in (
                        self._route(
                            "POST",
                            f"{root}{data}/videos",
                            "upload_init",
                            uploads.open,
                            scopes=_UPLOAD,
                            bucket="uploads",
                            takes=("part", "notifySubscribers", "autoLevels", "stabilize"),
                        ),
                        self._route(
                            "PUT",
                            f"{root}{data}/videos",
                            "upload_append",
                            uploads.put,
                            scopes=_UPLOAD,
                            cost=0,
                            takes=("part", "notifySubscribers", "autoLevels", "stabilize"),
                        ),
                        self._route(
                            "POST",
                            f"{root}{data}/thumbnails/set",
                            "thumbnail",
                            uploads.set_thumbnail,
                            scopes=_UPLOAD,
                            cost=50,
                            takes=("videoId",),
                        ),
                    )
                ),
                self._route(
                    "GET",
                    f"{data}/videos",
                    "get_post",
                    videos.list,
                    scopes=_READ,
                    takes=("part", "id", "maxResults", "pageToken", "hl"),
                ),
                self._route(
                    "DELETE", f"{data}/videos", "delete_post", videos.delete, scopes=_MANAGE, cost=50, takes=("id",)
                ),
                self._route(
                    "GET",
                    f"{data}/videos:batchGetStats",
                    "statistics",
                    videos.statistics,
                    scopes=_READ,
                    bucket="statistics",
                    takes=("part", "id"),
                ),
                self._route(
                    "GET",
                    f"{data}/channels",
                    "me",
                    library.channels,
                    scopes=_READ,
                    takes=("part", "mine", "id", "forHandle", "maxResults", "pageToken", "hl"),
                ),
                self._route(
                    "GET",
                    f"{data}/playlists",
                    "playlists",
                    library.playlists,
                    scopes=_READ,
                    takes=("part", "mine", "channelId", "maxResults", "pageToken"),
                ),
                self._route(
                    "POST",
                    f"{data}/playlists",
                    "create_playlist",
                    library.add_playlist,
                    scopes=_MANAGE,
                    cost=50,
                    takes=("part",),
                ),
                self._route(
                    "GET",
                    f"{data}/playlistItems",
                    "timeline",
                    library.items,
                    scopes=_READ,
                    takes=("part", "playlistId", "videoId", "maxResults", "pageToken"),
                ),
                self._route(
                    "POST",
                    f"{data}/playlistItems",
                    "add_to_playlist",
                    library.add_item,
                    scopes=_MANAGE,
                    cost=50,
                    takes=("part",),
                ),
                self._route(
                    "GET",
                    f"{data}/videoCategories",
                    "categories",
                    library.categories,
                    scopes=_READ,
                    takes=("part", "id", "regionCode", "hl"),
                ),
                self._route(
                    "POST",
                    f"{data}/commentThreads",
                    "create_comment",
                    comments.add,
                    scopes=_COMMENT,
                    cost=50,
                    takes=("part",),
                ),
                self._route(
                    "GET",
                    f"{data}/commentThreads",
                    "comments",
                    comments.list,
                    scopes=_COMMENT,
                    takes=(
                        "part",
                        "videoId",
                        "allThreadsRelatedToChannelId",
                        "order",
                        "textFormat",
                        "maxResults",
                        "pageToken",
                    ),
                ),
                self._route(
                    "DELETE",
                    f"{data}/comments",
                    "delete_comment",
                    comments.delete,
                    scopes=_COMMENT,
                    cost=50,
                    takes=("id",),
                ),
                self._route(
                    "GET",
                    "/v2/reports",
                    "analytics",
                    analytics.reports,
                    scopes=_ANALYTICS,
                    cost=0,
                    takes=(
                        "ids",
                        "startDate",
                        "endDate",
                        "metrics",
                        "dimensions",
                        "filters",
                        "sort",
                        "maxResults",
                        "currency",
                    ),
                ),
            )
        )
        self.router.calls |= {"create_post", "upload_status", "upload_finalize"}

    def open_account(self, new: NewAccount) -> Account:
        if new.kind not in (None, "user"):
            raise UnfitAccountError("YouTube has channels only")
        account = Account(
            platform=self.name,
            id="UC" + secrets.token_urlsafe(16),
            username=new.username,
            display_name=new.display_name,
            followers=new.followers,
            kind="user",
            created_at=self._state.now,
            premium=new.premium,
        )
        self._world.accounts.add(account)
        return account

    def grant(
        self, account: Account, scopes: list[str] | None, expires_in: float | None
    ) -> tuple[AccessToken, RefreshToken | None]:
        granted = frozenset(_DEFAULT_SCOPES if scopes is None else scopes)
        lifetime = self.settings.access_token_seconds if expires_in is None else expires_in
        access = self._world.tokens.issue_access(
            account.id, granted, lifetime, prefix=TOKEN_PREFIX, entropy_bytes=TOKEN_ENTROPY_BYTES
        )
        return access, self._world.tokens.issue_refresh(account.id, granted, self.settings.refresh_token_seconds)

    def call_of(self, route: Route, request: Request) -> str:
        return self._uploads.call_of(request) if route.call == "upload_append" else route.call

    def accounts_of(self, call: str, request: Request) -> list[str]:
        if call in ("token", "revoke"):
            form = request.form
            credential = form.get("refresh_token") or form.get("code") or form.get("token")
        else:
            credential = request.bearer
        holder = self._world.tokens.holder(credential) if credential else None
        session = self._uploads.session_of(request)
        accounts = [holder or "", session.account if session else ""]
        return list(dict.fromkeys(account for account in accounts if account))

    def interrupted(self, request: Request) -> None:
        if request.method == "PUT":
            self._uploads.interrupted(request)

    def refusal(self, fault: Fault) -> Response:
        match fault.script.fault:
            case "rate_limited":
                return rate_limited(403)
            case "rate_limited_without_headers":
                return rate_limited(429)
            case "unauthorized_401":
                return unauthorized().response
            case "forbidden_403" if fault.script.params.body is not None:
                return as_json(403, fault.script.params.body)
            case _:
                return forbidden().response

    def unknown_path(self) -> Response:
        return error(404, "notFound", "Not Found").response

    def _route(
        self,
        method: str,
        path: str,
        call: str,
        handler: CallerHandler,
        *,
        scopes: tuple[str, ...],
        cost: int = 1,
        bucket: Bucket = "units",
        takes: tuple[str, ...] = (),
    ) -> Route:
        """A call that needs a token with one of these scopes, costs quota, and takes these query parameters."""

        def handle(request: Request) -> Response:
            try:
                token, account = self._authenticated(request)
                allowed = may_sign_in(token) if not scopes else any(_PREFIX + name in token.scopes for name in scopes)
                if not allowed:
                    raise insufficient_scopes()
                if not self._spending.spend(
                    self.settings.quotas, token.client_id or "sandbox", bucket, cost, self._state.now
                ):
                    raise quota_exceeded()
                for name in request.query:
                    if name not in _ANYWHERE and name not in takes:
                        raise bad_request(
                            f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter. '
                            "Field could not be found in request message."
                        )
                response = handler(request, Caller(token, account))
            except RefusedError as refused:
                response = refused.response
            if path.startswith(("/upload", "/resumable")):
                response.headers |= {"Server": "UploadServer", "X-GUploader-UploadID": secrets.token_urlsafe(20)}
            return response

        return Route(method, path, call, handle)

    def _authenticated(self, request: Request) -> tuple[AccessToken, Account]:
        """Raises RefusedError."""
        token = self._world.tokens.access(request.bearer or "")
        account = self._world.accounts.get(token.account) if token else None
        if token is None or account is None or account.platform != self.name:
            raise unauthorized()
        if token.revoked or token.expires_at <= self._state.now:
            raise unauthorized()
        return token, account
