"""A server of a customer: it takes webhooks as it is told to, and gives files slowly."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECES = 12


class Customer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, file: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.file = file
        self.status = 200
        """What webhooks are answered with."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Customer

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        """The file, in twelve seconds."""
        self.send_response(200)
        self.send_header("content-length", str(len(self.server.file)))
        self.end_headers()
        size = -(-len(self.server.file) // PIECES)
        for start in range(0, len(self.server.file), size):
            time.sleep(1.0)
            self.wfile.write(self.server.file[start : start + size])
            self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def customer(file: bytes) -> Iterator[Customer]:
    server = Customer(file)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
