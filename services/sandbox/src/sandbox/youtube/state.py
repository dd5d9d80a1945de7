"""What the parts of the simulated YouTube share."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Literal

from sandbox.accounts import Account
from sandbox.ledger import Post
from sandbox.tokens import AccessToken
from sandbox.world import World
from sandbox.youtube.bodies import VideoBody
from sandbox.youtube.errors import not_found
from sandbox.youtube.settings import YouTubeSettings

PLATFORM = "youtube"

Outcome = Literal["processed", "failed", "rejected"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, with which token."""

    token: AccessToken
    account: Account


@dataclass(slots=True)
class Session:
    """A resumable upload: what was asked for it, and the bytes so far.

    Attributes:
        upload_id: whoever knows it may go on with the upload.
        total: the size that was announced; None until the last chunk tells it.
        chunk: the size of the chunks so far.
        video: made of it by its last byte.
    """

    upload_id: str
    account: str
    parts: tuple[str, ...]
    asked: VideoBody
    content_type: str
    opened_at: float
    total: int | None
    notify: bool
    chunk: int | None = None
    received: bytearray = field(default_factory=bytearray)
    video: str | None = None


@dataclass(slots=True)
class Video:
    """A video on a channel.

    Attributes:
        ready_at: when processing ends, in ``outcome`` with ``reason``.
        duration: seconds; None when the file could not be read.
    """

    post: Post
    asked: VideoBody
    outcome: Outcome
    reason: str | None
    ready_at: float
    height: int | None
    duration: float | None
    thumbnail: str | None = None

    @property
    def id(self) -> str:
        return self.post.id

    @property
    def channel(self) -> str:
        return self.post.account

    def upload_status(self, now: float) -> str:
        return self.outcome if self.ready_at <= now else "uploaded"

    def privacy(self, now: float) -> str:
        status = self.asked.status
        at = status.publishes_at
        return "public" if at is not None and at <= now else status.privacy_status or "public"


@dataclass(slots=True)
class PlaylistItem:
    id: str
    video: str
    added_at: float


@dataclass(slots=True)
class Playlist:
    id: str
    channel: str
    title: str
    privacy: str
    created_at: float
    items: list[PlaylistItem] = field(default_factory=list)


class State:
    """Videos, sessions, playlists and comments. Comments are the ledger's posts with a parent."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.settings = YouTubeSettings()
        self.sessions: dict[str, Session] = {}
        self.videos: dict[str, Video] = {}
        self.deleted: set[str] = set()
        self.playlists: dict[str, Playlist] = {}
        self.comments: dict[str, Post] = {}

    @property
    def now(self) -> float:
        return self.world.clock.now()

    def of_channel(self, channel: str) -> list[Video]:
        """The videos that reads show, newest first. One that could not be processed stays until it is deleted."""
        return [video for video in reversed(self.videos.values()) if video.channel == channel and self._shows(video)]

    def seen(self, video_id: str, viewer: str) -> Video | None:
        """The video, if this channel may see it: others do not see what is private or not processed."""
        video = self.videos.get(video_id)
        if video is None or not self._shows(video):
            return None
        if video.channel == viewer:
            return video
        now = self.now
        open_to_others = video.privacy(now) != "private" and video.upload_status(now) == "processed"
        return video if open_to_others else None

    def owned(self, video_id: str, caller: Caller) -> Video | None:
        """The caller's own video."""
        video = self.seen(video_id, caller.account.id)
        return video if video is not None and video.channel == caller.account.id else None

    def need_video(self, video_id: str, caller: Caller, location: str) -> Video:
        """Raises RefusedError (404)."""
        video = self.seen(video_id, caller.account.id)
        if video is None:
            message = (
                'The video identified by the <code><a href="/youtube/v3/docs/videos/list#id">videoId</a></code> '
                "parameter could not be found."
            )
            raise not_found("video", message, location)
        return video

    def _shows(self, video: Video) -> bool:
        return video.id not in self.deleted and video.post.visible_at <= self.now


def uploads_playlist(channel: str) -> str:
    return "UU" + channel[2:]


def channel_of_uploads(playlist: str) -> str:
    return "UC" + playlist[2:]


def new_etag() -> str:
    return secrets.token_urlsafe(20)
