"""The control API, the paths of the real hosts, and robustness against whatever arrives."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def test_health(control: Any) -> None:
    assert control.done(control.http.get("/health")) == {
        "status": "ok",
        "platforms": ["facebook", "instagram", "linkedin", "tiktok", "twitter", "youtube"],
    }


def test_accounts_as_asked_for(control: Any) -> None:
    body = {"platform": "twitter", "username": "amara", "display_name": "Amara Diallo", "followers": 5}
    created = control.done(control.http.post("/accounts", json=body))
    assert created["platform_user_id"].isdecimal()
    assert created.keys() == {
        "platform",
        "platform_user_id",
        "username",
        "display_name",
        "access_token",
        "refresh_token",
        "scopes",
    }
    assert created["scopes"] == ["media.write", "offline.access", "tweet.read", "tweet.write", "users.read"]
    page = control.done(control.http.post("/accounts", json=body | {"platform": "linkedin", "kind": "organization"}))
    assert page["platform_user_id"].startswith("urn:li:organization:")
    assert page["refresh_token"] is None
    listed = control.done(control.http.get("/accounts"))["accounts"]
    # The page's administrator is an account too.
    assert [account["kind"] for account in listed] == ["user", "member", "organization"]
    assert created["access_token"] not in control.http.get("/accounts").text


def test_tokens_can_be_short_lived(control: Any) -> None:
    amara = control.account("twitter", token_expires_in=10)
    assert amara.http.get("/2/users/me").status_code == 200
    control.advance(11)
    assert amara.http.get("/2/users/me").status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"platform": "myspace"},
        {"platform": "twitter", "kind": "organization"},
        {"platform": "linkedin", "kind": "user"},
        {"platform": "linkedin", "kind": "organization", "administrator": "urn:li:person:nobody"},
        {"platform": "twitter", "folowers": 5},
        {"platform": "twitter", "followers": "many"},
    ],
)
def test_accounts_that_cannot_be(control: Any, body: dict[str, object]) -> None:
    answer = control.http.post("/accounts", json={"username": "amara", "display_name": "Amara", **body})
    assert answer.status_code == 400
    assert control.done(control.http.get("/accounts")) == {"accounts": []}


def test_closed_accounts_keep_their_posts_and_lose_their_tokens(control: Any) -> None:
    amara = control.account("twitter")
    amara.http.post("/2/tweets", json={"text": "One"})
    assert control.http.delete(f"/accounts/{amara.id}").status_code == 204
    assert amara.http.post("/2/tweets", json={"text": "Two"}).status_code == 403
    assert len(control.posts(amara)) == 1
    assert control.http.delete(f"/accounts/{amara.id}").status_code == 404


def test_the_journal_tells_who_asked_what_and_never_a_token(control: Any) -> None:
    amara, bola = control.account("twitter"), control.account("twitter", "bola")
    amara.http.post("/2/tweets", json={"text": "One"})
    amara.http.post("/2/tweets", json={})
    bola.http.get("/2/users/me")
    refresh = {"grant_type": "refresh_token", "refresh_token": amara.refresh_token, "client_id": "app"}
    amara.http.post("/2/oauth2/token", data=refresh)
    answer = control.http.get("/requests", params={"account": amara.id})
    received = answer.json()["requests"]
    assert [(request["call"], request["status"]) for request in received] == [
        ("create_post", 201),
        ("create_post", 400),
        ("token", 200),
    ]
    assert (received[0]["method"], received[0]["path"], received[0]["accounts"]) == ("POST", "/2/tweets", [amara.id])
    everything = control.http.get("/requests").text
    assert control.done(control.http.get("/requests"))["total"] == 4
    assert not any(secret in everything for secret in (amara.access_token, amara.refresh_token, bola.access_token))


def test_the_ledger_can_be_narrowed(control: Any) -> None:
    amara, member = control.account("twitter"), control.account("linkedin")
    post_id = amara.http.post("/2/tweets", json={"text": "One"}).json()["data"]["id"]
    amara.http.post("/2/tweets", json={"text": "Two"})
    amara.http.delete(f"/2/tweets/{post_id}")
    assert [post["text"] for post in control.posts(amara)] == ["Two"]
    everything = control.posts(amara, include_deleted="true")
    assert [post["deleted_at"] is None for post in everything] == [False, True]
    assert control.posts(member) == []
    assert control.done(control.http.get("/ledger", params={"platform": "linkedin"}))["total"] == 0
    assert control.done(control.http.get("/ledger/stats"))["accounts"] == {amara.id: {"live": 1, "deleted": 1}}


def test_reset_forgets_everything(control: Any) -> None:
    amara = control.account("twitter")
    amara.http.post("/2/tweets", json={"text": "One"})
    control.fault("twitter", "garbage")
    control.settings(twitter={"fields": "both"})
    control.done(control.http.post("/reset"))
    assert control.done(control.http.get("/ledger"))["total"] == 0
    assert control.done(control.http.get("/accounts")) == {"accounts": []}
    assert control.done(control.http.get("/faults")) == {"faults": []}
    assert control.done(control.http.get("/requests"))["total"] == 0
    assert control.done(control.http.get("/settings"))["twitter"]["fields"] == "requested"
    assert amara.http.get("/2/users/me").status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {"twitter": {"fields": "old"}},
        {"twitter": {"colour": "blue"}},
        {"myspace": {}},
        {"twitter": {"rate_limits": {"calls": {"create_post": {"hourly": 1}}}}},
        [],
    ],
)
def test_switches_that_do_not_exist(control: Any, body: object) -> None:
    before = control.done(control.http.get("/settings"))
    assert control.http.post("/settings", json=body).status_code == 400
    assert control.done(control.http.get("/settings")) == before


def test_nested_switches_are_merged(control: Any) -> None:
    control.settings(twitter={"rate_limits": {"calls": {"create_post": {"user": 7}}}})
    limits = control.done(control.http.get("/settings"))["twitter"]["rate_limits"]
    assert limits["calls"]["create_post"] == {"user": 7, "user_day": None, "app_day": 10_000}
    assert limits["calls"]["me"]["user"] == 75


@pytest.mark.parametrize("path", ["/nothing", "/media/image.webp", "/ledger/1"])
def test_control_calls_that_do_not_exist(control: Any, path: str) -> None:
    assert control.http.get(path).status_code == 404


def test_the_clock_only_moves_forward(control: Any) -> None:
    assert control.http.post("/clock", json={"advance": -1}).status_code == 400
    assert control.http.post("/clock", content=b"\xff").status_code == 400


@pytest.mark.parametrize("query", ["w=0", "w=x", "depth=1", "bytes=1"])
def test_samples_that_cannot_be(control: Any, query: str) -> None:
    assert control.http.get(f"/media/image.png?{query}").status_code == 400


def test_samples_have_their_type(control: Any) -> None:
    answer = control.http.get("/media/image.jpg", params={"w": 100, "h": 50, "bytes": 5000})
    assert (answer.headers["content-type"], len(answer.content)) == ("image/jpeg", 5000)


def test_the_paths_of_the_real_hosts_work_without_a_prefix(control: Any) -> None:
    amara, member = control.account("twitter"), control.account("linkedin")
    assert httpx.get(f"{control.url}/2/users/me", headers=amara.http.headers).status_code == 200
    assert httpx.get(f"{control.url}/v2/userinfo", headers=member.http.headers).status_code == 200
    assert httpx.get(f"{control.url}/i/oauth2/authorize").status_code == 400
    assert httpx.get(f"{control.url}/oauth/v2/authorization").status_code == 400
    assert httpx.get(f"{control.url}/elsewhere").status_code == 404


CALLS = [
    ("twitter", "POST", "/2/tweets"),
    ("twitter", "POST", "/2/media/upload"),
    ("twitter", "POST", "/2/media/upload/initialize"),
    ("twitter", "POST", "/2/media/upload/1/append"),
    ("twitter", "POST", "/2/media/metadata"),
    ("twitter", "POST", "/2/oauth2/token"),
    ("twitter", "POST", "/2/oauth2/revoke"),
    ("linkedin", "POST", "/rest/posts"),
    ("linkedin", "POST", "/rest/images?action=initializeUpload"),
    ("linkedin", "POST", "/rest/videos?action=initializeUpload"),
    ("linkedin", "POST", "/rest/videos?action=finalizeUpload"),
    ("linkedin", "POST", "/oauth/v2/accessToken"),
    ("linkedin", "PUT", "/dms-uploads/image:1/0/x"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["text", "media", "media_ids", "poll", "reply", "options", "author", "content", "commentary"]
            )
            | st.text(max_size=8),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
TYPES = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "", "x"]


@given(
    call=st.sampled_from(CALLS),
    body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()),
    content_type=st.sampled_from(TYPES),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_breaks_a_call(control: Any, call: tuple[str, str, str], body: bytes, content_type: str) -> None:
    platform, method, path = call
    account = _accounts(control)[platform]
    answer = account.http.request(method, path, content=body, headers={"Content-Type": content_type})
    assert answer.status_code < 500, answer.text


@given(
    path=st.sampled_from(
        ["/2/tweets", "/2/tweets/1", "/2/users/{id}/tweets", "/2/media/upload", "/i/oauth2/authorize"]
    ),
    query=st.dictionaries(
        st.sampled_from(
            [
                "ids",
                "max_results",
                "since_id",
                "start_time",
                "pagination_token",
                "tweet.fields",
                "expansions",
                "media_id",
            ]
        ),
        st.text(max_size=30) | st.integers().map(str) | st.datetimes().map(str),
        max_size=4,
    ),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_query_breaks_a_call(control: Any, path: str, query: dict[str, str]) -> None:
    account = _accounts(control)["twitter"]
    answer = account.http.get(path.format(id=account.id), params=query)
    assert answer.status_code < 500, answer.text


def _accounts(control: Any) -> dict[str, Any]:
    """One account of each platform for all the examples of a test."""
    if not hasattr(control, "kept"):
        control.settings(twitter={"rate_limits": {"enabled": False}}, linkedin={"rate_limits": {"enabled": False}})
        control.kept = {platform: control.account(platform) for platform in ("twitter", "linkedin")}
    kept: dict[str, Any] = control.kept
    return kept


def test_a_body_beyond_all_limits_is_refused(control: Any) -> None:
    url = httpx.URL(control.url)
    with socket.create_connection((url.host, url.port), timeout=30) as connection:
        connection.sendall(b"POST /x/2/tweets HTTP/1.1\r\nHost: sandbox\r\nContent-Length: 134217729\r\n\r\n")
        connection.sendall(bytes(134217729))
        assert connection.recv(64).startswith(b"HTTP/1.1 413")


def test_the_process(wait: Callable[[Callable[[], Any]], Any]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "SANDBOX_PORT": str(port), "LOG_LEVEL": "WARNING"}
    with subprocess.Popen([sys.executable, "-m", "sandbox"], env=environment, stderr=subprocess.PIPE) as process:

        def healthy() -> bool:
            assert process.poll() is None, "the process ended"
            try:
                return httpx.get(f"http://127.0.0.1:{port}/_sandbox/health", trust_env=False).status_code == 200
            except httpx.ConnectError:
                return False

        try:
            assert wait(healthy)
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=10)
    assert errors == b""
