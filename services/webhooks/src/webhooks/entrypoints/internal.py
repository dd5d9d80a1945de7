"""The internal HTTP interface of the webhooks service: what the gateway asks for on behalf of tenants.

Listens where only our own services are, and answers nobody without the shared secret. Requests and answers are those of
`contracts.webhooks`.
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
from contracts import webhooks
from contracts.verdicts import Refusal
from contracts.webhooks import (
    CreateEndpointCall,
    DeliveryCall,
    EndpointCall,
    ListDeliveries,
    ListEndpoints,
    ReplayRange,
    RotateSecretCall,
    UpdateEndpointCall,
)
from eventlog import messaging
from eventlog.sending import AppendUnknownError, NotAppendedError
from webhooks.adapters.endpoints import RefusedError
from webhooks.managing import Managing

log = structlog.get_logger()

MAX_BODY = 262_144

Req = Request[None, None, State]
B = TypeVar("B", bound=Struct)

_NOT_NOW = (NotAppendedError, AppendUnknownError, PyMongoError, TimeoutError)


@post(webhooks.CREATE)
async def create(request: Req) -> Response[bytes]:
    return await _answer(request, CreateEndpointCall, _managing(request).create)


@post(webhooks.LIST)
async def list_endpoints(request: Req) -> Response[bytes]:
    return await _answer(request, ListEndpoints, _managing(request).list)


@post(webhooks.GET)
async def get(request: Req) -> Response[bytes]:
    return await _answer(request, EndpointCall, _managing(request).get)


@post(webhooks.UPDATE)
async def update(request: Req) -> Response[bytes]:
    return await _answer(request, UpdateEndpointCall, _managing(request).update)


@post(webhooks.ENABLE)
async def enable(request: Req) -> Response[bytes]:
    return await _answer(request, EndpointCall, _managing(request).enable)


@post(webhooks.DISABLE)
async def disable(request: Req) -> Response[bytes]:
    return await _answer(request, EndpointCall, _managing(request).disable)


@post(webhooks.DELETE)
async def delete(request: Req) -> Response[bytes]:
    return await _answer(request, EndpointCall, _managing(request).delete)


@post(webhooks.ROTATE)
async def rotate(request: Req) -> Response[bytes]:
    return await _answer(request, RotateSecretCall, _managing(request).rotate)


@post(webhooks.TEST)
async def test(request: Req) -> Response[bytes]:
    return await _answer(request, EndpointCall, _managing(request).test)


@post(webhooks.DELIVERIES)
async def deliveries(request: Req) -> Response[bytes]:
    return await _answer(request, ListDeliveries, _managing(request).deliveries)


@post(webhooks.DELIVERY)
async def delivery(request: Req) -> Response[bytes]:
    return await _answer(request, DeliveryCall, _managing(request).delivery)


@post(webhooks.REPLAY)
async def replay(request: Req) -> Response[bytes]:
    return await _answer(request, DeliveryCall, _managing(request).replay)


@post(webhooks.REPLAY_RANGE)
async def replay_range(request: Req) -> Response[bytes]:
    return await _answer(request, ReplayRange, _managing(request).replay_range)


def create_app(managing: Managing, *, secret: str) -> Guarded:
    routes = Litestar(
        route_handlers=[
            create,
            list_endpoints,
            get,
            update,
            enable,
            disable,
            delete,
            rotate,
            test,
            deliveries,
            delivery,
            replay,
            replay_range,
        ],
        exception_handlers={Exception: _on_exception},
        openapi_config=None,
        logging_config=None,
        request_max_body_size=MAX_BODY,
        state=State({"managing": managing}),
    )
    return Guarded(routes, secret)


def _managing(request: Req) -> Managing:
    managing: Managing = request.app.state.managing
    return managing


async def _answer(request: Req, shape: type[B], handle: Callable[[B], Awaitable[Struct]]) -> Response[bytes]:
    try:
        wanted = msgspec.json.decode(await request.body(), type=shape)
    except msgspec.MsgspecError:
        return _refusal(400, Refusal(code="invalid_content", message="Not what this call takes."))
    tracing.note(**messaging.about_message(wanted))
    try:
        return Response(msgspec.json.encode(await handle(wanted)), status_code=200, media_type="application/json")
    except RefusedError as error:
        return _refusal(409, error.refusal)
    except _NOT_NOW as error:
        log.warning("a webhooks call cannot be served now", path=request.scope["path"], reason=type(error).__name__)
        return _refusal(503, Refusal(code="webhooks_unavailable", message="Webhooks cannot be read or changed now."))


def _refusal(status: int, refusal: Refusal) -> Response[bytes]:
    return Response(msgspec.json.encode(refusal), status_code=status, media_type="application/json")


def _on_exception(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    # Without its words: they may quote what must not be told.
    log.error("a webhooks call failed", path=request.scope["path"], kind=type(error).__name__)
    return _refusal(500, Refusal(code="internal_error", message="Something unforeseen happened."))
