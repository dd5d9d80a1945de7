"""A connected account: someone's profile or page on a platform, which a tenant may publish to. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Never

from msgspec.structs import replace

from contracts.accounts import (
    Account,
    AccountConnected,
    AccountDisconnected,
    ConnectAccount,
    DisconnectAccount,
    ProfileUpdated,
    UpdateProfile,
)
from contracts.messages import Command, Event
from contracts.public_events import SocialAccountDisconnected
from contracts.topics import ACCOUNT_DISCONNECTED, ACCOUNTS_COMMANDS, ACCOUNTS_EVENTS
from contracts.verdicts import Refusal
from eventlog.aggregate import Decision, FollowUp, NotFound


def _not_found(account_id: str) -> NotFound:
    return NotFound(refusal=Refusal(code="account_not_found", message=f"There is no account {account_id}."))


def _connect(account: Account | None, command: ConnectAccount) -> Decision:
    """Connecting again is always a fact: there are new tokens, and perhaps a new name or new permissions."""
    if account is not None and account.tenant_id != command.tenant_id:
        return _not_found(command.account_id)
    if account is not None and not is_same_person(account, command.platform, command.platform_user_id):
        return Refusal(
            code="account_mismatch",
            message=f"{command.account_id} is another account: {account.platform} user {account.platform_user_id}.",
        )
    return AccountConnected(
        account_id=command.account_id,
        tenant_id=command.tenant_id,
        actor=command.actor,
        at=command.issued_at,
        platform=command.platform,
        platform_user_id=command.platform_user_id,
        username=command.username,
        display_name=command.display_name,
        account_type=command.account_type,
        profile_image=command.profile_image,
        followers=command.followers,
        permissions=command.permissions,
        is_default=command.is_default,
        token_expires_at=command.token_expires_at,
        login=command.login,
    )


def is_same_person(account: Account, platform: str, platform_user_id: str) -> bool:
    return (account.platform, account.platform_user_id) == (platform, platform_user_id)


def _disconnect(account: Account | None, command: DisconnectAccount) -> Decision:
    if account is None or account.tenant_id != command.tenant_id:
        return _not_found(command.account_id)
    by_platform = command.actor is None
    if by_platform and command.issued_at < account.connected_at:
        # It was the earlier tokens that the platform refused.
        return None
    if account.status == "disconnected":
        if by_platform:
            return None
        return Refusal(code="already_disconnected", message=f"{command.account_id} is disconnected already.")
    return AccountDisconnected(actor=command.actor, at=command.issued_at, reason=command.reason)


def _update_profile(account: Account | None, command: UpdateProfile) -> Decision:
    if account is None or account.tenant_id != command.tenant_id:
        return _not_found(command.account_id)
    if account.status == "disconnected":
        return Refusal(code="account_disconnected", message=f"{command.account_id} is disconnected.")
    return ProfileUpdated(
        actor=command.actor,
        at=command.issued_at,
        username=command.username,
        display_name=command.display_name,
        account_type=command.account_type,
        profile_image=command.profile_image,
        followers=command.followers,
    )


class AccountAggregate:
    """`eventlog.aggregate.Aggregate` of accounts."""

    name = "accounts"
    commands_topic = ACCOUNTS_COMMANDS
    events_topic = ACCOUNTS_EVENTS
    state_type = Account

    def decide(self, state: Account | None, command: Command) -> Decision:
        match command:
            case ConnectAccount():
                return _connect(state, command)
            case DisconnectAccount():
                return _disconnect(state, command)
            case UpdateProfile():
                return _update_profile(state, command)
            case _:
                return Refusal(code="unknown_command", message=f"Accounts do not understand {command.type_name}.")

    def evolve(self, state: Account | None, event: Event) -> Account:
        match event:
            case AccountConnected():
                return Account(
                    account_id=event.account_id,
                    tenant_id=event.tenant_id,
                    platform=event.platform,
                    platform_user_id=event.platform_user_id,
                    username=event.username,
                    display_name=event.display_name,
                    account_type=event.account_type,
                    profile_image=event.profile_image,
                    followers=event.followers,
                    permissions=event.permissions,
                    is_default=event.is_default,
                    connected_at=event.at,
                    token_expires_at=event.token_expires_at,
                    login=event.login,
                )
            case ProfileUpdated() if state is not None:
                return replace(
                    state,
                    username=event.username,
                    display_name=event.display_name,
                    account_type=event.account_type,
                    profile_image=event.profile_image,
                    followers=event.followers,
                    profile_updated_at=event.at,
                )
            case AccountDisconnected(at=at, reason=reason) if state is not None:
                return replace(
                    state, status="disconnected", disconnected_at=at, disconnect_reason=reason, token_expires_at=None
                )
            case _:
                raise ValueError(f"{event.type_name} does not fit an account that is {state and state.status}")

    def index(self, state: Account) -> Mapping[str, Any]:
        return {
            "tenant_id": state.tenant_id,
            "platform": state.platform,
            "platform_user_id": state.platform_user_id,
            "status": state.status,
        }

    def due_at(self, state: Account) -> datetime | None:  # noqa: ARG002  # time does nothing to an account
        return None

    def when_due(self, aggregate_id: str, now: datetime) -> Never:
        raise ValueError(f"account {aggregate_id} was not due at {now}: accounts never are")

    def follow_ups(
        self,
        before: Account | None,  # noqa: ARG002  # what is owed does not depend on it
        event: Event,
        event_id: str,
        after: Account,
    ) -> Sequence[FollowUp]:
        if not isinstance(event, AccountDisconnected):
            return []
        return [
            FollowUp(
                topic=ACCOUNT_DISCONNECTED,
                key=after.account_id,
                id=f"{event_id}:disconnected",
                tenant_id=after.tenant_id,
                message=SocialAccountDisconnected(
                    tenant_id=after.tenant_id,
                    account_id=after.account_id,
                    platform=after.platform,
                    username=after.username,
                    reason=event.reason,
                    disconnected_at=event.at,
                ),
            )
        ]
