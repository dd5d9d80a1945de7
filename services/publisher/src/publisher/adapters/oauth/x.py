"""X: https://docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import httpx
from msgspec import Struct

from publisher.adapters.oauth.provider import App, Provider, TokenAnswer, read
from publisher.domain.connection import Connectable, Grant, Profile, Scopes

SCOPES = "tweet.read tweet.write users.read media.write offline.access"
NEEDED = frozenset(("tweet.read", "tweet.write", "users.read"))
PERMISSIONS = {"tweet.write": "post", "media.write": "upload_media", "tweet.read": "read_analytics"}

_FIELDS = "id,name,username,profile_image_url,public_metrics,verified,verified_type,subscription_type"
_PREMIUM = ("Premium", "PremiumPlus")


class _Metrics(Struct, frozen=True):
    followers_count: int | None = None


class _User(Struct, frozen=True):
    id: str
    name: str
    username: str
    profile_image_url: str | None = None
    public_metrics: _Metrics = _Metrics()
    subscription_type: str | None = None


class _Me(Struct, frozen=True):
    data: _User


class XProvider(Provider):
    """Access tokens live for two hours; refresh tokens work once."""

    platform = "twitter"
    name = "X"
    rotates = True
    renew_ahead = timedelta(minutes=10)
    revokes = "token"
    revoke_notice = "X lists connected apps under Settings, Security and account access, Apps and sessions."

    def __init__(self, http: httpx.AsyncClient, app: App, scopes: Scopes, *, authorize_url: str, api_base: str) -> None:
        super().__init__(http, app, scopes, authorize_url=authorize_url)
        self._api = api_base.rstrip("/")

    async def exchange(self, *, code: str, redirect_uri: str, verifier: str | None) -> Grant:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if verifier is not None:
            form["code_verifier"] = verifier
        return (await self._token(form)).grant(default_scopes=self.scopes.asked)

    async def connectables(self, grant: Grant) -> Sequence[Connectable]:
        profile = await self._me(grant)
        return [Connectable(profile=profile, grant=grant)]

    async def profile(self, grant: Grant, platform_user_id: str) -> Profile:
        return await self._me(grant)

    async def renew(self, grant: Grant) -> Grant:
        form = {"grant_type": "refresh_token", "refresh_token": grant.refresh_token or ""}
        return (await self._token(form)).grant()

    async def revoke(self, grant: Grant) -> bool:
        for token in filter(None, (grant.refresh_token, grant.access_token)):
            await self._form("/2/oauth2/revoke", {"token": token}, call="revoke")
        return True

    def _is_dead(self, status: int, body: Mapping[str, Any]) -> bool:
        """X says `invalid_request` of refresh tokens that it does not know any more."""
        words = str(body.get("error_description", ""))
        is_of_token = body.get("error") == "invalid_request" and "value passed for the token" in words.lower()
        return status == 400 and (is_of_token or body.get("error") == "invalid_grant")

    async def _me(self, grant: Grant) -> Profile:
        body = await self._call(
            "GET", f"{self._api}/2/users/me", query={"user.fields": _FIELDS}, token=grant.access_token, call="me"
        )
        user = read(body, _Me).data
        return Profile(
            platform_user_id=user.id,
            username=user.username,
            display_name=user.name,
            account_type="premium" if user.subscription_type in _PREMIUM else "personal",
            profile_image=user.profile_image_url and user.profile_image_url.replace("_normal.", "_400x400."),
            followers=user.public_metrics.followers_count,
        )

    async def _token(self, form: Mapping[str, str]) -> TokenAnswer:
        return read(await self._form("/2/oauth2/token", form, call="token"), TokenAnswer)

    async def _form(self, path: str, form: Mapping[str, str], *, call: str) -> Mapping[str, Any]:
        """As a confidential client where there is a secret, else as a public one."""
        url = f"{self._api}{path}"
        if self._app.client_secret is None:
            return await self._call("POST", url, form={**form, "client_id": self._app.client_id}, call=call)
        return await self._call("POST", url, form=form, basic=(self._app.client_id, self._app.client_secret), call=call)
