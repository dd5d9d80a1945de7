"""Idempotency keys, missing verdicts, an unreachable log or store, limits, headers: the unhappy paths."""

import asyncio
from typing import Any

import httpx
import pytest

BODY: dict[str, Any] = {"content": {"text": "Hello"}, "platforms": [{"platform": "twitter", "account_id": "acc_x"}]}
KEY = {"Idempotency-Key": "k-1"}


async def test_a_repeat_gets_the_first_answer_and_acts_once(api: Any, world: Any) -> None:
    first = await api.post("/publish", json=BODY, headers=KEY)
    again = await api.post("/publish", json=BODY, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert len(world.log.sent) == 1


async def test_a_key_is_for_one_request_of_one_user(api: Any, world: Any) -> None:
    first = await api.post("/publish", json=BODY, headers=KEY)
    other = await api.post("/publish", json={**BODY, "title": "Other"}, headers=KEY)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reuse")
    elsewhere = await api.post("/posts", json={}, headers=KEY)
    assert elsewhere.status_code == 422
    async with world.client(sub="user_002") as colleague:
        theirs = await colleague.post("/publish", json=BODY, headers=KEY)
    assert theirs.status_code == 201
    assert theirs.json()["post_id"] != first.json()["post_id"]


async def test_a_refusal_of_the_decider_is_replayed_but_a_bad_request_frees_the_key(api: Any, world: Any) -> None:
    post = (await api.post("/posts", json={"title": "A"})).json()
    first = await api.post(f"/posts/{post['id']}/cancel", headers=KEY)
    again = await api.post(f"/posts/{post['id']}/cancel", headers=KEY)
    assert (first.status_code, again.status_code) == (409, 409)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json()["request_id"] == first.json()["request_id"]

    key = {"Idempotency-Key": "k-2"}
    bad = await api.post("/publish", json={**BODY, "platforms": [{"platform": "myspace"}]}, headers=key)
    assert bad.status_code == 400
    assert (await api.post("/publish", json=BODY, headers=key)).status_code == 201


async def test_two_at_once_with_one_key_act_once(api: Any, world: Any) -> None:
    answers = await asyncio.gather(*(api.post("/publish", json=BODY, headers=KEY) for _ in range(5)))
    statuses = sorted(answer.status_code for answer in answers)
    assert set(statuses) <= {201, 409}
    assert 201 in statuses
    assert len(world.log.sent) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["code"] == "idempotency_in_flight"
            assert int(answer.headers["retry-after"]) >= 1


async def test_without_a_verdict_in_time_the_answer_says_where_to_ask(api: Any, world: Any) -> None:
    world.log.mood = "silent"
    answer = await api.post("/publish", json=BODY)
    assert answer.status_code == 202
    body = answer.json()
    assert body["status"] == "pending"
    assert answer.headers["location"] == body["status_url"]
    root = httpx.URL("http://gateway")
    asked = await api.get(root.join(body["status_url"]))
    assert asked.json() == {
        "command_id": body["command_id"],
        "post_id": body["post_id"],
        "status": "accepted",
        "reason": None,
    }
    async with world.client(tenant_id="tenant_b") as stranger:
        assert (await stranger.get(root.join(body["status_url"]))).json()["status"] == "pending"


async def test_a_command_nobody_gave_is_not_found_once_it_cannot_be_waiting(api: Any, world: Any) -> None:
    world.log.mood = "lost"
    answer = await api.post("/publish", json=BODY)
    assert (answer.status_code, answer.json()["code"]) == (503, "append_unknown")
    url = httpx.URL("http://gateway").join(answer.json()["status_url"])
    # Ids carry the real time, so the clock of the test joins it.
    from datetime import UTC, datetime  # noqa: PLC0415

    world.clock.now = datetime.now(UTC)
    assert (await api.get(url)).json()["status"] == "pending"
    world.clock.forward(hours=25)
    assert (await api.get(url)).json()["code"] == "command_not_found"
    for wrong in ("cmd_", "cmd_x", "post_01KFSZ1V5R3W8Q6M2N7T4X9B0C"):
        assert (await api.get(f"/posts/post_1/commands/{wrong}")).status_code == 404


async def test_a_repeat_after_no_verdict_sends_the_same_command_and_gets_its_verdict(api: Any, world: Any) -> None:
    world.log.mood = "silent"
    first = await api.post("/publish", json=BODY, headers=KEY)
    world.log.mood = "prompt"
    again = await api.post("/publish", json=BODY, headers=KEY)
    assert (first.status_code, again.status_code) == (202, 201)
    assert again.json()["post_id"] == first.json()["post_id"]
    assert len(world.log.stored) == 1
    assert len(world.log.events) == 1


@pytest.mark.parametrize("mood", ["lost", "refusing", "down"])
async def test_after_a_failed_append_a_repeat_creates_the_post_once(api: Any, world: Any, mood: str) -> None:
    world.log.mood = mood
    first = await api.post("/publish", json=BODY, headers=KEY)
    assert first.status_code == 503
    assert int(first.headers["retry-after"]) >= 1
    assert first.json()["retryable"] is True
    assert first.json()["code"] == ("append_unknown" if mood == "lost" else "log_unavailable")
    world.log.mood = "prompt"
    again = await api.post("/publish", json=BODY, headers=KEY)
    assert again.status_code == 201
    assert len(world.log.stored) == 1


async def test_a_repeat_of_a_change_that_was_made_but_not_told_changes_nothing_more(api: Any, world: Any) -> None:
    post = (await api.post("/posts", json={"title": "A"})).json()
    world.log.mood = "silent"
    first = await api.put(f"/posts/{post['id']}", json={"title": "B"}, headers={**KEY, "If-Match": '"1"'})
    assert first.status_code == 202
    world.log.mood = "prompt"
    again = await api.put(f"/posts/{post['id']}", json={"title": "B"}, headers={**KEY, "If-Match": '"1"'})
    assert (again.status_code, again.json()["revision"]) == (200, 2)
    world.log.mood = "silent"
    gone = {"Idempotency-Key": "k-2"}
    assert (await api.delete(f"/posts/{post['id']}", headers=gone)).status_code == 202
    world.log.mood = "prompt"
    assert (await api.delete(f"/posts/{post['id']}", headers=gone)).status_code == 204


async def test_an_abandoned_key_is_taken_over_after_a_while(api: Any, world: Any) -> None:
    def die() -> None:
        raise asyncio.CancelledError

    world.log.before_deciding = [die]
    released = world.records.restart

    async def dead(*_: Any) -> bool:
        return False

    world.records.restart = dead
    with pytest.raises(asyncio.CancelledError):
        await api.post("/publish", json=BODY, headers=KEY)
    world.records.restart = released
    waiting = await api.post("/publish", json=BODY, headers=KEY)
    assert (waiting.status_code, waiting.headers["retry-after"]) == (409, "30")
    world.clock.forward(seconds=31)
    assert (await api.post("/publish", json=BODY, headers=KEY)).status_code == 201


async def test_too_many_commands_in_flight_are_turned_away(make_world: Any) -> None:
    world = make_world(max_in_flight=2, verdict_timeout=0.2)
    world.log.mood = "silent"
    async with world.client() as api:
        answers = await asyncio.gather(*(api.post("/publish", json=BODY) for _ in range(5)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [202, 202, 503, 503, 503]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 503} == {"overloaded"}
    assert len(world.log.sent) == 2


async def test_without_the_store_reads_fail_and_writes_that_need_none_go_on(api: Any, world: Any) -> None:
    world.repository.is_down = True
    for path in ("/posts", "/posts/post_1", "/accounts", "/scheduling/queue"):
        answer = await api.get(path)
        assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert (await api.post("/posts", json={"title": "A"})).status_code == 201
    assert (await api.post("/publish", json=BODY)).status_code == 503


async def test_without_the_log_there_is_no_history_but_posts_are_read(api: Any, world: Any) -> None:
    post = (await api.post("/posts", json={"title": "A"})).json()
    world.log.mood = "unreadable"
    answer = await api.get(f"/posts/{post['id']}/history")
    assert (answer.status_code, answer.json()["code"]) == (503, "history_unavailable")
    assert (await api.get(f"/posts/{post['id']}")).status_code == 200


async def test_limits_are_told_and_kept_for_each_user_and_class(make_world: Any) -> None:
    world = make_world(writes_per_second=0.5, reads_per_second=10)
    async with world.client() as api, world.client(sub="user_002") as colleague:
        first = await api.post("/posts", json={})
        assert first.headers["ratelimit-policy"] == '"write";q=2;w=4'
        assert first.headers["ratelimit"].startswith('"write";r=1;t=')
        assert (await api.post("/posts", json={})).status_code == 201
        refused = await api.post("/posts", json={})
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["ratelimit"].startswith('"write";r=0;t=')
        assert (await api.get("/posts")).status_code == 200
        assert (await colleague.post("/posts", json={})).status_code == 201


async def test_every_answer_carries_the_safety_headers_and_its_ids(api: Any, world: Any) -> None:
    answers = [
        await api.get("/posts", headers={"X-Request-Id": "mine-1"}),
        await api.get("/nothing"),
        await api.post("/posts", json={"a": 1}),
        await api.get("http://gateway/docs"),
        await api.get("http://gateway/livez"),
    ]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-request-id"]
    assert answers[0].headers["x-request-id"] == "mine-1"
    assert answers[0].headers["cache-control"] == "no-store"
    odd = await api.get("/posts", headers={"X-Request-Id": 'a"b\\c'})
    assert odd.headers["x-request-id"].startswith("req_")


async def test_the_trace_of_the_client_goes_on_in_the_problem(api: Any) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    answer = await api.get("/posts/post_1", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    assert answer.json()["trace_id"] == trace
    fresh = await api.get("/posts/post_1", headers={"traceparent": "00-zz"})
    assert len(fresh.json()["trace_id"]) == 32


async def test_pages_of_allowed_origins_may_call_and_others_may_not(make_world: Any) -> None:
    world = make_world(cors_origins=("https://app.example",))
    async with world.client() as api:
        asked = await api.options(
            "/posts", headers={"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
        )
        assert asked.status_code == 204
        assert asked.headers["access-control-allow-origin"] == "https://app.example"
        assert "Idempotency-Key" in asked.headers["access-control-allow-headers"]
        allowed = await api.get("/posts", headers={"Origin": "https://app.example"})
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        for origin in ("https://evil.example", "null", "https://app.example.evil.example"):
            other = await api.get("/posts", headers={"Origin": origin})
            assert "access-control-allow-origin" not in other.headers


async def test_the_documentation_needs_no_other_host(api: Any) -> None:
    page = await api.get("http://gateway/docs")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "http" not in page.text.replace("/docs", "")
    for asset in ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png", "docs.js"):
        answer = await api.get(f"http://gateway/docs/{asset}")
        assert answer.status_code == 200
        assert answer.content
    assert (await api.get("http://gateway/docs/passwd")).status_code == 404
