"""The simulated graph.facebook.com and graph.instagram.com: their routes, and what every call goes through."""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Callable
from typing import ClassVar

import msgspec

from sandbox.accounts import Account
from sandbox.faults import Fault, FaultName
from sandbox.mentions import NewMention
from sandbox.meta.errors import error, expired_token, missing_object, permission
from sandbox.meta.graph import GraphRouter, Json, flag, paged, parameters, text
from sandbox.meta.insights import Insights
from sandbox.meta.instagram import Instagram as Publishing
from sandbox.meta.oauth import NEVER, FacebookLogin, InstagramLogin
from sandbox.meta.pages import Pages, duplicate, picture
from sandbox.meta.settings import FacebookSettings, InstagramSettings, RateLimits
from sandbox.meta.state import DAY, FACEBOOK, INSTAGRAM, Caller, State
from sandbox.meta.tagging import tag, tagged
from sandbox.meta.videos import Videos, take_bytes
from sandbox.platforms import NewAccount, Platform, UnfitAccountError
from sandbox.tokens import AccessToken, RefreshToken
from sandbox.web import RefusedError, Request, Response, Route, as_json
from sandbox.world import World

CallerHandler = Callable[[Request, Caller], Response]

_PAGE_SCOPES = (
    "pages_show_list",
    "pages_manage_posts",
    "pages_read_engagement",
    "pages_manage_engagement",
    "pages_read_user_content",
    "read_insights",
)
_INSTAGRAM_SCOPES_OF_FACEBOOK = (
    "instagram_basic",
    "instagram_content_publish",
    "instagram_manage_comments",
    "instagram_manage_insights",
    "pages_show_list",
    "pages_read_engagement",
)
_INSTAGRAM_SCOPES = (
    "instagram_business_basic",
    "instagram_business_content_publish",
    "instagram_business_manage_comments",
    "instagram_business_manage_insights",
)
_PHASES = {"start": "upload_init", "transfer": "upload_append", "finish": "create_post", None: "create_post"}
_BUC = {FACEBOOK: ("pages", 80001), INSTAGRAM: ("instagram", 80002)}


class _Host(Platform):
    """What both hosts do alike."""

    on_instagram: ClassVar[bool]
    tells_mentions: ClassVar[bool] = True

    def __init__(self, state: State) -> None:
        self._state = state
        self._world = state.world

    def name_for(self, accounts: list[str]) -> str:
        known = [account for name in accounts if (account := self._world.accounts.get(name)) is not None]
        return known[0].platform if known else self.name

    def accounts_of(self, call: str, request: Request) -> list[str]:
        node = request.path_parameters.get("id", "")
        token = self._world.tokens.access(_credential(request) or "")
        named = [self._state.owner_of(node), token.account if token else None, token.member if token else None]
        if call == "token":
            named.append(self._world.tokens.holder(text(parameters(request), "code") or ""))
        return list(dict.fromkeys(name for name in named if name))

    def hear(self, account: Account, said: NewMention) -> str:
        return self._world.mentions.add(account.id, said, self._world.clock.now())

    def unknown_path(self) -> Response:
        return error(2500, "Unknown path components").response

    def refusal(self, fault: Fault) -> Response:
        params = fault.script.params
        match fault.script.fault:
            case "rate_limited" | "rate_limited_without_headers":
                response = self._throttled().response
                if fault.script.fault == "rate_limited":
                    minutes = max(1, math.ceil(params.lasting(300.0) / 60))
                    response.headers |= _usage(fault.script.account, self.name, 100, minutes)
                return response
            case "unauthorized_401":
                return expired_token(self._state.facebook.error_status).response
            case "duplicate_refused":
                return duplicate().response
            case "forbidden_403" if params.body is not None:
                return as_json(403, params.body)
            case _:
                return permission("Requires sufficient administrative permission").response

    def _throttled(self) -> RefusedError:
        kind, code = _BUC[self.name]
        what = "page" if kind == "pages" else "Instagram account"
        message = f"(#{code}) There have been too many calls to this {what}. Wait a bit and try again."
        return error(code, message, status=self._state.facebook.throttle_status)

    def _route(self, method: str, path: str, call: str, handler: CallerHandler) -> Route:
        """A call that needs a token and counts against the account's limit."""

        def handle(request: Request) -> Response:
            caller = self._state.caller(_credential(request), on_instagram=self.on_instagram)
            self._check_proof(request, caller.token)
            headers = self._spend(request, caller)
            try:
                response = handler(request, caller)
            except RefusedError as refused:
                response = refused.response
            response.headers |= {"facebook-api-version": "v26.0", **headers}
            return response

        return Route(method, path, call, handle)

    def _limits(self) -> RateLimits:
        return (self._state.instagram if self.name == INSTAGRAM else self._state.facebook).rate_limits

    def _spend(self, request: Request, caller: Caller) -> dict[str, str]:
        """Counts a call, and the headers that tell of it. Raises RefusedError beyond the limit."""
        limits, now = self._limits(), self._state.now
        account = self._state.owner_of(request.path_parameters.get("id", "")) or caller.account.id
        calls = self._state.calls[account]
        calls[:] = [at for at in calls if at > now - DAY]
        if not limits.enabled:
            return {}
        percent = len(calls) * 100 // limits.calls
        if percent >= 100:
            minutes = math.ceil((calls[0] + DAY - now) / 60)
            refused = self._throttled()
            refused.response.headers |= _usage(account, self.name, 100, minutes)
            raise refused
        calls.append(now)
        return _usage(account, self.name, percent, 0) if percent >= limits.shown_from else {}

    def _check_proof(self, request: Request, token: AccessToken) -> None:
        """``appsecret_proof``: the token's HMAC under the app's secret, where it is given."""
        proof = text(parameters(request), "appsecret_proof")
        clients = self._state.instagram.clients if self.on_instagram else self._state.facebook.clients
        client = next((each for each in clients if each.client_id == token.client_id), None)
        if proof is None or client is None or client.client_secret is None:
            return
        expected = hmac.new(client.client_secret.encode(), token.value.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, proof):
            raise error(100, "Invalid appsecret_proof provided in the API argument", kind="GraphMethodException")


class Facebook(_Host):
    """graph.facebook.com, rupload.facebook.com and the dialog, under ``/facebook`` and at their own paths."""

    name: ClassVar[str] = FACEBOOK
    prefix: ClassVar[str] = "/facebook"
    roots: ClassVar[tuple[str, ...]] = (
        *(f"/v{version}.0/" for version in range(20, 27)),
        "/video-upload/",
        "/ig-api-upload/",
    )
    foreign_faults: ClassVar[frozenset[FaultName]] = frozenset({"credits_depleted_402"})
    on_instagram: ClassVar[bool] = False

    settings: FacebookSettings

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.settings = state.facebook
        self._login = login = FacebookLogin(state)
        self._pages = pages = Pages(state)
        self._videos = videos = Videos(state, pages)
        self._publishing = publishing = Publishing(state)
        self._insights = Insights(state)
        self.router = GraphRouter(
            (
                Route("GET", "/dialog/oauth", "authorize", login.dialog),
                Route("GET", "/oauth/access_token", "token", login.access_token),
                Route("POST", "/oauth/access_token", "token", login.access_token),
                Route("GET", "/debug_token", "debug_token", login.debug),
                self._route("GET", "/me", "me", self._read),
                self._route("GET", "/me/permissions", "permissions", login.permissions),
                self._route("DELETE", "/me/permissions", "revoke", login.revoke),
                self._route("GET", "/me/accounts", "accounts", self._accounts),
                self._route("GET", "/me/businesses", "accounts", _nothing),
                self._route("GET", "/{id}/permissions", "permissions", login.permissions),
                self._route("DELETE", "/{id}/permissions", "revoke", login.revoke),
                self._route("DELETE", "/{id}/permissions/{permission}", "revoke", login.revoke),
                self._route("GET", "/{id}/accounts", "accounts", self._accounts),
                self._route("POST", "/video-upload/{version}/{id}", "upload_append", videos.upload),
                self._route("POST", "/ig-api-upload/{version}/{id}", "upload_append", publishing.upload),
                self._route("POST", "/{id}/feed", "create_post", pages.create_post),
                self._route("GET", "/{id}/feed", "timeline", pages.posts),
                self._route("GET", "/{id}/posts", "timeline", pages.posts),
                self._route("GET", "/{id}/published_posts", "timeline", pages.posts),
                self._route("POST", "/{id}/photos", "create_post", pages.create_photo),
                self._route("POST", "/{id}/videos", "create_post", videos.videos),
                self._route("POST", "/{id}/video_reels", "create_post", videos.reels),
                self._route("GET", "/{id}/video_reels", "timeline", pages.reels),
                self._route("POST", "/{id}/video_stories", "create_post", videos.stories),
                self._route("POST", "/{id}/photo_stories", "create_post", pages.create_photo_story),
                self._route("GET", "/{id}/stories", "stories", self._stories),
                self._route("POST", "/{id}/media", "upload_init", publishing.create),
                self._route("GET", "/{id}/media", "timeline", publishing.media),
                self._route("POST", "/{id}/media_publish", "create_post", publishing.publish),
                self._route("GET", "/{id}/content_publishing_limit", "quota", publishing.limit),
                self._route("POST", "/{id}/comments", "create_comment", self._comment),
                self._route("GET", "/{id}/comments", "comments", self._comments),
                self._route("GET", "/{id}/insights", "insights", self._insight),
                self._route("GET", "/{id}/tagged", "mentions", self._tagged),
                self._route("GET", "/{id}/tags", "mentions", self._tagged),
                self._route("GET", "/{id}/video_insights", "insights", self._video_insight),
                self._route("POST", "/{id}", "edit_post", pages.edit),
                self._route("DELETE", "/{id}", "delete_post", self._delete),
                self._route("GET", "/{id}", "get_post", self._read),
            )
        )
        self.router.calls |= {"upload_finalize", "upload_status"}

    def open_account(self, new: NewAccount) -> Account:
        kind = new.kind or "page"
        if kind not in ("user", "page"):
            raise UnfitAccountError("Facebook has users and pages")
        administrator = new.administrator
        if kind == "page" and administrator is None:
            manager = NewAccount(self.name, f"{new.username}-admin", f"{new.display_name} Admin", kind="user")
            administrator = self.open_account(manager).id
        elif kind == "page" and self._world.accounts.get(administrator or "") is None:
            raise UnfitAccountError("there is no such administrator")
        account = Account(
            platform=self.name,
            id=self._state.new_id("1" if kind == "page" else "7", 15),
            username=new.username,
            display_name=new.display_name,
            followers=new.followers,
            kind=kind,
            created_at=self._state.now,
            administrator=administrator,
        )
        self._world.accounts.add(account)
        return account

    def grant(
        self, account: Account, scopes: list[str] | None, expires_in: float | None
    ) -> tuple[AccessToken, RefreshToken | None]:
        lifetime = NEVER if account.kind == "page" else self.settings.long_token_seconds
        token = self._world.tokens.issue_access(
            account.id,
            frozenset((*_PAGE_SCOPES, *_INSTAGRAM_SCOPES_OF_FACEBOOK) if scopes is None else scopes),
            lifetime if expires_in is None else expires_in,
            member=account.administrator,
            prefix="EAA",
        )
        return token, None

    def call_of(self, route: Route, request: Request) -> str:
        edge = route.path.rpartition("/")[2]
        node = request.path_parameters.get("id", "")
        try:
            given = parameters(request) if route.method == "POST" else {}
        except RefusedError:
            given = {}
        match route.method, edge:
            case "POST", "photos":
                return "create_post" if flag(given, "published", default=True) else "upload_init"
            case "POST", "videos" | "video_reels" | "video_stories":
                return _PHASES.get(text(given, "upload_phase"), route.call)
            case "GET", "{id}" if node in self._state.videos or node in self._state.containers:
                return "upload_status"
            case "GET", "{id}" if self._world.accounts.get(node) is not None:
                return "me"
        return route.call

    def interrupted(self, request: Request) -> None:
        """rupload keeps what it has received."""
        node = request.path_parameters.get("id", "")
        into = self._state.videos.get(node) or self._state.containers.get(node)
        if into is None or "-upload/" not in request.path:
            return
        try:
            take_bytes(request, into, request.body)
        except RefusedError:
            return

    # --- nodes of several kinds -----------------------------------------------------------------------------

    def _read(self, request: Request, caller: Caller) -> Response:
        node = request.path_parameters.get("id", "me")
        account = caller.account if node == "me" else self._world.accounts.get(node)
        if account is not None:
            return self._profile(request, caller, account)
        if (photo := self._state.photos.get(node)) is not None:
            return self._pages.read_photo(request, caller, photo)
        if (video := self._state.videos.get(node)) is not None:
            return self._videos.read(request, caller, video)
        if (container := self._state.containers.get(node)) is not None:
            return self._publishing.status(request, caller, container)
        if self._is_instagram(node):
            return self._publishing.read(request, caller)
        return self._pages.read_post(request, caller)

    def _profile(self, request: Request, caller: Caller, account: Account) -> Response:
        if account.platform == INSTAGRAM:
            return self._publishing.profile(request, self._publishing.own(caller, account.id))
        if account.kind == "page":
            self._pages.own(caller, account.id)
            token = self._login.page_token(account, caller.token) if caller.account.kind == "user" else caller.token
            return self._pages.profile(request, account, token.value)
        if account.id != caller.account.id:
            raise missing_object(account.id)
        shown: Json = {"id": account.id, "name": account.display_name}
        if "picture" in request.query.get("fields", ""):
            shown["picture"] = picture(account)
        return as_json(200, shown)

    def _is_instagram(self, node: str) -> bool:
        entry = self._state.entries.get(node)
        return entry is not None and entry.post.platform == INSTAGRAM

    def _accounts(self, request: Request, caller: Caller) -> Response:
        """``GET /me/accounts``: the Pages of a person, each with its own token"""
        if caller.account.kind != "user" or "pages_show_list" not in caller.token.scopes:
            return as_json(200, {"data": []})
        default = "access_token,category,category_list,name,tasks"
        shown = [
            self._pages.shown_page(
                page, request.query.get("fields"), default, self._login.page_token(page, caller.token).value
            )
            for page in self._state.pages_of(caller.account.id)
        ]
        return paged(request, shown)

    def _stories(self, request: Request, caller: Caller) -> Response:
        account = self._world.accounts.get(request.path_parameters["id"])
        of_instagram = account is not None and account.platform == INSTAGRAM
        return (self._publishing if of_instagram else self._pages).stories(request, caller)

    def _comment(self, request: Request, caller: Caller) -> Response:
        of_instagram = self._is_instagram(request.path_parameters["id"])
        return (self._publishing if of_instagram else self._pages).comment(request, caller)

    def _comments(self, request: Request, caller: Caller) -> Response:
        of_instagram = self._is_instagram(request.path_parameters["id"])
        return (self._publishing if of_instagram else self._pages).comments(request, caller)

    def _delete(self, request: Request, caller: Caller) -> Response:
        of_instagram = self._is_instagram(request.path_parameters["id"])
        return (self._publishing if of_instagram else self._pages).delete(request, caller)

    def _tagged(self, request: Request, caller: Caller) -> Response:
        """``GET /{page-id}/tagged``, ``GET /{ig-id}/tags``: posts of others that mention the account"""
        account = self._world.accounts.get(request.path_parameters["id"])
        if account is not None and account.platform == INSTAGRAM:
            self._publishing.own(caller, account.id)
            return paged(request, [tag(heard) for heard in self._world.mentions.of(account.id)])
        page = self._pages.own(caller, request.path_parameters["id"])
        return paged(request, [tagged(heard) for heard in self._world.mentions.of(page.id)])

    def _insight(self, request: Request, caller: Caller) -> Response:
        node = request.path_parameters["id"]
        account = self._world.accounts.get(node)
        if account is not None and account.platform == INSTAGRAM:
            return self._insights.account(request, self._publishing.own(caller, node))
        if account is not None:
            return self._insights.page(request, self._pages.own(caller, node))
        if self._is_instagram(node):
            return self._insights.media(request, self._publishing.own_entry(node, caller))
        entry = self._state.visible_entry(node)
        self._pages.own(caller, entry.post.account)
        return self._insights.post(request, entry)

    def _video_insight(self, request: Request, caller: Caller) -> Response:
        entry = self._state.visible_entry(request.path_parameters["id"])
        self._pages.own(caller, entry.post.account)
        if entry.post.id not in self._state.videos:
            raise missing_object(entry.post.id)
        return self._insights.video(request, entry)


class InstagramHost(_Host):
    """graph.instagram.com, api.instagram.com and www.instagram.com, under ``/instagram``."""

    name: ClassVar[str] = INSTAGRAM
    prefix: ClassVar[str] = "/instagram"
    roots: ClassVar[tuple[str, ...]] = ()
    foreign_faults: ClassVar[frozenset[FaultName]] = frozenset({"credits_depleted_402", "duplicate_refused"})
    on_instagram: ClassVar[bool] = True

    settings: InstagramSettings

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.settings = state.instagram
        login = InstagramLogin(state)
        self._publishing = publishing = Publishing(state)
        self._insights = Insights(state)
        self.router = GraphRouter(
            (
                Route("GET", "/oauth/authorize", "authorize", login.authorize),
                Route("POST", "/oauth/access_token", "token", login.exchange_code),
                Route("GET", "/access_token", "token", login.exchange_token),
                Route("GET", "/refresh_access_token", "token", login.refresh),
                self._route("GET", "/me", "me", self._read),
                self._route("POST", "/{id}/media", "upload_init", publishing.create),
                self._route("GET", "/{id}/media", "timeline", publishing.media),
                self._route("GET", "/{id}/stories", "stories", publishing.stories),
                self._route("POST", "/{id}/media_publish", "create_post", publishing.publish),
                self._route("GET", "/{id}/content_publishing_limit", "quota", publishing.limit),
                self._route("POST", "/{id}/comments", "create_comment", publishing.comment),
                self._route("GET", "/{id}/comments", "comments", publishing.comments),
                self._route("GET", "/{id}/insights", "insights", self._insight),
                self._route("DELETE", "/{id}", "delete_post", publishing.delete),
                self._route("GET", "/{id}", "get_post", self._read),
            )
        )
        self.router.calls |= {"upload_append", "upload_finalize", "upload_status"}

    def open_account(self, new: NewAccount) -> Account:
        """With a Page as ``administrator`` the account is linked to it, and used with Facebook Login."""
        kind = new.kind or "business"
        if kind not in ("business", "creator"):
            raise UnfitAccountError("Instagram publishes for business and creator accounts only")
        if new.administrator is not None and self._state.page(new.administrator) is None:
            raise UnfitAccountError("an Instagram account is linked to a Page, and there is no such Page")
        account = Account(
            platform=self.name,
            id=self._state.new_id("17841", 17),
            username=new.username,
            display_name=new.display_name,
            followers=new.followers,
            kind=kind,
            created_at=self._state.now,
            administrator=new.administrator,
        )
        self._world.accounts.add(account)
        return account

    def grant(
        self, account: Account, scopes: list[str] | None, expires_in: float | None
    ) -> tuple[AccessToken, RefreshToken | None]:
        page = self._state.page(account.administrator or "")
        if page is not None:
            token = self._world.tokens.issue_access(
                page.id,
                frozenset(_INSTAGRAM_SCOPES_OF_FACEBOOK if scopes is None else scopes),
                NEVER if expires_in is None else expires_in,
                member=page.administrator,
                prefix="EAA",
            )
            return token, None
        token = self._world.tokens.issue_access(
            account.id,
            frozenset(_INSTAGRAM_SCOPES if scopes is None else scopes),
            self.settings.long_token_seconds if expires_in is None else expires_in,
            prefix="IGAA",
        )
        return token, None

    def call_of(self, route: Route, request: Request) -> str:
        node = request.path_parameters.get("id", "")
        if route.method == "GET" and route.path == "/{id}":
            if node in self._state.containers:
                return "upload_status"
            if self._world.accounts.get(node) is not None:
                return "me"
        return route.call

    def _read(self, request: Request, caller: Caller) -> Response:
        node = request.path_parameters.get("id", "me")
        if node in ("me", caller.account.id):
            return self._publishing.profile(request, caller.account)
        container = self._state.containers.get(node)
        if container is not None:
            return self._publishing.status(request, caller, container)
        return self._publishing.read(request, caller)

    def _insight(self, request: Request, caller: Caller) -> Response:
        node = request.path_parameters["id"]
        if node in ("me", caller.account.id):
            return self._insights.account(request, caller.account)
        return self._insights.media(request, self._publishing.own_entry(node, caller))


def platforms(world: World) -> tuple[Facebook, InstagramHost]:
    """Both hosts, over one state."""
    state = State(world)
    return Facebook(state), InstagramHost(state)


def _nothing(_request: Request, _caller: Caller) -> Response:
    return as_json(200, {"data": []})


def _credential(request: Request) -> str | None:
    """The token, wherever the Graph API takes it."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() in ("bearer", "oauth") and value.strip():
        return value.strip()
    if "-upload/" in request.path:
        return None
    return text(parameters(request), "access_token")


def _usage(account: str, platform: str, percent: int, minutes: int) -> dict[str, str]:
    entry = {
        "type": _BUC[platform][0],
        "call_count": percent,
        "total_cputime": percent // 2,
        "total_time": percent // 2,
        "estimated_time_to_regain_access": minutes,
    }
    return {"x-business-use-case-usage": msgspec.json.encode({account: [entry]}).decode()}
