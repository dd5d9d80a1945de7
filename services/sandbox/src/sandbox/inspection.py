"""Reading what a media file is from its first bytes and headers, as the platforms do."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a file is.

    Attributes:
        content_type: by content, not by name.
        frames: of an animation, counted; 1 for a still image.
        duration: seconds, videos only.
    """

    content_type: str
    width: int | None = None
    height: int | None = None
    frames: int = 1
    duration: float | None = None


def inspect(content: bytes) -> Inspected | None:
    """What the file is; None when it is nothing that a platform takes, or broken."""
    try:
        if content.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png(content)
        if content.startswith(b"\xff\xd8"):
            return _jpeg(content)
        if content[:6] in (b"GIF87a", b"GIF89a"):
            return _gif(content)
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            return Inspected("image/webp")
        if content[4:8] == b"ftyp":
            return _mp4(content)
        if content.startswith(b"%PDF-"):
            return Inspected("application/pdf")
    except (struct.error, IndexError):
        return None
    return None


def _png(content: bytes) -> Inspected | None:
    if content[12:16] != b"IHDR" or b"IEND" not in content[-12:]:
        return None
    width, height = struct.unpack_from(">II", content, 16)
    return Inspected("image/png", width, height)


def _jpeg(content: bytes) -> Inspected | None:
    position = 2
    while position < len(content):
        marker, length = struct.unpack_from(">xBH", content, position)
        # SOF0–SOF15 carry the size; C4, C8 and CC in that range are tables (ITU-T T.81, table B.1).
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", content, position + 5)
            return Inspected("image/jpeg", width, height)
        position += 2 + length
    return None


def _gif(content: bytes) -> Inspected | None:
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    position = 13 + _colour_table(flags)
    frames = 0
    while content[position] != 0x3B:
        if content[position] == 0x2C:
            frames += 1
            position += 10 + _colour_table(content[position + 9]) + 1
        else:
            position += 2
        while content[position]:
            position += content[position] + 1
        position += 1
    return Inspected("image/gif", width, height, frames)


def _colour_table(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _mp4(content: bytes) -> Inspected | None:
    movie = next((payload for kind, payload in _boxes(content) if kind == b"moov"), None)
    if movie is None:
        return None
    duration: float | None = None
    size = (0, 0)
    for kind, payload in _boxes(movie):
        if kind == b"mvhd":
            long = payload[0] == 1
            scale, units = struct.unpack_from(">IQ" if long else ">II", payload, 20 if long else 12)
            duration = units / scale if scale else None
        elif kind == b"trak" and size == (0, 0):
            header = next((inner for name, inner in _boxes(payload) if name == b"tkhd"), None)
            if header is not None:
                # 16.16 fixed point at the end of the box; zero for sound.
                width, height = struct.unpack(">II", header[-8:])
                size = (width >> 16, height >> 16)
    if duration is None or size == (0, 0):
        return None
    content_type = "video/quicktime" if content[8:12] == b"qt  " else "video/mp4"
    return Inspected(content_type, *size, duration=duration)


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes at one level of a file (ISO/IEC 14496-12 §4.2)."""
    position = 0
    while position + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, position)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", content, position + 8)
            head = 16
        elif size == 0:
            size = len(content) - position
        if size < head:
            return
        yield kind, content[position + head : position + size]
        position += size
