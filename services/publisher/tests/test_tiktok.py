"""TikTok's connector against the sandbox: each way a post can go, and everything that can happen on it."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from contracts.accounts import Account, DisconnectAccount
from contracts.content import Content, LivePart, Media
from contracts.posts import Deferred, Held, Published, Rejected, ReportOutcome, Unknown
from contracts.publishing import PublishRequested
from publisher import handlers
from publisher.adapters.media import MediaFetcher
from publisher.adapters.memory import MemoryJournal
from publisher.adapters.tiktok import TikTokConnector
from publisher.domain.answers import (
    Ambiguous,
    Answer,
    Postponed,
    Processing,
    Refused,
    Retry,
    SetbackError,
)
from publisher.domain.budgets import Budgets
from publisher.domain.publication import Policy, Publication, Upload
from publisher.ports import Author, Draft, Secret
from publisher.settings import RETRY_DELAYS
from sandbox.samples import SAMPLES

MB = 1_000_000
PUBLIC = {"privacy_level": "public_to_everyone"}
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


class CrashError(Exception):
    """The process ends here."""


def video(world: Any, *, size: int = 0, seconds: int = 3, name: str = "video.mp4", side: int = 368) -> Media:
    query = f"w={side}&h=640&seconds={seconds}" + (f"&bytes={size}" if size else "")
    return Media(type="video", url=f"{world.url}/_sandbox/media/{name}?{query}")


def photo(world: Any, shade: int = 10, *, name: str = "image.jpg") -> Media:
    return Media(type="image", url=f"{world.url}/_sandbox/media/{name}?shade={shade}", alt_text="A cat")


def clip(world: Any, **more: Any) -> Content:
    return Content(text="Hello from a test", hashtags=("testing",), mentions=("bola",), media=(video(world, **more),))


def carousel(world: Any) -> Content:
    return Content(text="Two cats", media=(photo(world, 10), photo(world, 20)))


def sha256(name: str, **parameters: int) -> str:
    return hashlib.sha256(SAMPLES[name].render(**parameters)).hexdigest()


async def resolved(world: Any, request: PublishRequested) -> ReportOutcome:
    """As the posts service does it: ask again, at the time named, until there is an outcome."""
    attempt = request.attempt
    for _ in range(60):
        report: ReportOutcome = await world.run(replace(request, attempt=attempt))
        match report.outcome:
            case Unknown(probe_at=at) | Deferred(until=at):
                await world.clock.reach(at)
                # What the sandbox fetches takes real time.
                await asyncio.sleep(0.01)
                attempt += 1
            case _:
                return report
    raise AssertionError("never resolved")


async def statuses(world: Any, account: Account, call: str) -> list[int | None]:
    answer = await world.control.get("/requests", params={"account": account.platform_user_id, "call": call})
    return [request["status"] for request in answer.raise_for_status().json()["requests"]]


async def settings(world: Any, **switches: Any) -> None:
    (await world.control.post("/settings", json={"tiktok": switches})).raise_for_status()


# --- the ways a post can go ---------------------------------------------------------------------------


async def test_a_public_video_is_named_by_its_id(world: Any) -> None:
    account = await world.account("tiktok")
    options = {**PUBLIC, "allow_comment": True, "is_aigc": True, "video_cover_timestamp_ms": 1_000}

    report = await resolved(world, world.request(account, clip(world), options=options))

    (post,) = await world.live(account)
    assert isinstance(report.outcome, Published)
    (part,) = report.outcome.parts
    assert part == LivePart(
        index=0, platform_post_id=post["id"], url=f"https://www.tiktok.com/@{account.username}/video/{post['id']}"
    )
    assert post["text"] == "Hello from a test\n\n@bola #testing"
    assert post["media"][0]["sha256"] == sha256("video.mp4", w=368, h=640)
    asked = {name: post["options"][name] for name in ("disable_comment", "disable_duet", "disable_stitch", "is_aigc")}
    assert asked == {"disable_comment": False, "disable_duet": True, "disable_stitch": True, "is_aigc": True}
    assert post["options"]["video_cover_timestamp_ms"] == 1_000
    assert await world.calls(account, "creator_info") == 1


async def test_a_private_video_is_named_by_its_publish_id(world: Any) -> None:
    account = await world.account("tiktok")

    report = await resolved(world, world.request(account, clip(world), options={"privacy_level": "SELF_ONLY"}))

    (post,) = await world.live(account)
    assert isinstance(report.outcome, Published)
    (part,) = report.outcome.parts
    assert part.platform_post_id == post["options"]["publish_id"]
    assert part.url == f"https://www.tiktok.com/@{account.username}"


async def test_an_id_that_does_not_come_is_waited_for_only_so_long(world: Any) -> None:
    account = await world.account("tiktok")
    await settings(world, moderation_seconds=90_000)

    started = world.clock.now()
    report = await resolved(world, world.request(account, clip(world), options=PUBLIC))

    (post,) = await world.live(account)
    assert isinstance(report.outcome, Published)
    assert report.outcome.parts[0].platform_post_id == post["options"]["publish_id"]
    assert world.clock.now() - started >= timedelta(minutes=10)


async def test_a_large_video_goes_in_chunks(world: Any) -> None:
    account = await world.account("tiktok")

    report = await resolved(world, world.request(account, clip(world, size=30 * MB + 1), options=PUBLIC))

    (post,) = await world.live(account)
    assert isinstance(report.outcome, Published), report
    assert post["media"][0]["sha256"] == sha256("video.mp4", w=368, h=640, bytes=30 * MB + 1)
    assert await statuses(world, account, "upload_append") == [206, 206]
    assert await statuses(world, account, "create_post") == [201]


async def test_photos_are_a_carousel(world: Any) -> None:
    account = await world.account("tiktok")
    options = {**PUBLIC, "title": "Cats", "photo_cover_index": 1, "auto_add_music": True}

    report = await resolved(world, world.request(account, carousel(world), options=options, title="Not this"))

    (post,) = await world.live(account)
    assert isinstance(report.outcome, Published)
    assert report.outcome.parts[0].url == f"https://www.tiktok.com/@{account.username}/photo/{post['id']}"
    assert (post["text"], post["options"]["title"]) == ("Two cats", "Cats")
    assert (post["options"]["photo_cover_index"], post["options"]["auto_add_music"]) == (1, True)
    assert [each["sha256"] for each in post["media"]] == [sha256("image.jpg", shade=shade) for shade in (10, 20)]
    assert await statuses(world, account, "create_post") == [200]


@pytest.mark.parametrize("kind", ["video", "photo"])
async def test_the_inbox_has_it_when_it_is_delivered(world: Any, kind: str) -> None:
    account = await world.account("tiktok", scopes=["user.info.basic", "video.upload"])
    content = Content(media=(video(world),)) if kind == "video" else carousel(world)

    report = await resolved(world, world.request(account, content, options={"mode": "inbox"}))

    (post,) = await world.live(account)
    assert isinstance(report.outcome, Published)
    (part,) = report.outcome.parts
    assert part.platform_post_id == post["options"]["publish_id"]
    assert part.url == "https://www.tiktok.com/messages?lang=en"
    assert post["options"]["post_mode"] == "MEDIA_UPLOAD"
    assert await world.calls(account, "creator_info") == 0


async def test_a_video_is_pulled_from_where_tiktok_may(world: Any) -> None:
    account = await world.account("tiktok")
    world.connectors["tiktok"] = TikTokConnector(
        world.client("tiktok"),
        Policy(call_timeout=2.0, fence=5.0, retry_delays=RETRY_DELAYS),
        world.fetcher,
        Budgets(),
        pull_prefixes=(f"{world.url}/_sandbox/media/",),
        now=world.clock.now,
    )

    report = await resolved(world, world.request(account, clip(world), options=PUBLIC))

    (post,) = await world.live(account)
    assert isinstance(report.outcome, Published)
    assert report.outcome.parts[0].platform_post_id == post["id"]
    assert post["options"]["publish_id"].startswith("v_pub_url")
    assert await statuses(world, account, "upload_init") == []


# --- crashes ------------------------------------------------------------------------------------------


class CrashingJournal(MemoryJournal):
    """Ends the process before or after one of its writes."""

    def __init__(self, at: int, *, after: bool) -> None:
        super().__init__()
        self._left = at
        self._after = after
        self.crashed = False

    async def save(self, entry: Publication) -> Publication:
        self._left -= 1
        if self._left == 0 and not self._after:
            self.crashed = True
            raise CrashError
        stored = await super().save(entry)
        if self._left == 0:
            self.crashed = True
            raise CrashError
        return stored


@pytest.fixture
def chunk(monkeypatch: pytest.MonkeyPatch) -> int:
    """The smallest that TikTok takes."""
    size = 5 * 1024**2
    monkeypatch.setattr("publisher.adapters.tiktok.CHUNK", size)
    return size


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", ["chunks", "whole", "photos"])
async def test_a_process_may_end_at_every_write(world: Any, kind: str, after: bool, chunk: int) -> None:
    """Wherever it ends, there is one live post in the end, and no byte went twice.

    Photos alone are held, when the init may have gone out and the post is not to be seen.
    """
    await settings(world, rate_limits={"enabled": False}, posts_per_day=100)
    size = 2 * chunk if kind == "chunks" else 0
    content = carousel(world) if kind == "photos" else clip(world, size=size)
    crashes = held = 0
    for at in range(1, 30):
        account = await world.account("tiktok")
        journal = world.journal = CrashingJournal(at, after=after)
        request = world.request(account, content, options=PUBLIC, attempt=1)
        try:
            report = await resolved(world, request)
        except CrashError:
            crashes += 1
            report = await resolved(world, replace(request, attempt=_attempt(journal) or 1))
        sent = await statuses(world, account, "create_post")
        if kind == "photos" and not sent:
            assert isinstance(report.outcome, Held)
            held += 1
            continue
        (post,) = await world.live(account)
        assert isinstance(report.outcome, Published), (at, report)
        assert report.outcome.parts[0].platform_post_id == post["id"]
        assert len(sent) == 1
        assert set(await statuses(world, account, "upload_append")) <= {206}
        if not journal.crashed:
            break
    assert crashes >= (6 if kind == "chunks" else 4)
    assert held == (1 if kind == "photos" and after else 0)


def _attempt(journal: MemoryJournal) -> int | None:
    return next((entry.attempt for entry in journal.entries.values()), None)


@pytest.mark.parametrize("point", HANDLER_POINTS)
@pytest.mark.parametrize("kind", ["video", "photos"])
async def test_a_process_may_end_anywhere(world: Any, point: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    account = await world.account("tiktok")
    request = world.request(account, clip(world) if kind == "video" else carousel(world), options=PUBLIC)

    async def crash(name: str) -> None:
        if name == f"publisher.{point}":
            raise CrashError

    with monkeypatch.context() as patch:
        patch.setattr(handlers, "reached", crash)
        with pytest.raises(CrashError):
            await world.run(request)
    if kind == "photos" and point in ("send_recorded", "before_call"):
        # Whether the init went out is not known, and nothing can prove that it did not.
        assert isinstance((await resolved(world, request)).outcome, Held)
        assert await world.live(account) == []
        return
    report = await resolved(world, request)

    assert isinstance(report.outcome, Published)
    (post,) = await world.live(account)
    assert report.outcome.parts[0].platform_post_id == post["id"]


async def test_a_chunk_that_arrived_unrecorded_is_not_sent_again(world: Any, chunk: int) -> None:
    account = await world.account("tiktok")
    await world.fault(account, "accept_then_reset", "upload_append")

    report = await resolved(world, world.request(account, clip(world, size=3 * chunk), options=PUBLIC))

    (post,) = await world.live(account)
    assert isinstance(report.outcome, Published)
    assert post["media"][0]["sha256"] == sha256("video.mp4", w=368, h=640, bytes=3 * chunk)
    assert await statuses(world, account, "upload_append") == [None, 206]
    assert await world.calls(account, "upload_init") == 1


async def test_an_upload_that_has_expired_is_begun_again(
    world: Any, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await world.account("tiktok")
    request = world.request(account, clip(world, size=2 * chunk), options=PUBLIC)

    async def crash(name: str) -> None:
        if name == "publisher.before_send_recorded":
            raise CrashError

    with monkeypatch.context() as patch:
        patch.setattr(handlers, "reached", crash)
        with pytest.raises(CrashError):
            await world.run(request)
    await world.clock.sleep(3_600)
    report = await resolved(world, request)

    assert isinstance(report.outcome, Published)
    assert len(await world.live(account)) == 1
    assert await world.calls(account, "upload_init") == 2


async def test_an_upload_that_tiktok_has_dropped_is_begun_again(world: Any) -> None:
    account = await world.account("tiktok")
    await settings(world, upload_url_seconds=0)
    first = await world.run(world.request(account, clip(world), options=PUBLIC))
    assert isinstance(first.outcome, Deferred)

    await settings(world, upload_url_seconds=3_600)
    report = await resolved(world, world.request(account, clip(world), options=PUBLIC, attempt=2))

    assert isinstance(report.outcome, Published)
    assert len(await world.live(account)) == 1


# --- faults on every call -----------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["creator_info", "upload_init", "upload_append", "create_post", "upload_status"])
@pytest.mark.parametrize(
    "fault",
    [
        "reset_before",
        "server_error_503",
        "garbage",
        "accept_then_reset",
        "accept_then_500",
        "accept_then_garbage",
        "rate_limited",
        "unauthorized_401",
    ],
)
async def test_a_video_survives(world: Any, fault: str, call: str, chunk: int) -> None:
    account = await world.account("tiktok")
    await world.fault(account, fault, call)
    size = 2 * chunk if call == "upload_append" else 0

    report = await resolved(world, world.request(account, clip(world, size=size), options=PUBLIC))

    (post,) = await world.live(account)
    assert isinstance(report.outcome, Published), report
    assert report.outcome.parts[0].platform_post_id == post["id"]


@pytest.mark.parametrize("call", ["upload_append", "create_post"])
async def test_a_chunk_that_is_cut_off(world: Any, call: str, chunk: int) -> None:
    account = await world.account("tiktok")
    await world.fault(account, "upload_cut", call, params={"bytes": 1_000})

    report = await resolved(world, world.request(account, clip(world, size=2 * chunk), options=PUBLIC))

    (post,) = await world.live(account)
    assert isinstance(report.outcome, Published)
    assert post["media"][0]["sha256"] == sha256("video.mp4", w=368, h=640, bytes=2 * chunk)
    assert await world.calls(account, "upload_init") == 1


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["chunks", "photos"])
async def test_whatever_happens_nothing_is_posted_twice_and_the_report_is_true(
    world: Any, kind: str, seed: int, chunk: int
) -> None:
    account = await world.account("tiktok", token_expires_in=10_000_000)
    for number, fault in enumerate(
        [
            "reset_before",
            "accept_then_reset",
            "accept_then_garbage",
            "accept_then_500",
            "server_error_503",
            "rate_limited",
            "unauthorized_401",
        ]
    ):
        await world.fault(account, fault, "*", times=3, probability=0.12, seed=seed * 100 + number)
    content = carousel(world) if kind == "photos" else clip(world, size=2 * chunk)

    report = await resolved(world, world.request(account, content, options=PUBLIC))

    live = await world.live(account)
    match report.outcome:
        case Published(parts=(part,)):
            assert [post["id"] for post in live] == [part.platform_post_id]
        case Rejected():
            assert live == []
        case Held():
            assert len(live) <= 1
        case other:
            raise AssertionError(other)


@pytest.mark.parametrize("fault", ["lost_timeout", "late_accept", "accept_then_slow"])
async def test_a_last_chunk_without_an_answer(world: Any, fault: str) -> None:
    account = await world.account("tiktok")
    await world.fault(account, fault, params={"seconds": 3})

    report = await resolved(world, world.request(account, clip(world), options=PUBLIC))

    (post,) = await world.live(account)
    assert isinstance(report.outcome, Published)
    assert report.outcome.parts[0].platform_post_id == post["id"]


@pytest.mark.parametrize("fault", ["accept_then_reset", "accept_then_500", "accept_then_garbage"])
@pytest.mark.parametrize(
    ("privacy", "scopes", "found"),
    [
        ("public_to_everyone", None, True),
        ("self_only", None, False),
        ("public_to_everyone", ["user.info.basic", "video.publish"], False),
    ],
)
async def test_photos_whose_publish_id_was_lost(
    world: Any, fault: str, privacy: str, scopes: list[str] | None, found: bool
) -> None:
    """They are found among the public ones, or held: never sent again."""
    more = {} if scopes is None else {"scopes": scopes}
    account = await world.account("tiktok", token_expires_in=1_000_000, **more)
    await world.fault(account, fault)

    report = await resolved(world, world.request(account, carousel(world), options={"privacy_level": privacy}))

    (post,) = await world.live(account)
    assert await world.calls(account, "create_post") == 1
    if found:
        assert isinstance(report.outcome, Published)
        assert report.outcome.parts[0].platform_post_id == post["id"]
        assert report.outcome.proof == "readback"
    else:
        assert isinstance(report.outcome, Held)


async def test_photos_that_are_not_listed_are_held(world: Any) -> None:
    account = await world.account("tiktok", token_expires_in=1_000_000)
    await settings(world, photos_listed=False)
    await world.fault(account, "accept_then_reset")
    report = await resolved(world, world.request(account, carousel(world), options=PUBLIC))
    assert isinstance(report.outcome, Held)
    assert len(await world.live(account)) == 1


async def test_a_video_whose_publish_id_is_forgotten_is_found_among_the_public_ones(world: Any) -> None:
    account = await world.account("tiktok", token_expires_in=1_000_000)
    await settings(world, publish_id_seconds=1)
    words = Content(text="word " * 60, media=(video(world),))

    report = await resolved(world, world.request(account, words, options=PUBLIC))

    (post,) = await world.live(account)
    assert isinstance(report.outcome, Published)
    assert report.outcome.parts[0].platform_post_id == post["id"]
    assert await world.calls(account, "create_post") == 1


async def test_photos_are_known_by_title_and_text(world: Any) -> None:
    """Another post of the same minute is not taken for the one that was lost."""
    account = await world.account("tiktok", token_expires_in=1_000_000)
    other = carousel(world)
    await resolved(world, world.request(account, other, options={**PUBLIC, "title": "Others"}))
    world.journal.entries.clear()
    await world.fault(account, "reset_before")

    report = await resolved(world, world.request(account, other, options={**PUBLIC, "title": "Ours"}))

    assert isinstance(report.outcome, Held)
    assert len(await world.live(account)) == 1


@pytest.mark.parametrize(("fault", "call"), [("rate_limited", "create_post"), ("unauthorized_401", "creator_info")])
async def test_photos_that_were_certainly_not_taken_go_out_later(world: Any, fault: str, call: str) -> None:
    account = await world.account("tiktok")
    await world.fault(account, fault, call)

    report = await resolved(world, world.request(account, carousel(world), options=PUBLIC))

    assert isinstance(report.outcome, Published)
    assert len(await world.live(account)) == 1


async def test_a_token_that_ends_while_tiktok_processes(world: Any) -> None:
    """The same publish_id is asked for with the new token; nothing is sent again."""
    account = await world.account("tiktok")
    request = world.request(account, clip(world), options=PUBLIC)
    first = await world.run(request)
    assert isinstance(first.outcome, Unknown)
    (await world.control.post(f"/accounts/{account.platform_user_id}/expire")).raise_for_status()
    await world.clock.reach(first.outcome.probe_at)
    second = await world.run(replace(request, attempt=2))
    assert isinstance(second.outcome, Unknown)

    world.tokens.known[account.account_id] = Secret(await _new_token(world, account))
    report = await resolved(world, replace(request, attempt=3))

    assert isinstance(report.outcome, Published)
    assert await world.calls(account, "upload_init") == 1
    assert len(await world.live(account)) == 1


async def _new_token(world: Any, account: Account) -> str:
    client = httpx.AsyncClient(base_url=f"{world.url}/tiktok", trust_env=False)
    query = {
        "client_key": "k",
        "response_type": "code",
        "scope": "video.publish,video.list",
        "redirect_uri": "https://app.example.com/callback",
        "sandbox_account": account.platform_user_id,
    }
    back = httpx.URL((await client.get("/v2/auth/authorize/", params=query)).headers["location"])
    form = {
        "client_key": "k",
        "client_secret": "s",
        "grant_type": "authorization_code",
        "code": back.params["code"],
        "redirect_uri": query["redirect_uri"],
    }
    token: str = (await client.post("/v2/oauth/token/", data=form)).json()["access_token"]
    await client.aclose()
    return token


# --- what TikTok decides later ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "rule"),
    [
        ("file_format_check_failed", "tiktok.media.format"),
        ("duration_check_failed", "tiktok.media.duration"),
        ("frame_rate_check_failed", "tiktok.media.frame_rate"),
        ("picture_size_check_failed", "tiktok.media.resolution"),
        ("publish_cancelled", "tiktok.cancelled"),
        ("spam_risk_user_banned_from_posting", "tiktok.account.banned"),
        ("spam_risk_text", "tiktok.text.spam"),
        ("spam_risk", "tiktok.spam"),
        ("something_new", "tiktok.failed"),
    ],
)
async def test_a_failure_for_good(world: Any, reason: str, rule: str) -> None:
    account = await world.account("tiktok")
    await world.fault(account, "media_processing_failed", "*", params={"body": {"fail_reason": reason}})

    report = await resolved(world, world.request(account, clip(world), options=PUBLIC))

    assert isinstance(report.outcome, Rejected)
    assert (report.outcome.failure.rule, report.outcome.failure.platform_error) == (rule, reason)
    assert await world.live(account) == []


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("video", "internal"),
        ("video", "spam_risk_too_many_posts"),
        ("photos", "internal"),
        ("photos", "spam_risk_too_many_posts"),
        ("photos", "photo_pull_failed"),
    ],
)
async def test_a_failure_for_now(world: Any, reason: str, kind: str) -> None:
    account = await world.account("tiktok", token_expires_in=1_000_000)
    await world.fault(account, "media_processing_failed", "*", params={"body": {"fail_reason": reason}})
    content = clip(world) if kind == "video" else carousel(world)
    started = world.clock.now()

    report = await resolved(world, world.request(account, content, options=PUBLIC))

    (post,) = await world.live(account)
    assert isinstance(report.outcome, Published), report
    assert report.outcome.parts[0].platform_post_id == post["id"]
    if reason == "spam_risk_too_many_posts":
        assert world.clock.now() - started >= timedelta(days=1)


async def test_a_grant_that_was_taken_back_disconnects(world: Any) -> None:
    account = await world.account("tiktok")
    await world.fault(account, "media_processing_failed", "*", params={"body": {"fail_reason": "auth_removed"}})

    report = await resolved(world, world.request(account, clip(world), options=PUBLIC))

    assert isinstance(report.outcome, Rejected)
    assert report.outcome.failure.code == "account_disconnected"
    assert any(isinstance(command, DisconnectAccount) for _, command in world.sender.sent)


async def test_what_never_ends_is_held(world: Any) -> None:
    account = await world.account("tiktok", token_expires_in=1_000_000)
    await world.fault(account, "media_processing_slow", "*", params={"seconds": 1_000_000})
    request = world.request(account, clip(world), options=PUBLIC)
    await world.run(request)
    await world.clock.sleep(86_400)

    report = await resolved(world, replace(request, attempt=2))

    assert isinstance(report.outcome, Held)
    assert await world.calls(account, "upload_init") == 1


# --- what TikTok refuses ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("creator", "options", "rule"),
    [
        ({"private": True}, PUBLIC, "tiktok.privacy_level.not_offered"),
        ({"comment_disabled": True}, {**PUBLIC, "allow_comment": True}, "tiktok.allow_comment.disabled"),
        ({"duet_disabled": True}, {**PUBLIC, "allow_duet": True}, "tiktok.allow_duet.disabled"),
        ({"stitch_disabled": True}, {**PUBLIC, "allow_stitch": True}, "tiktok.allow_stitch.disabled"),
        ({"max_video_post_duration_sec": 2}, PUBLIC, "tiktok.media.duration"),
    ],
)
async def test_what_the_creator_may_not(
    world: Any, creator: dict[str, Any], options: dict[str, Any], rule: str
) -> None:
    account = await world.account("tiktok")
    await settings(world, creators={account.username: creator})

    report = await world.run(world.request(account, clip(world), options=options))

    assert isinstance(report.outcome, Rejected)
    assert report.outcome.failure.rule == rule
    assert await world.calls(account, "upload_init") == 0


async def test_an_app_that_was_not_audited(world: Any) -> None:
    account = await world.account("tiktok")
    await settings(world, audited=False)
    refused = await world.run(world.request(account, clip(world), options={"privacy_level": "self_only"}))
    assert isinstance(refused.outcome, Rejected)
    assert refused.outcome.failure.rule == "tiktok.unaudited"

    await settings(world, creators={account.username: {"private": True}})
    world.journal.entries.clear()
    report = await resolved(world, world.request(account, clip(world), options={"privacy_level": "self_only"}))
    assert isinstance(report.outcome, Published)


async def test_a_photo_of_the_wrong_type_is_named_before_tiktok_sees_it(world: Any) -> None:
    account = await world.account("tiktok")
    content = Content(text="Cats", media=(photo(world), photo(world, name="image.png")))

    report = await world.run(world.request(account, content, options=PUBLIC))

    assert isinstance(report.outcome, Rejected)
    assert report.outcome.failure.code == "media_rejected"
    assert await world.calls(account, "create_post") == 0


async def test_photos_from_elsewhere(world: Any) -> None:
    account = await world.account("tiktok")
    await settings(world, verified=["cdn.example.com"])
    report = await world.run(world.request(account, carousel(world), options=PUBLIC))
    assert isinstance(report.outcome, Rejected)
    assert report.outcome.failure.rule == "tiktok.media.url"


@pytest.mark.parametrize("kind", ["video", "photos"])
async def test_the_days_cap_puts_off(world: Any, kind: str) -> None:
    account = await world.account("tiktok", token_expires_in=1_000_000)
    await settings(world, posts_per_day=0)
    publisher = world.process()
    content = clip(world) if kind == "video" else carousel(world)

    report = await world.run(world.request(account, content, options=PUBLIC), publisher=publisher)
    assert isinstance(report.outcome, Deferred)
    assert report.outcome.until - world.clock.now() > timedelta(hours=23)
    calls = await world.calls(account, "creator_info")
    again = await world.run(world.request(account, content, options=PUBLIC, attempt=2), publisher=publisher)

    assert isinstance(again.outcome, Deferred)
    assert await world.calls(account, "creator_info") == calls


async def test_the_seventh_init_of_a_minute_waits(world: Any) -> None:
    account = await world.account("tiktok")
    for number in range(7):
        world.journal.entries.clear()
        report = await world.run(world.request(account, clip(world), options=PUBLIC))
        assert isinstance(report.outcome, Deferred if number == 6 else Unknown)
    assert isinstance(report.outcome, Deferred)
    assert report.outcome.until - world.clock.now() <= timedelta(minutes=1)

    await world.clock.reach(report.outcome.until)
    report = await resolved(world, world.request(account, clip(world), options=PUBLIC, attempt=2))
    assert isinstance(report.outcome, Published)
    assert len(await world.live(account)) == 7


# --- the error tables ---------------------------------------------------------------------------------

TOKEN = "s3cret-token"
UPLOAD_URL = "https://open-upload.tiktokapis.com/video/?upload_id=1&upload_token=s3cret-upload"
NOW = datetime(2026, 11, 24, tzinfo=UTC)
AUTHOR = Author(
    account=Account(
        account_id="acc_1",
        tenant_id="t",
        platform="tiktok",
        platform_user_id="1",
        username="amara",
        display_name="Amara",
        account_type="personal",
        connected_at=NOW,
    ),
    token=Secret(TOKEN),
)
PHOTOS = Draft(
    index=0,
    title="Cats",
    content=Content(text="Cats", media=(Media(type="image", url="https://cdn.example.com/a.jpg"),)),
    options=PUBLIC,
    uploads=(),
)


def envelope(status: int, code: str, /, **data: Any) -> httpx.Response:
    return httpx.Response(status, json={"data": data, "error": {"code": code, "message": "m", "log_id": "l"}})


def connector(handle: Any, fetcher: Any = None) -> TikTokConnector:
    client = httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="https://open.tiktokapis.com")
    return TikTokConnector(
        client, Policy(retry_delays=RETRY_DELAYS), fetcher or MediaFetcher(allow_private=False), Budgets()
    )


INIT_ROWS = [
    (envelope(400, "invalid_param"), Refused, "tiktok.invalid_request"),
    (envelope(400, "invalid_params"), Refused, "tiktok.invalid_request"),
    (envelope(400, "invalid_file_upload"), Refused, "tiktok.invalid_request"),
    (envelope(400, "app_version_check_failed"), Refused, "tiktok.app_version"),
    (envelope(401, "access_token_invalid"), Retry, "token_refused"),
    (envelope(401, "scope_not_authorized"), Refused, "tiktok.permission"),
    (envelope(400, "scope_permission_missed"), Refused, "tiktok.permission"),
    (envelope(403, "spam_risk_too_many_posts"), Postponed, None),
    (envelope(200, "spam_risk_too_many_posts"), Postponed, None),
    (envelope(403, "spam_risk_too_many_pending_share"), Postponed, None),
    (envelope(403, "reached_active_user_cap"), Postponed, None),
    (envelope(403, "spam_risk_user_banned_from_posting"), Refused, "tiktok.account.banned"),
    (envelope(403, "unaudited_client_can_only_post_to_private_accounts"), Refused, "tiktok.unaudited"),
    (envelope(403, "url_ownership_unverified"), Refused, "tiktok.media.url"),
    (envelope(403, "privacy_level_option_mismatch"), Refused, "tiktok.privacy_level.not_offered"),
    (envelope(429, "rate_limit_exceeded"), Postponed, None),
    (envelope(500, "internal_error"), Ambiguous, None),
    (envelope(418, "teapot"), Ambiguous, None),
    (httpx.Response(403, text="<html>"), Ambiguous, None),
    (httpx.Response(500), Ambiguous, None),
    (httpx.Response(302, headers={"location": "https://elsewhere"}), Ambiguous, None),
    (envelope(200, "ok"), Ambiguous, None),
    (envelope(200, "ok", publish_id="p_pub_url~v2.1"), Processing, None),
]


@pytest.mark.parametrize(("response", "kind", "detail"), INIT_ROWS)
async def test_a_row_of_the_inits_table(response: httpx.Response, kind: type[Answer], detail: str | None) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        return envelope(200, "ok") if "creator_info" in request.url.path else response

    tiktok = connector(handle)
    answer = await tiktok.send(AUTHOR, PHOTOS, tiktok.request(AUTHOR, PHOTOS))

    _check(answer, kind, detail)
    if isinstance(answer, Processing):
        assert answer.handle == "p_pub_url~v2.1"


UPLOADING = {"status": "PROCESSING_UPLOAD", "uploaded_bytes": 0}
CHUNK_ROWS = [
    (200, None, Ambiguous, None),
    (201, None, Processing, None),
    (206, None, Ambiguous, None),
    (400, None, Refused, "tiktok.upload.invalid"),
    (403, UPLOADING, Retry, "media_refused"),
    (404, UPLOADING, Retry, "media_refused"),
    (416, {**UPLOADING, "uploaded_bytes": 3}, Processing, None),
    (416, {**UPLOADING, "uploaded_bytes": 2}, Retry, "media_refused"),
    (404, {"status": "PUBLISH_COMPLETE"}, Processing, None),
    (404, {"status": "PROCESSING_UPLOAD"}, Ambiguous, None),
    (404, {"status": "FAILED", "fail_reason": "internal"}, Retry, "media_refused"),
    (404, {"status": "FAILED", "fail_reason": "spam_risk"}, Refused, "tiktok.spam"),
    (500, None, Ambiguous, None),
    (302, None, Ambiguous, None),
]


@pytest.mark.parametrize(("status", "told", "kind", "detail"), CHUNK_ROWS)
async def test_a_row_of_the_last_chunks_table(
    world: Any, status: int, told: dict[str, Any] | None, kind: type[Answer], detail: str | None
) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            assert str(request.url) == UPLOAD_URL
            assert request.headers["Content-Range"] == f"bytes 0-{size - 1}/{size}"
            assert request.headers["Content-Length"] == str(size)
            assert "authorization" not in request.headers
            return httpx.Response(status)
        data = dict(told or {})
        if "uploaded_bytes" in data:
            data["uploaded_bytes"] = data["uploaded_bytes"] * size // 3
        return envelope(200, "ok", **data)

    media = video(world)
    size = len(SAMPLES["video.mp4"].render(w=368, h=640))
    upload = Upload(
        part=0,
        source=media.url or "",
        type="video",
        alt_text=None,
        media_id="v_pub_file~v2.1",
        session=UPLOAD_URL,
        size=size,
        uploaded_at=NOW,
    )
    draft = Draft(index=0, content=Content(text="Hi", media=(media,)), options=PUBLIC, uploads=(upload,))
    tiktok = connector(handle, world.fetcher)
    request = tiktok.request(AUTHOR, draft)
    assert b"s3cret" not in request

    _check(await tiktok.send(AUTHOR, draft, request), kind, detail)


def _check(answer: Answer, kind: type[Answer], detail: str | None) -> None:
    assert type(answer) is kind
    if isinstance(answer, Retry):
        assert answer.cause == detail
    elif isinstance(answer, Refused):
        assert answer.failure.rule == detail
    assert "s3cret" not in repr(answer)


@pytest.mark.parametrize(
    "url",
    ["https://evil.example.com/video/", "http://open-upload.tiktokapis.com/video/", "https://tiktokapis.com.evil.org/"],
)
async def test_bytes_go_to_tiktok_only(world: Any, url: str) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        assert request.method != "PUT"
        return envelope(200, "ok", publish_id="v_pub_file~v2.1", upload_url=url)

    async def record(_: Upload) -> None:
        raise AssertionError("nothing to record")

    media = video(world)
    draft = Draft(index=0, content=Content(media=(media,)), options=PUBLIC, uploads=())
    with pytest.raises(SetbackError):
        await connector(handle, world.fetcher).upload(AUTHOR, draft, media, record)


async def test_comments_and_deletions_are_not_possible() -> None:
    tiktok = connector(lambda _: envelope(200, "ok"))
    comment = Draft(index=0, content=Content(text="First"), options={}, uploads=(), reply_to="1")
    answer = await tiktok.send(AUTHOR, comment, b"")
    assert isinstance(answer, Refused)
    assert answer.failure.rule == "tiktok.comment.unsupported"
    with pytest.raises(SetbackError) as raised:
        await tiktok.delete(AUTHOR, LivePart(index=0, platform_post_id="1"))
    assert isinstance(raised.value.setback, Refused)
    assert raised.value.setback.failure.remediation == "Delete it in the TikTok app."
