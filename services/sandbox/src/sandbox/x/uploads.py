"""Media on its way into a post."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sandbox.accounts import Account
from sandbox.inspection import Inspected
from sandbox.ledger import PublishedMedia

_MB = 1024 * 1024
_KINDS = {
    "tweet_image": ("photo", "3", 5 * _MB, ("image/jpeg", "image/png", "image/webp", "image/gif")),
    "tweet_gif": ("animated_gif", "16", 15 * _MB, ("image/gif",)),
    "tweet_video": ("video", "7", 512 * _MB, ("video/mp4", "video/quicktime")),
    "amplify_video": ("video", "13", 512 * _MB, ("video/mp4", "video/quicktime")),
}
POSTABLE_CATEGORIES = frozenset(_KINDS)
KEPT_BEFORE_FINALIZE = 1_296_000
KEPT_AFTER_FINALIZE = 86_400
LONGEST_VIDEO = 140.0
_LARGEST_VIDEO = (1280, 1024)
_LARGEST_VIDEO_PREMIUM = (1920, 1200)


@dataclass(frozen=True, slots=True)
class File:
    """A complete upload."""

    size: int
    sha256: str
    inspected: Inspected | None


@dataclass(slots=True)
class Upload:
    """One media id.

    Attributes:
        segments: received and not yet assembled, by index.
        ready_at: when processing ends; None for files that need none.
        failure: processing ends in a failure.
    """

    id: str
    owner: str
    shared_with: frozenset[str]
    category: str
    total_bytes: int
    expires_at: float
    segments: dict[int, bytes] = field(default_factory=dict)
    file: File | None = None
    finalized_at: float = 0.0
    ready_at: float | None = None
    failure: str | None = None
    alt_text: str | None = None

    @property
    def kind(self) -> str:
        return _KINDS[self.category][0]

    @property
    def media_key(self) -> str:
        return f"{_KINDS[self.category][1]}_{self.id}"

    @property
    def size_limit(self) -> int:
        return _KINDS[self.category][2]

    @property
    def processed_later(self) -> bool:
        return self.kind != "photo"

    def known_content(self, inspected: Inspected | None) -> bool:
        """Whether the bytes are of a type that the category takes."""
        return inspected is not None and inspected.content_type in _KINDS[self.category][3]

    def processing(self, now: float) -> dict[str, object] | None:
        """``processing_info``; None for media that needs no processing."""
        if self.ready_at is None:
            return None
        if now < self.ready_at:
            elapsed, total = now - self.finalized_at, self.ready_at - self.finalized_at
            waiting = {"check_after_secs": min(5, max(1, math.ceil(self.ready_at - now)))}
            if elapsed * 10 < total:
                return {"state": "pending", **waiting}
            return {"state": "in_progress", "progress_percent": int(100 * elapsed / total), **waiting}
        if self.failure is not None:
            error = {"code": 1, "name": "InvalidMedia", "message": self.failure}
            return {"state": "failed", "progress_percent": 100, "error": error}
        return {"state": "succeeded", "progress_percent": 100}

    def usable_by(self, account: Account, now: float) -> bool:
        """Whether this account may put it in a post now."""
        return (
            self.file is not None
            and self.failure is None
            and now < self.expires_at
            and (self.ready_at is None or self.ready_at <= now)
            and (account.id == self.owner or account.id in self.shared_with)
            and self._within_specification(account.premium)
        )

    def _within_specification(self, premium: bool) -> bool:
        """X reports some files as processed and refuses them only in a post.

        Limits: https://docs.x.com/x-api/media/quickstart/best-practices
        """
        inspected = self.file.inspected if self.file else None
        if inspected is None or inspected.width is None or inspected.height is None:
            return self.kind == "photo"
        width, height = inspected.width, inspected.height
        if self.kind == "animated_gif":
            return (
                width <= 1280
                and height <= 1080
                and inspected.frames <= 350
                and width * height * inspected.frames <= 300_000_000
            )
        if self.kind == "video":
            long, short = max(width, height), min(width, height)
            longest, widest = _LARGEST_VIDEO_PREMIUM if premium else _LARGEST_VIDEO
            return (
                short >= 32 and long <= min(longest, 3 * short) and short <= widest and (inspected.duration or 0) >= 0.5
            )
        return True

    def published(self) -> PublishedMedia:
        if self.file is None:
            raise ValueError("an unfinished upload cannot be published")
        inspected = self.file.inspected
        return PublishedMedia(
            id=self.id,
            kind=self.kind,
            content_type=inspected.content_type if inspected else "application/octet-stream",
            bytes=self.file.size,
            sha256=self.file.sha256,
            width=inspected.width if inspected else None,
            height=inspected.height if inspected else None,
            duration=inspected.duration if inspected else None,
            alt_text=self.alt_text,
        )
