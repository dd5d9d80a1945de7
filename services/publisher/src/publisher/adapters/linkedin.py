"""LinkedIn, versioned REST API. Sources: learn.microsoft.com, LinkedIn marketing documentation, version 202609.

Members' tokens can write but not read: what became of a post of theirs can only be learned by sending it again.
"""

import random
import re
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import IO, Any
from urllib.parse import quote as percent_encode
from urllib.parse import unquote

import httpx
import msgspec
import structlog
from msgspec import Struct

from contracts.accounts import Account
from contracts.content import Failure, LivePart, Media, Platform
from platforms.composing import compose_text, has_card, little_text, normalise_for_match, plain_text
from platforms.linkedin import (
    DOCUMENT_TYPES,
    IMAGE_TYPES,
    MAX_DOCUMENT_BYTES,
    MAX_IMAGE_BYTES,
    MAX_VIDEO_BYTES,
    VIDEO_TYPES,
    document_title,
)
from publisher.adapters.http import bearer, calling, failed_send, failed_step, json_object, quote, utc_now
from publisher.adapters.media import Fetched, MediaFetcher
from publisher.domain.answers import (
    UNREADABLE,
    Accepted,
    Ambiguous,
    Answer,
    Candidate,
    Cause,
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
PROCESSING_LIMIT = timedelta(minutes=15)
CLOCK_SLACK = timedelta(seconds=60)
PAGE = 50
MAX_PAGES = 10
JITTER = 5.0

_PAGES = ("organization", "company_page")
_DUPLICATE_OF = re.compile(r"urn:li:(?:share|ugcPost):\d+")
_WEEKS = {"SEVEN_DAYS": "ONE_WEEK", "FOURTEEN_DAYS": "TWO_WEEKS"}
_COMMENT = re.compile(r"urn:li:comment:\((?P<post>urn:li:\w+:\w+),(?P<number>\w+)\)")
_UPLOAD_GONE = ("linkedin.invalid_request", "linkedin.not_found", "linkedin.invalid_video_id")
"""How LinkedIn refuses to go on with an upload that it does not know any more, or has in another state."""
_INVALID_INPUT = (
    "MISSING_FIELD",
    "INVALID_URN_TYPE",
    "INVALID_URN_ID",
    "INVALID_VALUE_FOR_FIELD",
    "INVALID_VALUE_BLANK_FIELD",
    "FIELD_LENGTH_TOO_LONG",
    "INVALID_VIDEO_ID",
)


class _Parts(Struct, frozen=True, kw_only=True):
    """An unfinished upload of a video, as `Upload.session` holds it. URLs and tags are in the order of the parts."""

    urls: tuple[str, ...]
    ends: tuple[int, ...]
    """The byte behind each part."""
    token: str
    tags: tuple[str, ...] = ()
    """Of the parts that LinkedIn has."""


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
        poll_in_weeks: bool = False,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.policy = policy
        self.budgets = budgets
        self._client = client
        self._fetcher = fetcher
        self._now = now
        self._operator_pause = operator_pause
        self._poll_durations = _WEEKS if poll_in_weeks else {}
        self._version_headers = {"LinkedIn-Version": version, "X-Restli-Protocol-Version": "2.0.0"}

    def readable(self, account: Account) -> bool:
        return account.account_type in _PAGES

    # --- uploading ------------------------------------------------------------------------------------

    async def upload(self, author: Author, draft: Draft, media: Media, record: Record) -> Upload:
        types: tuple[str, ...]
        match media.type:
            case "image":
                max_bytes, types = MAX_IMAGE_BYTES, IMAGE_TYPES
            case "gif":
                max_bytes, types = MAX_IMAGE_BYTES, ("image/gif",)
            case "video":
                max_bytes, types = MAX_VIDEO_BYTES, VIDEO_TYPES
            case "document":
                max_bytes, types = MAX_DOCUMENT_BYTES, DOCUMENT_TYPES
        async with self._fetcher.fetch(media, max_bytes=max_bytes, types=types) as fetched:
            upload = Upload(
                part=draft.index,
                source=media.media_id or media.url or "",
                type=media.type,
                alt_text=media.alt_text,
                media_id="",
                size=fetched.size,
                uploaded_at=self._now(),
                ready=False,
            )
            if media.type != "video":
                return await self._upload_at_once(author, upload, fetched)
            upload = await self._initialize_video(author, upload)
            await record(upload)
            return await self._put_parts(author, upload, fetched.file, record)

    async def _upload_at_once(self, author: Author, upload: Upload, fetched: Fetched) -> Upload:
        """An image or a document. What a crash leaves behind of it is forgotten, here and there."""
        kind = "document" if upload.type == "document" else "image"
        asked = {"initializeUploadRequest": {"owner": author_urn(author.account)}}
        value = await self._begin(author, f"{kind}s", asked)
        try:
            url, urn = str(value["uploadUrl"]), str(value[kind])
        except KeyError as error:
            raise _odd_answer() from error
        headers = {
            **bearer(author.token.reveal()),
            "Content-Type": fetched.content_type,
            "Content-Length": str(fetched.size),
        }
        await self._put(url, _chunks(fetched.file), headers, expired="media_unavailable")
        return self._uploaded(msgspec.structs.replace(upload, media_id=urn))

    async def _initialize_video(self, author: Author, upload: Upload) -> Upload:
        asked = {
            "owner": author_urn(author.account),
            "fileSizeBytes": upload.size,
            "uploadCaptions": False,
            "uploadThumbnail": False,
        }
        value = await self._begin(author, "videos", {"initializeUploadRequest": asked})
        try:
            instructions = sorted(value["uploadInstructions"], key=lambda each: int(each["firstByte"]))
            parts = _Parts(
                urls=tuple(str(each["uploadUrl"]) for each in instructions),
                ends=tuple(int(each["lastByte"]) + 1 for each in instructions),
                token=str(value.get("uploadToken", "")),
            )
            urn = str(value["video"])
            until = datetime.fromtimestamp(int(value["uploadUrlsExpireAt"]) / 1000, tz=UTC)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise _odd_answer() from error
        if not parts.ends or parts.ends[-1] != upload.size:
            raise _odd_answer()
        return msgspec.structs.replace(upload, media_id=urn, session=_session(parts), expires_at=until)

    async def _put_parts(self, author: Author, upload: Upload, file: IO[bytes], record: Record) -> Upload:
        """Sends the parts that LinkedIn does not have yet: the bytes of `file` from where it stands."""
        parts = msgspec.json.decode(upload.session or "", type=_Parts)
        for url, end in list(zip(parts.urls, parts.ends, strict=True))[len(parts.tags) :]:
            # The URL is signed: a token does not belong there.
            answer = await self._put(
                url,
                file.read(end - upload.sent),
                {"Content-Type": "application/octet-stream"},
                expired="media_refused",
            )
            tag = answer.headers.get("ETag")
            if tag is None:
                raise _odd_answer()
            parts = msgspec.structs.replace(parts, tags=(*parts.tags, tag))
            upload = msgspec.structs.replace(upload, sent=end, session=_session(parts))
            await record(upload)
        return await self._finalize_video(author, upload, parts)

    async def _finalize_video(self, author: Author, upload: Upload, parts: _Parts) -> Upload:
        finalize = {"video": upload.media_id, "uploadToken": parts.token, "uploadedPartIds": list(parts.tags)}
        await self._step(
            author,
            "upload_finalize",
            "POST",
            "/rest/videos?action=finalizeUpload",
            json={"finalizeUploadRequest": finalize},
        )
        return self._uploaded(upload)

    def _uploaded(self, upload: Upload) -> Upload:
        """LinkedIn has all of it, and processes it now."""
        now = self._now()
        return msgspec.structs.replace(
            upload,
            session=None,
            sent=upload.size,
            uploaded_at=now,
            expires_at=None,
            check_at=now + timedelta(seconds=1),
        )

    async def _begin(self, author: Author, kind: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        path = f"/rest/{kind}?action=initializeUpload"
        response = await self._step(author, "upload_initialize", "POST", path, json=asked)
        value = (json_object(response) or {}).get("value")
        if not isinstance(value, dict):
            raise _odd_answer()
        return value

    async def _put(
        self, url: str, content: bytes | AsyncIterator[bytes], headers: Mapping[str, str], *, expired: Cause
    ) -> httpx.Response:
        """`expired`: what it is when the URL has run out."""
        try:
            with calling(self.platform, "upload_bytes"):
                response = await self._client.put(url, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise failed_step("LinkedIn", error) from error
        if response.is_success:
            return response
        failure = _failure("LinkedIn did not take the media.", response, code="media_rejected")
        match response.status_code:
            case 413 | 415:
                raise SetbackError(Refused(failure))
            case 400 | 401 | 403 | 404:
                raise SetbackError(Retry(expired, failure))
            case _:
                raise SetbackError(Retry("media_unavailable", failure))

    async def carry_on(
        self,
        author: Author,
        draft: Draft,
        media: Media,
        upload: Upload,
        record: Record,
    ) -> Upload:
        if upload.session is None:
            return await self._processed(author, upload)
        try:
            if upload.sent == upload.size:
                parts = msgspec.json.decode(upload.session, type=_Parts)
                return await self._finalize_video(author, upload, parts)
            async with self._fetcher.fetch_from(media, start=upload.sent, size=upload.size) as file:
                return await self._put_parts(author, upload, file, record)
        except SetbackError as error:
            if isinstance(error.setback, Refused) and error.setback.failure.rule in _UPLOAD_GONE:
                failure = msgspec.structs.replace(error.setback.failure, code="media_rejected")
                raise SetbackError(Retry("media_refused", failure)) from error
            raise

    async def _processed(self, author: Author, upload: Upload) -> Upload:
        """As far as LinkedIn has got with it. Raises SetbackError when it cannot process it."""
        kind = {"video": "videos", "document": "documents"}.get(upload.type, "images")
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
        with calling(self.platform, call):
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
        if draft.reply_to is not None:
            comment = {
                "actor": author_urn(author.account),
                "object": draft.reply_to,
                "message": {"text": compose_text(draft.content, self.platform)},
            }
            return msgspec.json.encode(comment, order="deterministic")
        body: dict[str, Any] = {
            "author": author_urn(author.account),
            "commentary": little_text(draft.content, draft.options),
            "visibility": str(draft.options.get("visibility", "public")).upper(),
            "distribution": {
                "feedDistribution": "MAIN_FEED",
                "targetEntities": [],
                "thirdPartyDistributionChannels": [],
            },
            "lifecycleState": "PUBLISHED",
            "isReshareDisabledByAuthor": bool(draft.options.get("is_reshare_disabled", False)),
        }
        content = self._attached(draft)
        if content is not None:
            body["content"] = content
        if reshared := draft.options.get("reshare_post_id"):
            body["reshareContext"] = {"parent": reshared}
        return msgspec.json.encode(body, order="deterministic")

    def _attached(self, draft: Draft) -> dict[str, Any] | None:
        options, link = draft.options, draft.content.link
        if choices := options.get("poll_options"):
            duration = str(options.get("poll_duration", "seven_days")).upper()
            poll = {
                "question": options.get("poll_question", ""),
                "options": [{"text": choice} for choice in choices],
                "settings": {"duration": self._poll_durations.get(duration, duration)},
            }
            return {"poll": poll}
        if link is not None and has_card(draft.content, "linkedin", options):
            words = {
                "title": link.title,
                "description": link.description,
                "thumbnail": draft.uploads[0].media_id if draft.uploads else None,
            }
            return {"article": {"source": link.url, **{name: word for name, word in words.items() if word}}}
        if len(draft.uploads) > 1:
            return {"multiImage": {"images": [_described(upload) for upload in draft.uploads]}}
        if draft.uploads:
            upload = draft.uploads[0]
            title = document_title(options, draft.title) if upload.type in ("document", "video") else ""
            return {"media": {**_described(upload), **({"title": title} if title else {})}}
        return None

    async def send(self, author: Author, draft: Draft, request: bytes) -> Answer:
        if draft.reply_to is not None:
            return await self._comment(author, draft.reply_to, request)
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

    async def _comment(self, author: Author, post: str, request: bytes) -> Answer:
        path, headers = f"/rest/socialActions/{_encoded(post)}/comments", {"Content-Type": "application/json"}
        try:
            response = await self._call(author, "create_comment", "POST", path, content=request, headers=headers)
        except httpx.HTTPError as error:
            return failed_send("LinkedIn", error)
        if response.is_success:
            urn = _comment_urn(post, json_object(response) or {}, response.headers.get("x-restli-id", ""))
            if response.status_code == httpx.codes.CREATED and urn is not None:
                return Accepted(urn, post_url(urn))
            failure = _failure("LinkedIn answered without naming the comment.", response, code="outcome_unknown")
            return Ambiguous(failure, accepted=response.status_code == httpx.codes.CREATED)
        if response.status_code == httpx.codes.NOT_FOUND and json_object(response) is not None:
            # A post that has just been made may not be found everywhere yet; it is given as long as media are.
            return Retry("media_processing", _failure("LinkedIn does not find the post yet.", response))
        return self._refusal(response)

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
        if draft.reply_to is not None:
            return await self._look_up_comment(author, draft, draft.reply_to, since - CLOCK_SLACK)
        oldest = since - CLOCK_SLACK
        path = f"/rest/posts?q=author&author={_encoded(author_urn(author.account))}&sortBy=CREATED"
        for number in range(MAX_PAGES):
            try:
                page = await self._page(author, "read_posts", path, number * PAGE, finder=True)
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

    async def _look_up_comment(self, author: Author, draft: Draft, post: str, oldest: datetime) -> Finding:
        """All pages are read: in which order LinkedIn gives comments is not documented."""
        found: list[Candidate] = []
        wanted = normalise_for_match(compose_text(draft.content, self.platform), self.platform)
        for number in range(MAX_PAGES):
            try:
                path = f"/rest/socialActions/{_encoded(post)}/comments?"
                page = await self._page(author, "read_comments", path, number * PAGE)
                for comment in page:
                    at = datetime.fromtimestamp(int(comment["created"]["time"]) / 1000, tz=UTC)
                    shown = normalise_for_match(str(comment["message"]["text"]), self.platform)
                    urn = _comment_urn(post, comment, str(comment.get("id", "")))
                    ours = comment.get("actor") == author_urn(author.account)
                    if ours and at >= oldest and shown == wanted and urn is not None:
                        found.append(Candidate(urn, at, post_url(urn)))
            except (httpx.HTTPError, KeyError, TypeError, ValueError, OverflowError, msgspec.ValidationError):
                return UNREADABLE
            if found or len(page) < PAGE:
                return Finding(tuple(found), complete=True)
        return UNREADABLE

    async def _page(
        self, author: Author, call: str, path: str, start: int, *, finder: bool = False
    ) -> list[dict[str, Any]]:
        """Posts come newest first. A post that arrives meanwhile shows one twice, and hides none.

        Raises httpx.HTTPError; ValueError and its like for an answer that is not what was asked for.
        """
        headers = {"X-RestLi-Method": "FINDER"} if finder else {}
        joint = "" if path.endswith("?") else "&"
        response = await self._call(author, call, "GET", f"{path}{joint}start={start}&count={PAGE}", headers=headers)
        body = json_object(response)
        if response.status_code != httpx.codes.OK or body is None:
            raise ValueError(f"the page cannot be read: {response.status_code}")
        return msgspec.convert(body["elements"], list[dict[str, Any]])

    def _is_same(self, post: Mapping[str, Any], draft: Draft) -> bool:
        text = compose_text(draft.content, self.platform, draft.options)
        shown = plain_text(str(post.get("commentary", "")))
        parent = (post.get("reshareContext") or {}).get("parent")
        return (
            normalise_for_match(shown, self.platform) == normalise_for_match(text, self.platform)
            and _shape_of(post.get("content") or {}) == _shape_of(self._attached(draft) or {})
            and parent == draft.options.get("reshare_post_id")
        )

    # --- deleting -------------------------------------------------------------------------------------

    async def delete(self, author: Author, live: LivePart) -> None:
        comment = _COMMENT.fullmatch(live.platform_post_id)
        if comment is None:
            path = f"/rest/posts/{_encoded(live.platform_post_id)}"
        else:
            comments = f"/rest/socialActions/{_encoded(comment['post'])}/comments"
            path = f"{comments}/{comment['number']}?actor={_encoded(author_urn(author.account))}"
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
    """Of a post, or of a comment under its post."""
    comment = _COMMENT.fullmatch(urn)
    if comment is None:
        return f"https://www.linkedin.com/feed/update/{urn}/"
    return f"https://www.linkedin.com/feed/update/{comment['post']}/?commentUrn={_encoded(urn)}"


def _comment_urn(post: str, body: Mapping[str, Any], number: str) -> str | None:
    """What LinkedIn calls a comment; made of the post and its number where it gives only that."""
    named = body.get("commentUrn")
    if isinstance(named, str) and _COMMENT.fullmatch(named):
        return named
    made = f"urn:li:comment:({post},{unquote(number)})"
    return made if _COMMENT.fullmatch(made) else None


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    while chunk := file.read(MEGABYTE):
        yield chunk


def _session(parts: _Parts) -> str:
    return msgspec.json.encode(parts).decode()


def _encoded(urn: str) -> str:
    return percent_encode(urn, safe="")


def _described(upload: Upload) -> dict[str, str]:
    return {"id": upload.media_id, **({"altText": upload.alt_text} if upload.alt_text else {})}


def _shape_of(content: Mapping[str, Any]) -> tuple[str, ...]:
    """What tells one attachment from another: the ids of media, the address of a link, the question of a poll."""
    images = (content.get("multiImage") or {}).get("images") or filter(None, [content.get("media")])
    ids = tuple(str(image["id"]) for image in images)
    return (
        *ids,
        *((str(content["article"]["source"]),) if content.get("article") else ()),
        *((str(content["poll"]["question"]),) if content.get("poll") else ()),
    )


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
