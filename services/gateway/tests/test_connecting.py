"""Connecting over HTTP, with a publisher that says what it is told to: who is asked for what, and what people see."""

from html import unescape
from typing import Any

import httpx
import pytest

from contracts import connections
from contracts.accounts import Account
from contracts.connections import (
    AccountCall,
    AccountConnection,
    AccountHealth,
    BeginConnection,
    CompleteConnection,
    ConnectionBegun,
    ConnectionChoice,
    ConnectionCompleted,
    ConnectionSelection,
    SelectConnection,
)
from gateway import pages
from gateway.connections import CALLBACK, HttpPublisher, Redirects
from gateway.problems import ProblemError
from gateway.settings import Settings

REDIRECT = "https://app.example.com/oauth/callback"
PUBLIC = "https://api.example.com"
SCRIPT = '"><script>alert(1)</script>'


@pytest.fixture
def world(make_world: Any) -> Any:
    world = make_world(connect_redirect_uris=(REDIRECT,), public_url=PUBLIC)
    world.publisher.answers[connections.BEGIN] = ConnectionBegun(
        authorization_url="https://x.example/authorize?state=s", state="s", expires_in=300
    )
    return world


@pytest.fixture
async def browser(world: Any) -> Any:
    async with world.client() as client:
        del client.headers["authorization"]
        yield client


def selection(**changes: Any) -> ConnectionSelection:
    choice = ConnectionChoice(
        id="1", username="amara", display_name="Amara", account_type="personal", profile_image=None, followers=1
    )
    facts: dict[str, Any] = {
        "selection_token": "token",
        "expires_in": 600,
        "tenant_id": "tenant_a",
        "platform": "twitter",
        "started_by": "user_001",
        "choices": (choice,),
        **changes,
    }
    return ConnectionSelection(**facts)


async def test_beginning_asks_for_the_caller_and_nobody_else(world: Any, api: httpx.AsyncClient) -> None:
    answer = await api.post("/accounts/connect", json={"platform": "twitter", "redirect_uri": REDIRECT})
    assert answer.status_code == 200
    assert answer.json() == {
        "authorization_url": "https://x.example/authorize?state=s",
        "state": "s",
        "expires_in": 300,
    }
    assert answer.headers["cache-control"] == "no-store"
    (asked,) = world.publisher.asked
    assert asked == (
        connections.BEGIN,
        BeginConnection(tenant_id="tenant_a", user="user_001", platform="twitter", redirect_uri=REDIRECT),
    )


async def test_without_a_redirect_uri_our_own_page_is_used(world: Any, api: httpx.AsyncClient) -> None:
    await api.post("/accounts/connect", json={"platform": "twitter", "return_to": REDIRECT})
    ((_, asked),) = world.publisher.asked
    assert asked.redirect_uri == f"{PUBLIC}{CALLBACK}/twitter"
    assert asked.hosted
    assert asked.return_to == REDIRECT


async def test_the_body_cannot_say_who_asks(world: Any, api: httpx.AsyncClient) -> None:
    for more in ({"tenant_id": "other"}, {"user": "other"}, {"hosted": True}):
        answer = await api.post("/accounts/connect", json={"platform": "twitter", "redirect_uri": REDIRECT, **more})
        assert answer.json()["code"] == "invalid_content"
    assert world.publisher.asked == []


def test_redirects_are_compared_letter_by_letter() -> None:
    redirects = Redirects([REDIRECT], PUBLIC + "/")
    assert redirects.choose("twitter", REDIRECT) == (REDIRECT, False)
    assert redirects.choose("twitter", f"{PUBLIC}{CALLBACK}/twitter") == (f"{PUBLIC}{CALLBACK}/twitter", True)
    for wrong in (REDIRECT + "/", REDIRECT + "?a=b", f"{PUBLIC}{CALLBACK}/linkedin", "", REDIRECT.upper()):
        with pytest.raises(ProblemError) as problem:
            redirects.choose("twitter", wrong)
        assert problem.value.code == "redirect_not_allowed"
    with pytest.raises(ProblemError):
        Redirects([REDIRECT], None).choose("twitter", None)
    for wrong in ("https://evil.example", f"{PUBLIC}{CALLBACK}/twitter"):
        with pytest.raises(ProblemError):
            redirects.check_return(wrong)


@pytest.mark.parametrize("address", ["javascript:alert(1)", "/relative", "https://a.example/#f", "ftp://a.example/"])
def test_the_list_takes_only_addresses_of_pages(make_world: Any, address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        make_world(connect_redirect_uris=(address,))


def test_the_list_is_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECT_REDIRECT_URIS", f"{REDIRECT}, https://b.example/cb")
    settings = Settings(
        kafka_bootstrap="-", mongodb_uri="-", jwt_issuer="-", jwt_audience="-", jwt_jwks_url="https://i.example"
    )
    assert settings.connect_redirect_uris == (REDIRECT, "https://b.example/cb")


async def test_completing_is_bound_to_the_caller_and_answered_again_to_a_repeat(
    world: Any, api: httpx.AsyncClient
) -> None:
    account: Account = world.repository.known_accounts[0]
    world.publisher.answers[connections.COMPLETE] = ConnectionCompleted(
        connection=AccountConnection(account=account, missing_permissions=("media.write",))
    )
    send = {"json": {"state": "s", "code": "c"}, "headers": {"Idempotency-Key": "k"}}
    first = await api.post("/accounts/connect/complete", **send)
    again = await api.post("/accounts/connect/complete", **send)
    assert first.status_code == 200
    assert first.json()["status"] == "connected"
    assert first.json()["account"]["id"] == "acc_x"
    assert first.json()["missing_permissions"] == ["media.write"]
    assert again.json() == first.json()
    ((path, asked),) = world.publisher.asked
    assert (path, asked) == (
        connections.COMPLETE,
        CompleteConnection(state="s", code="c", tenant_id="tenant_a", user="user_001"),
    )


async def test_a_refusal_keeps_its_code(world: Any, api: httpx.AsyncClient) -> None:
    world.publisher.answers[connections.COMPLETE] = ProblemError("permissions_missing", "tweet.write is missing.")
    answer = await api.post("/accounts/connect/complete", json={"state": "s", "code": "c"})
    assert (answer.status_code, answer.json()["code"]) == (403, "permissions_missing")


async def test_our_page_asks_a_person_before_anything_is_connected(world: Any, browser: httpx.AsyncClient) -> None:
    world.publisher.answers[connections.COMPLETE] = ConnectionCompleted(selection=selection())
    page = await browser.get("/accounts/callback/twitter", params={"state": "s", "code": "c"})
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "tenant_a" in page.text
    ((_, asked),) = world.publisher.asked
    assert asked == CompleteConnection(state="s", code="c", platform="twitter")

    account: Account = world.repository.known_accounts[0]
    world.publisher.answers[connections.SELECT] = AccountConnection(account=account, return_to=REDIRECT)
    form = {"selection_token": "token", "choice": "1"}
    done = await browser.post("/accounts/callback/twitter", data=form)
    assert f"{REDIRECT}?status=connected&account_id=acc_x" in unescape(done.text)
    assert world.publisher.asked[1] == (
        connections.SELECT,
        SelectConnection(selection_token="token", choice_id="1"),
    )


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("twitter", {}, 400),
        ("twitter", {"code": "c"}, 400),
        ("twitter", {"state": "", "code": "c"}, 400),
        ("twitter", {"state": "s"}, 400),
        ("twitter", [("state", "s"), ("state", "t"), ("code", "c")], 400),
        ("myspace", {"state": "s", "code": "c"}, 404),
    ],
)
async def test_half_an_address_asks_nobody(
    world: Any, browser: httpx.AsyncClient, path: str, query: Any, status: int
) -> None:
    page = await browser.get(f"/accounts/callback/{path}", params=query)
    assert page.status_code == status
    assert page.headers["content-type"].startswith("text/html")
    assert world.publisher.asked == []


async def test_an_error_is_never_completed_with_a_code(world: Any, browser: httpx.AsyncClient) -> None:
    world.publisher.answers[connections.COMPLETE] = ProblemError("authorization_denied", "It was not allowed.")
    query = {"state": "s", "code": "c", "error": SCRIPT, "error_description": SCRIPT}
    page = await browser.get("/accounts/callback/twitter", params=query)
    assert page.status_code == 400
    assert "It was not allowed." in page.text
    assert "alert" not in page.text
    ((_, asked),) = world.publisher.asked
    assert asked.code is None


@pytest.mark.parametrize("body", [b"", b"x", b"selection_token=a&selection_token=b&choice=1", b"\xff=1", b"a=1&" * 40])
async def test_another_form_asks_for_nothing_of_value(world: Any, browser: httpx.AsyncClient, body: bytes) -> None:
    page = await browser.post("/accounts/callback/twitter", content=body)
    assert page.status_code in {400, 503}
    assert all(not asked.selection_token for _, asked in world.publisher.asked)


async def test_our_page_is_limited_for_each_address(make_world: Any) -> None:
    world = make_world(writes_per_second=1, public_url=PUBLIC)
    async with world.client() as client:
        del client.headers["authorization"]
        answers = [await client.get("/accounts/callback/twitter", params={"state": "s", "code": "c"}) for _ in range(6)]
    assert [answer.status_code for answer in answers[-2:]] == [429, 429]


def test_whatever_strangers_write_is_text() -> None:
    hostile = ConnectionChoice(
        id=SCRIPT, username=SCRIPT, display_name=SCRIPT, account_type=SCRIPT, profile_image=SCRIPT, followers=1
    )
    asked = selection(
        choices=(hostile,), tenant_id=SCRIPT, started_by=SCRIPT, selection_token=SCRIPT, missing_permissions=(SCRIPT,)
    )
    for page in (pages.choosing(asked), pages.failed(SCRIPT)):
        assert b"<script" not in page
        assert b'"">' not in page


async def test_an_account_is_shown_with_its_health(world: Any, api: httpx.AsyncClient) -> None:
    world.publisher.answers[connections.HEALTH] = AccountHealth(renews_itself=True, warning="soon")
    shown = (await api.get("/accounts/acc_x")).json()
    assert shown["health"]["warning"] == "soon"
    ((_, asked),) = world.publisher.asked
    assert isinstance(asked, AccountCall)
    assert (asked.tenant_id, asked.account_id) == ("tenant_a", "acc_x")


async def test_an_account_is_shown_without_the_publisher(api: httpx.AsyncClient) -> None:
    shown = await api.get("/accounts/acc_x")
    assert shown.status_code == 200
    assert shown.json()["health"] is None


async def test_another_tenants_account_is_none(world: Any) -> None:
    async with world.client(tenant_id="tenant_b") as other:
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/refresh")):
            answer = await other.request(method, f"/accounts/acc_x{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "account_not_found")
    assert world.publisher.asked == []


# --- the call to the publisher ------------------------------------------------------------------------


def publisher(respond: Any) -> HttpPublisher:
    made = HttpPublisher("http://publisher", "a-secret")
    made._http._transport = httpx.MockTransport(respond)
    return made


CALL = AccountCall(tenant_id="t", account_id="a", actor="u", command_id="c")


async def test_the_publisher_is_shown_the_secret() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer a-secret"
        return httpx.Response(200, json={"warning": "w"})

    called = await publisher(respond).call(connections.HEALTH, CALL, AccountHealth)
    assert called.warning == "w"


@pytest.mark.parametrize(
    ("response", "code"),
    [
        (httpx.Response(409, json={"code": "invalid_state", "message": "over"}), "invalid_state"),
        (httpx.Response(409, json={"code": "never_heard_of", "message": "?"}), "internal_error"),
        (httpx.Response(401), "connecting_unavailable"),
        (httpx.Response(200, json=[]), "connecting_unavailable"),
        (httpx.Response(502, text="<html>"), "connecting_unavailable"),
    ],
)
async def test_what_the_publisher_answers_is_told(response: httpx.Response, code: str) -> None:
    with pytest.raises(ProblemError) as problem:
        await publisher(lambda _: response).call(connections.HEALTH, CALL, AccountHealth)
    assert problem.value.code == code


async def test_a_publisher_that_is_away_is_told() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("away")

    with pytest.raises(ProblemError) as problem:
        await publisher(respond).call(connections.HEALTH, CALL, AccountHealth)
    assert problem.value.code == "connecting_unavailable"
    assert problem.value.kind.retryable
