"""Connecting an account, from sending a person to the platform until everybody can see the account; and its end.

Only here are codes turned into tokens. Tokens go into the vault and to their platform; what goes into the log is the
account's face.
"""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import structlog
from msgspec.structs import replace

from chassis.sealing import SealingError
from contracts.accounts import Account, ConnectAccount, DisconnectAccount, UpdateProfile
from contracts.connections import (
    ATTEMPT_SECONDS,
    SELECTION_SECONDS,
    AccountCall,
    AccountConnection,
    AccountDisconnection,
    AccountHealth,
    BeginConnection,
    CompleteConnection,
    ConnectionBegun,
    ConnectionCompleted,
    ConnectionSelection,
    SelectConnection,
)
from contracts.content import Platform
from contracts.ids import new_id
from publisher.adapters.account_log import AccountLog
from publisher.adapters.attempts import Attempt, Attempts, Selection
from publisher.adapters.http import utc_now
from publisher.adapters.oauth.provider import Provider
from publisher.adapters.renewal import FreshTokens, Providers
from publisher.adapters.vault import TokenRecord, Vault
from publisher.domain.connection import (
    Connectable,
    ConnectError,
    Grant,
    GrantRefusedError,
    PlatformFailedError,
    Profile,
)
from publisher.ports import TokensDeadError, TokensUnavailableError

log = structlog.get_logger()

_STATE_BYTES = 32


class Connecting:
    """Methods raise ConnectError, or the errors of Kafka and the store, which say nothing about the account."""

    def __init__(
        self,
        *,
        providers: Providers,
        attempts: Attempts,
        vault: Vault,
        tokens: FreshTokens,
        accounts: AccountLog,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._providers = providers
        self._attempts = attempts
        self._vault = vault
        self._tokens = tokens
        self._accounts = accounts
        self._now = now

    async def begin(self, wanted: BeginConnection) -> ConnectionBegun:
        provider = self._wanted(wanted.platform, wanted.login)
        state = secrets.token_urlsafe(_STATE_BYTES)
        verifier = provider.new_verifier()
        await self._attempts.add(
            state,
            Attempt(
                tenant_id=wanted.tenant_id,
                user=wanted.user,
                platform=wanted.platform,
                login=provider.login,
                redirect_uri=wanted.redirect_uri,
                hosted=wanted.hosted,
                return_to=wanted.return_to,
                verifier=verifier,
            ),
        )
        url = provider.authorization_url(redirect_uri=wanted.redirect_uri, state=state, verifier=verifier)
        return ConnectionBegun(authorization_url=url, state=state, expires_in=ATTEMPT_SECONDS)

    async def complete(self, back: CompleteConnection) -> ConnectionCompleted:
        """The connection; or a selection when the login may act for several accounts, and always on the hosted page:
        there a person must see whom they are about to let publish as them, as nobody knows who opened that page.
        """
        attempt = await self._attempts.take(back.state, of=_began(back))
        if attempt is None:
            raise _no_attempt()
        provider = self._wanted(attempt.platform, attempt.login)
        if not back.code:
            raise ConnectError("authorization_denied", f"The connection to {provider.name} was not allowed.")
        grant = await self._exchanged(provider, attempt, back.code)
        try:
            found = tuple(await provider.connectables(grant))
        except GrantRefusedError as error:
            raise ConnectError(
                "authorization_failed", f"{provider.name} does not show the account ({error})."
            ) from error
        except PlatformFailedError as error:
            raise _unreachable(provider, error) from error
        if not found:
            raise ConnectError("nothing_to_connect", f"This login has nothing on {provider.name} to publish to.")
        missing = provider.scopes.missing(grant.scopes)
        if len(found) == 1 and not attempt.hosted:
            connection = await self._connect(attempt, provider, found[0], missing)
            return ConnectionCompleted(connection=connection)
        token = secrets.token_urlsafe(_STATE_BYTES)
        await self._attempts.add_selection(
            token,
            Selection(
                tenant_id=attempt.tenant_id,
                user=attempt.user,
                platform=attempt.platform,
                login=attempt.login,
                hosted=attempt.hosted,
                return_to=attempt.return_to,
                missing=missing,
                found=found,
            ),
        )
        return ConnectionCompleted(
            selection=ConnectionSelection(
                selection_token=token,
                expires_in=SELECTION_SECONDS,
                tenant_id=attempt.tenant_id,
                platform=attempt.platform,
                started_by=attempt.user,
                choices=tuple(each.profile.choice() for each in found),
                missing_permissions=missing,
            )
        )

    async def select(self, wanted: SelectConnection) -> AccountConnection:
        """A choice that is none leaves the selection as it is."""
        whose = _came_back(wanted)
        selection = await self._attempts.look_at_selection(wanted.selection_token, of=whose)
        if selection is None:
            raise _no_selection()
        found = next((each for each in selection.found if each.profile.platform_user_id == wanted.choice_id), None)
        if found is None:
            raise ConnectError("invalid_choice", "This is none of the accounts to choose from.")
        if not await self._attempts.take_selection(wanted.selection_token, of=whose):
            raise _no_selection()
        provider = self._wanted(selection.platform, selection.login)
        return await self._connect(selection, provider, found, selection.missing)

    async def disconnect(self, call: AccountCall) -> AccountDisconnection:
        """Here first: a platform that does not answer keeps nobody connected. Then there, as far as that can be done
        without ending what others have connected.
        """
        account = await self._account(call)
        record = await self._record(account)
        provider = None if record is None else self._providers.get((record.platform, record.login))
        try:
            account = await self._accounts.ask(
                DisconnectAccount(
                    account_id=account.account_id,
                    tenant_id=account.tenant_id,
                    actor=call.actor,
                    issued_at=self._now(),
                    reason="Disconnected by a user.",
                ),
                command_id=call.command_id,
            )
        except ConnectError as refusal:
            if refusal.code == "already_disconnected":
                await self._clear(account, record, provider)
            raise
        revoked = await self._clear(account, record, provider)
        notice = None if revoked or provider is None else provider.revoke_notice or None
        return AccountDisconnection(account=account, revoked=revoked, notice=notice)

    async def refresh(self, call: AccountCall) -> Account:
        """The account with its profile as the platform shows it now."""
        account = await self._account(call)
        if account.status != "connected":
            raise ConnectError("account_disconnected", f"{account.account_id} is disconnected.")
        profile = await self._profile(account, refused=None)
        if profile is None:
            profile = await self._profile(account, refused=call.command_id)
        if profile is None:
            raise ConnectError("account_disconnected", "The platform does not accept the account's token.")
        if profile.platform_user_id != account.platform_user_id:
            raise ConnectError("account_mismatch", "The platform answers with another account.")
        return await self._accounts.ask(
            UpdateProfile(
                account_id=account.account_id,
                tenant_id=account.tenant_id,
                actor=call.actor,
                issued_at=self._now(),
                username=profile.username,
                display_name=profile.display_name,
                account_type=profile.account_type,
                profile_image=profile.profile_image,
                followers=profile.followers,
            ),
            command_id=call.command_id,
        )

    async def health(self, call: AccountCall) -> AccountHealth:
        account = await self._account(call)
        record = await self._record(account)
        if record is None:
            return AccountHealth(warning="There is no token for this account. Connect it again.")
        return self._tokens.health(record)

    # --- steps ----------------------------------------------------------------------------------------

    def _wanted(self, platform: Platform, login: str | None) -> Provider:
        """The way to log in that was asked for, or the first of the platform."""
        provider = self._providers.get((platform, login))
        if provider is None and login is None:
            provider = next((each for (of, _), each in self._providers.items() if of == platform), None)
        if provider is None:
            way = platform if login is None else f"{platform} ({login})"
            raise ConnectError("platform_not_configured", f"Connecting {way} is not configured here.")
        return provider

    async def _exchanged(self, provider: Provider, attempt: Attempt, code: str) -> Grant:
        try:
            grant = await provider.exchange(code=code, redirect_uri=attempt.redirect_uri, verifier=attempt.verifier)
        except GrantRefusedError as error:
            raise ConnectError(
                "authorization_failed", f"{provider.name} does not accept the code ({error})."
            ) from error
        except PlatformFailedError as error:
            raise _unreachable(provider, error) from error
        lacking = provider.scopes.lacking(grant.scopes)
        if lacking:
            raise ConnectError(
                "permissions_missing", f"To publish on {provider.name} these must be granted: {', '.join(lacking)}."
            )
        return grant

    async def _connect(
        self, whose: Attempt | Selection, provider: Provider, found: Connectable, missing: tuple[str, ...]
    ) -> AccountConnection:
        profile, grant = found.profile, found.grant
        account_id = await self._accounts.id_for(whose.tenant_id, whose.platform, profile.platform_user_id)
        known = await self._accounts.get(whose.tenant_id, account_id)
        # In this order: whoever sees the account connected finds its tokens.
        await self._vault.store(
            tenant_id=whose.tenant_id,
            account_id=account_id,
            platform=whose.platform,
            grant=grant,
            login=provider.login,
        )
        self._tokens.forget(account_id)
        account = await self._accounts.ask(
            ConnectAccount(
                account_id=account_id,
                tenant_id=whose.tenant_id,
                actor=whose.user,
                issued_at=self._now(),
                platform=whose.platform,
                platform_user_id=profile.platform_user_id,
                username=profile.username,
                display_name=profile.display_name,
                account_type=profile.account_type,
                profile_image=profile.profile_image,
                followers=profile.followers,
                permissions=provider.scopes.permitted(grant.scopes),
                is_default=known is not None and known.is_default,
                token_expires_at=grant.refresh_expires_at if grant.refresh_token else grant.expires_at,
                login=provider.login,
            ),
            command_id=new_id("cmd"),
        )
        log.info("account connected", tenant_id=account.tenant_id, account_id=account_id, platform=account.platform)
        return AccountConnection(account=account, missing_permissions=missing, return_to=whose.return_to)

    async def _account(self, call: AccountCall) -> Account:
        account = await self._accounts.get(call.tenant_id, call.account_id)
        if account is None:
            raise ConnectError("account_not_found", f"There is no account {call.account_id}.")
        return account

    async def _record(self, account: Account) -> TokenRecord | None:
        """None also when it does not decrypt: then it is of no use to anybody."""
        try:
            return await self._vault.read(account.tenant_id, account.account_id, account.platform)
        except SealingError:
            log.error("a token record does not decrypt", account_id=account.account_id)
            return None

    async def _profile(self, account: Account, *, refused: str | None) -> Profile | None:
        """None when the platform does not accept the token."""
        try:
            token = await self._tokens.access_token(account, refused=refused)
        except TokensDeadError as error:
            raise ConnectError("account_disconnected", str(error)) from error
        except TokensUnavailableError as error:
            raise ConnectError("platform_unreachable", "The account's token cannot be renewed just now.") from error
        record = await self._record(account)
        if token is None or record is None:
            raise ConnectError("account_disconnected", "There is no token for the account.")
        provider = self._wanted(record.platform, record.login)
        try:
            return await provider.profile(replace(record.grant, access_token=token.reveal()), account.platform_user_id)
        except GrantRefusedError:
            return None
        except PlatformFailedError as error:
            raise _unreachable(provider, error) from error

    async def _clear(self, account: Account, record: TokenRecord | None, provider: Provider | None) -> bool:
        """Ends the authorization at the platform if that hurts nobody else, and forgets the tokens."""
        revoked = False
        if record is not None and provider is not None and record.dead is None:
            is_ours_alone = provider.revokes == "token" or not await self._vault.others_of(record)
            if provider.revokes != "never" and is_ours_alone:
                try:
                    revoked = await provider.revoke(record.grant)
                except (GrantRefusedError, PlatformFailedError) as error:
                    log.warning("tokens were not revoked", account_id=account.account_id, reason=str(error))
        await self._vault.delete(account.tenant_id, account.account_id)
        self._tokens.forget(account.account_id)
        return revoked


def _began(back: CompleteConnection) -> Mapping[str, Any]:
    """What the attempt must be to be completed by this call: begun by the same user, or for this page of ours. It has
    a path for each platform, so that nothing of one can be brought to another. Raises ConnectError.
    """
    match back:
        case CompleteConnection(tenant_id=str() as tenant_id, user=str() as user, platform=None):
            return {"hosted": False, "tenant_id": tenant_id, "user": user}
        case CompleteConnection(tenant_id=None, user=None, platform=str() as platform):
            return {"hosted": True, "platform": platform}
        case _:
            raise _no_attempt()


def _came_back(wanted: SelectConnection) -> Mapping[str, Any]:
    """The same of a selection. Raises ConnectError."""
    match wanted:
        case SelectConnection(tenant_id=str() as tenant_id, user=str() as user):
            return {"hosted": False, "tenant_id": tenant_id, "user": user}
        case SelectConnection(tenant_id=None, user=None):
            return {"hosted": True}
        case _:
            raise _no_selection()


def _no_attempt() -> ConnectError:
    return ConnectError("invalid_state", "This authorization is not known here, was used already, or is over.")


def _no_selection() -> ConnectError:
    return ConnectError("invalid_selection", "There is nothing to select any more. Begin anew.")


def _unreachable(provider: Provider, error: PlatformFailedError) -> ConnectError:
    return ConnectError("platform_unreachable", f"{provider.name} does not answer ({error}).")
