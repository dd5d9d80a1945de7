"""How answers reach the client, whole or spoiled."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Literal

from sandbox.web import Response, as_html

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]

TRANSPORT_EXTENSION = "sandbox.transport"
_NO_LINGER = struct.pack("ii", 1, 0)
_REASONS = {500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}


class Exchange:
    """One request being answered."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self.left = False
        """Whether the client left in the middle of its body; `partial` is what had come."""
        self.partial = b""

    async def read(self, limit: int) -> bytes | None:
        """The complete body; None when it exceeds the limit or the client left."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.left, self.partial = True, b"".join(chunks)
                return None
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                return None
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)

    async def answer(self, response: Response) -> None:
        await self._start(response)
        await self._send({"type": "http.response.body", "body": response.body})

    async def drip(self, response: Response, seconds: float, pieces: int = 10) -> None:
        """Send the body in small pieces spread over a time."""
        await self._start(response)
        size = max(1, -(-len(response.body) // pieces))
        for start in range(0, len(response.body), size):
            piece = response.body[start : start + size]
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            if not await self.pause(seconds / pieces):
                return
        await self._send({"type": "http.response.body", "body": b""})

    async def hold(self, seconds: float) -> None:
        """Answer nothing until the client gives up; reset the connection when the time is over first."""
        if await self.pause(seconds):
            await self.reset()

    async def pause(self, seconds: float) -> bool:
        """Let time pass; whether the client is still there afterwards."""
        try:
            async with asyncio.timeout(seconds):
                await self._until_disconnect()
        except TimeoutError:
            return True
        return False

    async def reset(self) -> None:
        """Break the connection with a TCP RST before any byte of an answer."""
        transport: asyncio.Transport = self._scope["extensions"][TRANSPORT_EXTENSION]
        connection = transport.get_extra_info("socket")
        # With a zero linger time the kernel discards what is unsent and resets instead of closing.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
        await self._until_disconnect()

    async def _until_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue

    async def _start(self, response: Response) -> None:
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
        if response.content_type is not None:
            headers.append((b"content-type", response.content_type.encode("latin-1")))
        if response.status != 204:
            headers.append((b"content-length", str(len(response.body)).encode("ascii")))
        await self._send({"type": "http.response.start", "status": response.status, "headers": headers})


def edge_error(status: int) -> Response:
    """The page that a content delivery network shows in place of the API's answer."""
    title = f"{status} {_REASONS[status]}"
    page = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n"
        f"<body>\r\n<center><h1>{title}</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
    )
    return as_html(status, page)


def garbage(kind: Literal["html", "truncated_json"]) -> Response:
    """A 200 that says nothing."""
    if kind == "html":
        return as_html(200, "<!DOCTYPE html>\n<html><body><h1>We'll be right back</h1></body></html>\n")
    return Response(200, b'{"data":{"id":"', "application/json; charset=utf-8")


def host_of(scope: Scope, headers: Mapping[str, str]) -> str:
    """Scheme and authority by which the client reached this process."""
    host, port = scope["server"]
    return f"{scope['scheme']}://{headers.get('host') or f'{host}:{port}'}"
