"""Connecting accounts over HTTP: as a person does it with a browser, and as an attacker would like to."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

import httpx
import pymongo
import pytest

from contracts.ids import new_id
from localstack.services import REDIRECT_URI, SERVICES

pytestmark = pytest.mark.stack

API = "/api/v1/creator/social"


class Person:
    """Somebody with a browser and an account at a platform."""

    def __init__(self, stack: Any, platform: str, **more: Any) -> None:
        self._stack = stack
        self.platform = platform
        self.browser = httpx.Client(trust_env=False, timeout=30.0, follow_redirects=False)
        body = {"platform": platform, "username": "amara", "display_name": "Amara <b>", "followers": 321, **more}
        answer = self.browser.post(f"{stack.sandbox_url}/_sandbox/accounts", json=body)
        assert answer.status_code == 201, answer.text
        self.id: str = answer.json()["platform_user_id"]

    def allow(self, authorization_url: str, *, choice: str | None = None) -> dict[str, str]:
        """Clicks on the platform's page; what the platform then brings back."""
        answer = self.browser.get(f"{authorization_url}&{urlencode({'sandbox_account': choice or self.id})}")
        assert answer.status_code == 302, answer.text
        self.came_back_to = answer.headers["location"]
        return dict(parse_qsl(urlsplit(self.came_back_to).query))

    def sandbox(self, method: str, path: str, **options: Any) -> Any:
        answer = self.browser.request(method, f"{self._stack.sandbox_url}/_sandbox{path}", **options)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None


@pytest.fixture
def person(stack: Any) -> Iterator[Callable[..., Person]]:
    people: list[Person] = []

    def person(platform: str = "twitter", **more: Any) -> Person:
        people.append(Person(stack, platform, **more))
        return people[-1]

    yield person
    for each in people:
        each.browser.close()


def begin(client: Any, platform: str = "twitter", **more: Any) -> Any:
    """Without `redirect_uri=None` at the app's own address."""
    body = {"platform": platform, "redirect_uri": REDIRECT_URI, **more}
    return client.post("/accounts/connect", {name: value for name, value in body.items() if value is not None})


def complete(client: Any, back: dict[str, str]) -> Any:
    return client.post("/accounts/connect/complete", {"state": back["state"], "code": back["code"]})


def refused(client: Any, code: str, back: dict[str, str], status: int = 400) -> None:
    body = {"state": back["state"], "code": back["code"]}
    client.refused(status, code, "POST", "/accounts/connect/complete", body)


def changed(url: str, **changes: str | None) -> str:
    """The address with other parameters; None takes one away."""
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query)), **changes}
    return urlunsplit(parts._replace(query=urlencode({name: v for name, v in query.items() if v is not None})))


# --- as it should be ----------------------------------------------------------------------------------


def test_an_account_is_connected_published_to_refreshed_and_disconnected(
    stack: Any, stranger: Any, person: Any, sandbox: Any
) -> None:
    amara = person()
    begun = begin(stranger)
    assert begun["expires_in"] == 300
    assert len(begun["state"]) >= 43
    query = parse_qs(urlsplit(begun["authorization_url"]).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["redirect_uri"] == [REDIRECT_URI]

    connected = complete(stranger, amara.allow(begun["authorization_url"]))
    assert connected["status"] == "connected"
    assert connected["missing_permissions"] == []
    account = connected["account"]
    assert account["username"] == "@amara"
    assert account["followers"] == 321
    assert account["status"] == "connected"
    assert account["permissions"] == ["post", "upload_media", "read_analytics"]
    (listed,) = stranger.get("/accounts")["accounts"]
    assert listed == account

    body = {"content": {"text": f"Hello {new_id('n')}"}, "platforms": [{"platform": "twitter"}]}
    published = stranger.post("/publish", body, status=201)
    stranger.settled(published["post_id"], "published")

    detail = stranger.get(f"/accounts/{account['id']}")
    assert detail["health"]["renews_itself"]
    assert detail["health"]["warning"] is None
    assert detail["health"]["token_expires_at"] is not None
    fresh = stranger.post(f"/accounts/{account['id']}/refresh")
    assert fresh["profile_updated_at"] is not None
    assert fresh["followers"] == 321

    key = new_id("key")
    gone = stranger.delete(f"/accounts/{account['id']}", status=200, key=key)
    assert (gone["status"], gone["revoked"], gone["notice"]) == ("disconnected", True, None)
    assert stranger.delete(f"/accounts/{account['id']}", status=200, key=key) == gone
    stranger.refused(409, "already_disconnected", "DELETE", f"/accounts/{account['id']}")
    stranger.refused(401, "account_disconnected", "POST", f"/accounts/{account['id']}/refresh")
    stranger.refused(401, "account_disconnected", "POST", "/publish", body)

    again = complete(stranger, amara.allow(begin(stranger)["authorization_url"]))
    assert again["account"]["id"] == account["id"], "the same person keeps the id"
    assert again["account"]["status"] == "connected"


def test_one_login_of_several_pages_is_selected_from(stranger: Any, person: Any) -> None:
    member = person("linkedin", kind="member")
    pages = [
        person("linkedin", kind="organization", username=name, administrator=member.id) for name in ("first", "second")
    ]
    back = member.allow(begin(stranger, "linkedin", login="pages")["authorization_url"])
    open_ = complete(stranger, back)
    assert open_["status"] == "selection_required"
    assert [choice["username"] for choice in open_["choices"]] == ["first", "second"]
    assert stranger.get("/accounts")["accounts"] == []

    pick = {"selection_token": open_["selection_token"], "choice": pages[1].id}
    stranger.refused(400, "invalid_choice", "POST", "/accounts/connect/select", {**pick, "choice": "urn:li:none"})
    connected = stranger.post("/accounts/connect/select", pick)
    assert connected["account"]["username"] == "second"
    assert connected["account"]["account_type"] == "company_page"
    assert connected["account"]["followers"] == 321
    stranger.refused(400, "invalid_selection", "POST", "/accounts/connect/select", pick)

    body = {"content": {"text": f"Hello {new_id('n')}"}, "platforms": [{"platform": "linkedin"}]}
    published = stranger.post("/publish", body, status=201)
    stranger.settled(published["post_id"], "published")
    gone = stranger.delete(f"/accounts/{connected['account']['id']}", status=200)
    assert gone["revoked"] is False
    assert "Permitted services" in gone["notice"]


def test_our_own_page_asks_and_connects(stack: Any, stranger: Any, person: Any) -> None:
    amara = person()
    begun = begin(stranger, redirect_uri=None, return_to=REDIRECT_URI)
    amara.allow(begun["authorization_url"])
    assert amara.came_back_to.startswith(f"{stack.gateway_url}{API}/accounts/callback/twitter?")

    page = amara.browser.get(amara.came_back_to)
    assert page.status_code == 200
    assert stranger.tenant in page.text
    assert "<b>Go on only if you started this yourself.</b>" in page.text
    assert "Amara &lt;b&gt;" in page.text
    assert stranger.get("/accounts")["accounts"] == [], "nothing is connected before a person has confirmed"
    _is_a_safe_page(page)

    chosen = _form(page)
    done = amara.browser.post(amara.came_back_to.partition("?")[0], data=chosen)
    assert done.status_code == 200
    _is_a_safe_page(done)
    (account,) = stranger.get("/accounts")["accounts"]
    assert f"{REDIRECT_URI}?status=connected&account_id={account['id']}" in unescape(done.text)
    assert account["followers"] == 321
    again = amara.browser.post(amara.came_back_to.partition("?")[0], data=chosen)
    assert again.status_code == 400


def test_a_platform_that_is_not_configured_says_so(stranger: Any) -> None:
    stranger.refused(
        400,
        "platform_not_configured",
        "POST",
        "/accounts/connect",
        {"platform": "twitter", "redirect_uri": REDIRECT_URI, "login": "none"},
    )


def test_a_revocation_found_by_a_renewal_disconnects(stack: Any, stranger: Any, person: Any, eventually: Any) -> None:
    amara = person()
    account = complete(stranger, amara.allow(begin(stranger)["authorization_url"]))["account"]
    amara.sandbox("POST", f"/accounts/{amara.id}/revoke")
    stranger.refused(401, "account_disconnected", "POST", f"/accounts/{account['id']}/refresh")
    gone = eventually(lambda: stranger.get("/accounts", status="disconnected")["accounts"])
    assert gone[0]["id"] == account["id"]
    assert "ended the authorization" in gone[0]["disconnect_reason"]


def test_one_person_in_two_workspaces_is_two_accounts_that_do_not_end_each_other(
    stack: Any, stranger: Any, person: Any
) -> None:
    """Google ends everything that a person has granted us, so nothing is revoked while others hang on it."""
    other = type(stranger)(stack, new_id("tenant"))
    channel = person("youtube")
    first, second = (
        complete(client, channel.allow(begin(client, "youtube")["authorization_url"]))["account"]
        for client in (stranger, other)
    )
    assert first["id"] != second["id"]
    assert first["account_type"] == second["account_type"] == "channel"
    gone = stranger.delete(f"/accounts/{first['id']}", status=200)
    assert (gone["revoked"], "myaccount.google.com" in gone["notice"]) == (False, True)
    assert other.post(f"/accounts/{second['id']}/refresh")["status"] == "connected"
    assert other.delete(f"/accounts/{second['id']}", status=200)["revoked"] is True


@pytest.mark.parametrize("platform", ["facebook", "instagram", "youtube", "tiktok"])
def test_every_platform_is_connected(stack: Any, stranger: Any, person: Any, platform: str) -> None:
    owner = person(platform)
    who = owner.id
    if platform == "facebook":
        accounts = owner.sandbox("GET", "/accounts")["accounts"]
        who = next(each["administrator"] for each in accounts if each["id"] == owner.id)
    back = owner.allow(begin(stranger, platform)["authorization_url"], choice=who)
    account = complete(stranger, back)["account"]
    assert account["platform"] == platform
    assert "post" in account["permissions"]
    assert account["followers"] == 321
    assert stranger.get(f"/accounts/{account['id']}")["health"]["warning"] is None
    assert stranger.post(f"/accounts/{account['id']}/refresh")["followers"] == 321
    assert stranger.delete(f"/accounts/{account['id']}", status=200)["status"] == "disconnected"


def test_publishing_goes_on_when_tokens_run_out(stack: Any, stranger: Any, person: Any, eventually: Any) -> None:
    amara = person()
    amara.sandbox("POST", "/settings", json={"twitter": {"access_token_seconds": 2}})
    try:
        complete(stranger, amara.allow(begin(stranger)["authorization_url"]))
    finally:
        amara.sandbox("POST", "/settings", json={"twitter": {"access_token_seconds": 7200}})

    def renewals() -> int:
        query = {"account": amara.id, "call": "token"}
        return len(amara.sandbox("GET", "/requests", params=query)["requests"]) - 1

    def publish() -> bool:
        body = {"content": {"text": f"Hello {new_id('n')}"}, "platforms": [{"platform": "twitter"}]}
        stranger.settled(stranger.post("/publish", body, status=201)["post_id"], "published")
        return renewals() > 0

    eventually(publish, what="a renewal")
    publish()
    assert renewals() == 1
    refusals = [
        each
        for each in amara.sandbox("GET", "/requests", params={"account": amara.id})["requests"]
        if each["status"] == 401
    ]
    assert refusals == [], "no token was used after its end"


def test_another_tenants_account_is_none(client: Any, stranger: Any, twitter: Any) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/refresh")):
        stranger.refused(404, "account_not_found", method, f"/accounts/{twitter.id}{path}")
    assert client.get(f"/accounts/{twitter.id}")["status"] == "connected"


def test_keys_are_rotated_under_a_running_stack(stack: Any, client: Any, twitter: Any) -> None:
    rotated = subprocess.run(
        [sys.executable, "-m", "publisher", "rotate-keys"],
        env={**stack.process("publisher").environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert '"remaining":0' in rotated.stdout.replace(" ", "")
    assert client.get(f"/accounts/{twitter.id}")["health"]["warning"] is None


# --- as an attacker would like it ---------------------------------------------------------------------


def test_attack_missing_state(stack: Any, stranger: Any, person: Any) -> None:
    """Fails closed: no state is no credential."""
    amara = person()
    back = amara.allow(begin(stranger, redirect_uri=None)["authorization_url"])
    path = f"{stack.gateway_url}{API}/accounts/callback/twitter"
    for query in ({"code": back["code"]}, {"code": back["code"], "state": ""}, {}):
        assert amara.browser.get(path, params=query).status_code == 400
    for body in ({"code": back["code"]}, {"code": back["code"], "state": ""}):
        stranger.refused(400, "invalid_content", "POST", "/accounts/connect/complete", body)


def test_attack_foreign_state_of_another_tenant_or_user(stack: Any, stranger: Any, person: Any) -> None:
    """Also the session fixation: a victim made to finish what an attacker began."""
    amara = person()
    back = amara.allow(begin(stranger)["authorization_url"])
    victim = type(stranger)(stack, new_id("tenant"))
    colleague = type(stranger)(stack, stranger.tenant, sub="user_002")
    for other in (victim, colleague):
        refused(other, "invalid_state", back)
        assert other.get("/accounts")["accounts"] == []
    assert complete(stranger, back)["status"] == "connected", "others' tries do not spoil it"


def test_attack_invented_state(stranger: Any, person: Any) -> None:
    back = person().allow(begin(stranger)["authorization_url"])
    refused(stranger, "invalid_state", {**back, "state": back["state"][:-1] + "_"})


def test_attack_replayed_state(stranger: Any, person: Any) -> None:
    amara = person()
    back = amara.allow(begin(stranger)["authorization_url"])
    complete(stranger, back)
    refused(stranger, "invalid_state", back)
    fresh = amara.allow(begin(stranger)["authorization_url"])
    refused(stranger, "invalid_state", {"state": back["state"], "code": fresh["code"]})


def test_attack_double_callback(stack: Any, stranger: Any, person: Any) -> None:
    amara = person()
    amara.allow(begin(stranger, redirect_uri=None)["authorization_url"])
    assert amara.browser.get(amara.came_back_to).status_code == 200
    assert amara.browser.get(amara.came_back_to).status_code == 400


def test_attack_swapped_provider(stack: Any, stranger: Any, person: Any) -> None:
    """Mix-up: each platform has a path of its own, and an attempt belongs to one."""
    amara = person()
    amara.allow(begin(stranger, redirect_uri=None)["authorization_url"])
    elsewhere = amara.came_back_to.replace("/callback/twitter", "/callback/linkedin")
    assert amara.browser.get(elsewhere).status_code == 400
    assert amara.browser.get(elsewhere.replace("linkedin", "elsewhere")).status_code == 404
    assert stranger.get("/accounts")["accounts"] == []


def test_attack_hosted_state_at_the_api_and_the_other_way_round(stranger: Any, person: Any, stack: Any) -> None:
    amara = person()
    hosted = amara.allow(begin(stranger, redirect_uri=None)["authorization_url"])
    refused(stranger, "invalid_state", hosted)
    own = amara.allow(begin(stranger)["authorization_url"])
    page = amara.browser.get(f"{stack.gateway_url}{API}/accounts/callback/twitter", params=own)
    assert page.status_code == 400
    assert stranger.get("/accounts")["accounts"] == []


def test_attack_code_injection(stranger: Any, person: Any) -> None:
    """A code that was given to another authorization does not fit this one's PKCE verifier."""
    amara, mallory = person(), person()
    stolen = amara.allow(begin(stranger)["authorization_url"])["code"]
    own = mallory.allow(begin(stranger)["authorization_url"])
    refused(stranger, "authorization_failed", {"state": own["state"], "code": stolen})
    assert stranger.get("/accounts")["accounts"] == []


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://evil.example/callback",
        REDIRECT_URI + "/",
        REDIRECT_URI + "?next=https://evil.example",
        REDIRECT_URI + "#fragment",
        REDIRECT_URI.replace("http:", "https:"),
        REDIRECT_URI.replace("localhost", "localhost@evil.example"),
        REDIRECT_URI.replace("/oauth", "/../oauth"),
        REDIRECT_URI.upper(),
        "javascript:alert(1)",
    ],
)
def test_attack_redirect_not_on_the_list(stranger: Any, redirect_uri: str) -> None:
    body = {"platform": "twitter", "redirect_uri": redirect_uri}
    stranger.refused(400, "redirect_not_allowed", "POST", "/accounts/connect", body)
    stranger.refused(
        400, "redirect_not_allowed", "POST", "/accounts/connect", {"platform": "twitter", "return_to": redirect_uri}
    )


def test_attack_pkce_downgrade(stranger: Any, person: Any) -> None:
    amara = person()
    begun = begin(stranger)
    plain = amara.allow(changed(begun["authorization_url"], code_challenge_method="plain"))
    refused(stranger, "authorization_failed", plain)
    begun = begin(stranger)
    own = changed(begun["authorization_url"], code_challenge="x" * 43, code_challenge_method="plain")
    refused(stranger, "authorization_failed", amara.allow(own))
    without = changed(begin(stranger)["authorization_url"], code_challenge=None, code_challenge_method=None)
    assert amara.browser.get(without).status_code == 400
    assert stranger.get("/accounts")["accounts"] == []


def test_attack_scope_downgrade(stranger: Any, person: Any) -> None:
    amara = person()
    begun = begin(stranger)
    weak = amara.allow(changed(begun["authorization_url"], scope="users.read tweet.read"))
    refused(stranger, "permissions_missing", weak, status=403)
    assert stranger.get("/accounts")["accounts"] == []

    some = changed(begin(stranger)["authorization_url"], scope="users.read tweet.read tweet.write offline.access")
    connected = complete(stranger, amara.allow(some))
    assert connected["missing_permissions"] == ["media.write"]
    assert connected["account"]["permissions"] == ["post", "read_analytics"]


def test_attack_expired_state(stack: Any, stranger: Any, person: Any) -> None:
    """As if five minutes had gone by: the attempt's own end is moved."""
    back = person().allow(begin(stranger)["authorization_url"])
    with pymongo.MongoClient[dict[str, Any]](stack.mongodb_uri, tz_aware=True) as mongo:
        attempts = mongo[stack.database]["oauth_attempts"]
        (attempt,) = attempts.find({"tenant_id": stranger.tenant})
        assert back["state"] not in repr(attempt)
        moved = attempt["expires_at"].replace(year=2020)
        attempts.update_one({"_id": attempt["_id"]}, {"$set": {"expires_at": moved}})
    refused(stranger, "invalid_state", back)


def test_attack_reflection_on_our_page(stack: Any, stranger: Any, person: Any) -> None:
    amara = person()
    script = "<script>alert(1)</script>"
    path = f"{stack.gateway_url}{API}/accounts/callback/twitter"
    for query in (
        {"error": script, "error_description": script, "state": script},
        {"state": script, "code": script},
        [("state", "a"), ("state", script), ("code", "b")],
    ):
        page = amara.browser.get(path, params=query)
        assert page.status_code == 400
        assert "alert" not in page.text
        _is_a_safe_page(page)
    page = amara.browser.post(path, content=f"selection_token={script}&choice={script}")
    assert page.status_code == 400
    assert "alert" not in page.text


def test_a_refusal_at_the_platform_is_told_and_uses_the_state_up(stranger: Any, person: Any) -> None:
    amara = person()
    amara.allow(begin(stranger, redirect_uri=None)["authorization_url"], choice="deny")
    page = amara.browser.get(amara.came_back_to)
    assert page.status_code == 400
    assert "was not allowed" in page.text
    assert "is not known here" in amara.browser.get(amara.came_back_to).text


def test_attack_internal_interface_without_the_secret(stack: Any) -> None:
    url = f"http://127.0.0.1:{stack.settings.publisher_internal_port}/accounts/health"
    for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": "Bearer wrong"}):
        assert httpx.post(url, headers=headers, json={}, trust_env=False).status_code == 401


def test_no_code_state_or_token_is_in_any_log(stack: Any, stranger: Any, person: Any) -> None:
    amara = person()
    back = amara.allow(begin(stranger)["authorization_url"])
    complete(stranger, back)
    hosted = amara.allow(begin(stranger, redirect_uri=None)["authorization_url"])
    page = amara.browser.get(amara.came_back_to)
    wrong = begin(stranger)
    refused(stranger, "authorization_failed", {"state": wrong["state"], "code": "canary-code-1"})
    secrets = [back["state"], back["code"], hosted["state"], hosted["code"], "canary-code-1", wrong["state"]]
    secrets.append(_form(page)["selection_token"])
    secrets += [stack.keys.internal_secret.read_text(), stack.keys.client_secret.read_text()]
    for service in SERVICES:
        logs = stack.logs(service)
        for secret in secrets:
            assert secret not in logs, service
    metrics = httpx.get(f"http://127.0.0.1:{stack.settings.publisher_health_port}/metrics", trust_env=False).text
    for secret in secrets:
        assert secret not in metrics


def _is_a_safe_page(page: httpx.Response) -> None:
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert "<script" not in page.text


def _form(page: httpx.Response) -> dict[str, str]:
    token = re.search(r'name="selection_token" value="([^"]+)"', page.text)
    choice = re.search(r'name="choice" value="([^"]+)"', page.text)
    assert token is not None
    assert choice is not None
    return {"selection_token": unescape(token[1]), "choice": unescape(choice[1])}
