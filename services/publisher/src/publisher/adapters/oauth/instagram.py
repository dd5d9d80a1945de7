"""Instagram Login: https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login

The long-lived token is its own refresh token: from its 24th hour it can be exchanged for one of another 60 days, as
long as it has not run out.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import httpx
from msgspec import Struct
from msgspec.structs import replace

from publisher.adapters.oauth.facebook import GraphProvider
from publisher.adapters.oauth.provider import App, TokenAnswer, read, split_scopes
from publisher.domain.connection import Connectable, Grant, Profile, Scopes

SCOPES = (
    "instagram_business_basic instagram_business_content_publish instagram_business_manage_comments "
    "instagram_business_manage_insights"
)
NEEDED = frozenset(("instagram_business_basic", "instagram_business_content_publish"))
PERMISSIONS = {
    "instagram_business_content_publish": "post",
    "instagram_business_manage_comments": "comment",
    "instagram_business_manage_insights": "read_analytics",
}

_RENEWABLE_FROM = timedelta(hours=25)
_FIELDS = "user_id,username,name,account_type,profile_picture_url,followers_count"


class _Short(Struct, frozen=True):
    access_token: str
    permissions: str | list[str] = ""
    """Documented as text, seen as a list as well."""


class _Me(Struct, frozen=True):
    user_id: str
    username: str
    name: str | None = None
    account_type: str | None = None
    profile_picture_url: str | None = None
    followers_count: int | None = None


class InstagramProvider(GraphProvider):
    """Professional accounts, without a Page."""

    platform = "instagram"
    name = "Instagram"
    renew_ahead = timedelta(days=20)
    keep_ahead = timedelta(days=20)
    keep_every = timedelta(days=365)
    revoke_notice = "Instagram lists connected apps under Settings, Website permissions, Apps and websites."

    def __init__(
        self,
        http: httpx.AsyncClient,
        app: App,
        scopes: Scopes,
        *,
        authorize_url: str,
        token_url: str,
        api_base: str,
        version: str,
    ) -> None:
        super().__init__(http, app, scopes, authorize_url=authorize_url)
        self._token_url = token_url
        self._api = api_base.rstrip("/")
        self._version = version

    async def exchange(self, *, code: str, redirect_uri: str, verifier: str | None) -> Grant:
        form = {
            **self._client_fields(),
            "grant_type": "authorization_code",
            "redirect_uri": redirect_uri,
            # Instagram appends `#_` to the redirect; some clients take it for a part of the code.
            "code": code.removesuffix("#_"),
        }
        short = read(_unwrapped(await self._call("POST", self._token_url, form=form, call="token")), _Short)
        query = {
            "grant_type": "ig_exchange_token",
            "client_secret": self._app.client_secret or "",
            "access_token": short.access_token,
        }
        body = await self._call("GET", f"{self._api}/access_token", query=query, call="token")
        granted = short.permissions
        scopes = split_scopes(granted) if isinstance(granted, str) else tuple(granted)
        return replace(read(body, TokenAnswer).grant(), scopes=scopes)

    async def connectables(self, grant: Grant) -> Sequence[Connectable]:
        profile = await self._me(grant)
        return [Connectable(profile=profile, grant=replace(grant, grantor=profile.platform_user_id))]

    async def profile(self, grant: Grant, platform_user_id: str) -> Profile:
        return await self._me(grant)

    def can_renew(self, grant: Grant, age: timedelta) -> bool:
        return age >= _RENEWABLE_FROM

    async def renew(self, grant: Grant) -> Grant:
        query = {"grant_type": "ig_refresh_token", "access_token": grant.access_token}
        body = await self._call("GET", f"{self._api}/refresh_access_token", query=query, call="token")
        return read(body, TokenAnswer).grant()

    async def _me(self, grant: Grant) -> Profile:
        url = f"{self._api}/{self._version}/me"
        body = _unwrapped(await self._call("GET", url, query={"fields": _FIELDS}, token=grant.access_token, call="me"))
        me = read(body, _Me)
        return Profile(
            platform_user_id=me.user_id,
            username=me.username,
            display_name=me.name or me.username,
            account_type="creator" if (me.account_type or "").lower() == "media_creator" else "business",
            profile_image=me.profile_picture_url,
            followers=me.followers_count,
        )


def _unwrapped(body: Mapping[str, Any]) -> object:
    """Documented in a list of one, seen bare."""
    data = body.get("data")
    return data[0] if isinstance(data, list) and data else body
