"""Webhooks as a tenant sees them: from registering to a verified delivery, and everything one may do in between."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

API = "/api/v1/creator/social"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def manager(as_role: Callable[..., Any]) -> Any:
    """Of a tenant of its own."""
    return as_role("manager")


def create(manager: Any, url: str, **more: Any) -> Any:
    return manager.post("/webhooks", {"url": url, **more}, status=201)


def verified(received: Any, secret: str) -> Any:
    return Webhook(secret).verify(received.body.decode(), received.headers)


def check_asymmetric(received: Any, public_keys: list[str]) -> None:
    """One of the `v1a` signatures is by one of these keys. Raises InvalidSignature."""
    content = b".".join(
        (received.headers["webhook-id"].encode(), received.headers["webhook-timestamp"].encode(), received.body)
    )
    signatures = [part[4:] for part in received.headers["webhook-signature"].split() if part.startswith("v1a,")]
    assert len(signatures) == len(public_keys)
    for signature, key in zip(signatures, public_keys, strict=True):
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.removeprefix("whpk_")))
        public.verify(base64.b64decode(signature), content)


def test_a_published_post_arrives_signed_and_on_kafka(
    as_role: Any, client: Any, twitter: Any, receiver: Any, records: Any, eventually: Any
) -> None:
    manager = as_role("manager", client.tenant)
    webhook = create(manager, receiver.url, event_types=["social.post_published"])
    made = client.post(
        "/publish",
        {"content": {"text": "told to others"}, "platforms": [{"platform": "twitter", "account_id": twitter.id}]},
        status=201,
        headers={"traceparent": TRACEPARENT},
    )
    (received,) = eventually(
        lambda: [each for each in receiver.accepted if each.json["data"].get("post_id") == made["post_id"]]
    )
    body = verified(received, webhook["secret"])
    assert body["type"] == "social.post_published"
    assert body["data"]["platforms"][0]["status"] == "published"
    assert received.id.startswith("msg_")
    check_asymmetric(received, [webhook["keys"][0]["public_key"]])
    delivery = eventually(
        lambda: (
            found
            if (found := manager.get(f"/webhooks/{webhook['id']}/deliveries/{received.id}"))["status"] == "delivered"
            else None
        )
    )
    assert delivery["log"][-1]["status"] == 200
    manager.delete(f"/webhooks/{webhook['id']}")

    (record,) = records("social.post_published", made["post_id"])
    headers = {name: value.decode() for name, value in record.headers}
    assert headers["ce_specversion"] == "1.0"
    assert (headers["ce_type"], headers["ce_subject"]) == ("social.post_published", made["post_id"])
    assert headers["ce_id"] == body["event_id"]
    time, told = datetime.fromisoformat(headers["ce_time"]), datetime.fromisoformat(body["timestamp"])
    assert time - told < timedelta(milliseconds=1)
    assert headers["ce_source"]
    assert headers["content-type"] == "application/json"
    assert headers["traceparent"][3:35] == TRACEPARENT[3:35]
    assert json.loads(record.value) == body["data"]


def test_the_secret_is_shown_once_and_lies_nowhere(stack: Any, manager: Any, receiver: Any) -> None:
    key = "shown-once"
    first = manager.post("/webhooks", {"url": receiver.url}, status=201, key=key)
    again = manager.post("/webhooks", {"url": receiver.url}, status=201, key=key)
    assert first["secret"].startswith("whsec_")
    assert again == {**first, "secret": None}
    assert "secret" not in manager.get(f"/webhooks/{first['id']}")
    rotated = manager.post(f"/webhooks/{first['id']}/rotate-secret")
    for secret in (first["secret"], rotated["secret"]):
        bare = secret.removeprefix("whsec_")
        for name in ("gateway", "webhooks", "posts"):
            assert bare not in stack.logs(name)
        for folder in ("kafka", "store"):
            for path in (stack.settings.data / folder).rglob("*"):
                # Kafka lays files out long before it writes to them: most hold nothing yet, and take no room.
                if path.is_file() and path.stat().st_blocks:
                    content = path.read_bytes()
                    assert bare.encode() not in content, path
                    assert base64.b64decode(bare) not in content, path


def test_the_endpoint_can_be_changed_disabled_enabled_and_deleted(
    manager: Any, receiver: Any, say: Any, eventually: Any
) -> None:
    webhook = create(manager, receiver.url, event_types=["social.post_failed"], description="first")
    path = f"/webhooks/{webhook['id']}"
    assert manager.get("/webhooks")["webhooks"] == [manager.get(path)]
    changed = manager.put(path, {"event_types": ["social.mention_received"], "description": "second"})
    assert (changed["description"], changed["url"]) == ("second", receiver.url)
    (wanted,) = say(manager.tenant)
    eventually(lambda: [each for each in receiver.accepted if each.json["event_id"] == wanted])

    assert manager.post(f"{path}/disable")["status"] == "disabled"
    missed = say(manager.tenant, 3)
    manager.refused(409, "endpoint_disabled", "POST", f"{path}/test")
    eventually(lambda: set(missed) <= {event["id"] for event in manager.get("/events")["events"]})
    assert manager.post(f"{path}/enable")["status"] == "enabled"
    (later,) = say(manager.tenant)
    eventually(lambda: [each for each in receiver.accepted if each.json["event_id"] == later])
    assert not {each.json["event_id"] for each in receiver.accepted} & set(missed)
    since = (datetime.now(UTC) - timedelta(minutes=10)).isoformat()
    assert manager.post(f"{path}/recover", {"since": since}, status=202) == {"queued": 3, "cursor": None}
    eventually(lambda: set(missed) <= {each.json["event_id"] for each in receiver.accepted})

    manager.delete(path)
    manager.refused(404, "endpoint_not_found", "GET", path)
    assert manager.get("/webhooks") == {"webhooks": []}


def test_a_rotation_drops_nothing(manager: Any, receiver: Any, say: Any, eventually: Any) -> None:
    """During the overlap whoever knows either secret is served; after it only the new one counts."""
    webhook = create(manager, receiver.url)
    path = f"/webhooks/{webhook['id']}"
    before = say(manager.tenant, 20)
    rotated = manager.post(f"{path}/rotate-secret", {"overlap_seconds": 600})
    during = say(manager.tenant, 20)
    eventually(lambda: {each.json["event_id"] for each in receiver.accepted} == {*before, *during})
    for received in receiver.accepted:
        verified(received, webhook["secret"])
    last = receiver.accepted[-1]
    verified(last, rotated["secret"])
    check_asymmetric(last, [key["public_key"] for key in manager.get(path)["keys"]])
    newest = manager.post(f"{path}/rotate-secret", {"overlap_seconds": 0})

    def signed_anew() -> Any:
        (event_id,) = say(manager.tenant)
        found = eventually(lambda: [each for each in receiver.accepted if each.json["event_id"] == event_id])
        return found[0] if len(found[0].headers["webhook-signature"].split()) == 2 else None

    received = eventually(signed_anew)
    verified(received, newest["secret"])
    with pytest.raises(WebhookVerificationError):
        verified(received, rotated["secret"])


def test_a_test_event_and_its_log(manager: Any, receiver: Any, eventually: Any) -> None:
    receiver.answer = lambda received: 500 if len(receiver.received) == 1 else 204
    webhook = create(manager, receiver.url, event_types=["social.post_failed"])
    path = f"/webhooks/{webhook['id']}"
    sent = manager.post(f"{path}/test", status=202)
    assert (sent["event_type"], sent["sequence"], sent["status"]) == ("webhook.test", 1, "pending")
    delivered = eventually(
        lambda: found if (found := manager.get(f"{path}/deliveries/{sent['id']}"))["status"] == "delivered" else None
    )
    assert [attempt["status"] for attempt in delivered["log"]] == [500, 204]
    assert {tuple(attempt) for attempt in delivered["log"]} == {("at", "milliseconds", "status", "error", "response")}
    assert [each.id for each in receiver.received] == [sent["id"]] * 2
    (listed,) = manager.get(f"{path}/deliveries", status="delivered")["deliveries"]
    assert listed["id"] == sent["id"]
    assert manager.get(f"{path}/deliveries", status="failed")["deliveries"] == []

    again = manager.post(f"{path}/deliveries/{sent['id']}/replay", status=202)
    assert again["id"] == sent["id"]
    eventually(lambda: len(receiver.accepted) == 2)
    assert {each.id for each in receiver.received} == {sent["id"]}
    assert {each.json["sequence"] for each in receiver.received} == {1}


def test_a_range_is_replayed_with_the_same_ids(manager: Any, receiver: Any, say: Any, eventually: Any) -> None:
    webhook = create(manager, receiver.url)
    path = f"/webhooks/{webhook['id']}"
    since = datetime.now(UTC)
    events = say(manager.tenant, 30)
    eventually(lambda: len(receiver.accepted) == 30)
    first = {each.id: each.json["sequence"] for each in receiver.accepted}
    until = datetime.now(UTC)
    eventually(lambda: len(manager.get("/events")["events"]) == 30)
    eventually(lambda: not manager.get(f"{path}/deliveries", status="pending")["deliveries"])
    body = {"since": since.isoformat(), "until": until.isoformat()}
    assert manager.post(f"{path}/replay", body, status=202)["queued"] == 30
    eventually(lambda: len(receiver.accepted) == 60)
    assert {each.id: each.json["sequence"] for each in receiver.accepted} == first
    assert {each.json["event_id"] for each in receiver.accepted} == set(events)


def test_gone_disables_at_once_and_what_failed_is_recovered(
    manager: Any, receiver: Any, say: Any, records: Any, eventually: Any
) -> None:
    receiver.answer = lambda _: 410
    webhook = create(manager, receiver.url)
    path = f"/webhooks/{webhook['id']}"
    since = datetime.now(UTC)
    say(manager.tenant)
    shown = eventually(lambda: found if (found := manager.get(path))["status"] == "disabled" else None)
    assert shown["disable_reason"] == "gone"
    assert "410" in shown["disable_detail"]
    latest = records("endpoints.events", webhook["id"])[-1]
    assert dict(latest.headers)["ce_type"] == b"endpoint.disabled.v1", "operators see it"
    assert json.loads(latest.value)["reason"] == "gone"
    (failed,) = manager.get(f"{path}/deliveries", status="failed")["deliveries"]

    receiver.answer = lambda _: 200
    manager.post(f"{path}/enable")
    (later,) = say(manager.tenant)
    eventually(lambda: receiver.of_type("social.mention_received"))
    eventually(lambda: len(manager.get("/events")["events"]) == 2)
    eventually(lambda: not manager.get(f"{path}/deliveries", status="pending")["deliveries"])
    recover = {"since": since.isoformat()}
    assert manager.post(f"{path}/recover", recover, status=202) == {"queued": 1, "cursor": None}
    eventually(lambda: len(receiver.accepted) == 2)
    assert [each.json["event_id"] for each in receiver.accepted] == [later, failed["event_id"]]
    assert receiver.accepted[1].id == failed["id"] == receiver.received[0].id
    assert [each.json["sequence"] for each in receiver.accepted] == [2, 1]


def test_pages_of_deliveries(manager: Any, receiver: Any, say: Any, eventually: Any) -> None:
    webhook = create(manager, receiver.url)
    path = f"/webhooks/{webhook['id']}/deliveries"
    say(manager.tenant, 25)
    eventually(lambda: len(receiver.accepted) == 25)
    seen: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = manager.get(path, limit=10, **cursor)
        seen += [each["sequence"] for each in page["deliveries"]]
        if page["cursor"] is None:
            break
        cursor = {"cursor": page["cursor"]}
    assert seen == list(range(25, 0, -1))


def test_nobody_sees_what_is_anothers(manager: Any, as_role: Any, receiver: Any, say: Any, eventually: Any) -> None:
    webhook = create(manager, receiver.url)
    path = f"/webhooks/{webhook['id']}"
    say(manager.tenant)
    eventually(lambda: receiver.accepted)
    stranger = as_role("super_admin")
    assert stranger.get("/webhooks") == {"webhooks": []}
    assert stranger.get("/events")["events"] == []
    for method, rest, body in (
        ("GET", "", None),
        ("PUT", "", {"url": "http://127.0.0.1:1/"}),
        ("DELETE", "", None),
        ("POST", "/enable", None),
        ("POST", "/disable", None),
        ("POST", "/rotate-secret", None),
        ("POST", "/test", None),
        ("POST", "/replay", {"since": "2026-01-01T00:00:00Z"}),
        ("POST", "/recover", {"since": "2026-01-01T00:00:00Z"}),
        ("GET", "/deliveries", None),
        ("GET", f"/deliveries/{receiver.accepted[0].id}", None),
        ("POST", f"/deliveries/{receiver.accepted[0].id}/replay", None),
    ):
        stranger.refused(404, "endpoint_not_found", method, path + rest, body)
    assert manager.get(path)["url"] == receiver.url


def test_a_bad_endpoint_is_refused(manager: Any) -> None:
    for url in (
        "ftp://example.com/",
        "http://user:pw@example.com/",
        "http://example.com/#a",
        "nonsense",
        "http://:80/",
    ):
        problem = manager.refused(400, "url_not_allowed", "POST", "/webhooks", {"url": url})
        assert problem["errors"][0]["pointer"] == "/url"
    manager.refused(400, "invalid_content", "POST", "/webhooks", {"url": "http://127.0.0.1/", "event_types": ["x"]})
    manager.refused(400, "invalid_content", "POST", "/webhooks", {"url": "http://127.0.0.1/", "max_in_flight": 0})


def test_the_feed_has_everything_once_and_in_order(manager: Any, say: Any, eventually: Any) -> None:
    sent = say(manager.tenant, 60)
    eventually(lambda: len(manager.get("/events", limit=500)["events"]) == 60)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = manager.get("/events", limit=7, **cursor)
        seen += [event["id"] for event in page["events"]]
        cursor = {"cursor": page["cursor"]}
        if not page["more"]:
            break
    assert sorted(seen) == sorted(sent)
    more = say(manager.tenant, 2)
    eventually(lambda: [event["id"] for event in manager.get("/events", **cursor)["events"]] in (more, more[::-1]))
    assert manager.get("/events", types="social.post_failed")["events"] == []
    manager.refused(400, "invalid_parameter", "GET", "/events?types=nothing")
    manager.refused(400, "invalid_parameter", "GET", "/events?cursor=-1")


class Listener:
    """A client of the stream, in the background, which comes again with its Last-Event-ID."""

    def __init__(self, url: str, token: str) -> None:
        self.events: list[Any] = []
        self.kinds: list[str] = []
        self.connections = 0
        self.last: str | None = None
        self._ended = threading.Event()
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._response: httpx.Response | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def drop(self) -> None:
        """The connection breaks."""
        if self._response is not None:
            self._response.close()

    def end(self) -> None:
        self._ended.set()
        self.drop()

    def _run(self) -> None:
        with httpx.Client(trust_env=False, timeout=httpx.Timeout(30)) as http:
            while not self._ended.is_set():
                headers = self._headers | ({} if self.last is None else {"Last-Event-ID": self.last})
                try:
                    with http.stream("GET", self._url, headers=headers) as response:
                        self._response = response
                        assert response.status_code == 200
                        assert response.headers["content-type"].startswith("text/event-stream")
                        self._read(response)
                except (httpx.HTTPError, httpx.StreamError, RuntimeError, ValueError):
                    continue

    def _read(self, response: httpx.Response) -> None:
        last = None
        for line in response.iter_lines():
            name, _, value = line.partition(": ")
            match name:
                case "retry":
                    self.connections += 1
                case "id":
                    last = value
                case "event":
                    self.kinds.append(value)
                case "data":
                    self.events.append(json.loads(value))
                    self.last = last


def test_the_stream_is_live_and_misses_nothing(stack: Any, manager: Any, say: Any, eventually: Any) -> None:
    listener = Listener(f"{stack.gateway_url}{API}/events/stream", manager.token)
    try:
        eventually(lambda: listener.connections == 1)
        sent = say(manager.tenant, 3)
        eventually(lambda: len(listener.events) == 3)
        listener.drop()
        sent += say(manager.tenant, 5)
        eventually(lambda: len(listener.events) >= 8)
        assert sorted(event["id"] for event in listener.events) == sorted(sent)
        assert set(listener.kinds) == {"social.mention_received"}
        cursors = [int(event["cursor"]) for event in listener.events]
        assert cursors == sorted(set(cursors))
    finally:
        listener.end()


def test_the_events_are_documented_where_people_look(stack: Any) -> None:
    page = httpx.get(f"{stack.gateway_url}/docs/events", trust_env=False)
    assert page.status_code == 200
    for kind in ("post_published", "post_failed", "engagement_spike", "account_disconnected", "mention_received"):
        assert f"social.{kind}" in page.text
    described = httpx.get(f"{stack.gateway_url}/asyncapi.json", trust_env=False).json()
    assert described["asyncapi"].startswith("3.")
