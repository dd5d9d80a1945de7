"""The publisher's internal HTTP interface: what the gateway asks for while accounts are connected.

Listens where only our own services are, and answers nobody without the shared secret. Requests and answers are those of
`contracts.connections`.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
import structlog
from litestar import Litestar, Request, Response, post
from litestar.datastructures import State
from msgspec import Struct
from pymongo.errors import PyMongoError

from chassis import tracing
from chassis.internal_http import Guarded
from contracts import connections
from contracts.connections import AccountCall, BeginConnection, CompleteConnection, SelectConnection
from contracts.verdicts import Refusal
from eventlog import messaging
from eventlog.sending import AppendUnknownError, NotAppendedError
from publisher.connecting import Connecting
from publisher.domain.connection import ConnectError

log = structlog.get_logger()

MAX_BODY = 65_536

Req = Request[None, None, State]
B = TypeVar("B", bound=Struct)

_NOT_NOW = (NotAppendedError, AppendUnknownError, PyMongoError, TimeoutError)


@post(connections.BEGIN)
async def begin(request: Req) -> Response[bytes]:
    return await _answer(request, BeginConnection, _connecting(request).begin)


@post(connections.COMPLETE)
async def complete(request: Req) -> Response[bytes]:
    return await _answer(request, CompleteConnection, _connecting(request).complete)


@post(connections.SELECT)
async def select(request: Req) -> Response[bytes]:
    return await _answer(request, SelectConnection, _connecting(request).select)


@post(connections.DISCONNECT)
async def disconnect(request: Req) -> Response[bytes]:
    return await _answer(request, AccountCall, _connecting(request).disconnect)


@post(connections.REFRESH)
async def refresh(request: Req) -> Response[bytes]:
    return await _answer(request, AccountCall, _connecting(request).refresh)


@post(connections.HEALTH)
async def health(request: Req) -> Response[bytes]:
    return await _answer(request, AccountCall, _connecting(request).health)


def create_app(connecting: Connecting, *, secret: str) -> Guarded:
    routes = Litestar(
        route_handlers=[begin, complete, select, disconnect, refresh, health],
        exception_handlers={Exception: _on_exception},
        openapi_config=None,
        logging_config=None,
        request_max_body_size=MAX_BODY,
        state=State({"connecting": connecting}),
    )
    return Guarded(routes, secret)


def _connecting(request: Req) -> Connecting:
    connecting: Connecting = request.app.state.connecting
    return connecting


async def _answer(request: Req, shape: type[B], handle: Callable[[B], Awaitable[Struct]]) -> Response[bytes]:
    try:
        wanted = msgspec.json.decode(await request.body(), type=shape)
    except msgspec.MsgspecError:
        return _refusal(400, "invalid_content", "Not what this call takes.")
    tracing.note(**messaging.about_message(wanted))
    try:
        return Response(msgspec.json.encode(await handle(wanted)), status_code=200, media_type="application/json")
    except ConnectError as error:
        return _refusal(409, error.code, str(error))
    except _NOT_NOW as error:
        log.warning("an account call cannot be served now", path=request.scope["path"], reason=type(error).__name__)
        return _refusal(503, "connecting_unavailable", "Accounts cannot be changed now.")


def _refusal(status: int, code: str, message: str) -> Response[bytes]:
    body = msgspec.json.encode(Refusal(code=code, message=message))
    return Response(body, status_code=status, media_type="application/json")


def _on_exception(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    # Without its words: they may quote what must not be told.
    log.error("an account call failed", path=request.scope["path"], kind=type(error).__name__)
    return _refusal(500, "internal_error", "Something unforeseen happened.")
