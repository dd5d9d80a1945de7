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


class NewDelivery(Struct, frozen=True, kw_only=True):
    """A delivery that has no number yet."""

    id: str
    tenant_id: str
    endpoint_id: str
    partition: int
    event_id: str
    event_type: str
    event_time: datetime
    data: bytes
    created_at: datetime


class Target(Struct, frozen=True, kw_only=True):
    """An endpoint as it is now, with what its deliveries are signed with."""

    endpoint: Endpoint
    signers: tuple[Signer, ...]


class Deliveries(Protocol):
    """Methods raise what the store's client raises."""

    async def due(
        self, endpoint_id: str, until: datetime, *, skip: Collection[str], limit: int
    ) -> Sequence[Delivery]: ...

    async def in_order(self, endpoint_id: str, *, limit: int) -> Sequence[Delivery]:
        """Pending ones, due or not, by sequence."""
        ...

    async def next_due(self, endpoint_id: str, after: datetime) -> datetime | None: ...

    async def waiting(self, partitions: Collection[int]) -> Collection[str]:
        """Endpoints that have anything pending."""
        ...

    async def arrived(self, partitions: Collection[int], since: datetime, until: datetime) -> Collection[str]:
        """Endpoints with deliveries that became due in that time."""
        ...

    async def settle(self, delivery: Delivery, attempt: Attempt, following: Next) -> bool:
        """Durable when it returns. False when somebody else has changed the delivery."""
        ...

    async def discard(self, endpoint_id: str) -> None:
        """Removes all deliveries of an endpoint that is deleted."""
        ...


class Targets(Protocol):
    async def load(self, endpoint_id: str) -> Target | None:
        """None when there is no such endpoint."""
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
