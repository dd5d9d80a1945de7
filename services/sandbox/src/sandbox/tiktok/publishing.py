"""Content Posting: who may post what, the inits, their status."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from msgspec import UNSET

from sandbox.tiktok.bodies import (
    InitializeContent,
    InitializeInboxVideo,
    InitializeVideo,
    PublishId,
    VideoSource,
    decode,
    utf16_length,
)
from sandbox.tiktok.errors import refused, success
from sandbox.tiktok.ownership import is_verified
from sandbox.tiktok.pulls import pull
from sandbox.tiktok.state import DAY, PUBLIC, Caller, State, Task, new_token
from sandbox.web import RefusedError, Request, Response

T = TypeVar("T")

_MOST_CAPTION = 2_200
_MOST_TITLE = 90
_MOST_DESCRIPTION = 4_000
_MOST_CHUNKS = 1_000
_LARGEST_VIDEO = 4 * 1024**3
# "5 MB" and "64 MB" read as whichever is stricter, decimal or binary.
_SMALLEST_CHUNK = 5 * 1024**2
_LARGEST_CHUNK = 64_000_000
_LARGEST_LAST_CHUNK = 128_000_000
_UNAUDITED_USERS = 5
_PUBLIC_LEVELS = [PUBLIC, "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]
_PRIVATE_LEVELS = ["FOLLOWER_OF_CREATOR", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]


class Publishing:
    """The calls under ``/v2/post/publish/``, except the upload itself."""

    def __init__(self, state: State) -> None:
        self._state = state

    def creator_info(self, _request: Request, caller: Caller) -> Response:
        """What the creator may choose now. That they may not post at all is told with the status 200."""
        cap = self._cap(caller)
        if cap is not None:
            raise refused(cap, status=200)
        creator, account = self._state.creator(caller.account), caller.account
        return success(
            {
                "creator_avatar_url": f"https://p16-sign.tiktokcdn.com/{account.id}/avatar.webp",
                "creator_username": account.username,
                "creator_nickname": account.display_name,
                "privacy_level_options": self._levels(caller),
                "comment_disabled": creator.comment_disabled,
                "duet_disabled": creator.duet_disabled,
                "stitch_disabled": creator.stitch_disabled,
                "max_video_post_duration_sec": creator.max_video_post_duration_sec,
            }
        )

    def initialize_video(self, request: Request, caller: Caller) -> Response:
        asked = self._decode(request, InitializeVideo)
        info = asked.post_info
        if utf16_length(info.title) > _MOST_CAPTION:
            raise self._state.invalid("The title is too long")
        self._check_direct(caller, info.privacy_level, branded=info.brand_content_toggle)
        options = {
            "post_type": "video",
            "post_mode": "DIRECT_POST",
            "privacy_level": info.privacy_level,
            "disable_comment": info.disable_comment,
            "disable_duet": info.disable_duet,
            "disable_stitch": info.disable_stitch,
            "brand_content_toggle": info.brand_content_toggle,
            "brand_organic_toggle": info.brand_organic_toggle,
            "is_aigc": info.is_aigc,
        }
        if info.video_cover_timestamp_ms is not UNSET:
            options["video_cover_timestamp_ms"] = info.video_cover_timestamp_ms
        task = self._task(
            caller, "video", asked.source_info.source, text=info.title, privacy=info.privacy_level, options=options
        )
        return self._begin(request, task, asked.source_info)

    def initialize_inbox_video(self, request: Request, caller: Caller) -> Response:
        asked = self._decode(request, InitializeInboxVideo)
        self._check_pending(caller)
        options: dict[str, object] = {"post_type": "video", "post_mode": "MEDIA_UPLOAD"}
        task = self._task(caller, "video", asked.source_info.source, inbox=True, options=options)
        return self._begin(request, task, asked.source_info)

    def initialize_content(self, request: Request, caller: Caller) -> Response:
        asked = self._decode(request, InitializeContent)
        info, source = asked.post_info, asked.source_info
        if utf16_length(info.title) > _MOST_TITLE or utf16_length(info.description) > _MOST_DESCRIPTION:
            raise self._state.invalid("The title or the description is too long")
        if source.photo_cover_index >= len(source.photo_images):
            raise self._state.invalid("The photo cover index is out of range")
        inbox = asked.post_mode == "MEDIA_UPLOAD"
        self._require_scope(caller, "video.upload" if inbox else "video.publish")
        privacy = ""
        if inbox:
            self._check_pending(caller)
        elif info.privacy_level is UNSET:
            raise self._state.invalid("The privacy level is required")
        else:
            privacy = info.privacy_level
            self._check_direct(caller, privacy, branded=info.brand_content_toggle)
        for url in source.photo_images:
            self._check_ownership(url)
        options: dict[str, object] = {
            "post_type": "photo",
            "post_mode": asked.post_mode,
            "title": info.title,
            "photo_cover_index": source.photo_cover_index,
            "auto_add_music": info.auto_add_music,
            "disable_comment": info.disable_comment,
            "brand_content_toggle": info.brand_content_toggle,
            "brand_organic_toggle": info.brand_organic_toggle,
            "is_aigc": asked.is_aigc,
        }
        if privacy:
            options["privacy_level"] = privacy
        task = self._task(
            caller,
            "photo",
            source.source,
            inbox=inbox,
            text=info.description,
            privacy=privacy,
            options=options,
        )
        self._add(task)
        pull(self._state, task, source.photo_images)
        return success({"publish_id": task.publish_id})

    def status(self, request: Request, caller: Caller) -> Response:
        task = self._owned(request, caller)
        now = self._state.now
        status = task.status(now)
        data: dict[str, object] = {"status": status, "fail_reason": "", "publicaly_available_post_id": []}
        if status == "FAILED":
            data["fail_reason"] = task.failure
        if task.is_public(now) and task.post is not None:
            data["publicaly_available_post_id"] = [int(task.post.id)]
        if task.pulled:
            data["downloaded_bytes"] = task.downloaded
        elif task.received or self._state.settings.uploaded_bytes_shown:
            data["uploaded_bytes"] = task.received
        return success(data)

    def cancel(self, request: Request, caller: Caller) -> Response:
        task = self._owned(request, caller)
        if task.decided_at is not None:
            raise refused("publish_not_cancellable")
        task.decided_at, task.failure = self._state.now, "publish_cancelled"
        return success({})

    # --- what may be posted ---------------------------------------------------------------------------

    def _levels(self, caller: Caller) -> list[str]:
        return _PRIVATE_LEVELS if self._state.creator(caller.account).private else _PUBLIC_LEVELS

    def _cap(self, caller: Caller) -> str | None:
        """The code of the daily cap that is reached."""
        settings, since = self._state.settings, self._state.now - DAY
        direct = [task for task in self._state.tasks.values() if not task.inbox and task.created_at > since]
        posted = [task for task in direct if task.caller.account.id == caller.account.id and task.post is not None]
        if len(posted) >= settings.posts_per_day:
            return "spam_risk_too_many_posts"
        users = {task.caller.account.id for task in direct}
        most = settings.active_users_per_day
        if not settings.audited:
            most = _UNAUDITED_USERS if most is None else min(most, _UNAUDITED_USERS)
        if most is not None and caller.account.id not in users and len(users) >= most:
            return "reached_active_user_cap"
        return None

    def _check_direct(self, caller: Caller, privacy: str, *, branded: bool) -> None:
        """Raises RefusedError when the creator may not post this, or nothing more today."""
        private = self._state.creator(caller.account).private
        if not self._state.settings.audited and not (private and privacy == "SELF_ONLY"):
            raise refused("unaudited_client_can_only_post_to_private_accounts")
        if privacy not in self._levels(caller):
            raise refused("privacy_level_option_mismatch")
        if branded and privacy == "SELF_ONLY" and not self._state.settings.branded_self_only:
            raise self._state.invalid("Branded content cannot be private")
        cap = self._cap(caller)
        if cap is not None:
            raise refused(cap)

    def _check_pending(self, caller: Caller) -> None:
        recent = self._state.tasks_of(caller.account.id, since=self._state.now - DAY)
        if sum(task.inbox for task in recent) >= self._state.settings.pending_shares_per_day:
            raise refused("spam_risk_too_many_pending_share")

    def _check_ownership(self, url: str) -> None:
        if not is_verified(url, self._state.settings.verified):
            raise refused("url_ownership_unverified")

    @staticmethod
    def _require_scope(caller: Caller, scope: str) -> None:
        if scope not in caller.token.scopes:
            raise refused("scope_not_authorized")

    # --- tasks ----------------------------------------------------------------------------------------

    def _task(
        self,
        caller: Caller,
        kind: str,
        source: str,
        *,
        inbox: bool = False,
        text: str = "",
        privacy: str = "",
        options: dict[str, object],
    ) -> Task:
        pulled = source == "PULL_FROM_URL"
        prefix = "p" if kind == "photo" else "v_inbox" if inbox else "v_pub"
        middle = ("_pub_url" if kind == "photo" else "_url") if pulled else "_file"
        return Task(
            publish_id=f"{prefix}{middle}~v2-1.{self._state.ids.next()}",
            caller=caller,
            kind="photo" if kind == "photo" else "video",
            inbox=inbox,
            pulled=pulled,
            created_at=self._state.now,
            text=text,
            privacy=privacy,
            options=options,
        )

    def _add(self, task: Task) -> None:
        self._state.tasks[task.publish_id] = task

    def _begin(self, request: Request, task: Task, source: VideoSource) -> Response:
        if task.pulled:
            if source.video_url is UNSET:
                raise self._state.invalid("The video url is required")
            self._check_ownership(source.video_url)
            self._add(task)
            pull(self._state, task, [source.video_url])
            return success({"publish_id": task.publish_id})
        if source.video_size is UNSET or source.chunk_size is UNSET or source.total_chunk_count is UNSET:
            raise self._state.invalid("The video size, the chunk size and the total chunk count are required")
        _check_chunks(source.video_size, source.chunk_size, source.total_chunk_count, self._state.invalid)
        task.size, task.chunk_size, task.chunk_count = source.video_size, source.chunk_size, source.total_chunk_count
        task.upload_token = new_token()
        task.upload_expires_at = self._state.now + self._state.settings.upload_url_seconds
        self._add(task)
        upload_id = str(self._state.ids.next())
        self._state.uploads[upload_id] = task
        base = self._state.settings.upload_base or f"{request.base_url}/upload"
        url = f"{base}/video/?upload_id={upload_id}&upload_token={task.upload_token}"
        return success({"publish_id": task.publish_id, "upload_url": url})

    def _owned(self, request: Request, caller: Caller) -> Task:
        asked = self._decode(request, PublishId)
        task = self._state.tasks.get(asked.publish_id)
        kept = self._state.settings.publish_id_seconds
        if task is None or (kept is not None and task.created_at + kept <= self._state.now):
            raise refused("invalid_publish_id")
        if task.caller.account.id != caller.account.id:
            raise refused("token_not_authorized_for_specified_publish_id")
        return task

    def _decode(self, request: Request, expected: type[T]) -> T:
        return decode(request, expected, self._state.settings.invalid_params_code)


def _check_chunks(size: int, chunk: int, count: int, invalid: Callable[[str], RefusedError]) -> None:
    """The media transfer guide, with the messages that were seen in production. Raises RefusedError."""
    if size > _LARGEST_VIDEO:
        raise invalid("The video is too large")
    if count == 1:
        if chunk != size or size > _LARGEST_CHUNK:
            raise invalid("The chunk size is invalid")
        return
    if not _SMALLEST_CHUNK <= chunk <= _LARGEST_CHUNK:
        raise invalid("The chunk size is invalid")
    if count != math.floor(size / chunk) or count > _MOST_CHUNKS:
        raise invalid("The total chunk count is invalid")
    if size - (count - 1) * chunk > _LARGEST_LAST_CHUNK:
        raise invalid("The chunk size is invalid")
