"""One renewal however many ask; its tokens durable before anybody has them; only a definite end is an end."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import AutoReconnect

from chassis import store
from chassis.faultpoints import InjectedFaultError
from chassis.sealing import Keyring
from contracts.accounts import Account, DisconnectAccount
from contracts.content import Platform
from contracts.messages import Command
from publisher.adapters.account_log import AccountLog
from publisher.adapters.http import new_client
from publisher.adapters.oauth import linkedin, x
from publisher.adapters.oauth.provider import App, Provider
from publisher.adapters.renewal import FreshTokens, Providers
from publisher.adapters.vault import TokenRecord, Vault
from publisher.domain.connection import Grant, Scopes
from publisher.keeping import Keeper
from publisher.ports import TokensDeadError, TokensUnavailableError

pytestmark = pytest.mark.stack

KEYRING = Keyring("k1", {"k1": os.urandom(32)})
APP = App(client_id="app", client_secret="secret")
PAST, SOON, LATER = timedelta(seconds=-60), timedelta(seconds=90), timedelta(hours=1)


class Sender:
    def __init__(self) -> None:
        self.sent: list[Command] = []

    async def send(self, topic: str, key: str, command: Command, *, command_id: str, tenant_id: str | None) -> None:
        self.sent.append(command)


class Situation:
    """A vault, the sandbox, and any number of processes that use both."""

    def __init__(self, url: str, database: AsyncDatabase[dict[str, Any]]) -> None:
        self.control = httpx.AsyncClient(base_url=f"{url}/_sandbox", trust_env=False)
        self.http = new_client("", timeout=1.0)
        self.database = database
        self.vault = Vault(database, KEYRING)
        self.url = url
        self.ahead = timedelta()
        x_scopes = Scopes(asked=tuple(x.SCOPES.split()), needed=x.NEEDED, permissions=x.PERMISSIONS)
        member_scopes = Scopes(
            asked=tuple(linkedin.MEMBER_SCOPES.split()),
            needed=linkedin.MEMBER_NEEDED,
            permissions=linkedin.PERMISSIONS,
        )
        each: list[Provider] = [
            x.XProvider(self.http, APP, x_scopes, authorize_url=f"{url}/x/i/oauth2/authorize", api_base=f"{url}/x"),
            linkedin.LinkedInProvider(
                self.http,
                APP,
                member_scopes,
                authorize_url=f"{url}/linkedin/oauth/v2/authorization",
                token_url=f"{url}/linkedin/oauth/v2/accessToken",
                api_base=f"{url}/linkedin",
                version="202609",
            ),
        ]
        self.providers: Providers = {(provider.platform, provider.login): provider for provider in each}

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def process(self) -> FreshTokens:
        return FreshTokens(Vault(self.database, KEYRING, now=self.now), self.providers, now=self.now)

    def keeper(self, sender: Sender) -> Keeper:
        return Keeper(
            vault=Vault(self.database, KEYRING, now=self.now),
            tokens=self.process(),
            providers=self.providers,
            accounts=AccountLog(self.database, sender),
            every=60,
            now=self.now,
        )

    async def account(
        self, platform: Platform = "twitter", *, expires: timedelta | None = PAST, refreshable: bool = True
    ) -> Account:
        body = {"platform": platform, "username": "amara", "display_name": "Amara"}
        made = (await self.control.post("/accounts", json=body)).raise_for_status().json()
        account = Account(
            account_id=f"acc-{made['platform_user_id']}",
            tenant_id="t",
            platform=platform,
            platform_user_id=made["platform_user_id"],
            username="amara",
            display_name="Amara",
            account_type="personal",
            connected_at=datetime.now(UTC),
        )
        two_hours_ago = Vault(self.database, KEYRING, now=lambda: datetime.now(UTC) - timedelta(hours=2))
        await two_hours_ago.store(
            tenant_id="t",
            account_id=account.account_id,
            platform=platform,
            grant=Grant(
                access_token=made["access_token"],
                refresh_token=made["refresh_token"] if refreshable else None,
                expires_at=None if expires is None else datetime.now(UTC) + expires,
            ),
        )
        return account

    async def record(self, account: Account) -> TokenRecord:
        record = await self.vault.read("t", account.account_id, account.platform)
        assert record is not None
        return record

    async def renewals(self, account: Account) -> int:
        answer = await self.control.get("/requests", params={"account": account.platform_user_id, "call": "token"})
        return len(answer.raise_for_status().json()["requests"])

    async def works(self, account: Account, token: str) -> bool:
        path = "/x/2/users/me" if account.platform == "twitter" else "/linkedin/v2/userinfo"
        headers = {"Authorization": f"Bearer {token}"}
        return (await self.http.get(self.url + path, headers=headers)).status_code == 200

    async def fault(self, account: Account, fault: str, **more: Any) -> None:
        body = {"platform": account.platform, "account": account.platform_user_id, "fault": fault, "call": "token"}
        (await self.control.post("/faults", json={**body, **more})).raise_for_status()

    async def switch(self, **changes: Any) -> None:
        (await self.control.post("/settings", json=changes)).raise_for_status()


@pytest.fixture
async def situation(sandbox_url: str, mongodb_uri: str) -> AsyncIterator[Situation]:
    client = store.connect(mongodb_uri)
    name = f"publisher_{os.urandom(4).hex()}"
    situation = Situation(sandbox_url, store.database(client, name))
    (await situation.control.post("/reset")).raise_for_status()
    yield situation
    await situation.switch(linkedin={"refresh_tokens": False})
    await situation.control.aclose()
    await situation.http.aclose()
    await client.drop_database(name)
    await client.close()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], Awaitable[None]]], None]:
    """Does something the first time a fault point is reached, as if the process met it there."""

    def at(name: str, do: Callable[[], Awaitable[None]]) -> None:
        armed = [do]

        async def reached(point: str) -> None:
            if point == name and armed:
                await armed.pop()()

        monkeypatch.setattr("publisher.adapters.renewal.reached", reached)

    return at


async def crash() -> None:
    raise InjectedFaultError("here the process ends")


def text(secret: Any) -> str:
    assert secret is not None
    return str(secret.reveal())


async def test_a_fresh_token_is_given_as_it_is(situation: Situation) -> None:
    account = await situation.account(expires=LATER)
    token = text(await situation.process().access_token(account))
    assert token == (await situation.record(account)).grant.access_token
    assert await situation.renewals(account) == 0


@pytest.mark.parametrize("processes", [1, 2, 5])
async def test_fifty_users_of_an_expired_token_make_one_renewal(situation: Situation, processes: int) -> None:
    account = await situation.account()
    running = [situation.process() for _ in range(processes)]

    tokens = await asyncio.gather(*(running[number % processes].access_token(account) for number in range(50)))

    assert await situation.renewals(account) == 1
    (token,) = {text(token) for token in tokens}
    assert await situation.works(account, token)
    assert (await situation.record(account)).grant.access_token == token


async def test_a_token_about_to_end_is_renewed_and_the_refresh_token_rotates(situation: Situation) -> None:
    account = await situation.account(expires=SOON)
    before = await situation.record(account)
    first = text(await situation.process().access_token(account))
    after = await situation.record(account)
    assert first == after.grant.access_token != before.grant.access_token
    assert after.grant.refresh_token not in (None, before.grant.refresh_token)

    situation.ahead = timedelta(hours=1, minutes=55)
    second = text(await situation.process().access_token(account))
    assert second != first
    assert await situation.renewals(account) == 2


async def test_while_another_process_renews_a_good_token_is_used(situation: Situation) -> None:
    account = await situation.account(expires=SOON)
    record = await situation.record(account)
    assert await situation.vault.begin_renewal(record, lease=timedelta(minutes=1))
    assert text(await situation.process().access_token(account)) == record.grant.access_token
    assert await situation.renewals(account) == 0


async def test_new_tokens_are_durable_before_anybody_has_them(situation: Situation, at: Any) -> None:
    account = await situation.account()
    seen: list[str] = []

    async def look() -> None:
        seen.append((await situation.record(account)).grant.access_token)

    at("publisher.renewal_answered", look)
    token = text(await situation.process().access_token(account))
    assert seen != [token]
    assert text(await situation.process().access_token(account)) == token


async def test_a_waiter_that_gives_up_does_not_lose_the_answer(situation: Situation, at: Any) -> None:
    account = await situation.account()
    answered, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        answered.set()
        await go_on.wait()

    at("publisher.renewal_answered", hold)
    tokens = situation.process()
    waiter = asyncio.create_task(tokens.access_token(account))
    await answered.wait()
    waiter.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    token = text(await situation.process().access_token(account))
    assert await situation.works(account, token)
    assert await situation.renewals(account) == 1


# --- crashes ------------------------------------------------------------------------------------------


async def test_killed_before_the_platform_was_asked(situation: Situation, at: Any) -> None:
    account = await situation.account()
    at("publisher.renewal_recorded", crash)
    with pytest.raises(InjectedFaultError):
        await situation.process().access_token(account)

    situation.ahead = timedelta(minutes=2)  # the lease is over
    token = text(await situation.process().access_token(account))
    assert await situation.works(account, token)


async def test_killed_between_answer_and_record_where_refresh_tokens_last(situation: Situation, at: Any) -> None:
    await situation.switch(linkedin={"refresh_tokens": True})
    account = await situation.account("linkedin")
    at("publisher.renewal_answered", crash)
    with pytest.raises(InjectedFaultError):
        await situation.process().access_token(account)

    situation.ahead = timedelta(minutes=2)
    token = text(await situation.process().access_token(account))
    assert await situation.works(account, token)
    assert (await situation.record(account)).dead is None


async def test_killed_between_answer_and_record_where_they_rotate(situation: Situation, at: Any) -> None:
    """X keeps its word that a refresh token works once; what can be done is to say what happened."""
    account = await situation.account()
    at("publisher.renewal_answered", crash)
    with pytest.raises(InjectedFaultError):
        await situation.process().access_token(account)

    situation.ahead = timedelta(minutes=2)
    with pytest.raises(TokensDeadError, match="did not arrive"):
        await situation.process().access_token(account)
    assert (await situation.record(account)).dead is not None


async def test_a_crash_while_the_old_token_is_good_leaves_it_in_use(situation: Situation, at: Any) -> None:
    account = await situation.account(expires=timedelta(minutes=8))
    at("publisher.renewal_answered", crash)
    with pytest.raises(InjectedFaultError):
        await situation.process().access_token(account)
    token = text(await situation.process().access_token(account))
    assert await situation.works(account, token)


async def test_the_store_failing_at_the_answer_is_waited_out(
    situation: Situation, at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await situation.account()
    finish = Vault.finish_renewal
    failures = [1, 1]

    async def finish_later(self: Vault, *arguments: Any, **more: Any) -> bool:
        if failures:
            failures.pop()
            raise AutoReconnect("away")
        return await finish(self, *arguments, **more)

    monkeypatch.setattr(Vault, "finish_renewal", finish_later)
    token = text(await situation.process().access_token(account))
    assert await situation.works(account, token)
    assert await situation.renewals(account) == 1


# --- failures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["server_error_503", "rate_limited", "reset_before", "garbage"])
async def test_a_passing_failure_ends_nothing(situation: Situation, fault: str) -> None:
    account = await situation.account()
    await situation.fault(account, fault)
    with pytest.raises(TokensUnavailableError):
        await situation.process().access_token(account)
    record = await situation.record(account)
    assert (record.dead, record.failures) == (None, 1)
    assert situation.process().health(record).warning is not None
    with pytest.raises(TokensUnavailableError):
        await situation.process().access_token(account)
    assert await situation.renewals(account) == 1, "a failure is not repeated at once"

    situation.ahead = timedelta(seconds=10)
    token = text(await situation.process().access_token(account))
    assert await situation.works(account, token)
    assert (await situation.record(account)).failures == 0


async def test_a_failure_while_the_token_is_good_is_not_noticed(situation: Situation) -> None:
    account = await situation.account(expires=SOON)
    await situation.fault(account, "server_error_503")
    token = text(await situation.process().access_token(account))
    assert await situation.works(account, token)


async def test_a_lost_answer_is_not_taken_for_a_revocation(situation: Situation) -> None:
    account = await situation.account()
    await situation.fault(account, "accept_then_reset")
    with pytest.raises(TokensUnavailableError):
        await situation.process().access_token(account)
    situation.ahead = timedelta(seconds=10)
    with pytest.raises(TokensDeadError, match="did not arrive"):
        await situation.process().access_token(account)


async def test_an_app_that_the_platform_does_not_know_is_no_revocation(situation: Situation) -> None:
    await situation.switch(twitter={"clients": [{"client_id": "another", "client_secret": "x"}]})
    account = await situation.account()
    with pytest.raises(TokensUnavailableError):
        await situation.process().access_token(account)
    assert (await situation.record(account)).dead is None


async def test_a_revocation_is_an_end_and_is_told_once(situation: Situation) -> None:
    account = await situation.account()
    (await situation.control.post(f"/accounts/{account.platform_user_id}/revoke")).raise_for_status()
    with pytest.raises(TokensDeadError, match="ended the authorization"):
        await situation.process().access_token(account)
    with pytest.raises(TokensDeadError):
        await situation.process().access_token(account)

    sender = Sender()
    await situation.keeper(sender).look()
    await situation.keeper(sender).look()
    (told,) = sender.sent
    assert isinstance(told, DisconnectAccount)
    assert (told.account_id, told.actor) == (account.account_id, None)


async def test_tokens_of_a_new_connection_are_not_ended_by_the_old_ones_end(situation: Situation, at: Any) -> None:
    account = await situation.account()
    (await situation.control.post(f"/accounts/{account.platform_user_id}/revoke")).raise_for_status()

    async def connect_anew() -> None:
        fresh = Grant(access_token="fresh", expires_at=datetime.now(UTC) + LATER)
        await situation.vault.store(tenant_id="t", account_id=account.account_id, platform="twitter", grant=fresh)

    at("publisher.renewal_recorded", connect_anew)
    assert text(await situation.process().access_token(account)) == "fresh"
    assert (await situation.record(account)).dead is None


# --- refused tokens -----------------------------------------------------------------------------------


async def test_a_refused_token_is_renewed_once_for_each_occasion(situation: Situation) -> None:
    account = await situation.account(expires=LATER)
    before = (await situation.record(account)).grant.access_token
    running = [situation.process(), situation.process()]
    tokens = await asyncio.gather(*(running[n % 2].access_token(account, refused="post/1") for n in range(20)))
    (token,) = {text(each) for each in tokens}
    assert token != before
    assert await situation.renewals(account) == 1
    await running[0].access_token(account, refused="post/2")
    assert await situation.renewals(account) == 2


async def test_a_refused_token_that_cannot_be_renewed_is_given_again(situation: Situation) -> None:
    account = await situation.account(expires=None, refreshable=False)
    assert await situation.process().access_token(account, refused="post/1") is not None
    assert await situation.renewals(account) == 0


# --- keeping ------------------------------------------------------------------------------------------


async def test_an_authorization_at_rest_is_renewed_before_it_ends_for_want_of_use(situation: Situation) -> None:
    account = await situation.account(expires=LATER)
    sender = Sender()
    await situation.keeper(sender).look()
    assert await situation.renewals(account) == 0
    situation.ahead = timedelta(days=31)
    await situation.keeper(sender).look()
    await situation.keeper(sender).look()
    assert await situation.renewals(account) == 1
    assert sender.sent == []


async def test_a_token_that_runs_out_for_good_disconnects(situation: Situation) -> None:
    account = await situation.account("linkedin", expires=timedelta(days=3), refreshable=False)
    record = await situation.record(account)
    health = situation.process().health(record)
    assert health.authorization_ends_at == health.token_expires_at == record.grant.expires_at
    assert health.warning is not None
    assert not health.renews_itself
    sender = Sender()
    await situation.keeper(sender).look()
    assert sender.sent == []
    situation.ahead = timedelta(days=4)
    await situation.keeper(sender).look()
    (told,) = sender.sent
    assert isinstance(told, DisconnectAccount)
    with pytest.raises(TokensDeadError):
        await situation.process().access_token(account)


async def test_no_tokens_for_nobody(situation: Situation) -> None:
    account = await situation.account()
    assert await situation.process().access_token(replace(account, account_id="acc-none")) is None
    assert await situation.process().access_token(replace(account, tenant_id="other")) is None
