"""A call to a user's URL is a span, and names no more of the URL than the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from aiohttp import web
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from chassis import tracing
from guarded.client import CallFailedError, GuardedClient
from guarded.urls import ANYWHERE

Spans = Callable[[], Sequence[ReadableSpan]]


async def test_calls_are_spans_without_the_users_secrets(spans: Spans) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=int(request.query["status"]))

    server = web.Server(answer)
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    client = GuardedClient(ANYWHERE, user_agent="test")
    url = f"http://127.0.0.1:{port}/canary?secret=canary"
    with tracing.span("deliver"):
        for status in (204, 500):
            await client.post(f"{url}&status={status}", body=b"canary", headers={}, seconds=5, max_bytes=1)
        async with client.get(f"{url}&status=200", seconds=5, max_bytes=1):
            pass
    await runner.cleanup()
    with pytest.raises(CallFailedError) as failure:
        await client.post(url, body=b"", headers={}, seconds=5, max_bytes=1)
    await client.close()

    ok, failed, read, deliver, refused = spans()
    for span in (ok, failed, read, refused):
        assert span.kind is SpanKind.CLIENT
        assert span.attributes is not None
        assert (span.attributes["server.address"], span.attributes["server.port"]) == ("127.0.0.1", port)
        assert "canary" not in span.to_json()
    for span in (ok, failed, read):
        assert span.parent == deliver.context
    assert [span.name for span in spans()] == ["POST", "POST", "GET", "deliver", "POST"]
    assert [
        (span.attributes.get("http.response.status_code"), span.attributes.get("error.type"))
        for span in (ok, failed, read, refused)
        if span.attributes
    ] == [(204, None), (500, "500"), (200, None), (None, failure.value.cause)]
