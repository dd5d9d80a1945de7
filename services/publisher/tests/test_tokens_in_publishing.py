"""What publishing makes of tokens that are refused, cannot be renewed, or are over."""

from typing import Any

import pytest

from contracts.accounts import Account, DisconnectAccount
from contracts.content import Content
from contracts.posts import Deferred, Published, Rejected, Unknown
from publisher.ports import Secret, TokensDeadError, TokensUnavailableError


class Moody:
    """Tokens that fail as told, then work."""

    def __init__(self, tokens: Any, *failures: Exception) -> None:
        self._tokens = tokens
        self.failures = list(failures)
        self.refused: list[str | None] = []

    async def access_token(self, account: Account, *, refused: str | None = None) -> Secret | None:
        self.refused.append(refused)
        if self.failures:
            raise self.failures.pop(0)
        token: Secret | None = await self._tokens.access_token(account)
        return token

    def forget(self, account_id: str) -> None:
        pass


HELLO = Content(text="Hello")


@pytest.fixture
def disconnections(world: Any) -> Any:
    return lambda: [command for _, command in world.sender.sent if isinstance(command, DisconnectAccount)]


async def test_an_authorization_that_is_over_disconnects(world: Any, disconnections: Any) -> None:
    account = await world.account("twitter")
    world.tokens = Moody(world.tokens, TokensDeadError("X has ended the authorization."))
    outcome = (await world.run(world.request(account, HELLO))).outcome
    assert isinstance(outcome, Rejected)
    assert outcome.failure.code == "account_disconnected"
    assert outcome.failure.message == "X has ended the authorization."
    assert len(disconnections()) == 1
    assert await world.live(account) == []


async def test_a_renewal_that_fails_for_now_puts_it_off(world: Any, disconnections: Any) -> None:
    account = await world.account("twitter")
    world.tokens = Moody(world.tokens, TokensUnavailableError("status 503"))
    outcome = (await world.run(world.request(account, HELLO))).outcome
    assert isinstance(outcome, Deferred)
    assert outcome.reason.code == "platform_unreachable"
    again = (await world.run(world.request(account, HELLO, attempt=2))).outcome
    assert isinstance(again, Published)
    assert disconnections() == []


async def test_looking_up_waits_for_the_token_rather_than_for_a_person(world: Any) -> None:
    account = await world.account("twitter")
    await world.fault(account, "accept_then_reset")
    await world.fault(account, "lost_timeout", call="timeline", times=None)
    outcome = (await world.run(world.request(account, HELLO))).outcome
    assert isinstance(outcome, Unknown)
    await world.clock.reach(outcome.probe_at)
    (await world.control.delete("/faults")).raise_for_status()
    world.tokens = Moody(world.tokens, TokensUnavailableError("status 503"))
    still = (await world.run(world.request(account, HELLO, attempt=2))).outcome
    assert isinstance(still, Unknown)
    await world.clock.reach(still.probe_at)
    found = (await world.run(world.request(account, HELLO, attempt=3))).outcome
    assert isinstance(found, Published)
    assert len(await world.live(account)) == 1


async def test_a_refused_token_is_renewed_for_the_next_attempt(world: Any) -> None:
    account = await world.account("twitter")
    await world.fault(account, "unauthorized_401")
    world.tokens = tokens = Moody(world.tokens)
    first = (await world.run(world.request(account, HELLO))).outcome
    assert isinstance(first, Deferred)
    assert set(tokens.refused) == {None}
    tokens.refused.clear()
    await world.clock.reach(first.until)
    second = (await world.run(world.request(account, HELLO, attempt=2))).outcome
    assert isinstance(second, Published)
    (occasion,) = set(tokens.refused)
    assert occasion is not None
    assert occasion.endswith("/2")
