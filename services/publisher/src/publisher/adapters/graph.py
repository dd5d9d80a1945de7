"""Meta's Graph API: what the connectors of Facebook and Instagram share.

Sources: developers.facebook.com, Graph API v26.0, "Handle errors" and "Rate limiting"; Instagram Platform, "Error
codes".
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import IO, Any

import httpx
import msgspec
import structlog
from msgspec import Struct

from contracts.content import Failure, Platform
from platforms.composing import normalise_for_match
from publisher.adapters.http import bearer, calling, failed_send, failed_step, json_object, quote, utc_now
from publisher.domain.answers import (
    UNREADABLE,
    Accepted,
    Ambiguous,
    Answer,
    Candidate,
    Duplicate,
    Finding,
    Postponed,
    Refused,
    Retry,
    SetbackError,
)
from publisher.domain.budgets import Budgets
from publisher.domain.publication import Upload
from publisher.ports import Author, Draft, Record

log = structlog.get_logger()

MEGABYTE = 1 << 20
PIECE = 256 * 1024
"""Read from a file at a time."""
LEASE_RENEWAL = 10.0
"""Seconds after which a long upload tells the journal that it is still going on."""
CLOCK_SLACK = timedelta(seconds=60)
PAGE = 100
MAX_PAGES = 5
JITTER = 5.0

_APP_THROTTLED = frozenset((4, 341))
_THROTTLED = frozenset((17, 32, 613, *range(80000, 80015)))
_TOKEN_DEAD = frozenset((458, 460, 463, 467, 492))
_IMPERSONATING = "before impersonating a user's page"
MISSING = (100, 33)
"""Code and subcode of "does not exist, or permissions are missing", which Meta also answers when it is out of order."""


class GraphError(Struct, frozen=True):
    """Meta's own words for a refusal. Its type and its texts for users say nothing reliable, so they are left out."""

    code: int
    subcode: int | None
    message: str

    @property
    def key(self) -> tuple[int, int | None]:
        return self.code, self.subcode


def error_of(response: httpx.Response) -> GraphError | None:
    """None for an answer that is not Meta's own."""
    body = json_object(response)
    error = None if body is None else body.get("error")
    if not isinstance(error, dict) or not isinstance(error.get("code"), int):
        return None
    subcode = error.get("error_subcode")
    return GraphError(error["code"], subcode if isinstance(subcode, int) else None, str(error.get("message", "")))


def succeeded(response: httpx.Response) -> bool:
    """Meta has answered refusals with 200, too."""
    body = json_object(response)
    return response.is_success and body is not None and "error" not in body and body.get("success") is not False


OwnTable = Callable[[GraphError, httpx.Response], Answer | None]
"""What a platform's own errors mean; None for those that both platforms share."""


class GraphHost:
    """One host of the Graph API, for one platform. `name` is for people."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        platform: Platform,
        name: str,
        version: str,
        budgets: Budgets,
        table: OwnTable,
        spam_pause: timedelta = timedelta(hours=6),
        operator_pause: timedelta = timedelta(minutes=5),
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.name = name
        self.platform = platform
        self._client = client
        self._version = version
        self._budgets = budgets
        self._table = table
        self._spam_pause = spam_pause
        self._operator_pause = operator_pause
        self._now = now

    async def call(self, author: Author, call: str, method: str, path: str, **content: Any) -> httpx.Response:
        """Raises httpx.HTTPError."""
        headers = {**bearer(author.token.reveal()), **content.pop("headers", {})}
        with calling(self.platform, call):
            response = await self._client.request(method, f"/{self._version}{path}", headers=headers, **content)
        self._note_usage(author, response)
        return response

    async def step(self, author: Author, call: str, method: str, path: str, **content: Any) -> Mapping[str, Any]:
        """A call that can be repeated; its body. Raises SetbackError."""
        try:
            response = await self.call(author, call, method, path, **content)
        except httpx.HTTPError as error:
            raise failed_step(self.name, error) from error
        if succeeded(response):
            return json_object(response) or {}
        raise self.setback(author, response)

    def setback(self, author: Author, response: httpx.Response) -> SetbackError:
        match self.refusal(author, response):
            case Refused() | Postponed() | Retry() as setback:
                return SetbackError(setback)
            case Duplicate(failure):
                return SetbackError(Refused(failure))
            case _:
                return SetbackError(Retry("unreachable", failed(f"{self.name} failed.", response, retryable=True)))

    # --- what answers mean ----------------------------------------------------------------------------

    def refusal(self, author: Author, response: httpx.Response) -> Answer:
        """The closed table. An answer that is not Meta's own, or not listed, leaves it open what happened."""
        error = error_of(response)
        if error is None or response.status_code >= 500:
            return Ambiguous(unknown(f"{self.name} gave no readable answer.", response))
        own = self._table(error, response)
        if own is not None:
            return own
        return self._shared(author, error, response)

    def _shared(  # noqa: PLR0912  # a branch for each row of the table
        self, author: Author, error: GraphError, response: httpx.Response
    ) -> Answer:
        match error.key:
            case (4, 2207051) | (368, _):
                return self._blocked(author, response)
            case (code, _) if code in _APP_THROTTLED:
                return self._limited(Budgets.APP, response)
            case (code, _) if code in _THROTTLED:
                return self._limited(author.account.account_id, response)
            case (190, None) if _IMPERSONATING in error.message:
                return self._permission(response)
            case (190, subcode) if subcode in _TOKEN_DEAD:
                return Retry("token_dead", self._token_failure(response))
            case (190 | 102, _):
                return Retry("token_refused", self._token_failure(response))
            case (10, _):
                return self._permission(response)
            case (code, _) if 200 <= code <= 299:
                return self._permission(response)
            case (25, 2207050) | (100, 1404078 | 4854002):
                return Refused(
                    failed(
                        f"{self.name} has restricted the account.",
                        response,
                        rule=f"{self.platform}.account.restricted",
                        remediation=f"Open {self.name}, and do what it asks for there; then publish again.",
                    )
                )
            case (2635, _):
                return self._wrong_version(response)
            case (100, 33) | (803, _):
                return Refused(
                    failed(
                        f"{self.name} does not find the account, or what the post is made of.",
                        response,
                        rule=f"{self.platform}.not_found",
                        remediation="Look whether the account still exists, and connect it again.",
                    )
                )
            case (100, _) | (3, _):
                return Refused(
                    failed(f"{self.name} finds the request invalid.", response, rule=f"{self.platform}.invalid_request")
                )
            case _:
                return Ambiguous(unknown(f"{self.name} failed while it handled the post.", response))

    def _permission(self, response: httpx.Response) -> Refused:
        return Refused(
            failed(
                f"The account may not do this at {self.name}: a permission or a role is missing.",
                response,
                rule=f"{self.platform}.permission",
                remediation="Ask an administrator of the Page for the role, or connect the account again with all "
                "permissions.",
            )
        )

    def _token_failure(self, response: httpx.Response) -> Failure:
        return failed(
            f"{self.name} does not accept the account's token.",
            response,
            code="token_refused",
            remediation="Connect the account again.",
            retryable=True,
        )

    def _blocked(self, author: Author, response: httpx.Response) -> Ambiguous:
        """Taken for spam: posts answered so have been seen live. Nothing else is tried for hours."""
        failure = failed(
            f"{self.name} restricts the account's activity for now.",
            response,
            code="rate_limited",
            rule=f"{self.platform}.activity.restricted",
            remediation="Post less, or less alike.",
            retryable=True,
        )
        self._budgets.use_up(author.account.account_id, self._now() + self._spam_pause, failure)
        return Ambiguous(failure)

    def _limited(self, scope: str, response: httpx.Response) -> Postponed:
        failure = limit_failure(self.name, response)
        pause = _regain(response)
        until = self._now() + (timedelta(minutes=5) if pause is None else pause)
        self._budgets.use_up(scope, until, failure)
        return Postponed(until + timedelta(seconds=random.uniform(0, JITTER)), failure)

    def _wrong_version(self, response: httpx.Response) -> Postponed:
        log.error("Meta no longer serves this API version", answer=quote(response))
        failure = failed(
            f"{self.name} no longer serves the API version of this deployment.",
            response,
            code="operator_action_needed",
            remediation="The operator must set the version to a current one.",
            retryable=True,
        )
        until = self._now() + self._operator_pause
        self._budgets.use_up(Budgets.APP, until, failure)
        return Postponed(until, failure)

    def _note_usage(self, author: Author, response: httpx.Response) -> None:
        """Meta asks to stop at 100 percent: going on makes the pause longer."""
        pause = _regain(response)
        if pause is not None:
            failure = limit_failure(self.name, response)
            self._budgets.use_up(author.account.account_id, self._now() + pause, failure)

    # --- comments -------------------------------------------------------------------------------------

    async def comment(self, author: Author, post_id: str, request: bytes) -> Answer:
        """The irreversible call for a comment."""
        headers = {"Content-Type": "application/json"}
        try:
            response = await self.call(
                author, "create_comment", "POST", f"/{post_id}/comments", content=request, headers=headers
            )
        except httpx.HTTPError as error:
            return failed_send(self.name, error)
        if not succeeded(response):
            return self.refusal(author, response)
        return self.accepted(response)

    def accepted(self, response: httpx.Response, url: str | None = None) -> Answer:
        """Live, by the `id` in the answer."""
        body = json_object(response) or {}
        post_id = body.get("id")
        if not isinstance(post_id, str) or not post_id:
            return Ambiguous(unknown(f"{self.name} answered without naming the post.", response), accepted=True)
        shown = body.get("permalink_url")
        return Accepted(post_id, shown if isinstance(shown, str) else url)

    async def find_comment(self, author: Author, draft: Draft, since: datetime, text: str, fields: str) -> Finding:
        """`text`: the name of the field that holds a comment's words."""
        wanted = normalise_for_match(draft.content.text, self.platform)
        oldest = since - CLOCK_SLACK
        found: list[Candidate] = []
        try:
            async for comment in self.pages(author, "comments", f"/{draft.reply_to}/comments", {"fields": fields}):
                at = instant(comment.get("created_time") or comment["timestamp"])
                writer = comment.get("from") or {}
                ours = writer.get("id") in (None, author.account.platform_user_id)
                same = normalise_for_match(str(comment.get(text, "")), self.platform) == wanted
                if ours and same and at >= oldest:
                    url = comment.get("permalink_url")
                    found.append(Candidate(str(comment["id"]), at, None if url is None else str(url)))
        except UNREAD:
            return UNREADABLE
        return Finding(tuple(found), complete=True)

    # --- reading --------------------------------------------------------------------------------------

    async def pages(
        self, author: Author, call: str, path: str, params: Mapping[str, str]
    ) -> AsyncIterator[Mapping[str, Any]]:
        """All items of a collection. Raises one of UNREAD, also when there are too many to be read."""
        query = {"limit": str(PAGE), **params}
        for _ in range(MAX_PAGES):
            body = await self.read(author, call, path, query)
            for item in msgspec.convert(body.get("data"), list[dict[str, Any]]):
                yield item
            paging = body.get("paging") or {}
            if not paging.get("next"):
                return
            # The address of the next page is not followed: a token goes where the operator says.
            query["after"] = str(paging["cursors"]["after"])
        raise ValueError("too many to be read")

    async def read(self, author: Author, call: str, path: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        """Raises one of UNREAD."""
        response = await self.call(author, call, "GET", path, params=params)
        body = json_object(response)
        if body is None or not succeeded(response):
            raise ValueError(f"it cannot be read: {response.status_code}")
        return body

    # --- deleting -------------------------------------------------------------------------------------

    async def delete(self, author: Author, post_id: str) -> None:
        """Raises SetbackError. What is gone already is no error; what may not be deleted looks alike, and is told
        apart by reading it.
        """
        try:
            response = await self.call(author, "delete_post", "DELETE", f"/{post_id}")
            if succeeded(response):
                return
            error = error_of(response)
            if error is None or error.key != MISSING:
                raise self.setback(author, response)
            seen = await self.call(author, "get_post", "GET", f"/{post_id}", params={"fields": "id"})
        except httpx.HTTPError as broken:
            raise failed_step(self.name, broken) from broken
        if succeeded(seen):
            raise SetbackError(
                Refused(
                    failed(
                        f"{self.name} does not let us delete the post.",
                        response,
                        rule=f"{self.platform}.delete.unsupported",
                        remediation=f"Delete it in {self.name}.",
                    )
                )
            )
        gone = error_of(seen)
        if gone is None or gone.key != MISSING:
            raise self.setback(author, seen)


class ResumableUploads:
    """rupload.facebook.com: a file goes out in one request, which goes on where an earlier one broke off."""

    def __init__(self, client: httpx.AsyncClient, *, platform: Platform, name: str, version: str) -> None:
        self._client = client
        self._platform = platform
        self._name = name
        self._version = version

    async def send(self, author: Author, kind: str, upload: Upload, file: IO[bytes], record: Record) -> None:
        """The bytes from `upload.sent` on, where `file` stands. `kind`: video-upload or ig-api-upload.

        Raises SetbackError.
        """
        headers = {
            "Authorization": f"OAuth {author.token.reveal()}",
            "offset": str(upload.sent),
            "file_size": str(upload.size),
            "Content-Length": str(upload.size - upload.sent),
            "Content-Type": "application/octet-stream",
        }
        path = f"/{kind}/{self._version}/{upload.media_id}"
        try:
            with calling(self._platform, "upload_bytes"):
                response = await self._client.post(path, content=_pieces(file, upload, record), headers=headers)
        except httpx.HTTPError as error:
            raise failed_step(self._name, error) from error
        if succeeded(response):
            return
        info = (json_object(response) or {}).get("debug_info")
        failure = failed(f"{self._name} did not take the video.", response, code="media_rejected", retryable=True)
        retriable = not isinstance(info, dict) or info.get("retriable") is True
        raise SetbackError(Retry("unreachable" if retriable else "media_refused", failure))


async def _pieces(file: IO[bytes], upload: Upload, record: Record) -> AsyncIterator[bytes]:
    renewed = time.monotonic()
    while piece := await asyncio.to_thread(file.read, PIECE):
        yield piece
        if time.monotonic() - renewed > LEASE_RENEWAL:
            await record(upload)
            renewed = time.monotonic()


UNREAD = (httpx.HTTPError, msgspec.ValidationError, KeyError, TypeError, ValueError, AttributeError)
"""What reading raises when the answer is none, or not what was asked for."""


def instant(text: object) -> datetime:
    """Meta's `2019-05-17T16:24:04+0000`, or seconds since the Unix epoch. Raises ValueError."""
    words = str(text)
    return datetime.fromtimestamp(int(words), UTC) if words.isdecimal() else datetime.fromisoformat(words)


def unix(moment: datetime) -> str:
    return str(int(moment.timestamp()))


def limits_used(response: httpx.Response) -> list[tuple[float, float]]:
    """For each limit that Meta tells of: how much of it is used, in percent, and for how many minutes to stop."""
    found: list[tuple[float, float]] = []
    for name in ("x-business-use-case-usage", "x-app-usage"):
        try:
            usage = msgspec.json.decode(response.headers.get(name, "{}"))
        except msgspec.DecodeError:
            continue
        entries = [usage] if name == "x-app-usage" else [each for listed in usage.values() for each in listed]
        for entry in entries:
            percents = [entry.get(field, 0) for field in ("call_count", "total_cputime", "total_time")]
            found.append((max(percents), entry.get("estimated_time_to_regain_access", 0)))
    return found


def _regain(response: httpx.Response) -> timedelta | None:
    """How long to stop, when Meta says that a limit is used up."""
    pauses = [minutes or 60 for percent, minutes in limits_used(response) if minutes or percent >= 100]
    return timedelta(minutes=max(pauses)) if pauses else None


def failed(
    message: str,
    response: httpx.Response | None,
    *,
    code: str = "platform_rejected",
    rule: str | None = None,
    remediation: str | None = None,
    retryable: bool = False,
) -> Failure:
    return Failure(
        code=code,
        message=message,
        rule=rule,
        remediation=remediation,
        platform_error=None if response is None else quote(response),
        retryable=retryable,
    )


def unknown(message: str, response: httpx.Response) -> Failure:
    return failed(message, response, code="outcome_unknown")


def limit_failure(name: str, response: httpx.Response) -> Failure:
    return failed(
        f"{name}'s limit on calls is used up.",
        response if response.is_error else None,
        code="rate_limited",
        remediation="Nothing to do: it goes out when the limit is reset.",
        retryable=True,
    )


def changed_since() -> Retry:
    """The post has been edited after its media was given to the platform together with the old words."""
    failure = Failure(code="media_rejected", message="The post has changed since its media was prepared.")
    return Retry("media_refused", failure)
