"""TikTok, Content Posting API, version 2. Sources: developers.tiktok.com, the references of direct post, photo post
and post status, and the media transfer guide, read in September and November 2026.

What makes a post differs. A video is announced by an init, which names it (the publish_id) and gives an address for
its bytes; that is reversible, for an upload that is not completed within the hour is dropped. The last chunk is what
posts it, and since it can complete this one upload only, it can never post twice. Where TikTok pulls the files itself,
photos always and videos on request, the init is what posts, and only its answer tells the publish_id: when that answer
is lost, only the list of the creator's public videos can show the post, and nothing can prove that it is not there.

What was taken is processed: a post is live when its status is PUBLISH_COMPLETE. The id of a public post follows when
it has been moderated, that of any other never does; then the publish_id stands for the post. What goes to a creator's
inbox counts as published when it has been delivered: the rest is up to the creator. Nothing that is posted can be
deleted, or commented on, through this API.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import IO, Any

import httpx
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from contracts.accounts import Account
from contracts.content import Failure, LivePart, Media, Platform
from platforms import tiktok
from platforms.composing import compose_text, normalise_for_match
from publisher.adapters.http import (
    bearer,
    calling,
    failed_send,
    failed_step,
    json_object,
    quote,
    utc_now,
)
from publisher.adapters.iso_media import duration_of
from publisher.adapters.media import MediaFetcher
from publisher.domain.answers import (
    UNREADABLE,
    Ambiguous,
    Answer,
    Candidate,
    Finding,
    Postponed,
    Processing,
    Refused,
    Retry,
    SetbackError,
)
from publisher.domain.budgets import Budgets
from publisher.domain.publication import Policy, Upload
from publisher.ports import Assembling, Author, Draft, Record

CHUNK = 10_000_000
"""TikTok takes 5 to 64 MB, and up to 128 MB at the end. The last chunk, which is sent within one call, stays below
20 MB this way."""
PIECE = 256 * 1024
UPLOAD_LIFETIME = timedelta(hours=1)
UPLOAD_DOMAIN = ".tiktokapis.com"
RATE_WINDOW = timedelta(minutes=1)
CLOCK_SLACK = timedelta(seconds=60)
MAX_PAGES = 5
SHOWN_TEXT = 150
"""Characters of a text that TikTok shows of a video in a list."""

_PUBLISH = "/v2/post/publish"
_PUBLIC = "PUBLIC_TO_EVERYONE"
_INBOX_URL = "https://www.tiktok.com/messages?lang=en"

_LOOK = "Look at the status of the account in the TikTok app."
_FAIL_REASONS: Mapping[str, tuple[str, str, str]] = {
    "file_format_check_failed": ("tiktok.media.format", "the format of a file", "Use MP4 or MOV; JPEG or WebP."),
    "duration_check_failed": ("tiktok.media.duration", "the length of the video", "Use a shorter video."),
    "frame_rate_check_failed": ("tiktok.media.frame_rate", "the frame rate", "Use 23 to 60 frames a second."),
    "picture_size_check_failed": (
        "tiktok.media.resolution",
        "the resolution",
        "Use a video of 360 to 4096 pixels on each side, photos of at most 1080 pixels on the shorter one.",
    ),
    "publish_cancelled": ("tiktok.cancelled", "a post that was cancelled", "Publish again if it should go out."),
    "spam_risk_user_banned_from_posting": ("tiktok.account.banned", "posts of this creator", _LOOK),
    "spam_risk_text": ("tiktok.text.spam", "the text, which looks like spam", "Change the text."),
    "spam_risk": ("tiktok.spam", "the post, which looks like spam", _LOOK),
}
"""Why a post failed for good: rule, what TikTok does not accept, and what to do."""


class TikTokConnector:
    """`publisher.ports.Connector`."""

    platform: Platform = "tiktok"
    assembling: Assembling | None = None

    def __init__(
        self,
        client: httpx.AsyncClient,
        policy: Policy,
        fetcher: MediaFetcher,
        budgets: Budgets,
        *,
        pull_prefixes: Sequence[str] = (),
        cap_pause: timedelta = timedelta(days=1),
        id_patience: timedelta = timedelta(minutes=10),
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """`pull_prefixes`: URL prefixes that are verified at TikTok, from which it pulls videos itself.

        `cap_pause`: how long a creator whose daily cap is reached is left alone. `id_patience`: how long after it was
        sent a public post is waited for to be named by an id.
        """
        self.policy = policy
        self.budgets = budgets
        self._client = client
        self._fetcher = fetcher
        self._pull_prefixes = tuple(pull_prefixes)
        self._cap_pause = cap_pause
        self._id_patience = id_patience
        self._now = now

    def readable(self, account: Account) -> bool:
        """What was named by a publish_id can be asked for."""
        return True

    # --- uploading ------------------------------------------------------------------------------------

    async def upload(self, author: Author, draft: Draft, media: Media, record: Record) -> Upload:
        if tiktok.post_type(draft.content, draft.options) == "photo":
            return await self._seen(draft, media, tiktok.PHOTO_TYPES, tiktok.MAX_PHOTO_BYTES)
        if self._is_pulled(media):
            return await self._seen(draft, media, tiktok.VIDEO_TYPES, tiktok.MAX_VIDEO_BYTES)
        async with self._fetcher.fetch(media, max_bytes=tiktok.MAX_VIDEO_BYTES, types=tiktok.VIDEO_TYPES) as fetched:
            await self._check_creator(author, draft, duration_of(fetched.file))
            upload = await self._begin(author, draft, media, fetched.size, fetched.content_type)
            if not upload.ready:
                await record(upload)
            return await self._send_chunks(upload, fetched.file, record)

    async def _seen(self, draft: Draft, media: Media, types: Sequence[str], max_bytes: int) -> Upload:
        """A file that TikTok will pull: looked at before, for TikTok does not say which one it could not use."""
        async with self._fetcher.fetch(media, max_bytes=max_bytes, types=types) as fetched:
            return Upload(
                part=draft.index,
                source=media.media_id or media.url or "",
                type=media.type,
                alt_text=media.alt_text,
                media_id=media.url or "",
                size=fetched.size,
                content_type=fetched.content_type,
                uploaded_at=self._now(),
            )

    async def _begin(self, author: Author, draft: Draft, media: Media, size: int, content_type: str) -> Upload:
        """The init: a name and an address for the bytes."""
        chunk, count = _plan(size)
        source = {"source": "FILE_UPLOAD", "video_size": size, "chunk_size": chunk, "total_chunk_count": count}
        path, body = _video_init(draft, source)
        now = self._now()
        data = await self._step(author, "init", path, msgspec.json.encode(body))
        publish_id, url = data.get("publish_id"), data.get("upload_url")
        if not isinstance(publish_id, str) or not isinstance(url, str) or not self._is_upload_url(url):
            raise SetbackError(Retry("unreachable", _failure("TikTok did not say where to upload.", None)))
        return Upload(
            part=draft.index,
            source=media.media_id or media.url or "",
            type=media.type,
            alt_text=media.alt_text,
            media_id=publish_id,
            session=url,
            size=size,
            content_type=content_type,
            uploaded_at=now,
            ready=count == 1,
            expires_at=now + UPLOAD_LIFETIME,
        )

    def _is_upload_url(self, url: str) -> bool:
        """Whether it leads to TikTok."""
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            return False
        base = self._client.base_url
        same = (parsed.scheme, parsed.netloc) == (base.scheme, base.netloc)
        return same or (parsed.scheme == "https" and parsed.host.endswith(UPLOAD_DOMAIN))

    async def carry_on(self, author: Author, draft: Draft, media: Media, upload: Upload, record: Record) -> Upload:
        dropped = SetbackError(Retry("media_refused", _failure("TikTok has dropped the upload.", None)))
        match await self._status(author, upload.media_id):
            case _Status("PROCESSING_UPLOAD", uploaded_bytes=held) if (held or 0) < upload.size:
                upload = replace(upload, sent=held or 0)
                if upload.sent % CHUNK or upload.sent > _last_chunk(upload.size):
                    raise dropped
            case _Status("FAILED") | None:
                raise dropped
            case _:
                failure = _failure(
                    "TikTok went on with an upload that was not complete.",
                    None,
                    rule="tiktok.upload.incomplete",
                    remediation="Look at the account before you publish again.",
                )
                raise SetbackError(Refused(failure))
        async with self._fetcher.fetch_from(media, start=upload.sent, size=upload.size) as file:
            return await self._send_chunks(upload, file, record)

    async def _send_chunks(self, upload: Upload, file: IO[bytes], record: Record) -> Upload:
        """All but the last chunk; `file` is where the upload stands. Raises SetbackError."""
        last = _last_chunk(upload.size)
        while upload.sent < last:
            try:
                response = await self._put(upload, file, CHUNK)
            except httpx.HTTPError as error:
                raise failed_step("TikTok", error) from error
            match response.status_code:
                case 206:
                    upload = replace(upload, sent=upload.sent + CHUNK)
                    await record(upload)
                case 400:
                    raise SetbackError(Refused(_refused_chunk(response)))
                case 403 | 404:
                    raise SetbackError(Retry("media_refused", _failure("TikTok has dropped the upload.", response)))
                case _:
                    # Also 416, and 201 before the end: it is asked where the upload stands.
                    raise SetbackError(Retry("unreachable", _failure("TikTok did not take a chunk.", response)))
        return replace(upload, ready=True)

    async def _put(self, upload: Upload, file: IO[bytes], length: int) -> httpx.Response:
        """The next bytes of an upload. Its address is a secret of its own: no token goes there. Raises HTTPError."""
        headers = {
            "Content-Type": upload.content_type or tiktok.VIDEO_TYPES[0],
            "Content-Length": str(length),
            "Content-Range": _content_range(upload, length),
        }
        with calling(self.platform, "upload"):
            return await self._client.put(upload.session or "", content=_pieces(file, length), headers=headers)

    # --- what the creator may post --------------------------------------------------------------------

    async def _check_creator(self, author: Author, draft: Draft, duration: float | None) -> None:
        """TikTok wants this asked before every direct post. Raises SetbackError."""
        if tiktok.is_inbox(draft.options):
            return
        data = await self._step(author, "creator_info", f"{_PUBLISH}/creator_info/query/", b"{}")
        offered = data.get("privacy_level_options")
        wanted = _privacy(draft)
        if isinstance(offered, list) and wanted not in offered:
            levels = ", ".join(str(each).lower() for each in offered)
            raise _unfit(
                "privacy_level.not_offered", f"TikTok offers this creator only {levels}.", "Choose one of them."
            )
        for name in ("comment", "duet", "stitch"):
            if data.get(f"{name}_disabled") is True and draft.options.get(f"allow_{name}") is True:
                raise _unfit(f"allow_{name}.disabled", f"The creator allows no {name} at TikTok.", f"Turn {name} off.")
        longest = data.get("max_video_post_duration_sec")
        if duration is not None and isinstance(longest, int | float) and duration > longest:
            message = f"The video has {duration:g} seconds, and this creator may post {longest:g}."
            raise _unfit("media.duration", message, "Cut it.")

    # --- sending --------------------------------------------------------------------------------------

    def request(self, author: Author, draft: Draft) -> bytes:
        if _is_upload(draft):
            (upload,) = draft.uploads
            length = upload.size - upload.sent
            body: object = {"publish_id": upload.media_id, "range": _content_range(upload, length)}
        else:
            _, body = _init(draft)
        return msgspec.json.encode(body, order="deterministic")

    async def send(self, author: Author, draft: Draft, request: bytes) -> Answer:
        if draft.reply_to is not None:
            return Refused(
                _failure("TikTok takes no comments through its API.", None, rule="tiktok.comment.unsupported")
            )
        try:
            if _is_upload(draft):
                return await self._send_last_chunk(author, draft)
            await self._check_creator(author, draft, None)
        except SetbackError as error:
            return error.setback
        path, _ = _init(draft)
        try:
            response = await self._call(author, "init", path, request)
        except httpx.HTTPError as error:
            return failed_send("TikTok", error)
        data = _data(response)
        if data is None:
            return self._refusal(author, response)
        publish_id = data.get("publish_id")
        if isinstance(publish_id, str) and publish_id:
            return Processing(_processing(), publish_id)
        return Ambiguous(_unknown("TikTok answered without naming the post.", response), accepted=True)

    async def _send_last_chunk(self, author: Author, draft: Draft) -> Answer:
        """Raises SetbackError when the file cannot be fetched."""
        (upload,), (media,) = draft.uploads, draft.content.media
        async with self._fetcher.fetch_from(media, start=upload.sent, size=upload.size) as file:
            try:
                response = await self._put(upload, file, upload.size - upload.sent)
            except httpx.HTTPError as error:
                return failed_send("TikTok", error)
        match response.status_code:
            case 201:
                return Processing(_processing())
            case 400:
                return Refused(_refused_chunk(response))
            case 403 | 404 | 416:
                return await self._without_chunk(author, upload, response)
            case _:
                # Also 200, which may be a proxy's: the status tells.
                return Ambiguous(_unknown("TikTok did not say whether it has the video.", response))

    async def _without_chunk(self, author: Author, upload: Upload, response: httpx.Response) -> Answer:
        """TikTok did not want the chunk: because the upload is over, or because it has it already."""
        match await self._status(author, upload.media_id):
            case _Status("FAILED", reason):
                return self._failed(author, reason)
            case _Status("PROCESSING_UPLOAD", uploaded_bytes=int(held)) if held < upload.size:
                return Retry("media_refused", _failure("TikTok has dropped the upload.", response))
            case _Status("PROCESSING_UPLOAD", uploaded_bytes=None) | None:
                return Ambiguous(_unknown("TikTok did not say what became of the video.", response))
            case _:
                return Processing(_processing())

    # --- what answers mean ----------------------------------------------------------------------------

    async def _call(self, author: Author, call: str, path: str, body: bytes) -> httpx.Response:
        headers = {**bearer(author.token.reveal()), "Content-Type": "application/json; charset=UTF-8"}
        with calling(self.platform, call):
            return await self._client.post(path, content=body, headers=headers)

    async def _step(self, author: Author, call: str, path: str, body: bytes) -> Mapping[str, Any]:
        """A repeatable call. Returns its `data`; raises SetbackError."""
        try:
            response = await self._call(author, call, path, body)
        except httpx.HTTPError as error:
            raise failed_step("TikTok", error) from error
        data = _data(response)
        if data is not None:
            return data
        match self._refusal(author, response):
            case Refused() | Postponed() | Retry() as setback:
                raise SetbackError(setback)
            case _:
                raise SetbackError(Retry("unreachable", _failure("TikTok failed.", response, retryable=True)))

    def _refusal(self, author: Author, response: httpx.Response) -> Answer:  # noqa: PLR0912  # a branch for each row
        """The closed table, by the code: TikTok refuses with the status 200 too."""
        match _code(response):
            case "invalid_param" | "invalid_params" | "invalid_file_upload":
                return Refused(_failure("TikTok finds the request invalid.", response, rule="tiktok.invalid_request"))
            case "app_version_check_failed":
                return Refused(
                    _failure(
                        "The creator's TikTok app is too old for the inbox.",
                        response,
                        rule="tiktok.app_version",
                        remediation="The creator must update the app, or the post must be published directly.",
                    )
                )
            case "access_token_invalid":
                return Retry("token_refused", _token_failure(response))
            case "scope_not_authorized" | "scope_permission_missed":
                return Refused(
                    _failure(
                        "The creator has not allowed this at TikTok.",
                        response,
                        rule="tiktok.permission",
                        remediation="Connect the account again, and allow posting.",
                    )
                )
            case "spam_risk_too_many_posts":
                return self._capped(author, response)
            case "spam_risk_too_many_pending_share":
                return Postponed(self._now() + self._cap_pause, _full_inbox(response))
            case "reached_active_user_cap":
                return self._out_of_users(author, response)
            case "spam_risk_user_banned_from_posting":
                return Refused(
                    _failure("TikTok does not let this creator post.", response, rule="tiktok.account.banned")
                )
            case "unaudited_client_can_only_post_to_private_accounts":
                return Refused(
                    _failure(
                        "TikTok has not audited this app: until then it posts only to private accounts.",
                        response,
                        rule="tiktok.unaudited",
                        remediation="Make the account private in the app, and publish with privacy_level self_only.",
                    )
                )
            case "url_ownership_unverified":
                return Refused(
                    _failure(
                        "TikTok does not fetch files from there.",
                        response,
                        rule="tiktok.media.url",
                        remediation="Use files on a domain that is verified for this app at TikTok.",
                    )
                )
            case "privacy_level_option_mismatch":
                return Refused(
                    _failure(
                        "TikTok does not offer this creator that privacy level.",
                        response,
                        rule="tiktok.privacy_level.not_offered",
                        remediation="Choose another one.",
                    )
                )
            case "rate_limit_exceeded":
                return self._limited(author, response)
            case _:
                return Ambiguous(_unknown("TikTok failed while it handled the post.", response))

    def _capped(self, author: Author, response: httpx.Response | None) -> Postponed:
        failure = _failure(
            "TikTok takes nothing more for this creator today, from any app.",
            response,
            code="rate_limited",
            remediation="Nothing to do: it goes out later.",
            retryable=True,
        )
        return self._postponed(author, self._cap_pause, failure)

    def _out_of_users(self, author: Author, response: httpx.Response) -> Postponed:
        """Creators for whom the app has posted today are not affected."""
        failure = _failure(
            "This deployment may not post for more creators at TikTok today.",
            response,
            code="operator_action_needed",
            remediation="The operator must ask TikTok for a larger number of active creators.",
            retryable=True,
        )
        return self._postponed(author, self._cap_pause, failure)

    def _limited(self, author: Author, response: httpx.Response) -> Postponed:
        failure = _failure(
            "TikTok's rate limit is used up.",
            response,
            code="rate_limited",
            remediation="Nothing to do: it goes out when the minute is over.",
            retryable=True,
        )
        return self._postponed(author, RATE_WINDOW, failure)

    def _postponed(self, author: Author, pause: timedelta, failure: Failure) -> Postponed:
        until = self._now() + pause
        self.budgets.use_up(author.account.account_id, until, failure)
        return Postponed(until, failure)

    def _failed(self, author: Author, reason: str) -> Refused | Postponed | Retry:
        """The closed table of what FAILED means. It is always certain that nothing was posted."""
        match reason:
            case "internal":
                return Retry("media_refused", _reason("TikTok failed to process the post.", reason, retryable=True))
            case "video_pull_failed" | "photo_pull_failed":
                failure = _reason(
                    "TikTok could not fetch a file.",
                    reason,
                    code="media_unavailable",
                    remediation="Make the files available at their URLs, without redirects.",
                )
                return Retry("media_unavailable", failure)
            case "auth_removed":
                return Retry("token_dead", _reason("The creator has disconnected this app.", reason))
            case "spam_risk_too_many_posts":
                return self._capped(author, None)
            case known if known in _FAIL_REASONS:
                rule, what, remediation = _FAIL_REASONS[known]
                message = f"TikTok does not accept {what}."
                code = "media_rejected" if rule.startswith("tiktok.media") else "platform_rejected"
                return Refused(_reason(message, reason, code=code, rule=rule, remediation=remediation))
            case _:
                return Refused(_reason("TikTok did not publish it.", reason, rule="tiktok.failed"))

    # --- finding out ----------------------------------------------------------------------------------

    async def look_up(self, author: Author, draft: Draft, since: datetime) -> Finding:
        publish_id = draft.uploads[0].media_id if _is_upload(draft) else draft.handle
        if publish_id is None:
            return await self._search(author, draft, since)
        try:
            status = await self._status(author, publish_id)
        except SetbackError:
            return UNREADABLE
        match status:
            case None:
                return await self._search(author, draft, since)
            case _Status("PUBLISH_COMPLETE" | "SEND_TO_USER_INBOX"):
                return self._done(author, draft, status, publish_id, since)
            case _Status("FAILED", reason):
                setback = self._failed(author, reason)
                return Finding(refused=setback.failure) if isinstance(setback, Refused) else Finding(setback=setback)
            case _Status("PROCESSING_UPLOAD", uploaded_bytes=held):
                if held is None:
                    return UNREADABLE
                if held < draft.uploads[0].size:
                    return Finding(complete=True)
                return Finding(processing=_processing())
            case _Status("PROCESSING_DOWNLOAD"):
                return Finding(processing=_processing())
            case _:
                return UNREADABLE

    def _done(self, author: Author, draft: Draft, status: "_Status", publish_id: str, since: datetime) -> Finding:
        made = tiktok.post_type(draft.content, draft.options)
        profile = f"https://www.tiktok.com/@{author.account.username}"
        if status.post_ids:
            post_id = str(status.post_ids[0])
            return Finding((Candidate(post_id, since, f"{profile}/{made}/{post_id}"),))
        if status.status == "SEND_TO_USER_INBOX":
            return Finding((Candidate(publish_id, since, _INBOX_URL),))
        if _privacy(draft) == _PUBLIC and self._now() - since < self._id_patience:
            return Finding(processing=_processing("TikTok has posted it and is still checking it."))
        return Finding((Candidate(publish_id, since, profile),))

    async def _status(self, author: Author, publish_id: str) -> "_Status | None":
        """None when TikTok does not know the publish_id (any more). Raises SetbackError."""
        body = msgspec.json.encode({"publish_id": publish_id})
        try:
            response = await self._call(author, "status", f"{_PUBLISH}/status/fetch/", body)
        except httpx.HTTPError as error:
            raise failed_step("TikTok", error) from error
        if _code(response) == "invalid_publish_id":
            return None
        data = _data(response)
        try:
            if data is not None:
                return msgspec.convert(data, _Status)
        except msgspec.ValidationError:
            pass
        match self._refusal(author, response):
            case Retry() | Postponed() as setback:
                raise SetbackError(setback)
            case _:
                raise SetbackError(Retry("unreachable", _failure("TikTok did not tell the status.", response)))

    async def _search(self, author: Author, draft: Draft, since: datetime) -> Finding:
        """The post among the creator's public ones. That it is not there proves nothing: it may be in moderation, or
        not public.
        """
        if _privacy(draft) != _PUBLIC or not _texts(draft):
            return UNREADABLE
        start = since - CLOCK_SLACK
        cursor: int | None = None
        for _ in range(MAX_PAGES):
            body = {"max_count": 20, **({} if cursor is None else {"cursor": cursor})}
            path = "/v2/video/list/?fields=id,create_time,title,video_description,duration,share_url"
            try:
                response = await self._call(author, "read_posts", path, msgspec.json.encode(body))
                page = msgspec.convert(_data(response), _Page)
            except (httpx.HTTPError, msgspec.ValidationError):
                return UNREADABLE
            recent = [video for video in page.videos if datetime.fromtimestamp(video.create_time, UTC) >= start]
            found = tuple(_candidate(author.account, video, draft) for video in recent if _is_same(video, draft))
            if found or len(recent) < len(page.videos) or not page.has_more:
                return Finding(found)
            cursor = page.cursor
        return UNREADABLE

    # --- deleting -------------------------------------------------------------------------------------

    async def delete(self, author: Author, live: LivePart) -> None:
        failure = _failure(
            "TikTok has no call that deletes a post.",
            None,
            rule="tiktok.delete.unsupported",
            remediation="Delete it in the TikTok app.",
        )
        raise SetbackError(Refused(failure))

    # --- which way a post goes ------------------------------------------------------------------------

    def _is_pulled(self, media: Media) -> bool:
        return media.url is not None and media.url.startswith(self._pull_prefixes)


class _Status(Struct, frozen=True, rename={"reason": "fail_reason", "post_ids": "publicaly_available_post_id"}):
    """What `status/fetch` tells. TikTok's spelling; ids are numbers here and texts elsewhere."""

    status: str
    reason: str = ""
    post_ids: list[int | str] = []
    uploaded_bytes: int | None = None


class _Video(Struct, frozen=True):
    id: str
    create_time: int
    title: str = ""
    video_description: str = ""
    duration: int = 0
    share_url: str = ""


class _Page(Struct, frozen=True):
    videos: list[_Video]
    cursor: int
    has_more: bool


def _plan(size: int) -> tuple[int, int]:
    """Chunk size and number of chunks; the last one takes what is left."""
    return (CHUNK, size // CHUNK) if size >= 2 * CHUNK else (size, 1)


def _last_chunk(size: int) -> int:
    """Where it begins."""
    chunk, count = _plan(size)
    return (count - 1) * chunk


def _content_range(upload: Upload, length: int) -> str:
    return f"bytes {upload.sent}-{upload.sent + length - 1}/{upload.size}"


async def _pieces(file: IO[bytes], length: int) -> AsyncIterator[bytes]:
    while length and (piece := file.read(min(PIECE, length))):
        length -= len(piece)
        yield piece


def _is_upload(draft: Draft) -> bool:
    """Whether its bytes are ours to send; else TikTok pulls."""
    return bool(draft.uploads) and draft.uploads[0].session is not None


def _init(draft: Draft) -> tuple[str, Mapping[str, Any]]:
    """Path and body of the init of what TikTok pulls."""
    if tiktok.post_type(draft.content, draft.options) == "photo":
        return f"{_PUBLISH}/content/init/", _photo_body(draft)
    url = draft.content.media[0].url if draft.content.media else None
    return _video_init(draft, {"source": "PULL_FROM_URL", "video_url": url})


def _video_init(draft: Draft, source: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    if tiktok.is_inbox(draft.options):
        return f"{_PUBLISH}/inbox/video/init/", {"source_info": source}
    options = draft.options
    info: dict[str, Any] = {
        "title": compose_text(draft.content, "tiktok"),
        "privacy_level": _privacy(draft),
        "disable_comment": not options.get("allow_comment", False),
        "disable_duet": not options.get("allow_duet", False),
        "disable_stitch": not options.get("allow_stitch", False),
        **_disclosures(draft),
        "is_aigc": bool(options.get("is_aigc")),
    }
    if (cover := options.get("video_cover_timestamp_ms")) is not None:
        info["video_cover_timestamp_ms"] = cover
    return f"{_PUBLISH}/video/init/", {"post_info": info, "source_info": source}


def _photo_body(draft: Draft) -> Mapping[str, Any]:
    options = draft.options
    inbox = tiktok.is_inbox(options)
    info: dict[str, Any] = {
        "title": tiktok.photo_title(options, draft.title),
        "description": compose_text(draft.content, "tiktok"),
    }
    if not inbox:
        info |= {
            "privacy_level": _privacy(draft),
            "disable_comment": not options.get("allow_comment", False),
            "auto_add_music": bool(options.get("auto_add_music")),
            **_disclosures(draft),
        }
    return {
        "media_type": "PHOTO",
        "post_mode": "MEDIA_UPLOAD" if inbox else "DIRECT_POST",
        "post_info": info,
        "source_info": {
            "source": "PULL_FROM_URL",
            "photo_images": [media.url for media in draft.content.media],
            "photo_cover_index": options.get("photo_cover_index", 0),
        },
        **({"is_aigc": True} if options.get("is_aigc") else {}),
    }


def _disclosures(draft: Draft) -> dict[str, bool]:
    return {name: bool(draft.options.get(name)) for name in ("brand_content_toggle", "brand_organic_toggle")}


def _privacy(draft: Draft) -> str:
    return str(draft.options.get("privacy_level", "")).upper()


def _texts(draft: Draft) -> str:
    """By which a post is known again."""
    shown = [compose_text(draft.content, "tiktok")]
    if tiktok.post_type(draft.content, draft.options) == "photo":
        shown.insert(0, tiktok.photo_title(draft.options, draft.title))
    return "".join(shown)


def _is_same(video: _Video, draft: Draft) -> bool:
    photo = tiktok.post_type(draft.content, draft.options) == "photo"
    if photo == (video.duration > 0):
        return False
    title = tiktok.photo_title(draft.options, draft.title)
    if photo and title and not _shows(video.title, title):
        return False
    return _shows(video.video_description, compose_text(draft.content, "tiktok"))


def _shows(shown: str, text: str) -> bool:
    """Whether TikTok would show the text like this, cut off where it is too long."""
    expected, found = normalise_for_match(text, "tiktok"), normalise_for_match(shown, "tiktok")
    return found == expected or (len(shown) >= SHOWN_TEXT and expected.startswith(found.rstrip("….")))


def _candidate(account: Account, video: _Video, draft: Draft) -> Candidate:
    made = tiktok.post_type(draft.content, draft.options)
    url = f"https://www.tiktok.com/@{account.username}/{made}/{video.id}"
    return Candidate(video.id, datetime.fromtimestamp(video.create_time, UTC), url)


def _code(response: httpx.Response) -> str | None:
    """The code in TikTok's envelope; None when the answer is not TikTok's own."""
    error = (json_object(response) or {}).get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) else None


def _data(response: httpx.Response) -> Mapping[str, Any] | None:
    """What a call that succeeded brought."""
    if _code(response) != "ok":
        return None
    data = (json_object(response) or {}).get("data")
    return data if isinstance(data, dict) else {}


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


def _reason(
    message: str,
    reason: str,
    *,
    code: str = "platform_rejected",
    rule: str | None = None,
    remediation: str | None = None,
    retryable: bool = False,
) -> Failure:
    """With TikTok's word for why a post failed."""
    failure = _failure(message, None, code=code, rule=rule, remediation=remediation, retryable=retryable)
    return replace(failure, platform_error=reason)


def _unfit(rule: str, message: str, remediation: str) -> SetbackError:
    return SetbackError(Refused(_failure(message, None, rule=f"tiktok.{rule}", remediation=remediation)))


def _unknown(message: str, response: httpx.Response) -> Failure:
    return _failure(message, response, code="outcome_unknown")


def _processing(message: str = "TikTok is processing the post.") -> Failure:
    return Failure(code="media_processing", message=message, retryable=True)


def _full_inbox(response: httpx.Response) -> Failure:
    return _failure(
        "Five posts wait in the creator's TikTok inbox, and it takes no more in a day.",
        response,
        code="rate_limited",
        remediation="Nothing to do: it is delivered later.",
        retryable=True,
    )


def _refused_chunk(response: httpx.Response) -> Failure:
    return _failure("TikTok finds the upload malformed.", response, rule="tiktok.upload.invalid")


def _token_failure(response: httpx.Response) -> Failure:
    return _failure(
        "TikTok does not accept the account's token.",
        response,
        code="token_refused",
        remediation="Connect the account again.",
        retryable=True,
    )
