"""Every row of the platforms' error tables."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from contracts.accounts import Account
from contracts.content import Content
from publisher.adapters.linkedin import LinkedInConnector
from publisher.adapters.media import MediaFetcher
from publisher.adapters.x import XConnector
from publisher.domain.answers import Accepted, Ambiguous, Answer, Duplicate, Postponed, Refused, Retry
from publisher.domain.budgets import Budgets
from publisher.domain.publication import Policy
from publisher.ports import Author, Connector, Draft, Secret
from publisher.settings import RETRY_DELAYS

DRAFT = Draft(index=0, content=Content(text="Hello"), options={}, uploads=())

SECRET = "s3cret-token"
URN = "urn:li:share:7141138937766391808"
POLICY = Policy(retry_delays=RETRY_DELAYS)


def author(platform: str) -> Author:
    account = Account(
        account_id="acc_1",
        tenant_id="t",
        platform="twitter" if platform == "twitter" else "linkedin",
        platform_user_id="1",
        username="amara",
        display_name="Amara",
        account_type="personal",
        connected_at=datetime.now(UTC),
    )
    return Author(account=account, token=Secret(SECRET))


def connector(platform: str, transport: httpx.AsyncBaseTransport) -> Connector:
    client = httpx.AsyncClient(transport=transport, base_url="http://platform")
    fetcher = MediaFetcher(allow_private=False)
    if platform == "twitter":
        return XConnector(client, POLICY, fetcher, Budgets())
    return LinkedInConnector(client, POLICY, fetcher, Budgets(), version="202609")


async def answer_to(platform: str, response: httpx.Response) -> Answer:
    return await connector(platform, httpx.MockTransport(lambda _: response)).send(author(platform), DRAFT, b"{}")


def problem(status: int, detail: str, *, kind: str = "about:blank") -> httpx.Response:
    return httpx.Response(status, json={"title": "Problem", "detail": detail, "type": kind, "status": status})


def error(status: int, code: str, *, number: int | None = None, message: str = "") -> httpx.Response:
    body = {"status": status, "code": code, "message": message}
    return httpx.Response(status, json={**body, **({"serviceErrorCode": number} if number else {})})


X_ROWS = [
    ("media invalid", problem(400, "Your media IDs are invalid."), Retry, "media_refused"),
    ("too long", problem(400, "Your Tweet text is too long."), Refused, "twitter.text.weighted_length"),
    ("too long, 403", problem(403, "Your Tweet text is too long."), Refused, "twitter.text.weighted_length"),
    ("invalid", httpx.Response(400, json={"errors": [{"message": "no"}]}), Refused, "twitter.invalid_request"),
    ("unauthorized", problem(401, "Unauthorized"), Retry, "token_refused"),
    ("credits", problem(402, "credits depleted", kind="https://x/problems/credits"), Postponed, None),
    ("duplicate", problem(403, "create a Tweet with duplicate content."), Duplicate, "twitter.duplicate_content"),
    (
        "not permitted",
        problem(403, "You are not permitted to perform this action."),
        Refused,
        "twitter.action.not_permitted",
    ),
    ("reply", problem(403, "Reply to this conversation is not allowed because"), Refused, "twitter.reply.not_allowed"),
    ("unknown bearer", problem(403, "Authenticating with Unknown is forbidden"), Retry, "token_refused"),
    ("suspended", problem(403, "user-suspended"), Refused, "twitter.account.suspended"),
    ("cashtags", problem(403, "maximum of one cashtag"), Refused, "twitter.text.cashtags"),
    ("gone", problem(404, "resource-not-found"), Refused, "twitter.not_found"),
    ("limited", problem(429, "Too Many Requests"), Postponed, None),
    ("capped", problem(429, "capped", kind="https://x/problems/usage-capped"), Postponed, None),
    ("500", problem(500, "Internal"), Ambiguous, None),
    ("503", problem(503, "Service Unavailable"), Ambiguous, None),
    ("html 403", httpx.Response(403, text="<html>cloudflare</html>"), Ambiguous, None),
    ("redirect", httpx.Response(302, headers={"location": "http://elsewhere"}), Ambiguous, None),
    ("unlisted", problem(418, "teapot"), Ambiguous, None),
    ("2xx without id", httpx.Response(201, json={"errors": []}), Ambiguous, None),
    ("2xx undecodable", httpx.Response(201, text="{"), Ambiguous, None),
]
LINKEDIN_ROWS = [
    ("missing field", error(400, "MISSING_FIELD"), Refused, "linkedin.missing_field"),
    ("length", error(400, "FIELD_LENGTH_TOO_LONG"), Refused, "linkedin.field_length_too_long"),
    ("version missing", error(400, "VERSION_MISSING"), Refused, "linkedin.invalid_request"),
    ("media waiting", error(400, "MEDIA_ASSET_WAITING_UPLOAD"), Retry, "media_processing"),
    ("media failed", error(400, "MEDIA_ASSET_PROCESSING_FAILED"), Refused, "linkedin.media.processing"),
    ("malformed token", error(401, "INVALID_ACCESS_TOKEN", number=65600), Retry, "token_dead"),
    ("revoked", error(401, "REVOKED_ACCESS_TOKEN", number=65601), Retry, "token_unripe"),
    ("expired", error(401, "EXPIRED_ACCESS_TOKEN", number=65602), Retry, "token_dead"),
    ("permission", error(403, "ACCESS_DENIED"), Refused, "linkedin.permission"),
    ("gone", error(404, "NOT_FOUND"), Refused, "linkedin.not_found"),
    ("conflict", error(409, "CONFLICT"), Retry, "conflict"),
    (
        "duplicate",
        httpx.Response(
            422,
            json={"status": 422, "errorDetails": {"inputErrors": [{"code": "DUPLICATE_POST", "description": URN}]}},
        ),
        Duplicate,
        "linkedin.duplicate_post",
    ),
    ("version retired", error(426, "NONEXISTENT_VERSION"), Postponed, None),
    ("daily limit", error(429, "TOO_MANY_REQUESTS", number=101), Postponed, None),
    ("throttled", error(429, "TOO_MANY_REQUESTS"), Postponed, None),
    ("500", error(500, "INTERNAL"), Ambiguous, None),
    ("504", httpx.Response(504, text="<html>"), Ambiguous, None),
    ("unlisted", error(418, "TEAPOT"), Ambiguous, None),
    ("201 without id", httpx.Response(201), Ambiguous, None),
]


@pytest.mark.parametrize(
    ("platform", "response", "kind", "detail"),
    [
        pytest.param(platform, response, kind, detail, id=f"{platform}: {name}")
        for platform, rows in (("twitter", X_ROWS), ("linkedin", LINKEDIN_ROWS))
        for name, response, kind, detail in rows
    ],
)
async def test_row(platform: str, response: httpx.Response, kind: type[Answer], detail: str | None) -> None:
    answer = await answer_to(platform, response)

    assert type(answer) is kind
    if isinstance(answer, Retry):
        assert answer.cause == detail
    elif isinstance(answer, Refused | Duplicate):
        assert answer.failure.rule == detail
    if not isinstance(answer, Accepted):
        assert answer.failure.message
        assert SECRET not in repr(answer)


async def test_what_a_duplicate_is_of() -> None:
    answer = await answer_to("linkedin", LINKEDIN_ROWS[11][1])
    assert isinstance(answer, Duplicate)
    assert answer.platform_post_id == URN


async def test_a_limit_is_kept_until_its_reset() -> None:
    reset = int((datetime.now(UTC) + timedelta(minutes=9)).timestamp())
    headers = {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(reset)}
    response = httpx.Response(201, json={"data": {"id": "1"}}, headers=headers)
    x = connector("twitter", httpx.MockTransport(lambda _: response))

    assert isinstance(await x.send(author("twitter"), DRAFT, b"{}"), Accepted)

    postponed = x.budgets.exhausted("acc_1", datetime.now(UTC))
    assert postponed is not None
    assert postponed.until == datetime.fromtimestamp(reset, tz=UTC)


@pytest.mark.parametrize("platform", ["twitter", "linkedin"])
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
    platform: str, failure: httpx.HTTPError, kind: type[Answer]
) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise failure

    assert type(await connector(platform, httpx.MockTransport(fail)).send(author(platform), DRAFT, b"{}")) is kind


async def test_the_post_asked_for() -> None:
    seen: list[httpx.Request] = []

    def accept(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, headers={"x-restli-id": URN.replace(":", "%3A")})

    answer = await connector("linkedin", httpx.MockTransport(accept)).send(
        author("linkedin"), DRAFT, json.dumps({}).encode()
    )

    assert answer == Accepted(URN, f"https://www.linkedin.com/feed/update/{URN}/")
    assert seen[0].headers["LinkedIn-Version"] == "202609"
    assert seen[0].headers["Authorization"] == f"Bearer {SECRET}"
