"""Publishing to Instagram: containers, their status, and what is published of them."""

from __future__ import annotations

import base64
import re

from sandbox.accounts import Account
from sandbox.ledger import Post, PublishedMedia
from sandbox.meta import errors
from sandbox.meta.errors import Flaw, error, flawed, invalid, missing_object, permission, rupload_error
from sandbox.meta.fetching import fetch
from sandbox.meta.graph import Json, array, flag, graph_time, paged, parameters, select, since_until, text
from sandbox.meta.pages import shown_instagram
from sandbox.meta.state import DAY, INSTAGRAM, Caller, Container, Entry, Form, State, file_of
from sandbox.meta.videos import take_bytes
from sandbox.web import Request, Response, as_json

_MEGABYTE = 1024 * 1024
_LARGEST_IMAGE = 8 * _MEGABYTE
_LONGEST_CAPTION = 2_200
_LONGEST_ALT_TEXT = 1_000
_MOST_HASHTAGS = 30
_MOST_MENTIONS = 20
_CAROUSEL = (2, 10)
_IMAGE_RATIOS = (0.8, 1.91)
_OPTIONS: dict[str, tuple[Form, ...]] = {
    "share_to_feed": ("reel", "carousel"),
    "cover_url": ("reel",),
    "thumb_offset": ("reel",),
    "audio_name": ("reel",),
    "trial_params": ("reel",),
    "collaborators": ("image", "reel", "carousel"),
    "user_tags": ("image", "reel", "story"),
    "location_id": ("image", "reel", "carousel"),
    "is_ai_generated": ("image", "reel", "carousel", "story"),
    "is_paid_partnership": ("image", "reel", "carousel", "story"),
    "branded_content_sponsor_ids": ("image", "reel", "carousel", "story"),
}
_FACEBOOK_LOGIN_ONLY = ("is_paid_partnership", "branded_content_sponsor_ids")
_PUBLISH = {False: "instagram_content_publish", True: "instagram_business_content_publish"}
_BASIC = {False: "instagram_basic", True: "instagram_business_basic"}
_COMMENT = {False: "instagram_manage_comments", True: "instagram_business_manage_comments"}
_MEDIA_TYPES = {"image": "IMAGE", "carousel": "CAROUSEL_ALBUM", "reel": "VIDEO", "story": "IMAGE"}
_PRODUCT_TYPES = {"image": "FEED", "carousel": "FEED", "reel": "REELS", "story": "STORY"}
_TEXTS = {
    "IN_PROGRESS": "In Progress: Media is still being processed.",
    "FINISHED": "Finished: Media has been uploaded and it is ready to be published.",
    "PUBLISHED": "Published: Media has been published.",
    "EXPIRED": "Expired: Media has not been published within 24 hours.",
}


class Instagram:
    def __init__(self, state: State) -> None:
        self._state = state

    # --- who may ------------------------------------------------------------------------------------------

    def own(self, caller: Caller, node: str, method: str = "get") -> Account:
        """The account, when it is the token's own, or linked to the token's Page. Raises RefusedError (100/33)."""
        if caller.account.platform == INSTAGRAM:
            account: Account | None = caller.account if node in ("me", caller.account.id) else None
        else:
            account = self._state.world.accounts.get(node)
            page = account.administrator if account is not None and account.platform == INSTAGRAM else None
            pages = [each.id for each in self._state.pages_of(caller.account.id)]
            if page is None or page not in (caller.account.id, *pages):
                account = None
        if account is None:
            raise missing_object(node, method)
        return account

    def _granted(self, caller: Caller, scopes: dict[bool, str]) -> None:
        if scopes[caller.account.platform == INSTAGRAM] not in caller.token.scopes:
            raise permission("Application does not have permission for this action", 10)

    def _writable(self, caller: Caller, node: str) -> Account:
        account = self.own(caller, node, "post")
        self._granted(caller, _PUBLISH)
        return account

    # --- containers ---------------------------------------------------------------------------------------

    def create(self, request: Request, caller: Caller) -> Response:
        """``POST /{ig-id}/media``"""
        account = self._writable(caller, request.path_parameters["id"])
        given = parameters(request)
        now = self._state.now
        mine = [each for each in self._state.containers.values() if each.owner == account.id]
        if sum(each.created_at > now - DAY for each in mine) >= self._state.instagram.container_quota:
            raise error(9, "(#9) Application request limit reached")
        form, video = _form(given)
        container = Container(
            self._state.new_id("178", 17),
            account.id,
            form,
            now,
            now + self._state.instagram.container_seconds,
            child=flag(given, "is_carousel_item", default=False),
            video=video,
            caption=text(given, "caption") or "",
            alt_text=text(given, "alt_text"),
        )
        _check_words(container)
        self._take_options(container, given, caller)
        answer: Json = {"id": container.id}
        if form == "carousel":
            self._fill(container, given, mine)
        elif text(given, "upload_type") == "resumable":
            if caller.account.platform == INSTAGRAM or not video:
                raise invalid("Param upload_type must be one of {}")
            container.resumable = True
            answer["uri"] = f"{request.base_url}/ig-api-upload/v26.0/{container.id}"
        else:
            self._fetch(request, container, text(given, "video_url" if video else "image_url"))
        self._state.containers[container.id] = container
        return as_json(200, answer)

    def _take_options(self, container: Container, given: Json, caller: Caller) -> None:
        for name, forms in _OPTIONS.items():
            if name not in given:
                continue
            if container.child or container.form not in forms:
                raise invalid(f"The param {name} is not allowed for this media")
            if name in _FACEBOOK_LOGIN_ONLY and caller.account.platform == INSTAGRAM:
                raise invalid(f"The param {name} is not allowed")
            container.options[name] = given[name]
        if container.child and (container.caption or "location_id" in given):
            raise invalid("The params caption and location_id are not allowed for carousel items")
        collaborators = array(given, "collaborators") or []
        if len(collaborators) > 3:
            raise invalid("param collaborators must not name more than 3 users")
        _check_tags(array(given, "user_tags") or [], container)
        if container.alt_text is not None and (container.video or len(container.alt_text) > _LONGEST_ALT_TEXT):
            raise invalid("The param alt_text is for images, and at most 1,000 characters long")

    def _fill(self, container: Container, given: Json, mine: list[Container]) -> None:
        """Put its children into a carousel."""
        known = {each.id: each for each in mine}
        ids = [str(each) for each in array(given, "children") or ()]
        if not _CAROUSEL[0] <= len(ids) <= _CAROUSEL[1]:
            raise flawed(errors.BAD_CAROUSEL)
        for child_id in ids:
            child = known.get(child_id)
            if child is None or not child.child:
                raise invalid(f"The media {child_id} cannot be part of a carousel")
            if child.status(self._state.now) != "FINISHED":
                raise flawed(errors.NOT_READY)
            container.children.append(child)
        container.ready_at = self._state.now + self._state.instagram.image_processing_seconds

    def _fetch(self, request: Request, container: Container, url: str | None) -> None:
        if not url:
            raise invalid("The parameter image_url is required" if not container.video else "video_url is required")
        unreachable = self._state.world.faults.effect(INSTAGRAM, container.owner, "media_unreachable")
        if unreachable is not None or not url.isascii() or not url.startswith(("http://", "https://")):
            raise flawed(errors.UNREACHABLE)
        at_once = True

        def arrived(content: bytes | None) -> None:
            self._take(container, content)
            if at_once and not container.video and container.flaw is not None:
                # Images are looked at while the client waits.
                raise flawed(container.flaw)

        fetch(request, url, arrived)
        at_once = False

    def _take(self, container: Container, content: bytes | None) -> None:
        settings = self._state.instagram
        seconds = settings.video_processing_seconds if container.video else settings.image_processing_seconds
        seconds, fails = self._state.processing(INSTAGRAM, container.owner, seconds)
        container.ready_at = self._state.now + seconds
        if content is None:
            container.flaw = errors.UNREACHABLE
            return
        container.file = file_of(content)
        container.flaw = errors.BROKEN if fails else _flaw_of(container)

    def upload(self, request: Request, caller: Caller) -> Response:
        """``POST rupload.facebook.com/ig-api-upload/{version}/{container-id}``"""
        container = self._state.containers.get(request.path_parameters["id"])
        if container is None or not container.resumable or container.status(self._state.now) == "EXPIRED":
            raise rupload_error(400, "ProcessingFailedError", "Request processing failed", retriable=False)
        self.own(caller, container.owner, "post")
        take_bytes(request, container)
        self._take(container, bytes(container.received))
        return as_json(200, {"success": True, "message": "Upload successful."})

    def status(self, request: Request, caller: Caller, container: Container) -> Response:
        """``GET /{container-id}``"""
        self.own(caller, container.owner)
        code = container.status(self._state.now)
        words = _TEXTS.get(code)
        if code == "ERROR" and container.flaw is not None:
            words = f"Error: Media upload has failed with error code {container.flaw.subcode}"
        video: Json = {
            "uploading_phase": {
                "status": "complete" if container.file else "in_progress",
                "bytes_transferred": len(container.received),
            }
        }
        reading = {
            "status_code": lambda _: code,
            "status": lambda _: words,
            "copyright_check_status": lambda _: {"status": "completed", "matches_found": False},
            "video_status": lambda _: video if container.resumable else None,
        }
        return as_json(200, select(container.id, request.query.get("fields"), "", reading, "IGContainer"))

    # --- publishing ---------------------------------------------------------------------------------------

    def publish(self, request: Request, caller: Caller) -> Response:
        """``POST /{ig-id}/media_publish``"""
        account = self._writable(caller, request.path_parameters["id"])
        creation_id = text(parameters(request), "creation_id") or ""
        if not creation_id.isdecimal():
            raise invalid("The parameter creation_id is required")
        container = self._state.containers.get(creation_id)
        if container is None or container.owner != account.id or container.child:
            raise flawed(errors.NO_CONTAINER)
        status = container.status(self._state.now)
        if status == "EXPIRED" or (status == "PUBLISHED" and self._state.instagram.republish == "refused"):
            raise flawed(errors.NO_CONTAINER)
        if status == "ERROR" and container.flaw is not None:
            raise flawed(container.flaw)
        if status == "IN_PROGRESS":
            raise flawed(errors.NOT_READY)
        if self._used(account, self._state.now - DAY) >= self._state.instagram.publish_quota:
            raise flawed(errors.QUOTA)
        return as_json(200, {"id": self._add(account, container).post.id})

    def _used(self, account: Account, since: float) -> int:
        """Posts and stories count, comments do not; what was deleted counts."""
        posts = self._state.world.ledger.posts(INSTAGRAM, account.id, include_deleted=True)
        return sum(post.in_reply_to is None and post.created_at > since for post in posts)

    def _add(self, account: Account, container: Container) -> Entry:
        now = self._state.now
        members = container.children or [container]
        post = Post(
            platform=INSTAGRAM,
            id=self._state.new_id("179", 17),
            account=account.id,
            text=container.caption,
            raw=container.caption,
            created_at=now,
            visible_at=now + self._state.lag(INSTAGRAM, account.id),
            conversation_id=container.id,
            media=[_published(member) for member in members],
            options={"post_type": container.form, **container.options},
        )
        entry = Entry(
            post,
            container.form,
            tuple(member.id for member in members),
            container=container.id,
            expires_at=now + DAY if container.form == "story" else float("inf"),
        )
        container.published.append(post.id)
        self._state.publish(entry)
        return entry

    def limit(self, request: Request, caller: Caller) -> Response:
        """``GET /{ig-id}/content_publishing_limit``"""
        account = self.own(caller, request.path_parameters["id"])
        self._granted(caller, _PUBLISH)
        since, _ = since_until(request)
        used = self._used(account, max(since, self._state.now - DAY))
        config = {"quota_total": self._state.instagram.publish_quota, "quota_duration": int(DAY)}
        wanted = request.query.get("fields", "quota_usage").split(",")
        answer: Json = {"quota_usage": used, "config": config}
        return as_json(200, {"data": [{name: value for name, value in answer.items() if name in wanted}]})

    # --- reading ------------------------------------------------------------------------------------------

    def media(self, request: Request, caller: Caller) -> Response:
        """``GET /{ig-id}/media``, without stories"""
        return self._list(request, caller, ("image", "carousel", "reel"))

    def stories(self, request: Request, caller: Caller) -> Response:
        """``GET /{ig-id}/stories``"""
        return self._list(request, caller, ("story",))

    def _list(self, request: Request, caller: Caller, kinds: tuple[str, ...]) -> Response:
        account = self.own(caller, request.path_parameters["id"])
        self._granted(caller, _BASIC)
        now = self._state.now
        since, until = since_until(request)
        found = [
            self._shown(entry, account, request.query.get("fields"))
            for entry in reversed(self._state.entries.values())
            if entry.post.account == account.id
            and entry.kind in kinds
            and entry.post.visible(now)
            and entry.expires_at > now
            and since <= entry.post.created_at <= until
        ]
        return paged(request, found)

    def read(self, request: Request, caller: Caller) -> Response:
        """``GET /{ig-media-id}``"""
        entry, account = self._own_entry(request.path_parameters["id"], caller)
        self._granted(caller, _BASIC)
        return as_json(200, self._shown(entry, account, request.query.get("fields")))

    def own_entry(self, node: str, caller: Caller) -> Entry:
        return self._own_entry(node, caller)[0]

    def _own_entry(self, node: str, caller: Caller, method: str = "get") -> tuple[Entry, Account]:
        entry = self._state.visible_entry(node, method)
        return entry, self.own(caller, entry.post.account, method)

    def _shown(self, entry: Entry, account: Account, wanted: str | None) -> Json:
        post, kind = entry.post, entry.kind
        caption = post.text.replace("@", "") if self._state.instagram.omit_at else post.text
        video = bool(post.media) and post.media[0].kind == "video"
        path = "reel" if kind == "reel" else "p"
        code = shortcode(post.id)
        story = kind == "story"
        link = f"https://www.instagram.com/{path}/{code}/"
        if story:
            link = f"https://www.instagram.com/stories/{account.username}/{post.id}"
        metrics = post.metrics
        reading = {
            "caption": lambda _: caption or None,
            "text": lambda _: caption,
            "media_type": lambda _: "VIDEO" if story and video else _MEDIA_TYPES.get(kind),
            "media_product_type": lambda _: _PRODUCT_TYPES.get(kind),
            "permalink": lambda _: link,
            "shortcode": lambda _: code,
            "timestamp": lambda _: graph_time(post.created_at),
            "username": lambda _: account.username,
            "from": lambda _: {"id": account.id, "username": account.username},
            "owner": lambda _: {"id": account.id},
            "media_url": lambda _: f"https://scontent.cdninstagram.com/v/{post.id}",
            "thumbnail_url": lambda _: f"https://scontent.cdninstagram.com/v/{post.id}.jpg" if video else None,
            "children": lambda _: {"data": [{"id": each} for each in entry.attached]} if kind == "carousel" else None,
            "like_count": lambda _: metrics.get("likes", 0),
            "comments_count": lambda _: metrics.get("replies", 0),
            "is_comment_enabled": lambda _: True,
            "parent_id": lambda _: None,
        }
        return select(post.id, wanted, "timestamp,text" if kind == "comment" else "", reading, "IGMedia")

    def profile(self, request: Request, account: Account) -> Response:
        count = sum(1 for _ in self._state.world.ledger.posts(INSTAGRAM, account.id))
        wanted = request.query.get("fields")
        shown = shown_instagram(account, wanted, "username", kind="IGUser", media_count=count)
        return as_json(200, shown)

    # --- comments and deletion ----------------------------------------------------------------------------

    def comment(self, request: Request, caller: Caller) -> Response:
        """``POST /{ig-media-id}/comments``"""
        entry, account = self._own_entry(request.path_parameters["id"], caller, "post")
        self._granted(caller, _COMMENT)
        message = text(parameters(request), "message") or ""
        if not message or len(message) > _LONGEST_CAPTION or entry.kind == "story":
            raise invalid("Invalid parameter: message")
        now = self._state.now
        post = Post(
            platform=INSTAGRAM,
            id=self._state.new_id("180", 17),
            account=account.id,
            text=message,
            raw=message,
            created_at=now,
            visible_at=now + self._state.lag(INSTAGRAM, account.id),
            conversation_id=entry.post.conversation_id,
            in_reply_to=entry.post.id,
        )
        self._state.publish(Entry(post, "comment"))
        return as_json(200, {"id": post.id})

    def comments(self, request: Request, caller: Caller) -> Response:
        """``GET /{ig-media-id}/comments``, newest first"""
        entry, account = self._own_entry(request.path_parameters["id"], caller)
        self._granted(caller, _COMMENT)
        now = self._state.now
        found = [
            self._shown(each, account, request.query.get("fields"))
            for each in reversed(self._state.entries.values())
            if each.post.in_reply_to == entry.post.id and each.post.visible(now)
        ]
        return paged(request, found)

    def delete(self, request: Request, caller: Caller) -> Response:
        """``DELETE /{ig-media-id}``, with Facebook Login at most"""
        node = request.path_parameters["id"]
        if caller.account.platform == INSTAGRAM or not self._state.instagram.delete:
            raise missing_object(node, "delete")
        entry, _ = self._own_entry(node, caller, "delete")
        entry.post.deleted_at = self._state.now
        return as_json(200, {"success": True})


def _form(given: Json) -> tuple[Form, bool]:
    """What the container becomes, and whether its file is a video. Raises RefusedError."""
    child = flag(given, "is_carousel_item", default=False)
    resumable = text(given, "upload_type") == "resumable"
    video = "video_url" in given or resumable
    match text(given, "media_type"):
        case "CAROUSEL":
            return "carousel", False
        case "REELS" if not child and "image_url" not in given:
            return "reel", True
        case "STORIES" if not child:
            return "story", video
        case "VIDEO" if child:
            return "reel", True
        case "VIDEO":
            raise invalid(
                "The VIDEO value for media_type is no longer supported. Use the REELS media_type to publish a video "
                "to your Instagram feed."
            )
        case None | "IMAGE" if not video:
            return "image", False
        case _:
            raise flawed(errors.BAD_TYPE)


def _check_words(container: Container) -> None:
    caption = container.caption
    if (
        len(caption) > _LONGEST_CAPTION
        or len(re.findall(r"(?<!\w)#\w+", caption)) > _MOST_HASHTAGS
        or len(re.findall(r"(?<!\w)@[\w.]+", caption)) > _MOST_MENTIONS
    ):
        raise flawed(errors.LONG_CAPTION)


def _check_tags(tags: list[object], container: Container) -> None:
    for tag in tags:
        if not isinstance(tag, dict) or not isinstance(tag.get("username"), str):
            raise invalid("Param user_tags must be an array of objects with username")
        placed = "x" in tag and "y" in tag
        if (container.form == "image" and not placed) or (container.form == "reel" and placed):
            raise invalid("Param user_tags needs x and y on images, and takes none on videos")
        for name in ("x", "y"):
            place = tag.get(name, 0)
            if not isinstance(place, int | float) or not 0 <= place <= 1:
                raise invalid("Param user_tags: x and y go from 0.0 to 1.0")


def _flaw_of(container: Container) -> Flaw | None:
    file = container.file
    seen = file.inspected if file else None
    if file is None or seen is None or seen.width is None or seen.height is None:
        return errors.BAD_VIDEO if container.video else errors.NOT_JPEG
    ratio = seen.width / seen.height
    story = container.form == "story"
    if not container.video:
        if seen.content_type != "image/jpeg":
            return errors.NOT_JPEG
        if file.size > _LARGEST_IMAGE:
            return errors.TOO_LARGE
        if not story and not _IMAGE_RATIOS[0] - 0.01 <= ratio <= _IMAGE_RATIOS[1] + 0.01:
            return errors.BAD_RATIO
        return None
    longest, largest = (60, 100 * _MEGABYTE) if story else (900, 300 * _MEGABYTE)
    narrow = 0.1 if story else 0.01
    if (
        seen.content_type not in ("video/mp4", "video/quicktime")
        or not 3 <= (seen.duration or 0) <= longest
        or file.size > largest
        or seen.width > 1_920
        or not narrow <= ratio <= 10
    ):
        return errors.BAD_VIDEO
    offset = container.options.get("thumb_offset")
    if offset is not None and float(str(offset)) > 1_000 * (seen.duration or 0):
        return errors.BAD_OFFSET
    return None


def _published(container: Container) -> PublishedMedia:
    if container.file is None:
        raise ValueError("an unfinished container cannot be published")
    return container.file.published(container.id, "video" if container.video else "image", container.alt_text)


def shortcode(media_id: str) -> str:
    """Eleven characters that stand for a media id in addresses."""
    return base64.urlsafe_b64encode(int(media_id).to_bytes(8, "big")).decode().rstrip("=")
