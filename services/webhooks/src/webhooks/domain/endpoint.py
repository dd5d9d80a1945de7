"""An endpoint: where a tenant wants its public events sent. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Never

from msgspec import UNSET
from msgspec.structs import asdict, replace

from contracts.endpoints import (
    CreateEndpoint,
    DeleteEndpoint,
    DisableEndpoint,
    EnableEndpoint,
    Endpoint,
    EndpointCreated,
    EndpointDeleted,
    EndpointDisabled,
    EndpointEnabled,
    EndpointUpdated,
    RotateSecret,
    SecretRotated,
    SigningKey,
    UpdateEndpoint,
)
from contracts.messages import Command, Event
from contracts.topics import ENDPOINTS_COMMANDS, ENDPOINTS_EVENTS
from contracts.verdicts import Refusal
from eventlog.aggregate import Decision, FollowUp, NotFound

MOST_KEYS = 5
"""That sign at once: each makes the signature header longer."""


def live_keys(endpoint: Endpoint, now: datetime) -> tuple[SigningKey, ...]:
    """Those that sign at this instant, the current one first."""
    return tuple(key for key in endpoint.keys if key.expires_at is None or key.expires_at > now)


class EndpointAggregate:
    """`eventlog.aggregate.Aggregate` of endpoints."""

    name = "endpoints"
    commands_topic = ENDPOINTS_COMMANDS
    events_topic = ENDPOINTS_EVENTS
    state_type = Endpoint

    def decide(self, state: Endpoint | None, command: Command) -> Decision:
        match command:
            case CreateEndpoint():
                return _create(state, command)
            case UpdateEndpoint() | EnableEndpoint() | DisableEndpoint() | DeleteEndpoint() | RotateSecret():
                if state is None or state.tenant_id != command.tenant_id or state.status == "deleted":
                    return _not_found(command.endpoint_id)
                return _change(state, command)
            case _:
                return Refusal(code="unknown_command", message=f"Endpoints do not know {command.type_name}.")

    def evolve(self, state: Endpoint | None, event: Event) -> Endpoint:
        if isinstance(event, EndpointCreated):
            return _created(event)
        if state is None:
            raise ValueError(f"{event.type_name} before the endpoint was created")
        match event:
            case EndpointUpdated(changes=changes, at=at):
                changed = {name: value for name, value in asdict(changes).items() if value is not UNSET}
                return replace(state, updated_at=at, **changed)
            case EndpointEnabled(at=at):
                return replace(
                    state,
                    status="enabled",
                    enabled_at=at,
                    updated_at=at,
                    disabled_at=None,
                    disable_reason=None,
                    disable_detail=None,
                )
            case EndpointDisabled(at=at, reason=reason, detail=detail):
                return replace(
                    state,
                    status="disabled",
                    updated_at=at,
                    disabled_at=at,
                    disable_reason=reason,
                    disable_detail=detail,
                )
            case EndpointDeleted(at=at):
                return replace(state, status="deleted", updated_at=at, keys=())
            case SecretRotated():
                return _rotated(state, event)
            case _:
                raise ValueError(f"endpoints do not know {event.type_name}")

    def index(self, state: Endpoint) -> Mapping[str, Any]:
        return {"tenant_id": state.tenant_id, "status": state.status, "created_at": state.created_at}

    def due_at(self, state: Endpoint) -> None:  # noqa: ARG002
        return None

    def when_due(self, aggregate_id: str, now: datetime) -> Never:  # noqa: ARG002
        raise AssertionError("an endpoint is never due")

    def follow_ups(
        self,
        before: Endpoint | None,  # noqa: ARG002
        event: Event,  # noqa: ARG002
        event_id: str,  # noqa: ARG002
        after: Endpoint,  # noqa: ARG002
    ) -> Sequence[FollowUp]:
        return ()


def _not_found(endpoint_id: str) -> NotFound:
    return NotFound(refusal=Refusal(code="endpoint_not_found", message=f"There is no endpoint {endpoint_id}."))


def _create(state: Endpoint | None, command: CreateEndpoint) -> Decision:
    if state is not None and state.tenant_id != command.tenant_id:
        return _not_found(command.endpoint_id)
    if state is not None:
        return Refusal(code="endpoint_exists", message=f"{command.endpoint_id} exists already.")
    return EndpointCreated(
        endpoint_id=command.endpoint_id,
        tenant_id=command.tenant_id,
        actor=command.actor,
        at=command.issued_at,
        url=command.url,
        description=command.description,
        event_types=command.event_types,
        fifo=command.fifo,
        rate_per_second=command.rate_per_second,
        max_in_flight=command.max_in_flight,
        key_id=command.key_id,
        public_key=command.public_key,
    )


def _change(
    state: Endpoint, command: UpdateEndpoint | EnableEndpoint | DisableEndpoint | DeleteEndpoint | RotateSecret
) -> Decision:
    match command:
        case UpdateEndpoint():
            return EndpointUpdated(actor=command.actor, at=command.issued_at, changes=command.changes)
        case EnableEndpoint():
            # Also when it is enabled: that clears nothing, and does no harm to whoever asks twice.
            return EndpointEnabled(actor=command.actor, at=command.issued_at) if state.status != "enabled" else None
        case DisableEndpoint():
            return _disable(state, command)
        case DeleteEndpoint():
            return EndpointDeleted(actor=command.actor, at=command.issued_at)
        case RotateSecret():
            return _rotate(state, command)


def _disable(state: Endpoint, command: DisableEndpoint) -> Decision:
    # What the receiver did before somebody enabled the endpoint does not count against it any more.
    is_stale = command.actor is None and command.issued_at < state.enabled_at
    if state.status == "disabled" or is_stale:
        return None
    return EndpointDisabled(
        endpoint_id=state.endpoint_id,
        tenant_id=state.tenant_id,
        actor=command.actor,
        at=command.issued_at,
        reason=command.reason,
        detail=command.detail,
    )


def _rotate(state: Endpoint, command: RotateSecret) -> Decision:
    if len(live_keys(state, command.issued_at)) >= MOST_KEYS:
        return Refusal(
            code="too_many_secrets",
            message=f"{MOST_KEYS} secrets are still in use; wait until the overlap of one is over.",
        )
    return SecretRotated(
        actor=command.actor,
        at=command.issued_at,
        key_id=command.key_id,
        public_key=command.public_key,
        older_expire_at=command.issued_at + timedelta(seconds=command.overlap_seconds),
    )


def _created(event: EndpointCreated) -> Endpoint:
    return Endpoint(
        endpoint_id=event.endpoint_id,
        tenant_id=event.tenant_id,
        url=event.url,
        description=event.description,
        event_types=event.event_types,
        fifo=event.fifo,
        rate_per_second=event.rate_per_second,
        max_in_flight=event.max_in_flight,
        keys=(SigningKey(key_id=event.key_id, public_key=event.public_key, created_at=event.at),),
        enabled_at=event.at,
        created_by=event.actor,
        created_at=event.at,
        updated_at=event.at,
    )


def _rotated(state: Endpoint, event: SecretRotated) -> Endpoint:
    new = SigningKey(key_id=event.key_id, public_key=event.public_key, created_at=event.at)
    older = (
        replace(key, expires_at=min(key.expires_at or event.older_expire_at, event.older_expire_at))
        for key in live_keys(state, event.at)
    )
    return replace(state, updated_at=event.at, keys=(new, *older))
