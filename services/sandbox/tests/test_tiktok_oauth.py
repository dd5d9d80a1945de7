"""Connecting an app to a TikTok account."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

CALLBACK = "https://app.example.com/callback"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
HEX = "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3"
BASE64URL = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
SECRET = {"client_key": "key", "client_secret": "secret"}


@pytest.fixture
def http(control: Any) -> Any:
    with httpx.Client(base_url=f"{control.url}/tiktok", trust_env=False) as client:
        yield client


def authorized(http: httpx.Client, account: Any, **more: str) -> dict[str, str]:
    """The query with which the browser is sent back; empty when it is not."""
    query = {
        "client_key": "key",
        "response_type": "code",
        "scope": "user.info.basic,video.publish",
        "redirect_uri": CALLBACK,
        "state": "s1",
        "sandbox_account": account.id,
        **more,
    }
    answer = http.get("/v2/auth/authorize/", params=query)
    if answer.status_code != 302:
        assert answer.status_code == 400
        return {}
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def exchanged(http: httpx.Client, code: str, **more: str) -> httpx.Response:
    form = {**SECRET, "code": code, "grant_type": "authorization_code", "redirect_uri": CALLBACK, **more}
    return http.post("/v2/oauth/token/", data=form)


def refreshed(http: httpx.Client, refresh_token: str) -> httpx.Response:
    form = {**SECRET, "grant_type": "refresh_token", "refresh_token": refresh_token}
    return http.post("/v2/oauth/token/", data=form)


def test_a_code_becomes_tokens_once(control: Any, http: httpx.Client) -> None:
    amara = control.account("tiktok")
    back = authorized(http, amara)
    assert (back["state"], back["scopes"]) == ("s1", "user.info.basic,video.publish")

    answer = exchanged(http, back["code"])
    again = exchanged(http, back["code"])

    body = answer.json()
    assert answer.status_code == 200
    assert (body["open_id"], body["scope"]) == (amara.id, "user.info.basic,video.publish")
    assert (body["expires_in"], body["refresh_expires_in"]) == (7_200, 15_552_000)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    profile = http.get(
        "/v2/user/info/?fields=open_id", headers={"Authorization": f"Bearer {body['access_token']}"}
    ).json()
    assert profile["data"]["user"] == {"open_id": amara.id}


def test_refresh_tokens_rotate(control: Any, http: httpx.Client) -> None:
    first = exchanged(http, authorized(http, control.account("tiktok"))["code"]).json()
    second = refreshed(http, first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    late = refreshed(http, first["refresh_token"])
    assert (late.status_code, late.json()["error"]) == (400, "invalid_grant")
    assert refreshed(http, second["refresh_token"]).status_code == 200


def test_the_older_documents_have_longer_tokens_that_may_stay(control: Any, http: httpx.Client) -> None:
    control.settings(tiktok={"access_token_seconds": 86_400, "rotate_refresh_tokens": False})
    first = exchanged(http, authorized(http, control.account("tiktok"))["code"]).json()
    assert first["expires_in"] == 86_400
    assert refreshed(http, first["refresh_token"]).status_code == 200
    assert refreshed(http, first["refresh_token"]).status_code == 200


@pytest.mark.parametrize(
    ("switch", "challenge", "fits"),
    [("hex", HEX, True), ("hex", BASE64URL, False), ("base64url", BASE64URL, True), ("base64url", HEX, False)],
)
def test_the_challenge_has_an_encoding(
    control: Any, http: httpx.Client, switch: str, challenge: str, fits: bool
) -> None:
    control.settings(tiktok={"pkce": switch, "pkce_required": True})
    assert hashlib.sha256(VERIFIER.encode()).hexdigest() == HEX
    assert base64.urlsafe_b64encode(bytes.fromhex(HEX)).rstrip(b"=").decode() == BASE64URL
    amara = control.account("tiktok")
    assert authorized(http, amara) == {}
    back = authorized(http, amara, code_challenge=challenge, code_challenge_method="S256")

    answer = exchanged(http, back["code"], code_verifier=VERIFIER)

    if fits:
        assert answer.status_code == 200
    else:
        assert answer.json()["error"] == "invalid_request"
        assert "Code verifier" in answer.json()["error_description"]


def test_people_may_deny_all_or_some(control: Any, http: httpx.Client) -> None:
    amara = control.account("tiktok")
    assert authorized(http, amara, sandbox_account="deny")["error"] == "access_denied"
    control.settings(tiktok={"denied_scopes": ["video.publish"]})
    back = authorized(http, amara)
    assert back["scopes"] == "user.info.basic"
    assert exchanged(http, back["code"]).json()["scope"] == "user.info.basic"


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_key": ""},
        {"response_type": "token"},
        {"scope": "user.info.basic video.publish"},
        {"redirect_uri": "http://app.example.com/callback"},
        {"redirect_uri": f"{CALLBACK}?a=b"},
        {"code_challenge": HEX},
    ],
)
def test_wrong_requests_are_not_sent_back(control: Any, http: httpx.Client, wrong: dict[str, str]) -> None:
    assert authorized(http, control.account("tiktok"), **wrong) == {}


def test_revoking_ends_the_whole_grant(control: Any, http: httpx.Client) -> None:
    tokens = exchanged(http, authorized(http, control.account("tiktok"))["code"]).json()
    answer = http.post("/v2/oauth/revoke/", data={**SECRET, "token": tokens["access_token"]})
    assert (answer.status_code, answer.json()) == (200, {})
    assert refreshed(http, tokens["refresh_token"]).json()["error"] == "invalid_grant"


def test_registered_clients_only(control: Any, http: httpx.Client) -> None:
    control.settings(tiktok={"clients": [{"client_id": "key", "client_secret": "other"}]})
    back = authorized(http, control.account("tiktok"))
    assert exchanged(http, back["code"]).json()["error"] == "invalid_client"
