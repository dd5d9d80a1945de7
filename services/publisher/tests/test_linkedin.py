"""Every kind of post and comment on LinkedIn, and uploads that were cut off."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from contracts.accounts import Account
from contracts.content import Content, Link, LivePart, Media, MediaType, Options
from contracts.posts import Deferred, Held, Published, Rejected, ReportOutcome, Unknown
from publisher import handlers
from publisher.adapters.linkedin import LinkedInConnector
from publisher.domain.answers import Accepted, Ambiguous, Answer, Postponed, Refused, Retry, SetbackError
from publisher.domain.budgets import Budgets
from publisher.domain.publication import publication_id
from publisher.ports import Author, Draft

MEGABYTE = 1 << 20
LINK = Link(url="https://example.com/a_b", title="A title", description="More of it")
POLL: Options = {"poll_question": "Which?", "poll_options": ["Tea", "Coffee"], "poll_duration": "three_days"}
FEED = (
    "w_organization_social",
    "r_organization_social",
    "w_organization_social_feed",
    "r_organization_social_feed",
)
POINTS = ("before_send_recorded", "send_recorded", "before_call", "after_call", "answer_recorded", "before_report")


class CrashError(Exception):
    """The process ends here."""


async def connected(world: Any, kind: str) -> Account:
    """With the permission to comment."""
    if kind == "page":
        more = {"account_type": "company_page", "kind": "organization", "scopes": list(FEED)}
    else:
        more = {"kind": "member", "scopes": ["w_member_social", "w_member_social_feed"]}
    account: Account = await world.account("linkedin", **more)
    return account


@pytest.fixture
async def page(world: Any) -> Account:
    return await connected(world, "page")


@pytest.fixture
async def member(world: Any) -> Account:
    return await connected(world, "member")


KINDS: dict[str, MediaType] = {"image.png": "image", "video.mp4": "video", "document.pdf": "document"}


def media(world: Any, name: str = "image.png", **query: int) -> Media:
    asked = "&".join(f"{key}={value}" for key, value in query.items())
    return Media(type=KINDS[name], url=f"{world.url}/_sandbox/media/{name}?{asked}", alt_text="Words")


def video(world: Any, size: int = 9 * MEGABYTE) -> Media:
    return media(world, "video.mp4", bytes=size)


async def resolved(
    world: Any, account: Account, *parts: Content, options: Options | None = None, title: str | None = None
) -> ReportOutcome:
    for attempt in range(1, 25):
        request = world.request(account, *parts, options=options, attempt=attempt, title=title)
        report: ReportOutcome = await world.run(request)
        match report.outcome:
            case Unknown(probe_at=at) | Deferred(until=at):
                await world.clock.reach(at)
            case _:
                return report
    raise AssertionError("never resolved")


async def published(
    world: Any, account: Account, *parts: Content, options: Options | None = None, title: str | None = None
) -> list[dict[str, Any]]:
    """What the ledger has of it."""
    report = await resolved(world, account, *parts, options=options, title=title)
    assert isinstance(report.outcome, Published), report
    posts: list[dict[str, Any]] = await world.live(account)
    assert [part.platform_post_id for part in report.outcome.parts] == [post["id"] for post in posts]
    return posts


# --- kinds of posts -----------------------------------------------------------------------------------


async def test_a_document_has_the_title_of_its_post(world: Any, member: Account) -> None:
    content = Content(text="Read", media=(media(world, "document.pdf", bytes=3 * MEGABYTE),))
    (post,) = await published(world, member, content, title="Annual report")
    (file,) = post["media"]
    assert (file["kind"], file["title"], file["bytes"]) == ("document", "Annual report", 3 * MEGABYTE)


async def test_the_option_is_the_title_rather(world: Any, page: Account) -> None:
    content = Content(text="Read", media=(media(world, "document.pdf"),))
    (post,) = await published(world, page, content, title="Annual report", options={"title": "Report"})
    assert post["media"][0]["title"] == "Report"


async def test_a_file_that_is_no_document_is_refused(world: Any, page: Account) -> None:
    disguised = Media(type="document", url=f"{world.url}/_sandbox/media/image.png")
    report = await resolved(world, page, Content(text="Read", media=(disguised,)), title="Report")
    assert isinstance(report.outcome, Rejected)
    assert report.outcome.failure.rule == "media.type"


async def test_a_poll_with_its_link_in_the_text(world: Any, member: Account) -> None:
    (post,) = await published(world, member, Content(text="Vote", link=LINK), options=POLL)
    assert post["options"]["poll"] == {
        "question": "Which?",
        "options": [{"text": "Tea"}, {"text": "Coffee"}],
        "settings": {"duration": "THREE_DAYS"},
    }
    assert post["text"] == f"Vote\n\n{LINK.url}"


async def test_durations_may_be_told_in_weeks(world: Any, member: Account) -> None:
    await world.control.post("/settings", json={"linkedin": {"poll_durations": "weeks"}})
    world.connectors["linkedin"] = LinkedInConnector(
        world.client("linkedin"),
        world.connectors["linkedin"].policy,
        world.fetcher,
        Budgets(),
        version="202609",
        poll_in_weeks=True,
        now=world.clock.now,
    )
    (post,) = await published(world, member, Content(text="Vote"), options={**POLL, "poll_duration": "seven_days"})
    assert post["options"]["poll"]["settings"] == {"duration": "ONE_WEEK"}


async def test_a_card_with_a_picture(world: Any, member: Account) -> None:
    content = Content(text="Read", media=(media(world),), link=LINK)
    (post,) = await published(world, member, content, options={"link_thumbnail": True})
    article = post["options"]["article"]
    assert (article["source"], article["title"]) == (LINK.url, LINK.title)
    assert article["thumbnail"] == post["media"][0]["id"]
    assert post["text"] == "Read"


async def test_a_picture_beside_a_link_stays_a_picture(world: Any, member: Account) -> None:
    (post,) = await published(world, member, Content(text="Read", media=(media(world),), link=LINK))
    assert "article" not in post["options"]
    assert post["text"] == f"Read\n\n{LINK.url}"


async def test_several_images(world: Any, page: Account) -> None:
    content = Content(text="Look", media=tuple(media(world, shade=n) for n in range(3)))
    (post,) = await published(world, page, content)
    assert len({file["sha256"] for file in post["media"]}) == 3


async def test_a_video_in_parts_with_a_title(world: Any, page: Account) -> None:
    (post,) = await published(world, page, Content(text="Film", media=(video(world),)), options={"title": "Talk"})
    (file,) = post["media"]
    assert (file["bytes"], file["title"], file["content_type"]) == (9 * MEGABYTE, "Talk", "video/mp4")


async def test_a_post_shared_on(world: Any, page: Account, member: Account) -> None:
    (first,) = await published(world, page, Content(text="News"))
    world.journal.entries.clear()
    (post,) = await published(world, member, Content(text="See", link=LINK), options={"reshare_post_id": first["id"]})
    assert post["options"]["reshare_of"] == first["id"]
    assert post["text"] == f"See\n\n{LINK.url}"


@pytest.mark.parametrize("kind", ["poll", "card", "document", "reshare"])
async def test_each_kind_is_found_again_when_the_answer_is_lost(world: Any, page: Account, kind: str) -> None:
    content, options = Content(text="Look", link=LINK), POLL
    if kind == "card":
        content, options = Content(text="Read", media=(media(world),), link=LINK), {"link_thumbnail": True}
    elif kind == "document":
        content, options = Content(text="Read", media=(media(world, "document.pdf"),)), {"title": "Report"}
    elif kind == "reshare":
        other = await world.account("linkedin", account_type="company_page", kind="organization")
        (first,) = await published(world, other, Content(text="News"))
        world.journal.entries.clear()
        options = {"reshare_post_id": first["id"]}
    await world.fault(page, "accept_then_reset")
    report = await resolved(world, page, content, options=options)
    assert isinstance(report.outcome, Published)
    assert report.outcome.proof == "readback"
    assert await world.calls(page, "create_post") == 1


async def test_a_post_with_another_poll_is_not_taken_for_ours(world: Any, page: Account) -> None:
    await world.control.post("/settings", json={"linkedin": {"duplicate_window_seconds": 0}})
    await published(world, page, Content(text="Vote"), options={**POLL, "poll_question": "Another?"})
    world.journal.entries.clear()
    await world.fault(page, "reset_before")
    report = await resolved(world, page, Content(text="Vote"), options=POLL)
    assert isinstance(report.outcome, Published)
    assert len(await world.live(page)) == 2


# --- comments -----------------------------------------------------------------------------------------

POST, COMMENT = Content(text="Post"), Content(text="First! (more: https://example.com/a_b)")


@pytest.mark.parametrize("kind", ["page", "member"])
async def test_a_first_comment_stands_under_its_post(world: Any, kind: str) -> None:
    account = await connected(world, kind)
    post, comment = await published(world, account, POST, COMMENT)
    assert comment["in_reply_to"] == post["id"]
    assert comment["options"] == {"kind": "comment"}
    assert comment["text"] == COMMENT.text
    assert comment["id"].startswith(f"urn:li:comment:({post['id']},")
    url = world.sender.outcomes[-1].outcome.parts[1].url
    assert url.startswith(f"https://www.linkedin.com/feed/update/{post['id']}/?commentUrn=urn%3Ali%3Acomment")


async def test_without_the_permission_to_comment_the_post_stays_and_the_reason_is_told(world: Any) -> None:
    account = await world.account("linkedin", kind="member")
    report = await resolved(world, account, POST, COMMENT)
    assert isinstance(report.outcome, Rejected)
    assert report.outcome.failure.rule == "linkedin.permission"
    assert [part.index for part in report.outcome.parts] == [0]


async def test_a_post_that_is_not_found_yet_is_commented_on_later(world: Any, page: Account) -> None:
    await world.control.post("/settings", json={"linkedin": {"comments_lag_seconds": 8}})
    await published(world, page, POST, COMMENT)
    assert await world.calls(page, "create_post") == 1


@pytest.mark.parametrize("point", POINTS)
async def test_a_process_may_end_anywhere_in_a_comment(
    world: Any, page: Account, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await published(world, page, POST)
    reached: list[str] = []

    async def crash(name: str) -> None:
        reached.append(name)
        if name == f"publisher.{point}":
            raise CrashError

    with monkeypatch.context() as patch:
        patch.setattr(handlers, "reached", crash)
        with pytest.raises(CrashError):
            await world.run(world.request(page, POST, COMMENT, attempt=2))
    report = await resolved_from(world, page, 3)
    assert isinstance(report.outcome, Published), report
    assert len(await world.live(page)) == 2


async def resolved_from(world: Any, account: Account, attempt: int) -> ReportOutcome:
    for number in range(attempt, attempt + 20):
        report: ReportOutcome = await world.run(world.request(account, POST, COMMENT, attempt=number))
        match report.outcome:
            case Unknown(probe_at=at) | Deferred(until=at):
                await world.clock.reach(at)
            case _:
                return report
    raise AssertionError("never resolved")


@pytest.mark.parametrize(
    "fault",
    ["accept_then_reset", "accept_then_500", "accept_then_garbage", "reset_before", "server_error_503", "garbage"],
)
async def test_doubt_about_a_comment_is_settled_by_reading(world: Any, page: Account, fault: str) -> None:
    await world.fault(page, fault, "create_comment")
    await published(world, page, POST, COMMENT)
    if fault.startswith("accept"):
        assert await world.calls(page, "create_comment") == 1


async def test_comments_that_cannot_be_read_leave_it_open(world: Any) -> None:
    scopes = ["w_organization_social", "r_organization_social", "w_organization_social_feed"]
    account = await world.account("linkedin", account_type="company_page", kind="organization", scopes=scopes)
    await world.fault(account, "accept_then_reset", "create_comment")
    report = await resolved(world, account, POST, COMMENT)
    assert isinstance(report.outcome, Held)
    assert len(await world.live(account)) == 2


URN = "urn:li:share:7141138937766391808"
COMMENT_URN = f"urn:li:comment:({URN},17)"


def error(status: int, code: str = "", message: str = "") -> httpx.Response:
    return httpx.Response(status, json={"status": status, "code": code, "message": message})


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (httpx.Response(201, json={"commentUrn": COMMENT_URN}), Accepted),
        (httpx.Response(201, headers={"x-restli-id": "17"}), Accepted),
        (httpx.Response(201, json={"commentUrn": "urn:li:comment:(urn:li:activity:1,17)"}), Accepted),
        (httpx.Response(201), Ambiguous),
        (httpx.Response(200, text="<html>"), Ambiguous),
        (error(400, "FIELD_LENGTH_TOO_LONG"), Refused),
        (error(401, "EXPIRED_ACCESS_TOKEN"), Retry),
        (error(403, "ACCESS_DENIED"), Refused),
        (error(404, "NOT_FOUND"), Retry),
        (error(429, message="Comment create throttled"), Postponed),
        (error(500), Ambiguous),
        (httpx.Response(404, text="<html>"), Ambiguous),
    ],
)
async def test_answers_to_a_comment(
    world: Any, member: Account, response: httpx.Response, expected: type[Answer]
) -> None:
    client = world.client("linkedin")
    client._transport = httpx.MockTransport(lambda _: response)
    client._mounts = {}
    connector = world.connectors["linkedin"]
    author = Author(account=member, token=world.tokens.known[member.account_id])
    draft = Draft(index=1, content=COMMENT, options={}, uploads=(), reply_to=URN)
    answer = await connector.send(author, draft, connector.request(author, draft))
    assert type(answer) is expected
    if isinstance(answer, Accepted):
        assert answer.platform_post_id.endswith(",17)")
    assert connector.budgets.exhausted(member.account_id, world.clock.now()) is None


# --- uploads ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", range(1, 6))
@pytest.mark.parametrize("kind", ["page", "member"])
async def test_a_video_is_carried_on_where_the_process_ended(
    world: Any, kind: str, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the initialization, each of three parts, and the end of it: nothing is sent twice."""
    account = await connected(world, kind)
    content = Content(text="Film", media=(video(world),))
    await crash_at_record(monkeypatch, after, lambda: world.run(world.request(account, content)))
    report = await resolved(world, account, content)
    assert isinstance(report.outcome, Published), report
    (post,) = await world.live(account)
    assert post["media"][0]["bytes"] == 9 * MEGABYTE
    for call, times in (("upload_init", 1), ("upload_append", 3), ("upload_finalize", 1)):
        assert await world.calls(account, call) == times


@pytest.mark.parametrize("call", ["upload_init", "upload_append", "upload_finalize", "upload_status"])
@pytest.mark.parametrize("fault", ["reset_before", "accept_then_reset", "server_error_503"])
async def test_every_call_of_an_upload_may_fail(world: Any, page: Account, call: str, fault: str) -> None:
    await world.fault(page, fault, call)
    (post,) = await published(world, page, Content(text="Film", media=(video(world, 5 * MEGABYTE),)))
    assert post["media"][0]["bytes"] == 5 * MEGABYTE


async def test_urls_that_have_run_out_are_asked_for_anew(
    world: Any, page: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = Content(text="Film", media=(video(world, 5 * MEGABYTE),))
    await crash_at_record(monkeypatch, 2, lambda: world.run(world.request(page, content)))
    key = publication_id("post_1", f"linkedin:{page.account_id}")
    entry = world.journal.entries[key]
    (upload,) = entry.uploads
    assert upload.expires_at is not None
    await world.clock.reach(upload.expires_at)
    report = await resolved(world, page, content)
    assert isinstance(report.outcome, Published), report
    assert await world.calls(page, "upload_init") == 2


async def test_a_part_that_is_refused_begins_the_upload_anew(
    world: Any, page: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = Content(text="Film", media=(video(world, 5 * MEGABYTE),))
    await crash_at_record(monkeypatch, 1, lambda: world.run(world.request(page, content)))
    key = publication_id("post_1", f"linkedin:{page.account_id}")
    entry = world.journal.entries[key]
    (upload,) = entry.uploads
    assert upload.session is not None
    spoiled = replace(upload, session=upload.session.replace("/dms-uploads/", "/dms-uploads/video:gone"))
    world.journal.entries[key] = replace(entry, uploads=(spoiled,))
    report = await resolved(world, page, content)
    assert isinstance(report.outcome, Published), report
    assert await world.calls(page, "upload_init") == 2


@pytest.mark.parametrize("name", ["image.png", "document.pdf", "video.mp4"])
async def test_what_linkedin_cannot_process_is_refused(world: Any, page: Account, name: str) -> None:
    call = "upload_finalize"
    await world.fault(page, "media_processing_failed", call)
    attached = media(world, name, bytes=MEGABYTE)
    report = await resolved(world, page, Content(text="Film", media=(attached,)), title="Film")
    assert isinstance(report.outcome, Rejected)
    assert report.outcome.failure.rule == "linkedin.media.processing"
    assert await world.live(page) == []


async def crash_at_record(monkeypatch: pytest.MonkeyPatch, number: int, run: Callable[[], Any]) -> None:
    """Ends the process right after the upload's state was journaled for the nth time."""
    records = 0
    record = handlers._Steps.record

    async def crashing(steps: handlers._Steps, upload: Any) -> None:
        nonlocal records
        await record(steps, upload)
        records += 1
        if records == number:
            raise CrashError

    with monkeypatch.context() as patch:
        patch.setattr(handlers._Steps, "record", crashing)
        with pytest.raises(CrashError):
            await run()


# --- deleting -----------------------------------------------------------------------------------------


async def test_posts_and_comments_are_taken_down_and_stay_so(world: Any, page: Account) -> None:
    posts = await published(world, page, POST, COMMENT)
    connector = world.connectors["linkedin"]
    author = Author(account=page, token=world.tokens.known[page.account_id])
    for index, post in reversed(list(enumerate(posts))):
        live = LivePart(index=index, platform_post_id=post["id"])
        await connector.delete(author, live)
        await connector.delete(author, live)
    assert await world.live(page) == []


async def test_what_belongs_to_others_is_not_taken_down(world: Any, page: Account, member: Account) -> None:
    (post,) = await published(world, page, POST)
    author = Author(account=member, token=world.tokens.known[member.account_id])
    with pytest.raises(SetbackError) as caught:
        await world.connectors["linkedin"].delete(author, LivePart(index=0, platform_post_id=post["id"]))
    assert isinstance(caught.value.setback, Refused)
    assert len(await world.live(page)) == 1


async def test_a_comment_of_its_own_has_nothing_of_its_posts_options(world: Any, page: Account) -> None:
    (post,) = await published(world, page, Content(text="Vote"), options=POLL)
    world.journal.entries.clear()
    report = await world.run(world.request(page, COMMENT, options=POLL, reply_to=post["id"]))
    assert isinstance(report.outcome, Published)
    _, comment = await world.live(page)
    assert (comment["text"], comment["in_reply_to"]) == (COMMENT.text, post["id"])
