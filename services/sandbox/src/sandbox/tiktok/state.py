"""What the parts of the simulated TikTok share."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Literal

from sandbox.accounts import Account
from sandbox.ledger import Post, PublishedMedia
from sandbox.snowflakes import Snowflakes
from sandbox.tiktok.errors import refused
from sandbox.tiktok.limits import SlidingMinutes
from sandbox.tiktok.settings import Creator, TikTokSettings
from sandbox.tokens import AccessToken
from sandbox.web import RefusedError
from sandbox.world import World

PLATFORM = "tiktok"
DAY = 86_400.0
PUBLIC = "PUBLIC_TO_EVERYONE"

Status = Literal["PROCESSING_UPLOAD", "PROCESSING_DOWNLOAD", "SEND_TO_USER_INBOX", "PUBLISH_COMPLETE", "FAILED"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token a request carries."""

    token: AccessToken
    account: Account


@dataclass(slots=True)
class Task:
    """What one init began.

    Attributes:
        inbox: the creator finishes it in the app.
        text: the caption of a video, the description of photos.
        options: what else was asked, as the ledger keeps it.
        size, chunk_size, chunk_count: of an upload; zero when TikTok pulls the files.
        decided_at: when processing ends; None while files are still coming.
        failure: how processing ends, when it does not end well.
        post: what is live then, or in the inbox.
        public_at: when the post's id is shown; None when it never is.
    """

    publish_id: str
    caller: Caller
    kind: Literal["video", "photo"]
    inbox: bool
    pulled: bool
    created_at: float
    text: str = ""
    privacy: str = ""
    options: dict[str, object] = field(default_factory=dict)
    size: int = 0
    chunk_size: int = 0
    chunk_count: int = 0
    upload_token: str = ""
    upload_expires_at: float = 0.0
    chunks: list[bytes] = field(default_factory=list)
    received: int = 0
    downloaded: int = 0
    decided_at: float | None = None
    failure: str | None = None
    post: Post | None = None
    public_at: float | None = None

    def status(self, now: float) -> Status:
        if self.decided_at is None or now < self.decided_at:
            return "PROCESSING_DOWNLOAD" if self.pulled else "PROCESSING_UPLOAD"
        if self.failure is not None:
            return "FAILED"
        return "SEND_TO_USER_INBOX" if self.inbox else "PUBLISH_COMPLETE"

    def is_public(self, now: float) -> bool:
        return self.post is not None and self.public_at is not None and self.public_at <= now

    def chunk_range(self, index: int) -> tuple[int, int]:
        """First and last byte of a chunk; the last chunk takes what the others leave."""
        first = index * self.chunk_size
        last = self.size if index == self.chunk_count - 1 else first + self.chunk_size
        return first, last - 1


class State:
    """Publishing tasks and rate windows.

    Attributes:
        tasks: by publish_id, oldest first.
        uploads: the same by upload_id.
        pulls: downloads that run in the background.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.settings = TikTokSettings()
        self.ids = Snowflakes(world.clock, epoch_ms=0)
        self.tasks: dict[str, Task] = {}
        self.uploads: dict[str, Task] = {}
        self.windows = SlidingMinutes()
        self.pulls: set[asyncio.Task[None]] = set()

    @property
    def now(self) -> float:
        return self.world.clock.now()

    def creator(self, account: Account) -> Creator:
        return self.settings.creators.get(account.username) or Creator()

    def invalid(self, message: str) -> RefusedError:
        return refused(self.settings.invalid_params_code, message)

    def tasks_of(self, account: str, *, since: float) -> list[Task]:
        return [task for task in self.tasks.values() if task.caller.account.id == account and task.created_at > since]

    def complete(self, task: Task, media: list[PublishedMedia], failure: str | None) -> None:
        """All files are there: what becomes of them is decided, and shown when processing ends."""
        account, faults = task.caller.account, self.world.faults
        slow = faults.effect(PLATFORM, account.id, "media_processing_slow")
        seconds = self.settings.processing_seconds if slow is None else slow.script.params.lasting(60.0)
        task.decided_at = self.now + seconds
        failed = faults.effect(PLATFORM, account.id, "media_processing_failed")
        if failed is not None:
            failure = str((failed.script.params.body or {}).get("fail_reason", "file_format_check_failed"))
        if task.caller.token.revoked:
            failure = "auth_removed"
        task.failure = failure
        if failure is not None:
            return
        lag = faults.effect(PLATFORM, account.id, "readback_lag")
        moderated = self.settings.moderation_seconds if lag is None else lag.script.params.lasting(30.0)
        public_at = task.decided_at + moderated
        post_id = str(self.ids.next())
        task.post = Post(
            platform=PLATFORM,
            id=post_id,
            account=account.id,
            text=task.text,
            raw=task.text,
            created_at=self.now,
            visible_at=public_at,
            conversation_id=post_id,
            media=media,
            options={"publish_id": task.publish_id, **task.options},
        )
        if task.privacy == PUBLIC and not task.inbox:
            task.public_at = public_at
        self.world.ledger.add(task.post)


def new_token() -> str:
    return secrets.token_urlsafe(24)
