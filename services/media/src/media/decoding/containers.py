"""Image files taken apart and put together again without what is not the image: comments, EXIF, XMP, places, previews,
and whatever somebody has hidden between or behind the parts. The pixels stay as they were encoded.
"""

import re
import struct
from collections.abc import Callable, Iterator, Mapping

from media.decoding.tasks import RefusedError

_ICC = b"ICC_PROFILE\x00"
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset(
    b"IHDR PLTE tRNS IDAT IEND gAMA cHRM sRGB iCCP cICP sBIT pHYs acTL fcTL fdAT".split(),
)
_WEBP_KEPT = frozenset((b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"))
_GIF_APPLICATIONS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


def _broken(what: str) -> RefusedError:
    return RefusedError("media.broken", f"The file is damaged: {what}.")


def clean(content_type: str, data: bytes) -> bytes:
    """The same image without anything else. Raises RefusedError when the file ends early or makes no sense."""
    try:
        return _CLEANERS[content_type](data)
    except (IndexError, struct.error) as error:
        raise _broken("it ends before its end") from error


def clean_jpeg(data: bytes) -> bytes:
    kept = [data[:2]]
    at = 2
    while True:
        if data[at] != 0xFF:
            raise _broken("there is no marker where one must be")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xD9:
            kept.append(b"\xff\xd9")
            return b"".join(kept)
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:
            at += 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if end < at + 4 or end > len(data):
            raise _broken("a segment is longer than the file")
        segment = data[at:end]
        if _is_wanted(marker, segment[4:]):
            kept.append(segment)
        at = end
        if marker == 0xDA:
            found = _MARKER.search(data, at)
            if found is None:
                raise _broken("it ends before its end")
            kept.append(data[at : found.start()])
            at = found.start()


def _is_wanted(marker: int, payload: bytes) -> bool:
    if marker == 0xE2:
        return payload.startswith(_ICC)
    if marker == 0xE0:
        return payload.startswith(b"JFIF\x00")
    if marker == 0xEE:
        return payload.startswith(b"Adobe")
    return not (0xE0 <= marker <= 0xEF or marker == 0xFE)


def clean_png(data: bytes) -> bytes:
    kept = [_PNG_START]
    at = len(_PNG_START)
    while True:
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            raise _broken("it ends before its end")
        if kind in _PNG_KEPT:
            kept.append(data[at:end])
        if kind == b"IEND":
            return b"".join(kept)
        at = end


def clean_gif(data: bytes) -> bytes:
    flags = data[10]
    at = 13 + (3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0)
    kept = [data[:at]]
    while True:
        match data[at]:
            case 0x3B:
                kept.append(b"\x3b")
                return b"".join(kept)
            case 0x21:
                end = _after_blocks(data, at + 2)
                application = data[at + 1] == 0xFF and data[at + 3 : at + 14] in _GIF_APPLICATIONS
                if data[at + 1] == 0xF9 or application:
                    kept.append(data[at:end])
            case 0x2C:
                colours = data[at + 9]
                end = _after_blocks(data, at + 11 + (3 * 2 ** ((colours & 7) + 1) if colours & 0x80 else 0))
                kept.append(data[at:end])
            case _:
                raise _broken("there is no block where one must be")
        at = end


def _after_blocks(data: bytes, at: int) -> int:
    while size := data[at]:
        at += size + 1
    return at + 1


def clean_webp(data: bytes) -> bytes:
    kept = []
    for kind, chunk in _riff_chunks(data):
        if kind == b"VP8X":
            # No EXIF and no XMP any more.
            kept.append(chunk[:8] + bytes([chunk[8] & ~0x0C]) + chunk[9:])
        elif kind in _WEBP_KEPT:
            kept.append(chunk)
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    (size,) = struct.unpack_from("<I", data, 4)
    if size + 8 > len(data):
        raise _broken("it ends before its end")
    at, end = 12, size + 8
    while at + 8 <= end:
        (length,) = struct.unpack_from("<I", data, at + 4)
        after = at + 8 + length + length % 2
        if at + 8 + length > end:
            raise _broken("a chunk is longer than the file")
        yield data[at : at + 4], data[at:after].ljust(8 + length + length % 2, b"\x00")
        at = after


_CLEANERS: Mapping[str, Callable[[bytes], bytes]] = {
    "image/jpeg": clean_jpeg,
    "image/png": clean_png,
    "image/gif": clean_gif,
    "image/webp": clean_webp,
}
