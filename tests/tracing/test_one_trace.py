"""One trace leads from a request to a live post and to whoever is told of it, and from there back."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest
from msgspec import Struct
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent

from contracts.ids import new_id
from localstack.stack import Stack

pytestmark = pytest.mark.stack

BASE = "/api/v1/creator/social"
TRACED = ("publisher", "posts", "webhooks", "gateway")
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Span(Struct, frozen=True):
    service: str
    name: str
    kind: str
    trace_id: str
    id: str
    parent: str
    links: tuple[str, ...]
    attributes: dict[str, str]


class Collector:
    """Takes spans as a collector does, and webhooks at every other path."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.bytes = b""
        self.told: list[Any] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.path == "/v1/traces":
                    collector.take(gzip.decompress(body))
                else:
                    collector.told.append(msgspec.json.decode(body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, body: bytes) -> None:
        self.bytes += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {each.key: each.value.string_value for each in resource.resource.attributes}
            self.spans += [_read(names["service.name"], span) for scope in resource.scope_spans for span in scope.spans]

    def of(self, trace_id: str) -> list[Span]:
        return [span for span in self.spans if span.trace_id == trace_id]


def _read(service: str, span: Sent) -> Span:
    return Span(
        service=service,
        name=span.name,
        kind=Sent.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace_id=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=tuple(link.span_id.hex() for link in span.links),
        attributes={each.key: each.value.string_value or str(each.value.int_value) for each in span.attributes},
    )


def _is_whole(spans: Sequence[Span]) -> bool:
    """From the request to the delivery, and every span that another one is part of."""
    ids = {span.id for span in spans}
    ends = {"server", "deliver social.post_published"}
    return ends <= {span.kind for span in spans} | {span.name for span in spans} and all(
        span.parent in ids for span in spans if span.kind != "server"
    )


def _line(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}


def path_to(name: str, spans: Sequence[Span]) -> list[tuple[str, str, str]]:
    """From the first span of its trace to the last one of that name: service, kind and name of each."""
    by_id = {span.id: span for span in spans}
    here: Span | None = [span for span in spans if span.name == name][-1]
    path: list[tuple[str, str, str]] = []
    while here is not None:
        path.insert(0, (here.service, here.kind, here.name))
        here = by_id.get(here.parent)
    return path


@pytest.fixture(scope="module")
def collector(stack: Stack) -> Iterator[Collector]:
    """The services record spans and send them here, until the end of the module."""
    collector = Collector()
    processes = [stack.process(name) for name in TRACED]

    def restart() -> None:
        for process in reversed(processes):
            process.stop()
        for process in processes:
            process.spawn()
        for process in processes:
            process.wait_ready()

    for process in processes:
        process.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
    restart()
    yield collector
    for process in processes:
        del process.environment["OTEL_EXPORTER_OTLP_ENDPOINT"]
    restart()
    collector.server.shutdown()
    collector.server.server_close()


def test_a_request_leads_to_a_live_post_and_to_a_webhook_in_one_trace(
    stack: Stack, collector: Collector, stranger: Any, as_role: Any, connect: Any, eventually: Callable[..., Any]
) -> None:
    secret = new_id("canary")
    account = connect(stranger.tenant, "twitter")
    hook = f"{collector.url}/hook/{secret}?key={secret}"
    endpoint = as_role("manager", stranger.tenant).post(
        "/webhooks", {"url": hook, "event_types": ["social.post_published"]}, status=201
    )
    body = {"content": {"text": f"Hello {new_id('n')}"}, "platforms": [{"platform": "twitter"}]}

    publication = stranger.post("/publish", body, status=201, headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})
    post_id = publication["post_id"]

    spans = eventually(
        lambda: found if _is_whole(found := collector.of(TRACE)) else None, what="the whole trace in the collector"
    )
    request = [
        ("gateway", "server", f"POST {BASE}/publish"),
        ("gateway", "producer", "send posts.commands"),
        ("posts", "consumer", "process posts.commands"),
    ]
    job = [
        ("posts", "producer", "send publish.requests.twitter"),
        ("publisher", "consumer", "process publish.requests.twitter"),
    ]
    outcome = [
        ("publisher", "producer", "send posts.commands"),
        ("posts", "consumer", "process posts.commands"),
        ("posts", "producer", "send social.post_published"),
        ("webhooks", "consumer", "process social.post_published"),
        ("webhooks", "internal", "deliver social.post_published"),
    ]
    assert path_to("twitter create_post", spans) == [*request, *job, ("publisher", "client", "twitter create_post")]
    assert path_to("deliver social.post_published", spans) == [*request, *job, *outcome]
    assert path_to("POST", spans) == [*request, *job, *outcome, ("webhooks", "client", "POST")]
    (first,) = [span for span in spans if span.kind == "server"]
    assert first.parent == CALLER
    (call,) = [span for span in spans if span.name == "twitter create_post"]
    assert call.attributes == {
        "social.tenant_id": stranger.tenant,
        "social.post_id": post_id,
        "social.target_id": call.attributes["social.target_id"],
        "social.account_id": account.id,
        "social.platform": "twitter",
        "social.attempt": "1",
        "social.call": "create_post",
        "http.request.method": "POST",
        "http.response.status_code": "201",
        "server.address": "127.0.0.1",
    }
    for span in spans:
        assert span.attributes.get("social.post_id", post_id) == post_id
        assert span.attributes.get("social.tenant_id", stranger.tenant) == stranger.tenant
    (delivery,) = [span for span in spans if span.name == "deliver social.post_published"]
    assert delivery.attributes["social.endpoint_id"] == endpoint["id"]
    assert [each["data"]["post_id"] for each in collector.told] == [post_id]
    assert secret.encode() not in collector.bytes
    assert endpoint["secret"].encode() not in collector.bytes
    for service in ("gateway", "publisher"):
        about = [line for line in map(_line, stack.logs(service).splitlines()) if line.get("post_id") == post_id]
        assert (TRACE, stranger.tenant) in {(line.get("trace_id"), line.get("tenant_id")) for line in about}, service


def test_a_scheduled_post_goes_out_in_a_trace_that_leads_back_to_its_request(
    collector: Collector, stranger: Any, connect: Any, eventually: Callable[..., Any]
) -> None:
    connect(stranger.tenant, "twitter")
    trace_id = "1" + TRACE[1:]
    body = {
        "content": {"text": f"Later {new_id('n')}"},
        "platforms": [{"platform": "twitter"}],
        "publish_at": (datetime.now(UTC) + timedelta(seconds=3)).isoformat(),
    }
    post_id = stranger.post("/publish", body, status=201, headers={"traceparent": f"00-{trace_id}-{CALLER}-01"})[
        "post_id"
    ]

    (call,) = eventually(
        lambda: [
            span
            for span in collector.spans
            if span.name == "twitter create_post" and span.attributes["social.post_id"] == post_id
        ],
        what="the call to the platform",
    )
    (due,) = eventually(
        lambda: [span for span in collector.of(call.trace_id) if span.name == "due posts"], what="the publication"
    )
    (decided,) = [span for span in collector.of(trace_id) if span.name == "process posts.commands"]
    assert (due.parent, due.links) == ("", (decided.id,))
    assert due.trace_id == call.trace_id != trace_id
    assert path_to("twitter create_post", collector.of(call.trace_id))[:2] == [
        ("posts", "internal", "due posts"),
        ("posts", "producer", "send publish.requests.twitter"),
    ]


def test_what_was_not_asked_to_be_recorded_is_not(collector: Collector, stranger: Any) -> None:
    trace_id = "2" + TRACE[1:]
    answer = stranger.request("GET", "/posts/post_none", headers={"traceparent": f"00-{trace_id}-{CALLER}-00"})
    assert answer.json()["trace_id"] == trace_id
    asked = "3" + TRACE[1:]
    stranger.request("GET", "/posts/post_none", headers={"traceparent": f"00-{asked}-{CALLER}-01"})
    assert collector.of(trace_id) == []


def test_no_token_is_in_any_span(
    collector: Collector, stranger: Any, connect_with: Callable[[str, str], str], eventually: Callable[..., Any]
) -> None:
    canary = new_id("canary")
    connect_with(stranger.tenant, canary)
    # The platform does not know the token, so every path that could quote it is taken.
    body = {"content": {"text": f"Nobody {new_id('n')}"}, "platforms": [{"platform": "twitter"}]}
    post_id = stranger.post("/publish", body, status=201)["post_id"]
    refused = eventually(
        lambda: [
            span
            for span in collector.spans
            if span.name == "twitter create_post" and span.attributes["social.post_id"] == post_id
        ],
        what="the refused call",
    )
    assert refused[0].attributes["error.type"] in ("401", "403")
    assert canary.encode() not in collector.bytes
    assert stranger.token.encode() not in collector.bytes
