"""Settings of connecting accounts: what we are registered as at each platform, and where its OAuth endpoints are."""

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from chassis.settings import ServiceSettings


class OAuthSettings(ServiceSettings):
    """A platform without a client id cannot be connected. Scopes are separated by spaces; empty asks for our own list.

    Secrets are read from files, whose surrounding white space does not count.
    """

    publisher_internal_host: str = "127.0.0.1"
    publisher_internal_port: int | None = None
    """Where the gateway calls to connect accounts; None: nowhere."""
    publisher_internal_secret_file: Path | None = None
    """The bearer secret of those calls."""

    oauth_timeout: float = 10.0

    x_client_id: str | None = None
    x_client_secret_file: Path | None = None
    x_authorize_url: str = "https://x.com/i/oauth2/authorize"
    x_api_base: str = "https://api.x.com"
    x_scopes: str = ""

    linkedin_client_id: str | None = None
    """Of the app with the products for members."""
    linkedin_client_secret_file: Path | None = None
    linkedin_pages_client_id: str | None = None
    """Of the app with the Community Management product, which cannot be the same."""
    linkedin_pages_client_secret_file: Path | None = None
    linkedin_authorize_url: str = "https://www.linkedin.com/oauth/v2/authorization"
    linkedin_token_url: str = "https://www.linkedin.com/oauth/v2/accessToken"  # noqa: S105
    linkedin_api_base: str = "https://api.linkedin.com"
    linkedin_version: str = "202609"
    linkedin_scopes: str = ""
    linkedin_pages_scopes: str = ""

    facebook_client_id: str | None = None
    facebook_client_secret_file: Path | None = None
    facebook_authorize_url: str = "https://www.facebook.com/v26.0/dialog/oauth"
    facebook_api_base: str = "https://graph.facebook.com"
    facebook_version: str = "v26.0"
    facebook_scopes: str = ""
    instagram_facebook_scopes: str = ""
    """Of Instagram accounts that are connected by way of their Page, with the Facebook app."""

    instagram_client_id: str | None = None
    """Of the Instagram app, which differs from the Facebook one."""
    instagram_client_secret_file: Path | None = None
    instagram_authorize_url: str = "https://www.instagram.com/oauth/authorize"
    instagram_token_url: str = "https://api.instagram.com/oauth/access_token"  # noqa: S105
    instagram_api_base: str = "https://graph.instagram.com"
    instagram_version: str = "v26.0"
    instagram_scopes: str = ""

    youtube_client_id: str | None = None
    youtube_client_secret_file: Path | None = None
    youtube_authorize_url: str = "https://accounts.google.com/o/oauth2/v2/auth"
    youtube_token_url: str = "https://oauth2.googleapis.com/token"  # noqa: S105
    youtube_revoke_url: str = "https://oauth2.googleapis.com/revoke"
    youtube_api_base: str = "https://www.googleapis.com"
    youtube_scopes: str = ""

    tiktok_client_id: str | None = None
    """TikTok calls it the client key."""
    tiktok_client_secret_file: Path | None = None
    tiktok_authorize_url: str = "https://www.tiktok.com/v2/auth/authorize/"
    tiktok_api_base: str = "https://open.tiktokapis.com"
    tiktok_scopes: str = ""
    tiktok_pkce: Literal["none", "base64url", "hex"] = "hex"
    """Desktop apps must use it, in hexadecimal; the documents of web apps do not mention it."""

    @model_validator(mode="after")
    def _internal_needs_a_secret(self) -> "OAuthSettings":
        if self.publisher_internal_port is not None and self.publisher_internal_secret_file is None:
            raise ValueError("PUBLISHER_INTERNAL_PORT needs PUBLISHER_INTERNAL_SECRET_FILE")
        return self
