"""X's OAuth 2.0 with PKCE."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

VERIFIER = "a-verifier-that-is-long-enough-for-anybody-0123456789"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CALLBACK = "https://app.example.com/callback"
ASKED = {
    "response_type": "code",
    "client_id": "app",
    "redirect_uri": CALLBACK,
    "scope": "tweet.read tweet.write users.read offline.access",
    "state": "opaque",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@pytest.fixture
def amara(control: Any) -> Any:
    return control.account("twitter")


def _authorize(account: Any, **changes: str) -> dict[str, str]:
    """What the browser brings back."""
    asked = {**ASKED, "sandbox_account": account.id, **changes}
    answer = account.http.get("/i/oauth2/authorize", params=asked)
    assert answer.status_code == 302, answer.text
    location = urlsplit(answer.headers["location"])
    assert location._replace(query="").geturl() == CALLBACK
    return {name: values[0] for name, values in parse_qs(location.query).items()}


def _exchange(account: Any, authorization_code: str, **changes: str) -> Any:
    form = {
        "grant_type": "authorization_code",
        "code": authorization_code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        "client_id": "app",
    }
    return account.http.post("/2/oauth2/token", data={**form, **changes})


def _refresh(account: Any, token: str | None, **changes: str) -> Any:
    form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "app"}
    return account.http.post("/2/oauth2/token", data={**form, **changes})


def test_connecting(amara: Any) -> None:
    back = _authorize(amara)
    assert back["state"] == "opaque"
    tokens = _exchange(amara, back["code"]).json()
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 7200)
    assert sorted(tokens["scope"].split()) == sorted(ASKED["scope"].split())
    me = amara.http.get("/2/users/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert me.json()["data"]["id"] == amara.id
    upload = amara.http.post(
        "/2/media/upload/initialize", json={}, headers={"Authorization": f"Bearer {tokens['access_token']}"}
    )
    assert upload.status_code == 403


def test_without_offline_access_there_is_no_refresh_token(amara: Any) -> None:
    code = _authorize(amara, scope="tweet.read users.read")["code"]
    assert "refresh_token" not in _exchange(amara, code).json()


def test_the_page_names_the_accounts_and_leads_on(control: Any, amara: Any) -> None:
    page = amara.http.get("/i/oauth2/authorize", params=ASKED)
    assert page.status_code == 200
    assert "@amara" in page.text
    assert f"sandbox_account={amara.id}" in page.text
    control.settings(twitter={"auto_approve": True})
    assert "code" in parse_qs(urlsplit(amara.http.get("/2/oauth2/authorize", params=ASKED).headers["location"]).query)


def test_the_page_escapes_what_it_is_given(amara: Any) -> None:
    page = amara.http.get("/i/oauth2/authorize", params={**ASKED, "client_id": "<script>"})
    assert "<script>" not in page.text


def test_cancelling(amara: Any) -> None:
    assert _authorize(amara, sandbox_account="deny") == {"error": "access_denied", "state": "opaque"}


@pytest.mark.parametrize(
    "changes",
    [
        {"response_type": "token"},
        {"client_id": ""},
        {"redirect_uri": ""},
        {"state": ""},
        {"state": "x" * 501},
        {"code_challenge": ""},
        {"code_challenge_method": "S512"},
        {"scope": ""},
        {"scope": "tweet.read everything"},
    ],
)
def test_authorization_requests_that_are_wrong(amara: Any, changes: dict[str, str]) -> None:
    answer = amara.http.get("/i/oauth2/authorize", params={**ASKED, "sandbox_account": amara.id, **changes})
    assert answer.status_code == 400


def test_refresh_tokens_can_expire(control: Any) -> None:
    control.settings(twitter={"refresh_token_seconds": 60})
    amara = control.account("twitter")
    control.advance(61)
    assert _refresh(amara, amara.refresh_token).status_code == 400


def test_codes_live_thirty_seconds(control: Any, amara: Any) -> None:
    early, late = _authorize(amara)["code"], _authorize(amara)["code"]
    control.advance(20)
    assert _exchange(amara, early).status_code == 200
    control.advance(11)
    assert _exchange(amara, late).status_code == 400


def test_codes_are_used_once(amara: Any) -> None:
    code = _authorize(amara)["code"]
    assert _exchange(amara, code).status_code == 200
    refused = _exchange(amara, code)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "changes",
    [
        {"code": "made-up"},
        {"code_verifier": "wrong"},
        {"code_verifier": ""},
        {"redirect_uri": CALLBACK + "/"},
        {"client_id": "another"},
        {"grant_type": "password"},
    ],
)
def test_exchanges_that_are_wrong(amara: Any, changes: dict[str, str]) -> None:
    code = _authorize(amara)["code"]
    refused = _exchange(amara, code, **changes)
    assert refused.status_code == 400
    assert {"error", "error_description"} == set(refused.json())
    assert _exchange(amara, code).status_code == 200


def test_plain_challenges(amara: Any) -> None:
    code = _authorize(amara, code_challenge=VERIFIER, code_challenge_method="plain")["code"]
    assert _exchange(amara, code, code_verifier="other").status_code == 400
    assert _exchange(amara, code).status_code == 200


def test_refresh_tokens_rotate_and_are_used_once(amara: Any) -> None:
    first = _refresh(amara, amara.refresh_token).json()
    assert first["refresh_token"] != amara.refresh_token
    refused = _refresh(amara, amara.refresh_token)
    assert refused.status_code == 400
    assert refused.json() == {
        "error": "invalid_request",
        "error_description": "Value passed for the token was invalid.",
    }
    assert _refresh(amara, first["refresh_token"]).status_code == 200
    assert _refresh(amara, first["access_token"]).status_code == 400


def test_a_refresh_whose_answer_is_lost_loses_the_account(control: Any, amara: Any) -> None:
    control.fault("twitter", "accept_then_500", call="token", account=amara.id)
    assert _refresh(amara, amara.refresh_token).status_code == 500
    assert _refresh(amara, amara.refresh_token).status_code == 400


def test_revoking(amara: Any) -> None:
    answer = amara.http.post("/2/oauth2/revoke", data={"token": amara.access_token, "client_id": "app"})
    assert answer.json() == {"revoked": True}
    assert amara.http.get("/2/users/me").status_code == 401
    amara.http.post("/2/oauth2/revoke", data={"token": amara.refresh_token, "client_id": "app"})
    assert _refresh(amara, amara.refresh_token).status_code == 400


def test_registered_clients_must_prove_themselves(control: Any, amara: Any) -> None:
    client = {"client_id": "app", "client_secret": "s3cret:+", "redirect_uris": [CALLBACK], "scopes": ["tweet.read"]}
    control.settings(twitter={"clients": [client]})
    wrong = {**ASKED, "sandbox_account": amara.id}
    assert amara.http.get("/i/oauth2/authorize", params=wrong).status_code == 400
    assert amara.http.get("/i/oauth2/authorize", params={**wrong, "redirect_uri": "https://evil"}).status_code == 400
    code = _authorize(amara, scope="tweet.read")["code"]
    assert _exchange(amara, code).status_code == 401
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    for credentials, status in ((("app", "wrong"), 401), (("other", "s3cret"), 401), (("app", "s3cret:+"), 200)):
        answer = amara.http.post("/2/oauth2/token", data=form, auth=credentials)
        assert answer.status_code == status, answer.text


def test_tokens_need_a_form_and_a_client(amara: Any) -> None:
    assert amara.http.post("/2/oauth2/token", json={"grant_type": "refresh_token"}).status_code == 400
    form = {"grant_type": "refresh_token", "refresh_token": amara.refresh_token}
    # The account's own bearer is no client.
    assert amara.http.post("/2/oauth2/token", data=form).status_code == 401
