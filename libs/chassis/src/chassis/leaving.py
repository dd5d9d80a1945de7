"""The polite end of a server: callers are asked to come on another connection before theirs is closed.

A connection that is closed while a request is on its way loses the request, and its caller cannot know whether it was
obeyed.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI application."""

NOTICE = 1.0
"""Seconds from then on until connections are closed; whoever calls more often has left by himself."""


def asking_to_leave(app: App, stop: asyncio.Event) -> App:
    """After `stop` every answer is the last on its connection (RFC 9112 §9.6)."""

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        async def last(message: Message) -> None:
            if message["type"] == "http.response.start" and stop.is_set():
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        await app(scope, receive, last)

    return application
