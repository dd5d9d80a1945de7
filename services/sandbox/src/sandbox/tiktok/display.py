"""Display API: the profile, the creator's public videos, their counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import UNSET

from sandbox.accounts import Account
from sandbox.ledger import Post
from sandbox.tiktok.bodies import VideoList, VideoQuery, decode
from sandbox.tiktok.errors import refused, success
from sandbox.tiktok.state import PLATFORM, Caller, State, Task
from sandbox.web import Request, Response

Json = dict[str, object]

_LONGEST_TEXT = 150
_PROFILE: dict[str, tuple[str, Callable[[Account, State], object]]] = {
    "open_id": ("user.info.basic", lambda account, _: account.id),
    "union_id": ("user.info.basic", lambda account, _: f"union-{account.id}"),
    "avatar_url": ("user.info.basic", lambda account, _: f"https://p16-sign.tiktokcdn.com/{account.id}/168.webp"),
    "avatar_url_100": ("user.info.basic", lambda account, _: f"https://p16-sign.tiktokcdn.com/{account.id}/100.webp"),
    "avatar_large_url": ("user.info.basic", lambda account, _: f"https://p16-sign.tiktokcdn.com/{account.id}/720.webp"),
    "display_name": ("user.info.basic", lambda account, _: account.display_name),
    "bio_description": ("user.info.profile", lambda _account, _: ""),
    "profile_deep_link": ("user.info.profile", lambda account, _: f"https://vm.tiktok.com/{account.username}"),
    "is_verified": ("user.info.profile", lambda _account, _: False),
    "username": ("user.info.profile", lambda account, _: account.username),
    "follower_count": ("user.info.stats", lambda account, _: account.followers),
    "following_count": ("user.info.stats", lambda _account, _: 0),
    "likes_count": ("user.info.stats", lambda account, state: sum(_likes(_posts(account, state)))),
    "video_count": ("user.info.stats", lambda account, state: len(_posts(account, state))),
}
_VIDEO: dict[str, Callable[[Post, Task, Account], object]] = {
    "id": lambda post, _task, _account: post.id,
    "create_time": lambda post, _task, _account: int(post.created_at),
    "cover_image_url": lambda post, _task, _account: f"https://p16-sign.tiktokcdn.com/obj/{post.id}.jpeg",
    "share_url": lambda post, task, account: (
        f"https://www.tiktok.com/@{account.username}/{task.kind}/{post.id}?utm_campaign=tt4d_open_api&utm_source=sandbox"
    ),
    "video_description": lambda post, _task, _account: post.text[:_LONGEST_TEXT],
    "duration": lambda post, _task, _account: int(post.media[0].duration or 0) if post.media else 0,
    "height": lambda post, _task, _account: post.media[0].height if post.media else 0,
    "width": lambda post, _task, _account: post.media[0].width if post.media else 0,
    "title": lambda post, _task, _account: str(post.options.get("title") or post.text)[:_LONGEST_TEXT],
    "embed_html": lambda post, _task, _account: f"<blockquote data-video-id={post.id}></blockquote>",
    "embed_link": lambda post, _task, _account: f"https://www.tiktok.com/player/v1/{post.id}",
    "like_count": lambda post, _task, _account: post.metrics.get("likes", 0),
    "comment_count": lambda post, _task, _account: post.metrics.get("replies", 0),
    "share_count": lambda post, _task, _account: post.metrics.get("reposts", 0),
    "view_count": lambda post, _task, _account: post.metrics.get("impressions", 0),
    "is_aigc": lambda post, _task, _account: post.options.get("is_aigc", False),
}


class Display:
    def __init__(self, state: State) -> None:
        self._state = state

    def user_info(self, request: Request, caller: Caller) -> Response:
        user: Json = {}
        for name in self._fields(request, _PROFILE):
            scope, value = _PROFILE[name]
            if scope not in caller.token.scopes:
                raise refused("scope_not_authorized")
            user[name] = value(caller.account, self._state)
        return success({"user": user})

    def list_videos(self, request: Request, caller: Caller) -> Response:
        """Newest first; the cursor is a time in milliseconds."""
        fields = self._fields(request, _VIDEO)
        asked = decode(request, VideoList, self._state.settings.invalid_params_code)
        before = asked.cursor if asked.cursor is not UNSET else None
        found = [
            (post, task)
            for post, task in reversed(self._public(caller))
            if before is None or int(post.created_at * 1000) < before
        ]
        page = found[: asked.max_count]
        return success(
            {
                "videos": [_shown(post, task, caller.account, fields) for post, task in page],
                "cursor": int(page[-1][0].created_at * 1000) if page else int(self._state.now * 1000),
                "has_more": len(found) > len(page),
            }
        )

    def query_videos(self, request: Request, caller: Caller) -> Response:
        """Ids that are unknown or somebody else's are left out."""
        fields = self._fields(request, _VIDEO)
        asked = decode(request, VideoQuery, self._state.settings.invalid_params_code)
        wanted = frozenset(asked.filters.video_ids)
        videos = [
            _shown(post, task, caller.account, fields) for post, task in self._public(caller) if post.id in wanted
        ]
        return success({"videos": videos})

    def _public(self, caller: Caller) -> list[tuple[Post, Task]]:
        settings, now = self._state.settings, self._state.now
        return [
            (task.post, task)
            for task in self._state.tasks.values()
            if task.caller.account.id == caller.account.id
            and task.post is not None
            and task.is_public(now)
            and (task.kind == "video" or settings.photos_listed)
        ]

    def _fields(self, request: Request, known: Iterable[str]) -> list[str]:
        fields = [name for name in request.query.get("fields", "").split(",") if name]
        unknown = [name for name in fields if name not in known]
        if not fields or unknown:
            raise self._state.invalid(f"Invalid fields are requested: {', '.join(unknown)}")
        return fields


def _shown(post: Post, task: Task, account: Account, fields: Iterable[str]) -> Json:
    return {name: _VIDEO[name](post, task, account) for name in fields}


def _posts(account: Account, state: State) -> list[Post]:
    """What waits in the inbox is not posted."""
    posts = state.world.ledger.posts(PLATFORM, account.id)
    return [post for post in posts if post.options.get("post_mode") == "DIRECT_POST"]


def _likes(posts: Iterable[Post]) -> Iterable[int]:
    return (post.metrics.get("likes", 0) for post in posts)
