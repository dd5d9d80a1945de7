"""A call to a platform is a span that says which, how it went, and for which attempt; never with what token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from chassis import tracing
from contracts.content import Content
from contracts.posts import Published

Spans = Callable[[], Sequence[ReadableSpan]]


async def test_calls_to_platforms_are_spans_of_the_job(world: Any, spans: Spans) -> None:
    account = await world.account("twitter")
    await world.fault(account, "rate_limited")
    for attempt in (1, 2):
        with tracing.within(tracing.start("job", parent=None), attempt=attempt):
            report = await world.run(world.request(account, Content(text="Hello"), attempt=attempt))
        if attempt == 1:
            await world.clock.reach(report.outcome.until)
    assert isinstance(report.outcome, Published)

    jobs = [span for span in spans() if span.name == "job"]
    calls = [span for span in spans() if span.name == "twitter create_post"]
    assert [span.parent for span in calls] == [job.context for job in jobs]
    for number, (span, status) in enumerate(zip(calls, (429, 201), strict=True), start=1):
        assert span.kind is SpanKind.CLIENT
        assert span.attributes == {
            "social.platform": "twitter",
            "social.call": "create_post",
            "social.attempt": number,
            "http.request.method": "POST",
            "http.response.status_code": status,
            "server.address": "127.0.0.1",
            **({} if status == 201 else {"error.type": "429"}),
        }
