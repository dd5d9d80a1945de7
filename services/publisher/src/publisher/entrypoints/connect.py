"""Connecting an account with tokens that are at hand: for development, and for moving accounts in."""

import asyncio
from datetime import UTC, datetime

from msgspec import Struct

from chassis import store
from contracts.accounts import Account, ConnectAccount
from contracts.content import Platform
from contracts.ids import derived_id, new_id
from contracts.topics import ACCOUNTS_COMMANDS
from eventlog.documents import read_state
from eventlog.sending import CommandSender
from publisher.adapters.vault import Keyring, Vault
from publisher.settings import Settings

PATIENCE = 30.0
POLL = 0.05


class Connection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `python -m publisher connect` reads."""

    tenant_id: str
    platform: Platform
    account_id: str | None = None
    platform_user_id: str
    username: str
    display_name: str
    account_type: str
    access_token: str
    refresh_token: str | None = None
    token_expires_at: datetime | None = None
    followers: int | None = None
    permissions: tuple[str, ...] = ()
    profile_image: str | None = None
    is_default: bool = False

    def __repr__(self) -> str:
        return f"Connection(tenant_id={self.tenant_id!r}, platform={self.platform!r}, username={self.username!r}, …)"


class NotConnectedError(Exception):
    """The account did not come to be connected, for the reason in the message."""


async def connect(settings: Settings, wanted: Connection) -> str:
    """Returns the account's id once everybody can see it connected. Raises NotConnectedError and VaultError."""
    account_id = wanted.account_id or derived_id("acc", wanted.tenant_id, wanted.platform, wanted.platform_user_id)
    now = datetime.now(UTC).replace(microsecond=0)
    keyring = Keyring.from_file(settings.vault_keys_file)
    client = store.connect(settings.mongodb_uri)
    sender = await CommandSender.connect(settings.kafka_bootstrap, source="publisher/connect")
    try:
        database = store.database(client, settings.mongodb_database)
        documents = database["accounts"]
        known = await documents.find_one({"_id": account_id})
        if known is not None:
            account = read_state(known, Account)
            if (account.tenant_id, account.platform, account.platform_user_id) != (
                wanted.tenant_id,
                wanted.platform,
                wanted.platform_user_id,
            ):
                # Nothing of the other account may be touched: neither its tokens nor its name.
                raise NotConnectedError(f"{account_id} is another account")
        await Vault(database, keyring).store(
            tenant_id=wanted.tenant_id,
            account_id=account_id,
            platform=wanted.platform,
            access_token=wanted.access_token,
            refresh_token=wanted.refresh_token,
            expires_at=wanted.token_expires_at,
        )
        command_id = new_id("cmd")
        await sender.send(
            ACCOUNTS_COMMANDS,
            account_id,
            ConnectAccount(
                account_id=account_id,
                tenant_id=wanted.tenant_id,
                actor="operator",
                issued_at=now,
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
            ),
            command_id=command_id,
            tenant_id=wanted.tenant_id,
        )
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    found = await documents.find_one({"_id": account_id, "tenant_id": wanted.tenant_id})
                    for memo in found["memo"] if found is not None else ():
                        if memo["command_id"] != command_id:
                            continue
                        if memo["refusal"] is not None:
                            raise NotConnectedError(memo["refusal"]["message"])
                        return account_id
                    await asyncio.sleep(POLL)
        except TimeoutError as error:
            raise NotConnectedError(f"{account_id} was not connected within {PATIENCE:g} s") from error
    finally:
        await sender.close()
        await client.close()
