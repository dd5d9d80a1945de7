"""Two instances of every service, and what stands before them in a cluster."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import Any

import httpx
from tests.conftest import API

from contracts.ids import new_id
from localstack import services
from localstack.process import Process, free_ports
from localstack.stack import Stack

RESTARTED = ("posts", "publisher", "media", "analytics", "webhooks", "gateway")


class Balancer:
    """A cluster's Service: each connection goes to the next instance that accepts one."""

    def __init__(self, ports: Sequence[int]) -> None:
        turns, lock = cycle(range(len(ports))), threading.Lock()

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with lock:
                    first = next(turns)
                for port in (*ports[first:], *ports[:first]):
                    with suppress(ConnectionRefusedError):
                        upstream = socket.create_connection(("127.0.0.1", port))
                        break
                else:
                    return
                with upstream:
                    back = threading.Thread(target=_pump, args=(upstream, self.request))
                    back.start()
                    _pump(self.request, upstream)
                    back.join()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65_536):
            sink.sendall(chunk)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


class Receiver:
    """Accepts webhooks. `told` are the posts that each event, by its id, was about."""

    def __init__(self) -> None:
        self.told: dict[str, str] = {}
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                receiver.told[self.headers["webhook-id"]] = body["data"]["post_id"]
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class RoundRobin:
    """A client that knows both gateways. Only a refused connection sends it to the other one."""

    def __init__(self, urls: Sequence[str], token: str) -> None:
        self._clients = [
            httpx.Client(
                base_url=url + API, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=30.0
            )
            for url in urls
        ]
        self._turns = cycle(range(len(urls)))

    def request(self, method: str, path: str, body: object = None, **options: Any) -> httpx.Response:
        headers = {} if method == "GET" else {"Idempotency-Key": new_id("key")}
        if body is not None:
            options["json"] = body
        first = next(self._turns)
        for client in (*self._clients[first:], *self._clients[:first]):
            try:
                return client.request(method, path, headers=headers, **options)
            except httpx.ConnectError:
                continue
        raise httpx.ConnectError("no gateway accepts connections")


class Fleet:
    """The stack's own instances, and one more of each service."""

    def __init__(self, stack: Stack, more: Sequence[Process], gateway_urls: Sequence[str]) -> None:
        self._first = {name: stack.process(name) for name in RESTARTED}
        self._second = {process.name: process for process in more}
        self.gateway_urls = gateway_urls

    def roll(self) -> None:
        """Every instance is asked to end, one after the other; a service's second only once its first is back."""
        for instances in (self._first, self._second):
            for name in RESTARTED:
                assert instances[name].stop(), f"{name} had to be killed"
                assert instances[name].exit_code == 0
                instances[name].spawn()
            for process in instances.values():
                process.wait_ready()


@contextmanager
def two_of_each(stack: Stack) -> Iterator[Fleet]:
    ports = free_ports(8)
    fields = (
        "gateway_port",
        "gateway_health_port",
        "posts_health_port",
        "publisher_health_port",
        "publisher_internal_port",
        "media_health_port",
        "webhooks_health_port",
        "webhooks_internal_port",
    )
    analytics_health, *_ = free_ports(1)
    told = stack.settings.model_copy(
        update={**dict(zip(fields, ports, strict=True)), "analytics_health_port": analytics_health}
    )
    publishers = Balancer([stack.settings.publisher_internal_port, told.publisher_internal_port])
    webhooks = Balancer([stack.settings.webhooks_internal_port, told.webhooks_internal_port])
    balanced = {"PUBLISHER_INTERNAL_URL": publishers.url, "WEBHOOKS_INTERNAL_URL": webhooks.url}
    more = [each for each in services.processes(told, stack.keys) if each.name in RESTARTED]
    for process in more:
        process.log = process.log.with_suffix(".second.log")
        if process.name == "gateway":
            process.environment |= balanced
        if process.name == "media":
            process.environment["MEDIA_WORK_DIR"] += "-second"
    gateway = stack.process("gateway")
    usual = dict(gateway.environment)
    try:
        for process in more:
            process.spawn()
        gateway.environment |= balanced
        gateway.restart()
        for process in more:
            process.wait_ready()
        yield Fleet(stack, more, [stack.gateway_url, told.gateway_url])
    finally:
        for process in reversed(more):
            process.stop()
        gateway.environment = usual
        gateway.restart()
        publishers.close()
        webhooks.close()
