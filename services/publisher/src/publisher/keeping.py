"""Authorizations that nobody uses just now: kept from ending, and told of when they have ended."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from prometheus_client import Gauge
from pymongo.errors import PyMongoError

from contracts.accounts import DisconnectAccount
from contracts.content import PLATFORMS
from contracts.ids import derived_id
from eventlog.sending import AppendUnknownError, NotAppendedError
from publisher.adapters.account_log import AccountLog
from publisher.adapters.http import utc_now
from publisher.adapters.renewal import WARN_AHEAD, FreshTokens, Providers
from publisher.adapters.vault import TokenRecord, Vault

log = structlog.get_logger()

ENDING = Gauge("publisher_authorizations_ending", "Accounts to be connected anew within seven days", ("platform",))
FAILING = Gauge("publisher_token_renewals_failing", "Accounts whose last renewal failed", ("platform",))

GRACE = timedelta(minutes=5)
"""For clocks that differ from the platform's."""


class Keeper:
    """Looks after all authorizations. Several at once do no harm."""

    def __init__(
        self,
        *,
        vault: Vault,
        tokens: FreshTokens,
        providers: Providers,
        accounts: AccountLog,
        every: float,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._vault = vault
        self._tokens = tokens
        self._providers = providers
        self._accounts = accounts
        self._every = every
        self._now = now

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.look()
            except (PyMongoError, NotAppendedError, AppendUnknownError) as error:
                log.warning("authorizations could not be looked after", reason=type(error).__name__)
            try:
                async with asyncio.timeout(self._every):
                    await stop.wait()
            except TimeoutError:
                pass

    async def look(self) -> None:
        """Once over everything."""
        now = self._now()
        for (platform, login), provider in self._providers.items():
            soon = now + provider.keep_ahead if provider.keep_ahead else None
            resting = self._vault.resting(
                platform, login, expires_before=soon, renewed_before=now - provider.keep_every
            )
            async for record in resting:
                if provider.can_renew(record.grant, now - record.renewed_at):
                    await self._tokens.keep(record)
        async for record in self._vault.run_out(before=now - GRACE):
            await self._vault.end(record, "The authorization has run out. Connect the account again.")
        async for record in self._vault.ended_untold():
            await self._tell(record)
        for platform in PLATFORMS:
            ENDING.labels(platform).set(await self._vault.ending(platform, before=now + WARN_AHEAD))
            FAILING.labels(platform).set(await self._vault.failing(platform))

    async def _tell(self, record: TokenRecord) -> None:
        """As of when it ended: an account that has been connected anew since then stays connected."""
        await self._accounts.tell(
            DisconnectAccount(
                account_id=record.account_id,
                tenant_id=record.tenant_id,
                actor=None,
                issued_at=record.ended_at or self._now(),
                reason=record.dead or "The authorization has ended.",
            ),
            command_id=derived_id("cmd", record.account_id, record.generation, "ended"),
        )
        await self._vault.told(record)
