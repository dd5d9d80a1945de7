"""The fixtures for the tests of every package: those that start real servers, and spans that stay in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import tracing
from chassis.exporting import Chosen, OtelRecorder

pytest_plugins = ["localstack.testing"]


@pytest.fixture
def spans() -> Iterator[Callable[[], Sequence[ReadableSpan]]]:
    """Records all spans of this process; `spans()` are those that have ended."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=Chosen(1.0), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.record_with(OtelRecorder(provider))
    yield exporter.get_finished_spans
    tracing.record_with(None)
