"""Webhooks and events at the gateway: what it asks of the webhooks service, what it keeps, and the two feeds."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest
from msgspec.structs import replace

from contracts import webhooks
from contracts.endpoints import Endpoint, SigningKey
from contracts.webhooks import CreateEndpointCall, EndpointWithSecret, RangeReplayed
from gateway.feed import FedEvent, Streams
from gateway.problems import ProblemError
from gateway.webhooks import HttpWebhooks

AT = datetime(2026, 11, 24, tzinfo=UTC)
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazmbV3dx0Qk="
ENDPOINT = Endpoint(
    endpoint_id="ep_1",
    tenant_id="tenant_a",
    url="https://example.com/",
    description="",
    event_types=(),
    fifo=False,
    rate_per_second=None,
    max_in_flight=8,
    keys=(SigningKey(key_id="key_1", public_key="whpk_1", created_at=AT),),
    enabled_at=AT,
    created_by="user_001",
    created_at=AT,
    updated_at=AT,
)


@pytest.fixture
def manager(world: Any) -> Any:
    return world.client(roles=["manager"])


async def test_the_secret_is_answered_once_and_not_kept(world: Any, manager: Any) -> None:
    world.webhooks.answers[webhooks.CREATE] = EndpointWithSecret(endpoint=ENDPOINT, secret=SECRET)
    async with manager as api:
        request = {"json": {"url": "https://example.com/"}, "headers": {"Idempotency-Key": "k"}}
        first = await api.post("/webhooks", **request)
        again = await api.post("/webhooks", **request)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["secret"] == SECRET
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == {**first.json(), "secret": None}
    assert len(world.webhooks.asked) == 1
    assert SECRET not in str(world.records.records)
    assert "keys" in first.json()
    assert "key_id" not in first.text


async def test_a_repeat_after_an_outage_asks_for_the_very_same(world: Any, manager: Any) -> None:
    async with manager as api:
        request = {"json": {"url": "https://example.com/"}, "headers": {"Idempotency-Key": "k"}}
        refused = await api.post("/webhooks", **request)
        world.webhooks.answers[webhooks.CREATE] = EndpointWithSecret(endpoint=ENDPOINT, secret=SECRET)
        made = await api.post("/webhooks", **request)
    assert (refused.status_code, refused.json()["code"]) == (503, "webhooks_unavailable")
    assert made.status_code == 201
    (_, first), (_, second) = world.webhooks.asked
    assert isinstance(first, CreateEndpointCall)
    assert first == second or replace(first, command_id="") == replace(second, command_id="")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": ""}, "/url"),
        ({"url": "https://example.com/", "event_types": ["post.created"]}, "/event_types/0"),
        ({"url": "https://example.com/", "max_in_flight": 1_000}, "/max_in_flight"),
        ({"url": "https://example.com/", "rate_per_second": 0}, "/rate_per_second"),
        ({"url": "https://example.com/", "secret": SECRET}, "/secret"),
    ],
)
async def test_what_cannot_be_is_not_asked_for(world: Any, manager: Any, body: Any, pointer: str) -> None:
    async with manager as api:
        answer = await api.post("/webhooks", json=body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert world.webhooks.asked == []


async def test_refusals_keep_their_codes(world: Any, manager: Any) -> None:
    for code, status in {"endpoint_not_found": 404, "endpoint_disabled": 409, "too_many_secrets": 409}.items():
        world.webhooks.answers[webhooks.ENABLE] = ProblemError(code, "No.")
        async with world.client(roles=["manager"]) as api:
            answer = await api.post("/webhooks/ep_1/enable")
        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_range_that_ends_before_it_begins(world: Any, manager: Any) -> None:
    async with manager as api:
        body = {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
        assert (await api.post("/webhooks/ep_1/replay", json=body)).json()["errors"][0]["pointer"] == "/until"
        assert (await api.post("/webhooks/ep_1/replay", json={"since": "2026-01-02T00:00:00"})).status_code == 400
        world.webhooks.answers[webhooks.REPLAY_RANGE] = RangeReplayed(queued=2_000, after=17)
        answer = await api.post("/webhooks/ep_1/recover", json={"since": "2026-01-02T00:00:00Z", "cursor": "16"})
    assert (answer.status_code, answer.json()) == (202, {"queued": 2_000, "cursor": "17"})
    (_, asked) = world.webhooks.asked[-1]
    assert (asked.after, asked.undelivered_only) == (16, True)


async def test_the_service_may_say_anything(unused_tcp_port_factory: Any) -> None:
    client = HttpWebhooks(f"http://127.0.0.1:{unused_tcp_port_factory()}", "secret")
    with pytest.raises(ProblemError) as failed:
        await client.call(webhooks.LIST, webhooks.ListEndpoints(tenant_id="t"), webhooks.EndpointList)
    assert failed.value.code == "webhooks_unavailable"
    await client.close()


# --- events -------------------------------------------------------------------------------------------


def fed(number: int, kind: str = "social.post_published") -> FedEvent:
    return FedEvent(number=number, id=f"evt_{number}", type=kind, subject="post_1", time=AT, data=b'{"n":%d}' % number)


async def test_the_feed_goes_on_where_it_was(world: Any, api: httpx.AsyncClient) -> None:
    world.feed.events["tenant_a"] = [fed(number) for number in range(1, 8)]
    world.feed.events["tenant_b"] = [fed(number) for number in range(1, 100)]
    first = (await api.get("/events", params={"limit": 5})).json()
    assert [event["id"] for event in first["events"]] == [f"evt_{number}" for number in range(1, 6)]
    assert (first["cursor"], first["more"]) == ("5", True)
    second = (await api.get("/events", params={"cursor": first["cursor"]})).json()
    assert [event["data"] for event in second["events"]] == [{"n": 6}, {"n": 7}]
    assert (second["cursor"], second["more"]) == ("7", False)
    nothing = (await api.get("/events", params={"cursor": second["cursor"]})).json()
    assert nothing == {"events": [], "cursor": "7", "more": False}


@pytest.mark.parametrize(
    "query", ["cursor=-1", "cursor=x", "cursor=1.5", "cursor=9999999999999999999", "types=x", "limit=0"]
)
async def test_bad_questions_about_events(api: httpx.AsyncClient, query: str) -> None:
    answer = await api.get(f"/events?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")


def messages_of(text: str) -> list[dict[str, str]]:
    blocks = [block for block in text.split("\n\n") if block.startswith("id: ")]
    return [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]


async def test_the_stream_begins_now_or_after_the_last_event(world: Any, api: httpx.AsyncClient) -> None:
    world.feed.events["tenant_a"] = [fed(1), fed(2), fed(3, "social.post_failed")]
    now = await api.get("/events/stream")
    assert now.headers["content-type"].startswith("text/event-stream")
    assert now.text.startswith("retry: 1000\n\n")
    assert messages_of(now.text) == []
    resumed = await api.get("/events/stream", headers={"Last-Event-ID": "1"}, params={"cursor": "3"})
    got = messages_of(resumed.text)
    assert [message["id"] for message in got] == ["2", "3"]
    assert got[1]["event"] == "social.post_failed"
    assert json.loads(got[0]["data"])["data"] == {"n": 2}
    some = await api.get("/events/stream", params={"cursor": "0", "types": "social.post_failed"})
    assert [message["id"] for message in messages_of(some.text)] == ["3"]


async def test_streams_are_not_without_number(world: Any, api: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(api.get("/events/stream") for _ in range(2)))
    assert {answer.status_code for answer in answers} == {200}
    with world.gateway.streams.opened("tenant_a"), world.gateway.streams.opened("tenant_a"):
        refused = await api.get("/events/stream")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
    assert (await api.get("/events/stream")).status_code == 200


async def test_streams_end_with_the_process() -> None:
    streams = Streams(most=1, most_of_tenant=1, seconds=600, poll=600)
    asyncio.get_running_loop().call_soon(streams.ending.set)
    async with asyncio.timeout(5):
        await streams.pause()


async def test_the_documents_are_served(api: httpx.AsyncClient) -> None:
    page = await api.get("http://gateway/docs/events")
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "social.mention_received" in page.text
    assert "<h3>PlatformPost</h3>" in page.text
    described = msgspec.json.decode((await api.get("http://gateway/asyncapi.json")).content)
    assert described["asyncapi"] == "3.0.0"
