"""What the gateway and the webhooks service say to each other over HTTP.

Not messages: they hold secrets, which must not lie in a log. Paths are below the webhooks service's internal address;
every call is a POST with a bearer secret, and answers its struct, or a `contracts.verdicts.Refusal`.
"""

from datetime import datetime
from typing import Literal

from msgspec import Raw, Struct

from contracts.endpoints import Endpoint, EndpointChanges

CREATE = "/endpoints/create"
LIST = "/endpoints/list"
GET = "/endpoints/get"
UPDATE = "/endpoints/update"
ENABLE = "/endpoints/enable"
DISABLE = "/endpoints/disable"
DELETE = "/endpoints/delete"
ROTATE = "/endpoints/rotate-secret"
TEST = "/endpoints/test"
DELIVERIES = "/deliveries/list"
DELIVERY = "/deliveries/get"
REPLAY = "/deliveries/replay"
REPLAY_RANGE = "/deliveries/replay-range"

TEST_TYPE = "webhook.test"

DeliveryStatus = Literal["pending", "delivered", "failed"]
"""`failed`: given up, after the last attempt of its schedule."""


class ListEndpoints(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    tenant_id: str


class EndpointList(Struct, frozen=True, kw_only=True):
    endpoints: tuple[Endpoint, ...]


class EndpointCall(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`command_id` is that of the command that follows from the call: the same for each repeat of it."""

    tenant_id: str
    endpoint_id: str
    actor: str
    command_id: str


class CreateEndpointCall(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    tenant_id: str
    actor: str
    command_id: str
    url: str
    description: str = ""
    event_types: tuple[str, ...] = ()
    fifo: bool = False
    rate_per_second: int | None = None
    max_in_flight: int


class UpdateEndpointCall(EndpointCall, frozen=True, kw_only=True, forbid_unknown_fields=True):
    changes: EndpointChanges


class RotateSecretCall(EndpointCall, frozen=True, kw_only=True, forbid_unknown_fields=True):
    overlap_seconds: int


class EndpointWithSecret(Struct, frozen=True, kw_only=True):
    endpoint: Endpoint
    secret: str | None = None
    """`whsec_…`: handed out once. None to everybody who asks again."""

    def __repr__(self) -> str:
        return f"EndpointWithSecret(endpoint={self.endpoint.endpoint_id!r}, …)"


class ListDeliveries(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    tenant_id: str
    endpoint_id: str
    status: DeliveryStatus | None = None
    before_sequence: int | None = None
    limit: int


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request to the receiver. Without a `status` there was no answer, and `error` says why."""

    at: datetime
    milliseconds: int
    status: int | None = None
    error: str | None = None
    response: str = ""
    """The beginning of the answer's body: at most 1,024 bytes."""


class Delivery(Struct, frozen=True, kw_only=True):
    """One event for one endpoint. `id` is the `webhook-id` that the receiver sees, at every attempt and replay."""

    id: str
    endpoint_id: str
    sequence: int
    event_id: str
    event_type: str
    event_time: datetime
    status: DeliveryStatus
    attempts: int
    """Since it was recorded or last replayed."""
    next_attempt_at: datetime | None
    created_at: datetime
    data: Raw
    log: tuple[Attempt, ...]
    """The newest, oldest first."""


class DeliveryList(Struct, frozen=True, kw_only=True):
    """Newest first."""

    deliveries: tuple[Delivery, ...]


class DeliveryCall(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    tenant_id: str
    endpoint_id: str
    delivery_id: str


class ReplayRange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`after` goes on where an earlier call stopped."""

    tenant_id: str
    endpoint_id: str
    since: datetime
    until: datetime | None = None
    undelivered_only: bool
    after: int | None = None


class RangeReplayed(Struct, frozen=True, kw_only=True):
    queued: int
    after: int | None
    """None: the whole range has been gone through."""
