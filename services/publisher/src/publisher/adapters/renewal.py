"""Tokens that are fresh when they are asked for.

A token is renewed shortly before it runs out, or when the platform has refused it; once, however many ask for it in
however many processes: callers in one process share a lock, processes a lease on the token's record.

Some platforms (X, TikTok) give a new refresh token with each renewal and end the old one. So the renewal is recorded
before it is asked for, and nobody gets to see its tokens before they are durable. When a process dies in between, the
next one asks again with the old refresh token. Where refresh tokens last (LinkedIn, Google), or the token is its own
(Instagram), that simply works. X refuses it, as the platform's answer was the only copy of the new one: that account is
told to be lost for this reason, and not for its owner's having revoked it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from itertools import product
from typing import Literal

import structlog
from msgspec.structs import replace
from prometheus_client import Counter
from pymongo.errors import PyMongoError

from chassis.faultpoints import reached
from contracts.accounts import Account
from contracts.connections import AccountHealth
from contracts.content import PLATFORMS, Platform
from publisher.adapters.http import utc_now
from publisher.adapters.oauth.provider import Provider
from publisher.adapters.vault import TokenRecord, Vault
from publisher.domain.connection import Grant, GrantDeadError, GrantRefusedError, PlatformFailedError
from publisher.ports import Secret, TokensDeadError, TokensUnavailableError

log = structlog.get_logger()

RENEWALS = Counter("publisher_token_renewals", "Renewals of access tokens, by outcome", ("platform", "outcome"))
for _platform, _outcome in product(PLATFORMS, ("renewed", "failed", "ended")):
    # From zero on, so that an increase is seen also when the first ones come together.
    RENEWALS.labels(_platform, _outcome)

CACHE_SECONDS = 5.0
LEASE = timedelta(seconds=60)
"""For how long a process that renews a token is given: longer than a call and the patience to record its answer."""
STORE_PATIENCE = 30.0
"""Seconds in which an answer is tried to be recorded: on some platforms it is the only copy."""
WAIT_PATIENCE = 20.0
"""Seconds for which the renewal by another process is waited for."""
POLL = 0.1
PAUSES = (5, 15, 60, 300, 900)
"""Seconds until a renewal that failed is tried again."""
STILL_GOOD = timedelta(seconds=30)
"""A token that lasts this long is used while another one is being fetched."""
WARN_AHEAD = timedelta(days=7)

CameTo = Literal["renewed", "failed", "nothing"]
"""`nothing`: somebody else is at it, or has been."""

Providers = Mapping[tuple[Platform, str | None], Provider]
"""By platform and way to log in; None is the platform's first way."""


class FreshTokens:
    """`publisher.ports.Tokens` on top of the vault; bound to the running event loop."""

    def __init__(
        self,
        vault: Vault,
        providers: Providers,
        *,
        now: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._vault = vault
        self._providers = providers
        self._now = now
        self._sleep = sleep
        self._cache: dict[str, tuple[float, TokenRecord | None]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._attempts: set[asyncio.Task[CameTo]] = set()

    async def access_token(self, account: Account, *, refused: str | None = None) -> Secret | None:
        """Raises TokensDeadError, TokensUnavailableError, and SealingError when the record does not decrypt."""
        record = await self._recent(account)
        if record is None:
            return None
        if self._is_fresh(record, refused):
            return Secret(record.grant.access_token)
        lock = self._locks.setdefault(account.account_id, asyncio.Lock())
        if lock.locked() and refused is None and self._lasts(record):
            return Secret(record.grant.access_token)
        async with lock:
            return await self._renewed(account, refused)

    def forget(self, account_id: str) -> None:
        self._cache.pop(account_id, None)

    async def keep(self, record: TokenRecord) -> None:
        """Renews for the token's own sake, so that it does not end for want of use. Never raises for the platform."""
        if self._rests(record):
            return
        lock = self._locks.setdefault(record.account_id, asyncio.Lock())
        async with lock:
            await self._unbroken(record, record.renewed_for)

    def health(self, record: TokenRecord) -> AccountHealth:
        provider = self._provider(record)
        renews = provider is not None and provider.can_renew(record.grant, timedelta.max)
        ends_at = record.grant.refresh_expires_at if renews else record.grant.expires_at
        warning = None
        if record.dead is not None:
            warning = record.dead
        elif ends_at is not None and ends_at - self._now() < WARN_AHEAD:
            warning = f"The authorization ends on {ends_at:%Y-%m-%d at %H:%M} UTC. Connect the account again."
        elif record.failures:
            warning = f"The token could not be renewed ({record.failure}). It is tried again."
        return AccountHealth(
            token_expires_at=record.grant.expires_at,
            renews_itself=renews,
            authorization_ends_at=ends_at,
            last_refreshed_at=record.renewed_at,
            warning=warning,
        )

    # --- judging --------------------------------------------------------------------------------------

    async def _recent(self, account: Account) -> TokenRecord | None:
        cached = self._cache.get(account.account_id)
        if cached is not None and cached[0] > time.monotonic():
            return cached[1]
        return await self._read(account)

    async def _read(self, account: Account) -> TokenRecord | None:
        record = await self._vault.read(account.tenant_id, account.account_id, account.platform)
        self._cache[account.account_id] = (time.monotonic() + CACHE_SECONDS, record)
        return record

    def _provider(self, record: TokenRecord) -> Provider | None:
        return self._providers.get((record.platform, record.login))

    def _is_fresh(self, record: TokenRecord, refused: str | None) -> bool:
        """Also when nothing can be done about it: then the platform has the last word."""
        if record.dead is not None:
            return False
        provider = self._provider(record)
        if provider is None or not provider.can_renew(record.grant, self._now() - record.renewed_at):
            return True
        if refused is not None and record.renewed_for != refused:
            return False
        ends_at = record.grant.expires_at
        if ends_at is None:
            return True
        # Of a token that lives shortly anyway, not more than the second half is forgone.
        ahead = min(provider.renew_ahead, (ends_at - record.renewed_at) / 2)
        return ends_at - self._now() > ahead

    def _lasts(self, record: TokenRecord) -> bool:
        ends_at = record.grant.expires_at
        return ends_at is None or ends_at - self._now() > STILL_GOOD

    def _rests(self, record: TokenRecord) -> bool:
        return record.retry_at is not None and record.retry_at > self._now()

    # --- renewing -------------------------------------------------------------------------------------

    async def _renewed(self, account: Account, refused: str | None) -> Secret | None:
        give_up_at = time.monotonic() + WAIT_PATIENCE
        while True:
            record = await self._read(account)
            if record is None:
                return None
            if record.dead is not None:
                raise TokensDeadError(record.dead)
            if self._is_fresh(record, refused):
                return Secret(record.grant.access_token)
            if not self._rests(record):
                came_to = await self._unbroken(record, refused or record.renewed_for)
                if came_to == "renewed":
                    renewed = await self._read(account)
                    return None if renewed is None else Secret(renewed.grant.access_token)
                if came_to == "failed":
                    continue
            is_hopeless = self._rests(record) or time.monotonic() > give_up_at
            if self._lasts(record) and (refused is None or is_hopeless):
                # Refused or about to end, and nothing better is to be had now: the platform may still take it.
                return Secret(record.grant.access_token)
            if is_hopeless:
                raise TokensUnavailableError(record.failure or "another process is renewing the token")
            await self._sleep(POLL)

    async def _unbroken(self, record: TokenRecord, occasion: str | None) -> CameTo:
        """An attempt that goes on when whoever waits for it is cancelled: its answer must not get lost."""
        attempt = asyncio.create_task(self._attempt(record, occasion))
        self._attempts.add(attempt)
        attempt.add_done_callback(self._attempts.discard)
        return await asyncio.shield(attempt)

    async def _attempt(self, record: TokenRecord, occasion: str | None) -> CameTo:
        provider = self._provider(record)
        if provider is None or not await self._vault.begin_renewal(record, lease=LEASE):
            return "nothing"
        await reached("publisher.renewal_recorded")
        platform = record.platform
        try:
            grant = await provider.renew(record.grant)
        except GrantDeadError as error:
            await self._end(record, provider, str(error))
            return "failed"
        except (GrantRefusedError, PlatformFailedError) as error:
            # Also a refusal that does not end the grant: an app whose secret is wrong is the operator's to mend.
            RENEWALS.labels(platform, "failed").inc()
            log.warning("a token could not be renewed", account_id=record.account_id, reason=str(error))
            pause = timedelta(seconds=PAUSES[min(record.failures, len(PAUSES) - 1)])
            answered = not (isinstance(error, PlatformFailedError) and error.reached)
            await self._vault.postpone_renewal(record, str(error), pause=pause, answered=answered)
            self.forget(record.account_id)
            return "failed"
        await reached("publisher.renewal_answered")
        await self._keep_answer(record, _merged(record.grant, grant), occasion)
        RENEWALS.labels(platform, "renewed").inc()
        return "renewed"

    async def _end(self, record: TokenRecord, provider: Provider, reason: str) -> None:
        if record.unanswered_since is not None and provider.rotates:
            words = (
                f"{provider.name} gave new tokens at {record.unanswered_since:%Y-%m-%d %H:%M} UTC, but they did not "
                "arrive here. Connect the account again."
            )
        else:
            words = f"{provider.name} has ended the authorization ({reason}). Connect the account again."
        if await self._vault.end(record, words):
            RENEWALS.labels(record.platform, "ended").inc()
            log.warning("an authorization has ended", account_id=record.account_id, reason=reason)
        self.forget(record.account_id)

    async def _keep_answer(self, record: TokenRecord, grant: Grant, occasion: str | None) -> None:
        """Durable when it returns, unless others have put newer tokens there."""
        give_up_at = time.monotonic() + STORE_PATIENCE
        while True:
            try:
                await self._vault.finish_renewal(record, grant, occasion=occasion)
            except PyMongoError:
                if time.monotonic() > give_up_at:
                    raise
                log.warning("new tokens could not be stored", account_id=record.account_id, exc_info=True)
                await self._sleep(POLL * 5)
            else:
                self.forget(record.account_id)
                return


def _merged(old: Grant, new: Grant) -> Grant:
    """A renewal may leave out what stays as it was."""
    return replace(
        new,
        refresh_token=new.refresh_token or old.refresh_token,
        refresh_expires_at=new.refresh_expires_at or old.refresh_expires_at,
        user_token=new.user_token or old.user_token,
        scopes=new.scopes or old.scopes,
        grantor=old.grantor,
    )
