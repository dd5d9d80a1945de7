"""Webhook endpoints, what became of each delivery, and sending again."""

from datetime import datetime
from typing import Annotated, Literal

from litestar import Response, delete, get, post, put
from msgspec import UNSET, Meta, Struct, UnsetType

from contracts import webhooks
from contracts.endpoints import Endpoint, EndpointChanges
from contracts.topics import PUBLIC_TOPICS
from contracts.webhooks import (
    CreateEndpointCall,
    Delivery,
    DeliveryCall,
    DeliveryList,
    DeliveryStatus,
    EndpointCall,
    EndpointList,
    EndpointWithSecret,
    ListDeliveries,
    ListEndpoints,
    RangeReplayed,
    ReplayRange,
    RotateSecretCall,
    UpdateEndpointCall,
)
from gateway import webhook_views as views
from gateway.answers import NO_CONTENT, Answer, answer
from gateway.calls import Call, Write, read, write
from gateway.context import Req
from gateway.feed import read_number
from gateway.policy import BASE
from gateway.problems import FieldError, invalid_content
from gateway.requests import Body

WEBHOOKS = f"{BASE}/webhooks"

EventType = Literal[
    "social.post_published",
    "social.post_failed",
    "social.engagement_spike",
    "social.account_disconnected",
    "social.mention_received",
]
EndpointUrl = Annotated[str, Meta(min_length=1, max_length=2_048)]
Description = Annotated[str, Meta(max_length=500)]
EventTypes = Annotated[list[EventType], Meta(max_length=len(PUBLIC_TOPICS))]
Rate = Annotated[int, Meta(ge=1, le=1_000)]
InFlight = Annotated[int, Meta(ge=1, le=32)]


class CreateWebhookBody(Body, frozen=True, kw_only=True):
    url: EndpointUrl
    description: Description = ""
    event_types: EventTypes = []
    """Empty: all."""
    fifo: bool = False
    """One delivery at a time, in the order of `sequence`; one that fails holds up those behind it."""
    rate_per_second: Rate | None = None
    max_in_flight: InFlight = 8
    """Requests at once."""


class UpdateWebhookBody(Body, frozen=True, kw_only=True):
    """What is left out stays as it is."""

    url: EndpointUrl | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    event_types: EventTypes | UnsetType = UNSET
    fifo: bool | UnsetType = UNSET
    rate_per_second: Rate | UnsetType | None = UNSET
    max_in_flight: InFlight | UnsetType = UNSET


class RotateSecretBody(Body, frozen=True, kw_only=True):
    overlap_seconds: Annotated[int, Meta(ge=0, le=604_800)] = 86_400
    """For which the secrets of now go on signing beside the new one."""


class ReplayBody(Body, frozen=True, kw_only=True):
    since: Annotated[datetime, Meta(tz=True)]
    until: Annotated[datetime, Meta(tz=True)] | None = None
    cursor: Annotated[str, Meta(max_length=20)] | None = None
    """From the answer to the same request."""


class DeliveriesQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    status: DeliveryStatus | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    cursor: Annotated[str, Meta(max_length=20)] | None = None


@post(WEBHOOKS, status_code=201)
async def create_webhook(request: Req) -> Response[bytes]:
    return await write(request, _create)


async def _create(call: Write) -> Answer:
    body = call.body(CreateWebhookBody)
    made = await call.gateway.webhooks.call(
        webhooks.CREATE,
        CreateEndpointCall(
            tenant_id=call.tenant_id,
            actor=call.principal.subject,
            command_id=call.command_id,
            url=body.url,
            description=body.description,
            event_types=tuple(dict.fromkeys(body.event_types)),
            fifo=body.fifo,
            rate_per_second=body.rate_per_second,
            max_in_flight=body.max_in_flight,
        ),
        EndpointWithSecret,
    )
    return _shown_once(made, status=201)


@get(WEBHOOKS)
async def list_webhooks(request: Req) -> Response[bytes]:
    return await read(request, _list)


async def _list(call: Call) -> Answer:
    found = await call.gateway.webhooks.call(webhooks.LIST, ListEndpoints(tenant_id=call.tenant_id), EndpointList)
    return answer(views.EndpointsView(webhooks=tuple(map(views.endpoint, found.endpoints))))


@get(f"{WEBHOOKS}/{{webhook_id:str}}")
async def get_webhook(request: Req) -> Response[bytes]:
    return await read(request, _get)


async def _get(call: Call) -> Answer:
    asked = EndpointCall(
        tenant_id=call.tenant_id, endpoint_id=call.path("webhook_id"), actor=call.principal.subject, command_id=""
    )
    return answer(views.endpoint(await call.gateway.webhooks.call(webhooks.GET, asked, Endpoint)))


@put(f"{WEBHOOKS}/{{webhook_id:str}}")
async def update_webhook(request: Req) -> Response[bytes]:
    return await write(request, _update)


async def _update(call: Write) -> Answer:
    body = call.body(UpdateWebhookBody)
    types = body.event_types
    asked = UpdateEndpointCall(
        tenant_id=call.tenant_id,
        endpoint_id=call.path("webhook_id"),
        actor=call.principal.subject,
        command_id=call.command_id,
        changes=EndpointChanges(
            url=body.url,
            description=body.description,
            event_types=UNSET if types is UNSET else tuple(dict.fromkeys(types)),
            fifo=body.fifo,
            rate_per_second=body.rate_per_second,
            max_in_flight=body.max_in_flight,
        ),
    )
    return answer(views.endpoint(await call.gateway.webhooks.call(webhooks.UPDATE, asked, Endpoint)))


@delete(f"{WEBHOOKS}/{{webhook_id:str}}", status_code=200)
async def delete_webhook(request: Req) -> Response[bytes]:
    return await write(request, _delete)


async def _delete(call: Write) -> Answer:
    await call.gateway.webhooks.call(webhooks.DELETE, _endpoint(call), Endpoint)
    return NO_CONTENT


@post(f"{WEBHOOKS}/{{webhook_id:str}}/enable", status_code=200)
async def enable_webhook(request: Req) -> Response[bytes]:
    return await write(request, _enable)


async def _enable(call: Write) -> Answer:
    return answer(views.endpoint(await call.gateway.webhooks.call(webhooks.ENABLE, _endpoint(call), Endpoint)))


@post(f"{WEBHOOKS}/{{webhook_id:str}}/disable", status_code=200)
async def disable_webhook(request: Req) -> Response[bytes]:
    return await write(request, _disable)


async def _disable(call: Write) -> Answer:
    return answer(views.endpoint(await call.gateway.webhooks.call(webhooks.DISABLE, _endpoint(call), Endpoint)))


@post(f"{WEBHOOKS}/{{webhook_id:str}}/rotate-secret", status_code=200)
async def rotate_secret(request: Req) -> Response[bytes]:
    return await write(request, _rotate)


async def _rotate(call: Write) -> Answer:
    asked = RotateSecretCall(
        tenant_id=call.tenant_id,
        endpoint_id=call.path("webhook_id"),
        actor=call.principal.subject,
        command_id=call.command_id,
        overlap_seconds=call.optional_body(RotateSecretBody).overlap_seconds,
    )
    return _shown_once(await call.gateway.webhooks.call(webhooks.ROTATE, asked, EndpointWithSecret), status=200)


@post(f"{WEBHOOKS}/{{webhook_id:str}}/test", status_code=202)
async def test_webhook(request: Req) -> Response[bytes]:
    return await write(request, _test)


async def _test(call: Write) -> Answer:
    made = await call.gateway.webhooks.call(webhooks.TEST, _endpoint(call), Delivery)
    return answer(views.delivery_detail(made), status=202)


@get(f"{WEBHOOKS}/{{webhook_id:str}}/deliveries")
async def list_deliveries(request: Req) -> Response[bytes]:
    return await read(request, _deliveries)


async def _deliveries(call: Call) -> Answer:
    query = call.query(DeliveriesQuery)
    asked = ListDeliveries(
        tenant_id=call.tenant_id,
        endpoint_id=call.path("webhook_id"),
        status=query.status,
        before_sequence=None if query.cursor is None else read_number(query.cursor),
        limit=query.limit + 1,
    )
    found = await call.gateway.webhooks.call(webhooks.DELIVERIES, asked, DeliveryList)
    return answer(views.deliveries(found.deliveries, limit=query.limit))


@get(f"{WEBHOOKS}/{{webhook_id:str}}/deliveries/{{delivery_id:str}}")
async def get_delivery(request: Req) -> Response[bytes]:
    return await read(request, _delivery)


async def _delivery(call: Call) -> Answer:
    return answer(views.delivery_detail(await call.gateway.webhooks.call(webhooks.DELIVERY, _named(call), Delivery)))


@post(f"{WEBHOOKS}/{{webhook_id:str}}/deliveries/{{delivery_id:str}}/replay", status_code=202)
async def replay_delivery(request: Req) -> Response[bytes]:
    return await write(request, _replay)


async def _replay(call: Write) -> Answer:
    again = await call.gateway.webhooks.call(webhooks.REPLAY, _named(call), Delivery)
    return answer(views.delivery_detail(again), status=202)


@post(f"{WEBHOOKS}/{{webhook_id:str}}/replay", status_code=202)
async def replay_range(request: Req) -> Response[bytes]:
    return await write(request, _replay_all)


async def _replay_all(call: Write) -> Answer:
    return await _replay_range(call, undelivered_only=False)


@post(f"{WEBHOOKS}/{{webhook_id:str}}/recover", status_code=202)
async def recover_failed(request: Req) -> Response[bytes]:
    return await write(request, _recover)


async def _recover(call: Write) -> Answer:
    return await _replay_range(call, undelivered_only=True)


async def _replay_range(call: Write, *, undelivered_only: bool) -> Answer:
    body = call.body(ReplayBody)
    if body.until is not None and body.until < body.since:
        message = "until lies before since."
        raise invalid_content(FieldError(pointer="/until", rule="replay.range", message=message))
    asked = ReplayRange(
        tenant_id=call.tenant_id,
        endpoint_id=call.path("webhook_id"),
        since=body.since,
        until=body.until,
        undelivered_only=undelivered_only,
        after=None if body.cursor is None else read_number(body.cursor),
    )
    return answer(
        views.replayed(await call.gateway.webhooks.call(webhooks.REPLAY_RANGE, asked, RangeReplayed)), status=202
    )


def _endpoint(call: Write) -> EndpointCall:
    return EndpointCall(
        tenant_id=call.tenant_id,
        endpoint_id=call.path("webhook_id"),
        actor=call.principal.subject,
        command_id=call.command_id,
    )


def _named(call: Call) -> DeliveryCall:
    return DeliveryCall(
        tenant_id=call.tenant_id, endpoint_id=call.path("webhook_id"), delivery_id=call.path("delivery_id")
    )


def _shown_once(made: EndpointWithSecret, *, status: int) -> Answer:
    """What is kept for repeats is without the secret."""
    shown = answer(views.endpoint_with_secret(made.endpoint, made.secret), status=status)
    return shown.keeping(views.endpoint_with_secret(made.endpoint, None))
