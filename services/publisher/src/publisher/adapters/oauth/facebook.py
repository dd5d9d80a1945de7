"""Facebook Login, for Pages and for the Instagram accounts that hang on them.

https://developers.facebook.com/docs/facebook-login/guides/access-tokens

A person's token of 60 days yields the Pages' tokens, which do not run out: they end with a change of password or role.
The person's token is kept beside the Page's, as only it can revoke.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

import httpx
from msgspec import Struct
from msgspec.structs import replace

from contracts.content import Platform
from publisher.adapters.oauth.provider import App, Provider, TokenAnswer, read
from publisher.domain.connection import Connectable, Grant, GrantRefusedError, Profile, Scopes

SCOPES = (
    "pages_show_list pages_manage_posts pages_read_engagement pages_manage_engagement read_insights business_management"
)
NEEDED = frozenset(("pages_show_list", "pages_manage_posts", "pages_read_engagement"))
PERMISSIONS = {
    "pages_manage_posts": "post",
    "pages_manage_engagement": "comment",
    "read_insights": "read_analytics",
}
INSTAGRAM_SCOPES = (
    "instagram_basic instagram_content_publish instagram_manage_comments instagram_manage_insights "
    "pages_show_list pages_read_engagement business_management"
)
INSTAGRAM_NEEDED = frozenset(
    ("instagram_basic", "instagram_content_publish", "pages_show_list", "pages_read_engagement")
)
INSTAGRAM_PERMISSIONS = {
    "instagram_content_publish": "post",
    "instagram_manage_comments": "comment",
    "instagram_manage_insights": "read_analytics",
}

_PAGE_FIELDS = (
    "id,name,username,access_token,tasks,followers_count,picture{url},"
    "instagram_business_account{id,username,name,profile_picture_url,followers_count}"
)
_MAX_PAGES = 20
"""Of the list, each of up to 100 Pages."""
_MAY_PUBLISH = frozenset(("CREATE_CONTENT", "MANAGE"))
_TOKEN_ENDED = 190


class _Instagram(Struct, frozen=True):
    id: str
    username: str = ""
    name: str | None = None
    profile_picture_url: str | None = None
    followers_count: int | None = None


class _PictureData(Struct, frozen=True):
    url: str | None = None


class _Picture(Struct, frozen=True):
    data: _PictureData = _PictureData()


class _Page(Struct, frozen=True):
    id: str
    name: str = ""
    username: str | None = None
    access_token: str | None = None
    tasks: list[str] | None = None
    followers_count: int | None = None
    picture: _Picture = _Picture()
    instagram_business_account: _Instagram | None = None

    @property
    def may_publish(self) -> bool:
        return self.tasks is None or bool(_MAY_PUBLISH.intersection(self.tasks))

    def profile(self) -> Profile:
        return Profile(
            platform_user_id=self.id,
            username=self.username or self.name,
            display_name=self.name,
            account_type="page",
            profile_image=self.picture.data.url,
            followers=self.followers_count,
        )


class _Cursors(Struct, frozen=True):
    after: str | None = None


class _Paging(Struct, frozen=True):
    cursors: _Cursors = _Cursors()
    next: str | None = None


class _Pages(Struct, frozen=True):
    data: list[_Page]
    paging: _Paging = _Paging()


class _Permission(Struct, frozen=True):
    permission: str
    status: str


class _Permissions(Struct, frozen=True):
    data: list[_Permission]


class _User(Struct, frozen=True):
    id: str


class GraphProvider(Provider):
    """What every login of Meta shares: its errors."""

    scope_separator = ","
    pkce = "none"

    def _is_dead(self, status: int, body: Mapping[str, Any]) -> bool:
        error = body.get("error")
        return isinstance(error, dict) and error.get("code") == _TOKEN_ENDED


class FacebookProvider(GraphProvider):
    """Pages."""

    platform: ClassVar[Platform] = "facebook"
    name = "Facebook"
    revokes = "person"
    revoke_notice = "Facebook lists connected apps under Settings, Apps and websites, and Business integrations."

    def __init__(
        self, http: httpx.AsyncClient, app: App, scopes: Scopes, *, authorize_url: str, api_base: str, version: str
    ) -> None:
        super().__init__(http, app, scopes, authorize_url=authorize_url)
        self._graph = f"{api_base.rstrip('/')}/{version}"

    async def exchange(self, *, code: str, redirect_uri: str, verifier: str | None) -> Grant:
        short = await self._token({**self._client_fields(), "code": code, "redirect_uri": redirect_uri})
        longer = await self._token(
            {
                **self._client_fields(),
                "grant_type": "fb_exchange_token",
                "fb_exchange_token": short.access_token,
            }
        )
        grant = longer.grant()
        user = read(await self._get("/me", grant.access_token, {"fields": "id"}), _User)
        permissions = read(await self._get("/me/permissions", grant.access_token), _Permissions)
        granted = tuple(each.permission for each in permissions.data if each.status == "granted")
        return replace(grant, user_token=grant.access_token, scopes=granted, grantor=user.id)

    async def connectables(self, grant: Grant) -> Sequence[Connectable]:
        return [
            Connectable(profile=page.profile(), grant=_of_page(grant, page.access_token))
            for page in await self._pages(grant)
            if page.access_token is not None and page.may_publish
        ]

    async def profile(self, grant: Grant, platform_user_id: str) -> Profile:
        fields = "id,name,username,followers_count,picture{url}"
        return read(await self._get(f"/{platform_user_id}", grant.access_token, {"fields": fields}), _Page).profile()

    def can_renew(self, grant: Grant, age: timedelta) -> bool:
        """There is nothing to renew: a Page's token lasts, and a person's needs the person."""
        return False

    async def revoke(self, grant: Grant) -> bool:
        if grant.user_token is None:
            return False
        body = await self._call("DELETE", f"{self._graph}/me/permissions", token=grant.user_token, call="revoke")
        return body.get("success") is True

    async def _pages(self, grant: Grant) -> Sequence[_Page]:
        pages: dict[str, _Page] = {}
        query = {"fields": _PAGE_FIELDS, "limit": "100"}
        for _ in range(_MAX_PAGES):
            found = read(await self._get("/me/accounts", grant.user_token or grant.access_token, query), _Pages)
            pages |= {page.id: page for page in found.data}
            after = found.paging.cursors.after
            if found.paging.next is None or after is None:
                break
            # By its cursor, not by its address: a token goes only where the operator says.
            query = {**query, "after": after}
        return list(pages.values())

    async def _token(self, form: Mapping[str, str]) -> TokenAnswer:
        body = await self._call("POST", f"{self._graph}/oauth/access_token", form=form, call="token")
        return read(body, TokenAnswer)

    async def _get(self, path: str, token: str, query: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        return await self._call("GET", f"{self._graph}{path}", query=query, token=token, call="me")


class InstagramByFacebookProvider(FacebookProvider):
    """Professional Instagram accounts that are linked to a Page, with the Page's token."""

    platform: ClassVar[Platform] = "instagram"
    login = "facebook"
    name = "Instagram"

    async def connectables(self, grant: Grant) -> Sequence[Connectable]:
        return [
            Connectable(
                profile=_instagram_profile(page.instagram_business_account),
                grant=_of_page(grant, page.access_token),
            )
            for page in await self._pages(grant)
            if page.access_token is not None and page.instagram_business_account is not None
        ]

    async def profile(self, grant: Grant, platform_user_id: str) -> Profile:
        fields = "id,username,name,profile_picture_url,followers_count"
        body = await self._get(f"/{platform_user_id}", grant.access_token, {"fields": fields})
        return _instagram_profile(read(body, _Instagram))


def _of_page(grant: Grant, token: str) -> Grant:
    """Page tokens that come from a person's long-lived token do not run out."""
    return replace(grant, access_token=token, expires_at=None)


def _instagram_profile(found: _Instagram) -> Profile:
    if not found.username:
        raise GrantRefusedError("the Instagram account's name may not be read")
    return Profile(
        platform_user_id=found.id,
        username=found.username,
        display_name=found.name or found.username,
        account_type="business",
        profile_image=found.profile_picture_url,
        followers=found.followers_count,
    )
