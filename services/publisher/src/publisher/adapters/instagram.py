"""Instagram, through either of its logins. Sources: developers.facebook.com, Instagram Platform, "Content Publishing",
and the references of `/{ig-user-id}/media`, `/media_publish`, of containers and of error codes, Graph API v26.0.

Everything is published by way of a container, which Instagram makes of a file's URL and of the words of the post: so an
upload is a container, and an edited post needs new ones. A carousel is a container of containers. A container is
published once; its status says whether it was, whatever became of the answer.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import httpx
import msgspec
import structlog
from msgspec.structs import replace

from contracts.accounts import Account
from contracts.content import Content, Failure, LivePart, Media, Options, Platform
from platforms.composing import compose_text, normalise_for_match
from platforms.instagram import MAX_REEL_BYTES, VIDEO_TYPES, form_of, tag_of
from publisher.adapters.graph import (
    CLOCK_SLACK,
    MISSING,
    UNREAD,
    GraphError,
    GraphHost,
    ResumableUploads,
    changed_since,
    error_of,
    failed,
    instant,
    succeeded,
    unix,
)
from publisher.adapters.http import failed_send, failed_step, json_object, utc_now
from publisher.adapters.media import MediaFetcher
from publisher.domain.answers import (
    UNREADABLE,
    Accepted,
    Ambiguous,
    Answer,
    Candidate,
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

FACEBOOK_LOGIN = "facebook"
"""`Account.login` of accounts that are linked to a Page: their tokens are the Page's, their host is Facebook's."""

CONTAINER_LIFE = timedelta(hours=24)
PROCESSING_LIMIT = timedelta(hours=1)
FIRST_LOOK = timedelta(seconds=1)
LAST_LOOK = timedelta(seconds=60)
LINK_SECONDS = 3.0
"""How long the link of what has just been published may be asked for: without it the post is published as well."""

Delivery = Literal["url", "resumable"]

_CREATED_BY_FACEBOOK_ONLY = ("is_paid_partnership", "branded_content_sponsor_ids")
_PRODUCTS = {"image": "FEED", "carousel": "FEED", "reel": "REELS", "story": "STORY"}
_SUBCODE = re.compile(r"\b2207\d{3}\b")
_WORTH_ANOTHER_CONTAINER = frozenset((2207001, 2207003, 2207008, 2207020, 2207032, 2207052, 2207053, 2207077, 2207082))
_RULES: Mapping[int, tuple[str, str, str]] = {
    2207004: ("media.size", "The image is larger than 8 MB.", "Use a smaller file."),
    2207005: ("media.format", "Instagram takes images as JPEG only.", "Convert the image to JPEG."),
    2207009: ("media.ratio", "The image is not between 4:5 and 1.91:1.", "Crop the image."),
    2207010: ("text.length", "The caption has too many characters, hashtags or mentions.", "Shorten it."),
    2207023: ("media.type", "Instagram does not know the type of media.", "Use an image or a video."),
    2207026: (
        "media.format",
        "Instagram does not take the video's format, size or length.",
        "Use MP4 with H.264 and AAC, 3 seconds to 15 minutes long.",
    ),
    2207028: ("media.count", "A carousel has 2 to 10 files.", "Add or leave out files."),
    2207057: ("options.thumb_offset", "The video has no such frame.", "Use a smaller thumb_offset."),
    2207081: ("options.trial_reel", "The account cannot make trial reels.", "Leave trial_reel out."),
    2207085: ("media.processing", "Instagram cannot process the video.", "Use another file or format."),
}
"""What an error's subcode is about: rule, message and remedy."""


class InstagramConnector:
    """`publisher.ports.Connector` and `Assembling`.

    `delivery`: how videos get to Instagram. `url`: it fetches all media by their URLs, which must be public.
    `resumable`: we fetch videos and send them, where the login allows it; images have URLs at any rate.
    """

    platform: Platform = "instagram"

    def __init__(
        self,
        facebook: httpx.AsyncClient,
        instagram: httpx.AsyncClient,
        rupload: httpx.AsyncClient,
        policy: Policy,
        fetcher: MediaFetcher,
        *,
        budgets: Budgets,
        facebook_version: str,
        instagram_version: str,
        delivery: Delivery = "url",
        quota_pause: timedelta = timedelta(hours=1),
        spam_pause: timedelta = timedelta(hours=6),
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.policy = policy
        self.budgets = budgets
        self.assembling: Assembling | None = self
        self._fetcher = fetcher
        self._delivery = delivery
        self._quota_pause = quota_pause
        self._now = now
        by_facebook, by_instagram = (
            GraphHost(
                client,
                platform=self.platform,
                name="Instagram",
                version=version,
                budgets=budgets,
                table=self._own_table,
                spam_pause=spam_pause,
                now=now,
            )
            for client, version in ((facebook, facebook_version), (instagram, instagram_version))
        )
        self._by_facebook: GraphHost = by_facebook
        self._by_instagram: GraphHost = by_instagram
        self._rupload = ResumableUploads(rupload, platform=self.platform, name="Instagram", version=facebook_version)

    def readable(self, account: Account) -> bool:
        return True

    def _host(self, author: Author) -> GraphHost:
        return self._by_facebook if author.account.login == FACEBOOK_LOGIN else self._by_instagram

    # --- containers -----------------------------------------------------------------------------------

    async def upload(self, author: Author, draft: Draft, media: Media, record: Record) -> Upload:
        if media.type not in ("image", "video"):
            raise _refused("media.type", f"Instagram takes no media of type {media.type}.", "Use an image or a video.")
        self._refuse_foreign_options(author, draft.options)
        if not draft.uploads:
            await self._refuse_without_quota(author)
        if media.type == "video" and self._delivery == "resumable" and author.account.login == FACEBOOK_LOGIN:
            return await self._upload_file(author, draft, media, record)
        if media.url is None:
            raise _refused("media.source", "Instagram fetches media by their URLs.", "Name the file by a public URL.")
        field = "video_url" if media.type == "video" else "image_url"
        container_id = await self._create(author, {**_container(draft, media), field: media.url})
        return self._begun(draft, media, container_id, size=0)

    async def _upload_file(self, author: Author, draft: Draft, media: Media, record: Record) -> Upload:
        async with self._fetcher.fetch(media, max_bytes=MAX_REEL_BYTES, types=VIDEO_TYPES) as fetched:
            asked = {**_container(draft, media), "upload_type": "resumable"}
            upload = self._begun(draft, media, await self._create(author, asked), size=fetched.size)
            await record(upload)
            await self._rupload.send(author, "ig-api-upload", upload, fetched.file, record)
        return replace(upload, sent=upload.size)

    async def _create(self, author: Author, asked: Mapping[str, Any]) -> str:
        path = f"/{author.account.platform_user_id}/media"
        body = await self._host(author).step(author, "create_container", "POST", path, json=asked)
        container_id = body.get("id")
        if not isinstance(container_id, str) or not container_id:
            failure = Failure(
                code="platform_unreachable", message="Instagram did not name the container.", retryable=True
            )
            raise SetbackError(Retry("unreachable", failure))
        return container_id

    def _begun(self, draft: Draft, media: Media, container_id: str, *, size: int) -> Upload:
        now = self._now()
        return Upload(
            part=draft.index,
            source=media.media_id or media.url or "",
            type=media.type,
            alt_text=media.alt_text,
            media_id=container_id,
            media_key=_fingerprint(_container(draft, media)),
            size=size,
            uploaded_at=now,
            ready=False,
            check_at=now + FIRST_LOOK,
            expires_at=now + CONTAINER_LIFE,
        )

    def _refuse_foreign_options(self, author: Author, options: Options) -> None:
        if author.account.login == FACEBOOK_LOGIN:
            return
        for name in _CREATED_BY_FACEBOOK_ONLY:
            if options.get(name):
                raise _refused(
                    "options.login",
                    f"{name} needs an account that is connected through Facebook.",
                    "Connect the account through its Facebook Page, or leave it out.",
                )

    async def _refuse_without_quota(self, author: Author) -> None:
        """Before a container is made. A quota that cannot be read is found out by publishing."""
        path = f"/{author.account.platform_user_id}/content_publishing_limit"
        params = {"fields": "config,quota_usage"}
        try:
            body = await self._host(author).read(author, "quota", path, params)
            entry = msgspec.convert(body["data"], list[dict[str, Any]])[0]
            used_up = int(entry["quota_usage"]) >= int(entry["config"]["quota_total"])
        except (*UNREAD, IndexError):
            return
        if used_up:
            raise SetbackError(self._out_of_quota(author, None))

    def _out_of_quota(self, author: Author, response: httpx.Response | None) -> Postponed:
        """It frees bit by bit as a day passes since each post, and nobody says when."""
        until = self._now() + self._quota_pause
        failure = _quota_failure(response)
        self.budgets.use_up(author.account.account_id, until, failure)
        return Postponed(until, failure)

    async def carry_on(self, author: Author, draft: Draft, media: Media, upload: Upload, record: Record) -> Upload:
        if upload.sent >= upload.size:
            return await self._asked(author, upload)
        body = await self._host(author).step(
            author, "upload_status", "GET", f"/{upload.media_id}", params={"fields": "status_code,status,video_status"}
        )
        held = ((body.get("video_status") or {}).get("uploading_phase") or {}).get("bytes_transferred")
        if body.get("status_code") in ("ERROR", "EXPIRED") or not isinstance(held, int):
            failure = Failure(code="media_rejected", message="Instagram has given the upload up.", retryable=True)
            raise SetbackError(Retry("media_refused", failure))
        upload = replace(upload, sent=held)
        if held < upload.size:
            async with self._fetcher.fetch_from(media, start=held, size=upload.size) as file:
                await self._rupload.send(author, "ig-api-upload", upload, file, record)
        return replace(upload, sent=upload.size, check_at=self._now() + FIRST_LOOK)

    async def assemble(self, author: Author, draft: Draft, container: Upload | None) -> Upload:
        if container is not None:
            return await self._asked(author, container)
        if form_of(draft.content, draft.options) != "carousel":
            # What was made of the only file is the whole post.
            return draft.uploads[0]
        asked = _carousel(draft)
        now = self._now()
        return Upload(
            part=draft.index,
            source="",
            type="image",
            alt_text=None,
            media_id=await self._create(author, asked),
            media_key=_fingerprint(asked),
            size=0,
            uploaded_at=now,
            ready=False,
            check_at=now + FIRST_LOOK,
            expires_at=now + CONTAINER_LIFE,
        )

    async def _asked(self, author: Author, container: Upload) -> Upload:
        """The container as it stands. Raises SetbackError when it will not do."""
        try:
            response = await self._read_status(author, container)
        except httpx.HTTPError as error:
            raise failed_step("Instagram", error) from error
        now = self._now()
        body = json_object(response) or {}
        status = body.get("status_code") if succeeded(response) else None
        missing = (found := error_of(response)) is not None and found.key == MISSING
        if status in ("FINISHED", "PUBLISHED"):
            return replace(container, ready=True, check_at=None)
        if status == "EXPIRED":
            raise SetbackError(_expired())
        if status == "ERROR":
            raise SetbackError(_unusable(str(body.get("status", ""))))
        if status is None and not missing:
            raise self._host(author).setback(author, response)
        age = now - container.uploaded_at
        if age > PROCESSING_LIMIT:
            raise _refused("media.processing", "Instagram did not finish processing the file.", "Publish again later.")
        # For weeks in 2026 Meta did not find containers that existed: one that is not found is waited for.
        return replace(container, ready=False, check_at=now + min(max(FIRST_LOOK, age / 2), LAST_LOOK))

    async def _read_status(self, author: Author, container: Upload) -> httpx.Response:
        params = {"fields": "status_code,status"}
        return await self._host(author).call(author, "upload_status", "GET", f"/{container.media_id}", params=params)

    # --- sending --------------------------------------------------------------------------------------

    def request(self, author: Author, draft: Draft) -> bytes:
        if draft.reply_to is not None:
            body = {"message": draft.content.text}
        else:
            body = {"creation_id": "" if draft.container is None else draft.container.media_id}
        return msgspec.json.encode(body, order="deterministic")

    async def send(self, author: Author, draft: Draft, request: bytes) -> Answer:
        if draft.reply_to is not None:
            return await self._host(author).comment(author, draft.reply_to, request)
        if draft.container is None:
            failure = Failure(
                code="platform_rejected",
                rule="instagram.media.required",
                message="Instagram has no posts of text alone.",
                remediation="Attach an image or a video.",
            )
            return Refused(failure)
        if draft.container.media_key != _fingerprint(_whole(draft)):
            return changed_since()
        path = f"/{author.account.platform_user_id}/media_publish"
        headers = {"Content-Type": "application/json"}
        host = self._host(author)
        try:
            response = await host.call(author, "create_post", "POST", path, content=request, headers=headers)
        except httpx.HTTPError as error:
            return failed_send("Instagram", error)
        if succeeded(response):
            answer = host.accepted(response)
            if isinstance(answer, Accepted):
                return Accepted(answer.platform_post_id, await self._link(author, answer))
            return answer
        refused = error_of(response)
        if refused is not None and refused.key in ((24, 2207008), (24, 2207006)):
            return await self._why_not(author, draft.container, response)
        answer = host.refusal(author, response)
        if isinstance(answer, Refused) and refused is not None and refused.key == MISSING:
            # Said also when Meta is out of order.
            return Ambiguous(answer.failure)
        return answer

    async def _why_not(self, author: Author, container: Upload, response: httpx.Response) -> Answer:
        """The container is said not to exist: because it has expired, or because it has been published."""
        failure = failed("Instagram says that the container does not exist.", response, code="outcome_unknown")
        try:
            status = (json_object(await self._read_status(author, container)) or {}).get("status_code")
        except httpx.HTTPError:
            return Ambiguous(failure)
        match status:
            case "PUBLISHED":
                return Ambiguous(failure, accepted=True)
            case "EXPIRED" | "ERROR":
                return _expired()
            case "FINISHED" | "IN_PROGRESS":
                return Retry("media_processing", failure)
            case _:
                return Ambiguous(failure)

    async def _link(self, author: Author, answer: Accepted) -> str | None:
        try:
            async with asyncio.timeout(LINK_SECONDS):
                params = {"fields": "permalink"}
                body = await self._host(author).read(author, "get_post", f"/{answer.platform_post_id}", params)
        except (*UNREAD, TimeoutError) as error:
            log.warning("the link of a published post cannot be read", reason=type(error).__name__)
            return None
        link = body.get("permalink")
        return link if isinstance(link, str) else None

    # --- what answers mean ----------------------------------------------------------------------------

    def _own_table(self, error: GraphError, response: httpx.Response) -> Answer | None:
        """Instagram's own rows; see `GraphHost.refusal`."""
        match error.key:
            case (9, _):
                return Postponed(self._now() + self._quota_pause, _quota_failure(response))
            case (9007, _):
                return Retry("media_processing", failed("Instagram is still processing the file.", response))
            case (9004, _) | (_, 2207052 | 2207003 | 2207077):
                return Retry(
                    "media_unavailable",
                    failed(
                        "Instagram cannot fetch the file.",
                        response,
                        code="media_unavailable",
                        rule="instagram.media.url",
                        remediation="Make the file available at a public URL, to crawlers as well.",
                        retryable=True,
                    ),
                )
            case (_, 2207020):
                return _expired()
            case (_, int(subcode)) if subcode in _RULES:
                rule, message, remedy = _RULES[subcode]
                code = "media_rejected" if rule.startswith("media.") else "platform_rejected"
                return Refused(failed(message, response, code=code, rule=f"{self.platform}.{rule}", remediation=remedy))
        return None

    # --- reading back ---------------------------------------------------------------------------------

    async def look_up(self, author: Author, draft: Draft, since: datetime) -> Finding:
        if draft.reply_to is not None:
            return await self._host(author).find_comment(author, draft, since, "text", "id,text,timestamp,from")
        if draft.container is None:
            return Finding(complete=True)
        try:
            response = await self._read_status(author, draft.container)
            if not succeeded(response):
                return UNREADABLE
            match (json_object(response) or {}).get("status_code"):
                case "PUBLISHED":
                    found = await self._find(author, draft, since)
                    # It is live, and only its id is not to be had yet.
                    return Finding(found) if found else Finding(processing=_nameless())
                case "FINISHED" | "IN_PROGRESS":
                    return Finding(complete=True)
                case "EXPIRED" | "ERROR":
                    return Finding(setback=_expired())
        except UNREAD:
            pass
        return UNREADABLE

    async def _find(self, author: Author, draft: Draft, since: datetime) -> tuple[Candidate, ...]:
        """What has been published of a container that has been. Raises one of UNREAD."""
        form = form_of(draft.content, draft.options)
        oldest = since - CLOCK_SLACK
        edge = "stories" if form == "story" else "media"
        params = {"fields": "id,caption,media_product_type,media_type,timestamp,permalink", "since": unix(oldest)}
        wanted = "" if form == "story" else normalise_for_match(compose_text(draft.content, self.platform), "instagram")
        found: list[Candidate] = []
        path = f"/{author.account.platform_user_id}/{edge}"
        async for post in self._host(author).pages(author, "read_posts", path, params):
            at = instant(post["timestamp"])
            carousel = post.get("media_type") == "CAROUSEL_ALBUM"
            if (
                at >= oldest
                and post.get("media_product_type") in (None, _PRODUCTS[form])
                and carousel == (form == "carousel")
                and normalise_for_match(str(post.get("caption") or ""), "instagram") == wanted
            ):
                link = post.get("permalink")
                found.append(Candidate(str(post["id"]), at, None if link is None else str(link)))
        return tuple(found)

    # --- deleting -------------------------------------------------------------------------------------

    async def delete(self, author: Author, live: LivePart) -> None:
        if author.account.login != FACEBOOK_LOGIN:
            raise _refused(
                "delete.unsupported",
                "Instagram lets only accounts delete that are connected through Facebook.",
                "Delete the post in Instagram.",
            )
        await self._by_facebook.delete(author, live.platform_post_id)


# --- what a container is made of ----------------------------------------------------------------------


def _whole(draft: Draft) -> dict[str, Any]:
    """What the published container was asked for with, but for its file."""
    if form_of(draft.content, draft.options) == "carousel":
        return _carousel(draft)
    return _container(draft, draft.content.media[0])


def _container(draft: Draft, media: Media) -> dict[str, Any]:
    """Of one file, but for where it comes from."""
    content, options = draft.content, draft.options
    video = media.type == "video"
    alt_text = {"alt_text": media.alt_text} if media.alt_text and not video else {}
    match form_of(content, options):
        case "carousel":
            return {"is_carousel_item": True, **({"media_type": "VIDEO"} if video else {}), **alt_text}
        case "story":
            return {"media_type": "STORIES", **_tags(options), **_disclosures(options)}
        case "reel":
            given: dict[str, Any] = {
                name: options[name]
                for name in ("share_to_feed", "cover_url", "thumb_offset", "audio_name")
                if name in options
            }
            if options.get("trial_reel"):
                given["trial_params"] = {"graduation_strategy": str(options["trial_reel"]).upper()}
            return {"media_type": "REELS", **_words(content, options), **_tags(options), **given}
    return {**_words(content, options), **alt_text, **_tags(options)}


def _carousel(draft: Draft) -> dict[str, Any]:
    children = ",".join(upload.media_id for upload in draft.uploads)
    return {"media_type": "CAROUSEL", "children": children, **_words(draft.content, draft.options)}


def _words(content: Content, options: Options) -> dict[str, Any]:
    caption = compose_text(content, "instagram")
    given: dict[str, Any] = {"caption": caption} if caption else {}
    if options.get("collaborators"):
        given["collaborators"] = [str(name).removeprefix("@") for name in options["collaborators"]]
    if options.get("location_id"):
        given["location_id"] = options["location_id"]
    return {**given, **_disclosures(options)}


def _disclosures(options: Options) -> dict[str, Any]:
    names = ("is_ai_generated", *_CREATED_BY_FACEBOOK_ONLY)
    return {name: options[name] for name in names if options.get(name)}


def _tags(options: Options) -> dict[str, Any]:
    tags: list[dict[str, Any]] = []
    for text in options.get("user_tags") or ():
        tag = tag_of(str(text).removeprefix("@"))
        if tag is not None:
            name, x, y = tag
            tags.append({"username": name, **({} if x is None else {"x": x, "y": y})})
    return {"user_tags": tags} if tags else {}


def _fingerprint(asked: Mapping[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(asked, order="deterministic")).hexdigest()


# --- failures -----------------------------------------------------------------------------------------


def _expired() -> Retry:
    failure = Failure(
        code="media_rejected", message="Instagram no longer has what was prepared for the post.", retryable=True
    )
    return Retry("media_refused", failure)


def _unusable(status: str) -> Refused | Retry:
    """What a container's status says when it has failed."""
    found = _SUBCODE.search(status)
    subcode = None if found is None else int(found[0])
    if subcode in _WORTH_ANOTHER_CONTAINER:
        failure = Failure(
            code="media_rejected",
            message="Instagram could not make use of the file this time.",
            rule="instagram.media.processing",
            remediation="Look whether the file can be fetched and is whole.",
            platform_error=status[:300],
            retryable=True,
        )
        return Retry("media_refused", failure)
    default = ("media.processing", "Instagram cannot process the file.", "Use another file or format.")
    rule, message, remedy = default if subcode is None else _RULES.get(subcode, default)
    failure = Failure(
        code="media_rejected",
        rule=f"instagram.{rule}",
        message=message,
        remediation=remedy,
        platform_error=status[:300] or None,
    )
    return Refused(failure)


def _nameless() -> Failure:
    return Failure(
        code="media_processing",
        message="Instagram has published the post, and does not show it yet.",
        retryable=True,
    )


def _quota_failure(response: httpx.Response | None) -> Failure:
    return failed(
        "The account has published as much as Instagram allows in 24 hours.",
        response,
        code="rate_limited",
        rule="instagram.quota",
        remediation="Nothing to do: it goes out when the quota allows it.",
        retryable=True,
    )


def _refused(rule: str, message: str, remediation: str) -> SetbackError:
    failure = Failure(code="media_rejected", rule=f"instagram.{rule}", message=message, remediation=remediation)
    return SetbackError(Refused(failure))
