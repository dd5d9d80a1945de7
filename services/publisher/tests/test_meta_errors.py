"""Every row of the error tables of Facebook and Instagram."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from contracts.accounts import Account
from contracts.content import Content, Media, Platform
from publisher.adapters.facebook import FacebookConnector
from publisher.adapters.instagram import InstagramConnector
from publisher.adapters.media import MediaFetcher
from publisher.domain.answers import (
    Accepted,
    Ambiguous,
    Answer,
    Duplicate,
    Finding,
    Postponed,
    Processing,
    Refused,
    Retry,
    SetbackError,
)
from publisher.domain.budgets import Budgets
from publisher.domain.publication import Policy, Upload
from publisher.ports import Author, Connector, Draft, Secret
from publisher.settings import RETRY_DELAYS

SECRET = "s3cret-token"
POLICY = Policy(retry_delays=RETRY_DELAYS)
NOW = datetime.now(UTC)
IMAGE = Media(type="image", url="https://example.com/a.jpg")
UPLOAD = Upload(
    part=0, source="https://example.com/a.jpg", type="image", alt_text=None, media_id="1", size=0, uploaded_at=NOW
)
VIDEO = Upload(
    part=0,
    source="https://example.com/a.mp4",
    type="video",
    alt_text=None,
    media_id="17",
    media_key="video_reels",
    size=9,
    uploaded_at=NOW,
)
REEL = Draft(index=0, content=Content(text="Hello"), options={"post_type": "reel"}, uploads=(VIDEO,))
Handler = Callable[[httpx.Request], httpx.Response]


def author(platform: Platform, login: str | None = None) -> Author:
    account = Account(
        account_id="acc_1",
        tenant_id="t",
        platform=platform,
        platform_user_id="100",
        username="amara",
        display_name="Amara",
        account_type="page",
        connected_at=NOW,
        login=login,
    )
    return Author(account=account, token=Secret(SECRET))


def connector(platform: Platform, handler: Handler) -> Connector:
    client = httpx.AsyncClient(transport=httpx.MockTransport(handler), base_url="http://platform")
    fetcher = MediaFetcher(allow_private=False)
    if platform == "facebook":
        return FacebookConnector(client, client, POLICY, fetcher, Budgets(), version="v26.0")
    return InstagramConnector(
        client,
        client,
        client,
        POLICY,
        fetcher,
        budgets=Budgets(),
        facebook_version="v26.0",
        instagram_version="v26.0",
    )


async def drafted(platform: Platform) -> Draft:
    """A draft that is ready to be sent."""
    draft = Draft(index=0, content=Content(text="Hello"), options={}, uploads=())
    if platform == "facebook":
        return draft
    draft = replace(draft, content=Content(text="Hello", media=(IMAGE,)))
    made = connector(platform, lambda _: httpx.Response(200, json={"id": "178"}))

    async def record(_: Upload) -> None:
        pass

    container = await made.upload(author(platform), draft, IMAGE, record)
    return replace(draft, container=replace(container, ready=True))


async def answer_to(platform: Platform, response: httpx.Response) -> Answer:
    made = connector(platform, lambda _: response)
    return await made.send(author(platform), await drafted(platform), b"{}")


def error(code: int, subcode: int | None = None, *, status: int = 400, message: str = "no") -> httpx.Response:
    body: dict[str, Any] = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A"}
    if subcode is not None:
        body["error_subcode"] = subcode
    return httpx.Response(status, json={"error": body})


IMPERSONATING = "Any of the pages_read_engagement must be granted before impersonating a user's page."
SHARED = [
    ("unknown", error(1), Ambiguous, None),
    ("service", error(2, status=500), Ambiguous, None),
    ("service, 400", error(2), Ambiguous, None),
    ("refusal in a 500", error(190, 463, status=500), Ambiguous, None),
    ("app throttled", error(4), Postponed, None),
    ("user throttled", error(17, 2446079), Postponed, None),
    ("page throttled", error(32, status=403), Postponed, None),
    ("custom limit", error(613), Postponed, None),
    ("pages' calls", error(80001), Postponed, None),
    ("instagram's calls", error(80002), Postponed, None),
    ("taken for spam", error(4, 2207051), Ambiguous, None),
    ("abusive", error(368), Ambiguous, None),
    ("impersonating", error(190, message=IMPERSONATING), Refused, "permission"),
    ("app removed", error(190, 458), Retry, "token_dead"),
    ("checkpoint", error(190, 459), Retry, "token_refused"),
    ("password changed", error(190, 460), Retry, "token_dead"),
    ("expired", error(190, 463, status=401), Retry, "token_dead"),
    ("unconfirmed", error(190, 464), Retry, "token_refused"),
    ("invalid", error(190, 467), Retry, "token_dead"),
    ("no role", error(190, 492), Retry, "token_dead"),
    ("cannot parse", error(190), Retry, "token_refused"),
    ("session", error(102), Retry, "token_refused"),
    ("denied", error(10, status=403), Refused, "permission"),
    ("page rights", error(200, status=403), Refused, "permission"),
    ("reading right", error(283), Refused, "permission"),
    ("retired version", error(2635), Postponed, None),
    ("parameter", error(100), Refused, "invalid_request"),
    ("capability", error(3), Refused, "invalid_request"),
    ("alias", error(803, status=404), Refused, "not_found"),
    ("authorization needed", error(100, 1404078), Refused, "account.restricted"),
    ("unlisted", error(31_337), Ambiguous, None),
    ("html", httpx.Response(403, text="<html>"), Ambiguous, None),
    ("redirect", httpx.Response(302, headers={"location": "http://elsewhere"}), Ambiguous, None),
    ("2xx without id", httpx.Response(200, json={}), Ambiguous, None),
    ("2xx undecodable", httpx.Response(200, text="{"), Ambiguous, None),
    ("error in a 200", error(190, 463, status=200), Retry, "token_dead"),
]
FACEBOOK = [
    ("no such page", error(100, 33), Refused, "not_found"),
    ("duplicate", error(506), Duplicate, "duplicate_post"),
    ("photos posted", error(100, 1366051), Duplicate, "duplicate_post"),
    ("image", error(324, 1366046), Refused, "media.refused"),
    ("video", error(352), Refused, "media.refused"),
    ("link", error(100, 2061006), Refused, "link.url"),
]
INSTAGRAM = [
    ("nothing found", error(100, 33), Ambiguous, None),
    ("quota", error(9, 2207042), Postponed, None),
    ("not ready", error(9007, 2207027), Retry, "media_processing"),
    ("not fetched", error(9004, 2207052), Retry, "media_unavailable"),
    ("fetched too slowly", error(-2, 2207003), Retry, "media_unavailable"),
    ("media expired", error(-2, 2207020), Retry, "media_refused"),
    ("server error", error(-1, 2207001), Ambiguous, None),
    ("restricted", error(25, 2207050), Refused, "account.restricted"),
    ("too large", error(36000, 2207004), Refused, "media.size"),
    ("no JPEG", error(36001, 2207005), Refused, "media.format"),
    ("no JPEG, code 1", error(1, 2207005), Refused, "media.format"),
    ("ratio", error(36003, 2207009), Refused, "media.ratio"),
    ("caption", error(36004, 2207010), Refused, "text.length"),
    ("carousel", error(100, 2207028), Refused, "media.count"),
    ("video format", error(352, 2207026), Refused, "media.format"),
    ("offset", error(1, 2207057), Refused, "options.thumb_offset"),
    ("trial", error(100, 2207081), Refused, "options.trial_reel"),
]


@pytest.mark.parametrize(
    ("platform", "response", "kind", "detail"),
    [
        pytest.param(platform, response, kind, detail, id=f"{platform}: {name}")
        for platform, rows in (("facebook", SHARED + FACEBOOK), ("instagram", SHARED + INSTAGRAM))
        for name, response, kind, detail in rows
    ],
)
async def test_row(platform: Platform, response: httpx.Response, kind: type[Answer], detail: str | None) -> None:
    answer = await answer_to(platform, response)

    assert type(answer) is kind
    if isinstance(answer, Retry):
        assert answer.cause == detail
    elif isinstance(answer, Refused | Duplicate):
        assert answer.failure.rule == f"{platform}.{detail}"
    if not isinstance(answer, Accepted):
        assert answer.failure.message
        assert SECRET not in repr(answer)


@pytest.mark.parametrize("platform", ["facebook", "instagram"])
@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx.ConnectError("refused"), Retry),
        (httpx.ConnectTimeout("slow"), Retry),
        (httpx.PoolTimeout("busy"), Retry),
        (httpx.ReadTimeout("slow"), Ambiguous),
        (httpx.WriteError("broke"), Ambiguous),
        (httpx.RemoteProtocolError("hung up"), Ambiguous),
    ],
)
async def test_only_what_was_never_sent_is_sent_again(
    platform: Platform, failure: httpx.HTTPError, kind: type[Answer]
) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise failure

    draft = await drafted(platform)
    assert type(await connector(platform, fail).send(author(platform), draft, b"{}")) is kind


@pytest.mark.parametrize(
    ("status", "kind", "cause"),
    [
        ("PUBLISHED", Ambiguous, None),
        ("FINISHED", Retry, "media_processing"),
        ("IN_PROGRESS", Retry, "media_processing"),
        ("EXPIRED", Retry, "media_refused"),
        ("ERROR", Retry, "media_refused"),
        (None, Ambiguous, None),
    ],
)
async def test_a_container_that_is_said_not_to_exist_is_asked_itself(
    status: str | None, kind: type[Answer], cause: str | None
) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return error(24, 2207008)
        return error(100, 33) if status is None else httpx.Response(200, json={"status_code": status, "id": "178"})

    draft = await drafted("instagram")
    answer = await connector("instagram", handler).send(author("instagram"), draft, b"{}")

    assert type(answer) is kind
    if isinstance(answer, Retry):
        assert answer.cause == cause
    if isinstance(answer, Ambiguous):
        assert answer.accepted == (status == "PUBLISHED")


@pytest.mark.parametrize("platform", ["facebook", "instagram"])
async def test_spam_stops_the_account_for_hours(platform: Platform) -> None:
    made = connector(platform, lambda _: error(4, 2207051))
    await made.send(author(platform), await drafted(platform), b"{}")

    postponed = made.budgets.exhausted("acc_1", datetime.now(UTC))

    assert postponed is not None
    assert postponed.until > datetime.now(UTC) + timedelta(hours=5)


@pytest.mark.parametrize(
    ("headers", "minutes"),
    [
        (
            {
                "X-Business-Use-Case-Usage": '{"1":[{"type":"pages","call_count":100,"total_cputime":1,'
                '"total_time":1,"estimated_time_to_regain_access":17}]}'
            },
            17,
        ),
        ({"X-App-Usage": '{"call_count":28,"total_time":100,"total_cputime":25}'}, 60),
        ({"X-App-Usage": '{"call_count":99,"total_time":25,"total_cputime":25}'}, None),
        ({"X-App-Usage": "nonsense"}, None),
    ],
)
async def test_usage_is_heeded_before_a_refusal(headers: dict[str, str], minutes: int | None) -> None:
    made = connector("facebook", lambda _: httpx.Response(200, json={"id": "1_2"}, headers=headers))

    assert isinstance(await made.send(author("facebook"), await drafted("facebook"), b"{}"), Accepted)

    postponed = made.budgets.exhausted("acc_1", datetime.now(UTC))
    if minutes is None:
        assert postponed is None
    else:
        assert postponed is not None
        assert abs(postponed.until - datetime.now(UTC) - timedelta(minutes=minutes)) < timedelta(seconds=30)


def phases(state: str, *, processing: str = "not_started", publishing: dict[str, Any] | None = None) -> httpx.Response:
    status = {
        "video_status": state,
        "uploading_phase": {"status": "complete"},
        "processing_phase": {"status": processing},
        "publishing_phase": publishing or {"status": "not_started"},
    }
    return httpx.Response(200, json={"status": status, "id": "17"})


PUBLISHED = {"status": "complete", "publish_status": "published", "publish_time": 1_700_000_000}


@pytest.mark.parametrize(
    ("response", "found"),
    [
        (phases("ready", processing="complete", publishing=PUBLISHED), "candidate"),
        (phases("processing", processing="in_progress"), "processing"),
        (phases("ready", processing="complete", publishing={"status": "in_progress"}), "processing"),
        (phases("upload_complete"), "absent"),
        (phases("uploading"), "absent"),
        (phases("ready", processing="complete"), "absent"),
        (phases("error", processing="error"), "refused"),
        (phases("expired"), "refused"),
        (phases("ready", publishing={"status": "error", "errors": [{"code": 1, "message": "no"}]}), "refused"),
        (error(100, 33), "unread"),
        (httpx.Response(200, text="<html>"), "unread"),
        (httpx.Response(200, json={"id": "17"}), "unread"),
    ],
)
async def test_what_a_video_says_of_itself(response: httpx.Response, found: str) -> None:
    finding = await connector("facebook", lambda _: response).look_up(author("facebook"), REEL, NOW)

    match found:
        case "candidate":
            assert [each.platform_post_id for each in finding.candidates] == ["17"]
            assert finding.candidates[0].url == "https://www.facebook.com/reel/17"
        case "processing":
            assert finding.processing is not None
        case "refused":
            assert finding.refused is not None
            assert finding.refused.remediation
        case "absent":
            assert finding == Finding(complete=True)
        case _:
            assert finding == Finding()


async def test_a_finished_reel_is_taken_but_not_live() -> None:
    made = connector("facebook", lambda _: httpx.Response(200, json={"success": True}))
    assert isinstance(await made.send(author("facebook"), REEL, made.request(author("facebook"), REEL)), Processing)


async def test_a_video_that_was_uploaded_for_another_type_of_post_is_not_sent() -> None:
    def nobody(_: httpx.Request) -> httpx.Response:
        raise AssertionError("it was sent")

    feed = replace(REEL, options={})
    answer = await connector("facebook", nobody).send(author("facebook"), feed, b"{}")

    assert isinstance(answer, Retry)
    assert answer.cause == "media_refused"


@pytest.mark.parametrize(
    ("status", "kind", "detail"),
    [
        ("Error: Media upload has failed with error code 2207082", Retry, "media_refused"),
        ("Error: Media upload has failed with error code 2207052", Retry, "media_refused"),
        ("Error: Media upload has failed with error code 2207026", Refused, "instagram.media.format"),
        ("Error: Media upload has failed with error code 2207085", Refused, "instagram.media.processing"),
        ("Error", Refused, "instagram.media.processing"),
    ],
)
async def test_what_a_failed_container_says(status: str, kind: type[Refused | Retry], detail: str) -> None:
    body = {"status_code": "ERROR", "status": status, "id": "178"}
    made = connector("instagram", lambda _: httpx.Response(200, json=body))
    draft = await drafted("instagram")

    async def record(_: Upload) -> None:
        pass

    with pytest.raises(SetbackError) as caught:
        await made.carry_on(author("instagram"), draft, IMAGE, replace(UPLOAD, ready=False), record)

    setback = caught.value.setback
    assert type(setback) is kind
    assert (setback.cause if isinstance(setback, Retry) else setback.failure.rule) == detail


@pytest.mark.parametrize(("login", "host"), [(None, "instagram"), ("facebook", "facebook")])
async def test_each_login_has_its_host_and_the_token_stays_in_the_header(login: str | None, host: str) -> None:
    seen: list[httpx.Request] = []

    def accept(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"id": "179", "permalink": "https://www.instagram.com/p/x/"})

    facebook, instagram = (
        httpx.AsyncClient(transport=httpx.MockTransport(accept), base_url=f"http://{name}")
        for name in ("facebook", "instagram")
    )
    made = InstagramConnector(
        facebook,
        instagram,
        facebook,
        POLICY,
        MediaFetcher(allow_private=False),
        budgets=Budgets(),
        facebook_version="v26.0",
        instagram_version="v25.0",
    )
    writer, draft = author("instagram", login), await drafted("instagram")

    answer = await made.send(writer, draft, made.request(writer, draft))

    assert answer == Accepted("179", "https://www.instagram.com/p/x/")
    version = "v26.0" if login else "v25.0"
    assert str(seen[0].url) == f"http://{host}/{version}/100/media_publish"
    assert seen[0].headers["Authorization"] == f"Bearer {SECRET}"
    assert seen[0].content == b'{"creation_id":"178"}'
    assert not any(SECRET in str(request.url) for request in seen)


async def test_a_link_that_cannot_be_read_does_not_fail_the_post() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"id": "179"}) if request.method == "POST" else error(100, 33)

    made = connector("instagram", handler)
    assert await made.send(author("instagram"), await drafted("instagram"), b"{}") == Accepted("179", None)


def post(**changes: Any) -> dict[str, Any]:
    photo = {"type": "photo", "media_type": "photo", "target": {"id": "5"}}
    whole = {
        "id": "100_1",
        "message": "Hello",
        "created_time": "2026-11-24T12:00:00+0000",
        "permalink_url": "https://www.facebook.com/100/posts/1",
        "application": {"id": "9"},
        "attachments": {"data": [photo]},
    }
    return {**whole, **changes}


@pytest.mark.parametrize(
    ("shown", "same"),
    [
        (post(), True),
        (post(message="Hello\u00a0 "), True),
        (post(message="Hello there"), False),
        (post(attachments={"data": []}), False),
        (post(attachments={"data": [{"type": "photo", "target": {"id": "6"}}]}), False),
        (post(application={"id": "8"}), False),
        (post(created_time="2026-11-24T11:00:00+0000"), False),
    ],
)
async def test_only_the_very_same_post_is_taken_for_ours(shown: dict[str, Any], same: bool) -> None:
    client = httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json={"data": [shown]})), base_url="http://platform"
    )
    fetcher = MediaFetcher(allow_private=False)
    made = FacebookConnector(client, client, POLICY, fetcher, Budgets(), version="v26.0", app_id="9")
    photo = replace(UPLOAD, media_id="5", media_key="photos")
    draft = Draft(index=0, content=Content(text="Hello", media=(IMAGE,)), options={}, uploads=(photo,))

    finding = await made.look_up(author("facebook"), draft, datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC))

    assert finding.complete
    assert [each.platform_post_id for each in finding.candidates] == (["100_1"] if same else [])


async def test_a_feed_too_long_to_be_read_proves_nothing() -> None:
    body = {"data": [], "paging": {"cursors": {"after": "x"}, "next": "http://elsewhere/next"}}
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.host)
        return httpx.Response(200, json=body)

    draft = Draft(index=0, content=Content(text="Hello"), options={}, uploads=())
    assert await connector("facebook", handler).look_up(author("facebook"), draft, NOW) == Finding()
    assert set(seen) == {"platform"}
