"""Facebook Pages. Sources: developers.facebook.com, Graph API v26.0: Pages API "Posts", "Reels Publishing API", "Page
Stories API", and the references of `/{page-id}/feed`, `/photos` and `/videos`.

Photos are uploaded unpublished and put into a post; videos are uploaded under an id that exists before the post does.
So only the last call of each makes something public, and what became of it is asked of the video, or read back.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import IO, Any

import httpx
import msgspec
from msgspec.structs import replace

from contracts.accounts import Account
from contracts.content import Failure, LivePart, Media, Platform
from platforms.composing import compose_text, has_card, normalise_for_match
from platforms.facebook import post_type_of
from publisher.adapters.graph import (
    CLOCK_SLACK,
    MEGABYTE,
    UNREAD,
    GraphError,
    GraphHost,
    ResumableUploads,
    changed_since,
    failed,
    instant,
    succeeded,
    unix,
    unknown,
)
from publisher.adapters.http import failed_send, json_object, utc_now
from publisher.adapters.media import MediaFetcher
from publisher.domain.answers import (
    UNREADABLE,
    Accepted,
    Ambiguous,
    Answer,
    Candidate,
    Duplicate,
    Finding,
    Processing,
    Refused,
    Retry,
    SetbackError,
)
from publisher.domain.budgets import Budgets
from publisher.domain.publication import Policy, Upload
from publisher.ports import Assembling, Author, Draft, Record

SITE = "https://www.facebook.com"
PHOTO_BYTES = 10 * MEGABYTE
VIDEO_BYTES = 1024 * MEGABYTE
"""Facebook documents no limit; this is our own."""
PHOTO_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
VIDEO_TYPES = ("video/mp4", "video/quicktime")
CHUNK = 8 * MEGABYTE
"""The most that is sent at a time, whatever Facebook asks for."""
SAFE_CHUNK = MEGABYTE
KEPT = timedelta(hours=24)
"""How long what is not posted lives."""

_EDGES = {"feed": "videos", "reel": "video_reels", "story": "video_stories"}
"""Where a video goes, by type of post. An upload's `media_key` names its edge."""
_POST_FIELDS = (
    "id,message,created_time,permalink_url,application,"
    "attachments{type,media_type,target,unshimmed_url,subattachments{type,target}}"
)
_INVALID = "facebook.invalid_request"
_MEDIA_CODES = (324, 352, 382, 389, 6000, 6001, 1363040, 1363127, 1363128, 1363129)


class FacebookConnector:
    """`publisher.ports.Connector`. `app_id`: ours; where it is known, only posts of this app are taken for ours."""

    platform: Platform = "facebook"
    assembling: Assembling | None = None

    def __init__(
        self,
        client: httpx.AsyncClient,
        rupload: httpx.AsyncClient,
        policy: Policy,
        fetcher: MediaFetcher,
        budgets: Budgets,
        *,
        version: str,
        app_id: str | None = None,
        spam_pause: timedelta = timedelta(hours=6),
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.policy = policy
        self.budgets = budgets
        self._fetcher = fetcher
        self._app_id = app_id
        self._now = now
        self._graph = GraphHost(
            client,
            platform=self.platform,
            name="Facebook",
            version=version,
            budgets=budgets,
            table=_own_table,
            spam_pause=spam_pause,
            now=now,
        )
        self._rupload = ResumableUploads(rupload, platform=self.platform, name="Facebook", version=version)

    def readable(self, account: Account) -> bool:
        return True

    # --- uploading ------------------------------------------------------------------------------------

    async def upload(self, author: Author, draft: Draft, media: Media, record: Record) -> Upload:
        match media.type:
            case "image":
                return await self._upload_photo(author, draft, media)
            case "video":
                return await self._upload_video(author, draft, media, record)
            case _:
                message = f"Facebook takes no media of type {media.type}."
                raise SetbackError(Refused(Failure(code="media_rejected", rule="facebook.media.type", message=message)))

    async def _upload_photo(self, author: Author, draft: Draft, media: Media) -> Upload:
        fields = {"published": "false", **({"alt_text_custom": media.alt_text} if media.alt_text else {})}
        async with self._fetcher.fetch(media, max_bytes=PHOTO_BYTES, types=PHOTO_TYPES) as fetched:
            body = await self._graph.step(
                author,
                "upload_photo",
                "POST",
                f"/{author.account.platform_user_id}/photos",
                data=fields,
                files={"source": ("photo", fetched.file, fetched.content_type)},
            )
            return self._begun(draft, media, _named(body, "id"), "photos", fetched.size, ready=True)

    async def _upload_video(self, author: Author, draft: Draft, media: Media, record: Record) -> Upload:
        edge = _EDGES[post_type_of(draft.options)]
        async with self._fetcher.fetch(media, max_bytes=VIDEO_BYTES, types=VIDEO_TYPES) as fetched:
            asked = {"upload_phase": "start", **({"file_size": str(fetched.size)} if edge == "videos" else {})}
            path = f"/{author.account.platform_user_id}/{edge}"
            body = await self._graph.step(author, "upload_start", "POST", path, data=asked)
            upload = self._begun(draft, media, _named(body, "video_id"), edge, fetched.size, ready=False)
            if edge != "videos":
                await record(upload)
                return await self._send_rest(author, upload, fetched.file, record)
            upload = replace(upload, session=_named(body, "upload_session_id"))
            await record(upload)
            _, end = _offsets(body)
            return await self._send_chunks(author, upload, fetched.file, record, end=end)

    def _begun(self, draft: Draft, media: Media, media_id: str, edge: str, size: int, *, ready: bool) -> Upload:
        now = self._now()
        return Upload(
            part=draft.index,
            source=media.media_id or media.url or "",
            type=media.type,
            alt_text=media.alt_text,
            media_id=media_id,
            media_key=edge,
            size=size,
            uploaded_at=now,
            ready=ready,
            expires_at=now + KEPT,
        )

    async def _send_rest(self, author: Author, upload: Upload, file: IO[bytes], record: Record) -> Upload:
        await self._rupload.send(author, "video-upload", upload, file, record)
        return replace(upload, sent=upload.size, ready=True)

    async def _send_chunks(
        self, author: Author, upload: Upload, file: IO[bytes], record: Record, *, end: int
    ) -> Upload:
        """Facebook says after each chunk where the next one begins and ends."""
        path = f"/{author.account.platform_user_id}/videos"
        while upload.sent < upload.size:
            asked = {
                "upload_phase": "transfer",
                "upload_session_id": upload.session or "",
                "start_offset": str(upload.sent),
            }
            chunk = file.read(min(CHUNK, end - upload.sent))
            files = {"video_file_chunk": ("chunk", chunk, "application/octet-stream")}
            body = await self._graph.step(author, "upload_chunk", "POST", path, data=asked, files=files)
            start, end = _offsets(body)
            if start != upload.sent + len(chunk) or (end <= start < upload.size):
                # It holds something else than we think: asked, it will say what.
                raise _odd_answer()
            upload = replace(upload, sent=start)
            await record(upload)
        return replace(upload, ready=True)

    async def carry_on(self, author: Author, draft: Draft, media: Media, upload: Upload, record: Record) -> Upload:
        body = await self._graph.step(
            author, "upload_status", "GET", f"/{upload.media_id}", params={"fields": "status"}
        )
        status = body.get("status") or {}
        uploading = status.get("uploading_phase") or {}
        if status.get("video_status") in ("error", "expired", "upload_failed"):
            failure = Failure(code="media_rejected", message="Facebook has given the upload up.", retryable=True)
            raise SetbackError(Retry("media_refused", failure))
        held = uploading.get("bytes_transferred", uploading.get("bytes_transfered"))
        if uploading.get("status") in ("complete", "completed") or held == upload.size:
            return replace(upload, sent=upload.size, ready=True)
        if not isinstance(held, int) or not 0 <= held < upload.size:
            raise _odd_answer()
        upload = replace(upload, sent=held)
        async with self._fetcher.fetch_from(media, start=held, size=upload.size) as file:
            if upload.media_key != "videos":
                return await self._send_rest(author, upload, file, record)
            # Where the chunk was to end that was asked for is not said again: less will do.
            return await self._send_chunks(author, upload, file, record, end=min(upload.size, held + SAFE_CHUNK))

    # --- sending --------------------------------------------------------------------------------------

    def request(self, author: Author, draft: Draft) -> bytes:
        return msgspec.json.encode(self._body(draft), order="deterministic")

    def _body(self, draft: Draft) -> dict[str, Any]:
        if draft.reply_to is not None:
            return {"message": draft.content.text}
        text = compose_text(draft.content, self.platform)
        match _edge(draft):
            case "photo_stories":
                return {"photo_id": draft.uploads[0].media_id}
            case "video_stories":
                return {"upload_phase": "finish", "video_id": draft.uploads[0].media_id}
            case "video_reels":
                return {
                    "upload_phase": "finish",
                    "video_id": draft.uploads[0].media_id,
                    "video_state": "PUBLISHED",
                    "description": text,
                    **_video_options(draft),
                }
            case "videos":
                return {
                    "upload_phase": "finish",
                    "upload_session_id": draft.uploads[0].session,
                    "description": text,
                    **_video_options(draft),
                    **_targeting(draft),
                }
        body: dict[str, Any] = {"message": text, "published": True, **_targeting(draft)}
        if draft.uploads:
            body["attached_media"] = [{"media_fbid": upload.media_id} for upload in draft.uploads]
        elif draft.content.link is not None and has_card(draft.content, self.platform):
            body["link"] = draft.content.link.url
        for name in ("place", "text_format_preset_id"):
            if draft.options.get(name):
                body[name] = draft.options[name]
        return body

    async def send(self, author: Author, draft: Draft, request: bytes) -> Answer:
        if draft.reply_to is not None:
            return await self._graph.comment(author, draft.reply_to, request)
        edge = _edge(draft)
        if any(upload.media_key != ("photos" if upload.type == "image" else edge) for upload in draft.uploads):
            return changed_since()
        path = f"/{author.account.platform_user_id}/{edge}"
        params = {"fields": "id,permalink_url"} if edge == "feed" else {}
        headers = {"Content-Type": "application/json"}
        try:
            response = await self._graph.call(
                author, "create_post", "POST", path, params=params, content=request, headers=headers
            )
        except httpx.HTTPError as error:
            return failed_send("Facebook", error)
        if not succeeded(response):
            answer = self._graph.refusal(author, response)
            if edge == "photo_stories" and isinstance(answer, Refused) and answer.failure.rule == _INVALID:
                # So is also refused a photo that is in a story already: the one of an earlier call, perhaps.
                return Duplicate(answer.failure)
            return answer
        if edge == "feed":
            return self._graph.accepted(response)
        body = json_object(response) or {}
        if edge == "photo_stories" and isinstance(body.get("post_id"), str | int):
            return Accepted(str(body["post_id"]))
        if body.get("success") is not True:
            return Ambiguous(unknown("Facebook answered in an unknown form.", response))
        # Taken, but not processed: the video itself says whether it is live.
        return Processing(_processing())

    # --- reading back ---------------------------------------------------------------------------------

    async def look_up(self, author: Author, draft: Draft, since: datetime) -> Finding:
        if draft.reply_to is not None:
            fields = "id,message,created_time,from,permalink_url"
            return await self._graph.find_comment(author, draft, since, "message", fields)
        try:
            match _edge(draft):
                case "feed":
                    return await self._find_post(author, draft, since)
                case "photo_stories":
                    return await self._find_story(author, draft, since)
                case "video_stories":
                    finding = await self._ask_video(author, draft, since)
                    if not finding.candidates:
                        return finding
                    # It is live; the story has an id of its own.
                    story = await self._find_story(author, draft, since)
                    return story if story.candidates else Finding(processing=_processing())
                case _:
                    return await self._ask_video(author, draft, since)
        except UNREAD:
            return UNREADABLE

    async def _find_post(self, author: Author, draft: Draft, since: datetime) -> Finding:
        oldest = since - CLOCK_SLACK
        params = {"fields": _POST_FIELDS, "since": unix(oldest)}
        found: list[Candidate] = []
        path = f"/{author.account.platform_user_id}/published_posts"
        async for post in self._graph.pages(author, "read_posts", path, params):
            at = instant(post["created_time"])
            if at >= oldest and self._is_same(post, draft):
                url = post.get("permalink_url")
                found.append(Candidate(str(post["id"]), at, None if url is None else str(url)))
        return Finding(tuple(found), complete=True)

    def _is_same(self, post: Mapping[str, Any], draft: Draft) -> bool:
        app = (post.get("application") or {}).get("id")
        if self._app_id is not None and app not in (None, self._app_id):
            return False
        if sorted(_attached(post)) != sorted(upload.media_id for upload in draft.uploads):
            return False
        wanted = compose_text(draft.content, self.platform)
        shown = str(post.get("message", ""))
        if normalise_for_match(shown, self.platform) != normalise_for_match(wanted, self.platform):
            return False
        card = draft.content.link if has_card(draft.content, self.platform) else None
        return card is None or _link_of(post) in (None, card.url.rstrip("/"))

    async def _find_story(self, author: Author, draft: Draft, since: datetime) -> Finding:
        media_id = draft.uploads[0].media_id
        params = {"since": unix(since - CLOCK_SLACK), "status": "PUBLISHED"}
        found = [
            Candidate(str(story["post_id"]), instant(story["creation_time"]), story.get("url"))
            async for story in self._graph.pages(
                author, "read_stories", f"/{author.account.platform_user_id}/stories", params
            )
            if str(story.get("media_id")) == media_id
        ]
        return Finding(tuple(found), complete=True)

    async def _ask_video(self, author: Author, draft: Draft, since: datetime) -> Finding:
        """What Facebook says of the video. Until it has been finished it is not going to be published."""
        video_id = draft.uploads[0].media_id
        params = {"fields": "status,permalink_url"}
        body = await self._graph.read(author, "upload_status", f"/{video_id}", params)
        status = body["status"]
        publishing = status.get("publishing_phase") or {}
        processing = status.get("processing_phase") or {}
        if publishing.get("publish_status") == "published":
            published_at = publishing.get("publish_time")
            at = since if published_at is None else instant(published_at)
            return Finding((Candidate(video_id, at, _video_url(body, draft)),), complete=True)
        state = status.get("video_status")
        if state in ("error", "expired", "upload_failed") or "error" in (
            processing.get("status"),
            publishing.get("status"),
        ):
            return Finding(refused=_unprocessable(processing, publishing))
        if state in ("uploading", "upload_complete", "ready") and publishing.get("status") in (None, "not_started"):
            return Finding(complete=True)
        return Finding(processing=_processing())

    # --- deleting -------------------------------------------------------------------------------------

    async def delete(self, author: Author, live: LivePart) -> None:
        await self._graph.delete(author, live.platform_post_id)


def _edge(draft: Draft) -> str:
    """Where the call that publishes goes to."""
    post_type = post_type_of(draft.options)
    if draft.uploads and draft.uploads[0].type == "video":
        return _EDGES[post_type]
    return "photo_stories" if post_type == "story" else "feed"


def _video_options(draft: Draft) -> dict[str, Any]:
    title = draft.options.get("title") or draft.title
    options = {"title": title, **{name: draft.options.get(name) for name in ("place", "is_ai_generated")}}
    return {name: value for name, value in options.items() if value}


def _targeting(draft: Draft) -> dict[str, Any]:
    countries = draft.options.get("countries")
    return {"targeting": {"geo_locations": {"countries": list(countries)}}} if countries else {}


def _attached(post: Mapping[str, Any]) -> list[str]:
    """The ids of the photos and videos in a post."""
    found: list[str] = []
    for each in (post.get("attachments") or {}).get("data") or ():
        inner = (each.get("subattachments") or {}).get("data")
        for one in inner or [each]:
            target = (one.get("target") or {}).get("id")
            if target is not None and one.get("type") != "share":
                found.append(str(target))
    return found


def _link_of(post: Mapping[str, Any]) -> str | None:
    for each in (post.get("attachments") or {}).get("data") or ():
        if each.get("unshimmed_url"):
            return str(each["unshimmed_url"]).rstrip("/")
    return None


def _video_url(body: Mapping[str, Any], draft: Draft) -> str:
    video_id = draft.uploads[0].media_id
    if _edge(draft) == "video_reels":
        return f"{SITE}/reel/{video_id}"
    shown = body.get("permalink_url")
    if not isinstance(shown, str):
        return f"{SITE}/{video_id}"
    return shown if shown.startswith("https://") else SITE + shown


def _processing() -> Failure:
    return Failure(code="media_processing", message="Facebook is processing the video.", retryable=True)


def _unprocessable(*phases: Mapping[str, Any]) -> Failure:
    words: list[str] = []
    for phase in phases:
        errors = phase.get("errors") or [phase.get("error")]
        words += [str(error.get("message", "")) for error in errors if isinstance(error, dict)]
    return Failure(
        code="media_rejected",
        rule="facebook.media.processing",
        message="Facebook cannot process the video.",
        remediation="Use another file or format.",
        platform_error="; ".join(filter(None, words))[:300] or None,
    )


def _named(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise _odd_answer()
    return value


def _offsets(body: Mapping[str, Any]) -> tuple[int, int]:
    """Where the next chunk begins and ends; as text, in Facebook's way. Raises SetbackError."""
    try:
        return int(body["start_offset"]), int(body["end_offset"])
    except (KeyError, TypeError, ValueError) as error:
        raise _odd_answer() from error


def _odd_answer() -> SetbackError:
    failure = Failure(
        code="platform_unreachable", message="Facebook answered the upload in an unknown form.", retryable=True
    )
    return SetbackError(Retry("unreachable", failure))


def _own_table(error: GraphError, response: httpx.Response) -> Answer | None:
    """Facebook's own rows; see `GraphHost.refusal`."""
    match error.key:
        case (100, 1366051):
            return Duplicate(
                failed("Facebook has posted these photos already.", response, rule="facebook.duplicate_post")
            )
        case (506, _):
            return Duplicate(
                failed(
                    "The post says exactly what the last one says.",
                    response,
                    rule="facebook.duplicate_post",
                    remediation="Change the text.",
                )
            )
        case (6001, 1363037 | 1363033):
            # The chunk does not continue what Facebook holds; or it has forgotten the upload.
            failure = failed("Facebook did not take the chunk.", response, code="media_rejected", retryable=True)
            return Retry("unreachable" if error.subcode == 1363037 else "media_refused", failure)
        case (code, _) if code in _MEDIA_CODES:
            return Refused(
                failed(
                    "Facebook cannot use the file.",
                    response,
                    code="media_rejected",
                    rule="facebook.media.refused",
                    remediation="Use another file or format.",
                )
            )
        case (100, 2061006 | 1609008):
            return Refused(
                failed(
                    "Facebook does not take the link.",
                    response,
                    rule="facebook.link.url",
                    remediation="Use another link.",
                )
            )
    return None
