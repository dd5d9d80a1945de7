"""Google's OAuth: consent, tokens, revocation."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

SCOPE = "openid profile https://www.googleapis.com/auth/youtube.readonly"
BACK = "https://app.example.com/callback"


class App:
    """A registered app."""

    def __init__(self, control: Any) -> None:
        self.http = httpx.Client(base_url=f"{control.url}/youtube", trust_env=False)

    def consent(self, account: str, **more: str) -> dict[str, list[str]]:
        """Where the person comes back with."""
        query = {
            "client_id": "app",
            "redirect_uri": BACK,
            "response_type": "code",
            "scope": SCOPE,
            "access_type": "offline",
            "state": "s",
            "sandbox_account": account,
            **more,
        }
        answer = self.http.get("/o/oauth2/v2/auth", params=query)
        assert answer.status_code == 302, answer.text
        return parse_qs(urlsplit(answer.headers["location"]).query)

    def exchange(self, code: str, **more: str) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": "app",
            "client_secret": "secret",
            "redirect_uri": BACK,
            **more,
        }
        return self.http.post("/token", data=form)

    def refresh(self, token: str) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "app", "client_secret": "secret"}
        return self.http.post("/token", data=form)


@pytest.fixture
def app(control: Any) -> Any:
    app = App(control)
    yield app
    app.http.close()


@pytest.fixture
def amara(control: Any) -> Any:
    return control.account("youtube")


def test_a_code_becomes_tokens_once(app: Any, amara: Any) -> None:
    back = app.consent(amara.id)
    assert back["state"] == ["s"]
    tokens = app.exchange(back["code"][0]).json()
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 3599)
    assert set(tokens["scope"].split()) == set(SCOPE.split())
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    channel = app.http.get("/youtube/v3/channels", params={"part": "id", "mine": "true"}, headers=headers)
    assert channel.json()["items"][0]["id"] == amara.id
    assert app.http.get("/oauth2/v2/userinfo", headers=headers).json()["name"] == "Amara"
    again = app.exchange(back["code"][0])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_only_the_first_offline_consent_gives_a_refresh_token(app: Any, amara: Any) -> None:
    first = app.exchange(app.consent(amara.id)["code"][0]).json()
    second = app.exchange(app.consent(amara.id)["code"][0]).json()
    asked = app.exchange(app.consent(amara.id, prompt="consent")["code"][0]).json()
    online = app.exchange(app.consent(amara.id, prompt="consent", access_type="online")["code"][0]).json()
    assert ["refresh_token" in each for each in (first, second, asked, online)] == [True, False, True, False]


def test_a_refresh_gives_no_new_refresh_token(app: Any, amara: Any) -> None:
    tokens = app.exchange(app.consent(amara.id)["code"][0]).json()
    for _ in range(2):
        fresh = app.refresh(tokens["refresh_token"]).json()
        assert "refresh_token" not in fresh
        assert fresh["access_token"] != tokens["access_token"]


def test_revoking_ends_everything(app: Any, amara: Any) -> None:
    tokens = app.exchange(app.consent(amara.id)["code"][0]).json()
    assert app.http.post("/revoke", data={"token": tokens["access_token"]}).status_code == 200
    refused = app.refresh(tokens["refresh_token"])
    assert (refused.status_code, refused.json()) == (
        400,
        {"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
    )
    assert app.http.post("/revoke", data={"token": "unknown"}).json()["error"] == "invalid_token"
    assert "refresh_token" in app.exchange(app.consent(amara.id)["code"][0]).json()


def test_a_challenge_is_verified_when_there_is_one(app: Any, amara: Any) -> None:
    verifier = "v" * 43
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    more = {"code_challenge": challenge, "code_challenge_method": "S256"}
    for given, status in (({}, 400), ({"code_verifier": "w" * 43}, 400), ({"code_verifier": verifier}, 200)):
        assert app.exchange(app.consent(amara.id, **more)["code"][0], **given).status_code == status


def test_people_may_refuse_or_leave_boxes_unticked(control: Any, app: Any, amara: Any) -> None:
    assert app.consent("deny") == {"error": ["access_denied"], "state": ["s"]}
    control.settings(youtube={"unticked_scopes": ["https://www.googleapis.com/auth/youtube.readonly"]})
    tokens = app.exchange(app.consent(amara.id)["code"][0]).json()
    assert set(tokens["scope"].split()) == {"openid", "profile"}


def test_apps_are_held_to_what_is_registered(control: Any, app: Any, amara: Any) -> None:
    client = {"client_id": "app", "client_secret": "other", "redirect_uris": [BACK]}
    control.settings(youtube={"clients": [client]})
    code = app.consent(amara.id)["code"][0]
    refused = app.exchange(code)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert app.exchange(code, client_secret="other", redirect_uri="https://evil.example").status_code == 400
    elsewhere = {"client_id": "app", "redirect_uri": "https://evil.example", "response_type": "code", "scope": SCOPE}
    page = app.http.get("/o/oauth2/v2/auth", params=elsewhere)
    assert (page.status_code, "redirect_uri_mismatch" in page.text) == (400, True)


def test_accounts_without_a_channel(control: Any, amara: Any) -> None:
    asked = ("/youtube/v3/channels", {"part": "snippet", "mine": "true"})
    control.settings(youtube={"no_channel": "empty"})
    assert "items" not in amara.http.get(asked[0], params=asked[1]).json()
    control.settings(youtube={"no_channel": "signup_required"})
    refused = amara.http.get(asked[0], params=asked[1])
    assert refused.status_code == 401
    assert refused.json()["error"]["errors"][0]["reason"] == "youtubeSignupRequired"
    both = amara.http.get(asked[0], params={**asked[1], "id": amara.id})
    assert both.json()["error"]["errors"][0]["reason"] == "invalidCriteria"
