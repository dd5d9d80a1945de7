"""What tenants may do with their endpoints and deliveries, as the internal interface asks for it."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

import msgspec
from msgspec import UNSET

from contracts.endpoints import (
    CreateEndpoint,
    DeleteEndpoint,
    DisableEndpoint,
    DisableReason,
    EnableEndpoint,
    Endpoint,
    EndpointCommand,
    RotateSecret,
    UpdateEndpoint,
)
from contracts.ids import new_id, sibling
from contracts.topics import PUBLIC_TOPICS
from contracts.verdicts import Refusal
from contracts.webhooks import (
    TEST_TYPE,
    CreateEndpointCall,
    Delivery,
    DeliveryCall,
    DeliveryList,
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
from guarded.urls import ForbiddenUrlError
from webhooks.adapters.deliveries import MongoDeliveries, view
from webhooks.adapters.endpoints import EndpointLog, MongoEndpoints, RefusedError
from webhooks.adapters.feed import MongoFeed
from webhooks.adapters.keys import MongoSigners
from webhooks.ports import PublicEvent
from webhooks.recording import new_delivery

REPLAYED_AT_ONCE = 2_000
"""Events gone through by one call."""
_PAGE = 500
_LATEST = timedelta(hours=1)
"""By which an event may have come late into the feed."""
_CLOCKS_DIFFER = timedelta(minutes=1)
"""At most, among those who record events."""


class UrlCheck(Protocol):
    async def examine(self, url: str) -> None:
        """Raises ForbiddenUrlError."""
        ...


class Managing:
    """Methods raise RefusedError, and what the store and the log raise when they cannot be reached."""

    def __init__(
        self,
        *,
        endpoints: MongoEndpoints,
        signers: MongoSigners,
        deliveries: MongoDeliveries,
        feed: MongoFeed,
        endpoint_log: EndpointLog,
        urls: UrlCheck,
        partition_of: Callable[[str], int],
        most_endpoints: int,
        now: Callable[[], datetime],
        notice: Callable[[str], bool],
    ) -> None:
        """`notice` learns of endpoints that changed here, or that have something to be sent anew; it says whether it
        concerns this process.
        """
        self._endpoints = endpoints
        self._signers = signers
        self._deliveries = deliveries
        self._feed = feed
        self._log = endpoint_log
        self._urls = urls
        self._partition_of = partition_of
        self._most_endpoints = most_endpoints
        self._now = now
        self._notice = notice
        self._clearing: set[asyncio.Task[None]] = set()

    # --- endpoints ------------------------------------------------------------------------------------

    async def create(self, call: CreateEndpointCall) -> EndpointWithSecret:
        """Repeated, it answers the same endpoint; the secret goes to whoever gets the first answer."""
        endpoint_id, key_id = sibling("ep", call.command_id), sibling("key", call.command_id)
        known = await self._endpoints.get(call.tenant_id, endpoint_id)
        if known is None:
            _check_types(call.event_types)
            await self._check_url(call.url)
            if await self._endpoints.count(call.tenant_id) >= self._most_endpoints:
                raise _refused("too_many_endpoints", f"A tenant has at most {self._most_endpoints} endpoints.")
            now = self._now()
            # Durable before the endpoint is: there is no moment at which it cannot sign.
            signer = await self._signers.ensure(call.tenant_id, endpoint_id, key_id, now)
            command = CreateEndpoint(
                endpoint_id=endpoint_id,
                tenant_id=call.tenant_id,
                actor=call.actor,
                issued_at=now,
                url=call.url,
                description=call.description,
                event_types=call.event_types,
                fifo=call.fifo,
                rate_per_second=call.rate_per_second,
                max_in_flight=call.max_in_flight,
                key_id=key_id,
                public_key=signer.public_key,
            )
            known = await self._log.ask(command, command_id=call.command_id)
        return EndpointWithSecret(endpoint=known, secret=await self._signers.show(call.tenant_id, endpoint_id, key_id))

    async def list(self, call: ListEndpoints) -> EndpointList:
        return EndpointList(endpoints=tuple(await self._endpoints.of_tenant(call.tenant_id)))

    async def get(self, call: EndpointCall) -> Endpoint:
        return await self._own(call.tenant_id, call.endpoint_id)

    async def update(self, call: UpdateEndpointCall) -> Endpoint:
        await self._own(call.tenant_id, call.endpoint_id)
        if call.changes.event_types is not UNSET:
            _check_types(call.changes.event_types)
        if call.changes.url is not UNSET:
            await self._check_url(call.changes.url)
        return await self._ask(
            UpdateEndpoint(
                endpoint_id=call.endpoint_id,
                tenant_id=call.tenant_id,
                actor=call.actor,
                issued_at=self._now(),
                changes=call.changes,
            ),
            call.command_id,
        )

    async def enable(self, call: EndpointCall) -> Endpoint:
        await self._own(call.tenant_id, call.endpoint_id)
        command = EnableEndpoint(
            endpoint_id=call.endpoint_id, tenant_id=call.tenant_id, actor=call.actor, issued_at=self._now()
        )
        return await self._ask(command, call.command_id)

    async def disable(self, call: EndpointCall) -> Endpoint:
        await self._own(call.tenant_id, call.endpoint_id)
        return await self._ask(
            DisableEndpoint(
                endpoint_id=call.endpoint_id,
                tenant_id=call.tenant_id,
                actor=call.actor,
                issued_at=self._now(),
                reason="user",
                detail="By a user.",
            ),
            call.command_id,
        )

    async def delete(self, call: EndpointCall) -> Endpoint:
        await self._own(call.tenant_id, call.endpoint_id)
        command = DeleteEndpoint(
            endpoint_id=call.endpoint_id, tenant_id=call.tenant_id, actor=call.actor, issued_at=self._now()
        )
        endpoint = await self._ask(command, call.command_id)
        await self._signers.delete(call.endpoint_id)
        clearing = asyncio.create_task(self._deliveries.discard(call.endpoint_id))
        self._clearing.add(clearing)
        clearing.add_done_callback(self._clearing.discard)
        return endpoint

    async def rotate(self, call: RotateSecretCall) -> EndpointWithSecret:
        endpoint = await self._own(call.tenant_id, call.endpoint_id)
        key_id = sibling("key", call.command_id)
        if not any(key.key_id == key_id for key in endpoint.keys):
            now = self._now()
            signer = await self._signers.ensure(call.tenant_id, call.endpoint_id, key_id, now)
            endpoint = await self._ask(
                RotateSecret(
                    endpoint_id=call.endpoint_id,
                    tenant_id=call.tenant_id,
                    actor=call.actor,
                    issued_at=now,
                    key_id=key_id,
                    public_key=signer.public_key,
                    overlap_seconds=call.overlap_seconds,
                ),
                call.command_id,
            )
        secret = await self._signers.show(call.tenant_id, call.endpoint_id, key_id)
        return EndpointWithSecret(endpoint=endpoint, secret=secret)

    # --- deliveries -----------------------------------------------------------------------------------

    async def test(self, call: EndpointCall) -> Delivery:
        """An event of the type `webhook.test`, for this endpoint alone, whatever types it wants."""
        endpoint = await self._own(call.tenant_id, call.endpoint_id)
        _check_enabled(endpoint)
        now = self._now()
        event = PublicEvent(
            id=sibling("evt", call.command_id),
            type=TEST_TYPE,
            tenant_id=call.tenant_id,
            subject=call.endpoint_id,
            time=now,
            data=msgspec.json.encode({"tenant_id": call.tenant_id, "endpoint_id": call.endpoint_id}),
        )
        new = new_delivery(event, endpoint, self._partition_of(call.endpoint_id), now)
        # A repeat of this call comes at another time, and must be the same delivery.
        new = msgspec.structs.replace(new, id=sibling("msg", call.command_id))
        await self._deliveries.add([new])
        await self._tell(call.endpoint_id)
        return await self._delivery(call.tenant_id, call.endpoint_id, new.id)

    async def deliveries(self, call: ListDeliveries) -> DeliveryList:
        await self._own(call.tenant_id, call.endpoint_id)
        found = await self._deliveries.newest(
            call.tenant_id, call.endpoint_id, status=call.status, before=call.before_sequence, limit=call.limit
        )
        return DeliveryList(deliveries=tuple(map(view, found)))

    async def delivery(self, call: DeliveryCall) -> Delivery:
        await self._own(call.tenant_id, call.endpoint_id)
        return await self._delivery(call.tenant_id, call.endpoint_id, call.delivery_id)

    async def replay(self, call: DeliveryCall) -> Delivery:
        """The same delivery again, with the same `webhook-id` and number. One that is pending stays as it is."""
        _check_enabled(await self._own(call.tenant_id, call.endpoint_id))
        await self._delivery(call.tenant_id, call.endpoint_id, call.delivery_id)
        await self._deliveries.reopen([call.delivery_id], self._now())
        await self._tell(call.endpoint_id)
        return await self._delivery(call.tenant_id, call.endpoint_id, call.delivery_id)

    async def replay_range(self, call: ReplayRange) -> RangeReplayed:
        """Goes through the events of a time. What was never recorded for this endpoint is now: it may have been
        disabled, or have wanted other types.
        """
        endpoint = await self._own(call.tenant_id, call.endpoint_id)
        _check_enabled(endpoint)
        partition, queued = self._partition_of(call.endpoint_id), 0
        position = call.after
        if position is None:
            position = await self._feed.recorded_before(call.tenant_id, call.since - _CLOCKS_DIFFER)
        for _ in range(REPLAYED_AT_ONCE // _PAGE):
            page = await self._feed.upwards(call.tenant_id, position, _PAGE)
            position = page[-1][0] if page else 0
            now = self._now()
            new = [
                new_delivery(event, endpoint, partition, now)
                for _, event in page
                if endpoint.wants(event.type) and call.since <= event.time <= (call.until or event.time)
            ]
            queued += await self._deliveries.reopen([each.id for each in new], now, failed_only=call.undelivered_only)
            queued += await self._deliveries.add(new)
            if not page or (call.until is not None and page[0][1].time > call.until + _LATEST):
                position = 0
                break
        if queued:
            await self._tell(call.endpoint_id)
        return RangeReplayed(queued=queued, after=position or None)

    async def _delivery(self, tenant_id: str, endpoint_id: str, delivery_id: str) -> Delivery:
        found = await self._deliveries.get(tenant_id, endpoint_id, delivery_id)
        if found is None:
            raise _refused("delivery_not_found", f"There is no delivery {delivery_id}.")
        return view(found)

    # --- what all share -------------------------------------------------------------------------------

    async def _own(self, tenant_id: str, endpoint_id: str) -> Endpoint:
        endpoint = await self._endpoints.get(tenant_id, endpoint_id)
        if endpoint is None:
            raise _refused("endpoint_not_found", f"There is no endpoint {endpoint_id}.")
        return endpoint

    async def _ask(self, command: EndpointCommand, command_id: str) -> Endpoint:
        endpoint = await self._log.ask(command, command_id=command_id)
        await self._tell(command.endpoint_id)
        return endpoint

    async def _tell(self, endpoint_id: str) -> None:
        """Whoever delivers for this endpoint."""
        if not self._notice(endpoint_id):
            await self._deliveries.ring([endpoint_id], self._now(), anew=True)

    async def _check_url(self, url: str) -> None:
        try:
            await self._urls.examine(url)
        except ForbiddenUrlError as error:
            raise _refused("url_not_allowed", str(error)) from error


class LogDisabler:
    """`webhooks.ports.Disabler` through the log."""

    def __init__(self, endpoint_log: EndpointLog) -> None:
        self._log = endpoint_log

    async def disable(self, endpoint: Endpoint, reason: DisableReason, detail: str, at: datetime) -> None:
        command = DisableEndpoint(
            endpoint_id=endpoint.endpoint_id,
            tenant_id=endpoint.tenant_id,
            actor=None,
            issued_at=at,
            reason=reason,
            detail=detail,
        )
        await self._log.ask(command, command_id=new_id("cmd"))


def _check_enabled(endpoint: Endpoint) -> None:
    if endpoint.status != "enabled":
        raise _refused("endpoint_disabled", "The endpoint is disabled: enable it first.")


def _check_types(event_types: tuple[str, ...]) -> None:
    unknown = [each for each in event_types if each not in PUBLIC_TOPICS]
    if unknown:
        raise _refused("invalid_content", f"There are no events {', '.join(unknown)}; {', '.join(PUBLIC_TOPICS)} are.")


def _refused(code: str, message: str) -> RefusedError:
    return RefusedError(Refusal(code=code, message=message))
