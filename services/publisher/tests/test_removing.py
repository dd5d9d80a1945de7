"""Taking down what is live: every part, repeatable, with the platform's reason when it stays."""

from typing import Any

import pytest

from contracts.accounts import Account
from contracts.content import Content
from contracts.posts import Deferred, Published, Rejected, Removed, ReportRemoval
from contracts.publishing import RemovalRequested
from publisher.removing import Remover


async def published(world: Any, account: Account, *texts: str) -> RemovalRequested:
    outcome = (await world.run(world.request(account, *(Content(text=text) for text in texts)))).outcome
    assert isinstance(outcome, Published)
    return RemovalRequested(
        post_id="post_1",
        tenant_id=account.tenant_id,
        target_id=f"{account.platform}:{account.account_id}",
        attempt=1,
        platform=account.platform,
        account_id=account.account_id,
        live_parts=outcome.parts,
    )


async def removed(world: Any, request: RemovalRequested) -> Any:
    remover = Remover(
        accounts=world.accounts,
        tokens=world.tokens,
        connectors=world.connectors,
        sender=world.sender,
        now=world.clock.now,
    )
    await remover.remove(request, job_id="job_1")
    _, command = world.sender.sent[-1]
    assert isinstance(command, ReportRemoval)
    assert command.attempt == request.attempt
    return command.outcome


@pytest.mark.parametrize(("platform", "account_type"), [("twitter", "personal"), ("linkedin", "organization")])
async def test_it_is_gone_and_may_be_asked_for_again(world: Any, platform: str, account_type: str) -> None:
    kind = {"kind": "organization"} if platform == "linkedin" else {}
    account = await world.account(platform, account_type=account_type, **kind)
    request = await published(world, account, "To be regretted")
    assert await removed(world, request) == Removed()
    assert await world.live(account) == []
    assert await removed(world, request) == Removed()


async def test_a_thread_goes_whole(world: Any) -> None:
    account = await world.account("twitter")
    request = await published(world, account, "One", "Two", "Three")
    assert await removed(world, request) == Removed()
    assert await world.live(account) == []


async def test_the_platforms_refusal_is_told(world: Any) -> None:
    account = await world.account("twitter")
    request = await published(world, account, "To be regretted")
    await world.fault(account, "forbidden_403", "delete_post")
    outcome = await removed(world, request)
    assert isinstance(outcome, Rejected)
    assert outcome.failure.platform_error is not None
    assert len(await world.live(account)) == 1


@pytest.mark.parametrize("fault", ["server_error_503", "reset_before", "lost_timeout", "rate_limited"])
async def test_what_passes_is_waited_for(world: Any, fault: str) -> None:
    account = await world.account("twitter")
    request = await published(world, account, "To be regretted")
    await world.fault(account, fault, "delete_post")
    outcome = await removed(world, request)
    assert isinstance(outcome, Deferred)
    assert outcome.reason.retryable
    assert outcome.until > world.clock.now()


async def test_patience_ends(world: Any) -> None:
    account = await world.account("twitter")
    request = await published(world, account, "To be regretted")
    await world.fault(account, "reset_before", "delete_post", times=None)
    outcome: Any = Deferred
    attempt = 1
    while not isinstance(outcome, Rejected):
        outcome = await removed(world, RemovalRequested(**{**_fields(request), "attempt": attempt}))
        attempt += 1
    assert attempt > 3
    assert outcome.failure.code == "platform_unreachable"


def _fields(request: RemovalRequested) -> dict[str, Any]:
    return {name: getattr(request, name) for name in request.__struct_fields__}


async def test_without_a_connected_account_nothing_can_be_taken_down(world: Any) -> None:
    account = await world.account("twitter")
    request = await published(world, account, "To be regretted")
    world.accounts.known.clear()
    outcome = await removed(world, request)
    assert isinstance(outcome, Rejected)
    assert outcome.failure.code == "account_disconnected"
