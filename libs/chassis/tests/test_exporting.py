"""Which spans are recorded, what is in them, and that sending them holds up nobody."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import SpanKind
from prometheus_client import REGISTRY

from chassis import tracing
from chassis.exporting import QUEUE_SIZE, Chosen, Exporter, OtelRecorder

Spans = Callable[[], Sequence[ReadableSpan]]

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = SAMPLED[:-1] + "0"


def test_a_span_says_what_it_is_part_of_and_what_it_is_about(spans: Spans) -> None:
    server = tracing.start("GET", "server", parent=SAMPLED)
    with tracing.within(server, tenant_id="tenant_1"):
        server.rename("GET /posts")
        with tracing.span("twitter create_post", "client", attributes={"social.call": "create_post"}):
            tracing.note(post_id="post_1", attempt=2)

    call, request = spans()
    assert (request.name, request.kind, request.parent and f"{request.parent.span_id:016x}") == (
        "GET /posts",
        SpanKind.SERVER,
        SAMPLED[36:52],
    )
    assert request.attributes == {"social.tenant_id": "tenant_1"}
    assert call.parent is not None
    assert request.context is not None
    assert (call.parent.span_id, call.parent.is_remote) == (request.context.span_id, False)
    assert call.attributes == {
        "social.tenant_id": "tenant_1",
        "social.call": "create_post",
        "social.post_id": "post_1",
        "social.attempt": 2,
    }


def test_a_failure_is_told_by_its_kind_and_never_by_its_words(spans: Spans) -> None:
    with pytest.raises(ValueError, match="canary"), tracing.span("work"):
        raise ValueError("https://example.com/?token=canary")

    (span,) = spans()
    assert not span.status.is_ok
    assert span.attributes == {"error.type": "ValueError"}
    assert "canary" not in span.to_json()


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_who_asks_chooses_whether_it_is_recorded_and_else_the_ratio_does(ratio: float) -> None:
    tracing.record_with(OtelRecorder(TracerProvider(sampler=Chosen(ratio), shutdown_on_exit=False)))
    try:
        assert tracing.is_sampled(tracing.start("work", parent=SAMPLED).traceparent)
        assert not tracing.is_sampled(tracing.start("work", parent=UNSAMPLED).traceparent)
        assert tracing.is_sampled(tracing.start("work", parent=None).traceparent) is (ratio == 1.0)
        # What begins because of others is recorded if one of them is.
        assert tracing.is_sampled(tracing.start("batch", parent=None, links=[UNSAMPLED, SAMPLED]).traceparent)
        assert not tracing.is_sampled(tracing.start("batch", parent=None, links=[UNSAMPLED]).traceparent)
    finally:
        tracing.record_with(None)


class Collector:
    """Takes spans, but holds its first answer back until it is told to go on."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.services: set[str] = set()
        self.asked, self.go_on = Event(), Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = gzip.decompress(self.rfile.read(int(self.headers["content-length"])))
                collector.asked.set()
                collector.go_on.wait()
                if self.path.startswith("/refusing"):
                    self.send_error(400)
                    return
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    collector.services |= {
                        each.value.string_value for each in resource.resource.attributes if each.key == "service.name"
                    }
                    collector.names += [span.name for scope in resource.scope_spans for span in scope.spans]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}/"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.go_on.set()
    collector.close()


def dropped(reason: str) -> float:
    return REGISTRY.get_sample_value("spans_dropped_total", {"reason": reason}) or 0.0


def test_a_slow_collector_costs_the_oldest_spans_and_no_time(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = Exporter("posts", endpoint=collector.endpoint, ratio=1.0)
    dropped_before = dropped("queue_full")
    first = 512
    for number in range(first):
        exporter.recorder.start(str(number), "internal", parent=None, remote=False, links=(), attributes={}).end()
    assert collector.asked.wait(30)
    for number in range(first, first + QUEUE_SIZE + 300):
        exporter.recorder.start(str(number), "internal", parent=None, remote=False, links=(), attributes={}).end()
    collector.go_on.set()
    exporter.close(30)

    newest = [str(number) for number in range(first + 300, first + QUEUE_SIZE + 300)]
    assert collector.names[-QUEUE_SIZE:] == newest
    assert len(collector.names) == QUEUE_SIZE + first
    assert collector.services == {"posts"}
    assert "Queue full" in caplog.text
    assert dropped("queue_full") == dropped_before + 300


def test_spans_that_the_collector_does_not_take_are_counted(collector: Collector) -> None:
    before = dropped("not_taken")
    collector.go_on.set()
    exporter = Exporter("posts", endpoint=f"{collector.endpoint}refusing", ratio=1.0)
    for _ in range(3):
        exporter.recorder.start("work", "internal", parent=None, remote=False, links=(), attributes={}).end()
    exporter.close(30)
    assert collector.names == []
    assert dropped("not_taken") == before + 3


def test_a_process_ends_although_nobody_takes_its_spans(collector: Collector) -> None:
    exporter = Exporter("posts", endpoint=collector.endpoint, ratio=1.0)
    exporter.recorder.start("work", "internal", parent=None, remote=False, links=(), attributes={}).end()
    exporter.close(0.1)
    assert collector.names == []
