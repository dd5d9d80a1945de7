"""LinkedIn: https://learn.microsoft.com/linkedin/shared/authentication/authorization-code-flow

Members and pages are connected by two apps, as the product for pages may not share an app with the one for members.
PKCE is not offered to apps that have a secret.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx
from msgspec import Struct
from msgspec.structs import replace

from publisher.adapters.oauth.provider import App, Provider, TokenAnswer, read
from publisher.domain.connection import Connectable, Grant, GrantRefusedError, Profile, Scopes

MEMBER_SCOPES = "openid profile w_member_social"
MEMBER_NEEDED = frozenset(("openid", "profile", "w_member_social"))
PAGE_SCOPES = "w_organization_social r_organization_social rw_organization_admin r_basicprofile"
PAGE_NEEDED = frozenset(("w_organization_social", "rw_organization_admin"))
PERMISSIONS = {
    "w_member_social": "post",
    "w_organization_social": "post",
    "w_member_social_feed": "comment",
    "w_organization_social_feed": "comment",
    "r_organization_social": "read_analytics",
    "r_member_postAnalytics": "read_analytics",
}
_ROLES = ("ADMINISTRATOR", "CONTENT_ADMINISTRATOR")


class _UserInfo(Struct, frozen=True):
    sub: str
    name: str | None = None
    picture: str | None = None


class _Me(Struct, frozen=True):
    id: str


class _Role(Struct, frozen=True):
    organization: str
    role: str | None = None
    state: str | None = None


class _Roles(Struct, frozen=True):
    elements: list[_Role]


class _Page(Struct, frozen=True):
    localizedName: str = ""  # noqa: N815
    vanityName: str | None = None  # noqa: N815


class _Size(Struct, frozen=True):
    firstDegreeSize: int | None = None  # noqa: N815


class LinkedInProvider(Provider):
    """Members. Access tokens live for 60 days; only approved partners get refresh tokens, which last."""

    platform = "linkedin"
    name = "LinkedIn"
    pkce = "none"
    renew_ahead = timedelta(days=7)
    keep_ahead = timedelta(days=7)
    keep_every = timedelta(days=365)
    revoke_notice = "LinkedIn lists permitted apps under Settings, Data privacy, Permitted services."

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
        self._headers = {"LinkedIn-Version": version, "X-Restli-Protocol-Version": "2.0.0"}

    async def exchange(self, *, code: str, redirect_uri: str, verifier: str | None) -> Grant:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        return await self._token(form, self.scopes.asked)

    async def connectables(self, grant: Grant) -> Sequence[Connectable]:
        profile = await self._member(grant)
        grant = _by(grant, profile.platform_user_id)
        return [Connectable(profile=profile, grant=grant)]

    async def profile(self, grant: Grant, platform_user_id: str) -> Profile:
        return await self._member(grant)

    async def renew(self, grant: Grant) -> Grant:
        return await self._token({"grant_type": "refresh_token", "refresh_token": grant.refresh_token or ""}, ())

    def _is_dead(self, status: int, body: Mapping[str, Any]) -> bool:
        words = str(body.get("error_description", "")).lower()
        is_of_token = body.get("error") == "invalid_request" and "refresh token is invalid, expired or revoked" in words
        return status == 400 and (is_of_token or body.get("error") == "invalid_grant")

    async def _token(self, form: Mapping[str, str], default_scopes: Sequence[str]) -> Grant:
        body = await self._call("POST", self._token_url, form={**form, **self._client_fields()}, call="token")
        return read(body, TokenAnswer).grant(default_scopes=default_scopes)

    async def _member(self, grant: Grant) -> Profile:
        body = await self._call("GET", f"{self._api}/v2/userinfo", token=grant.access_token, call="me")
        found = read(body, _UserInfo)
        # OpenID Connect gives no handle.
        name = found.name or found.sub
        return Profile(
            platform_user_id=f"urn:li:person:{found.sub}",
            username=name,
            display_name=name,
            account_type="personal",
            profile_image=found.picture,
        )


class LinkedInPagesProvider(LinkedInProvider):
    """The pages that a member administers."""

    login = "pages"

    async def connectables(self, grant: Grant) -> Sequence[Connectable]:
        me = read(await self._get("/rest/me", grant), _Me)
        grant = _by(grant, f"urn:li:person:{me.id}")
        query = {"q": "roleAssignee", "state": "APPROVED"}
        roles = read(await self._get("/rest/organizationAcls", grant, query), _Roles).elements
        pages = dict.fromkeys(
            role.organization for role in roles if role.role in _ROLES and role.state in (None, "APPROVED")
        )
        return [Connectable(profile=await self._page(grant, urn), grant=grant) for urn in pages]

    async def profile(self, grant: Grant, platform_user_id: str) -> Profile:
        return await self._page(grant, platform_user_id)

    async def _page(self, grant: Grant, urn: str) -> Profile:
        number = urn.rpartition(":")[2]
        page = read(await self._get(f"/rest/organizations/{quote(number)}", grant), _Page)
        return Profile(
            platform_user_id=urn,
            username=page.vanityName or number,
            display_name=page.localizedName or page.vanityName or number,
            account_type="company_page",
            followers=await self._followers(grant, urn),
        )

    async def _followers(self, grant: Grant, urn: str) -> int | None:
        """None when the app may not know."""
        query = {"edgeType": "COMPANY_FOLLOWED_BY_MEMBER"}
        try:
            body = await self._get(f"/rest/networkSizes/{quote(urn, safe='')}", grant, query)
        except GrantRefusedError:
            return None
        return read(body, _Size).firstDegreeSize

    async def _get(self, path: str, grant: Grant, query: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        return await self._call(
            "GET", f"{self._api}{path}", query=query, token=grant.access_token, headers=self._headers, call="me"
        )


def _by(grant: Grant, grantor: str) -> Grant:
    return replace(grant, grantor=grantor)
