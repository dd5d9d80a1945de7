"""What the API answers about webhooks and events. Pure."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Raw, Struct, structs

from contracts.endpoints import DisableReason, Endpoint, EndpointStatus
from contracts.webhooks import Attempt, Delivery, DeliveryStatus, RangeReplayed


class KeyView(Struct, frozen=True, kw_only=True):
    """A key that signs deliveries now."""

    public_key: str
    """`whpk_…`: checks the `v1a` signatures."""
    created_at: datetime
    expires_at: datetime | None
    """null: the current one."""


class EndpointView(Struct, frozen=True, kw_only=True):
    id: str
    url: str
    description: str
    event_types: tuple[str, ...]
    """Empty: all."""
    fifo: bool
    rate_per_second: int | None
    max_in_flight: int
    status: EndpointStatus
    disabled_at: datetime | None
    disable_reason: DisableReason | None
    disable_detail: str | None
    keys: tuple[KeyView, ...]
    created_at: datetime
    created_by: str
    updated_at: datetime


class EndpointSecretView(EndpointView, frozen=True, kw_only=True):
    secret: str | None
    """`whsec_…`, in the first answer only; null when the request is repeated. A lost one is rotated."""


class EndpointsView(Struct, frozen=True, kw_only=True):
    webhooks: tuple[EndpointView, ...]


class AttemptView(Struct, frozen=True, kw_only=True):
    at: datetime
    milliseconds: int
    status: int | None
    """null: there was no answer, and `error` says why."""
    error: str | None
    response: str
    """The beginning of the answer, at most 1,024 bytes."""


class DeliveryView(Struct, frozen=True, kw_only=True):
    id: str
    """The `webhook-id` that the receiver sees."""
    sequence: int
    event_id: str
    event_type: str
    event_time: datetime
    status: DeliveryStatus
    attempts: int
    next_attempt_at: datetime | None
    created_at: datetime


class DeliveryDetailView(DeliveryView, frozen=True, kw_only=True):
    data: Raw
    log: tuple[AttemptView, ...]
    """The newest 25 attempts, oldest first."""


class DeliveriesView(Struct, frozen=True, kw_only=True):
    deliveries: tuple[DeliveryView, ...]
    """Newest first."""
    cursor: str | None
    """null: that was all."""


class ReplayView(Struct, frozen=True, kw_only=True):
    queued: int
    cursor: str | None
    """Not null: there is more; send the same request again with it."""


class EventView(Struct, frozen=True, kw_only=True):
    id: str
    type: str
    timestamp: datetime
    subject: str
    """The post or account it is about."""
    cursor: str
    data: Raw


class EventsView(Struct, frozen=True, kw_only=True):
    events: tuple[EventView, ...]
    cursor: str
    """Where to go on, also when there was nothing."""
    more: bool


def endpoint(found: Endpoint) -> EndpointView:
    return EndpointView(
        id=found.endpoint_id,
        url=found.url,
        description=found.description,
        event_types=found.event_types,
        fifo=found.fifo,
        rate_per_second=found.rate_per_second,
        max_in_flight=found.max_in_flight,
        status=found.status,
        disabled_at=found.disabled_at,
        disable_reason=found.disable_reason,
        disable_detail=found.disable_detail,
        keys=tuple(
            KeyView(public_key=key.public_key, created_at=key.created_at, expires_at=key.expires_at)
            for key in found.keys
        ),
        created_at=found.created_at,
        created_by=found.created_by,
        updated_at=found.updated_at,
    )


def endpoint_with_secret(found: Endpoint, secret: str | None) -> EndpointSecretView:
    return EndpointSecretView(**structs.asdict(endpoint(found)), secret=secret)


def delivery(found: Delivery) -> DeliveryView:
    return DeliveryView(
        id=found.id,
        sequence=found.sequence,
        event_id=found.event_id,
        event_type=found.event_type,
        event_time=found.event_time,
        status=found.status,
        attempts=found.attempts,
        next_attempt_at=found.next_attempt_at,
        created_at=found.created_at,
    )


def delivery_detail(found: Delivery) -> DeliveryDetailView:
    return DeliveryDetailView(**structs.asdict(delivery(found)), data=found.data, log=tuple(map(_attempt, found.log)))


def _attempt(found: Attempt) -> AttemptView:
    return AttemptView(
        at=found.at,
        milliseconds=found.milliseconds,
        status=found.status,
        error=found.error,
        response=found.response,
    )


def deliveries(found: Sequence[Delivery], *, limit: int) -> DeliveriesView:
    """`found` holds one more than `limit` when there are more."""
    page = found[:limit]
    return DeliveriesView(
        deliveries=tuple(map(delivery, page)),
        cursor=str(page[-1].sequence) if len(found) > limit else None,
    )


def replayed(done: RangeReplayed) -> ReplayView:
    return ReplayView(queued=done.queued, cursor=None if done.after is None else str(done.after))
