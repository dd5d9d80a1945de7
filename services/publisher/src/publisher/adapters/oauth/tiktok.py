"""TikTok: https://developers.tiktok.com/doc/oauth-user-access-token-management"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

import httpx
from msgspec import Struct
from msgspec.structs import replace

from publisher.adapters.oauth.provider import App, Pkce, Provider, TokenAnswer, read
from publisher.domain.connection import Connectable, Grant, Profile, Scopes

SCOPES = "user.info.basic user.info.profile user.info.stats video.publish video.upload video.list"
NEEDED = frozenset(("user.info.basic", "video.publish"))
PERMISSIONS = {"video.publish": "post", "video.upload": "upload_drafts", "video.list": "read_analytics"}

_FIELDS_OF_SCOPES = {
    "user.info.basic": ("open_id", "union_id", "avatar_url", "display_name"),
    "user.info.profile": ("username",),
    "user.info.stats": ("follower_count",),
}


class _User(Struct, frozen=True):
    open_id: str
    display_name: str = ""
    username: str | None = None
    avatar_url: str | None = None
    follower_count: int | None = None


class _Data(Struct, frozen=True):
    user: _User


class _UserInfo(Struct, frozen=True):
    data: _Data


class _TikTokTokens(TokenAnswer, frozen=True, kw_only=True):
    open_id: str | None = None


class TikTokProvider(Provider):
    """Lifetimes differ between apps: the numbers of the answer count. Refresh tokens work once."""

    platform = "tiktok"
    name = "TikTok"
    rotates = True
    renew_ahead = timedelta(minutes=10)
    revokes = "person"
    revoke_notice = "TikTok lists connected apps under Settings, Security and permissions, Apps and services."
    scope_separator = ","
    _client_key: ClassVar[str] = "client_key"

    def __init__(
        self,
        http: httpx.AsyncClient,
        app: App,
        scopes: Scopes,
        *,
        authorize_url: str,
        api_base: str,
        pkce: Pkce,
    ) -> None:
        super().__init__(http, app, scopes, authorize_url=authorize_url)
        self._api = api_base.rstrip("/")
        self.pkce = pkce

    async def exchange(self, *, code: str, redirect_uri: str, verifier: str | None) -> Grant:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if verifier is not None:
            form["code_verifier"] = verifier
        return await self._token(form)

    async def connectables(self, grant: Grant) -> Sequence[Connectable]:
        profile = await self._user(grant)
        return [Connectable(profile=profile, grant=replace(grant, grantor=profile.platform_user_id))]

    async def profile(self, grant: Grant, platform_user_id: str) -> Profile:
        return await self._user(grant)

    async def renew(self, grant: Grant) -> Grant:
        return await self._token({"grant_type": "refresh_token", "refresh_token": grant.refresh_token or ""})

    async def revoke(self, grant: Grant) -> bool:
        form = {**self._client_fields(), "token": grant.access_token}
        await self._call("POST", f"{self._api}/v2/oauth/revoke/", form=form, call="revoke")
        return True

    async def _token(self, form: Mapping[str, str]) -> Grant:
        body = await self._call(
            "POST", f"{self._api}/v2/oauth/token/", form={**form, **self._client_fields()}, call="token"
        )
        answer = read(body, _TikTokTokens)
        return replace(answer.grant(), grantor=answer.open_id)

    async def _user(self, grant: Grant) -> Profile:
        """Asks only for what was granted: TikTok refuses the rest."""
        fields = [name for scope, names in _FIELDS_OF_SCOPES.items() if scope in grant.scopes for name in names]
        body = await self._call(
            "GET",
            f"{self._api}/v2/user/info/",
            query={"fields": ",".join(fields)},
            token=grant.access_token,
            call="me",
        )
        user = read(body, _UserInfo).data.user
        name = user.display_name or user.username or user.open_id
        return Profile(
            platform_user_id=user.open_id,
            username=user.username or name,
            display_name=name,
            account_type="creator",
            profile_image=user.avatar_url,
            followers=user.follower_count,
        )

    def _is_error(self, body: Mapping[str, Any]) -> bool:
        """Outside OAuth every answer carries an error, whose code is `ok` when there is none."""
        error = body.get("error")
        return error.get("code") != "ok" if isinstance(error, dict) else bool(error)
