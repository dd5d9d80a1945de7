"""From the log to the queue: for each public event one delivery for each endpoint that wants it.

Everything has an id that follows from the event, so doing it again changes nothing; the offset is committed after.
What is recorded is handed over at once, so that nobody has to look for it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Protocol

from chassis import faultpoints, tracing
from contracts.endpoints import Endpoint
from webhooks.domain.delivering import Delivery, delivery_id
from webhooks.ports import NewDelivery, PublicEvent

AT_ONCE = 1_000
"""Deliveries held while they are recorded, so that memory does not grow with the number of endpoints."""


class Endpoints(Protocol):
    async def enabled(self, tenant_ids: Collection[str]) -> Sequence[Endpoint]: ...


class Queue(Protocol):
    async def add(
        self, new: Sequence[NewDelivery], added: Callable[[Sequence[Delivery]], None] | None = None
    ) -> int: ...

    async def ring(self, endpoint_ids: Collection[str], at: datetime) -> None: ...


class Feed(Protocol):
    async def add(self, events: Sequence[PublicEvent], now: datetime) -> None: ...


class Couriers(Protocol):
    """What is used of `webhooks.delivering.Courier`. Both are false where another process delivers."""

    def offer(self, endpoint: Endpoint, deliveries: Sequence[Delivery]) -> bool: ...

    def notice(self, endpoint_id: str) -> bool: ...


class Recorder:
    def __init__(
        self,
        *,
        endpoints: Endpoints,
        queue: Queue,
        feed: Feed,
        couriers: Couriers,
        partition_of: Callable[[str], int],
        now: Callable[[], datetime],
    ) -> None:
        self._endpoints = endpoints
        self._queue = queue
        self._feed = feed
        self._couriers = couriers
        self._partition_of = partition_of
        self._now = now

    async def record(self, events: Sequence[PublicEvent]) -> None:
        """In the order of the log. Durable when it returns; safe to repeat."""
        enabled = await self._endpoints.enabled({event.tenant_id for event in events})
        by_id = {endpoint.endpoint_id: endpoint for endpoint in enabled}
        now = self._now()
        await faultpoints.reached("webhooks.before_record")
        for new in _parts(self._deliveries(events, enabled, now)):
            await self._add(new, by_id, now)
        await faultpoints.reached("webhooks.after_record")
        await self._feed.add(events, now)

    def _deliveries(
        self, events: Sequence[PublicEvent], endpoints: Sequence[Endpoint], now: datetime
    ) -> Iterator[NewDelivery]:
        by_tenant: dict[str, list[Endpoint]] = {}
        for endpoint in endpoints:
            by_tenant.setdefault(endpoint.tenant_id, []).append(endpoint)
        for event in events:
            for endpoint in by_tenant.get(event.tenant_id, ()):
                if endpoint.wants(event.type):
                    yield new_delivery(event, endpoint, self._partition_of(endpoint.endpoint_id), now)

    async def _add(self, new: Sequence[NewDelivery], endpoints: Mapping[str, Endpoint], now: datetime) -> None:
        left = {delivery.id: delivery.endpoint_id for delivery in new}
        elsewhere: set[str] = set()

        def hand_over(added: Sequence[Delivery]) -> None:
            for endpoint_id, group in groupby(sorted(added, key=_place), key=lambda delivery: delivery.endpoint_id):
                deliveries = list(group)
                for delivery in deliveries:
                    del left[delivery.id]
                if not self._couriers.offer(endpoints[endpoint_id], deliveries):
                    elsewhere.add(endpoint_id)

        await self._queue.add(new, hand_over)
        # Those that had been recorded before, perhaps by a call that did not come to its end.
        elsewhere |= {endpoint_id for endpoint_id in set(left.values()) if not self._couriers.notice(endpoint_id)}
        if elsewhere:
            await self._queue.ring(elsewhere, now)


def new_delivery(event: PublicEvent, endpoint: Endpoint, partition: int, now: datetime) -> NewDelivery:
    return NewDelivery(
        id=delivery_id(event.id, endpoint.endpoint_id, event.time),
        tenant_id=endpoint.tenant_id,
        endpoint_id=endpoint.endpoint_id,
        partition=partition,
        event_id=event.id,
        event_type=event.type,
        event_time=_whole_milliseconds(event.time),
        data=event.data,
        created_at=_whole_milliseconds(now),
        subject=event.subject,
        traceparent=event.traceparent or tracing.current(),
    )


def _whole_milliseconds(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1_000 * 1_000)


def _place(delivery: Delivery) -> tuple[str, int]:
    return delivery.endpoint_id, delivery.sequence


def _parts(deliveries: Iterable[NewDelivery]) -> Iterator[list[NewDelivery]]:
    part: list[NewDelivery] = []
    for delivery in deliveries:
        part.append(delivery)
        if len(part) >= AT_ONCE:
            yield part
            part = []
    if part:
        yield part
