"""LinkedIn's OAuth 2.0."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

CALLBACK = "https://app.example.com/callback"
ASKED = {
    "response_type": "code",
    "client_id": "app",
    "redirect_uri": CALLBACK,
    "scope": "openid profile w_member_social",
    "state": "opaque",
}
CLIENT = {"client_id": "app", "client_secret": "secret"}


@pytest.fixture
def member(control: Any) -> Any:
    return control.account("linkedin")


def _authorize(account: Any, **changes: str) -> dict[str, str]:
    """What the browser brings back."""
    asked = {**ASKED, "sandbox_account": account.id, **changes}
    answer = account.http.get("/oauth/v2/authorization", params=asked)
    assert answer.status_code == 302, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def _exchange(account: Any, authorization_code: str, **changes: str) -> Any:
    form = {"grant_type": "authorization_code", "code": authorization_code, "redirect_uri": CALLBACK, **CLIENT}
    return account.http.post("/oauth/v2/accessToken", data={**form, **changes})


def _userinfo(account: Any, token: str) -> Any:
    return account.http.get("/v2/userinfo", headers={"Authorization": f"Bearer {token}"})


def test_connecting(member: Any) -> None:
    back = _authorize(member)
    assert back["state"] == "opaque"
    tokens = _exchange(member, back["code"]).json()
    assert tokens["expires_in"] == 5_184_000
    assert sorted(tokens["scope"].split(",")) == ["openid", "profile", "w_member_social"]
    assert "refresh_token" not in tokens
    assert len(tokens["access_token"]) > 400
    assert f"urn:li:person:{_userinfo(member, tokens['access_token']).json()['sub']}" == member.id


def test_the_page_offers_members_not_pages(control: Any, member: Any) -> None:
    control.account("linkedin", "acme", kind="organization")
    page = member.http.get("/oauth/v2/authorization", params=ASKED)
    assert (page.status_code, "@amara" in page.text, "@acme)" in page.text) == (200, True, False)


def test_cancelling(member: Any) -> None:
    back = _authorize(member, sandbox_account="deny")
    assert (back["error"], back["state"]) == ("user_cancelled_authorize", "opaque")


@pytest.mark.parametrize("missing", ["response_type", "client_id", "redirect_uri"])
def test_authorization_requests_that_are_wrong(member: Any, missing: str) -> None:
    asked = {name: value for name, value in ASKED.items() if name != missing}
    assert member.http.get("/oauth/v2/authorization", params=asked).status_code == 400


def test_scopes_that_the_app_lacks(control: Any, member: Any) -> None:
    client = {**CLIENT, "redirect_uris": [CALLBACK], "scopes": ["w_member_social"]}
    control.settings(linkedin={"clients": [client], "scope_separator": " "})
    assert _authorize(member)["error"] == "unauthorized_scope_error"
    # Without a prompt the token silently lacks them.
    tokens = _exchange(member, _authorize(member, prompt="none")["code"]).json()
    assert tokens["scope"] == "w_member_social"
    assert _userinfo(member, tokens["access_token"]).status_code == 403


def test_registered_clients_must_prove_themselves(control: Any, member: Any) -> None:
    control.settings(linkedin={"clients": [{**CLIENT, "redirect_uris": [CALLBACK]}]})
    wrong = {**ASKED, "sandbox_account": member.id}
    for change in ({"client_id": "other"}, {"redirect_uri": CALLBACK + "/"}):
        assert member.http.get("/oauth/v2/authorization", params=wrong | change).status_code == 400
    code = _authorize(member)["code"]
    assert _exchange(member, code, client_secret="wrong").status_code == 401
    assert _exchange(member, code, client_id="other").status_code == 401
    assert _exchange(member, code).status_code == 200


@pytest.mark.parametrize(
    ("change", "description"),
    [
        ({"grant_type": ""}, 'A required parameter "grant_type" is missing'),
        ({"client_secret": ""}, 'A required parameter "client_secret" is missing'),
        ({"code": "made-up"}, "Unable to retrieve access token"),
        ({"redirect_uri": CALLBACK + "/"}, "Unable to retrieve access token"),
        ({"client_id": "other"}, "Unable to retrieve access token"),
        ({"grant_type": "password"}, "The grant type is not supported"),
    ],
)
def test_exchanges_that_are_wrong(member: Any, change: dict[str, str], description: str) -> None:
    refused = _exchange(member, _authorize(member)["code"], **change)
    assert refused.status_code == 400
    assert refused.json()["error_description"].startswith(description)


def test_codes_are_used_once_within_thirty_minutes(control: Any, member: Any) -> None:
    code = _authorize(member)["code"]
    assert _exchange(member, code).status_code == 200
    assert _exchange(member, code).status_code == 400
    late = _authorize(member)["code"]
    control.advance(1_801)
    assert _exchange(member, late).status_code == 400


def test_another_set_of_scopes_ends_earlier_tokens(member: Any) -> None:
    first = _exchange(member, _authorize(member)["code"]).json()["access_token"]
    same = _exchange(member, _authorize(member)["code"]).json()["access_token"]
    assert _userinfo(member, first).status_code == 200
    other = _exchange(member, _authorize(member, scope="openid")["code"]).json()["access_token"]
    assert [_userinfo(member, token).status_code for token in (first, same, other)] == [401, 401, 200]


def test_partners_refresh_until_the_first_year_is_over(control: Any) -> None:
    control.settings(linkedin={"refresh_tokens": True})
    member = control.account("linkedin")

    def refresh() -> Any:
        form = {"grant_type": "refresh_token", "refresh_token": member.refresh_token, **CLIENT}
        return member.http.post("/oauth/v2/accessToken", data=form)

    control.advance(59 * 86_400)
    tokens = refresh().json()
    assert tokens["refresh_token"] == member.refresh_token
    # The year does not start again: 306 days are left.
    assert 305 < tokens["refresh_token_expires_in"] / 86_400 <= 306
    assert _userinfo(member, tokens["access_token"]).status_code == 200
    control.advance(307 * 86_400)
    refused = refresh()
    assert refused.status_code == 400
    assert refused.json()["error_description"] == (
        "The provided authorization grant or refresh token is invalid, expired or revoked."
    )


def test_introspection(control: Any, member: Any) -> None:
    def introspect(token: str) -> Any:
        return member.http.post("/oauth/v2/introspectToken", data={**CLIENT, "token": token}).json()

    active = introspect(member.access_token)
    assert (active["active"], active["status"], active["auth_type"]) == (True, "active", "3L")
    assert introspect("made-up") == {"active": False}
    control.http.post(f"/accounts/{member.id}/expire")
    assert introspect(member.access_token)["status"] == "expired"
    control.http.post(f"/accounts/{member.id}/revoke")
    assert introspect(member.access_token)["status"] == "revoked"


def test_partners_get_a_refresh_token_when_they_connect(control: Any, member: Any) -> None:
    control.settings(linkedin={"refresh_tokens": True})
    tokens = _exchange(member, _authorize(member)["code"]).json()
    assert tokens["refresh_token_expires_in"] == 31_536_000
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], **CLIENT}
    assert member.http.post("/oauth/v2/accessToken", data=form).status_code == 200
    refused = member.http.post("/oauth/v2/accessToken", data={**form, "client_id": "other"})
    assert refused.json()["error"] == "invalid_request"
