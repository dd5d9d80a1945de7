"""HTTP between our own services, for the few calls whose secrets may not enter the log.

Whoever serves it listens where only our own services are, and answers nobody without the secret that both know.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog
import uvicorn

from chassis import tracing
from chassis.health import QuietServer
from chassis.leaving import NOTICE, asking_to_leave

log = structlog.get_logger()

Scope = MutableMapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI application."""


class Guarded:
    """Lets nobody in who does not know the secret, and goes on with the caller's trace."""

    def __init__(self, app: App, secret: str) -> None:
        self._app = app
        self._expected = f"Bearer {secret}".encode()

    async def __call__(self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        if scope["type"] != "http":
            return
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) == 1 and hmac.compare_digest(given[0], self._expected):
            parent = next((v.decode("latin-1") for name, v in scope["headers"] if name == b"traceparent"), None)
            span = tracing.start(
                f"POST {scope['path']}", "server", parent=parent, attributes={"http.request.method": scope["method"]}
            )
            with tracing.within(span):
                await self._app(scope, receive, send)
            return
        log.warning("a call without the internal secret", path=scope["path"])
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def listen(app: App, host: str, port: int, stop: asyncio.Event) -> None:
    """Serves until `stop`, asks callers to leave, then finishes what is in progress."""
    config = uvicorn.Config(
        asking_to_leave(app, stop),
        host=host,
        port=port,
        interface="asgi3",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    server = QuietServer(config)
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not serving.done():
        await asyncio.sleep(NOTICE)
    server.should_exit = True
    await serving
