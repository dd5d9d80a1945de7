"""YouTube's connector against the sandbox: each way a video can go, and everything that can happen on it."""

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from jsonschema import Draft4Validator
from msgspec.structs import replace
from structlog.testing import capture_logs

from contracts.accounts import Account
from contracts.content import Content, LivePart, Media, Options
from contracts.posts import Deferred, Held, Published, Rejected, ReportOutcome, Unknown
from contracts.publishing import PublishRequested
from publisher import handlers
from publisher.adapters.http import new_client
from publisher.adapters.media import MediaFetcher
from publisher.adapters.memory import MemoryJournal
from publisher.adapters.youtube import GRAIN, YouTubeConnector
from publisher.domain.answers import Accepted, Ambiguous, Answer, Postponed, Processing, Refused, Retry, SetbackError
from publisher.domain.budgets import Budgets
from publisher.domain.publication import Policy, Publication, Upload
from publisher.ports import Author, Draft, Secret
from publisher.settings import RETRY_DELAYS
from sandbox.samples import SAMPLES

SIZE = 3 * GRAIN + 1_000
"""Three chunks, and the last one that makes the video."""
SECRET = "s3cret-token"
HANDLER_POINTS = (
    "claimed",
    "before_send_recorded",
    "send_recorded",
    "before_call",
    "after_call",
    "answer_recorded",
    "before_report",
    "after_report",
)
EVERYTHING: Options = {
    "post_type": "short",
    "title": "Launch day",
    "privacy": "UNLISTED",
    "made_for_kids": False,
    "contains_synthetic_media": True,
    "paid_product_placement": True,
    "category_id": "28",
    "tags": ["launch", "two words"],
    "license": "creative_common",
    "embeddable": False,
    "public_stats_viewable": False,
    "notify_subscribers": False,
    "default_language": "en",
    "default_audio_language": "en-GB",
}
SCHEMAS: dict[str, Any] = json.loads((Path(__file__).parent / "schemas" / "youtube-requests-v3.json").read_text())


class CrashError(BaseException):
    """The process ends here, whatever it would do about mere errors."""


def video(world: Any, *, size: int = SIZE, name: str = "video.mp4") -> Media:
    return Media(type="video", url=f"{world.url}/_sandbox/media/{name}?w=160&h=240&bytes={size}")


def clip(world: Any, **more: Any) -> Content:
    return Content(text="Behind the scenes", hashtags=("launch",), media=(video(world, **more),))


async def channel(world: Any, **more: Any) -> Account:
    account: Account = await world.account("youtube", token_expires_in=10**8, **more)
    return account


async def resolved(world: Any, request: PublishRequested, *, publisher: Any = None) -> ReportOutcome:
    """As the posts service does it: ask again, at the time named, until there is an outcome."""
    attempt = request.attempt
    for _ in range(80):
        report: ReportOutcome = await world.run(replace(request, attempt=attempt), publisher=publisher)
        match report.outcome:
            case Unknown(probe_at=at) | Deferred(until=at):
                await world.clock.reach(at)
                attempt += 1
            case _:
                return report
    raise AssertionError("never resolved")


async def settings(world: Any, **switches: Any) -> None:
    (await world.control.post("/settings", json={"youtube": switches})).raise_for_status()


def ranges(world: Any) -> list[str]:
    """The ranges of bytes that are sent from now on."""
    sent: list[str] = []

    async def note(request: httpx.Request) -> None:
        told = request.headers.get("content-range", "")
        if told.startswith("bytes ") and not told.startswith("bytes *"):
            sent.append(told.removeprefix("bytes ").partition("/")[0])

    world.client("youtube").event_hooks["request"].append(note)
    return sent


def author(account: Account | None = None, token: str = SECRET) -> Author:
    made = account or Account(
        account_id="acc_1",
        tenant_id="t",
        platform="youtube",
        platform_user_id="UC" + "x" * 22,
        username="amara",
        display_name="Amara",
        account_type="personal",
        connected_at=datetime.now(UTC),
    )
    return Author(account=made, token=Secret(token))


# --- the ways a video can go --------------------------------------------------------------------------


async def test_a_short_goes_out_with_all_that_was_asked_for(world: Any) -> None:
    account = await channel(world)

    report = await resolved(world, world.request(account, clip(world), options=EVERYTHING))

    (post,) = await world.live(account)
    assert isinstance(report.outcome, Published)
    (part,) = report.outcome.parts
    assert (part.platform_post_id, part.url) == (post["id"], f"https://www.youtube.com/shorts/{post['id']}")
    assert post["text"] == "Launch day\n\nBehind the scenes\n\n#launch"
    (file,) = post["media"]
    sample = SAMPLES["video.mp4"].render(w=160, h=240, bytes=SIZE)
    assert file["sha256"] == hashlib.sha256(sample).hexdigest()
    expected = {
        "post_type": "short",
        "privacyStatus": "unlisted",
        "containsSyntheticMedia": True,
        "hasPaidProductPlacement": True,
        "categoryId": "28",
        "tags": ["launch", "two words"],
        "license": "creativeCommon",
        "embeddable": False,
        "publicStatsViewable": False,
        "notifySubscribers": False,
        "defaultLanguage": "en",
        "defaultAudioLanguage": "en-GB",
    }
    assert expected.items() <= post["options"].items()
    assert [await world.calls(account, call) for call in ("upload_init", "upload_append", "create_post")] == [1, 3, 1]


@pytest.mark.parametrize("size", [GRAIN - 1, GRAIN, GRAIN + 1, 2 * GRAIN])
async def test_the_last_chunk_is_left_for_the_irreversible_call(world: Any, size: int) -> None:
    account = await channel(world)
    sent = ranges(world)

    report = await resolved(world, world.request(account, clip(world, size=size), title="Launch"))

    (post,) = await world.live(account)
    assert isinstance(report.outcome, Published)
    assert report.outcome.parts[0].url == f"https://www.youtube.com/watch?v={post['id']}"
    assert post["options"]["title"] == "Launch"
    assert sent == [f"{start}-{min(start + GRAIN, size) - 1}" for start in range(0, size, GRAIN)]
    assert await world.calls(account, "create_post") == 1


async def test_a_video_is_reported_when_it_is_processed(world: Any) -> None:
    account = await channel(world)
    await settings(world, processing_seconds=600)
    request = world.request(account, clip(world), title="Launch")

    first = await world.run(request)
    assert isinstance(first.outcome, Unknown)
    assert first.outcome.reason.code == "media_processing"
    report = await resolved(world, replace(request, attempt=2))

    assert isinstance(report.outcome, Published)
    assert await world.calls(account, "create_post") == 1
    assert await world.calls(account, "get_post") < 20


async def test_a_video_that_is_never_processed_is_held(world: Any) -> None:
    account = await channel(world)
    await settings(world, processing_seconds=10**7)

    report = await resolved_or_held(world, world.request(account, clip(world), title="Launch"))

    assert isinstance(report.outcome, Held)


async def resolved_or_held(world: Any, request: PublishRequested) -> ReportOutcome:
    report = request
    for attempt in range(1, 400):
        report = await world.run(replace(request, attempt=attempt))
        if not isinstance(report.outcome, Unknown):
            return report
        await world.clock.reach(report.outcome.probe_at)
    raise AssertionError("never resolved")


# --- crashes ------------------------------------------------------------------------------------------


class CrashingJournal(MemoryJournal):
    """Ends the process before or after one of its writes."""

    def __init__(self, at: int, *, after: bool) -> None:
        super().__init__()
        self.crashed = False
        self._left = at
        self._after = after

    async def save(self, entry: Publication) -> Publication:
        if self.crashed:
            return await super().save(entry)
        self._left -= 1
        if self._left:
            return await super().save(entry)
        self.crashed = True
        if self._after:
            await super().save(entry)
        raise CrashError


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_process_may_end_at_every_write(world: Any, after: bool) -> None:
    crashes = 0
    sent = ranges(world)
    for at in range(1, 40):
        (await world.control.post("/reset")).raise_for_status()
        sent.clear()
        account = await channel(world)
        journal = world.journal = CrashingJournal(at, after=after)
        request = world.request(account, clip(world), title="Launch")
        try:
            report = await resolved(world, request)
        except CrashError:
            crashes += 1
            report = await resolved(world, request)
        assert isinstance(report.outcome, Published), (at, report)
        (post,) = await world.live(account)
        assert report.outcome.parts[0].platform_post_id == post["id"]
        assert len(sent) == len(set(sent)) == 4, (at, sent)
        if not journal.crashed:
            break
    # The claim, the session, three chunks, the upload, the send, its answer, the look-up.
    assert crashes >= 9


@pytest.mark.parametrize("point", HANDLER_POINTS)
async def test_a_process_may_end_anywhere(world: Any, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    account = await channel(world)
    request = world.request(account, clip(world), title="Launch")

    async def crash(name: str) -> None:
        if name == f"publisher.{point}":
            raise CrashError

    with monkeypatch.context() as patch:
        patch.setattr(handlers, "reached", crash)
        with pytest.raises(CrashError):
            await world.run(request)
    report = await resolved(world, request)

    (post,) = await world.live(account)
    assert isinstance(report.outcome, Published)
    assert report.outcome.parts[0].platform_post_id == post["id"]
    assert await world.calls(account, "create_post") == 1
    assert await world.calls(account, "upload_init") == 1


@pytest.mark.parametrize("chunks", [0, 1, 2])
async def test_no_byte_is_sent_twice_after_a_crash(world: Any, chunks: int) -> None:
    account = await channel(world)
    # The first writes are the claim and the session.
    world.journal = CrashingJournal(3 + chunks, after=False)
    request = world.request(account, clip(world), title="Launch")
    sent = ranges(world)

    with pytest.raises(CrashError):
        await world.run(request)
    report = await resolved(world, request)

    assert isinstance(report.outcome, Published)
    assert sent == [f"{start}-{min(start + GRAIN, SIZE) - 1}" for start in range(0, SIZE, GRAIN)]
    assert await world.calls(account, "upload_init") == 1


class RangedServer:
    """Media whose server knows ranges, as the sandbox's does not."""

    def __init__(self, content: bytes, *, slow: int = 0) -> None:
        """`slow` answers to ranges do not come in time."""
        self.asked: list[str | None] = []
        self._slow = slow
        self._content = content

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        wanted = next((line for line in head.split("\r\n") if line.startswith("range:")), None)
        self.asked.append(None if wanted is None else wanted.removeprefix("range: bytes="))
        start = 0 if wanted is None else int(wanted.removeprefix("range: bytes=").rstrip("-"))
        status = "200 OK" if wanted is None else "206 Partial Content"
        if wanted is not None and self._slow:
            self._slow -= 1
            await reader.read()
            writer.close()
            return
        body = self._content[start:]
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


async def test_only_what_is_missing_is_fetched_again(world: Any) -> None:
    account = await channel(world)
    sample = SAMPLES["video.mp4"].render(w=160, h=240, bytes=SIZE)
    media = RangedServer(sample)
    world.journal = CrashingJournal(4, after=True)

    async with await asyncio.start_server(media.answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        content = Content(media=(Media(type="video", url=f"http://127.0.0.1:{port}/clip.mp4"),))
        request = world.request(account, content, title="Launch")
        with pytest.raises(CrashError):
            await world.run(request)
        report = await resolved(world, request)

    assert isinstance(report.outcome, Published)
    assert media.asked == [None, f"{2 * GRAIN}-", f"{3 * GRAIN}-"]
    (post,) = await world.live(account)
    assert post["media"][0]["sha256"] == hashlib.sha256(sample).hexdigest()


async def test_a_file_that_comes_too_slowly_for_the_last_chunk_leaves_no_doubt(world: Any) -> None:
    account = await channel(world)
    media = RangedServer(SAMPLES["video.mp4"].render(w=160, h=240, bytes=SIZE), slow=1)

    async with await asyncio.start_server(media.answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        content = Content(media=(Media(type="video", url=f"http://127.0.0.1:{port}/clip.mp4"),))
        request = world.request(account, content, title="Launch")
        first = await world.run(request)
        report = await resolved(world, request)

    assert isinstance(first.outcome, Deferred)
    assert first.outcome.reason.code == "media_unavailable"
    assert isinstance(report.outcome, Published)
    assert report.outcome.proof == "readback"
    assert await world.calls(account, "create_post") == 1


async def test_what_the_server_did_not_store_is_sent_again(world: Any) -> None:
    account = await channel(world)
    client = new_client(f"{world.url}/youtube", timeout=2.0)
    policy = Policy(call_timeout=2.0, fence=5.0, retry_delays=RETRY_DELAYS)
    world.connectors["youtube"] = YouTubeConnector(
        client, policy, world.fetcher, Budgets(), chunk_bytes=2 * GRAIN, now=world.clock.now
    )
    await world.fault(account, "partial_chunk", "upload_append")
    await world.fault(account, "upload_cut", "upload_append", params={"bytes": GRAIN + 77}, after=1)
    await world.fault(account, "partial_chunk", "create_post")
    sent = ranges(world)

    report = await resolved(world, world.request(account, clip(world, size=6 * GRAIN), title="Launch"))
    await client.aclose()

    assert isinstance(report.outcome, Published)
    assert [first.partition("-")[0] for first in sent] == [str(grain * GRAIN) for grain in (0, 1, 2, 4, 5)]
    (post,) = await world.live(account)
    sample = SAMPLES["video.mp4"].render(w=160, h=240, bytes=6 * GRAIN)
    assert post["media"][0]["sha256"] == hashlib.sha256(sample).hexdigest()


# --- faults -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["upload_init", "upload_append", "upload_status", "create_post", "get_post"])
@pytest.mark.parametrize(
    "fault",
    [
        "reset_before",
        "accept_then_reset",
        "accept_then_500",
        "accept_then_garbage",
        "garbage",
        "server_error_500",
        "server_error_503",
        "rate_limited",
        "rate_limited_without_headers",
        "unauthorized_401",
    ],
)
async def test_a_video_survives(world: Any, fault: str, call: str) -> None:
    account = await channel(world)
    await world.fault(account, fault, call)
    sent = ranges(world)

    report = await resolved(world, world.request(account, clip(world), title="Launch"))

    (post,) = await world.live(account)
    assert isinstance(report.outcome, Published), report
    assert report.outcome.parts[0].platform_post_id == post["id"]
    if fault.startswith("accept") and call in ("upload_append", "create_post"):
        assert len(sent) == len(set(sent)) == 4


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [("late_accept", 0.5), ("late_accept", 2.5), ("lost_timeout", 300.0), ("accept_then_slow", 9.0)],
)
async def test_a_last_chunk_without_an_answer(world: Any, fault: str, seconds: float) -> None:
    account = await channel(world)
    await world.fault(account, fault, params={"seconds": seconds})

    report = await resolved(world, world.request(account, clip(world), title="Launch"))
    if fault == "late_accept":
        await world.accepted_late(account)

    (post,) = await world.live(account)
    assert isinstance(report.outcome, Published)
    assert report.outcome.parts[0].platform_post_id == post["id"]


async def test_a_video_that_reads_do_not_show_yet(world: Any) -> None:
    account = await channel(world)
    await world.fault(account, "readback_lag", params={"seconds": 120})

    report = await resolved(world, world.request(account, clip(world), title="Launch"))

    assert isinstance(report.outcome, Published)
    assert len(await world.live(account)) == 1


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize("fault", ["accept_then_reset", "reset_before"])
async def test_a_session_that_ends_while_in_doubt(world: Any, fault: str, status: int) -> None:
    account = await channel(world)
    await settings(world, session_seconds=8, expired_session_status=status)
    await world.fault(account, fault)
    # Another video of the same channel, and one of the same name from before.
    await resolved(world, world.request(account, clip(world), title="Other"))
    await world.clock.sleep(3_600)
    await world.fault(account, fault)
    before = len(await world.live(account))
    world.journal = MemoryJournal()
    request = world.request(account, clip(world), title="Launch", options={"tags": ["a b", "c"]})

    first = await world.run(request)
    assert isinstance(first.outcome, Unknown)
    await world.clock.sleep(60)
    report = await resolved(world, replace(request, attempt=2))

    assert isinstance(report.outcome, Published)
    live = await world.live(account)
    assert len(live) == before + 1
    assert report.outcome.parts[0].platform_post_id == live[-1]["id"]


async def test_two_targets_in_doubt_about_the_same_words_find_a_video_each(world: Any) -> None:
    account = await channel(world)
    await settings(world, session_seconds=8)
    await world.fault(account, "accept_then_reset", times=2)
    first = world.request(account, clip(world), title="Launch")
    second = replace(first, post_id="post_2")
    for request in (first, second):
        assert isinstance((await world.run(request)).outcome, Unknown)
    await world.clock.sleep(60)

    found = [await resolved(world, replace(request, attempt=2)) for request in (first, second)]

    outcomes = [report.outcome for report in found]
    assert all(isinstance(outcome, Published) for outcome in outcomes)
    ids = [part.platform_post_id for outcome in outcomes for part in outcome.parts]
    assert sorted(ids) == sorted(post["id"] for post in await world.live(account))
    assert len(set(ids)) == 2


@pytest.mark.parametrize("status", [404, 410])
async def test_a_session_that_ends_before_the_last_chunk_is_opened_anew(world: Any, status: int) -> None:
    account = await channel(world)
    await settings(world, session_seconds=600, expired_session_status=status)
    await world.fault(account, "unauthorized_401", "upload_append", after=1)
    request = world.request(account, clip(world), title="Launch")

    assert isinstance((await world.run(request)).outcome, Deferred)
    await world.clock.sleep(601)
    report = await resolved(world, replace(request, attempt=2))

    assert isinstance(report.outcome, Published)
    assert len(await world.live(account)) == 1
    assert await world.calls(account, "upload_init") == 2


async def test_a_session_that_we_think_has_ended_is_opened_anew(world: Any) -> None:
    account = await channel(world)
    await world.fault(account, "unauthorized_401", "upload_status")
    request = world.request(account, clip(world), title="Launch")

    assert isinstance((await world.run(request)).outcome, Deferred)
    await world.clock.sleep(86_400)
    report = await resolved(world, replace(request, attempt=2))

    assert isinstance(report.outcome, Published)
    assert len(await world.live(account)) == 1
    assert await world.calls(account, "upload_init") == 2


async def test_a_title_changed_in_between_is_the_one_that_goes_out(world: Any) -> None:
    account = await channel(world)
    await world.fault(account, "unauthorized_401", "upload_status")
    await world.run(world.request(account, clip(world), title="Old"))

    report = await resolved(world, world.request(account, clip(world), title="New", attempt=2))

    assert isinstance(report.outcome, Published)
    (post,) = await world.live(account)
    assert post["options"]["title"] == "New"


# --- what YouTube makes of it -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "rule"),
    [
        *(
            ({"failureReason": reason}, f"youtube.processing.{rule}")
            for reason, rule in (
                ("conversion", "conversion"),
                ("invalidFile", "invalid_file"),
                ("emptyFile", "empty_file"),
                ("tooSmall", "too_small"),
                ("codec", "codec"),
                ("uploadAborted", "upload_aborted"),
            )
        ),
        *(
            ({"rejectionReason": reason}, f"youtube.rejected.{rule}")
            for reason, rule in (
                ("copyright", "copyright"),
                ("inappropriate", "inappropriate"),
                ("duplicate", "duplicate"),
                ("termsOfUse", "terms_of_use"),
                ("uploaderAccountSuspended", "uploader_account_suspended"),
                ("uploaderAccountClosed", "uploader_account_closed"),
                ("length", "length"),
                ("claim", "claim"),
                ("trademark", "trademark"),
                ("legal", "legal"),
                ("somethingNew", ""),
            )
        ),
    ],
)
async def test_what_cannot_be_processed_is_refused_with_the_reason(
    world: Any, status: dict[str, str], rule: str
) -> None:
    account = await channel(world)
    await world.fault(account, "media_processing_failed", "upload_finalize", params={"body": status})

    report = await resolved(world, world.request(account, clip(world, size=GRAIN), title="Launch"))

    assert isinstance(report.outcome, Rejected)
    failure = report.outcome.failure
    assert failure.rule == rule.removesuffix(".")
    assert failure.message
    assert failure.remediation
    assert await world.live(account) == []


async def test_a_refused_video_can_be_published_again(world: Any) -> None:
    account = await channel(world)
    await world.fault(account, "media_processing_failed", "upload_finalize")
    request = world.request(account, clip(world), title="Launch")
    assert isinstance((await resolved(world, request)).outcome, Rejected)

    report = await resolved(world, replace(request, attempt=50))

    assert isinstance(report.outcome, Published)
    assert len(await world.live(account)) == 1
    assert await world.calls(account, "upload_init") == 2


async def test_quota_used_up_waits_for_midnight_in_california(world: Any) -> None:
    first, second, third = await channel(world), await channel(world), await channel(world)
    process = world.process()
    await world.fault(third, "unauthorized_401", "upload_status")
    waiting = world.request(third, clip(world), title="Open already")
    assert isinstance((await world.run(waiting, publisher=process)).outcome, Deferred)
    await settings(world, quotas={"uploads": 1})

    report = await world.run(world.request(first, clip(world), title="Launch"), publisher=process)
    assert isinstance(report.outcome, Deferred)
    assert report.outcome.reason.code == "rate_limited"
    until = report.outcome.until.astimezone(ZoneInfo("America/Los_Angeles"))
    assert (until.hour, until.minute) == (0, 0)
    assert world.clock.now() < until < world.clock.now() + timedelta(hours=25)

    other = await world.run(world.request(second, clip(world), title="Launch"), publisher=process)
    assert isinstance(other.outcome, Deferred)
    assert await world.calls(second, "upload_init") == 0
    # What is open needs no quota.
    assert isinstance((await resolved(world, replace(waiting, attempt=2), publisher=process)).outcome, Published)
    assert isinstance(
        (await resolved(world, world.request(first, clip(world), title="Launch", attempt=2))).outcome, Published
    )


async def test_a_channel_that_has_uploaded_enough_waits_a_day(world: Any) -> None:
    account, other = await channel(world), await channel(world)
    await settings(world, channel_uploads=0)
    process = world.process()

    report = await world.run(world.request(account, clip(world), title="Launch"), publisher=process)

    assert isinstance(report.outcome, Deferred)
    assert timedelta(hours=23) < report.outcome.until - world.clock.now() <= timedelta(hours=24)
    await settings(world, channel_uploads=100)
    assert isinstance(
        (await resolved(world, world.request(other, clip(world), title="Hi"), publisher=process)).outcome, Published
    )


async def test_metadata_that_youtube_refuses_is_refused_with_the_rule(world: Any) -> None:
    account = await channel(world)
    report = await resolved(world, world.request(account, clip(world), title="a <b>"))
    assert isinstance(report.outcome, Rejected)
    assert report.outcome.failure.rule == "youtube.title"


async def test_what_is_no_video_is_not_even_offered(world: Any) -> None:
    account = await channel(world)
    for media in (
        Media(type="image", url=f"{world.url}/_sandbox/media/image.png"),
        Media(type="video", url=f"{world.url}/_sandbox/media/image.png"),
    ):
        world.journal = MemoryJournal()
        report = await world.run(world.request(account, Content(media=(media,)), title="Launch"))
        assert isinstance(report.outcome, Rejected)
        assert report.outcome.failure.code == "media_rejected"
    assert await world.calls(account, "upload_init") == 0


# --- what is added to it ------------------------------------------------------------------------------


async def test_a_thumbnail_is_set(world: Any) -> None:
    account = await channel(world, premium=True)
    options = {"thumbnail_url": f"{world.url}/_sandbox/media/image.png?bytes=300000"}

    await resolved(world, world.request(account, clip(world), title="Launch", options=options))

    (post,) = await world.live(account)
    image = SAMPLES["image.png"].render(bytes=300_000)
    assert post["options"]["thumbnail"] == hashlib.sha256(image).hexdigest()


@pytest.mark.parametrize("fault", [None, "reset_before", "server_error_500", "garbage", "lost_timeout"])
async def test_no_thumbnail_fails_no_video(world: Any, fault: str | None) -> None:
    account = await channel(world, premium=fault is not None)
    if fault is not None:
        await world.fault(account, fault, "thumbnail", times=None)
    options = {"thumbnail_url": f"{world.url}/_sandbox/media/image.png"}

    with capture_logs() as logs:
        report = await resolved(world, world.request(account, clip(world), title="Launch", options=options))

    assert isinstance(report.outcome, Published)
    if fault != "garbage":
        assert [each for each in logs if each["log_level"] == "warning"]


@pytest.mark.parametrize("url", ["/_sandbox/media/document.pdf", "/_sandbox/nowhere"])
async def test_a_bad_thumbnail_fails_no_video(world: Any, url: str) -> None:
    account = await channel(world, premium=True)
    request = world.request(account, clip(world), title="Launch", options={"thumbnail_url": world.url + url})

    with capture_logs() as logs:
        report = await resolved(world, request)

    assert isinstance(report.outcome, Published)
    assert "thumbnail" in next(each["event"] for each in logs if each["log_level"] == "warning")
    assert await world.calls(account, "thumbnail") == 0


async def test_a_video_is_added_to_its_playlist_once(world: Any) -> None:
    account = await channel(world)
    client = world.client("youtube")
    headers = {"Authorization": f"Bearer {world.tokens.known[account.account_id].reveal()}"}
    made = await client.post(
        "/youtube/v3/playlists",
        params={"part": "snippet"},
        json={"snippet": {"title": "Best"}},
        headers=headers,
    )
    playlist = made.raise_for_status().json()["id"]
    request = world.request(account, clip(world), title="Launch", options={"playlist_id": playlist})
    # The first time that the video is found live is not recorded.
    await settings(world, processing_seconds=0)
    world.journal = CrashingJournal(8, after=False)

    with pytest.raises(CrashError):
        await resolved(world, request)
    assert await world.calls(account, "add_to_playlist") == 1
    report = await resolved(world, request)

    assert isinstance(report.outcome, Published)
    assert await world.calls(account, "add_to_playlist") == 1


# --- the first comment --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        None,
        "reset_before",
        "accept_then_reset",
        "accept_then_500",
        "accept_then_garbage",
        "server_error_503",
        "rate_limited",
        "unauthorized_401",
    ],
)
async def test_a_comment_follows_the_video_once(world: Any, fault: str | None) -> None:
    account = await channel(world)
    if fault is not None:
        await world.fault(account, fault, "create_comment")
    request = world.request(account, clip(world), Content(text="First! & <hello>"), title="Launch")

    report = await resolved(world, request)

    published, comment = await world.live(account)
    assert isinstance(report.outcome, Published)
    assert (comment["in_reply_to"], comment["text"]) == (published["id"], "First! & <hello>")
    assert [part.platform_post_id for part in report.outcome.parts] == [published["id"], comment["id"]]
    assert report.outcome.parts[1].url == f"https://www.youtube.com/watch?v={published['id']}&lc={comment['id']}"


async def test_a_comment_that_nobody_can_make_is_refused(world: Any) -> None:
    account = await channel(world)
    options = {"made_for_kids": True}
    request = world.request(account, clip(world), Content(text="First!"), title="Launch", options=options)

    report = await resolved(world, request)

    assert isinstance(report.outcome, Rejected)
    assert report.outcome.failure.rule == "youtube.comments_disabled"
    assert len(report.outcome.parts) == 1


async def test_videos_and_comments_can_be_deleted(world: Any) -> None:
    account = await channel(world)
    request = world.request(account, clip(world), Content(text="First!"), title="Launch")
    report = await resolved(world, request)
    token = world.tokens.known[account.account_id]
    youtube, who = world.connectors["youtube"], Author(account=account, token=token)
    assert isinstance(report.outcome, Published)

    for part in reversed(report.outcome.parts):
        await youtube.delete(who, part)
        await youtube.delete(who, part)

    assert await world.live(account) == []
    await world.fault(account, "forbidden_403", "delete_post")
    with pytest.raises(SetbackError) as refused:
        await youtube.delete(who, LivePart(index=0, platform_post_id="a" * 11))
    assert isinstance(refused.value.setback, Refused)


# --- what answers mean --------------------------------------------------------------------------------


def google(status: int, reason: str, domain: str = "youtube.video") -> httpx.Response:
    detail = {"message": "no", "domain": domain, "reason": reason}
    return httpx.Response(status, json={"error": {"code": status, "message": "no", "errors": [detail]}})


ROWS: list[tuple[httpx.Response, type[Answer], str | None]] = [
    *(
        (google(400, reason), Refused, f"youtube.{rule}")
        for reason, rule in (
            ("invalidTitle", "title"),
            ("invalidDescription", "description"),
            ("invalidTags", "tags"),
            ("invalidCategoryId", "category_id"),
            ("invalidPublishAt", "metadata"),
            ("defaultLanguageNotSet", "default_language"),
            ("mediaBodyRequired", "media"),
            ("commentTextTooLong", "comment.length"),
            ("badRequest", "invalid_request"),
        )
    ),
    (google(400, "uploadLimitExceeded"), Postponed, None),
    (google(400, "processingFailure"), Ambiguous, None),
    (httpx.Response(400, text="Failed to parse Content-Range header."), Ambiguous, None),
    (google(401, "authError", "global"), Retry, "token_refused"),
    (google(401, "youtubeSignupRequired", "youtube.header"), Refused, "youtube.no_channel"),
    (httpx.Response(401, json={"error": {"status": "UNAUTHENTICATED"}}), Retry, "token_refused"),
    (httpx.Response(401, text="<html>"), Ambiguous, None),
    (google(403, "quotaExceeded", "youtube.quota"), Postponed, None),
    (google(403, "dailyLimitExceeded", "usageLimits"), Postponed, None),
    (google(403, "rateLimitExceeded", "usageLimits"), Postponed, None),
    (google(429, "userRateLimitExceeded", "usageLimits"), Postponed, None),
    (google(403, "insufficientPermissions", "global"), Refused, "youtube.permission"),
    (google(403, "forbidden", "youtube.common"), Refused, "youtube.forbidden"),
    (google(403, "forbiddenPrivacySetting"), Refused, "youtube.privacy"),
    (google(403, "accessNotConfigured", "usageLimits"), Postponed, None),
    (google(403, "authenticatedUserAccountSuspended"), Retry, "token_dead"),
    (google(403, "channelClosed"), Retry, "token_dead"),
    (google(403, "commentsDisabled"), Refused, "youtube.comments_disabled"),
    (google(403, "somethingNew"), Ambiguous, None),
    (httpx.Response(403, text="<html>"), Ambiguous, None),
    (google(404, "videoNotFound"), Refused, "youtube.not_found"),
    (httpx.Response(404), Ambiguous, None),
    (google(409, "conflict"), Refused, "youtube.conflict"),
    (google(412, "conditionNotMet"), Retry, "media_refused"),
    (google(416, "requestedRangeNotSatisfiable"), Retry, "media_refused"),
    (google(413, "uploadTooLarge"), Refused, "youtube.media.size"),
    (google(500, "internalError"), Ambiguous, None),
    (google(503, "backendError"), Ambiguous, None),
    (httpx.Response(502, text="<html>"), Ambiguous, None),
    (google(418, "teapot"), Ambiguous, None),
    (httpx.Response(302, headers={"location": "http://elsewhere"}), Ambiguous, None),
    (httpx.Response(200, json={"kind": "youtube#commentThread"}), Ambiguous, None),
    (httpx.Response(200, text="<html>"), Ambiguous, None),
]
COMMENT = Draft(index=1, content=Content(text="Hi"), options={}, uploads=(), reply_to="a" * 11)


@pytest.fixture
async def fetcher() -> AsyncIterator[MediaFetcher]:
    fetcher = MediaFetcher(allow_private=True)
    yield fetcher
    await fetcher.close()


def connector(fetcher: MediaFetcher, transport: httpx.AsyncBaseTransport) -> YouTubeConnector:
    client = httpx.AsyncClient(transport=transport, base_url="http://platform")
    return YouTubeConnector(client, Policy(retry_delays=RETRY_DELAYS), fetcher, Budgets(), chunk_bytes=GRAIN)


@pytest.mark.parametrize(("response", "kind", "detail"), ROWS)
async def test_a_row_of_the_table(
    fetcher: MediaFetcher, response: httpx.Response, kind: type[Answer], detail: str | None
) -> None:
    answer = await connector(fetcher, httpx.MockTransport(lambda _: response)).send(author(), COMMENT, b"{}")

    assert type(answer) is kind
    if isinstance(answer, Retry):
        assert answer.cause == detail
    elif isinstance(answer, Refused):
        assert answer.failure.rule == detail
    assert not isinstance(answer, Accepted)
    assert answer.failure.message
    assert SECRET not in repr(answer)


MORE = httpx.Response(308, headers={"range": f"bytes=0-{GRAIN - 1}"})
MADE = httpx.Response(201, json={"id": "a" * 11, "status": {"uploadStatus": "uploaded"}})


@pytest.mark.parametrize(
    ("status", "last", "kind", "detail"),
    [
        (httpx.ConnectError("refused"), None, Retry, "unreachable"),
        (httpx.ReadTimeout("slow"), None, Retry, "unreachable"),
        (google(503, "backendError"), None, Retry, "unreachable"),
        (httpx.Response(200, text="<html>"), None, Retry, "unreachable"),
        (google(401, "authError", "global"), None, Retry, "token_refused"),
        (google(403, "forbidden"), None, Refused, "youtube.forbidden"),
        (httpx.Response(404), None, Retry, "media_refused"),
        (httpx.Response(410), None, Retry, "media_refused"),
        (httpx.Response(308), None, Retry, "media_refused"),
        (MORE, httpx.ConnectError("refused"), Retry, "unreachable"),
        (MORE, httpx.ReadTimeout("slow"), Ambiguous, None),
        (MORE, httpx.WriteError("broke"), Ambiguous, None),
        (MORE, MORE, Retry, "unreachable"),
        (MORE, httpx.Response(404), Retry, "media_refused"),
        (MORE, google(401, "authError", "global"), Retry, "token_refused"),
        (MORE, google(500, "backendError"), Ambiguous, None),
        (MORE, httpx.Response(502, text="<html>"), Ambiguous, None),
        (MORE, httpx.Response(200, text="<html>"), Ambiguous, None),
        (MORE, httpx.Response(201, json={"kind": "youtube#video"}), Ambiguous, None),
        (MORE, MADE, Processing, None),
        (
            MORE,
            httpx.Response(200, json={"id": "a" * 11, "status": {"uploadStatus": "processed"}}),
            Accepted,
            None,
        ),
    ],
)
async def test_a_row_of_the_last_chunks_table(
    world: Any,
    fetcher: MediaFetcher,
    status: httpx.Response | httpx.HTTPError,
    last: httpx.Response | httpx.HTTPError | None,
    kind: type[Answer],
    detail: str | None,
) -> None:
    answers = [httpx.Response(200, headers={"location": "http://platform/session"}), MORE, status, last]

    def answer(_: httpx.Request) -> httpx.Response:
        following = answers.pop(0)
        if isinstance(following, httpx.HTTPError):
            raise following
        assert following is not None
        return following

    async def record(_: Upload) -> None:
        pass

    content = clip(world, size=2 * GRAIN)
    draft = Draft(index=0, title="Launch", content=content, options={}, uploads=())
    youtube = connector(fetcher, httpx.MockTransport(answer))
    upload = await youtube.upload(author(), draft, content.media[0], record)
    answered = await youtube.send(author(), replace(draft, uploads=(upload,)), b"{}")

    assert type(answered) is kind
    if isinstance(answered, Retry):
        assert answered.cause == detail
    elif isinstance(answered, Refused):
        assert answered.failure.rule == detail
    elif isinstance(answered, Processing):
        assert answered.handle == "a" * 11


async def test_a_limit_is_kept_to_as_long_as_it_is_told(fetcher: MediaFetcher) -> None:
    limited = google(429, "rateLimitExceeded", "usageLimits")
    limited.headers["retry-after"] = "600"
    answer = await connector(fetcher, httpx.MockTransport(lambda _: limited)).send(author(), COMMENT, b"{}")
    assert isinstance(answer, Postponed)
    assert answer.until > datetime.now(UTC) + timedelta(seconds=590)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx.ConnectError("refused"), Retry),
        (httpx.PoolTimeout("busy"), Retry),
        (httpx.ReadTimeout("slow"), Ambiguous),
        (httpx.WriteError("broke"), Ambiguous),
        (httpx.RemoteProtocolError("hung up"), Ambiguous),
    ],
)
async def test_only_what_was_never_sent_is_sent_again(
    fetcher: MediaFetcher, failure: httpx.HTTPError, kind: type[Answer]
) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise failure

    assert type(await connector(fetcher, httpx.MockTransport(fail)).send(author(), COMMENT, b"{}")) is kind


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("http://platform/upload/youtube/v3/videos?upload_id=1", True),
        ("https://www.googleapis.com/upload/youtube/v3/videos?upload_id=1", True),
        ("https://evil.example/upload?upload_id=1", False),
        ("https://googleapis.com.evil.example/upload", False),
        ("http://www.googleapis.com/upload", False),
        ("http://platform:81/upload", False),
        ("", False),
    ],
)
async def test_bytes_and_tokens_go_to_youtube_only(world: Any, fetcher: MediaFetcher, url: str, taken: bool) -> None:
    asked: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200, headers={"location": url})

    async def record(_: Upload) -> None:
        pass

    content = clip(world, size=GRAIN)
    draft = Draft(index=0, title="Launch", content=content, options={}, uploads=())
    youtube = connector(fetcher, httpx.MockTransport(answer))
    if taken:
        upload = await youtube.upload(author(), draft, content.media[0], record)
        assert (upload.session, upload.sent, upload.ready) == (url, 0, True)
    else:
        with pytest.raises(SetbackError):
            await youtube.upload(author(), draft, content.media[0], record)
    assert [str(each.host) for each in asked] == ["platform"]


# --- the requests -------------------------------------------------------------------------------------


def valid(name: str, body: Any) -> None:
    schema = {"$ref": f"#/definitions/{name}", "definitions": SCHEMAS["definitions"]}
    assert [f"{error.json_path}: {error.message}" for error in Draft4Validator(schema).iter_errors(body)] == []


async def test_every_request_is_as_the_discovery_document_says(world: Any) -> None:
    account = await channel(world, premium=True)
    seen: list[httpx.Request] = []

    async def note(request: httpx.Request) -> None:
        await request.aread()
        seen.append(request)

    client = world.client("youtube")
    headers = {"Authorization": f"Bearer {world.tokens.known[account.account_id].reveal()}"}
    made = await client.post(
        "/youtube/v3/playlists", params={"part": "snippet"}, json={"snippet": {"title": "Best"}}, headers=headers
    )
    options = {
        **EVERYTHING,
        "thumbnail_url": f"{world.url}/_sandbox/media/image.png",
        "playlist_id": made.json()["id"],
    }
    client.event_hooks["request"].append(note)
    await settings(world, session_seconds=8)
    await world.fault(account, "accept_then_reset")
    await world.fault(account, "accept_then_reset", "create_comment")
    request = world.request(account, clip(world), Content(text="First!"), options=options)
    assert isinstance((await world.run(request)).outcome, Unknown)
    await world.clock.sleep(60)
    report = await resolved(world, replace(request, attempt=2))
    assert isinstance(report.outcome, Published)
    for part in report.outcome.parts:
        await world.connectors["youtube"].delete(
            Author(account=account, token=world.tokens.known[account.account_id]), part
        )

    called = set()
    for each in seen:
        path = each.url.path.removeprefix("/youtube").removeprefix("/upload").removeprefix("/")
        method = "POST" if each.method == "PUT" else each.method
        (name,) = [name for name, call in SCHEMAS["calls"].items() if (call["method"], call["path"]) == (method, path)]
        call = SCHEMAS["calls"][name]
        called.add(name)
        assert set(each.url.params) <= {*call["parameters"], "uploadType", "upload_id"}, name
        assert {parameter for parameter, needed in call["parameters"].items() if needed} <= set(each.url.params)
        if each.headers.get("content-type", "").startswith("application/json"):
            valid(call["request"], json.loads(each.content))
    assert called == {
        "videos.insert",
        "videos.list",
        "videos.delete",
        "channels.list",
        "playlistItems.list",
        "playlistItems.insert",
        "thumbnails.set",
        "commentThreads.insert",
        "commentThreads.list",
        "comments.delete",
    }


async def test_a_request_is_the_same_every_time_and_holds_no_secret(fetcher: MediaFetcher) -> None:
    youtube = connector(fetcher, httpx.MockTransport(lambda _: httpx.Response(500)))
    upload = Upload(
        part=0,
        source="http://e.com/a",
        type="video",
        alt_text=None,
        media_id="",
        session="https://www.googleapis.com/upload?upload_id=capability",
        size=1,
        uploaded_at=datetime.now(UTC),
    )
    draft = Draft(index=0, title="Launch", content=Content(text="Hi"), options=EVERYTHING, uploads=(upload,))
    request = youtube.request(author(), draft)
    assert request == youtube.request(author(), replace(draft))
    assert request != youtube.request(author(), replace(draft, uploads=(replace(upload, session="other"),)))
    assert request != youtube.request(author(), replace(draft, content=Content(text="Ho")))
    for made in (request, youtube.request(author(), COMMENT)):
        assert SECRET.encode() not in made
        assert b"capability" not in made


@pytest.mark.parametrize("fault", ["reset_before", "accept_then_500", "garbage", "server_error_503"])
async def test_the_address_of_a_session_is_told_to_nobody(
    world: Any, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    account = await channel(world)
    for call in ("upload_append", "create_post"):
        await world.fault(account, fault, call)

    with capture_logs() as logs, caplog.at_level(logging.WARNING):
        await resolved(world, world.request(account, clip(world), title="Launch"))

    (entry,) = world.journal.entries.values()
    (upload,) = entry.uploads
    capability = httpx.URL(upload.session).params["upload_id"]
    told = f"{logs} {caplog.records} {world.sender.sent} {replace(entry, uploads=())}"
    assert capability not in told
    answer = await world.control.get("/requests")
    assert capability not in answer.text


def test_chunks_have_the_grain_that_youtube_asks_for(fetcher: MediaFetcher) -> None:
    with pytest.raises(ValueError, match="multiples"):
        YouTubeConnector(
            httpx.AsyncClient(), Policy(retry_delays=RETRY_DELAYS), fetcher, Budgets(), chunk_bytes=GRAIN + 1
        )
