"""The promise: at most one live post for each part of a target, and a report that tells the truth."""

from typing import Any

import pytest
from prometheus_client import REGISTRY

from contracts.accounts import Account, DisconnectAccount
from contracts.content import Content, LivePart
from contracts.posts import Deferred, Held, Published, Rejected, ReportOutcome, Unknown
from contracts.publishing import PublishRequested
from publisher import handlers
from publisher.domain.publication import publication_id
from publisher.domain.settling import confirmed
from publisher.ports import JournalConflictError

POINTS = (
    "claimed",
    "before_send_recorded",
    "send_recorded",
    "before_call",
    "after_call",
    "answer_recorded",
    "before_report",
    "after_report",
)
HELLO = Content(text="Hello from a test & its <friends>: https://example.com/a_b", hashtags=("testing",))


class CrashError(Exception):
    """The process ends here."""


async def resolved(world: Any, request: PublishRequested) -> ReportOutcome:
    """As the posts service does it: ask again, at the time named, until there is an outcome."""
    attempt = request.attempt
    for _ in range(20):
        report = await world.run(
            PublishRequested(
                **{name: getattr(request, name) for name in request.__struct_fields__ if name != "attempt"},
                attempt=attempt,
            )
        )
        match report.outcome:
            case Unknown(probe_at=at) | Deferred(until=at):
                await world.clock.reach(at)
                attempt += 1
            case _:
                return report
    raise AssertionError("never resolved")


async def test_a_text_goes_out_once_and_is_named(world: Any) -> None:
    account = await world.account("twitter")

    report = await world.run(world.request(account, HELLO))

    (post,) = await world.live(account)
    assert isinstance(report.outcome, Published)
    (part,) = report.outcome.parts
    assert part.platform_post_id == post["id"]
    assert part.url == f"https://x.com/{account.username}/status/{post['id']}"


async def test_a_job_delivered_again_calls_nobody_and_reports_the_same(world: Any) -> None:
    account = await world.account("twitter")
    request = world.request(account, HELLO)

    await world.run(request)
    await world.run(request)

    assert world.sender.sent[0] == world.sender.sent[1]
    assert await world.calls(account, "create_post") == 1


async def test_a_thread_replies_to_itself_and_resumes_where_it_stopped(world: Any) -> None:
    account = await world.account("twitter")
    await world.fault(account, "rate_limited", after=1)
    parts = [Content(text=f"Part {number}") for number in (1, 2, 3)]

    first = await world.run(world.request(account, *parts))
    assert isinstance(first.outcome, Deferred)
    assert [part.index for part in first.outcome.parts] == [0]
    await world.clock.sleep(3600)
    second = await world.run(world.request(account, *parts, attempt=2))

    assert isinstance(second.outcome, Published)
    assert [part.platform_post_id for part in second.outcome.parts] == [
        post["id"] for post in await world.live(account)
    ]
    assert len(second.outcome.parts) == 3


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize(
    ("platform", "kind"), [("twitter", None), ("linkedin", "organization"), ("linkedin", "member")]
)
async def test_a_process_may_end_anywhere(
    world: Any, point: str, platform: str, kind: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await _account(world, platform, kind)
    request = world.request(account, HELLO)

    async def crash(name: str) -> None:
        if name == f"publisher.{point}":
            raise CrashError

    with monkeypatch.context() as patch:
        patch.setattr(handlers, "reached", crash)
        with pytest.raises(CrashError):
            await world.run(request)
    report = await resolved(world, request)

    assert isinstance(report.outcome, Published)
    (post,) = await world.live(account)
    assert report.outcome.parts[0].platform_post_id == post["id"]


@pytest.mark.parametrize(
    "fault",
    ["accept_then_reset", "accept_then_500", "accept_then_garbage", "reset_before", "server_error_503", "garbage"],
)
@pytest.mark.parametrize(("platform", "kind"), [("twitter", None), ("linkedin", "organization")])
async def test_doubt_is_settled_by_looking(world: Any, platform: str, kind: str | None, fault: str) -> None:
    account = await _account(world, platform, kind)
    await world.fault(account, fault)

    report = await resolved(world, world.request(account, HELLO))

    (post,) = await world.live(account)
    if fault.startswith("accept"):
        assert await world.calls(account, "create_post") == 1
    assert isinstance(report.outcome, Published)
    assert report.outcome.parts[0].platform_post_id == post["id"]
    assert report.outcome.proof == ("readback" if fault.startswith("accept") else "response")


async def test_a_members_post_is_found_by_being_refused_as_a_duplicate(world: Any) -> None:
    account = await _account(world, "linkedin", "member")
    await world.fault(account, "accept_then_reset")

    report = await resolved(world, world.request(account, HELLO))

    (post,) = await world.live(account)
    assert isinstance(report.outcome, Published)
    assert report.outcome.proof == "duplicate_refusal"
    assert report.outcome.parts[0].platform_post_id == post["id"]


async def test_a_members_second_lost_answer_is_held(world: Any) -> None:
    account = await _account(world, "linkedin", "member")
    await world.fault(account, "reset_before", times=2)

    report = await resolved(world, world.request(account, HELLO))

    assert isinstance(report.outcome, Held)
    assert await world.live(account) == []


async def test_the_same_words_of_somebody_else_are_refused_with_the_rule(world: Any) -> None:
    account = await world.account("twitter")
    await world.run(world.request(account, HELLO))
    world.journal.entries.clear()

    report = await world.run(world.request(account, HELLO))

    assert isinstance(report.outcome, Rejected)
    assert report.outcome.failure.rule == "twitter.duplicate_content"


async def test_a_refused_token_is_tried_thrice_before_the_account_is_disconnected(world: Any) -> None:
    account = await world.account("twitter")
    await world.fault(account, "unauthorized_401", times=9)

    report = await resolved(world, world.request(account, HELLO))

    assert isinstance(report.outcome, Rejected)
    assert report.outcome.failure.code == "account_disconnected"
    assert await world.calls(account, "create_post") == 3
    assert next(c for _, c in world.sender.sent if isinstance(c, DisconnectAccount)).actor is None


async def test_credits_used_up_stop_the_whole_platform(world: Any) -> None:
    first, second = await world.account("twitter"), await world.account("twitter")
    await world.fault(first, "credits_depleted_402")
    publisher = world.process()

    await world.run(world.request(first, HELLO), publisher=publisher)
    report = await world.run(world.request(second, HELLO), publisher=publisher)

    assert isinstance(report.outcome, Deferred)
    assert report.outcome.reason.code == "operator_action_needed"
    assert await world.calls(second, "create_post") == 0


async def test_an_unknown_account_of_another_tenant_is_not_used(world: Any) -> None:
    account = await world.account("twitter")
    foreign = world.request(account, HELLO)
    foreign = PublishRequested(
        **{name: getattr(foreign, name) for name in foreign.__struct_fields__ if name != "tenant_id"}, tenant_id="other"
    )

    report = await world.run(foreign)

    assert isinstance(report.outcome, Rejected)
    assert report.outcome.failure.code == "account_disconnected"
    assert await world.live(account) == []


@pytest.mark.parametrize(
    ("platform", "kind"), [("twitter", None), ("linkedin", "organization"), ("linkedin", "member")]
)
async def test_an_image_is_uploaded_once_however_often_the_post_is_tried(
    world: Any, platform: str, kind: str | None
) -> None:
    account = await _account(world, platform, kind)
    await world.fault(account, "rate_limited")
    content = Content(text="Look", media=(world.image(),))

    report = await resolved(world, world.request(account, content))

    assert isinstance(report.outcome, Published), report
    assert len(await world.live(account)) == 1
    entry = world.journal.entries[publication_id("post_1", f"{platform}:{account.account_id}")]
    assert len(entry.uploads) == 1


async def _account(world: Any, platform: str, kind: str | None) -> Account:
    account_type = "company_page" if kind == "organization" else "personal"
    more = {} if kind is None else {"kind": kind}
    account: Account = await world.account(platform, account_type=account_type, **more)
    return account


async def test_a_second_live_post_is_told_of_and_counted(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer comes, and meanwhile another process has found the post under another id."""
    account = await world.account("twitter")
    request = world.request(account, HELLO)
    journal, name = world.journal, publication_id(request.post_id, request.target_id)

    async def meanwhile(point: str) -> None:
        if point == "publisher.after_call":
            entry = await journal.load(name)
            await journal.save(confirmed(entry, 0, LivePart(index=0, platform_post_id="42"), "readback", entry.sent_at))

    monkeypatch.setattr(handlers, "reached", meanwhile)
    before = REGISTRY.get_sample_value("publisher_duplicates_total", {"platform": "twitter"}) or 0.0

    with pytest.raises(JournalConflictError):
        await world.run(request)

    (post,) = await world.live(account)
    (report,) = world.sender.outcomes
    assert report.outcome.parts[0].platform_post_id == post["id"]
    assert REGISTRY.get_sample_value("publisher_duplicates_total", {"platform": "twitter"}) == before + 1
    assert (await journal.load(name)).parts[0].live.platform_post_id == "42"
    await world.run(request)
    assert world.sender.outcomes[-1].outcome.parts[0].platform_post_id == "42"
