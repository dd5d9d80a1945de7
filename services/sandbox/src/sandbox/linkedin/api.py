"""The simulated LinkedIn: its routes, and what every call goes through."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import ClassVar

import msgspec

from sandbox.accounts import Account
from sandbox.faults import Fault, FaultName
from sandbox.linkedin.errors import error, no_permission, throttled
from sandbox.linkedin.identity import Identity
from sandbox.linkedin.media import Media
from sandbox.linkedin.oauth import TOKEN_ENTROPY_BYTES, TOKEN_PREFIX, OAuth
from sandbox.linkedin.posts import Posts, duplicate
from sandbox.linkedin.quotas import Quotas
from sandbox.linkedin.restli import check_path
from sandbox.linkedin.settings import LinkedInSettings
from sandbox.linkedin.state import PLATFORM, Caller, State
from sandbox.linkedin.statistics import Statistics
from sandbox.mentions import NewMention
from sandbox.platforms import NewAccount, Platform, UnfitAccountError
from sandbox.tokens import AccessToken, RefreshToken
from sandbox.web import NOT_JSON, RefusedError, Request, Response, Route, Router, as_json
from sandbox.world import World

CallerHandler = Callable[[Request, Caller], Response]

_MEMBER_SCOPES = ("openid", "profile", "w_member_social")
_PAGE_SCOPES = ("w_organization_social", "r_organization_social", "rw_organization_admin", "r_basicprofile")
_PROTOCOL = "2.0.0"


class _Named(msgspec.Struct):
    """The members of any body that say whom a call acts for."""

    author: str = ""
    actor: str = ""


class _Owned(msgspec.Struct):
    owner: str = ""


class _Initialized(msgspec.Struct):
    initializeUploadRequest: _Owned = msgspec.field(default_factory=_Owned)  # noqa: N815 - LinkedIn's name


class LinkedIn(Platform):
    """Versioned REST under ``/linkedin`` and at its own paths."""

    name: ClassVar[str] = PLATFORM
    prefix: ClassVar[str] = "/linkedin"
    roots: ClassVar[tuple[str, ...]] = ("/rest/", "/v2/", "/oauth/v2/", "/dms-uploads/")
    foreign_faults: ClassVar[frozenset[FaultName]] = frozenset({"credits_depleted_402"})

    tells_mentions: ClassVar[bool] = True

    settings: LinkedInSettings

    def __init__(self, world: World) -> None:
        self._world = world
        self._state = State(world)
        self.settings = self._state.settings
        self._quotas = Quotas()
        self._media = Media(self._state)
        oauth, posts = OAuth(self._state), Posts(self._state)
        identity, statistics, media = Identity(self._state), Statistics(self._state), self._media
        self.router = Router(
            (
                Route("GET", "/oauth/v2/authorization", "authorize", oauth.authorize),
                Route("POST", "/oauth/v2/accessToken", "token", oauth.access_token),
                Route("POST", "/oauth/v2/introspectToken", "introspect", oauth.introspect),
                Route("PUT", "/dms-uploads/{asset}/{part}/{signature}", "upload_append", _traced(self._put)),
                self._unversioned("GET", "/v2/userinfo", "me", identity.userinfo),
                self._unversioned("GET", "/v2/me", "me", identity.me),
                self._versioned("GET", "/rest/me", "me", identity.me),
                self._unversioned("GET", "/v2/organizationAcls", "organizations", identity.roles),
                self._versioned("GET", "/rest/organizationAcls", "organizations", identity.roles),
                self._unversioned("GET", "/v2/organizations/{id}", "organizations", identity.organization),
                self._versioned("GET", "/rest/organizations/{id}", "organizations", identity.organization),
                self._unversioned("GET", "/v2/networkSizes/{urn}", "followers", identity.network_size),
                self._versioned("GET", "/rest/networkSizes/{urn}", "followers", identity.network_size),
                self._versioned("GET", "/rest/memberFollowersCount", "followers", identity.follower_count),
                self._versioned("POST", "/rest/posts", "create_post", posts.create),
                self._versioned("GET", "/rest/posts", "timeline", posts.find),
                self._versioned("GET", "/rest/posts/{urn}", "get_post", posts.get),
                self._versioned("DELETE", "/rest/posts/{urn}", "delete_post", posts.delete),
                self._versioned("POST", "/rest/socialActions/{urn}/comments", "create_comment", posts.comment),
                self._versioned("GET", "/rest/socialActions/{urn}/comments", "comments", posts.comments),
                self._versioned(
                    "DELETE", "/rest/socialActions/{urn}/comments/{id}", "delete_comment", posts.delete_comment
                ),
                self._versioned("POST", "/rest/images", "upload_init", media.images),
                self._versioned("GET", "/rest/images/{urn}", "upload_status", media.image_status),
                self._versioned("POST", "/rest/documents", "upload_init", media.documents),
                self._versioned("GET", "/rest/documents/{urn}", "upload_status", media.document_status),
                self._versioned("POST", "/rest/videos", "upload_init", media.video_action),
                self._versioned("GET", "/rest/videos/{urn}", "upload_status", media.video_status),
                self._versioned(
                    "GET", "/rest/organizationalEntityShareStatistics", "statistics", statistics.page_posts
                ),
                self._versioned("GET", "/rest/memberCreatorPostAnalytics", "statistics", statistics.member_post),
                self._versioned("GET", "/rest/socialActions/{urn}", "statistics", statistics.social_actions),
                self._versioned("GET", "/rest/organizationalEntityNotifications", "mentions", statistics.notifications),
            )
        )
        self.router.calls.add("upload_finalize")

    def open_account(self, new: NewAccount) -> Account:
        kind = new.kind or "member"
        if kind == "user":
            raise UnfitAccountError("LinkedIn has members and organizations")
        if kind == "member":
            return self._add(new, "member", f"urn:li:person:{secrets.token_hex(5)}", None)
        administrator = new.administrator
        if administrator is None:
            manager = NewAccount(self.name, f"{new.username}-admin", f"{new.display_name} Admin")
            administrator = self.open_account(manager).id
        elif self._world.accounts.get(administrator) is None:
            raise UnfitAccountError("there is no such administrator")
        number = 100_000_000 + secrets.randbelow(900_000_000)
        return self._add(new, "organization", f"urn:li:organization:{number}", administrator)

    def hear(self, account: Account, said: NewMention) -> str:
        return self._world.mentions.add(account.id, said, self._world.clock.now())

    def grant(
        self, account: Account, scopes: list[str] | None, expires_in: float | None
    ) -> tuple[AccessToken, RefreshToken | None]:
        defaults = _PAGE_SCOPES if account.kind == "organization" else _MEMBER_SCOPES
        granted = frozenset(defaults if scopes is None else scopes)
        lifetime = self.settings.access_token_seconds if expires_in is None else expires_in
        access = self._world.tokens.issue_access(
            account.id,
            granted,
            lifetime,
            member=account.administrator,
            prefix=TOKEN_PREFIX,
            entropy_bytes=TOKEN_ENTROPY_BYTES,
        )
        if not self.settings.refresh_tokens:
            return access, None
        return access, self._world.tokens.issue_refresh(
            account.id, granted, self.settings.refresh_token_seconds, member=account.administrator
        )

    def call_of(self, route: Route, request: Request) -> str:
        if request.query.get("action") == "finalizeUpload":
            return "upload_finalize"
        return route.call

    def accounts_of(self, call: str, request: Request) -> list[str]:
        if call == "token":
            credential = request.form.get("refresh_token") or request.form.get("code")
            holder = self._world.tokens.holder(credential) if credential else None
            return [holder] if holder else []
        token = self._world.tokens.access(request.bearer or "")
        accounts = [self._named(call, request), token.account if token else "", token.member if token else ""]
        return list(dict.fromkeys(account for account in accounts if account))

    def refusal(self, fault: Fault) -> Response:
        match fault.script.fault:
            case "rate_limited" | "rate_limited_without_headers":
                return throttled().response
            case "unauthorized_401":
                return _expired().response
            case "duplicate_refused":
                return duplicate(f"urn:li:share:{self._state.ids.next()}").response
            case "forbidden_403" if fault.script.params.body is not None:
                return as_json(403, fault.script.params.body)
            case _:
                return no_permission("partnerApiPostsExternal.CREATE.20260901").response

    def unknown_path(self) -> Response:
        return as_json(404, {"status": 404, "code": "NOT_FOUND", "message": "No virtual resource found"})

    def _named(self, call: str, request: Request) -> str:
        """The account that the request itself names, whoever's token it carries."""
        try:
            match call:
                case "create_post" | "create_comment":
                    named = msgspec.json.decode(request.body, type=_Named)
                    return named.author or named.actor
                case "upload_init":
                    return msgspec.json.decode(request.body, type=_Initialized).initializeUploadRequest.owner
                case "upload_append":
                    asset = self._media.addressed(request)
                    return asset.owner if asset else ""
                case "timeline":
                    return request.query.get("author", "")
                case _:
                    return ""
        except NOT_JSON:
            return ""

    def _add(self, new: NewAccount, kind: str, urn: str, administrator: str | None) -> Account:
        account = Account(
            platform=self.name,
            id=urn,
            username=new.username,
            display_name=new.display_name,
            followers=new.followers,
            kind="organization" if kind == "organization" else "member",
            created_at=self._state.now,
            administrator=administrator,
        )
        self._world.accounts.add(account)
        return account

    def _versioned(self, method: str, path: str, call: str, handler: CallerHandler) -> Route:
        """A ``/rest`` call: version, protocol, token, quota."""

        def handle(request: Request) -> Response:
            version = self._version(request)
            check_path(request)
            return self._answer(handler, request, version)

        return Route(method, path, call, _traced(handle))

    def _unversioned(self, method: str, path: str, call: str, handler: CallerHandler) -> Route:
        """A ``/v2`` call: token, quota."""

        def handle(request: Request) -> Response:
            return self._answer(handler, request, None)

        return Route(method, path, call, _traced(handle))

    def _answer(self, handler: CallerHandler, request: Request, version: str | None) -> Response:
        token = self._authenticated(request)
        self._spend(token)
        return handler(request, Caller(token, version))

    def _put(self, request: Request) -> Response:
        """A file on its way to its upload URL, which need not carry a token."""
        asset = self._media.addressed(request)
        if asset is not None:
            self._spend(asset.token)
        return self._media.put(request)

    def _spend(self, token: AccessToken) -> None:
        """Count a call. Raises RefusedError (429) beyond the day's quota."""
        app = token.client_id or "sandbox"
        if not self._quotas.spend(self.settings.rate_limits, token.member, app, self._state.now):
            raise throttled()

    def _version(self, request: Request) -> str:
        version = request.headers.get("linkedin-version")
        if version is None:
            raise error(
                400,
                "A version must be present. Please specify a version by adding the LinkedIn-Version header.",
                "VERSION_MISSING",
            )
        if version not in self.settings.active_versions:
            raise error(426, f"Requested version {version} is not active", "NONEXISTENT_VERSION")
        if request.headers.get("x-restli-protocol-version") != _PROTOCOL:
            raise error(400, f"X-RestLi-Protocol-Version must be {_PROTOCOL}", "ILLEGAL_ARGUMENT")
        return version

    def _authenticated(self, request: Request) -> AccessToken:
        if request.bearer is None:
            raise error(401, "Empty oauth2_access_token", service_code=401)
        token = self._world.tokens.access(request.bearer)
        account = self._world.accounts.get(token.account) if token else None
        if token is None or account is None or account.platform != self.name:
            raise error(401, "Invalid access token", "INVALID_ACCESS_TOKEN", 65600)
        fresh = self._state.now - token.issued_at < self.settings.fresh_token_delay_seconds
        if token.revoked or fresh:
            raise error(
                401,
                "The token used in the request has been revoked by the user",
                "REVOKED_ACCESS_TOKEN",
                65601,
            )
        if token.expires_at <= self._state.now:
            raise _expired()
        return token


def _expired() -> RefusedError:
    return error(401, "The token used in the request has expired", "EXPIRED_ACCESS_TOKEN", 65602)


def _traced(handler: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """Every answer carries the headers that LinkedIn's support asks for."""

    def handle(request: Request) -> Response:
        try:
            response = handler(request)
        except RefusedError as refused:
            response = refused.response
        response.headers |= {"x-li-uuid": secrets.token_hex(12), "x-li-fabric": "prod-lva1"}
        return response

    return handle
