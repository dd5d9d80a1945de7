"""Commands to accounts, and the wait until everybody can see what they did."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from pymongo.asynchronous.database import AsyncDatabase

from chassis.store import Document
from contracts.accounts import Account, AccountCommand
from contracts.content import Platform
from contracts.ids import derived_id
from contracts.messages import Command
from contracts.topics import ACCOUNTS_COMMANDS
from eventlog.documents import read_state
from publisher.domain.connection import ConnectError

PATIENCE = 30.0
POLL = 0.05


class Sender(Protocol):
    """What is used of `eventlog.sending.CommandSender`."""

    async def send(self, topic: str, key: str, command: Command, *, command_id: str, tenant_id: str | None) -> None: ...


class AccountLog:
    def __init__(
        self,
        database: AsyncDatabase[Document],
        sender: Sender,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._accounts = database["accounts"]
        self._sender = sender
        self._sleep = sleep

    async def get(self, tenant_id: str, account_id: str) -> Account | None:
        found = await self._accounts.find_one({"_id": account_id, "tenant_id": tenant_id})
        return None if found is None else read_state(found, Account)

    async def id_for(self, tenant_id: str, platform: Platform, platform_user_id: str) -> str:
        """Of the account that this person has, or will have, here: connecting again keeps it."""
        query = {"tenant_id": tenant_id, "platform": platform, "platform_user_id": platform_user_id}
        known = [read_state(found, Account) async for found in self._accounts.find(query)]
        if known:
            return max(known, key=lambda account: (account.status == "connected", account.connected_at)).account_id
        return derived_id("acc", tenant_id, platform, platform_user_id)

    async def is_free_for(self, account_id: str, tenant_id: str, platform: Platform, platform_user_id: str) -> bool:
        """Whether no other account has this id: nothing of one may be touched, neither its tokens nor its name."""
        found = await self._accounts.find_one({"_id": account_id})
        if found is None:
            return True
        account = read_state(found, Account)
        return (account.tenant_id, account.platform, account.platform_user_id) == (
            tenant_id,
            platform,
            platform_user_id,
        )

    async def tell(self, command: AccountCommand, *, command_id: str) -> None:
        """Returns once the command is durable. Raises NotAppendedError and AppendUnknownError."""
        await self._sender.send(
            ACCOUNTS_COMMANDS, command.account_id, command, command_id=command_id, tenant_id=command.tenant_id
        )

    async def ask(self, command: AccountCommand, *, command_id: str) -> Account:
        """The account once everybody can see what the command did.

        Raises ConnectError with the refusal, NotAppendedError and AppendUnknownError, and TimeoutError.
        """
        await self.tell(command, command_id=command_id)
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await self._accounts.find_one({"_id": command.account_id, "tenant_id": command.tenant_id})
                for memo in found["memo"] if found is not None else ():
                    if found is None or memo["command_id"] != command_id:
                        continue
                    if memo["refusal"] is not None:
                        raise ConnectError(memo["refusal"]["code"], memo["refusal"]["message"])
                    return read_state(found, Account)
                await self._sleep(POLL)
