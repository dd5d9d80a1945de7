"""Posts, photos, stories and comments of Facebook Pages."""

from __future__ import annotations

from urllib.parse import urlsplit

from sandbox.accounts import Account
from sandbox.ledger import Post, PublishedMedia
from sandbox.meta.errors import error, invalid, missing_object, permission
from sandbox.meta.fetching import own_sample
from sandbox.meta.graph import (
    Json,
    array,
    attachment,
    flag,
    graph_time,
    paged,
    parameters,
    record,
    select,
    since_until,
    text,
)
from sandbox.meta.state import DAY, FACEBOOK, Caller, Entry, File, Photo, State, file_of
from sandbox.web import RefusedError, Request, Response, as_json

_LARGEST_PHOTO = 10 * 1024 * 1024
_PHOTO_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_LONGEST_MESSAGE = 63_206
_LONGEST_COMMENT = 8_000
_LONGEST_PRESET = 130
_WRITE = ("pages_manage_posts", "pages_read_engagement")
_NO_ROLE = (
    "If posting to a group, requires app being installed in the group, and either publish_to_groups permission with "
    "user token, or both pages_read_engagement and pages_manage_posts permission with page token; If posting to a "
    "page, requires both pages_read_engagement and pages_manage_posts as an admin with sufficient administrative "
    "permission"
)
_POST_DEFAULT = "created_time,message"
APPLICATION: Json = {"name": "Sandbox", "id": "100000000000001"}
_OPTIONS = ("place", "text_format_preset_id", "is_ai_generated", "title")


class Pages:
    def __init__(self, state: State) -> None:
        self._state = state

    # --- who may ------------------------------------------------------------------------------------------

    def writable(self, caller: Caller, page_id: str) -> Account:
        """The Page, when the token may publish on it. Raises RefusedError."""
        page = self.own(caller, page_id, "post")
        if caller.account.kind != "page":
            # People's tokens do not publish as a Page.
            raise permission(_NO_ROLE)
        if not caller.token.scopes.issuperset(_WRITE) or "CREATE_CONTENT" not in self._state.facebook.tasks:
            raise permission(_NO_ROLE)
        return page

    def own(self, caller: Caller, page_id: str, method: str = "get") -> Account:
        """The Page, when it is the token's own or its person's. Raises RefusedError (100/33)."""
        page = caller.account if page_id == "me" else self._state.page(page_id)
        if page is None or page.kind != "page" or caller.account.id not in (page.id, page.administrator):
            raise missing_object(page_id, method)
        return page

    def readable(self, caller: Caller, page_id: str) -> Account:
        page = self.own(caller, page_id)
        if "pages_read_engagement" not in caller.token.scopes:
            raise permission("This endpoint requires the 'pages_read_engagement' permission", 10)
        return page

    # --- feed ---------------------------------------------------------------------------------------------

    def create_post(self, request: Request, caller: Caller) -> Response:
        """``POST /{page-id}/feed``"""
        page = self.writable(caller, request.path_parameters["id"])
        given = parameters(request)
        if not flag(given, "published", default=True) or "scheduled_publish_time" in given:
            raise invalid("The sandbox publishes at once: published must be true")
        message, link = text(given, "message") or "", text(given, "link")
        photos = [self._attachable(page, each) for each in array(given, "attached_media") or ()]
        self._check_post(message, link, photos, text(given, "text_format_preset_id"))
        if not photos and link is None:
            self._refuse_repetition(page, message)
        if len({photo.id for photo in photos}) != len(photos):
            raise invalid("Param attached_media must not name a photo twice")
        post_id = self._new_post_id(page)
        media = [photo.file.published(photo.id, "photo", photo.alt_text) for photo in photos]
        for photo in photos:
            photo.post = post_id
        kind = "share" if link else ("album" if len(photos) > 1 else "photo" if photos else "status")
        options: Json = {"post_type": "feed", **_given_options(given)}
        self.add(page, post_id, message=message, kind=kind, media=media, options=options, link=link)
        return self._created(given, post_id)

    def _check_post(self, message: str, link: str | None, photos: list[Photo], preset: str | None) -> None:
        if not message and link is None and not photos:
            raise invalid("The parameter message or link or attached_media is required")
        if len(message) > _LONGEST_MESSAGE:
            raise invalid(f"Param message must be no longer than {_LONGEST_MESSAGE} characters")
        if link is not None:
            parts = urlsplit(link)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise error(100, "(#100) link URL is not properly formatted", subcode=2061006)
            if photos:
                raise invalid("link and attached_media are mutually exclusive")
        if len(photos) > self._state.facebook.max_attached_media:
            raise invalid("Too many attached_media")
        if preset is not None and (link is not None or photos or len(message) > _LONGEST_PRESET):
            raise invalid("text_format_preset_id is for short texts without attachments")

    def _attachable(self, page: Account, item: object) -> Photo:
        if isinstance(item, dict):
            photo_id = str(item.get("media_fbid", ""))
        else:
            raise invalid("Param attached_media must be an array of objects with media_fbid")
        photo = self._state.photos.get(photo_id)
        if photo is None or photo.page != page.id or photo.expires_at <= self._state.now:
            raise invalid(f"Invalid media_fbid {photo_id}")
        if photo.post is not None:
            raise error(
                100,
                "(#100) Invalid parameter",
                subcode=1366051,
                user_message="These photos were already posted.",
                transient=False,
            )
        return photo

    def _refuse_repetition(self, page: Account, message: str) -> None:
        if not self._state.facebook.refuse_duplicates:
            return
        posts = list(self._state.world.ledger.posts(FACEBOOK, page.id))
        last = next((post for post in reversed(posts) if post.in_reply_to is None), None)
        if last is not None and not last.media and last.raw == message:
            raise duplicate()

    def add(
        self,
        page: Account,
        post_id: str,
        *,
        message: str,
        kind: str,
        media: list[PublishedMedia],
        options: Json,
        link: str | None = None,
        at: float | None = None,
    ) -> None:
        """Publish. ``at``: when it appears, now if None."""
        created_at = self._state.now if at is None else at
        post = Post(
            platform=FACEBOOK,
            id=post_id,
            account=page.id,
            text=message,
            raw=message,
            created_at=created_at,
            visible_at=created_at + self._state.lag(FACEBOOK, page.id),
            conversation_id=post_id,
            media=media,
            options={**options, **({"link": link} if link else {})},
        )
        expires_at = created_at + DAY if kind == "story" else float("inf")
        self._state.publish(Entry(post, kind, tuple(each.id for each in media), link, expires_at=expires_at))

    def _new_post_id(self, page: Account) -> str:
        return f"{page.id}_{self._state.new_id('12', 15)}"

    def _created(self, given: Json, post_id: str) -> Response:
        """The id, and what else was asked for."""
        wanted = text(given, "fields")
        if wanted is None:
            return as_json(200, {"id": post_id})
        return as_json(200, self._shown(self._state.entries[post_id], wanted))

    # --- photos -------------------------------------------------------------------------------------------

    def create_photo(self, request: Request, caller: Caller) -> Response:
        """``POST /{page-id}/photos``"""
        page = self.writable(caller, request.path_parameters["id"])
        given = parameters(request)
        url, content = text(given, "url"), attachment(request)
        if content is None and url is None:
            raise error(324, "(#324) Requires upload file")
        if content is None and url is not None:
            content = own_sample(request, url)
        file = self._photo_file(content)
        now = self._state.now
        photo_id = self._state.new_id("13", 15)
        alt_text = text(given, "alt_text_custom")
        photo = Photo(photo_id, page.id, file, alt_text, now + self._state.facebook.photo_seconds)
        self._state.photos[photo_id] = photo
        if not flag(given, "published", default=True):
            return as_json(200, {"id": photo_id})
        photo.post = self._new_post_id(page)
        caption = text(given, "caption") or text(given, "message") or ""
        media = [file.published(photo_id, "photo", alt_text)]
        self.add(page, photo.post, message=caption, kind="photo", media=media, options={"post_type": "feed"})
        return as_json(200, {"id": photo_id, "post_id": photo.post})

    @staticmethod
    def _photo_file(content: bytes | None) -> File:
        file = file_of(content or b"")
        if file.inspected is None or file.inspected.content_type not in _PHOTO_TYPES or file.size > _LARGEST_PHOTO:
            raise error(
                324,
                "(#324) Missing or invalid image file",
                subcode=1366046,
                user_message="Photos should be less than 4 MB and saved as JPG, PNG, GIF, TIFF, HEIF or WebP files.",
            )
        return file

    # --- stories ------------------------------------------------------------------------------------------

    def create_photo_story(self, request: Request, caller: Caller) -> Response:
        """``POST /{page-id}/photo_stories``"""
        page = self.writable(caller, request.path_parameters["id"])
        photo = self._state.photos.get(text(parameters(request), "photo_id") or "")
        if photo is None or photo.page != page.id or photo.expires_at <= self._state.now:
            raise invalid("Invalid photo_id")
        if photo.post is not None:
            raise invalid("The photo has been used in a published post")
        photo.post = self._state.new_id("14", 15)
        media = [photo.file.published(photo.id, "photo", photo.alt_text)]
        self.add(page, photo.post, message="", kind="story", media=media, options={"post_type": "story"})
        return as_json(200, {"success": True, "post_id": photo.post})

    def stories(self, request: Request, caller: Caller) -> Response:
        """``GET /{page-id}/stories``"""
        page = self.readable(caller, request.path_parameters["id"])
        since, until = since_until(request)
        found: list[Json] = [
            {
                "post_id": entry.post.id,
                "status": "published",
                "creation_time": str(int(entry.post.created_at)),
                "media_type": entry.post.media[0].kind,
                "media_id": entry.attached[0],
                "url": f"https://facebook.com/stories/{page.id}/{entry.post.id}/",
            }
            for entry in self._entries(page, "story")
            if since <= entry.post.created_at <= until
        ]
        return paged(request, found)

    # --- reading ------------------------------------------------------------------------------------------

    def _entries(self, page: Account, *kinds: str) -> list[Entry]:
        """What is shown of a Page, newest first."""
        now = self._state.now
        return [
            entry
            for entry in reversed(self._state.entries.values())
            if entry.post.account == page.id
            and entry.kind in kinds
            and entry.post.visible(now)
            and entry.expires_at > now
        ]

    def posts(self, request: Request, caller: Caller) -> Response:
        """``GET /{page-id}/feed``, ``/posts`` and ``/published_posts``"""
        page = self.readable(caller, request.path_parameters["id"])
        since, until = since_until(request)
        wanted = request.query.get("fields")
        shown = [
            self._shown(entry, wanted)
            for entry in self._entries(page, "status", "share", "photo", "album", "video", "reel")
            if since <= entry.post.created_at <= until
        ]
        return paged(request, shown, self._state.facebook.page_size)

    def reels(self, request: Request, caller: Caller) -> Response:
        """``GET /{page-id}/video_reels``"""
        page = self.readable(caller, request.path_parameters["id"])
        since, until = since_until(request)
        found: list[Json] = [
            {"id": entry.post.id, "description": entry.post.text, "updated_time": graph_time(entry.post.created_at)}
            for entry in self._entries(page, "reel")
            if since <= entry.post.created_at <= until
        ]
        return paged(request, found)

    def read_post(self, request: Request, caller: Caller) -> Response:
        entry = self._own_entry(request.path_parameters["id"], caller)
        return as_json(200, self._shown(entry, request.query.get("fields")))

    def read_photo(self, request: Request, caller: Caller, photo: Photo) -> Response:
        self.own(caller, photo.page)
        reading = {
            "alt_text": lambda _: photo.alt_text,
            "page_story_id": lambda _: photo.post,
            "width": lambda _: photo.file.inspected and photo.file.inspected.width,
        }
        return as_json(200, select(photo.id, request.query.get("fields"), "", reading, "Photo"))

    def _own_entry(self, node: str, caller: Caller, method: str = "get") -> Entry:
        entry = self._state.visible_entry(node, method)
        page = self._state.page(entry.post.account)
        if page is None or caller.account.id not in (page.id, page.administrator):
            raise missing_object(node, method)
        return entry

    def _shown(self, entry: Entry, wanted: str | None) -> Json:
        post = entry.post
        metrics = post.metrics
        page = self._state.page(post.account)
        name = page.display_name if page else ""
        reading = {
            "message": lambda _: post.text or None,
            "description": lambda _: post.text or None,
            "created_time": lambda _: graph_time(post.created_at),
            "updated_time": lambda _: graph_time(post.created_at),
            "permalink_url": lambda _: permalink(entry),
            "is_published": lambda _: True,
            "is_hidden": lambda _: False,
            "status_type": lambda _: "added_photos" if entry.kind in ("photo", "album") else "mobile_status_update",
            "application": lambda _: APPLICATION,
            "from": lambda _: {"name": name, "id": post.account},
            "parent": lambda _: {"id": post.in_reply_to} if post.in_reply_to else None,
            "attachments": lambda _: _attachments(entry),
            "shares": lambda _: {"count": metrics["reposts"]} if metrics.get("reposts") else None,
            "reactions": lambda _: _counted(metrics.get("likes", 0)),
            "likes": lambda _: _counted(metrics.get("likes", 0)),
            "comments": lambda _: _counted(metrics.get("replies", 0)),
        }
        return select(post.id, wanted, _POST_DEFAULT, reading, "PagePost")

    # --- comments -----------------------------------------------------------------------------------------

    def comment(self, request: Request, caller: Caller) -> Response:
        """``POST /{post-id}/comments``"""
        entry = self._own_entry(request.path_parameters["id"], caller, "post")
        if caller.account.kind != "page" or "pages_manage_engagement" not in caller.token.scopes:
            raise permission("Requires pages_manage_engagement permission to manage the object")
        if entry.kind == "story":
            raise missing_object(entry.post.id, "post")
        given = parameters(request)
        message = text(given, "message") or ""
        if not message or len(message) > _LONGEST_COMMENT:
            raise invalid("Invalid parameter: message")
        now = self._state.now
        number = self._state.new_id("15", 15)
        comment_id = f"{entry.post.id.rpartition('_')[2]}_{number}"
        post = Post(
            platform=FACEBOOK,
            id=comment_id,
            account=caller.account.id,
            text=message,
            raw=message,
            created_at=now,
            visible_at=now + self._state.lag(FACEBOOK, caller.account.id),
            conversation_id=entry.post.conversation_id,
            in_reply_to=entry.post.id,
        )
        self._state.publish(Entry(post, "comment"))
        return self._created(given, comment_id)

    def comments(self, request: Request, caller: Caller) -> Response:
        """``GET /{post-id}/comments``"""
        entry = self._own_entry(request.path_parameters["id"], caller)
        now = self._state.now
        found = [
            self._shown(each, request.query.get("fields"))
            for each in self._state.entries.values()
            if each.post.in_reply_to == entry.post.id and each.post.visible(now)
        ]
        if request.query.get("order") == "reverse_chronological":
            found.reverse()
        return paged(request, found)

    # --- the rest -----------------------------------------------------------------------------------------

    def edit(self, request: Request, caller: Caller) -> Response:
        """``POST /{post-id}``: another message."""
        entry = self._own_entry(request.path_parameters["id"], caller, "post")
        message = text(parameters(request), "message")
        if message is None:
            raise invalid("Nothing to change")
        entry.post.text = entry.post.raw = message
        return as_json(200, {"success": True})

    def delete(self, request: Request, caller: Caller) -> Response:
        """``DELETE /{post-id}``, or of a photo that is in no post."""
        node = request.path_parameters["id"]
        photo = self._state.photos.get(node)
        if photo is not None and photo.post is None:
            self.own(caller, photo.page, "delete")
            del self._state.photos[node]
            return as_json(200, {"success": True})
        entry = self._own_entry(node, caller, "delete")
        if "pages_manage_posts" not in caller.token.scopes:
            raise permission(_NO_ROLE)
        entry.post.deleted_at = self._state.now
        return as_json(200, {"success": True})

    def profile(self, request: Request, page: Account, page_token: str | None) -> Response:
        return as_json(200, self.shown_page(page, request.query.get("fields"), "name", page_token))

    def shown_page(self, page: Account, wanted: str | None, default: str, page_token: str | None) -> Json:
        linked = self._state.instagram_of(page.id)
        reading = {
            "name": lambda _: page.display_name,
            "username": lambda _: page.username,
            "link": lambda _: f"https://www.facebook.com/{page.id}",
            "category": lambda _: "Creator",
            "category_list": lambda _: [{"id": "1350536325044173", "name": "Creator"}],
            "tasks": lambda _: self._state.facebook.tasks,
            "access_token": lambda _: page_token,
            "fan_count": lambda _: page.followers,
            "followers_count": lambda _: page.followers,
            "picture": lambda _: picture(page),
            "instagram_business_account": lambda inner: (
                linked and shown_instagram(linked, inner or "", "", kind="IGUser")
            ),
        }
        return select(page.id, wanted, default, reading, "Page")


def _given_options(given: Json) -> Json:
    found: Json = {name: given[name] for name in _OPTIONS if name in given}
    targeting = record(given, "targeting")
    return {**found, **({"targeting": targeting} if targeting else {})}


def _counted(count: int) -> Json:
    return {"data": [], "summary": {"total_count": count}}


def permalink(entry: Entry) -> str:
    post = entry.post
    if entry.kind == "comment":
        return f"https://www.facebook.com/{post.in_reply_to}?comment_id={post.id.rpartition('_')[2]}"
    if entry.kind in ("video", "reel"):
        return f"/{post.account}/videos/{post.id}/" if entry.kind == "video" else f"/reel/{post.id}/"
    return f"https://www.facebook.com/{post.account}/posts/{post.id.rpartition('_')[2]}"


def _attachments(entry: Entry) -> Json | None:
    def photo(photo_id: str) -> Json:
        url = f"https://www.facebook.com/photo.php?fbid={photo_id}"
        return {"type": "photo", "media_type": "photo", "target": {"id": photo_id, "url": url}, "url": url}

    match entry.kind:
        case "photo":
            return {"data": [photo(entry.attached[0])]}
        case "album":
            album: Json = {"type": "album", "media_type": "album", "target": {"id": entry.post.id}}
            return {"data": [{**album, "subattachments": {"data": [photo(each) for each in entry.attached]}}]}
        case "share":
            shim = f"https://l.facebook.com/l.php?u={entry.link}"
            return {"data": [{"type": "share", "media_type": "link", "url": shim, "unshimmed_url": entry.link}]}
        case "video" | "reel":
            target: Json = {"id": entry.attached[0]}
            return {"data": [{"type": "video_inline", "media_type": "video", "target": target}]}
    return None


def picture(account: Account) -> Json:
    url = f"https://scontent.xx.fbcdn.net/v/{account.id}.jpg"
    return {"data": {"height": 50, "width": 50, "is_silhouette": False, "url": url}}


def shown_instagram(account: Account, wanted: str | None, default: str, *, kind: str, media_count: int = 0) -> Json:
    reading = {
        "ig_id": lambda _: int(account.id) % 10**10,
        "user_id": lambda _: account.id,
        "username": lambda _: account.username,
        "name": lambda _: account.display_name,
        "account_type": lambda _: "MEDIA_CREATOR" if account.kind == "creator" else "BUSINESS",
        "biography": lambda _: "",
        "profile_picture_url": lambda _: f"https://scontent.cdninstagram.com/v/{account.id}.jpg",
        "followers_count": lambda _: account.followers,
        "follows_count": lambda _: 0,
        "media_count": lambda _: media_count,
    }
    return select(account.id, wanted, default, reading, kind)


def duplicate() -> RefusedError:
    return error(
        506,
        "Duplicate status message",
        user_message="This status update is identical to the last one you posted. Try posting something different.",
    )
