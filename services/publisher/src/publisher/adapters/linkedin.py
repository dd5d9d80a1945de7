"""LinkedIn, versioned REST API. Sources: learn.microsoft.com, LinkedIn marketing documentation, version 202609.

Members' tokens can write but not read: what became of a post of theirs can only be learned by sending it again.
"""

import random
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote as percent_encode
from urllib.parse import unquote

import httpx
import msgspec
import structlog

from contracts.accounts import Account
from contracts.content import Failure, LivePart, Media, Platform
from platforms.composing import compose_text, little_text, normalise_for_match, plain_text
from publisher.adapters.http import CALL_SECONDS, bearer, failed_send, failed_step, json_object, quote, utc_now
from publisher.adapters.media import Fetched, MediaFetcher
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
from publisher.domain.publication import Policy, Upload
from publisher.ports import Assembling, Author, Draft, Record

log = structlog.get_logger()

MEGABYTE = 1 << 20
IMAGE_BYTES = 20 * MEGABYTE
"""LinkedIn documents a limit in pixels only, 36,152,320; this is our own."""
VIDEO_BYTES = 500 * MEGABYTE
PROCESSING_LIMIT = timedelta(minutes=15)
CLOCK_SLACK = timedelta(seconds=60)
PAGE = 50
MAX_PAGES = 10
JITTER = 5.0

_PAGES = ("organization", "company_page")
_DUPLICATE_OF = re.compile(r"urn:li:(?:share|ugcPost):\d+")
_INVALID_INPUT = (
    "MISSING_FIELD",
    "INVALID_URN_TYPE",
    "INVALID_URN_ID",
    "INVALID_VALUE_FOR_FIELD",
    "INVALID_VALUE_BLANK_FIELD",
    "FIELD_LENGTH_TOO_LONG",
    "INVALID_VIDEO_ID",
)


class LinkedInConnector:
    """`publisher.ports.Connector`."""

    platform: Platform = "linkedin"
    assembling: Assembling | None = None

    def __init__(
        self,
        client: httpx.AsyncClient,
        policy: Policy,
        fetcher: MediaFetcher,
        budgets: Budgets,
        *,
        version: str,
        operator_pause: timedelta = timedelta(minutes=5),
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.policy = policy
        self.budgets = budgets
        self._client = client
        self._fetcher = fetcher
        self._now = now
        self._operator_pause = operator_pause
        self._version_headers = {"LinkedIn-Version": version, "X-Restli-Protocol-Version": "2.0.0"}

    def readable(self, account: Account) -> bool:
        return account.account_type in _PAGES

    # --- uploading ------------------------------------------------------------------------------------

    async def upload(self, author: Author, draft: Draft, media: Media, record: Record) -> Upload:
        types: tuple[str, ...]
        match media.type:
            case "image":
                max_bytes, types = IMAGE_BYTES, ("image/jpeg", "image/png", "image/gif")
            case "gif":
                max_bytes, types = IMAGE_BYTES, ("image/gif",)
            case "video":
                max_bytes, types = VIDEO_BYTES, ("video/mp4",)
            case _:
                message = f"Media of type {media.type} cannot be published to LinkedIn by this deployment."
                failure = Failure(code="media_rejected", rule="linkedin.media.type", message=message)
                raise SetbackError(Refused(failure))
        async with self._fetcher.fetch(media, max_bytes=max_bytes, types=types) as fetched:
            if media.type == "video":
                urn = await self._upload_video(author, fetched)
            else:
                urn = await self._upload_image(author, fetched)
            now = self._now()
            return Upload(
                part=draft.index,
                source=media.url or media.media_id or "",
                type=media.type,
                alt_text=media.alt_text,
                media_id=urn,
                size=fetched.size,
                uploaded_at=now,
                ready=False,
                check_at=now + timedelta(seconds=1),
            )

    async def _upload_image(self, author: Author, fetched: Fetched) -> str:
        asked = {"initializeUploadRequest": {"owner": author_urn(author.account)}}
        value = await self._begin(author, "images", asked)
        try:
            url, urn = str(value["uploadUrl"]), str(value["image"])
        except KeyError as error:
            raise _odd_answer() from error
        headers = {**bearer(author.token.reveal()), "Content-Type": fetched.content_type}
        await self._put(url, fetched.file.read(), headers)
        return urn

    async def _upload_video(self, author: Author, fetched: Fetched) -> str:
        asked = {
            "owner": author_urn(author.account),
            "fileSizeBytes": fetched.size,
            "uploadCaptions": False,
            "uploadThumbnail": False,
        }
        value = await self._begin(author, "videos", {"initializeUploadRequest": asked})
        tags: list[str] = []
        try:
            urn = str(value["video"])
            for instruction in value["uploadInstructions"]:
                first, last = int(instruction["firstByte"]), int(instruction["lastByte"])
                fetched.file.seek(first)
                # The URL is signed: a token does not belong there.
                answer = await self._put(
                    str(instruction["uploadUrl"]),
                    fetched.file.read(last - first + 1),
                    {"Content-Type": "application/octet-stream"},
                )
                tags.append(answer.headers["ETag"])
        except (KeyError, TypeError, ValueError) as error:
            raise _odd_answer() from error
        finalize = {"video": urn, "uploadToken": value.get("uploadToken", ""), "uploadedPartIds": tags}
        await self._step(
            author,
            "upload_finalize",
            "POST",
            "/rest/videos?action=finalizeUpload",
            json={"finalizeUploadRequest": finalize},
        )
        return urn

    async def _begin(self, author: Author, kind: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        path = f"/rest/{kind}?action=initializeUpload"
        response = await self._step(author, "upload_initialize", "POST", path, json=asked)
        value = (json_object(response) or {}).get("value")
        if not isinstance(value, dict):
            raise _odd_answer()
        return value

    async def _put(self, url: str, content: bytes, headers: Mapping[str, str]) -> httpx.Response:
        try:
            with CALL_SECONDS.labels(self.platform, "upload_bytes").time():
                response = await self._client.put(url, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise failed_step("LinkedIn", error) from error
        if response.is_success:
            return response
        failure = _failure("LinkedIn did not take the media.", response, code="media_rejected")
        if response.status_code in (413, 415):
            raise SetbackError(Refused(failure))
        # 401 and 403 mean here that the URL has expired.
        raise SetbackError(Retry("media_unavailable", failure))

    async def carry_on(
        self,
        author: Author,
        draft: Draft,
        media: Media,
        upload: Upload,
        record: Record,
    ) -> Upload:
        kind = "videos" if upload.type == "video" else "images"
        now = self._now()
        try:
            response = await self._call(author, "media_status", "GET", f"/rest/{kind}/{_encoded(upload.media_id)}")
        except httpx.HTTPError as error:
            raise failed_step("LinkedIn", error) from error
        if response.status_code == httpx.codes.FORBIDDEN:
            # Members' tokens may not ask: processing is given ten seconds and one more for each megabyte.
            ready_at = upload.uploaded_at + timedelta(seconds=10 + upload.size / MEGABYTE)
            return msgspec.structs.replace(
                upload, ready=now >= ready_at, check_at=None if now >= ready_at else ready_at
            )
        if not response.is_success:
            raise self._setback(response)
        match (json_object(response) or {}).get("status"):
            case "AVAILABLE":
                return msgspec.structs.replace(upload, ready=True, check_at=None)
            case "PROCESSING_FAILED":
                raise SetbackError(
                    Refused(
                        _failure(
                            f"LinkedIn cannot process the {upload.type}.",
                            response,
                            code="media_rejected",
                            rule="linkedin.media.processing",
                        )
                    )
                )
        if now - upload.uploaded_at > PROCESSING_LIMIT:
            raise SetbackError(Refused(_failure(f"LinkedIn did not finish processing the {upload.type}.", response)))
        return msgspec.structs.replace(upload, ready=False, check_at=now + timedelta(seconds=2))

    async def _call(self, author: Author, call: str, method: str, path: str, **content: Any) -> httpx.Response:
        headers = {**bearer(author.token.reveal()), **self._version_headers, **content.pop("headers", {})}
        with CALL_SECONDS.labels(self.platform, call).time():
            return await self._client.request(method, path, headers=headers, **content)

    async def _step(self, author: Author, call: str, method: str, path: str, **content: Any) -> httpx.Response:
        """A repeatable call. Raises SetbackError."""
        try:
            response = await self._call(author, call, method, path, **content)
        except httpx.HTTPError as error:
            raise failed_step("LinkedIn", error) from error
        if not response.is_success:
            raise self._setback(response)
        return response

    def _setback(self, response: httpx.Response) -> SetbackError:
        match self._refusal(response):
            case Refused() | Postponed() | Retry() as setback:
                return SetbackError(setback)
            case _:
                failure = _failure("LinkedIn failed.", response, retryable=True)
                return SetbackError(Retry("unreachable", failure))

    # --- sending --------------------------------------------------------------------------------------

    def request(self, author: Author, draft: Draft) -> bytes:
        body: dict[str, Any] = {
            "author": author_urn(author.account),
            "commentary": little_text(draft.content),
            "visibility": str(draft.options.get("visibility", "public")).upper(),
            "distribution": {
                "feedDistribution": "MAIN_FEED",
                "targetEntities": [],
                "thirdPartyDistributionChannels": [],
            },
            "lifecycleState": "PUBLISHED",
            "isReshareDisabledByAuthor": bool(draft.options.get("is_reshare_disabled", False)),
        }
        content = _attached(draft)
        if content is not None:
            body["content"] = content
        return msgspec.json.encode(body, order="deterministic")

    async def send(self, author: Author, draft: Draft, request: bytes) -> Answer:
        headers = {"Content-Type": "application/json"}
        try:
            response = await self._call(author, "create_post", "POST", "/rest/posts", content=request, headers=headers)
        except httpx.HTTPError as error:
            return failed_send("LinkedIn", error)
        if response.is_success:
            urn = unquote(response.headers.get("x-restli-id", ""))
            if response.status_code == httpx.codes.CREATED and urn:
                return Accepted(urn, post_url(urn))
            failure = _failure("LinkedIn answered without naming the post.", response, code="outcome_unknown")
            # What is not LinkedIn's own answer, a proxy's page for one, proves nothing.
            return Ambiguous(failure, accepted=response.status_code == httpx.codes.CREATED)
        return self._refusal(response, account_id=author.account.account_id)

    # --- what answers mean ----------------------------------------------------------------------------

    def _refusal(  # noqa: PLR0912  # a branch for each row of the table
        self, response: httpx.Response, *, account_id: str | None = None
    ) -> Answer:
        """The closed table. An answer that is not LinkedIn's own, or not listed, leaves it open what happened."""
        body = json_object(response)
        if body is None:
            return Ambiguous(_failure("LinkedIn gave no readable answer.", response, code="outcome_unknown"))
        codes = _codes(body)
        match response.status_code:
            case 400 if "MEDIA_ASSET_WAITING_UPLOAD" in codes:
                return Retry("media_processing", _failure("LinkedIn is still processing the media.", response))
            case 400 if "MEDIA_ASSET_PROCESSING_FAILED" in codes:
                failure = _failure("LinkedIn cannot process the media.", response, code="media_rejected")
                return Refused(msgspec.structs.replace(failure, rule="linkedin.media.processing"))
            case 400 if "EXPIRED_UPLOAD_URL" in codes:
                return Retry("media_refused", _failure("The upload has expired.", response, code="media_rejected"))
            case 400:
                code = next((code for code in _INVALID_INPUT if code in codes), "invalid_request")
                failure = _failure("LinkedIn finds the request invalid.", response, rule=f"linkedin.{code.lower()}")
                return Refused(failure)
            case 401:
                return _token_refusal(response, codes)
            case 403:
                failure = _failure(
                    "The account may not do this at LinkedIn: a permission or a page role is missing.",
                    response,
                    rule="linkedin.permission",
                    remediation="Connect the account again with the permission to publish.",
                )
                return Refused(failure)
            case 404:
                return Refused(_failure("LinkedIn does not find it.", response, rule="linkedin.not_found"))
            case 409:
                return Retry("conflict", _failure("LinkedIn was changing the same thing.", response))
            case 422 if "DUPLICATE_POST" in codes:
                named = _DUPLICATE_OF.search(response.text)
                urn = None if named is None else named[0]
                failure = _failure(
                    "LinkedIn holds the same post already.",
                    response,
                    rule="linkedin.duplicate_post",
                    remediation="Change the text, or wait ten minutes.",
                )
                return Duplicate(failure, urn, None if urn is None else post_url(urn))
            case 426:
                return self._wrong_version(response)
            case 429:
                return self._limited(response, codes, account_id)
            case _:
                failure = _failure("LinkedIn failed while it handled the post.", response, code="outcome_unknown")
                return Ambiguous(failure)

    def _wrong_version(self, response: httpx.Response) -> Postponed:
        log.error("LinkedIn no longer serves this API version", answer=quote(response))
        failure = _failure(
            "LinkedIn no longer serves the API version of this deployment.",
            response,
            code="operator_action_needed",
            remediation="The operator must set LINKEDIN_VERSION to a current one.",
            retryable=True,
        )
        until = self._now() + self._operator_pause
        self.budgets.use_up(Budgets.APP, until, failure)
        return Postponed(until, failure)

    def _limited(self, response: httpx.Response, codes: frozenset[str], account_id: str | None) -> Postponed:
        now = self._now()
        failure = _failure(
            "LinkedIn's limit on requests is used up.",
            response,
            code="rate_limited",
            remediation="Nothing to do: it goes out when the limit is reset.",
            retryable=True,
        )
        if "101" not in codes:
            until = now + timedelta(seconds=60)
        else:
            until = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        if account_id is not None:
            self.budgets.use_up(account_id, until, failure)
        return Postponed(until + timedelta(seconds=random.uniform(0, JITTER)), failure)

    # --- reading back ---------------------------------------------------------------------------------

    async def look_up(self, author: Author, draft: Draft, since: datetime) -> Finding:
        oldest = since - CLOCK_SLACK
        for number in range(MAX_PAGES):
            try:
                page = await self._page(author, number * PAGE)
                created = [_created_at(post) for post in page]
                found = tuple(
                    Candidate(str(post["id"]), at, post_url(str(post["id"])))
                    for post, at in zip(page, created, strict=True)
                    if at >= oldest and self._is_same(post, draft)
                )
            except (httpx.HTTPError, KeyError, TypeError, ValueError, OverflowError, msgspec.ValidationError):
                return UNREADABLE
            if found or len(page) < PAGE or min(created) < oldest:
                return Finding(found, complete=True)
        return UNREADABLE

    async def _page(self, author: Author, start: int) -> list[dict[str, Any]]:
        """The author's posts, newest first. A post that arrives meanwhile shows one twice, and hides none.

        Raises httpx.HTTPError; ValueError and its like for an answer that is not what was asked for.
        """
        path = f"/rest/posts?q=author&author={_encoded(author_urn(author.account))}&sortBy=CREATED"
        response = await self._call(
            author, "read_posts", "GET", f"{path}&start={start}&count={PAGE}", headers={"X-RestLi-Method": "FINDER"}
        )
        body = json_object(response)
        if response.status_code != httpx.codes.OK or body is None:
            raise ValueError(f"the posts cannot be read: {response.status_code}")
        return msgspec.convert(body["elements"], list[dict[str, Any]])

    def _is_same(self, post: Mapping[str, Any], draft: Draft) -> bool:
        wanted = normalise_for_match(compose_text(draft.content, self.platform), self.platform)
        shown = normalise_for_match(plain_text(str(post.get("commentary", ""))), self.platform)
        return shown == wanted and _media_of(post) == _media_of({"content": _attached(draft)})

    # --- deleting -------------------------------------------------------------------------------------

    async def delete(self, author: Author, live: LivePart) -> None:
        path = f"/rest/posts/{_encoded(live.platform_post_id)}"
        try:
            response = await self._call(author, "delete_post", "DELETE", path, headers={"X-RestLi-Method": "DELETE"})
        except httpx.HTTPError as error:
            raise failed_step("LinkedIn", error) from error
        if not response.is_success and response.status_code != httpx.codes.NOT_FOUND:
            raise self._setback(response)


def author_urn(account: Account) -> str:
    if account.platform_user_id.startswith("urn:"):
        return account.platform_user_id
    kind = "organization" if account.account_type in _PAGES else "person"
    return f"urn:li:{kind}:{account.platform_user_id}"


def post_url(urn: str) -> str:
    return f"https://www.linkedin.com/feed/update/{urn}/"


def _encoded(urn: str) -> str:
    return percent_encode(urn, safe="")


def _attached(draft: Draft) -> dict[str, Any] | None:
    images = [
        {"id": upload.media_id, **({"altText": upload.alt_text} if upload.alt_text else {})} for upload in draft.uploads
    ]
    if len(images) > 1:
        return {"multiImage": {"images": images}}
    if images:
        return {"media": images[0]}
    link = draft.content.link
    if link is None:
        return None
    words = {"title": link.title, "description": link.description}
    return {"article": {"source": link.url, **{name: word for name, word in words.items() if word}}}


def _media_of(post: Mapping[str, Any]) -> tuple[str, ...]:
    """The ids of what is attached."""
    content = post.get("content") or {}
    images = (content.get("multiImage") or {}).get("images") or filter(None, [content.get("media")])
    return tuple(str(image["id"]) for image in images)


def _created_at(post: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(post.get("createdAt") or post["publishedAt"]) / 1000, tz=UTC)


def _codes(body: Mapping[str, Any]) -> frozenset[str]:
    """Every code an error names, in whichever of LinkedIn's shapes."""
    codes = {str(body.get("code", "")), str(body.get("serviceErrorCode", ""))}
    details = body.get("errorDetails")
    inputs = details.get("inputErrors") if isinstance(details, dict) else None
    for each in inputs if isinstance(inputs, list) else ():
        if isinstance(each, dict):
            codes.add(str(each.get("code", "")))
    return frozenset(codes - {""})


def _token_refusal(response: httpx.Response, codes: frozenset[str]) -> Retry:
    failure = _failure(
        "LinkedIn does not accept the account's token.",
        response,
        code="token_refused",
        remediation="Connect the account again.",
        retryable=True,
    )
    # A token may be unknown for the first seconds of its life, and is then said to be revoked.
    unripe = codes & {"65601", "REVOKED_ACCESS_TOKEN"}
    dead = codes & {"65600", "INVALID_ACCESS_TOKEN", "65602", "EXPIRED_ACCESS_TOKEN", "EMPTY_ACCESS_TOKEN"}
    return Retry("token_unripe" if unripe else "token_dead" if dead else "token_refused", failure)


def _odd_answer() -> SetbackError:
    failure = Failure(
        code="platform_unreachable", message="LinkedIn answered the upload in an unknown form.", retryable=True
    )
    return SetbackError(Retry("media_unavailable", failure))


def _failure(
    message: str,
    response: httpx.Response,
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
        platform_error=quote(response),
        retryable=retryable,
    )
