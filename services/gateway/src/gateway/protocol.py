"""Bounds on the head of a request, which the server itself does not have: how large it is, and how slowly it comes."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chassis.tracing import new_traceparent, trace_id
from contracts.ids import new_id
from gateway.middleware import API_HEADERS
from gateway.problems import MEDIA_TYPE, ProblemError

MAX_HEAD = 131_072
"""Bytes after which a head is not read any further; smaller ones that are still too large are the middleware's."""
HEAD_TIMEOUT = 20.0
"""Seconds from the first byte of a head, or from the connection, to the end of the head."""


LINGER = 2.0
"""Seconds for which the rest of such a head is thrown away: closing at once would take the answer back with it."""


class BoundedHttp(HttpToolsProtocol):
    head_timeout = HEAD_TIMEOUT

    _timer: asyncio.TimerHandle | None = None
    _is_in_head = False
    _head_bytes = 0
    _is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        super().data_received(data)
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD:
                self._refuse()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = True
        self._await_head()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._head_bytes = 0
        self._stop_timer()
        super().on_headers_complete()

    def _refuse(self) -> None:
        self._is_refused = True
        self._stop_timer()
        problem = ProblemError("headers_too_large", f"The headers are larger than {MAX_HEAD:,} bytes.")
        body = problem.body(request_id=new_id("req"), trace_id=trace_id(new_traceparent()))
        self.transport.write(_answer(b"431 Request Header Fields Too Large", MEDIA_TYPE, body))
        self.loop.call_later(LINGER, self.transport.close)

    def send_400_response(self, msg: str) -> None:
        self.transport.write(_answer(b"400 Bad Request", "text/plain; charset=utf-8", msg.encode()))
        self.transport.close()

    def _await_head(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(self.head_timeout, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _answer(status: bytes, media_type: str, body: bytes) -> bytes:
    """The last answer on a connection, with what all answers carry."""
    headers = [
        *API_HEADERS,
        (b"content-type", media_type.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    return b"".join([b"HTTP/1.1 ", status, b"\r\n", *(b"%s: %s\r\n" % pair for pair in headers), b"\r\n", body])
