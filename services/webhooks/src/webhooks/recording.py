"""From the log to the queue: for each public event one delivery for each endpoint that wants it.

Everything has an id that follows from the event, so doing it again changes nothing; the offset is committed after.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol

from chassis import faultpoints
from contracts.endpoints import Endpoint
from webhooks.domain.delivering import delivery_id
from webhooks.ports import NewDelivery, PublicEvent


class Endpoints(Protocol):
    async def enabled(self, tenant_ids: Collection[str]) -> Sequence[Endpoint]: ...


class Queue(Protocol):
    async def add(self, new: Sequence[NewDelivery]) -> int: ...


class Feed(Protocol):
    async def add(self, events: Sequence[PublicEvent], now: datetime) -> None: ...


class Recorder:
    def __init__(
        self,
        *,
        endpoints: Endpoints,
        queue: Queue,
        feed: Feed,
        partition_of: Callable[[str], int],
        notice: Callable[[str], None],
        now: Callable[[], datetime],
    ) -> None:
        self._endpoints = endpoints
        self._queue = queue
        self._feed = feed
        self._partition_of = partition_of
        self._notice = notice
        self._now = now

    async def record(self, events: Sequence[PublicEvent]) -> None:
        """In the order of the log. Durable when it returns; safe to repeat."""
        by_tenant: dict[str, list[Endpoint]] = {}
        for endpoint in await self._endpoints.enabled({event.tenant_id for event in events}):
            by_tenant.setdefault(endpoint.tenant_id, []).append(endpoint)
        now = self._now()
        new = [
            new_delivery(event, endpoint, self._partition_of(endpoint.endpoint_id), now)
            for event in events
            for endpoint in by_tenant.get(event.tenant_id, ())
            if endpoint.wants(event.type)
        ]
        await faultpoints.reached("webhooks.before_record")
        await self._queue.add(new)
        await faultpoints.reached("webhooks.after_record")
        for endpoint_id in {delivery.endpoint_id for delivery in new}:
            self._notice(endpoint_id)
        await self._feed.add(events, now)


def new_delivery(event: PublicEvent, endpoint: Endpoint, partition: int, now: datetime) -> NewDelivery:
    return NewDelivery(
        id=delivery_id(event.id, endpoint.endpoint_id, event.time),
        tenant_id=endpoint.tenant_id,
        endpoint_id=endpoint.endpoint_id,
        partition=partition,
        event_id=event.id,
        event_type=event.type,
        event_time=event.time,
        data=event.data,
        created_at=now,
    )
