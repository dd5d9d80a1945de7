"""What X is asked for, against its own documents and the sandbox: every kind of post, and uploads that were cut off."""

import json
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from contracts.accounts import Account
from contracts.content import Content, LivePart, Media, Options
from contracts.posts import Deferred, Published, Rejected, ReportOutcome, Unknown
from publisher import handlers
from publisher.domain.publication import publication_id
from publisher.ports import Author, Draft

MEGABYTE = 1 << 20
SPECS = {
    version: json.loads((Path(__file__).parent / "schemas" / f"x-requests-{version}.json").read_text())
    for version in ("2.166", "2.167")
}
QUESTION = Content(text="Which?")


class CrashError(Exception):
    """The process ends here."""


@pytest.fixture
async def amara(world: Any) -> Account:
    account: Account = await world.account("twitter")
    return account


@pytest.fixture
def sent(world: Any) -> list[httpx.Request]:
    """Every request to X."""
    requests: list[httpx.Request] = []

    async def keep(request: httpx.Request) -> None:
        await request.aread()
        requests.append(request)

    world.client("twitter").event_hooks["request"].append(keep)
    return requests


def video(world: Any, size: int = 0, **more: int) -> Media:
    query = "&".join(f"{name}={value}" for name, value in {"bytes": size, **more}.items())
    return Media(type="video", url=f"{world.url}/_sandbox/media/video.mp4?{query}", alt_text="A talk")


def images(world: Any, count: int) -> tuple[Media, ...]:
    return tuple(
        Media(type="image", url=f"{world.url}/_sandbox/media/image.png?shade={n}", alt_text=f"Number {n}")
        for n in range(count)
    )


async def resolved(world: Any, account: Account, *parts: Content, options: Options | None = None) -> ReportOutcome:
    for attempt in range(1, 20):
        report: ReportOutcome = await world.run(world.request(account, *parts, options=options, attempt=attempt))
        match report.outcome:
            case Unknown(probe_at=at) | Deferred(until=at):
                await world.clock.reach(at)
            case _:
                return report
    raise AssertionError("never resolved")


async def published(world: Any, account: Account, *parts: Content, options: Options | None = None) -> dict[str, Any]:
    """The one post, or the first part of a thread, as it stands in the ledger."""
    report = await resolved(world, account, *parts, options=options)
    assert isinstance(report.outcome, Published), report
    posts = await world.live(account)
    assert [part.platform_post_id for part in report.outcome.parts] == [post["id"] for post in posts]
    return dict(posts[0])


# --- kinds of posts -----------------------------------------------------------------------------------


async def test_a_poll(world: Any, amara: Account) -> None:
    post = await published(
        world, amara, QUESTION, options={"poll_options": ["Tea", "Coffee"], "poll_duration_minutes": 60}
    )
    assert post["options"]["poll"] == {"options": ["Tea", "Coffee"], "duration_minutes": 60}


async def test_a_poll_is_open_for_a_day_unless_told_otherwise(world: Any, amara: Account) -> None:
    post = await published(world, amara, QUESTION, options={"poll_options": ["Tea", "Coffee"]})
    assert post["options"]["poll"]["duration_minutes"] == 1440


async def test_a_quote(world: Any, amara: Account) -> None:
    await world.control.post("/settings", json={"twitter": {"quotes": True}})
    bola = await world.account("twitter")
    quoted = await published(world, bola, Content(text="Said"))
    world.journal.entries.clear()
    post = await published(world, amara, Content(text="Indeed"), options={"quote_post_id": quoted["id"]})
    assert post["options"]["quote_tweet_id"] == quoted["id"]


async def test_a_quote_without_the_right_to_it_is_refused_with_the_reason(world: Any, amara: Account) -> None:
    report = await resolved(world, amara, Content(text="Indeed"), options={"quote_post_id": "12345"})
    assert isinstance(report.outcome, Rejected)
    assert report.outcome.failure.rule == "twitter.action.not_permitted"


async def test_disclosures_audience_and_place(world: Any, amara: Account) -> None:
    options: Options = {
        "reply_settings": "following",
        "made_with_ai": True,
        "paid_partnership": True,
        "community_id": "77",
        "share_with_followers": True,
        "place_id": "df51dec6f4ee2b2c",
    }
    post = await published(world, amara, Content(text="Hello"), options=options)
    wanted = {name: value for name, value in options.items() if name != "place_id"}
    assert post["options"] == {**wanted, "geo": {"place_id": "df51dec6f4ee2b2c"}}


async def test_what_makes_a_thread_stands_in_its_first_part_only(world: Any, amara: Account) -> None:
    options: Options = {"poll_options": ["Tea", "Coffee"], "community_id": "77", "made_with_ai": True}
    await published(world, amara, QUESTION, Content(text="More"), options=options)
    first, second = await world.live(amara)
    assert first["options"]["community_id"] == "77"
    assert second["options"] == {"made_with_ai": True}
    assert second["in_reply_to"] == first["id"]


async def test_four_images_with_people_in_them(world: Any, amara: Account) -> None:
    content = Content(text="Look", media=images(world, 4))
    post = await published(world, amara, content, options={"tagged_user_ids": ["1", "2"]})
    assert [media["alt_text"] for media in post["media"]] == [f"Number {n}" for n in range(4)]
    assert len({media["sha256"] for media in post["media"]}) == 4
    assert post["options"]["tagged_user_ids"] == ["1", "2"]


async def test_a_first_comment_answers_the_post(world: Any, amara: Account) -> None:
    await published(world, amara, Content(text="Post"), Content(text="First!"))
    post, comment = await world.live(amara)
    assert comment["in_reply_to"] == post["id"]


@pytest.mark.parametrize(
    "options",
    [
        {"poll_options": ["Tea", "Coffee"]},
        {"quote_post_id": None},
        {"community_id": "5"},
    ],
)
async def test_each_kind_is_found_again_when_the_answer_is_lost(world: Any, amara: Account, options: Options) -> None:
    await world.control.post("/settings", json={"twitter": {"quotes": True}})
    if "quote_post_id" in options:
        bola = await world.account("twitter")
        options = {"quote_post_id": (await published(world, bola, Content(text="Said")))["id"]}
        world.journal.entries.clear()
    await world.fault(amara, "accept_then_reset")
    report = await resolved(world, amara, QUESTION, options=options)
    assert isinstance(report.outcome, Published)
    assert report.outcome.proof == "readback"
    assert await world.calls(amara, "create_post") == 1


async def test_a_post_with_another_poll_is_not_taken_for_ours(world: Any, amara: Account) -> None:
    await world.control.post("/settings", json={"twitter": {"duplicate_window_seconds": 0}})
    await published(world, amara, QUESTION)
    world.journal.entries.clear()
    await world.fault(amara, "reset_before")
    report = await resolved(world, amara, QUESTION, options={"poll_options": ["Tea", "Coffee"]})
    assert isinstance(report.outcome, Published)
    assert [post["options"].get("poll") is not None for post in await world.live(amara)] == [False, True]


# --- X's own documents --------------------------------------------------------------------------------


def body_of(request: httpx.Request) -> dict[str, Any]:
    kind = request.headers.get("content-type", "")
    if not request.content:
        return {}
    if not kind.startswith("multipart/"):
        decoded: dict[str, Any] = json.loads(request.content)
        return decoded
    message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + request.content)
    form: dict[str, Any] = {}
    for part in message.get_payload():
        assert not isinstance(part, str)
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        form[str(name)] = "bytes" if name == "media" else int(payload) if name == "segment_index" else payload.decode()
    return form


async def test_every_request_is_what_both_documents_describe(
    world: Any, amara: Account, sent: list[httpx.Request]
) -> None:
    await world.control.post("/settings", json={"twitter": {"quotes": True}})
    first = await published(world, amara, Content(text="Look", media=images(world, 2)))
    everything: list[tuple[Content, Options]] = [
        (Content(text="Film", media=(video(world, 5 * MEGABYTE),)), {"reply_settings": "verified"}),
        (QUESTION, {"poll_options": ["Tea", "Coffee"], "made_with_ai": True, "paid_partnership": True}),
        (Content(text="Quote"), {"quote_post_id": first["id"], "for_super_followers_only": True}),
        (Content(text="Here"), {"community_id": "5", "share_with_followers": True, "place_id": "a1"}),
        (Content(text="Who", media=images(world, 1)), {"tagged_user_ids": ["1"]}),
    ]
    for content, options in everything:
        world.journal.entries.clear()
        assert isinstance((await resolved(world, amara, content, options=options)).outcome, Published)
    world.journal.entries.clear()
    await published_thread(world, amara)

    operations = set()
    for request in sent:
        path = request.url.path.removeprefix("/x")
        steps = path.split("/")
        if len(steps) == 6 and steps[3] == "upload":
            steps[4] = "{id}"
        operation = f"{request.method} {'/'.join(steps)}"
        operations.add(operation)
        for version, spec in SPECS.items():
            if request.method == "GET":
                assert set(request.url.params) <= set(spec["parameters"][operation])
            elif operation in spec["operations"]:
                schema = {"$ref": f"#/$defs/{spec['operations'][operation]}", "$defs": spec["$defs"]}
                errors = [
                    f"{version} {operation} {error.json_path}: {error.message}"
                    for error in Draft202012Validator(schema).iter_errors(body_of(request))
                ]
                assert errors == []
    assert operations == {
        *SPECS["2.167"]["operations"],
        "GET /2/media/upload",
        "POST /2/media/upload/{id}/finalize",
    }


async def published_thread(world: Any, account: Account) -> None:
    report = await resolved(world, account, Content(text="One"), Content(text="Two"))
    assert isinstance(report.outcome, Published)


@pytest.mark.parametrize("version", sorted(SPECS))
def test_the_documents_notice_what_is_wrong(version: str) -> None:
    spec = SPECS[version]
    validator = Draft202012Validator(
        {"$ref": f"#/$defs/{spec['operations']['POST /2/tweets']}", "$defs": spec["$defs"]}
    )
    for wrong in ({"texts": "a"}, {"poll": {"options": ["a"], "duration_minutes": 5}}, {"quote_tweet_id": "a"}):
        assert not validator.is_valid(wrong)


# --- uploads ------------------------------------------------------------------------------------------


async def test_a_video_is_sent_in_pieces_processed_and_published(world: Any, amara: Account) -> None:
    post = await published(world, amara, Content(text="Film", media=(video(world, 9 * MEGABYTE),)))
    (media,) = post["media"]
    assert media["bytes"] == 9 * MEGABYTE
    assert media["alt_text"] == "A talk"
    assert await world.calls(amara, "upload_append") == 3


@pytest.mark.parametrize("after", range(1, 6))
async def test_a_video_is_carried_on_where_the_process_ended(
    world: Any, amara: Account, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the initialization, each of three pieces, and the end of it: nothing is sent twice."""
    content = Content(text="Film", media=(video(world, 9 * MEGABYTE),))
    await crash_at_record(monkeypatch, after, lambda: world.run(world.request(amara, content)))
    report = await resolved(world, amara, content)
    assert isinstance(report.outcome, Published), report
    (post,) = await world.live(amara)
    assert post["media"][0]["bytes"] == 9 * MEGABYTE
    assert await world.calls(amara, "upload_init") == 1
    assert await world.calls(amara, "upload_append") == 3
    assert await world.calls(amara, "upload_finalize") == 1


@pytest.mark.parametrize("call", ["upload_init", "upload_append", "upload_finalize", "alt_text", "upload_status"])
@pytest.mark.parametrize("fault", ["reset_before", "accept_then_reset", "server_error_503", "rate_limited"])
async def test_every_call_of_an_upload_may_fail(world: Any, amara: Account, call: str, fault: str) -> None:
    await world.fault(amara, fault, call)
    post = await published(world, amara, Content(text="Film", media=(video(world, 5 * MEGABYTE),)))
    assert post["media"][0]["bytes"] == 5 * MEGABYTE
    if call != "upload_init":
        assert await world.calls(amara, "upload_init") == 1


async def test_what_x_cannot_process_is_refused(world: Any, amara: Account) -> None:
    await world.fault(amara, "media_processing_failed", "upload_finalize")
    report = await resolved(world, amara, Content(text="Film", media=(video(world),)))
    assert isinstance(report.outcome, Rejected)
    assert report.outcome.failure.rule == "twitter.media.processing"
    assert await world.live(amara) == []


async def test_an_upload_that_x_has_forgotten_is_begun_anew(
    world: Any, amara: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = Content(text="Film", media=(video(world, 5 * MEGABYTE),))
    await crash_at_record(monkeypatch, 2, lambda: world.run(world.request(amara, content)))
    key = publication_id("post_1", f"twitter:{amara.account_id}")
    entry = world.journal.entries[key]
    gone = replace(entry.uploads[0], media_id="123", session="/2/media/upload/123")
    world.journal.entries[key] = replace(entry, uploads=(gone,))
    report = await resolved(world, amara, content)
    assert isinstance(report.outcome, Published), report
    assert await world.calls(amara, "upload_init") == 2


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


async def test_a_post_is_taken_down_and_stays_so(world: Any, amara: Account) -> None:
    post = await published(world, amara, Content(text="Hello"))
    connector = world.connectors["twitter"]
    author = Author(account=amara, token=world.tokens.known[amara.account_id])
    live = LivePart(index=0, platform_post_id=post["id"])

    await connector.delete(author, live)
    await connector.delete(author, live)

    assert await world.live(amara) == []


def test_the_request_is_the_same_every_time(world: Any) -> None:
    draft = Draft(index=0, content=QUESTION, options={"poll_options": ["Tea", "Coffee"]}, uploads=())
    connector = world.connectors["twitter"]
    assert connector.request(None, draft) == connector.request(None, draft)


async def test_a_comment_of_its_own_has_nothing_of_its_posts_options(world: Any, amara: Account) -> None:
    post = await published(world, amara, QUESTION, options={"poll_options": ["Tea", "Coffee"]})
    world.journal.entries.clear()
    await world.fault(amara, "accept_then_reset")
    options: Options = {"poll_options": ["Tea", "Coffee"], "community_id": "5", "first_comment": "First!"}
    request = world.request(amara, Content(text="First!"), options=options, reply_to=post["id"])

    report = await world.run(request)
    while isinstance(report.outcome, Unknown):
        await world.clock.reach(report.outcome.probe_at)
        request = replace(request, attempt=request.attempt + 1)
        report = await world.run(request)

    assert isinstance(report.outcome, Published)
    _, comment = await world.live(amara)
    assert (comment["text"], comment["in_reply_to"], comment["options"]) == ("First!", post["id"], {})
