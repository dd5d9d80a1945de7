"""YouTube, Data API v3. Sources: developers.google.com/youtube/v3, among it the guide to the resumable upload protocol,
the discovery document of 2026-11-04, and the table of errors.

A video is uploaded to a session that was opened with its metadata, and exists from the last byte on. All bytes but the
last chunk go out while it is prepared; the last chunk is the irreversible call. The session can be asked at any time
whether it has made the video, and makes one at most: it settles every doubt for as long as it lasts.
"""

import asyncio
import hashlib
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import IO, Any
from zoneinfo import ZoneInfo

import httpx
import msgspec
import structlog

from contracts.accounts import Account
from contracts.content import Failure, LivePart, Media, Options, Platform
from platforms.composing import compose_text, normalise_for_match
from platforms.youtube import DEFAULT_CATEGORY, video_title
from publisher.adapters.http import (
    bearer,
    calling,
    failed_send,
    failed_step,
    json_object,
    quote,
    utc_now,
)
from publisher.adapters.media import MediaFetcher
from publisher.domain.answers import (
    UNREADABLE,
    Accepted,
    Ambiguous,
    Answer,
    Candidate,
    Finding,
    Postponed,
    Processing,
    Refused,
    Retry,
    Setback,
    SetbackError,
)
from publisher.domain.budgets import Budgets
from publisher.domain.publication import Policy, Upload
from publisher.ports import Assembling, Author, Draft, Record

log = structlog.get_logger()

MEGABYTE = 1 << 20
GRAIN = 256 * 1024
"""Chunks are multiples of it, and all of one size, except the last."""
CHUNK = 8 * MEGABYTE
VIDEO_BYTES = 4096 * MEGABYTE
"""YouTube takes 256 GB; this is what we are ready to keep on disk for an upload."""
VIDEO_TYPES = ("video/mp4", "video/quicktime")
THUMBNAIL_BYTES = 50 * MEGABYTE
THUMBNAIL_TYPES = ("image/jpeg", "image/png")
EXTRAS_SECONDS = 20.0
"""What thumbnail and playlist may take at most. They never fail the post."""
PACIFIC = ZoneInfo("America/Los_Angeles")
CLOCK_SLACK = timedelta(seconds=60)
RATE_PAUSE = timedelta(seconds=60)
CHANNEL_PAUSE = timedelta(hours=24)
PAGE = 50
MAX_PAGES = 4
MAX_COMMENT_PAGES = 5
JITTER = 5.0

_PIECE = 64 * 1024
_VIDEOS = "/upload/youtube/v3/videos"
_VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_RESUME_INCOMPLETE = 308
_ODD = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What reading an answer raises that is not what was asked for."""
_GONE = (404, 410)

_INVALID: Mapping[str, tuple[str, str]] = {
    "invalidTitle": ("title", "YouTube does not take the title."),
    "invalidDescription": ("description", "YouTube does not take the description."),
    "invalidTags": ("tags", "YouTube does not take the tags."),
    "invalidCategoryId": ("category_id", "YouTube has no such category, or none that can be assigned."),
    "invalidVideoMetadata": ("metadata", "YouTube does not take what is said about the video."),
    "invalidRecordingDetails": ("metadata", "YouTube does not take what is said about the video."),
    "invalidFilename": ("metadata", "YouTube does not take what is said about the video."),
    "invalidPublishAt": ("metadata", "YouTube does not take what is said about the video."),
    "defaultLanguageNotSet": ("default_language", "YouTube misses the language of the title."),
    "mediaBodyRequired": ("media", "YouTube got no video."),
    "channelOrVideoIdMissing": ("comment", "YouTube does not see what the comment belongs to."),
    "commentTextRequired": ("comment", "A comment cannot be empty."),
    "commentTextTooLong": ("comment.length", "The comment is too long."),
    "invalidCommentThreadMetadata": ("comment", "YouTube does not take the comment."),
    "invalidCriteria": ("invalid_request", "YouTube finds the request invalid."),
    "invalidParameter": ("invalid_request", "YouTube finds the request invalid."),
    "missingRequiredParameter": ("invalid_request", "YouTube finds the request invalid."),
    "unexpectedParameter": ("invalid_request", "YouTube finds the request invalid."),
    "unexpectedPart": ("invalid_request", "YouTube finds the request invalid."),
    "unknownPart": ("invalid_request", "YouTube finds the request invalid."),
    "badContent": ("invalid_request", "YouTube finds the request invalid."),
    "badRequest": ("invalid_request", "YouTube finds the request invalid."),
    "parseError": ("invalid_request", "YouTube finds the request invalid."),
    "notUpload": ("invalid_request", "YouTube finds the request invalid."),
    "wrongUrlForUpload": ("invalid_request", "YouTube finds the request invalid."),
}
"""400: rule and message."""
_FORBIDDEN: Mapping[str, tuple[str, str, str | None]] = {
    "forbiddenPrivacySetting": ("privacy", "The channel may not use this privacy.", "Choose another privacy."),
    "forbiddenLicenseSetting": ("license", "The channel may not use this licence.", "Choose another licence."),
    "forbiddenEmbedSetting": ("embeddable", "The channel may not set this.", "Leave embeddable out."),
    "commentsDisabled": ("comments_disabled", "Nobody can comment on this video.", None),
    "ineligibleAccount": (
        "ineligible_account",
        "This Google account cannot comment on YouTube.",
        "Create a channel for it on YouTube.",
    ),
    "forbidden": (
        "forbidden",
        "YouTube does not permit it to this account.",
        "Connect the account again, and choose the right channel.",
    ),
    "insufficientPermissions": (
        "permission",
        "The account has not been given the permission for it.",
        "Connect the account again, and tick every permission.",
    ),
}
"""403: rule, message and remediation."""
_ACCOUNT_DEAD = (
    "authenticatedUserAccountClosed",
    "authenticatedUserAccountSuspended",
    "authenticatedUserNotChannel",
    "channelClosed",
    "channelSuspended",
    "accountDelegationForbidden",
)
_RATE_LIMITED = ("rateLimitExceeded", "userRateLimitExceeded", "servingLimitExceeded", "uploadRateLimitExceeded")
_OUT_OF_QUOTA = ("quotaExceeded", "dailyLimitExceeded")
_NOT_FOUND = ("videoNotFound", "channelNotFound", "playlistNotFound", "commentNotFound")

_ANOTHER_FILE = "Use another file or format: MP4 with H.264 and AAC is what YouTube recommends."
_FAILURES: Mapping[str, tuple[str, str]] = {
    "conversion": ("YouTube cannot convert the video.", _ANOTHER_FILE),
    "invalidFile": ("The file is no video that YouTube can read.", _ANOTHER_FILE),
    "emptyFile": ("The file is empty.", "Use another file."),
    "tooSmall": ("The file is too small to be a video.", "Use another file."),
    "codec": ("YouTube does not know the video's codec.", _ANOTHER_FILE),
    "uploadAborted": ("YouTube did not get the whole file.", "Publish it again."),
}
"""`status.failureReason`: message and remediation."""
_REJECTIONS: Mapping[str, tuple[str, str]] = {
    "copyright": ("YouTube rejected the video for copyright.", "Remove what belongs to others, or dispute it there."),
    "inappropriate": ("YouTube rejected the video as inappropriate.", "See YouTube's community guidelines."),
    "duplicate": ("The channel holds the same video already.", "Use the video that is there, or another file."),
    "termsOfUse": ("YouTube rejected the video by its terms of use.", "See YouTube's terms of service."),
    "uploaderAccountSuspended": ("The account is suspended at YouTube.", "See the account's messages from YouTube."),
    "uploaderAccountClosed": ("The account is closed at YouTube.", "Connect another account."),
    "length": ("The video is too long for the channel.", "Cut it, or verify the channel at youtube.com/verify."),
    "claim": ("Somebody claims rights in the video.", "Remove what belongs to others, or dispute it on YouTube."),
    "trademark": ("YouTube rejected the video for a trademark.", "Remove the trademark."),
    "legal": ("YouTube rejected the video by a legal request.", "See the account's messages from YouTube."),
}
"""`status.rejectionReason`: message and remediation."""


class YouTubeConnector:
    """`publisher.ports.Connector`."""

    platform: Platform = "youtube"
    assembling: Assembling | None = None

    def __init__(
        self,
        client: httpx.AsyncClient,
        policy: Policy,
        fetcher: MediaFetcher,
        budgets: Budgets,
        *,
        chunk_bytes: int = CHUNK,
        video_bytes: int = VIDEO_BYTES,
        session_lifetime: timedelta = timedelta(days=1),
        operator_pause: timedelta = timedelta(minutes=5),
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """`session_lifetime`: after it a session that nothing was published from is opened anew."""
        if chunk_bytes <= 0 or chunk_bytes % GRAIN:
            raise ValueError(f"chunks are multiples of {GRAIN} bytes, and {chunk_bytes} is none")
        self.policy = policy
        self.budgets = budgets
        self._openings = Budgets()
        """Of opening sessions: what is open already can be finished without it."""
        self._client = client
        self._fetcher = fetcher
        self._chunk = chunk_bytes
        self._video_bytes = video_bytes
        self._session_lifetime = session_lifetime
        self._operator_pause = operator_pause
        self._now = now

    def readable(self, account: Account) -> bool:
        return True

    # --- uploading ------------------------------------------------------------------------------------

    async def upload(self, author: Author, draft: Draft, media: Media, record: Record) -> Upload:
        if media.type != "video":
            failure = Failure(
                code="media_rejected", rule="youtube.media.type", message=f"YouTube takes no {media.type} here."
            )
            raise SetbackError(Refused(failure))
        exhausted = self._openings.exhausted(author.account.account_id, self._now())
        if exhausted is not None:
            raise SetbackError(exhausted)
        async with self._fetcher.fetch(media, max_bytes=self._video_bytes, types=VIDEO_TYPES) as fetched:
            metadata = _metadata(draft)
            session = await self._open(author, draft, metadata, size=fetched.size, content_type=fetched.content_type)
            now = self._now()
            upload = Upload(
                part=draft.index,
                source=media.media_id or media.url or "",
                type=media.type,
                alt_text=media.alt_text,
                media_id=_fingerprint(draft),
                session=session,
                size=fetched.size,
                content_type=fetched.content_type,
                uploaded_at=now,
                ready=False,
                expires_at=now + self._session_lifetime,
            )
            await record(upload)
            upload = await self._send_chunks(author, upload, fetched.file, 0, record)
        return msgspec.structs.replace(upload, ready=True)

    async def carry_on(self, author: Author, draft: Draft, media: Media, upload: Upload, record: Record) -> Upload:
        if upload.session is None or upload.media_id != _fingerprint(draft):
            # The metadata of a session cannot be changed.
            return await self.upload(author, draft, media, record)
        try:
            response = await self._ask(author, upload)
        except httpx.HTTPError as error:
            raise failed_step("YouTube", error) from error
        if response.status_code in _GONE:
            # The last chunk was never sent: nothing can have come of it.
            return await self.upload(author, draft, media, record)
        if response.status_code == _RESUME_INCOMPLETE:
            start = _stored(response)
            upload = msgspec.structs.replace(upload, sent=start)
            if upload.size - start > self._chunk:
                async with self._fetcher.fetch_from(media, start=start, size=upload.size) as file:
                    upload = await self._send_chunks(author, upload, file, start, record)
        elif not response.is_success:
            raise self._setback(response)
        return msgspec.structs.replace(upload, ready=True)

    async def _open(
        self, author: Author, draft: Draft, metadata: Mapping[str, Any], *, size: int, content_type: str
    ) -> str:
        """The address of a new session: whoever knows it may add to the upload. Raises SetbackError."""
        params = {"uploadType": "resumable", "part": ",".join(metadata)}
        if draft.options.get("notify_subscribers") is False:
            params["notifySubscribers"] = "false"
        headers = {
            "Content-Type": "application/json; charset=UTF-8",
            "X-Upload-Content-Length": str(size),
            "X-Upload-Content-Type": content_type,
        }
        content = msgspec.json.encode(metadata, order="deterministic")
        try:
            response = await self._call(
                author, "open_session", "POST", _VIDEOS, params=params, headers=headers, content=content
            )
        except httpx.HTTPError as error:
            raise failed_step("YouTube", error) from error
        if not response.is_success:
            refused = self._setback(response)
            self._note_opening(author, response, refused.setback)
            raise refused
        session: str = response.headers.get("location", "")
        if not self._is_ours(session):
            failure = Failure(
                code="platform_unreachable", message="YouTube answered the upload in an unknown form.", retryable=True
            )
            raise SetbackError(Retry("media_unavailable", failure))
        return session

    def _is_ours(self, session: str) -> bool:
        """Whether it may have the token: it is where we were sent by the operator, or Google's."""
        try:
            url = httpx.URL(session)
        except httpx.InvalidURL:
            return False
        base = self._client.base_url
        if (url.scheme, url.host, url.port) == (base.scheme, base.host, base.port):
            return True
        return url.scheme == "https" and url.host.endswith(".googleapis.com")

    def _note_opening(self, author: Author, response: httpx.Response, setback: Setback) -> None:
        if not isinstance(setback, Postponed):
            return
        reason = _reason(response)
        if reason in _OUT_OF_QUOTA:
            self._openings.use_up(Budgets.APP, setback.until, setback.failure)
        elif reason == "uploadLimitExceeded":
            self._openings.use_up(author.account.account_id, setback.until, setback.failure)

    async def _send_chunks(self, author: Author, upload: Upload, file: IO[bytes], start: int, record: Record) -> Upload:
        """Sends all but the last chunk. `file` stands at the byte number `start`. Raises SetbackError."""
        origin = file.tell() - start
        while upload.size - upload.sent > self._chunk:
            file.seek(origin + upload.sent)
            chunk = file.read(self._chunk)
            try:
                response = await self._put(author, upload, chunk, "upload_chunk")
            except httpx.HTTPError as error:
                raise failed_step("YouTube", error) from error
            if response.status_code in _GONE:
                raise SetbackError(_session_lost(response))
            if response.status_code != _RESUME_INCOMPLETE:
                raise self._setback(response)
            stored = _stored(response)
            if stored <= upload.sent:
                failure = _failure("YouTube did not take the bytes that were sent.", response, retryable=True)
                raise SetbackError(Retry("unreachable", failure))
            upload = msgspec.structs.replace(upload, sent=stored)
            await record(upload)
        return upload

    async def _put(self, author: Author, upload: Upload, chunk: bytes, call: str) -> httpx.Response:
        """Raises httpx.HTTPError."""
        last = upload.sent + len(chunk) - 1
        headers = {"Content-Range": f"bytes {upload.sent}-{last}/{upload.size}"}
        if upload.content_type is not None:
            headers["Content-Type"] = upload.content_type
        return await self._call(author, call, "PUT", str(upload.session), headers=headers, content=chunk)

    async def _ask(self, author: Author, upload: Upload) -> httpx.Response:
        """Where a session stands: 308 with what it holds, or again its final answer. Raises httpx.HTTPError."""
        headers = {"Content-Range": f"bytes */{upload.size}"}
        return await self._call(author, "session_status", "PUT", str(upload.session), headers=headers, content=b"")

    async def _call(self, author: Author, call: str, method: str, url: str, **content: Any) -> httpx.Response:
        headers = {**bearer(author.token.reveal()), **content.pop("headers", {})}
        with calling(self.platform, call):
            return await self._client.request(method, url, headers=headers, **content)

    def _setback(self, response: httpx.Response) -> SetbackError:
        match self._refusal(response):
            case Refused() | Postponed() | Retry() as setback:
                return SetbackError(setback)
            case _:
                return SetbackError(Retry("unreachable", _failure("YouTube failed.", response, retryable=True)))

    # --- sending --------------------------------------------------------------------------------------

    def request(self, author: Author, draft: Draft) -> bytes:
        """Of a comment its body. Of a video what its session was opened with, and which session that is."""
        if draft.reply_to is not None:
            text = compose_text(draft.content, self.platform)
            snippet = {
                "channelId": author.account.platform_user_id,
                "videoId": draft.reply_to,
                "topLevelComment": {"snippet": {"textOriginal": text}},
            }
            return msgspec.json.encode({"snippet": snippet}, order="deterministic")
        sessions = [hashlib.sha256(str(upload.session).encode()).hexdigest() for upload in draft.uploads]
        return msgspec.json.encode({"metadata": _metadata(draft), "sessions": sessions}, order="deterministic")

    async def send(self, author: Author, draft: Draft, request: bytes) -> Answer:
        if draft.reply_to is not None:
            return await self._comment(author, draft.reply_to, request)
        upload = _session_of(draft)
        if upload is None or upload.media_id != _fingerprint(draft):
            changed = Failure(code="media_rejected", message="The post has changed since its video was uploaded.")
            return Retry("media_refused", changed)
        try:
            response = await self._ask(author, upload)
        except httpx.HTTPError as error:
            return failed_step("YouTube", error).setback
        if response.is_success:
            return await self._made_before(author, draft, response)
        if response.status_code in _GONE:
            return _session_lost(response)
        if response.status_code != _RESUME_INCOMPLETE:
            return self._setback(response).setback
        return await self._finish(author, draft, msgspec.structs.replace(upload, sent=_stored(response)))

    async def _finish(self, author: Author, draft: Draft, upload: Upload) -> Answer:
        """Sends what is missing, which is one chunk at most."""
        start = upload.sent
        if upload.size - start > self._chunk:
            lost = Failure(code="media_rejected", message="YouTube has lost what it held of the video.")
            return Retry("media_refused", lost)
        try:
            # Not a byte has been sent: should it take too long, that is certain.
            async with (
                asyncio.timeout(self.policy.call_timeout / 2),
                self._fetcher.fetch_from(draft.content.media[0], start=start, size=upload.size) as file,
            ):
                rest = file.read(upload.size - start)
        except SetbackError as error:
            return error.setback
        except TimeoutError:
            slow = Failure(code="media_unavailable", message="The media URL answered too slowly.", retryable=True)
            return Retry("media_unavailable", slow)
        while True:
            try:
                response = await self._put(author, upload, rest[upload.sent - start :], "create_video")
            except httpx.HTTPError as error:
                return failed_send("YouTube", error)
            if response.is_success:
                return await self._made(author, draft, response)
            if response.status_code in _GONE:
                return _session_lost(response)
            if response.status_code != _RESUME_INCOMPLETE:
                return self._refusal(response)
            stored = _stored(response)
            if stored <= upload.sent:
                failure = _failure("YouTube did not take the bytes that were sent.", response, retryable=True)
                return Retry("unreachable", failure)
            upload = msgspec.structs.replace(upload, sent=stored)

    async def _made(self, author: Author, draft: Draft, response: httpx.Response) -> Answer:
        """After the last byte."""
        video = json_object(response)
        video_id = _id_of(video)
        if video is None or video_id is None:
            # What is not YouTube's own answer, a proxy's page for one, proves nothing.
            return Ambiguous(_unknown("YouTube answered without naming the video.", response), accepted=False)
        return await self._fate(author, draft, video_id, _status_of(video))

    async def _made_before(self, author: Author, draft: Draft, response: httpx.Response) -> Answer:
        """When the session turns out to have made its video by an earlier call."""
        video_id = _id_of(json_object(response))
        if video_id is None:
            return Retry("unreachable", _failure("YouTube gave no readable answer.", response, retryable=True))
        answer = await self._fate(author, draft, video_id, await self._status(author, video_id))
        if isinstance(answer, Refused):
            # That video is lost, and so is its session; the file may be another one by now.
            return Retry("media_refused", answer.failure)
        return answer

    async def _fate(
        self, author: Author, draft: Draft, video_id: str, status: Mapping[str, Any]
    ) -> Accepted | Refused | Processing:
        """What has become of a video that exists."""
        match status.get("uploadStatus"):
            case "processed":
                await self._dress(author, draft, video_id)
                return Accepted(video_id, post_url(video_id, draft.options))
            case "failed":
                return Refused(_unprocessed("processing", status.get("failureReason"), _FAILURES))
            case "rejected":
                return Refused(_unprocessed("rejected", status.get("rejectionReason"), _REJECTIONS))
            case "deleted":
                gone = Failure(
                    code="platform_rejected",
                    rule="youtube.deleted",
                    message="The video was deleted on YouTube before it was live.",
                )
                return Refused(gone)
            case _:
                return Processing(_in_process(), handle=video_id)

    async def _status(self, author: Author, video_id: str) -> Mapping[str, Any]:
        """`status` of a video; empty while it cannot be read."""
        try:
            return _status_of(await self._read_video(author, video_id))
        except (httpx.HTTPError, *_ODD):
            return {}

    async def _comment(self, author: Author, video_id: str, request: bytes) -> Answer:
        headers = {"Content-Type": "application/json; charset=UTF-8"}
        try:
            response = await self._call(
                author,
                "create_comment",
                "POST",
                "/youtube/v3/commentThreads",
                params={"part": "snippet"},
                headers=headers,
                content=request,
            )
        except httpx.HTTPError as error:
            return failed_send("YouTube", error)
        if not response.is_success:
            return self._refusal(response)
        body = json_object(response)
        comment_id = _id_of(body)
        if comment_id is None:
            return Ambiguous(_unknown("YouTube answered without naming the comment.", response))
        return Accepted(comment_id, comment_url(video_id, comment_id))

    # --- what answers mean ----------------------------------------------------------------------------

    def _refusal(self, response: httpx.Response) -> Answer:  # noqa: PLR0912  # a branch for each row of the table
        """The closed table. An answer that is not YouTube's own, or not listed, leaves it open what happened."""
        reason = _reason(response)
        match response.status_code:
            case 400 if reason == "uploadLimitExceeded":
                failure = _limit_failure(
                    "The channel has uploaded as many videos as YouTube lets it in a day.", response
                )
                return Postponed(self._now() + CHANNEL_PAUSE, failure)
            case 400 if (invalid := _INVALID.get(reason or "")) is not None:
                rule, message = invalid
                return Refused(_failure(message, response, rule=f"youtube.{rule}"))
            case 401 if reason == "youtubeSignupRequired":
                failure = _failure(
                    "The Google account has no YouTube channel.",
                    response,
                    rule="youtube.no_channel",
                    remediation="Create a channel on YouTube, then publish again.",
                )
                return Refused(failure)
            case 401 if reason is not None:
                return Retry("token_refused", _token_failure(response))
            case 403 if reason in _OUT_OF_QUOTA:
                failure = _limit_failure("This deployment has used up its quota at YouTube for today.", response)
                return Postponed(self._midnight(), failure)
            case 403 | 429 if reason in _RATE_LIMITED:
                failure = _limit_failure("YouTube's rate limit is used up.", response)
                pause = max(RATE_PAUSE, _retry_after(response)) + timedelta(seconds=random.uniform(0, JITTER))
                return Postponed(self._now() + pause, failure)
            case 403 if reason in _ACCOUNT_DEAD:
                return Retry("token_dead", _token_failure(response))
            case 403 if reason == "accessNotConfigured":
                return self._not_configured(response)
            case 403 if (forbidden := _FORBIDDEN.get(reason or "")) is not None:
                rule, message, remediation = forbidden
                return Refused(_failure(message, response, rule=f"youtube.{rule}", remediation=remediation))
            case 404 if reason in _NOT_FOUND:
                return Refused(_failure("YouTube does not find it.", response, rule="youtube.not_found"))
            case 409 if reason is not None:
                return Refused(_failure("YouTube finds a conflict.", response, rule="youtube.conflict"))
            case 412 | 416 if reason is not None:
                return Retry("media_refused", _failure("YouTube holds something else of the video.", response))
            case 413:
                failure = _failure("The video is too large.", response, code="media_rejected")
                return Refused(msgspec.structs.replace(failure, rule="youtube.media.size"))
            case _:
                return Ambiguous(_unknown("YouTube failed while it handled the post.", response))

    def _midnight(self) -> datetime:
        """When the day of YouTube's quotas ends, in California; a little later, not all at once."""
        tomorrow = self._now().astimezone(PACIFIC).date() + timedelta(days=1)
        midnight = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=PACIFIC)
        return midnight.astimezone(UTC) + timedelta(seconds=random.uniform(0, JITTER))

    def _not_configured(self, response: httpx.Response) -> Postponed:
        failure = _failure(
            "The YouTube Data API is not enabled for this deployment.",
            response,
            code="operator_action_needed",
            remediation="The operator must enable it in the Google Cloud project.",
            retryable=True,
        )
        until = self._now() + self._operator_pause
        self.budgets.use_up(Budgets.APP, until, failure)
        return Postponed(until, failure)

    # --- reading back ---------------------------------------------------------------------------------

    async def look_up(self, author: Author, draft: Draft, since: datetime) -> Finding:
        if draft.reply_to is not None:
            return await self._find_comment(author, draft, draft.reply_to, since)
        if draft.handle is not None:
            return await self._found(author, draft, draft.handle)
        upload = _session_of(draft)
        if upload is not None:
            response = await self._ask(author, upload)
            if response.status_code == _RESUME_INCOMPLETE:
                return Finding(complete=True)
            if response.status_code not in _GONE:
                video_id = _id_of(json_object(response)) if response.is_success else None
                return UNREADABLE if video_id is None else await self._found(author, draft, video_id)
        try:
            return await self._find_video(author, draft, since - CLOCK_SLACK)
        except _ODD:
            return UNREADABLE

    async def _found(self, author: Author, draft: Draft, video_id: str) -> Finding:
        """A video that exists, whatever else can be read just now."""
        match await self._fate(author, draft, video_id, await self._status(author, video_id)):
            case Accepted(_, url):
                return Finding((Candidate(video_id, self._now(), url),), complete=True)
            case Refused(failure):
                return Finding(refused=failure)
            case Processing(failure):
                return Finding(processing=failure)

    async def _find_video(self, author: Author, draft: Draft, oldest: datetime) -> Finding:
        """Among the channel's uploads, when the session is no more.

        Raises httpx.HTTPError; ValueError and its like for an answer that is not what was asked for.
        """
        wanted = _metadata(draft)["snippet"]
        channel = {"part": "contentDetails", "id": author.account.platform_user_id}
        (found,) = self._items(await self._read(author, "read_channel", "/youtube/v3/channels", channel))
        params = {
            "part": "snippet,contentDetails",
            "playlistId": str(found["contentDetails"]["relatedPlaylists"]["uploads"]),
            "maxResults": str(PAGE),
        }
        for _ in range(MAX_PAGES):
            body = await self._read(author, "read_uploads", "/youtube/v3/playlistItems", params)
            items = self._items(body)
            added = [_moment(item["snippet"]["publishedAt"]) for item in items]
            alike = [
                str(item["contentDetails"]["videoId"])
                for item, at in zip(items, added, strict=True)
                if at >= oldest and _is_titled(item["snippet"], wanted)
            ]
            videos = [await self._read_video(author, video_id) for video_id in alike]
            same = [video for video in videos if list(video["snippet"].get("tags") or ()) == wanted.get("tags", [])]
            if same:
                return await self._one_of(author, draft, same)
            token = body.get("nextPageToken")
            if token is None or (added and min(added) < oldest):
                return Finding(complete=True)
            params["pageToken"] = str(token)
        return UNREADABLE

    async def _one_of(self, author: Author, draft: Draft, videos: Sequence[Mapping[str, Any]]) -> Finding:
        """Videos of which one may be the draft's. What was never live counts only while nothing else is there."""
        if len(videos) == 1:
            return await self._found(author, draft, str(videos[0]["id"]))
        live = [video for video in videos if _status_of(video).get("uploadStatus") == "processed"]
        candidates = tuple(
            Candidate(
                str(video["id"]),
                _moment(video["snippet"]["publishedAt"]),
                post_url(str(video["id"]), draft.options),
            )
            for video in live
        )
        return Finding(candidates, complete=True) if candidates else Finding(processing=_in_process())

    async def _find_comment(self, author: Author, draft: Draft, video_id: str, since: datetime) -> Finding:
        wanted = normalise_for_match(compose_text(draft.content, self.platform), self.platform)
        oldest = since - CLOCK_SLACK
        params = {
            "part": "snippet",
            "videoId": video_id,
            "order": "time",
            "textFormat": "plainText",
            "maxResults": "100",
        }
        try:
            for _ in range(MAX_COMMENT_PAGES):
                body = await self._read(author, "read_comments", "/youtube/v3/commentThreads", params)
                comments = [
                    (str(item["id"]), item["snippet"]["topLevelComment"]["snippet"]) for item in self._items(body)
                ]
                found = tuple(
                    Candidate(comment_id, at, comment_url(video_id, comment_id))
                    for comment_id, comment in comments
                    if (at := _moment(comment["publishedAt"])) >= oldest
                    and comment.get("authorChannelId", {}).get("value") == author.account.platform_user_id
                    and _comment_text(comment, self.platform) == wanted
                )
                token = body.get("nextPageToken")
                past = any(_moment(comment["publishedAt"]) < oldest for _, comment in comments)
                if found or past or token is None:
                    return Finding(found, complete=True)
                params["pageToken"] = str(token)
        except _ODD:
            return UNREADABLE
        return UNREADABLE

    async def _read_video(self, author: Author, video_id: str) -> Mapping[str, Any]:
        """Raises httpx.HTTPError; ValueError and its like where there is none to be read."""
        params = {"part": "snippet,status", "id": video_id}
        return self._items(await self._read(author, "read_video", "/youtube/v3/videos", params))[0]

    async def _read(self, author: Author, call: str, path: str, params: Mapping[str, str]) -> Mapping[str, Any]:
        """Raises httpx.HTTPError; ValueError for what is no answer."""
        response = await self._call(author, call, "GET", path, params=params)
        body = json_object(response)
        if response.status_code != httpx.codes.OK or body is None:
            raise ValueError(f"{path} cannot be read: {response.status_code}")
        return body

    def _items(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        return msgspec.convert(body.get("items", []), list[dict[str, Any]])

    # --- what is added to a live video ----------------------------------------------------------------

    async def _dress(self, author: Author, draft: Draft, video_id: str) -> None:
        """Thumbnail and playlist. May be done again; whatever goes wrong, the video is live."""
        thumbnail, playlist = draft.options.get("thumbnail_url"), draft.options.get("playlist_id")
        try:
            async with asyncio.timeout(min(EXTRAS_SECONDS, self.policy.call_timeout / 2)):
                if thumbnail:
                    await self._extra("thumbnail", video_id, self._set_thumbnail(author, video_id, str(thumbnail)))
                if playlist:
                    await self._extra("playlist", video_id, self._add_to_playlist(author, video_id, str(playlist)))
        except TimeoutError:
            log.warning("there was no time for all that belongs to a video", video=video_id)

    async def _extra(self, what: str, video_id: str, doing: Awaitable[None]) -> None:
        try:
            await doing
        except SetbackError as error:
            failure = error.setback.failure
            log.warning(f"a video has no {what}", video=video_id, why=failure.message, answer=failure.platform_error)
        except (httpx.HTTPError, *_ODD) as error:
            log.warning(f"a video has no {what}", video=video_id, why=type(error).__name__)

    async def _set_thumbnail(self, author: Author, video_id: str, url: str) -> None:
        image = Media(type="image", url=url)
        async with self._fetcher.fetch(image, max_bytes=THUMBNAIL_BYTES, types=THUMBNAIL_TYPES) as fetched:
            response = await self._call(
                author,
                "set_thumbnail",
                "POST",
                "/upload/youtube/v3/thumbnails/set",
                params={"videoId": video_id, "uploadType": "media"},
                headers={"Content-Type": fetched.content_type, "Content-Length": str(fetched.size)},
                content=_pieces(fetched.file),
            )
        if not response.is_success:
            raise self._setback(response)

    async def _add_to_playlist(self, author: Author, video_id: str, playlist: str) -> None:
        path = "/youtube/v3/playlistItems"
        params = {"part": "id", "playlistId": playlist, "videoId": video_id}
        if self._items(await self._read(author, "read_playlist", path, params)):
            return
        member = {"playlistId": playlist, "resourceId": {"kind": "youtube#video", "videoId": video_id}}
        response = await self._call(
            author, "add_to_playlist", "POST", path, params={"part": "snippet"}, json={"snippet": member}
        )
        if not response.is_success:
            raise self._setback(response)

    # --- deleting -------------------------------------------------------------------------------------

    async def delete(self, author: Author, live: LivePart) -> None:
        post_id = live.platform_post_id
        kind = "videos" if _VIDEO_ID.fullmatch(post_id) else "comments"
        try:
            response = await self._call(
                author, f"delete_{kind[:-1]}", "DELETE", f"/youtube/v3/{kind}", params={"id": post_id}
            )
        except httpx.HTTPError as error:
            raise failed_step("YouTube", error) from error
        if not response.is_success and response.status_code != httpx.codes.NOT_FOUND:
            raise self._setback(response)


def post_url(video_id: str, options: Options) -> str:
    if options.get("post_type") == "short":
        return f"https://www.youtube.com/shorts/{video_id}"
    return f"https://www.youtube.com/watch?v={video_id}"


def comment_url(video_id: str, comment_id: str) -> str:
    return f"https://www.youtube.com/watch?v={video_id}&lc={comment_id}"


def _metadata(draft: Draft) -> dict[str, dict[str, Any]]:
    """A video resource as `videos.insert` takes it. Its members are the parts that are set."""
    options = draft.options
    snippet: dict[str, Any] = {
        "title": video_title(options, draft.title),
        "description": compose_text(draft.content, "youtube"),
        "categoryId": str(options.get("category_id") or DEFAULT_CATEGORY),
    }
    if options.get("tags"):
        snippet["tags"] = [str(tag) for tag in options["tags"]]
    for name, field in (("default_language", "defaultLanguage"), ("default_audio_language", "defaultAudioLanguage")):
        if options.get(name):
            snippet[field] = str(options[name])
    status: dict[str, Any] = {
        "privacyStatus": str(options.get("privacy") or "public").lower(),
        "selfDeclaredMadeForKids": bool(options.get("made_for_kids", False)),
        "embeddable": bool(options.get("embeddable", True)),
        "publicStatsViewable": bool(options.get("public_stats_viewable", True)),
        "license": "creativeCommon" if options.get("license") == "creative_common" else "youtube",
    }
    if "contains_synthetic_media" in options:
        status["containsSyntheticMedia"] = bool(options["contains_synthetic_media"])
    metadata = {"snippet": snippet, "status": status}
    if "paid_product_placement" in options:
        placed = bool(options["paid_product_placement"])
        metadata["paidProductPlacementDetails"] = {"hasPaidProductPlacement": placed}
    return metadata


def _fingerprint(draft: Draft) -> str:
    """Of what a session was opened with. Kept as `Upload.media_id`: the video has no id of its own until it exists."""
    opened = [_metadata(draft), draft.options.get("notify_subscribers") is not False]
    return hashlib.sha256(msgspec.json.encode(opened, order="deterministic")).hexdigest()


def _session_of(draft: Draft) -> Upload | None:
    return next((upload for upload in draft.uploads if upload.session is not None), None)


def _stored(response: httpx.Response) -> int:
    """Bytes that a session says it holds; without `Range` none."""
    told = re.fullmatch(r"bytes=0-(\d+)", response.headers.get("range", ""))
    return 0 if told is None else int(told[1]) + 1


def _id_of(body: Mapping[str, Any] | None) -> str | None:
    found = None if body is None else body.get("id")
    return found if isinstance(found, str) and found else None


def _status_of(video: Mapping[str, Any]) -> Mapping[str, Any]:
    status = video.get("status")
    return status if isinstance(status, dict) else {}


def _reason(response: httpx.Response) -> str | None:
    """The first reason of Google's error body; None for what is no such body."""
    body = json_object(response)
    error = None if body is None else body.get("error")
    if not isinstance(error, dict):
        return None
    errors = error.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    reason = first.get("reason") if isinstance(first, dict) else None
    return str(reason) if reason else str(error.get("status") or "unnamed")


def _retry_after(response: httpx.Response) -> timedelta:
    told = response.headers.get("retry-after", "")
    return timedelta(seconds=int(told)) if re.fullmatch(r"[0-9]{1,6}", told) else timedelta()


def _is_titled(snippet: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(
        normalise_for_match(str(snippet.get(name, "")), "youtube") == normalise_for_match(wanted[name], "youtube")
        for name in ("title", "description")
    )


def _comment_text(comment: Mapping[str, Any], platform: Platform) -> str:
    return normalise_for_match(str(comment.get("textOriginal") or comment["textDisplay"]), platform)


def _moment(text: Any) -> datetime:
    moment = datetime.fromisoformat(str(text))
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _in_process() -> Failure:
    return Failure(code="media_processing", message="YouTube has the video and is processing it.", retryable=True)


def _unprocessed(kind: str, reason: Any, known: Mapping[str, tuple[str, str]]) -> Failure:
    message, remediation = known.get(
        str(reason), ("YouTube did not take the video.", "Look at the video in YouTube Studio.")
    )
    return Failure(
        code="media_rejected",
        rule=f"youtube.{kind}.{_snake(str(reason))}" if str(reason) in known else f"youtube.{kind}",
        message=message,
        remediation=remediation,
        platform_error=None if reason is None else str(reason),
    )


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _session_lost(response: httpx.Response) -> Retry:
    failure = Failure(
        code="media_rejected",
        message="The upload has expired at YouTube.",
        platform_error=str(response.status_code),
        retryable=True,
    )
    return Retry("media_refused", failure)


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


def _unknown(message: str, response: httpx.Response) -> Failure:
    return _failure(message, response, code="outcome_unknown")


def _token_failure(response: httpx.Response) -> Failure:
    return _failure(
        "YouTube does not accept the account's token.",
        response,
        code="token_refused",
        remediation="Connect the account again.",
        retryable=True,
    )


def _limit_failure(message: str, response: httpx.Response) -> Failure:
    return _failure(
        message,
        response,
        code="rate_limited",
        remediation="Nothing to do: it goes out when the limit is reset.",
        retryable=True,
    )
