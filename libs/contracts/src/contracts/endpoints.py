"""Webhook endpoints: where a tenant wants its public events sent. Secrets are not among these messages: they never
leave the webhooks service's own store.
"""

from datetime import datetime
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from contracts.messages import Command, Event, message

EndpointStatus = Literal["enabled", "disabled", "deleted"]
DisableReason = Literal["user", "gone", "failing"]
"""By a user; because the receiver answered 410; because nothing was accepted for days."""


class SigningKey(Struct, frozen=True, kw_only=True):
    """One of the keys that an endpoint's deliveries are signed with. The secrets themselves are elsewhere, sealed."""

    key_id: str
    public_key: str
    """`whpk_…`: checks the `v1a` signatures."""
    created_at: datetime
    expires_at: datetime | None = None
    """None: the current one. Older ones still sign until then, so that receivers can change over."""


class Endpoint(Struct, frozen=True, kw_only=True):
    """The read model of an endpoint: a fold of its events."""

    endpoint_id: str
    tenant_id: str
    url: str
    description: str
    event_types: tuple[str, ...]
    """Empty: all."""
    fifo: bool
    """One at a time, in the order of `sequence`: the next waits until this one is accepted or given up."""
    rate_per_second: int | None
    max_in_flight: int
    keys: tuple[SigningKey, ...]
    status: EndpointStatus = "enabled"
    disabled_at: datetime | None = None
    disable_reason: DisableReason | None = None
    disable_detail: str | None = None
    enabled_at: datetime
    created_by: str
    created_at: datetime
    updated_at: datetime

    def wants(self, event_type: str) -> bool:
        return self.status == "enabled" and (not self.event_types or event_type in self.event_types)


class EndpointChanges(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is left out stays."""

    url: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    event_types: tuple[str, ...] | UnsetType = UNSET
    fifo: bool | UnsetType = UNSET
    rate_per_second: int | UnsetType | None = UNSET
    max_in_flight: int | UnsetType = UNSET


@message("endpoint.create.v1")
class CreateEndpoint(Command, frozen=True, kw_only=True):
    endpoint_id: str
    tenant_id: str
    actor: str
    issued_at: datetime
    url: str
    description: str = ""
    event_types: tuple[str, ...] = ()
    fifo: bool = False
    rate_per_second: int | None = None
    max_in_flight: int
    key_id: str
    public_key: str


@message("endpoint.update.v1")
class UpdateEndpoint(Command, frozen=True, kw_only=True):
    endpoint_id: str
    tenant_id: str
    actor: str
    issued_at: datetime
    changes: EndpointChanges


@message("endpoint.enable.v1")
class EnableEndpoint(Command, frozen=True, kw_only=True):
    endpoint_id: str
    tenant_id: str
    actor: str
    issued_at: datetime


@message("endpoint.disable.v1")
class DisableEndpoint(Command, frozen=True, kw_only=True):
    endpoint_id: str
    tenant_id: str
    actor: str | None
    """None: the receiver's answers, or their lack, led to it."""
    issued_at: datetime
    reason: DisableReason
    detail: str


@message("endpoint.delete.v1")
class DeleteEndpoint(Command, frozen=True, kw_only=True):
    endpoint_id: str
    tenant_id: str
    actor: str
    issued_at: datetime


@message("endpoint.rotate_secret.v1")
class RotateSecret(Command, frozen=True, kw_only=True):
    endpoint_id: str
    tenant_id: str
    actor: str
    issued_at: datetime
    key_id: str
    public_key: str
    overlap_seconds: int
    """For which the keys of now go on signing."""


@message("endpoint.created.v1")
class EndpointCreated(Event, frozen=True, kw_only=True):
    endpoint_id: str
    tenant_id: str
    actor: str
    at: datetime
    url: str
    description: str
    event_types: tuple[str, ...]
    fifo: bool
    rate_per_second: int | None
    max_in_flight: int
    key_id: str
    public_key: str


@message("endpoint.updated.v1")
class EndpointUpdated(Event, frozen=True, kw_only=True):
    actor: str
    at: datetime
    changes: EndpointChanges


@message("endpoint.enabled.v1")
class EndpointEnabled(Event, frozen=True, kw_only=True):
    actor: str
    at: datetime


@message("endpoint.disabled.v1")
class EndpointDisabled(Event, frozen=True, kw_only=True):
    """Nothing is sent there until somebody enables it. With `reason` `gone` or `failing` it was the receiver's doing:
    somebody should be told.
    """

    endpoint_id: str
    tenant_id: str
    actor: str | None
    at: datetime
    reason: DisableReason
    detail: str


@message("endpoint.deleted.v1")
class EndpointDeleted(Event, frozen=True, kw_only=True):
    actor: str
    at: datetime


@message("endpoint.secret_rotated.v1")
class SecretRotated(Event, frozen=True, kw_only=True):
    actor: str
    at: datetime
    key_id: str
    public_key: str
    older_expire_at: datetime


EndpointCommand = CreateEndpoint | UpdateEndpoint | EnableEndpoint | DisableEndpoint | DeleteEndpoint | RotateSecret
EndpointEvent = EndpointCreated | EndpointUpdated | EndpointEnabled | EndpointDisabled | EndpointDeleted | SecretRotated
