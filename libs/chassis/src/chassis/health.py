"""Probes and metrics on a port of their own: /livez, /readyz, /metrics."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

Check = Callable[[], str | None]
"""None when well, else what is wrong, in words."""

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Heartbeat:
    """When a loop turned last. One that has not begun waits for Kafka or the store, which a restart does not mend."""

    def __init__(self, loop: str, *, stale_after: float) -> None:
        self._loop = loop
        self._stale_after = stale_after
        self._beaten_at: float | None = None

    def beat(self) -> None:
        self._beaten_at = time.monotonic()

    def missed(self) -> str | None:
        """For liveness: None, or that it has stopped turning."""
        if self._beaten_at is None or time.monotonic() - self._beaten_at <= self._stale_after:
            return None
        return f"the {self._loop} loop does not turn"

    def resting(self) -> str | None:
        """For readiness: None while it turns."""
        return f"the {self._loop} loop has not begun" if self._beaten_at is None else self.missed()


class Health:
    """Liveness asks whether the loops turn; readiness also whether the process can do its work now. Never lag."""

    def __init__(self) -> None:
        self._ready: dict[str, Check] = {}
        self._live: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        """A readiness check."""
        self._ready[name] = check

    def add_liveness(self, name: str, check: Check) -> None:
        """A check that only a restart can mend."""
        self._live[name] = check

    def report(self, *, liveness: bool = False) -> dict[str, str]:
        """What is wrong, by check; empty when well."""
        checks = self._live if liveness else {**self._live, **self._ready}
        return {name: wrong for name, check in checks.items() if (wrong := check()) is not None}

    async def _app(self, scope: MutableMapping[str, Any], _receive: Any, send: Send) -> None:
        if scope["type"] != "http":
            return
        kind = b"application/json"
        match scope["path"]:
            case "/livez" | "/readyz" as path:
                wrong = self.report(liveness=path == "/livez")
                status, body = (503, wrong) if wrong else (200, {"status": "ok"})
                payload = json.dumps(body).encode()
            case "/metrics":
                status, payload, kind = 200, generate_latest(REGISTRY), CONTENT_TYPE_LATEST.encode()
            case _:
                status, payload = 404, b"{}"
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": payload})

    async def serve(self, host: str, port: int | None, stop: asyncio.Event) -> None:
        """Answers until `stop`; returns at once when `port` is None."""
        if port is None:
            return
        config = uvicorn.Config(
            self._app, host=host, port=port, interface="asgi3", log_config=None, access_log=False, lifespan="off"
        )
        server = QuietServer(config)
        serving = asyncio.create_task(server.serve())
        await stop.wait()
        server.should_exit = True
        await serving


class QuietServer(uvicorn.Server):
    """A uvicorn server that leaves signals to the process, which has other work to drain."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
