"""Connecting an account with tokens that are at hand: for development, and for moving accounts in."""

from datetime import UTC, datetime

from msgspec import Struct

from chassis import store
from chassis.sealing import Keyring
from contracts.accounts import ConnectAccount
from contracts.content import Platform
from contracts.ids import derived_id, new_id
from eventlog.sending import CommandSender
from publisher.adapters.account_log import PATIENCE, AccountLog
from publisher.adapters.vault import Vault
from publisher.domain.connection import ConnectError, Grant
from publisher.settings import Settings


class Connection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `python -m publisher connect` reads."""

    tenant_id: str
    platform: Platform
    login: str | None = None
    account_id: str | None = None
    platform_user_id: str
    username: str
    display_name: str
    account_type: str
    access_token: str
    refresh_token: str | None = None
    token_expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()
    """As the platform names them."""
    followers: int | None = None
    permissions: tuple[str, ...] = ()
    profile_image: str | None = None
    is_default: bool = False

    def __repr__(self) -> str:
        return f"Connection(tenant_id={self.tenant_id!r}, platform={self.platform!r}, username={self.username!r}, …)"


class NotConnectedError(Exception):
    """The account did not come to be connected, for the reason in the message."""


async def connect(settings: Settings, wanted: Connection) -> str:
    """Returns the account's id once everybody can see it connected. Raises NotConnectedError and SealingError."""
    account_id = wanted.account_id or derived_id("acc", wanted.tenant_id, wanted.platform, wanted.platform_user_id)
    keyring = Keyring.from_file(settings.vault_keys_file)
    client = store.connect(settings.mongodb_uri)
    sender = await CommandSender.connect(settings, source="publisher/connect")
    try:
        database = store.database(client, settings.mongodb_database)
        accounts = AccountLog(database, sender)
        if not await accounts.is_free_for(account_id, wanted.tenant_id, wanted.platform, wanted.platform_user_id):
            raise NotConnectedError(f"{account_id} is another account")
        await Vault(database, keyring).store(
            tenant_id=wanted.tenant_id,
            account_id=account_id,
            platform=wanted.platform,
            login=wanted.login,
            grant=Grant(
                access_token=wanted.access_token,
                expires_at=wanted.token_expires_at,
                refresh_token=wanted.refresh_token,
                scopes=wanted.scopes,
            ),
        )
        await accounts.ask(_command(wanted, account_id), command_id=new_id("cmd"))
    except ConnectError as refusal:
        raise NotConnectedError(str(refusal)) from refusal
    except TimeoutError as error:
        raise NotConnectedError(f"{account_id} was not connected within {PATIENCE:g} s") from error
    finally:
        await sender.close()
        await client.close()
    return account_id


def _command(wanted: Connection, account_id: str) -> ConnectAccount:
    return ConnectAccount(
        account_id=account_id,
        tenant_id=wanted.tenant_id,
        actor="operator",
        issued_at=datetime.now(UTC),
        platform=wanted.platform,
        platform_user_id=wanted.platform_user_id,
        username=wanted.username,
        display_name=wanted.display_name,
        account_type=wanted.account_type,
        profile_image=wanted.profile_image,
        followers=wanted.followers,
        permissions=wanted.permissions,
        is_default=wanted.is_default,
        token_expires_at=wanted.token_expires_at,
        login=wanted.login,
    )
