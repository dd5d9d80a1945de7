"""Every scripted fault as a plain HTTP client meets it, and what the ledger says afterwards."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest

TEXT = {"text": "We open at nine."}


@pytest.fixture
def amara(control: Any) -> Any:
    return control.account("twitter")


def _create(account: Any, **options: Any) -> httpx.Response:
    answer: httpx.Response = account.http.post("/2/tweets", json=TEXT, **options)
    return answer


def _statuses(control: Any, account: Any) -> list[tuple[int | None, str | None]]:
    """Status and fault of each creation in the journal."""
    return [(request["status"], request["fault"]) for request in control.requests(account, "create_post")]


@pytest.mark.parametrize(("fault", "live"), [("accept_then_reset", 1), ("reset_before", 0)])
def test_a_reset_breaks_the_connection_before_any_byte(control: Any, amara: Any, fault: str, live: int) -> None:
    fault_id = control.fault("twitter", fault)
    with pytest.raises(httpx.ReadError):
        _create(amara)
    assert len(control.posts(amara)) == live
    assert control.fired(fault_id) == 1
    assert _statuses(control, amara) == [(None, fault)]


def test_a_reset_is_a_tcp_reset(control: Any, amara: Any) -> None:
    control.fault("twitter", "accept_then_reset")
    body = json.dumps(TEXT).encode()
    url = httpx.URL(control.url)
    with socket.create_connection((url.host, url.port), timeout=10) as connection:
        connection.sendall(
            b"POST /x/2/tweets HTTP/1.1\r\nHost: sandbox\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s" % (amara.access_token.encode(), len(body), body)
        )
        # A closed connection would be the end of the stream: b"".
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    assert len(control.posts(amara)) == 1


def test_accepted_but_answered_500(control: Any, amara: Any) -> None:
    control.fault("twitter", "accept_then_500")
    answer = _create(amara)
    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith("text/html")
    assert len(control.posts(amara)) == 1


@pytest.mark.parametrize("fault", ["accept_then_garbage", "garbage"])
@pytest.mark.parametrize("kind", ["html", "truncated_json"])
def test_garbage_is_a_200_that_is_not_json(control: Any, amara: Any, fault: str, kind: str) -> None:
    control.fault("twitter", fault, params={"kind": kind})
    answer = _create(amara)
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert len(control.posts(amara)) == (1 if fault == "accept_then_garbage" else 0)


def test_accepted_and_answered_after_the_client_gave_up(control: Any, amara: Any) -> None:
    control.fault("twitter", "accept_then_slow", params={"seconds": 60})
    with pytest.raises(httpx.ReadTimeout):
        _create(amara, timeout=0.2)
    assert len(control.posts(amara)) == 1
    assert _statuses(control, amara) == [(None, "accept_then_slow")]


def test_accepted_and_answered_slowly(control: Any, amara: Any) -> None:
    control.fault("twitter", "accept_then_slow", params={"seconds": 0.05})
    assert _create(amara).json()["data"]["id"] == control.posts(amara)[0]["id"]


def test_lost_until_the_client_gives_up(control: Any, amara: Any) -> None:
    control.fault("twitter", "lost_timeout")
    with pytest.raises(httpx.ReadTimeout):
        _create(amara, timeout=0.2)
    assert control.posts(amara) == []


def test_lost_until_the_server_gives_up(control: Any, amara: Any) -> None:
    control.fault("twitter", "lost_timeout", params={"seconds": 0.05})
    with pytest.raises(httpx.ReadError):
        _create(amara)
    assert control.posts(amara) == []


def test_accepted_long_after_the_client_gave_up(
    control: Any, amara: Any, wait: Callable[[Callable[[], Any]], Any]
) -> None:
    control.fault("twitter", "late_accept", params={"seconds": 1.5})
    with pytest.raises(httpx.ReadTimeout):
        _create(amara, timeout=0.2)
    assert control.posts(amara) == []
    assert len(wait(lambda: control.posts(amara))) == 1
    assert _statuses(control, amara) == [(None, "late_accept")]
    (request,) = control.requests(amara, "create_post")
    assert request["accepted_late_at"] >= request["time"]


def test_a_reset_of_the_sandbox_cancels_late_acceptance(
    control: Any, amara: Any, wait: Callable[[Callable[[], Any]], Any]
) -> None:
    control.fault("twitter", "late_accept", params={"seconds": 0.3})
    with pytest.raises(httpx.ReadTimeout):
        _create(amara, timeout=0.1)
    control.done(control.http.post("/reset"))
    # Another late acceptance, begun afterwards, shows that the first one's time has passed.
    bola = control.account("twitter", "bola")
    control.fault("twitter", "late_accept", params={"seconds": 0.3})
    with pytest.raises(httpx.ReadTimeout):
        bola.http.post("/2/tweets", json=TEXT, timeout=0.1)
    assert len(wait(lambda: control.posts(bola))) == 1
    assert control.done(control.http.get("/ledger"))["total"] == 1


@pytest.mark.parametrize("status", [500, 502, 503])
def test_server_errors_are_pages_of_the_edge(control: Any, amara: Any, status: int) -> None:
    control.fault("twitter", f"server_error_{status}")
    answer = _create(amara)
    assert answer.status_code == status
    assert answer.text.startswith("<html>")
    assert control.posts(amara) == []
    assert _statuses(control, amara) == [(status, f"server_error_{status}")]


def test_rate_limited(control: Any, amara: Any) -> None:
    control.fault("twitter", "rate_limited", params={"seconds": 60})
    control.fault("twitter", "rate_limited_without_headers")
    told, untold = _create(amara), _create(amara)
    assert told.status_code == untold.status_code == 429
    assert told.headers["x-rate-limit-remaining"] == "0"
    now = control.done(control.http.post("/clock", json={"advance": 0}))["now"]
    assert 55 < int(told.headers["x-rate-limit-reset"]) - now <= 61
    assert "x-rate-limit-reset" not in untold.headers
    assert control.posts(amara) == []


@pytest.mark.parametrize(
    ("fault", "status", "title"),
    [
        ("unauthorized_401", 401, "Unauthorized"),
        ("forbidden_403", 403, "Forbidden"),
        ("duplicate_refused", 403, "Forbidden"),
        ("credits_depleted_402", 402, "Payment Required"),
    ],
)
def test_refusals_of_x(control: Any, amara: Any, fault: str, status: int, title: str) -> None:
    control.fault("twitter", fault)
    answer = _create(amara)
    assert (answer.status_code, answer.json()["title"]) == (status, title)
    assert control.posts(amara) == []
    assert _create(amara).status_code == 201


def test_a_403_says_what_it_is_told_to(control: Any, amara: Any) -> None:
    body = {"title": "Forbidden", "detail": "user-suspended", "status": 403}
    control.fault("twitter", "forbidden_403", params={"body": body})
    assert _create(amara).json() == body


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("unauthorized_401", 401, "EXPIRED_ACCESS_TOKEN"),
        ("forbidden_403", 403, "ACCESS_DENIED"),
        ("rate_limited", 429, "TOO_MANY_REQUESTS"),
        ("rate_limited_without_headers", 429, "TOO_MANY_REQUESTS"),
    ],
)
def test_refusals_of_linkedin(control: Any, fault: str, status: int, code: str) -> None:
    member = control.account("linkedin")
    control.fault("linkedin", fault)
    answer = member.http.post("/rest/posts", json={})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "retry-after" not in answer.headers


def test_linkedin_names_the_earlier_post_when_it_refuses_a_duplicate(control: Any) -> None:
    member = control.account("linkedin")
    control.fault("linkedin", "duplicate_refused")
    answer = member.http.post("/rest/posts", json={})
    assert answer.status_code == 422
    assert "urn:li:share:" in answer.json()["errorDetails"]["inputErrors"][0]["description"]


def test_a_body_that_drips(control: Any, amara: Any) -> None:
    control.fault("twitter", "slow_body", params={"seconds": 60})
    with amara.http.stream("POST", "/2/tweets", json=TEXT, timeout=1.0) as answer:
        assert answer.status_code == 201
        with pytest.raises(httpx.ReadTimeout):
            answer.read()
    assert len(control.posts(amara)) == 1
    control.fault("twitter", "slow_body", params={"seconds": 0.05}, call="timeline")
    timeline = amara.http.get(f"/2/users/{amara.id}/tweets").json()
    assert timeline["data"][0]["text"] == TEXT["text"]


def test_reads_lag_behind_an_accepted_post(control: Any, amara: Any) -> None:
    control.fault("twitter", "readback_lag", params={"seconds": 30})
    post_id = _create(amara).json()["data"]["id"]
    assert len(control.posts(amara)) == 1

    def timeline() -> int:
        return int(amara.http.get(f"/2/users/{amara.id}/tweets").json()["meta"]["result_count"])

    assert timeline() == 0
    assert "errors" in amara.http.get(f"/2/tweets/{post_id}").json()
    control.advance(31)
    assert timeline() == 1
    assert amara.http.get(f"/2/tweets/{post_id}").json()["data"]["id"] == post_id


def test_a_refused_request_does_not_use_up_a_fault_of_accepted_ones(control: Any, amara: Any) -> None:
    fault_id = control.fault("twitter", "accept_then_reset")
    assert amara.http.post("/2/tweets", json={}).status_code == 400
    assert control.fired(fault_id) == 0


def test_faults_strike_only_whom_they_name_and_as_often_as_told(control: Any, amara: Any) -> None:
    bola = control.account("twitter", "bola")
    fault_id = control.fault("twitter", "server_error_500", account=bola.id, times=2)
    assert _create(amara).status_code == 201
    assert [_create(bola).status_code for _ in range(3)] == [500, 500, 201]
    assert control.fired(fault_id) == 2


def test_faults_of_a_page_strike_whatever_names_the_page(control: Any) -> None:
    page = control.account("linkedin", "acme", kind="organization")
    control.fault("linkedin", "server_error_500", call="timeline", account=page.id)
    answer = page.http.get("/rest/posts", params={"q": "author", "author": page.id})
    assert answer.status_code == 500


def test_removed_faults_do_not_strike(control: Any, amara: Any) -> None:
    one, _ = control.fault("twitter", "server_error_500"), control.fault("twitter", "server_error_502")
    assert control.http.delete(f"/faults/{one}").status_code == 204
    assert control.http.delete(f"/faults/{one}").status_code == 404
    assert control.http.delete("/faults").status_code == 204
    assert control.done(control.http.get("/faults")) == {"faults": []}
    assert _create(amara).status_code == 201


@pytest.mark.parametrize(
    "script",
    [
        {"platform": "myspace", "fault": "garbage"},
        {"platform": "twitter", "fault": "explode"},
        {"platform": "twitter", "fault": "garbage", "call": "dance"},
        {"platform": "twitter", "fault": "readback_lag", "call": "timeline"},
        {"platform": "linkedin", "fault": "credits_depleted_402"},
        {"platform": "twitter", "fault": "garbage", "tiems": 3},
    ],
)
def test_a_fault_that_could_never_fire_is_refused(control: Any, script: dict[str, object]) -> None:
    assert control.http.post("/faults", json=script).status_code == 400
