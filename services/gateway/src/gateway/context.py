"""What is known about a request before any handler sees it. Put into the ASGI scope by the middleware."""

from typing import Any

from litestar import Request
from litestar.datastructures import State
from litestar.types import HTTPScope
from msgspec import Struct

from chassis import tracing

_KEY = "social_publishing_context"

Req = Request[None, None, State]


class Principal(Struct, frozen=True, kw_only=True):
    """Who asks, as a verified token says."""

    tenant_id: str
    subject: str
    roles: frozenset[str]


class RequestContext(Struct, kw_only=True):
    request_id: str
    traceparent: str
    principal: Principal | None = None
    """None on public routes."""
    body: bytes = b""
    """Of the request, read by the middleware within its bounds."""

    @property
    def trace_id(self) -> str:
        return tracing.trace_id(self.traceparent)


def attach(scope: HTTPScope, context: RequestContext) -> None:
    scope[_KEY] = context  # type: ignore[literal-required]  # ASGI lets a scope carry further keys


def of(request: Request[Any, Any, Any]) -> RequestContext:
    context: RequestContext = request.scope[_KEY]  # type: ignore[literal-required]
    return context


def principal_of(request: Request[Any, Any, Any]) -> Principal:
    """Raises RuntimeError on a public route: a handler that needs somebody must have a policy that asks for one."""
    principal = of(request).principal
    if principal is None:
        raise RuntimeError("a public route asked who the user is")
    return principal
