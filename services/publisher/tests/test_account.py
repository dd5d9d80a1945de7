"""Connecting keeps the id and never crosses tenants; only the tokens in use can be found refused."""

from datetime import UTC, datetime, timedelta

from contracts.accounts import Account, AccountConnected, AccountDisconnected, ConnectAccount, DisconnectAccount
from contracts.topics import ACCOUNT_DISCONNECTED
from contracts.verdicts import Refusal
from eventlog.aggregate import NotFound
from publisher.domain.account import AccountAggregate

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
ACCOUNTS = AccountAggregate()


def connect(*, tenant_id: str = "t", user: str = "1", at: datetime = NOW) -> ConnectAccount:
    return ConnectAccount(
        account_id="acc_1",
        tenant_id=tenant_id,
        actor="amara",
        issued_at=at,
        platform="twitter",
        platform_user_id=user,
        username="amara",
        display_name="Amara",
        account_type="personal",
    )


def disconnect(*, actor: str | None = None, at: datetime = NOW + timedelta(hours=1)) -> DisconnectAccount:
    return DisconnectAccount(account_id="acc_1", tenant_id="t", actor=actor, issued_at=at, reason="revoked")


def connected(at: datetime = NOW) -> Account:
    event = ACCOUNTS.decide(None, connect(at=at))
    assert isinstance(event, AccountConnected)
    return ACCOUNTS.evolve(None, event)


def disconnected() -> Account:
    event = ACCOUNTS.decide(connected(), disconnect())
    assert isinstance(event, AccountDisconnected)
    return ACCOUNTS.evolve(connected(), event)


def test_connecting_again_makes_it_work_again() -> None:
    assert disconnected().status == "disconnected"
    event = ACCOUNTS.decide(disconnected(), connect())
    assert isinstance(event, AccountConnected)
    assert ACCOUNTS.evolve(disconnected(), event) == connected()


def test_another_person_or_tenant_cannot_take_its_place() -> None:
    mismatch = ACCOUNTS.decide(connected(), connect(user="2"))
    assert isinstance(mismatch, Refusal)
    assert mismatch.code == "account_mismatch"
    assert isinstance(ACCOUNTS.decide(connected(), connect(tenant_id="other")), NotFound)


def test_the_refusal_of_earlier_tokens_does_not_disconnect() -> None:
    assert ACCOUNTS.decide(connected(at=NOW + timedelta(hours=2)), disconnect()) is None


def test_disconnecting_twice_is_refused_to_people_and_nothing_new_from_the_platform() -> None:
    assert ACCOUNTS.decide(disconnected(), disconnect()) is None
    assert isinstance(ACCOUNTS.decide(disconnected(), disconnect(actor="amara")), Refusal)


def test_a_disconnection_is_made_public() -> None:
    event = ACCOUNTS.decide(connected(), disconnect())
    assert isinstance(event, AccountDisconnected)
    (follow_up,) = ACCOUNTS.follow_ups(connected(), event, "event-1", disconnected())
    assert follow_up.topic == ACCOUNT_DISCONNECTED
