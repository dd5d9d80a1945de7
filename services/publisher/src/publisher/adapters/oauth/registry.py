"""Which ways to log in there are: those whose app is configured."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from chassis.secret_files import read_secret
from contracts.content import Platform
from publisher.adapters.oauth import facebook, instagram, linkedin, tiktok, x, youtube
from publisher.adapters.oauth.provider import App, Provider
from publisher.domain.connection import Scopes
from publisher.oauth_settings import OAuthSettings


def providers(settings: OAuthSettings, http: httpx.AsyncClient) -> Mapping[tuple[Platform, str | None], Provider]:
    """By platform and way to log in. Raises SecretFileError."""
    return {(provider.platform, provider.login): provider for provider in _configured(settings, http)}


def _configured(settings: OAuthSettings, http: httpx.AsyncClient) -> Iterator[Provider]:
    if (app := _app(settings.x_client_id, settings.x_client_secret_file)) is not None:
        yield x.XProvider(
            http,
            app,
            _scopes(settings.x_scopes, x.SCOPES, x.NEEDED, x.PERMISSIONS),
            authorize_url=settings.x_authorize_url,
            api_base=settings.x_api_base,
        )
    if (app := _app(settings.linkedin_client_id, settings.linkedin_client_secret_file)) is not None:
        yield linkedin.LinkedInProvider(
            http,
            app,
            _scopes(settings.linkedin_scopes, linkedin.MEMBER_SCOPES, linkedin.MEMBER_NEEDED, linkedin.PERMISSIONS),
            authorize_url=settings.linkedin_authorize_url,
            token_url=settings.linkedin_token_url,
            api_base=settings.linkedin_api_base,
            version=settings.linkedin_version,
        )
    if (app := _app(settings.linkedin_pages_client_id, settings.linkedin_pages_client_secret_file)) is not None:
        yield linkedin.LinkedInPagesProvider(
            http,
            app,
            _scopes(settings.linkedin_pages_scopes, linkedin.PAGE_SCOPES, linkedin.PAGE_NEEDED, linkedin.PERMISSIONS),
            authorize_url=settings.linkedin_authorize_url,
            token_url=settings.linkedin_token_url,
            api_base=settings.linkedin_api_base,
            version=settings.linkedin_version,
        )
    if (app := _app(settings.facebook_client_id, settings.facebook_client_secret_file)) is not None:
        yield facebook.FacebookProvider(
            http,
            app,
            _scopes(settings.facebook_scopes, facebook.SCOPES, facebook.NEEDED, facebook.PERMISSIONS),
            authorize_url=settings.facebook_authorize_url,
            api_base=settings.facebook_api_base,
            version=settings.facebook_version,
        )
        yield facebook.InstagramByFacebookProvider(
            http,
            app,
            _scopes(
                settings.instagram_facebook_scopes,
                facebook.INSTAGRAM_SCOPES,
                facebook.INSTAGRAM_NEEDED,
                facebook.INSTAGRAM_PERMISSIONS,
            ),
            authorize_url=settings.facebook_authorize_url,
            api_base=settings.facebook_api_base,
            version=settings.facebook_version,
        )
    if (app := _app(settings.instagram_client_id, settings.instagram_client_secret_file)) is not None:
        yield instagram.InstagramProvider(
            http,
            app,
            _scopes(settings.instagram_scopes, instagram.SCOPES, instagram.NEEDED, instagram.PERMISSIONS),
            authorize_url=settings.instagram_authorize_url,
            token_url=settings.instagram_token_url,
            api_base=settings.instagram_api_base,
            version=settings.instagram_version,
        )
    if (app := _app(settings.youtube_client_id, settings.youtube_client_secret_file)) is not None:
        yield youtube.YouTubeProvider(
            http,
            app,
            _scopes(settings.youtube_scopes, youtube.SCOPES, youtube.NEEDED, youtube.PERMISSIONS),
            authorize_url=settings.youtube_authorize_url,
            token_url=settings.youtube_token_url,
            revoke_url=settings.youtube_revoke_url,
            api_base=settings.youtube_api_base,
        )
    if (app := _app(settings.tiktok_client_id, settings.tiktok_client_secret_file)) is not None:
        yield tiktok.TikTokProvider(
            http,
            app,
            _scopes(settings.tiktok_scopes, tiktok.SCOPES, tiktok.NEEDED, tiktok.PERMISSIONS),
            authorize_url=settings.tiktok_authorize_url,
            api_base=settings.tiktok_api_base,
            pkce=settings.tiktok_pkce,
        )


def _app(client_id: str | None, secret_file: Path | None) -> App | None:
    if client_id is None:
        return None
    return App(client_id=client_id, client_secret=None if secret_file is None else read_secret(secret_file))


def _scopes(configured: str, asked: str, needed: frozenset[str], permissions: Mapping[str, str]) -> Scopes:
    return Scopes(asked=tuple((configured or asked).split()), needed=needed, permissions=permissions)
