"""What delivering asks of the world. MongoDB and the network answer in production, memory in tests."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from contracts.endpoints import DisableReason, Endpoint
from contracts.webhooks import Attempt
from guarded.client import Answer
from webhooks.domain.delivering import Delivery, Next
from webhooks.domain.signing import Signer


class PublicEvent(Struct, frozen=True, kw_only=True):
    """A record of one of the `social.*` topics."""

    id: str
    type: str
    tenant_id: str
    subject: str
    time: datetime
    data: bytes
    """JSON."""
    traceparent: str | None = None


class NewDelivery(Struct, frozen=True, kw_only=True):
    """A delivery that has no number yet."""

    id: str
    tenant_id: str
    endpoint_id: str
    partition: int
    event_id: str
    event_type: str
    event_time: datetime
    """In whole milliseconds, as stores keep them: it is told, and must not change by being stored."""
    data: bytes
    created_at: datetime
    subject: str | None = None
    """What the event is about."""
    traceparent: str | None = None
    """The trace that its requests belong to."""


class Bell(Struct, frozen=True, kw_only=True):
    """Says to whoever delivers for an endpoint that there is something, in whatever process that is."""

    at: datetime
    """When it was rung last."""
    anew_at: datetime | None = None
    """When it was rung last because the endpoint, or the order of its deliveries, had changed."""


class Target(Struct, frozen=True, kw_only=True):
    """An endpoint as it is now, with what its deliveries are signed with."""

    endpoint: Endpoint
    signers: tuple[Signer, ...]


class Deliveries(Protocol):
    """Methods raise what the store's client raises."""

    async def due(
        self, partition: int, endpoint_id: str, until: datetime, *, skip: Collection[str], limit: int
    ) -> Sequence[Delivery]:
        """The soonest of those that are due until then."""
        ...

    async def in_order(self, partition: int, endpoint_id: str, *, after: int | None, limit: int) -> Sequence[Delivery]:
        """Some of the pending ones, due or not, by sequence: the next ones after a number, or the very first."""
        ...

    async def next_due(self, partition: int, endpoint_id: str, after: datetime) -> datetime | None: ...

    async def waiting(self, partition: int) -> Collection[str]:
        """Endpoints of the partition that have anything pending."""
        ...

    async def rung(self, since: datetime) -> Mapping[str, Bell]:
        """Endpoints whose bell was rung after that."""
        ...

    async def settle(self, delivery: Delivery, attempt: Attempt, following: Next) -> bool:
        """Durable when it returns. False when somebody else has changed the delivery. Safe to repeat."""
        ...

    async def discard(self, endpoint_id: str) -> None:
        """Removes all deliveries of an endpoint that is deleted."""
        ...


class Targets(Protocol):
    async def load(self, endpoint_id: str) -> Target | None:
        """None when there is no such endpoint."""
        ...

    async def equip(self, endpoint: Endpoint) -> Target:
        """With its keys."""
        ...


class Standings(Protocol):
    """Since when an endpoint has accepted nothing."""

    async def load(self, endpoint_id: str) -> datetime | None: ...

    async def save(self, endpoint_id: str, failing_since: datetime | None) -> None: ...


class Sender(Protocol):
    """What is used of `guarded.client.GuardedClient`."""

    async def post(
        self,
        url: str,
        *,
        body: bytes,
        headers: Mapping[str, str],
        seconds: float,
        max_bytes: int,
        repeatable: bool = False,
    ) -> Answer: ...


class Disabler(Protocol):
    async def disable(self, endpoint: Endpoint, reason: DisableReason, detail: str, at: datetime) -> None:
        """Returns once it is decided."""
        ...
