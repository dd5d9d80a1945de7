"""The HTTP server: uvicorn, with the transport within the application's reach."""

from __future__ import annotations

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sandbox.application import Sandbox
from sandbox.delivery import TRANSPORT_EXTENSION


class BreakableProtocol(HttpToolsProtocol):
    """Hands the transport to the application, so that a fault can reset the connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT_EXTENSION: self.transport}  # type: ignore[dict-item]


def build(host: str, port: int, log_level: str) -> uvicorn.Server:
    """A server that is ready to run. With port 0 the system picks a port."""
    return uvicorn.Server(
        uvicorn.Config(
            Sandbox(),
            host=host,
            port=port,
            http=BreakableProtocol,
            loop="uvloop",
            ws="none",
            lifespan="off",
            log_level=log_level.lower(),
            access_log=False,
            server_header=False,
            # Requests held back by a fault would otherwise keep the process from stopping.
            timeout_graceful_shutdown=1,
        )
    )
