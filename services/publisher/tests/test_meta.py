"""Facebook and Instagram against the sandbox: every kind of post, whatever goes wrong on the way."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from contracts.accounts import Account
from contracts.content import Content, Link, LivePart, Media, Options
from contracts.posts import Deferred, Published, Rejected, ReportOutcome, Unknown
from contracts.publishing import PublishRequested
from publisher import handlers
from publisher.adapters import graph
from publisher.domain.answers import Refused, SetbackError
from publisher.domain.publication import Publication, publication_id
from publisher.ports import Author

IMAGE = "image.jpg?w=600&h=600"
VIDEO = "video.mp4?w=544&h=960&seconds=3"
POINTS = ("claimed", "send_recorded", "before_call", "after_call", "answer_recorded", "before_report")


class Kind(Struct, frozen=True):
    """A kind of post. `login` is of the Instagram account."""

    platform: str
    files: tuple[str, ...] = ()
    text: str = "A day at @the.sea & back #waves"
    options: Options = {}
    link: str | None = None
    login: str | None = None
    url: str = "https://"


KINDS = {
    "text": Kind("facebook"),
    "link": Kind("facebook", link="https://example.com/a_b?c=d"),
    "photo": Kind("facebook", files=(IMAGE,)),
    "photos": Kind("facebook", files=(IMAGE, IMAGE + "&shade=1", IMAGE + "&shade=2")),
    "video": Kind("facebook", files=(VIDEO,)),
    "reel": Kind("facebook", files=(VIDEO,), options={"post_type": "reel"}),
    "photo story": Kind("facebook", files=(IMAGE,), text="", options={"post_type": "story"}),
    "video story": Kind("facebook", files=(VIDEO,), text="", options={"post_type": "story"}),
    "ig image": Kind("instagram", files=(IMAGE,)),
    "ig image by Facebook": Kind("instagram", files=(IMAGE,), login="facebook"),
    "ig carousel": Kind("instagram", files=(IMAGE, VIDEO, IMAGE + "&shade=1")),
    "ig reel": Kind("instagram", files=(VIDEO,), options={"share_to_feed": True}),
    "ig reel by Facebook": Kind("instagram", files=(VIDEO,), login="facebook"),
    "ig story": Kind("instagram", files=(IMAGE,), text="", options={"post_type": "story"}),
}


class CrashError(BaseException):
    """The process ends here, whatever it would do about errors."""


async def opened(world: Any, kind: Kind) -> Account:
    if kind.login is None:
        account: Account = await world.account(kind.platform)
        return account
    page = await world.account("facebook")
    linked: Account = await world.account("instagram", administrator=page.platform_user_id)
    linked = replace(linked, login=kind.login)
    world.accounts.known[linked.account_id] = linked
    return linked


def content_of(world: Any, kind: Kind) -> Content:
    media = tuple(
        Media(
            type="video" if name.startswith("video") else "image",
            url=f"{world.url}/_sandbox/media/{name}",
            alt_text=None if name.startswith("video") else "The sea",
        )
        for name in kind.files
    )
    return Content(text=kind.text, media=media, link=None if kind.link is None else Link(url=kind.link))


def asked(world: Any, account: Account, kind: Kind) -> PublishRequested:
    request: PublishRequested = world.request(account, content_of(world, kind), options=kind.options)
    return request


async def resolved(world: Any, request: PublishRequested, limit: int = 40) -> ReportOutcome:
    """As the posts service does it: ask again, at the time named, until there is an outcome."""
    for attempt in range(request.attempt, request.attempt + limit):
        report: ReportOutcome = await world.run(replace(request, attempt=attempt))
        match report.outcome:
            case Unknown(probe_at=at) | Deferred(until=at):
                await world.clock.reach(at)
            case _:
                return report
    raise AssertionError(f"never resolved: {report}")


async def published_once(world: Any, account: Account, report: ReportOutcome) -> dict[str, Any]:
    assert isinstance(report.outcome, Published), report
    (post,) = await world.live(account)
    assert report.outcome.parts[0].platform_post_id == post["id"]
    return dict(post)


@pytest.fixture
async def judged(world: Any) -> Any:
    """A sandbox that lets every repetition through: whoever repeats himself is seen."""
    await settings(world, facebook={"refuse_duplicates": False}, instagram={"republish": "again"})
    return world


async def settings(world: Any, **switches: Any) -> None:
    (await world.control.post("/settings", json=switches)).raise_for_status()


@pytest.mark.parametrize("name", KINDS)
async def test_it_goes_out_once_with_its_files_in_order(judged: Any, name: str) -> None:
    kind = KINDS[name]
    account = await opened(judged, kind)

    report = await resolved(judged, asked(judged, account, kind))

    post = await published_once(judged, account, report)
    assert post["text"] == kind.text
    assert post["options"].get("link") == kind.link
    samples = [(await judged.control.get(f"/media/{file}")).content for file in kind.files]
    assert [media["sha256"] for media in post["media"]] == [hashlib.sha256(each).hexdigest() for each in samples]
    alt_texts = [media.get("alt_text") for media in post["media"]]
    if kind.options.get("post_type") != "story":
        assert alt_texts == [None if file.startswith("video") else "The sea" for file in kind.files]
    part = report.outcome.parts[0]
    if name != "photo story":
        assert part.url is not None
        assert part.url.startswith("https://")


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("name", KINDS)
async def test_a_process_may_end_anywhere(judged: Any, name: str, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    account = await opened(judged, KINDS[name])
    request = asked(judged, account, KINDS[name])
    crashed = False

    async def crash(reached: str) -> None:
        nonlocal crashed
        if reached == f"publisher.{point}" and not crashed:
            crashed = True
            raise CrashError

    monkeypatch.setattr(handlers, "reached", crash)
    report = await surviving(judged, request)

    assert crashed
    await published_once(judged, account, report)


async def surviving(world: Any, request: PublishRequested) -> ReportOutcome:
    """Resolved by processes of which any may crash; the next one takes the job up again."""
    for _ in range(10):
        try:
            return await resolved(world, request)
        except CrashError:
            finished = world.sender.outcomes
            request = replace(request, attempt=finished[-1].attempt if finished else request.attempt)
    raise AssertionError("crashed for ever")


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("name", KINDS)
async def test_a_process_may_end_at_every_write_of_its_journal(judged: Any, name: str, written: bool) -> None:
    """`written`: right after the write, else right before it."""
    kind = KINDS[name]
    save: Callable[[Publication], Awaitable[Publication]] = judged.journal.save
    for position in range(1, 60):
        account = await opened(judged, kind)
        judged.sender.sent.clear()
        count = 0

        async def crashing(entry: Publication, position: int = position) -> Publication:
            nonlocal count
            count += 1
            if count == position and not written:
                raise CrashError
            saved = await save(entry)
            if count == position:
                raise CrashError
            return saved

        judged.journal.save = crashing
        report = await surviving(judged, asked(judged, account, kind))
        await published_once(judged, account, report)
        if count < position:
            break
    else:
        raise AssertionError("it never ran through without a crash")
    judged.journal.save = save
    assert position > 2


SEND_FAULTS = (
    {"fault": "accept_then_reset"},
    {"fault": "accept_then_500"},
    {"fault": "accept_then_garbage"},
    {"fault": "accept_then_error", "params": {"status": 500, "body": {"error": {"code": 2, "message": "later"}}}},
    {"fault": "accept_then_error", "params": {"body": {"error": {"code": 4, "error_subcode": 2207051}}}},
    {"fault": "accept_then_error", "params": {"body": {"error": {"code": 1, "message": "unknown"}}}},
    {"fault": "reset_before"},
    {"fault": "server_error_503"},
    {"fault": "garbage"},
    {"fault": "rate_limited"},
    {"fault": "rate_limited_without_headers"},
    {"fault": "readback_lag"},
)


@pytest.mark.parametrize("fault", SEND_FAULTS, ids=lambda fault: str(fault["fault"]))
@pytest.mark.parametrize("name", KINDS)
async def test_doubt_about_the_last_call_is_settled_by_looking(judged: Any, name: str, fault: dict[str, Any]) -> None:
    account = await opened(judged, KINDS[name])
    await judged.fault(account, **fault)

    report = await resolved(judged, asked(judged, account, KINDS[name]))

    await published_once(judged, account, report)
    if fault["fault"].startswith("accept"):
        assert await judged.calls(account, "create_post") == 1


@pytest.mark.parametrize(
    "fault",
    [
        "reset_before",
        "accept_then_reset",
        "server_error_500",
        "accept_then_500",
        "garbage",
        "accept_then_garbage",
        "rate_limited",
    ],
)
@pytest.mark.parametrize("call", ["upload_init", "upload_append", "upload_status", "quota", "get_post"])
async def test_every_other_call_may_fail(judged: Any, call: str, fault: str) -> None:
    for name in ("photos", "video", "reel", "ig carousel", "ig reel"):
        account = await opened(judged, KINDS[name])
        if KINDS[name].platform == "facebook" and call in ("quota",):
            continue
        await judged.fault(account, fault, call)

        report = await resolved(judged, asked(judged, account, KINDS[name]))

        await published_once(judged, account, report)
        judged.sender.sent.clear()


@pytest.mark.parametrize("fault", ["late_accept", "lost_timeout"])
@pytest.mark.parametrize("name", ["text", "reel", "ig image"])
async def test_a_request_that_is_never_answered_is_looked_for(judged: Any, name: str, fault: str) -> None:
    account = await opened(judged, KINDS[name])
    await judged.fault(account, fault, params={"seconds": 1 if fault == "late_accept" else 30})

    report = await resolved(judged, asked(judged, account, KINDS[name]))

    await published_once(judged, account, report)
    assert await judged.calls(account, "create_post") == (1 if fault == "late_accept" else 2)


@pytest.mark.parametrize("name", [name for name in KINDS if name != "link"])
async def test_what_is_neither_answered_nor_shown_for_long_is_not_made_twice(world: Any, name: str) -> None:
    """By what the platforms refuse: the same text again, photos and containers that are used."""
    account = await opened(world, KINDS[name])
    await world.fault(account, "accept_then_reset")
    await world.fault(account, "readback_lag", params={"seconds": 300})

    report = await resolved(world, asked(world, account, KINDS[name]))

    await published_once(world, account, report)


# --- Instagram's containers ---------------------------------------------------------------------------


async def test_an_edited_caption_gets_a_container_of_its_own(judged: Any) -> None:
    account = await opened(judged, KINDS["ig carousel"])
    await judged.fault(account, "forbidden_403")
    request = asked(judged, account, KINDS["ig carousel"])
    refused = await resolved(judged, request)
    assert isinstance(refused.outcome, Rejected)

    edited = replace(request.parts[0], text="Other words")
    report = await resolved(judged, replace(request, parts=(edited,), attempt=refused.attempt + 1))

    assert (await published_once(judged, account, report))["text"] == "Other words"


async def test_an_expired_container_is_made_anew(judged: Any) -> None:
    account = await opened(judged, KINDS["ig image"])
    await settings(judged, instagram={"container_seconds": 400})
    await judged.fault(account, "rate_limited", params={"seconds": 600})

    report = await resolved(judged, asked(judged, account, KINDS["ig image"]))

    await published_once(judged, account, report)
    assert await judged.calls(account, "upload_init") == 2


async def test_a_container_that_is_not_found_for_a_while_is_waited_for(judged: Any) -> None:
    account = await opened(judged, KINDS["ig image"])
    body = {"error": {"code": 100, "error_subcode": 33, "type": "GraphMethodException", "message": "Unsupported get"}}
    await judged.fault(account, "scripted_error", "upload_status", times=5, params={"body": body})

    report = await resolved(judged, asked(judged, account, KINDS["ig image"]))

    await published_once(judged, account, report)
    assert await judged.calls(account, "upload_init") == 1


async def test_a_published_container_is_refused_and_recognised(world: Any) -> None:
    """The default of the sandbox: a second publication is refused as if there were no container."""
    account = await opened(world, KINDS["ig image"])
    await world.fault(account, "accept_then_reset")
    # The look-up does not see it in time: the container is sent again.
    finished = {"status_code": "FINISHED", "id": "1"}
    await world.fault(
        account, "scripted_error", "upload_status", after=1, times=3, params={"status": 200, "body": finished}
    )

    report = await resolved(world, asked(world, account, KINDS["ig image"]))

    await published_once(world, account, report)
    assert await world.calls(account, "create_post") == 2


async def test_used_up_quota_is_waited_for_before_a_container_is_made(world: Any) -> None:
    account = await opened(world, KINDS["ig image"])
    await settings(world, instagram={"publish_quota": 1})
    await resolved(world, asked(world, account, KINDS["ig image"]))
    second = replace(asked(world, account, KINDS["ig image"]), post_id="post_2")

    report = await world.run(second)

    assert isinstance(report.outcome, Deferred)
    assert report.outcome.reason.rule == "instagram.quota"
    assert await world.calls(account, "upload_init") == 1
    report = await resolved(world, second)
    assert isinstance(report.outcome, Published)


async def test_a_file_that_cannot_be_fetched_once_is_tried_again(world: Any) -> None:
    account = await opened(world, KINDS["ig image"])
    await world.fault(account, "media_unreachable", "upload_init", times=2)

    report = await resolved(world, asked(world, account, KINDS["ig image"]))

    await published_once(world, account, report)


async def test_processing_that_fails_once_gets_another_container(world: Any) -> None:
    account = await opened(world, KINDS["ig reel"])
    await world.fault(account, "media_processing_failed", "upload_finalize")

    report = await resolved(world, asked(world, account, KINDS["ig reel"]))

    await published_once(world, account, report)


@pytest.mark.parametrize(
    ("file", "rule"),
    [
        ("image.png", "instagram.media.format"),
        ("image.jpg?w=300&h=900", "instagram.media.ratio"),
        ("image.jpg?w=600&h=600&bytes=9000000", "instagram.media.size"),
        ("video.mp4?w=544&h=960&seconds=2", "instagram.media.format"),
    ],
)
async def test_files_that_instagram_refuses_are_refused_with_the_rule(world: Any, file: str, rule: str) -> None:
    kind = Kind("instagram", files=(file,))
    account = await opened(world, kind)

    report = await resolved(world, asked(world, account, kind))

    assert isinstance(report.outcome, Rejected)
    assert report.outcome.failure.rule == rule
    assert report.outcome.failure.remediation
    assert await world.live(account) == []


async def test_options_reach_the_container(world: Any) -> None:
    kind = Kind(
        "instagram",
        files=(IMAGE,),
        options={"user_tags": ["bia:0.5:0.25"], "collaborators": ["@caio"], "is_ai_generated": True},
    )
    account = await opened(world, kind)

    report = await resolved(world, asked(world, account, kind))

    options = (await published_once(world, account, report))["options"]
    assert options["user_tags"] == [{"username": "bia", "x": 0.5, "y": 0.25}]
    assert options["collaborators"] == ["caio"]
    assert options["is_ai_generated"] is True


async def test_what_needs_facebook_login_is_refused_without_it(world: Any) -> None:
    kind = Kind("instagram", files=(IMAGE,), options={"is_paid_partnership": True})
    account = await opened(world, kind)

    report = await world.run(asked(world, account, kind))

    assert isinstance(report.outcome, Rejected)
    assert report.outcome.failure.rule == "instagram.options.login"


# --- uploads that break off ---------------------------------------------------------------------------

LONG = VIDEO + "&bytes=3000000"
RESUMED = {
    "video": Kind("facebook", files=(LONG,)),
    "reel": Kind("facebook", files=(LONG,), options={"post_type": "reel"}),
    "video story": Kind("facebook", files=(LONG,), text="", options={"post_type": "story"}),
    "ig reel": Kind("instagram", files=(LONG,), login="facebook"),
    "ig video in a carousel": Kind("instagram", files=(IMAGE, LONG), login="facebook"),
}


def sent_by_us(world: Any) -> None:
    vars(world.connectors["instagram"])["_delivery"] = "resumable"


@pytest.mark.parametrize("name", RESUMED)
async def test_an_upload_goes_on_where_the_platform_stands(world: Any, name: str) -> None:
    sent_by_us(world)
    account = await opened(world, RESUMED[name])
    for cut in (1_000_000, 700_000):
        await world.fault(account, "upload_cut", "upload_append", params={"bytes": cut})

    report = await resolved(world, asked(world, account, RESUMED[name]))

    post = await published_once(world, account, report)
    sample = (await world.control.get(f"/media/{LONG}")).content
    assert post["media"][-1]["sha256"] == hashlib.sha256(sample).hexdigest()
    if name != "video":
        # Where offsets must continue what is held, three requests are three disjoint pieces of the file.
        assert await world.calls(account, "upload_append") == 3


@pytest.mark.parametrize("name", RESUMED)
@pytest.mark.parametrize("pieces", [1, 5])
async def test_a_process_may_end_in_the_middle_of_a_file(
    world: Any, name: str, pieces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent_by_us(world)
    account = await opened(world, RESUMED[name])
    sent = 0

    async def crash() -> None:
        nonlocal sent
        sent += 1
        if sent == pieces:
            raise CrashError

    step = graph.GraphHost.step

    async def crashing(host: graph.GraphHost, author: Author, call: str, *more: Any, **content: Any) -> Any:
        if call == "upload_chunk":
            await crash()
        return await step(host, author, call, *more, **content)

    pieces_of = graph._pieces

    async def broken(*arguments: Any) -> AsyncIterator[bytes]:
        async for piece in pieces_of(*arguments):
            yield piece
            await crash()

    monkeypatch.setattr(graph, "_pieces", broken)
    monkeypatch.setattr(graph.GraphHost, "step", crashing)
    report = await surviving(world, asked(world, account, RESUMED[name]))

    post = await published_once(world, account, report)
    sample = (await world.control.get(f"/media/{LONG}")).content
    assert post["media"][-1]["sha256"] == hashlib.sha256(sample).hexdigest()


# --- processing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["video", "reel", "video story"])
async def test_a_video_that_cannot_be_processed_is_rejected(world: Any, name: str) -> None:
    account = await opened(world, KINDS[name])
    await world.fault(account, "media_processing_failed", "upload_finalize")

    report = await resolved(world, asked(world, account, KINDS[name]))

    assert isinstance(report.outcome, Rejected)
    assert report.outcome.failure.rule == "facebook.media.processing"
    assert report.outcome.failure.remediation


@pytest.mark.parametrize("name", ["video", "reel", "video story", "ig reel"])
async def test_slow_processing_is_waited_for(world: Any, name: str) -> None:
    account = await opened(world, KINDS[name])
    await world.fault(account, "media_processing_slow", "upload_finalize", params={"seconds": 900})

    report = await resolved(world, asked(world, account, KINDS[name]))

    await published_once(world, account, report)
    assert await world.calls(account, "create_post") == 1


# --- comments and deletion ----------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [None, "accept_then_reset", "reset_before", "accept_then_500"])
@pytest.mark.parametrize("name", ["text", "photos", "reel", "ig image", "ig image by Facebook", "ig reel"])
async def test_the_first_comment_is_made_once(judged: Any, name: str, fault: str | None) -> None:
    account = await opened(judged, KINDS[name])
    if fault is not None:
        await judged.fault(account, fault, "create_comment")
    request = judged.request(
        account, content_of(judged, KINDS[name]), Content(text="The first @word"), options=KINDS[name].options
    )

    report = await resolved(judged, request)

    assert isinstance(report.outcome, Published), report
    post, comment = await judged.live(account)
    assert comment["in_reply_to"] == post["id"]
    assert comment["text"] == "The first @word"
    assert report.outcome.parts[1].platform_post_id == comment["id"]


@pytest.mark.parametrize("name", ["text", "photos", "reel", "photo story", "ig image by Facebook"])
async def test_what_is_live_can_be_deleted_and_is_then_gone(world: Any, name: str) -> None:
    account = await opened(world, KINDS[name])
    report = await resolved(world, asked(world, account, KINDS[name]))
    assert isinstance(report.outcome, Published)
    connector = world.connectors[account.platform]
    author = Author(account=account, token=world.tokens.known[account.account_id])

    await connector.delete(author, report.outcome.parts[0])
    assert await world.live(account) == []
    await connector.delete(author, report.outcome.parts[0])


@pytest.mark.parametrize("login", [None, "facebook"])
async def test_instagram_may_not_let_us_delete(world: Any, login: str | None) -> None:
    kind = Kind("instagram", files=(IMAGE,), login=login)
    account = await opened(world, kind)
    await settings(world, instagram={"delete": False})
    report = await resolved(world, asked(world, account, kind))
    assert isinstance(report.outcome, Published)

    author = Author(account=account, token=world.tokens.known[account.account_id])
    with pytest.raises(SetbackError) as caught:
        await world.connectors["instagram"].delete(author, report.outcome.parts[0])

    assert isinstance(caught.value.setback, Refused)
    assert caught.value.setback.failure.rule == "instagram.delete.unsupported"
    assert len(await world.live(account)) == 1


async def test_deleting_with_a_dead_token_is_no_success(world: Any) -> None:
    account = await opened(world, KINDS["text"])
    await world.fault(account, "unauthorized_401", "delete_post")

    author = Author(account=account, token=world.tokens.known[account.account_id])
    with pytest.raises(SetbackError):
        await world.connectors["facebook"].delete(author, LivePart(index=0, platform_post_id="1_2"))


async def test_what_was_uploaded_is_used_again(world: Any) -> None:
    account = await opened(world, KINDS["photos"])
    await world.fault(account, "rate_limited")

    await resolved(world, asked(world, account, KINDS["photos"]))

    assert await world.calls(account, "upload_init") == 3
    entry = world.journal.entries[publication_id("post_1", f"facebook:{account.account_id}")]
    assert len(entry.uploads) == 3
