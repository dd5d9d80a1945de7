"""What may happen to an endpoint."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from contracts.endpoints import (
    CreateEndpoint,
    DeleteEndpoint,
    DisableEndpoint,
    EnableEndpoint,
    EndpointChanges,
    EndpointCreated,
    EndpointDeleted,
    EndpointDisabled,
    EndpointEnabled,
    EndpointUpdated,
    RotateSecret,
    SecretRotated,
    UpdateEndpoint,
)
from contracts.messages import Command
from eventlog.spec import Spec
from webhooks.domain.endpoint import MOST_KEYS, EndpointAggregate, live_keys

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=6)
WHO: dict[str, Any] = {"endpoint_id": "ep_1", "tenant_id": "tenant_a"}
DONE: dict[str, Any] = {"actor": "user", "at": NOW}
ASKED: dict[str, Any] = {**WHO, "actor": "user", "issued_at": NOW}

CREATE = CreateEndpoint(
    **ASKED, url="https://example.com/", max_in_flight=8, key_id="key_1", public_key="whpk_1", event_types=("a",)
)
CREATED = EndpointCreated(
    **WHO,
    **DONE,
    url="https://example.com/",
    description="",
    event_types=("a",),
    fifo=False,
    rate_per_second=None,
    max_in_flight=8,
    key_id="key_1",
    public_key="whpk_1",
)
GONE = DisableEndpoint(**{**ASKED, "actor": None, "issued_at": LATER}, reason="gone", detail="410")
DISABLED = EndpointDisabled(**WHO, actor=None, at=LATER, reason="gone", detail="410")
ROTATE = RotateSecret(**ASKED, key_id="key_2", public_key="whpk_2", overlap_seconds=60)
CHANGES: tuple[Command, ...] = (
    UpdateEndpoint(**ASKED, changes=EndpointChanges(fifo=True)),
    EnableEndpoint(**ASKED),
    GONE,
    DeleteEndpoint(**ASKED),
    ROTATE,
)

nobody = Spec(EndpointAggregate())
one = nobody.given(CREATED)


def test_it_is_created() -> None:
    state = nobody.when(CREATE).then(CREATED)
    assert state.status == "enabled"
    assert [key.public_key for key in state.keys] == ["whpk_1"]


def test_it_is_created_once() -> None:
    one.when(CREATE).then_refused("endpoint_exists")
    one.when(replace(CREATE, tenant_id="tenant_b")).then_not_found()


@pytest.mark.parametrize("command", CHANGES)
def test_nobody_else_can_change_it(command: Command) -> None:
    one.when(replace(command, tenant_id="tenant_b")).then_not_found()
    nobody.when(command).then_not_found()
    one.given(EndpointDeleted(**DONE)).when(command).then_not_found()


def test_only_what_is_named_changes() -> None:
    changes = EndpointChanges(description="new", event_types=())
    state = one.when(UpdateEndpoint(**ASKED, changes=changes)).then(EndpointUpdated(**DONE, changes=changes))
    assert (state.description, state.event_types, state.url) == ("new", (), "https://example.com/")
    assert state.wants("anything")
    assert one.state.wants("a")
    assert not one.state.wants("b")


def test_it_is_disabled_and_enabled_again() -> None:
    state = one.when(GONE).then(DISABLED)
    assert (state.status, state.disable_reason, state.disable_detail) == ("disabled", "gone", "410")
    assert not state.wants("a")
    enabled = EndpointEnabled(actor="user", at=LATER + timedelta(hours=1))
    again = one.given(DISABLED).when(EnableEndpoint(**{**ASKED, "issued_at": enabled.at})).then(enabled)
    assert (again.status, again.disable_reason, again.disabled_at) == ("enabled", None, None)


def test_twice_is_nothing_new() -> None:
    one.when(EnableEndpoint(**ASKED)).then_nothing()
    one.given(DISABLED).when(GONE).then_nothing()


def test_what_the_receiver_did_before_somebody_enabled_it_is_forgiven() -> None:
    enabled = EndpointEnabled(actor="user", at=LATER + timedelta(hours=1))
    one.given(DISABLED, enabled).when(GONE).then_nothing()
    one.given(DISABLED, enabled).when(replace(GONE, actor="user", reason="user")).then_event(EndpointDisabled)


def test_older_secrets_sign_until_their_overlap_is_over() -> None:
    until = NOW + timedelta(seconds=60)
    state = one.when(ROTATE).then(SecretRotated(**DONE, key_id="key_2", public_key="whpk_2", older_expire_at=until))
    assert [key.key_id for key in live_keys(state, NOW)] == ["key_2", "key_1"]
    assert [key.key_id for key in live_keys(state, until)] == ["key_2"]


def test_an_overlap_is_never_made_longer() -> None:
    soon = SecretRotated(**DONE, key_id="key_2", public_key="whpk_2", older_expire_at=NOW + timedelta(seconds=5))
    late = SecretRotated(**DONE, key_id="key_3", public_key="whpk_3", older_expire_at=NOW + timedelta(days=5))
    state = one.given(soon, late).state
    assert {key.key_id: key.expires_at for key in state.keys} == {
        "key_3": None,
        "key_2": late.older_expire_at,
        "key_1": soon.older_expire_at,
    }


def test_not_too_many_sign_at_once() -> None:
    spec = one
    for number in range(MOST_KEYS - 1):
        spec = spec.given(
            SecretRotated(**DONE, key_id=f"key_{number}", public_key="whpk", older_expire_at=NOW + timedelta(days=1))
        )
    spec.when(ROTATE).then_refused("too_many_secrets")
    spec.when(replace(ROTATE, issued_at=NOW + timedelta(days=1))).then_event(SecretRotated)


def test_what_is_not_known_is_refused() -> None:
    class Odd(Command, frozen=True, kw_only=True):
        type_name = "odd"

    one.when(Odd()).then_refused("unknown_command")
