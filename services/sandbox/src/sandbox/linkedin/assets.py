"""Images, documents and videos on their way into a post."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sandbox.inspection import Inspected
from sandbox.ledger import PublishedMedia
from sandbox.tokens import AccessToken

AssetKind = Literal["image", "document", "video"]
Status = Literal["WAITING_UPLOAD", "PROCESSING", "AVAILABLE", "PROCESSING_FAILED"]

PART_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """An uploaded range of a video. ``tag`` is the ETag that the client hands back."""

    tag: str
    content: bytes


@dataclass(slots=True)
class Asset:
    """One media URN.

    Attributes:
        total_bytes: declared size of a video; None for the others.
        token: what the upload was initialized with; uploads count against its quotas.
        signature: what makes the upload URLs valid, until ``expires_at``.
        upload_token: to be echoed when a video of several parts is finalized.
        sha256: of the bytes as assembled; empty until the upload is complete.
    """

    urn: str
    kind: AssetKind
    owner: str
    token: AccessToken
    signature: str
    expires_at: float
    total_bytes: int | None = None
    upload_token: str = ""
    parts: dict[int, Part] = field(default_factory=dict)
    size: int = 0
    sha256: str = ""
    inspected: Inspected | None = None
    ready_at: float | None = None
    failure: str | None = None

    @property
    def id(self) -> str:
        return self.urn.rpartition(":")[2]

    @property
    def part_count(self) -> int:
        return 1 if self.total_bytes is None else -(-self.total_bytes // PART_BYTES)

    def part_range(self, index: int) -> tuple[int, int]:
        """First and last byte of a part of a video."""
        total = self.total_bytes or 0
        return index * PART_BYTES, min((index + 1) * PART_BYTES, total) - 1

    def status(self, now: float) -> Status:
        if self.ready_at is None:
            return "WAITING_UPLOAD"
        if now < self.ready_at:
            return "PROCESSING"
        return "AVAILABLE" if self.failure is None else "PROCESSING_FAILED"

    def published(self, alt_text: str | None, title: str | None) -> PublishedMedia:
        inspected = self.inspected
        return PublishedMedia(
            id=self.urn,
            kind=self.kind,
            content_type=inspected.content_type if inspected else "application/octet-stream",
            bytes=self.size,
            sha256=self.sha256,
            width=inspected.width if inspected else None,
            height=inspected.height if inspected else None,
            duration=inspected.duration if inspected else None,
            alt_text=alt_text,
            title=title,
        )
