"""YouTube, by Google: https://developers.google.com/identity/protocols/oauth2/web-server"""

from collections.abc import Mapping, Sequence

import httpx
from msgspec import Struct
from msgspec.structs import replace

from publisher.adapters.oauth.provider import App, Provider, TokenAnswer, read
from publisher.domain.connection import Connectable, Grant, GrantRefusedError, Profile, Scopes

_PREFIX = "https://www.googleapis.com/auth/"
SCOPES = " ".join(
    _PREFIX + name for name in ("youtube.upload", "youtube.readonly", "youtube.force-ssl", "yt-analytics.readonly")
)
NEEDED = frozenset((f"{_PREFIX}youtube.upload", f"{_PREFIX}youtube.readonly"))
PERMISSIONS = {
    f"{_PREFIX}youtube.upload": "post",
    f"{_PREFIX}youtube.force-ssl": "comment",
    f"{_PREFIX}yt-analytics.readonly": "read_analytics",
}

_NO_CHANNEL = "youtubeSignupRequired"


class _Thumbnail(Struct, frozen=True):
    url: str | None = None


class _Snippet(Struct, frozen=True):
    title: str = ""
    customUrl: str | None = None  # noqa: N815
    thumbnails: dict[str, _Thumbnail] = {}


class _Statistics(Struct, frozen=True):
    subscriberCount: int | None = None  # noqa: N815
    hiddenSubscriberCount: bool = False  # noqa: N815


class _Channel(Struct, frozen=True):
    id: str
    snippet: _Snippet = _Snippet()
    statistics: _Statistics = _Statistics()

    def profile(self) -> Profile:
        images = (self.snippet.thumbnails.get(size) for size in ("high", "medium", "default"))
        counts = self.statistics
        return Profile(
            platform_user_id=self.id,
            username=self.snippet.customUrl or self.snippet.title or self.id,
            display_name=self.snippet.title or self.id,
            account_type="channel",
            profile_image=next((image.url for image in images if image is not None and image.url), None),
            followers=None if counts.hiddenSubscriberCount else counts.subscriberCount,
        )


class _Channels(Struct, frozen=True):
    items: list[_Channel] = []


class YouTubeProvider(Provider):
    """Access tokens live for an hour. Refresh tokens last, but end when they are not used for six months."""

    platform = "youtube"
    name = "YouTube"
    revokes = "person"
    revoke_notice = "Google lists connected apps at https://myaccount.google.com/connections."

    def __init__(
        self,
        http: httpx.AsyncClient,
        app: App,
        scopes: Scopes,
        *,
        authorize_url: str,
        token_url: str,
        revoke_url: str,
        api_base: str,
    ) -> None:
        super().__init__(http, app, scopes, authorize_url=authorize_url)
        self._token_url = token_url
        self._revoke_url = revoke_url
        self._api = api_base.rstrip("/")

    def _more_parameters(self) -> Mapping[str, str]:
        # Without `consent` a person who has connected before brings no refresh token.
        return {"access_type": "offline", "prompt": "consent"}

    async def exchange(self, *, code: str, redirect_uri: str, verifier: str | None) -> Grant:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if verifier is not None:
            form["code_verifier"] = verifier
        return (await self._token(form)).grant(default_scopes=self.scopes.asked)

    async def connectables(self, grant: Grant) -> Sequence[Connectable]:
        return [
            # Consent picks one channel of a Google account, which is all that its tokens reach.
            Connectable(profile=channel.profile(), grant=replace(grant, grantor=channel.id))
            for channel in await self._channels(grant, {"mine": "true"})
        ]

    async def profile(self, grant: Grant, platform_user_id: str) -> Profile:
        channels = await self._channels(grant, {"id": platform_user_id})
        if not channels:
            raise GrantRefusedError("there is no such channel any more")
        return channels[0].profile()

    async def renew(self, grant: Grant) -> Grant:
        form = {"grant_type": "refresh_token", "refresh_token": grant.refresh_token or ""}
        return (await self._token(form)).grant()

    async def revoke(self, grant: Grant) -> bool:
        token = grant.refresh_token or grant.access_token
        await self._call("POST", self._revoke_url, form={"token": token}, call="revoke")
        return True

    async def _token(self, form: Mapping[str, str]) -> TokenAnswer:
        body = await self._call("POST", self._token_url, form={**form, **self._client_fields()}, call="token")
        return read(body, TokenAnswer)

    async def _channels(self, grant: Grant, which: Mapping[str, str]) -> Sequence[_Channel]:
        query = {"part": "id,snippet,statistics", **which}
        url = f"{self._api}/youtube/v3/channels"
        try:
            body = await self._call("GET", url, query=query, token=grant.access_token, call="me")
        except GrantRefusedError as error:
            if _NO_CHANNEL in str(error):
                return []
            raise
        return read(body, _Channels).items
