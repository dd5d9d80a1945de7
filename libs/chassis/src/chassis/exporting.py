"""Recording spans with OpenTelemetry, and sending them to a collector over OTLP/HTTP.

A thread of its own sends; the work that is traced never waits for it. When it falls behind, or the collector is away,
the oldest spans are dropped, and counted.
"""

import socket
from collections.abc import Sequence
from threading import Lock, Thread

import requests
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_ON,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.util.types import Attributes as OtelAttributes
from prometheus_client import Counter

from chassis.tracing import Attributes, Kind, Value

SCHEMA = "https://opentelemetry.io/schemas/1.44.0"
"""The semantic conventions that names of spans and attributes follow."""
QUEUE_SIZE = 8_192
"""Spans waiting to be sent, about 10 MB of them; what comes on top pushes out the oldest."""
SEND_EVERY_MS = 1_000
SEND_TIMEOUT = 5.0
"""Seconds for one request to the collector with all its repetitions."""

DROPPED = Counter(
    "spans_dropped",
    "Recorded spans that no collector has: pushed out of the full queue, or sent and not taken",
    ("reason",),
)
for _reason in ("queue_full", "not_taken"):
    DROPPED.labels(_reason)

_KINDS = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}


class Chosen(Sampler):
    """A part of the traces that begin here for no reason of ours. What has a cause has been chosen with that."""

    def __init__(self, ratio: float) -> None:
        self._ratio = TraceIdRatioBased(ratio)

    def should_sample(  # noqa: PLR0917  # as the SDK calls it
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: OtelAttributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        has_cause = links or get_current_span(parent_context).get_span_context().is_valid
        sampler: Sampler = ALWAYS_ON if has_cause else self._ratio
        return sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        return f"Chosen({self._ratio.rate})"


class _Recording:
    """`chassis.tracing.Recording`."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def set(self, name: str, value: Value) -> None:
        self._span.set_attribute(name, value)

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def fail(self) -> None:
        self._span.set_status(Status(StatusCode.ERROR))

    def end(self) -> None:
        self._span.end()


class OtelRecorder:
    """`chassis.tracing.Recorder`."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("social-publishing", schema_url=SCHEMA)

    def start(
        self, name: str, kind: Kind, *, parent: str | None, remote: bool, links: Sequence[str], attributes: Attributes
    ) -> _Recording:
        context = Context()
        if parent is not None:
            context = set_span_in_context(NonRecordingSpan(_read(parent, remote=remote)), context)
        return _Recording(
            self._tracer.start_span(
                name,
                context=context,
                kind=_KINDS[kind],
                attributes=attributes,
                links=[Link(_read(link, remote=True)) for link in links],
                record_exception=False,
                set_status_on_exception=False,
            )
        )


class _Counting(SpanExporter):
    """Sends by another exporter, and counts what is dropped on the way there and by it."""

    def __init__(self, exporter: SpanExporter, queue_size: int) -> None:
        self._exporter = exporter
        self._queue_size = queue_size
        self._lock = Lock()
        self._waiting = 0

    def queued(self) -> None:
        """One more span waits; in a full queue it takes the place of the oldest."""
        with self._lock:
            if self._waiting == self._queue_size:
                DROPPED.labels("queue_full").inc()
            else:
                self._waiting += 1

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self._lock:
            self._waiting -= len(spans)
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            DROPPED.labels("not_taken").inc(len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class _Queue(BatchSpanProcessor):
    def __init__(self, exporter: _Counting) -> None:
        super().__init__(exporter, max_queue_size=QUEUE_SIZE, schedule_delay_millis=SEND_EVERY_MS)
        self._counting = exporter

    def on_end(self, span: ReadableSpan) -> None:
        if span.context and span.context.trace_flags.sampled:
            self._counting.queued()
        super().on_end(span)


class Exporter:
    """A recorder whose spans go to a collector."""

    def __init__(self, service: str, *, endpoint: str, ratio: float) -> None:
        """`endpoint` is the collector's base address, as in OTEL_EXPORTER_OTLP_ENDPOINT.

        The exporter reads further variables of OpenTelemetry itself: OTEL_EXPORTER_OTLP_HEADERS and
        OTEL_EXPORTER_OTLP_CERTIFICATE for one, OTEL_RESOURCE_ATTRIBUTES for another.
        """
        session = requests.Session()
        session.trust_env = False
        sending = OTLPSpanExporter(
            f"{endpoint.rstrip('/')}/v1/traces",
            timeout=SEND_TIMEOUT,
            compression=Compression.Gzip,
            session=session,
        )
        self._processor = _Queue(_Counting(sending, QUEUE_SIZE))
        resource = Resource.create(
            {
                "service.name": service,
                "service.namespace": "social-publishing",
                "service.instance.id": socket.gethostname(),
            }
        )
        provider = TracerProvider(sampler=Chosen(ratio), resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(self._processor)
        self.recorder = OtelRecorder(provider)

    def close(self, seconds: float) -> None:
        """Sends what is waiting, for no longer than this."""
        # By itself it would wait for half a minute.
        closing = Thread(target=self._processor.shutdown, daemon=True)
        closing.start()
        closing.join(seconds)


def _read(traceparent: str, *, remote: bool) -> SpanContext:
    return SpanContext(
        trace_id=int(traceparent[3:35], 16),
        span_id=int(traceparent[36:52], 16),
        is_remote=remote,
        trace_flags=TraceFlags(int(traceparent[53:55], 16)),
    )
