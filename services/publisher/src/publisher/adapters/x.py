"""X, API v2. Sources: docs.x.com and X's OpenAPI documents 2.166 and 2.167, read in August 2026.

Fields have two names, a classic one and that of 2.167. The classic ones are asked for, which X still answers; both are
understood.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import IO, Any

import httpx
import msgspec

from contracts.accounts import Account
from contracts.content import Failure, LivePart, Media, Options, Platform
from platforms.composing import compose_text, normalise_for_match
from platforms.x import (
    DEFAULT_POLL_MINUTES,
    MAX_GIF_BYTES,
    MAX_PHOTO_BYTES,
    MAX_VIDEO_BYTES,
    PHOTO_TYPES,
    VIDEO_TYPES,
)
from publisher.adapters.http import (
    bearer,
    calling,
    failed_send,
    failed_step,
    json_object,
    quote,
    utc_now,
)
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

CHUNK = 4 << 20
"""As X's own client sends them. At most 1,000 make a file."""
LIMITS: Mapping[str, tuple[int, tuple[str, ...], str]] = {
    "image": (MAX_PHOTO_BYTES, (*PHOTO_TYPES, "image/gif"), "tweet_image"),
    "gif": (MAX_GIF_BYTES, ("image/gif",), "tweet_gif"),
    "video": (MAX_VIDEO_BYTES, VIDEO_TYPES, "tweet_video"),
}
"""Largest size, types and category."""

PROCESSING_LIMIT = timedelta(minutes=15)
CLOCK_SLACK = timedelta(seconds=60)
MAX_PAGES = 5
JITTER = 5.0
_WINDOWS = ("x-rate-limit", "x-user-limit-24hour", "x-app-limit-24hour")

_UPLOAD_GONE = ("twitter.invalid_request", "twitter.not_found")
"""How X refuses to go on with an upload that it does not know any more."""

_FORBIDDEN = (
    ("too long", "twitter.text.weighted_length"),
    ("maximum of one cashtag", "twitter.text.cashtags"),
    ("invalid url", "twitter.text.url"),
    ("longer than 2 minutes", "twitter.media.duration"),
    ("reply to this conversation is not allowed", "twitter.reply.not_allowed"),
    ("user-suspended", "twitter.account.suspended"),
    ("not permitted to access this feature", "twitter.feature.not_permitted"),
    ("not permitted to perform this action", "twitter.action.not_permitted"),
)


class XConnector:
    """`publisher.ports.Connector`."""

    platform: Platform = "twitter"
    assembling: Assembling | None = None

    def __init__(
        self,
        client: httpx.AsyncClient,
        policy: Policy,
        fetcher: MediaFetcher,
        budgets: Budgets,
        *,
        credits_pause: timedelta = timedelta(minutes=15),
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.policy = policy
        self.budgets = budgets
        self._client = client
        self._fetcher = fetcher
        self._now = now
        self._credits_pause = credits_pause

    def readable(self, account: Account) -> bool:
        return True

    # --- uploading ------------------------------------------------------------------------------------

    async def upload(self, author: Author, draft: Draft, media: Media, record: Record) -> Upload:
        if media.type not in LIMITS:
            failure = Failure(
                code="media_rejected", rule="twitter.media.type", message=f"X takes no media of type {media.type}."
            )
            raise SetbackError(Refused(failure))
        max_bytes, types, category = LIMITS[media.type]
        async with self._fetcher.fetch(media, max_bytes=max_bytes, types=types) as fetched:
            now = self._now()
            if media.type == "image":
                begun = await self._upload_at_once(author, fetched, category)
            else:
                begun = await self._initialize(author, fetched, category)
            media_id, key = begun.get("id"), begun.get("media_key")
            if not isinstance(media_id, str) or not media_id:
                raise SetbackError(Retry("media_unavailable", _failure("X did not name the uploaded media.", None)))
            upload = Upload(
                part=draft.index,
                source=media.media_id or media.url or "",
                type=media.type,
                alt_text=media.alt_text,
                media_id=media_id,
                media_key=key if isinstance(key, str) else None,
                size=fetched.size,
                uploaded_at=now,
                ready=False,
                expires_at=_expiry(begun, now),
            )
            if media.type == "image":
                return await self._complete(author, upload, begun)
            upload = msgspec.structs.replace(upload, session=f"/2/media/upload/{media_id}")
            await record(upload)
            return await self._append(author, upload, fetched.file, record)

    async def _upload_at_once(self, author: Author, fetched: Fetched, category: str) -> Mapping[str, Any]:
        # At most five megabytes.
        content = fetched.file.read()
        return await self._step(
            author,
            "media_upload",
            "POST",
            "/2/media/upload",
            data={"media_category": category},
            files={"media": ("media", content, fetched.content_type)},
        )

    async def _initialize(self, author: Author, fetched: Fetched, category: str) -> Mapping[str, Any]:
        body = {"media_type": fetched.content_type, "media_category": category, "total_bytes": fetched.size}
        return await self._step(author, "media_initialize", "POST", "/2/media/upload/initialize", json=body)

    async def _append(self, author: Author, upload: Upload, file: IO[bytes], record: Record) -> Upload:
        """Sends what X does not have yet: the bytes of `file` from where it stands. A segment may be sent again."""
        while upload.sent < upload.size:
            chunk = file.read(CHUNK)
            await self._step(
                author,
                "media_append",
                "POST",
                f"{upload.session}/append",
                data={"segment_index": str(upload.sent // CHUNK)},
                files={"media": ("media", chunk, "application/octet-stream")},
            )
            upload = msgspec.structs.replace(upload, sent=upload.sent + len(chunk))
            await record(upload)
        return await self._finalize(author, upload)

    async def _finalize(self, author: Author, upload: Upload) -> Upload:
        data = await self._step(author, "media_finalize", "POST", f"{upload.session}/finalize")
        return await self._complete(author, upload, data)

    async def _complete(self, author: Author, upload: Upload, data: Mapping[str, Any]) -> Upload:
        """Described, and as far as X has got with it."""
        if upload.alt_text:
            body = {"id": upload.media_id, "metadata": {"alt_text": {"text": upload.alt_text}}}
            await self._step(author, "media_metadata", "POST", "/2/media/metadata", json=body)
        now = self._now()
        upload = msgspec.structs.replace(
            upload, session=None, sent=upload.size, uploaded_at=now, expires_at=_expiry(data, now)
        )
        return _processed(upload, data.get("processing_info"), now)

    async def carry_on(
        self,
        author: Author,
        draft: Draft,
        media: Media,
        upload: Upload,
        record: Record,
    ) -> Upload:
        try:
            if upload.session is None:
                params = {"command": "STATUS", "media_id": upload.media_id}
                data = await self._step(author, "media_status", "GET", "/2/media/upload", params=params)
                return _processed(upload, data.get("processing_info"), self._now())
            if upload.sent == upload.size:
                return await self._finalize(author, upload)
            async with self._fetcher.fetch_from(media, start=upload.sent, size=upload.size) as file:
                return await self._append(author, upload, file, record)
        except SetbackError as error:
            if isinstance(error.setback, Refused) and error.setback.failure.rule in _UPLOAD_GONE:
                failure = msgspec.structs.replace(error.setback.failure, code="media_rejected")
                raise SetbackError(Retry("media_refused", failure)) from error
            raise

    async def _step(self, author: Author, call: str, method: str, path: str, **content: Any) -> Mapping[str, Any]:
        """A repeatable call. Returns its `data`; raises SetbackError."""
        try:
            with calling(self.platform, call):
                response = await self._client.request(method, path, headers=bearer(author.token.reveal()), **content)
        except httpx.HTTPError as error:
            raise failed_step("X", error) from error
        self._note_budgets(author, response)
        if response.is_success:
            data = (json_object(response) or {}).get("data")
            return data if isinstance(data, dict) else {}
        raise self._setback(response)

    def _setback(self, response: httpx.Response) -> SetbackError:
        match self._refusal(response):
            case Refused() | Postponed() | Retry() as setback:
                return SetbackError(setback)
            case _:
                return SetbackError(Retry("unreachable", _failure("X failed.", response, retryable=True)))

    # --- sending --------------------------------------------------------------------------------------

    def request(self, author: Author, draft: Draft) -> bytes:
        options = draft.options
        body: dict[str, Any] = {"text": compose_text(draft.content, self.platform)}
        if draft.uploads:
            body["media"] = {"media_ids": [upload.media_id for upload in draft.uploads]}
        if (replies := options.get("reply_settings", "everyone")) != "everyone":
            body["reply_settings"] = replies
        for name in ("made_with_ai", "paid_partnership"):
            if options.get(name):
                body[name] = True
        if draft.reply_to is None:
            body |= _of_first_post(options)
            if draft.uploads and options.get("tagged_user_ids"):
                body["media"]["tagged_user_ids"] = options["tagged_user_ids"]
        else:
            body["reply"] = {"in_reply_to_tweet_id": draft.reply_to}
        return msgspec.json.encode(body, order="deterministic")

    async def send(self, author: Author, draft: Draft, request: bytes) -> Answer:
        headers = {**bearer(author.token.reveal()), "Content-Type": "application/json"}
        try:
            with calling(self.platform, "create_post"):
                response = await self._client.post("/2/tweets", content=request, headers=headers)
        except httpx.HTTPError as error:
            return failed_send("X", error)
        self._note_budgets(author, response)
        if response.is_success:
            body = json_object(response)
            data = None if body is None else body.get("data")
            post_id = data.get("id") if isinstance(data, dict) else None
            if isinstance(post_id, str) and post_id:
                return Accepted(post_id, post_url(author.account, post_id))
            # What is not X's own answer, a proxy's page for one, proves nothing.
            accepted = body is not None and response.status_code == httpx.codes.CREATED
            return Ambiguous(_unknown("X answered without naming the post.", response), accepted=accepted)
        return self._refusal(response)

    # --- what answers mean ----------------------------------------------------------------------------

    def _refusal(self, response: httpx.Response) -> Answer:  # noqa: PLR0912  # a branch for each row of the table
        """The closed table. An answer that is not X's own, or not listed, leaves it open what happened."""
        body = json_object(response)
        if body is None or not body.keys() & {"title", "detail", "errors", "error"}:
            if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
                return self._limited(response)
            return Ambiguous(_unknown("X gave no readable answer.", response))
        words = response.text.lower()
        match response.status_code:
            case 400 if "media ids are invalid" in words:
                return Retry("media_refused", _failure("X does not accept the media.", response, code="media_rejected"))
            case 400 if "too long" in words:
                return Refused(_failure("The text is too long.", response, rule="twitter.text.weighted_length"))
            case 400:
                return Refused(_failure("X finds the request invalid.", response, rule="twitter.invalid_request"))
            case 401:
                return Retry("token_refused", _token_failure(response))
            case 402:
                return self._out_of_credits(response)
            case 403 if "duplicate content" in words:
                return Duplicate(
                    _failure(
                        "X holds the same post already.",
                        response,
                        rule="twitter.duplicate_content",
                        remediation="Change the text.",
                    )
                )
            case 403 if "unsupported-authentication" in words or "authenticating with" in words:
                return Retry("token_refused", _token_failure(response))
            case 403:
                rule = next((rule for phrase, rule in _FORBIDDEN if phrase in words), "twitter.forbidden")
                return Refused(_failure("X does not permit the post.", response, rule=rule))
            case 404:
                return Refused(
                    _failure("X does not find what the post answers or shows.", response, rule="twitter.not_found")
                )
            case 429:
                return self._limited(response)
            case _:
                return Ambiguous(_unknown("X failed while it handled the post.", response))

    def _out_of_credits(self, response: httpx.Response) -> Postponed:
        failure = _failure(
            "This deployment has no credits left at X.",
            response,
            code="operator_action_needed",
            remediation="The operator must buy credits or raise the spending cap.",
            retryable=True,
        )
        until = self._now() + self._credits_pause
        self.budgets.use_up(Budgets.APP, until, failure)
        return Postponed(until, failure)

    def _limited(self, response: httpx.Response) -> Postponed:
        now = self._now()
        if "usage-capped" in response.text:
            midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
            failure = _limit_failure(response)
            self.budgets.use_up(Budgets.APP, midnight + timedelta(days=1), failure)
            return Postponed(midnight + timedelta(days=1, seconds=random.uniform(0, JITTER)), failure)
        resets = [reset for window in _WINDOWS if (reset := _reset_of(response, window)) is not None and reset > now]
        until = max(resets, default=now + timedelta(minutes=5))
        return Postponed(until + timedelta(seconds=random.uniform(0, JITTER)), _limit_failure(response))

    def _note_budgets(self, author: Author, response: httpx.Response) -> None:
        """Only of posting: the 15-minute windows of other calls are other budgets."""
        if response.request.method != "POST" or not response.request.url.path.endswith("/2/tweets"):
            return
        for window in _WINDOWS:
            reset = _reset_of(response, window)
            if reset is None or reset <= self._now():
                continue
            scope = Budgets.APP if window.startswith("x-app") else author.account.account_id
            self.budgets.use_up(scope, reset, _limit_failure(response))

    # --- reading back ---------------------------------------------------------------------------------

    async def look_up(self, author: Author, draft: Draft, since: datetime) -> Finding:
        start = since - CLOCK_SLACK
        params = {
            "max_results": "100",
            "start_time": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "exclude": "retweets",
            "tweet.fields": "created_at,entities,referenced_tweets,note_tweet,attachments",
        }
        found: list[Candidate] = []
        for _ in range(MAX_PAGES):
            try:
                with calling(self.platform, "read_posts"):
                    response = await self._client.get(
                        f"/2/users/{author.account.platform_user_id}/tweets",
                        params=params,
                        headers=bearer(author.token.reveal()),
                    )
            except httpx.HTTPError:
                return UNREADABLE
            body = json_object(response)
            if response.status_code != httpx.codes.OK or body is None or not isinstance(body.get("meta"), dict):
                return UNREADABLE
            try:
                posts = msgspec.convert(body.get("data", []), list[dict[str, Any]])
                found += [_candidate(author.account, post) for post in posts if _is_same(post, draft)]
            except (msgspec.ValidationError, KeyError, TypeError, ValueError):
                return UNREADABLE
            token = body["meta"].get("next_token")
            if found or not token:
                return Finding(tuple(found), complete=True)
            params["pagination_token"] = str(token)
        return Finding()

    # --- deleting -------------------------------------------------------------------------------------

    async def delete(self, author: Author, live: LivePart) -> None:
        try:
            with calling(self.platform, "delete_post"):
                response = await self._client.delete(
                    f"/2/tweets/{live.platform_post_id}", headers=bearer(author.token.reveal())
                )
        except httpx.HTTPError as error:
            raise failed_step("X", error) from error
        if response.is_success or response.status_code == httpx.codes.NOT_FOUND:
            # Also `"deleted": false`: what is not there need not be deleted.
            return
        raise self._setback(response)


def post_url(account: Account, post_id: str) -> str:
    return f"https://x.com/{account.username}/status/{post_id}"


def _of_first_post(options: Options) -> dict[str, Any]:
    """What the replies of a thread, and comments, do not repeat."""
    body: dict[str, Any] = {}
    if choices := options.get("poll_options"):
        minutes = options.get("poll_duration_minutes", DEFAULT_POLL_MINUTES)
        body["poll"] = {"options": choices, "duration_minutes": minutes}
    if quoted := options.get("quote_post_id"):
        body["quote_tweet_id"] = quoted
    if place := options.get("place_id"):
        body["geo"] = {"place_id": place}
    for name in ("community_id", "share_with_followers", "for_super_followers_only"):
        if value := options.get(name):
            body[name] = value
    return body


def _expiry(data: Mapping[str, Any], now: datetime) -> datetime | None:
    seconds = data.get("expires_after_secs")
    return now + timedelta(seconds=seconds) if isinstance(seconds, int) else None


def _processed(upload: Upload, info: Any, now: datetime) -> Upload:
    """Raises SetbackError when X cannot process it."""
    if not isinstance(info, dict) or info.get("state") == "succeeded":
        return msgspec.structs.replace(upload, ready=True, check_at=None)
    if info.get("state") == "failed":
        error = info.get("error")
        words = str(error.get("message", "")) if isinstance(error, dict) else ""
        raise SetbackError(
            Refused(
                Failure(
                    code="media_rejected",
                    rule="twitter.media.processing",
                    message=f"X cannot process the {upload.type}.",
                    remediation="Use another file or format.",
                    platform_error=words or None,
                )
            )
        )
    if now - upload.uploaded_at > PROCESSING_LIMIT:
        raise SetbackError(Refused(_failure(f"X did not finish processing the {upload.type}.", None)))
    pause = info.get("check_after_secs")
    check_at = now + timedelta(seconds=pause if isinstance(pause, int) and pause > 0 else 1)
    return msgspec.structs.replace(upload, ready=False, check_at=check_at)


def _reset_of(response: httpx.Response, window: str) -> datetime | None:
    """When a used-up window begins anew."""
    try:
        remaining = int(response.headers.get(f"{window}-remaining", ""))
        reset = int(response.headers.get(f"{window}-reset", ""))
        return datetime.fromtimestamp(reset, tz=UTC) if remaining <= 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def _is_same(post: Mapping[str, Any], draft: Draft) -> bool:
    quoted = None if draft.reply_to is not None else draft.options.get("quote_post_id")
    references = {"replied_to": draft.reply_to, "quoted": quoted}
    shown = {
        str(each.get("type")): str(each["id"])
        for each in post.get("referenced_tweets") or post.get("referenced_posts") or ()
    }
    if shown != {kind: post_id for kind, post_id in references.items() if post_id is not None}:
        return False
    attachments = post.get("attachments") or {}
    attached: Sequence[str] = attachments.get("media_keys") or ()
    polls = draft.reply_to is None and bool(draft.options.get("poll_options"))
    if len(attached) != len(draft.uploads) or bool(attachments.get("poll_ids")) != polls:
        return False
    return _comparable(_shown_text(post, quoted)) == _comparable(compose_text(draft.content, "twitter"))


def _shown_text(post: Mapping[str, Any], quoted: str | None) -> str:
    """With the URLs that the author wrote, and without those that stand for media or the quoted post."""
    whole = post.get("note_tweet") or post.get("note_post") or post
    text = str(whole["text"])
    entities: Mapping[str, Any] = whole.get("entities") or post.get("entities") or {}
    for url in entities.get("urls") or ():
        expanded = str(url.get("expanded_url") or url["url"])
        added = "media_key" in url or re.search(r"/status/\d+/(photo|video)/\d+$", expanded) is not None
        if quoted is not None and expanded.endswith(f"/status/{quoted}"):
            added = text.rstrip().endswith(str(url["url"]))
        text = text.replace(str(url["url"]), "" if added else expanded)
    return text


def _comparable(text: str) -> str:
    """X adds a scheme and a slash to URLs that have none."""
    text = re.sub(r"https?://", "", normalise_for_match(text, "twitter"), flags=re.IGNORECASE)
    return re.sub(r"/(?=\s|$)", "", text)


def _candidate(account: Account, post: Mapping[str, Any]) -> Candidate:
    post_id = str(post["id"])
    return Candidate(post_id, datetime.fromisoformat(str(post["created_at"])), post_url(account, post_id))


def _failure(
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


def _unknown(message: str, response: httpx.Response) -> Failure:
    return _failure(message, response, code="outcome_unknown")


def _token_failure(response: httpx.Response) -> Failure:
    return _failure(
        "X does not accept the account's token.",
        response,
        code="token_refused",
        remediation="Connect the account again.",
        retryable=True,
    )


def _limit_failure(response: httpx.Response) -> Failure:
    return _failure(
        "X's rate limit is used up.",
        response if response.is_error else None,
        code="rate_limited",
        remediation="Nothing to do: it goes out when the limit is reset.",
        retryable=True,
    )
