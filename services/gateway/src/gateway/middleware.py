"""What every request passes: identity, policy, limits, traces, metrics, headers. One plain ASGI layer around it all.

A stack of stock plugins for the same duties costs four times the throughput.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from prometheus_client import Counter, Histogram

from chassis import tracing
from contracts.ids import new_id
from gateway import answers, context
from gateway.answers import Answer
from gateway.auth import InvalidTokenError, KeysUnavailableError, TokenVerifier
from gateway.connections import CALLBACK
from gateway.context import Principal, RequestContext
from gateway.pages import CONTENT_SECURITY_POLICY
from gateway.policy import MEDIA_FILE, STREAMED, Roles, Route, RouteTable
from gateway.problems import ProblemError, invalid_parameter
from gateway.ratelimit import Limit, RateLimiter
from gateway.settings import Settings

log = structlog.get_logger()

_REQUESTS = Counter("gateway_requests_total", "Requests answered", ["route", "method", "status"])
_SECONDS = Histogram(
    "gateway_request_seconds",
    "From the head of the request to the end of the answer",
    ["route", "method"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)

_HOST = re.compile(rb"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ID = re.compile(r"[a-z]{1,16}_[0-9A-Za-z]{1,40}")
_PARAMETERS = {
    "{post_id}": "post_id",
    "{thread_id}": "post_id",
    "{publish_id}": "publish_id",
    "{media_id}": "media_id",
    "{account_id}": "account_id",
    "{webhook_id}": "endpoint_id",
    "{command_id}": "command_id",
}
_BURST_SECONDS = 4
_CLIENT_LEFT = 499
_EXPOSED = (
    b"ETag, Location, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id, Idempotency-Replayed, "
    b"Media-Id, Tus-Resumable, Upload-Length, Upload-Offset"
)
_READING = ("GET", "HEAD")
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")

RawHeaders = list[tuple[bytes, bytes]]

_SECURITY: RawHeaders = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=63072000"),
]
_NO_STORE = (b"cache-control", b"no-store")
API_HEADERS: RawHeaders = [
    *_SECURITY,
    _NO_STORE,
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_DOCS: RawHeaders = [
    *_SECURITY,
    (b"cache-control", b"public, max-age=3600"),
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
            b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    ),
]
_FILE: RawHeaders = [
    *_SECURITY,
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"cross-origin-resource-policy", b"cross-origin"),
]
_PAGE: RawHeaders = [
    *_SECURITY,
    _NO_STORE,
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
]


class ClientLeftError(Exception):
    """The client closed the connection before its request was complete."""


class Front:
    """The ASGI application that faces the clients."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        verifier: TokenVerifier,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._verifier = verifier
        self._routes = RouteTable()
        self._limiter = RateLimiter(clock)
        self._reads = _limit("read", settings.reads_per_second)
        self._writes = _limit("write", settings.writes_per_second)
        self._max_body = settings.max_body_bytes
        self._max_headers = settings.max_header_bytes
        self._body_timeout = settings.body_timeout
        self._origins = {origin.encode() for origin in settings.cors_origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            await _Exchange(self, scope, receive, send).run()

    def route(self, scope: HTTPScope) -> Route:
        """Raises ProblemError when there is none."""
        route = self._routes.find(scope["path"])
        if route is None:
            raise ProblemError("route_not_found", "There is nothing at this path.")
        return route

    def check_headers(self, scope: HTTPScope) -> None:
        """Raises ProblemError when there is too much of them, or the host is none (RFC 9112, section 3.2)."""
        size = len(scope["raw_path"]) + len(scope["query_string"])
        size += sum(len(name) + len(value) for name, value in scope["headers"])
        if size > self._max_headers:
            raise ProblemError(
                "headers_too_large",
                f"Path and headers are {size} bytes; {self._max_headers} are allowed.",
                headers={"Connection": "close"},
            )
        if any(name == b"host" and _HOST.fullmatch(value) is None for name, value in scope["headers"]):
            raise invalid_parameter("Host", "host", "The Host header is not a host.")

    async def principal(self, scope: HTTPScope, roles: Roles) -> Principal:
        """Who asks, when they may. Raises ProblemError."""
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if not given:
            raise ProblemError("unauthenticated", "There is no bearer token.")
        kind, _, token = given[0].decode("latin-1").partition(" ")
        if len(given) > 1 or kind.lower() != "bearer":
            raise _bad_token("not one bearer token")
        try:
            principal = await self._verifier.verify(token.strip(" "))
        except InvalidTokenError as error:
            raise _bad_token(str(error)) from error
        except KeysUnavailableError as error:
            raise ProblemError("keys_unavailable", "The issuer's keys cannot be read now.") from error
        if not principal.roles & roles:
            raise ProblemError("forbidden_role", f"One of these roles is needed: {', '.join(sorted(roles))}.")
        return principal

    def admit(self, principal: Principal, method: str) -> RawHeaders:
        """The headers that say what is left. Raises ProblemError when nothing is."""
        limit = self._reads if method in _READING else self._writes
        taken = self._limiter.take(principal.tenant_id, principal.subject, limit)
        headers = {"RateLimit": taken.header(limit), "RateLimit-Policy": limit.policy}
        if not taken.allowed:
            raise ProblemError(
                "too_many_requests",
                f"More than {limit.per_second:g} {limit.name}s a second.",
                headers={**headers, "Retry-After": str(taken.retry_after)},
            )
        return _raw(headers.items())

    async def body(self, scope: HTTPScope, receive: Receive) -> bytes:
        """The whole body. Raises ProblemError when it is too large or too slow, ClientLeftError."""
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self._max_body:
                raise self._too_large(int(value))
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_timeout):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise ClientLeftError
                    body += message["body"]
                    if len(body) > self._max_body:
                        raise self._too_large(len(body))
                    if not message["more_body"]:
                        return bytes(body)
        except TimeoutError as error:
            raise ProblemError(
                "request_timeout",
                f"The body did not arrive within {self._body_timeout:g} s.",
                headers={"Connection": "close"},
            ) from error

    def _too_large(self, size: int) -> ProblemError:
        return ProblemError(
            "body_too_large",
            f"The body has {size} bytes or more; {self._max_body} are allowed.",
            headers={"Connection": "close"},
        )

    def cors(self, scope: HTTPScope) -> RawHeaders:
        """What lets a page of an allowed origin read the answer."""
        if not self._origins:
            return []
        origin = _header(scope, b"origin")
        headers: RawHeaders = [(b"vary", b"Origin")]
        if origin in self._origins:
            headers += [
                (b"access-control-allow-origin", origin),
                (
                    b"access-control-expose-headers",
                    _EXPOSED,
                ),
            ]
        return headers

    def preflight(self, scope: HTTPScope) -> Answer | None:
        """The answer to a browser that asks before it sends; None when this is something else."""
        if not self._origins or scope["method"] != "OPTIONS" or not _header(scope, b"access-control-request-method"):
            return None
        route = self.route(scope)
        return Answer(
            status=204,
            headers={
                "Access-Control-Allow-Methods": ", ".join(sorted(route.methods)),
                "Access-Control-Allow-Headers": (
                    "Authorization, Content-Type, Idempotency-Key, If-Match, Traceparent, Tus-Resumable, "
                    "Upload-Length, Upload-Metadata, Upload-Offset, X-Request-Id"
                ),
                "Access-Control-Max-Age": "600",
            },
        )


class _Exchange:
    """One request and its answer."""

    def __init__(self, front: Front, scope: HTTPScope, receive: Receive, send: Send) -> None:
        self._front = front
        self._scope = scope
        self._receive = receive
        self._send = send
        self._route = "unmatched"
        self._status = _CLIENT_LEFT
        self._started = False
        self._headers: RawHeaders = []
        requested = (_header(scope, b"x-request-id") or b"").decode("latin-1")
        incoming = _header(scope, b"traceparent")
        self._method = scope["method"] if scope["method"] in _METHODS else "other"
        self._span = tracing.start(
            self._method, "server", parent=None if incoming is None else incoming.decode("latin-1")
        )
        self._context = RequestContext(
            request_id=requested if _REQUEST_ID.fullmatch(requested) else new_id("req"),
            traceparent=self._span.traceparent,
        )

    async def run(self) -> None:
        context.attach(self._scope, self._context)
        with tracing.within(self._span, request_id=self._context.request_id):
            await self._run()

    async def _run(self) -> None:
        begun = time.perf_counter()
        try:
            await self._answer()
        except ProblemError as problem:
            await self._refuse(problem)
        except ClientLeftError:
            pass
        except Exception as error:
            log.exception("a request failed", request_id=self._context.request_id)
            if self._started:
                raise
            await self._refuse(ProblemError("internal_error", f"Something unforeseen: {type(error).__name__}."))
        finally:
            self._tell(time.perf_counter() - begun)

    async def _answer(self) -> None:
        front, scope = self._front, self._scope
        self._headers = [*API_HEADERS, *front.cors(scope), (b"x-request-id", self._context.request_id.encode())]
        front.check_headers(scope)
        if (preflight := front.preflight(scope)) is not None:
            await self._give(preflight)
            return
        route = front.route(scope)
        self._route = route.template
        tracing.note(**_named_in(scope["path"], route.template))
        method = scope["method"]
        roles = route.methods.get(method)
        if roles is None:
            allowed = ", ".join(sorted(route.methods))
            raise ProblemError("method_not_allowed", f"{method} is not among {allowed}.", headers={"Allow": allowed})
        if not roles:
            if self._route.startswith("/docs"):
                self._headers = [*_DOCS, *self._headers[len(API_HEADERS) :]]
            elif self._route == MEDIA_FILE:
                self._headers = [*_FILE, *self._headers[len(API_HEADERS) :]]
                front.admit(_nobody(scope), "GET")
            elif self._route.startswith(CALLBACK):
                # Public, and it costs calls to others: limited for each address that it comes from, as a write.
                self._headers = [*_PAGE, *self._headers[len(API_HEADERS) :]]
                front.admit(_nobody(scope), "POST")
                if method != "GET":
                    self._context.body = await front.body(scope, self._receive)
                await front._app(scope, _no_more_body, self._send_on)
                return
            await front._app(scope, self._receive, self._send_on)
            return
        principal = self._context.principal = await front.principal(scope, roles)
        tracing.note(tenant_id=principal.tenant_id)
        self._headers += front.admit(principal, method)
        if (method, self._route) in STREAMED:
            await front._app(scope, self._receive, self._send_on)
            return
        if method not in _READING:
            self._context.body = await front.body(scope, self._receive)
        await front._app(scope, _no_more_body, self._send_on)

    async def _send_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            self._status = message["status"]
            headers = [*message["headers"], *self._headers]
            if self._status >= 400:
                headers = [*(pair for pair in headers if pair[0].lower() != b"cache-control"), _NO_STORE]
            message["headers"] = headers
        await self._send(message)

    async def _refuse(self, problem: ProblemError) -> None:
        await self._give(answers.problem(problem, request_id=self._context.request_id, trace_id=self._context.trace_id))

    async def _give(self, answer: Answer) -> None:
        headers = _raw(answer.headers.items())
        if answer.status != 204:
            headers += [(b"content-type", answer.media_type.encode()), (b"content-length", b"%d" % len(answer.body))]
        await self._send_on({"type": "http.response.start", "status": answer.status, "headers": headers})
        await self._send_on({"type": "http.response.body", "body": answer.body, "more_body": False})

    def _tell(self, seconds: float) -> None:
        method = self._method
        self._span.rename(f"{method} {self._route}")
        self._span.set("http.request.method", method)
        self._span.set("http.route", self._route)
        self._span.set("http.response.status_code", self._status)
        if self._status >= 500:
            self._span.fail(str(self._status))
        _REQUESTS.labels(self._route, method, f"{self._status // 100}xx").inc()
        _SECONDS.labels(self._route, method).observe(seconds)
        principal = self._context.principal
        log.info(
            "request",
            method=method,
            route=self._route,
            status=self._status,
            ms=round(seconds * 1_000, 1),
            request_id=self._context.request_id,
            tenant_id=None if principal is None else principal.tenant_id,
            subject=None if principal is None else principal.subject,
        )


def _nobody(scope: HTTPScope) -> Principal:
    """Somebody without a token, known by their address."""
    client = scope["client"]
    return Principal(tenant_id="", subject="" if client is None else client[0], roles=frozenset())


def _named_in(path: str, template: str) -> dict[str, str]:
    """The ids of a path, by the names that they have in logs."""
    segments = zip(template.split("/"), path.split("/"), strict=False)
    return {_PARAMETERS[name]: value for name, value in segments if name in _PARAMETERS and _ID.fullmatch(value)}


async def _no_more_body() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


def _limit(name: str, per_second: float) -> Limit:
    return Limit(name=name, per_second=per_second, burst=max(1, round(per_second * _BURST_SECONDS)))


def _bad_token(reason: str) -> ProblemError:
    return ProblemError(
        "unauthenticated",
        f"The bearer token is not accepted: {reason}.",
        headers={"WWW-Authenticate": 'Bearer realm="social-publishing", error="invalid_token"'},
    )


def _header(scope: HTTPScope, name: bytes) -> bytes | None:
    return next((value for key, value in scope["headers"] if key == name), None)


def _raw(headers: Iterable[tuple[str, str]]) -> RawHeaders:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
