"""Calls to other services of ours, each a span of the caller's trace."""

import httpx

from chassis import tracing


async def post(client: httpx.AsyncClient, path: str, body: bytes) -> httpx.Response:
    """`path` is one of few. Raises httpx.HTTPError."""
    attributes = {"http.request.method": "POST", "server.address": client.base_url.host}
    with tracing.span(f"POST {path}", "client", attributes=attributes) as span:
        response = await client.post(path, content=body, headers=tracing.headers())
        span.set("http.response.status_code", response.status_code)
        return response
