"""What TikTok finds wrong with files, only after it has taken them."""

from __future__ import annotations

import hashlib

from sandbox.inspection import Inspected, inspect
from sandbox.ledger import PublishedMedia

_MATROSKA = b"\x1a\x45\xdf\xa3"
_SMALLEST_SIDE, _LARGEST_SIDE = 360, 4_096
_LONGEST_VIDEO = 600.0
_LARGEST_PHOTO = 20 * 1024**2
_LONGEST_SHORT_SIDE = 1_080


def unfit_video(content: bytes, longest: float) -> str | None:
    """The reason to fail; None for a video that will do. ``longest``: seconds that the creator may post."""
    if content.startswith(_MATROSKA):
        return None
    found = inspect(content)
    if found is None or found.content_type not in ("video/mp4", "video/quicktime"):
        return "file_format_check_failed"
    if found.duration is None or found.duration > min(longest, _LONGEST_VIDEO):
        return "duration_check_failed"
    sides = (found.width or 0, found.height or 0)
    if min(sides) < _SMALLEST_SIDE or max(sides) > _LARGEST_SIDE:
        return "picture_size_check_failed"
    return None


def unfit_photo(content: bytes) -> str | None:
    found = inspect(content)
    if found is None or found.content_type not in ("image/jpeg", "image/webp") or len(content) > _LARGEST_PHOTO:
        return "file_format_check_failed"
    if found.width is not None and found.height is not None and min(found.width, found.height) > _LONGEST_SHORT_SIDE:
        return "picture_size_check_failed"
    return None


def published(content: bytes, kind: str, number: int) -> PublishedMedia:
    found = inspect(content) or Inspected("video/webm" if kind == "video" else "application/octet-stream")
    return PublishedMedia(
        id=str(number),
        kind=kind,
        content_type=found.content_type,
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        width=found.width,
        height=found.height,
        duration=found.duration,
    )
