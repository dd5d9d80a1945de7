"""The fixtures for the tests of every package: real servers, spans that stay in memory, logging as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import tracing
from chassis.exporting import Chosen, OtelRecorder

pytest_plugins = ["localstack.testing"]


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Commands that a test runs in this process choose what is logged from then on."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture
def spans() -> Iterator[Callable[[], Sequence[ReadableSpan]]]:
    """Records all spans of this process; `spans()` are those that have ended."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=Chosen(1.0), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.record_with(OtelRecorder(provider))
    yield exporter.get_finished_spans
    tracing.record_with(None)
