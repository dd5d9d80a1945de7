"""A request is the first span of ours in its trace, and its line in the log says what it was about."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind
from structlog.testing import capture_logs

from chassis import tracing
from gateway import middleware

Spans = Callable[[], Sequence[ReadableSpan]]

BASE = "/api/v1/creator/social"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_a_request_is_a_span_named_by_its_route(api: Any, world: Any, spans: Spans) -> None:
    headers = {"traceparent": PARENT, "X-Request-Id": "mine-1"}
    post_id = (await api.post("/posts", json={"content": {"text": "Hello"}, "platforms": ["twitter"]})).json()["id"]
    await api.get(f"/posts/{post_id}?secret=canary", headers=headers)
    await api.get("/canary/canary")

    create, read, lost = [span for span in spans() if span.kind is SpanKind.SERVER]
    assert [span.name for span in (create, read, lost)] == [
        f"POST {BASE}/posts",
        f"GET {BASE}/posts/{{post_id}}",
        "GET unmatched",
    ]
    assert (create.parent, lost.parent) == (None, None)
    assert read.parent is not None
    assert f"{read.parent.trace_id:032x}-{read.parent.span_id:016x}" == PARENT[3:52]
    assert read.attributes is not None
    assert dict(read.attributes) == {
        "http.request.method": "GET",
        "http.route": f"{BASE}/posts/{{post_id}}",
        "http.response.status_code": 200,
        "social.request_id": "mine-1",
        "social.tenant_id": "tenant_a",
        "social.post_id": post_id,
    }
    assert create.attributes is not None
    assert create.attributes["social.post_id"] == post_id
    for span in (create, read, lost):
        assert "canary" not in span.to_json()


async def test_a_failure_of_ours_is_marked_and_one_of_the_client_is_not(api: Any, world: Any, spans: Spans) -> None:
    world.log.mood = "down"
    await api.post("/posts", json={"content": {"text": "Hello"}, "platforms": ["twitter"]})
    await api.post("/posts", json={"content": 5})
    down, invalid = spans()
    assert (down.status.is_ok, down.attributes and down.attributes["error.type"]) == (False, "503")
    assert invalid.status.is_ok


def test_what_a_request_is_about_is_read_from_its_path() -> None:
    named = middleware._named_in("/posts/post_1/targets/x y", "/posts/{post_id}/targets/{target_id}")
    assert named == {"post_id": "post_1"}
    assert middleware._named_in("/threads/thread_1", "/threads/{thread_id}") == {"post_id": "thread_1"}
    assert middleware._named_in("/posts/no id", "/posts/{post_id}") == {}


async def test_the_line_about_a_request_says_which_post(api: Any) -> None:
    def tell(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {**tracing.about(), **event}

    with capture_logs(processors=[tell]) as lines:
        created = await api.post("/posts", json={"content": {"text": "Hello"}, "platforms": ["twitter"]})
    assert lines[-1]["event"] == "request"
    assert (lines[-1]["tenant_id"], lines[-1]["post_id"]) == ("tenant_a", created.json()["id"])
