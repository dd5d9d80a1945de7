"""Connected accounts. Tokens are not among these messages: they never leave the publisher's vault."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from contracts.content import Platform
from contracts.messages import Command, Event, message

AccountStatus = Literal["connected", "disconnected"]


class Account(Struct, frozen=True, kw_only=True):
    """The read model of an account: a fold of its events."""

    account_id: str
    tenant_id: str
    platform: Platform
    platform_user_id: str
    username: str
    display_name: str
    account_type: str
    profile_image: str | None = None
    followers: int | None = None
    permissions: tuple[str, ...] = ()
    is_default: bool = False
    status: AccountStatus = "connected"
    connected_at: datetime
    disconnected_at: datetime | None = None
    disconnect_reason: str | None = None
    token_expires_at: datetime | None = None
    login: str | None = None
    """Which of the platform's ways to log in it came by, where there are several."""
    profile_updated_at: datetime | None = None


@message("account.connect.v1")
class ConnectAccount(Command, frozen=True, kw_only=True):
    """Record that the vault now holds working tokens for this account; reconnecting keeps the id."""

    account_id: str
    tenant_id: str
    actor: str
    issued_at: datetime
    platform: Platform
    platform_user_id: str
    username: str
    display_name: str
    account_type: str
    profile_image: str | None = None
    followers: int | None = None
    permissions: tuple[str, ...] = ()
    is_default: bool = False
    token_expires_at: datetime | None = None
    login: str | None = None


@message("account.disconnect.v1")
class DisconnectAccount(Command, frozen=True, kw_only=True):
    account_id: str
    tenant_id: str
    actor: str | None
    """None when the platform refused the tokens for good."""
    issued_at: datetime
    reason: str


@message("account.update_profile.v1")
class UpdateProfile(Command, frozen=True, kw_only=True):
    """The platform shows the account like this now."""

    account_id: str
    tenant_id: str
    actor: str
    issued_at: datetime
    username: str
    display_name: str
    account_type: str
    profile_image: str | None = None
    followers: int | None = None


@message("account.connected.v1")
class AccountConnected(Event, frozen=True, kw_only=True):
    account_id: str
    tenant_id: str
    actor: str
    at: datetime
    platform: Platform
    platform_user_id: str
    username: str
    display_name: str
    account_type: str
    profile_image: str | None
    followers: int | None
    permissions: tuple[str, ...]
    is_default: bool
    token_expires_at: datetime | None
    login: str | None = None


@message("account.disconnected.v1")
class AccountDisconnected(Event, frozen=True, kw_only=True):
    actor: str | None
    at: datetime
    reason: str


@message("account.profile_updated.v1")
class ProfileUpdated(Event, frozen=True, kw_only=True):
    actor: str
    at: datetime
    username: str
    display_name: str
    account_type: str
    profile_image: str | None
    followers: int | None


AccountCommand = ConnectAccount | DisconnectAccount | UpdateProfile
AccountEvent = AccountConnected | AccountDisconnected | ProfileUpdated
