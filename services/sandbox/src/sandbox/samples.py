"""Small real media files, made on the spot: so that a post in development can name its media by URL."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

_MACROBLOCK = 16
_LARGEST_SIDE = 4096
_LARGEST_FILE = 64 * 1024 * 1024


class UnfitSampleError(ValueError):
    """No such file can be made."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A kind of file. ``draw`` takes width, height, a shade from 0 to 255, seconds and padding bytes."""

    content_type: str
    draw: Callable[[int, int, int, int, int], bytes]
    overhead: int

    def render(self, w: int = 320, h: int = 240, bytes: int = 0, shade: int = 96, seconds: int = 3) -> bytes:  # noqa: A002 - the query's names
        """The file. Equal arguments give equal bytes.

        Args:
            w, h: pixels, 1 to 4096 (video: multiples of 16).
            bytes: the exact size to pad to; 0 leaves the file as small as it is.
            shade: makes files differ.
            seconds: videos only.

        Raises:
            UnfitSampleError: the arguments are out of range or the file cannot be that small.
        """
        if not (0 < w <= _LARGEST_SIDE and 0 < h <= _LARGEST_SIDE and 0 <= shade <= 255 and 0 < seconds <= 600):
            raise UnfitSampleError("w and h go from 1 to 4096, shade from 0 to 255, seconds from 1 to 600")
        file = self.draw(w, h, shade, seconds, 0)
        if bytes == 0:
            return file
        padding = bytes - len(file) - self.overhead
        if padding < 0 or bytes > _LARGEST_FILE:
            raise UnfitSampleError(f"bytes goes from {len(file) + self.overhead} to {_LARGEST_FILE}")
        return self.draw(w, h, shade, seconds, padding + self.overhead)


def _png(width: int, height: int, shade: int, _seconds: int, padding: int) -> bytes:
    """A diagonal grey gradient (W3C PNG, 8-bit greyscale)."""
    ramp = bytes(x * 64 // width for x in range(width))
    brighter = [bytes((level + step + shade) & 255 for level in range(256)) for step in range(64)]
    rows = b"".join(b"\0" + ramp.translate(brighter[y * 64 // height]) for y in range(height))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    if padding:
        # A private, ancillary, safe-to-copy chunk: readers must skip it.
        chunks.insert(1, (b"paDd", bytes(padding - 12)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


class _Bits:
    """A bit string, most significant bit first."""

    def __init__(self) -> None:
        self._bits: list[str] = []

    def put(self, value: int, width: int) -> None:
        self._bits.append(f"{value:0{width}b}")

    def unsigned(self, value: int) -> None:
        """Exp-Golomb code ue(v) (ITU-T H.264 §9.1)."""
        code = f"{value + 1:b}"
        self._bits.append("0" * (len(code) - 1) + code)

    def signed(self, value: int) -> None:
        """Exp-Golomb code se(v) (ITU-T H.264 §9.1.1)."""
        self.unsigned(2 * value - 1 if value > 0 else -2 * value)

    def bytes(self, fill: str) -> bytes:
        """Whole bytes, the last one filled up with ``fill`` bits."""
        bits = "".join(self._bits)
        bits += fill * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _jpeg(width: int, height: int, shade: int, _seconds: int, padding: int) -> bytes:
    """One flat grey (ITU-T T.81 baseline): a first DC coefficient, then nothing but ends of blocks."""
    blocks = -(-width // 8) * -(-height // 8)
    bits = _Bits()
    level = (shade - 128) * 8 // 16
    category = abs(level).bit_length()
    bits.put(category, 4)
    if category:
        bits.put(level if level > 0 else level + (1 << category) - 1, category)
    bits.put(0, 1)
    for _ in range(blocks - 1):
        bits.put(0, 4)
        bits.put(0, 1)
    scan = bits.bytes("1").replace(b"\xff", b"\xff\0")
    segments = [
        (0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
        (0xDB, b"\0" + bytes([16] * 64)),
        (0xC0, struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\0"),
        # DC categories 0 to 11 as codes of four bits, and end-of-block as a code of one bit.
        (0xC4, b"\x00" + bytes([0, 0, 0, 12] + [0] * 12) + bytes(range(12))),
        (0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\0"),
    ]
    comments: list[tuple[int, bytes]] = []
    while padding:
        size = min(padding, 65_000)
        if 0 < padding - size < 4:
            size -= 4
        comments.append((0xFE, bytes(size - 4)))
        padding -= size
    return (
        b"\xff\xd8"
        + b"".join(
            struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data
            for marker, data in (segments[0], *comments, *segments[1:])
        )
        + struct.pack(">BBH", 0xFF, 0xDA, 8)
        + b"\x01\x01\0\0\x3f\0"
        + scan
        + b"\xff\xd9"
    )


def _unit(reference: int, kind: int, payload: bytes) -> bytes:
    """A NAL unit with its length in front and emulation prevented (ITU-T H.264 §7.3.1)."""
    payload = re.sub(rb"\0\0(?=[\0-\3])", b"\0\0\3", payload)
    unit = bytes([reference << 5 | kind]) + payload
    return struct.pack(">I", len(unit)) + unit


def _sequence_parameters(width: int, height: int) -> bytes:
    bits = _Bits()
    bits.put(66, 8)
    bits.put(0xC0, 8)
    bits.put(40, 8)
    for value in (0, 0, 2, 1):
        bits.unsigned(value)
    bits.put(0, 1)
    bits.unsigned(width // _MACROBLOCK - 1)
    bits.unsigned(height // _MACROBLOCK - 1)
    bits.put(0b11001, 5)
    return bits.bytes("0")


def _picture_parameters() -> bytes:
    bits = _Bits()
    bits.unsigned(0)
    bits.unsigned(0)
    bits.put(0, 2)
    for value in (0, 0, 0):
        bits.unsigned(value)
    bits.put(0, 3)
    for value in (0, 0, 0):
        bits.signed(value)
    bits.put(0b0001, 4)
    return bits.bytes("0")


def _first_picture(width: int, height: int, shade: int) -> bytes:
    """An IDR picture of uncompressed macroblocks."""
    head = _Bits()
    for value in (0, 7, 0):
        head.unsigned(value)
    head.put(0, 4)
    head.unsigned(0)
    head.put(0, 2)
    head.signed(0)
    # mb_type I_PCM, then alignment; after the first macroblock this fills exactly two bytes.
    head.unsigned(25)
    columns, rows = width // _MACROBLOCK, height // _MACROBLOCK
    following = _Bits()
    following.unsigned(25)
    lead_in, lead = head.bytes("0"), following.bytes("0")
    macroblocks = []
    for index in range(columns * rows):
        level = 16 + (index % columns * 96 // columns + index // columns * 96 // rows + shade) % 220
        macroblocks.append((lead if index else lead_in) + bytes([level]) * 256 + b"\x80" * 128)
    return b"".join(macroblocks) + b"\x80"


def _repeated_picture(macroblocks: int, number: int) -> bytes:
    """A P picture in which every macroblock is skipped."""
    bits = _Bits()
    for value in (0, 5, 0):
        bits.unsigned(value)
    bits.put(number % 16, 4)
    bits.put(0b000, 3)
    bits.signed(0)
    bits.unsigned(macroblocks)
    bits.put(1, 1)
    return bits.bytes("0")


def _box(kind: bytes, *payload: bytes) -> bytes:
    content = b"".join(payload)
    return struct.pack(">I4s", len(content) + 8, kind) + content


_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def _mp4(width: int, height: int, shade: int, seconds: int, padding: int) -> bytes:
    """Silent H.264 Baseline video of one still, 25 frames a second (ISO/IEC 14496-12 and -15)."""
    if width % _MACROBLOCK or height % _MACROBLOCK:
        raise UnfitSampleError("the sides of a video are multiples of 16")
    scale, step = 1000, 40
    duration = seconds * scale
    count = duration // step
    macroblocks = width * height // _MACROBLOCK**2
    pictures = [_unit(3, 5, _first_picture(width, height, shade))]
    pictures += [_unit(2, 1, _repeated_picture(macroblocks, number)) for number in range(1, count)]
    sequence = bytes([3 << 5 | 7]) + _sequence_parameters(width, height)
    picture = bytes([3 << 5 | 8]) + _picture_parameters()

    file_type = _box(b"ftyp", b"isom", struct.pack(">I", 512), b"isomiso2avc1mp41")
    free = _box(b"free", bytes(padding - 8)) if padding else b""
    media = _box(b"mdat", *pictures)
    media_offset = len(file_type) + len(free) + 8
    configuration = _box(
        b"avcC",
        b"\1" + sequence[1:4] + b"\xff\xe1",
        struct.pack(">H", len(sequence)),
        sequence,
        b"\1",
        struct.pack(">H", len(picture)),
        picture,
    )
    entry = _box(
        b"avc1",
        bytes(6) + struct.pack(">H", 1) + bytes(16),
        struct.pack(">HHIIIH", width, height, 0x480000, 0x480000, 0, 1),
        bytes(32) + struct.pack(">Hh", 24, -1),
        configuration,
    )
    table = _box(
        b"stbl",
        _box(b"stsd", struct.pack(">II", 0, 1), entry),
        _box(b"stts", struct.pack(">IIII", 0, 1, count, step)),
        _box(b"stss", struct.pack(">III", 0, 1, 1)),
        _box(b"stsc", struct.pack(">IIIII", 0, 1, 1, count, 1)),
        _box(b"stsz", struct.pack(f">III{count}I", 0, 0, count, *map(len, pictures))),
        _box(b"stco", struct.pack(">III", 0, 1, media_offset)),
    )
    information = _box(
        b"minf",
        _box(b"vmhd", struct.pack(">I", 1) + bytes(8)),
        _box(b"dinf", _box(b"dref", struct.pack(">II", 0, 1), _box(b"url ", struct.pack(">I", 1)))),
        table,
    )
    track = _box(
        b"trak",
        _box(
            b"tkhd",
            struct.pack(">IIIIII", 3, 0, 0, 1, 0, duration),
            bytes(16),
            _MATRIX,
            struct.pack(">II", width << 16, height << 16),
        ),
        _box(
            b"mdia",
            _box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, scale, duration, 0x55C4, 0)),
            _box(b"hdlr", bytes(8), b"vide", bytes(12), b"video\0"),
            information,
        ),
    )
    movie = _box(
        b"moov",
        _box(
            b"mvhd",
            struct.pack(">IIIIIIH", 0, 0, 0, scale, duration, 0x10000, 0x100),
            bytes(10),
            _MATRIX,
            bytes(24),
            struct.pack(">I", 2),
        ),
        track,
    )
    return file_type + free + media + movie


def _pdf(_width: int, _height: int, _shade: int, _seconds: int, padding: int) -> bytes:
    """One empty page."""
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>",
    )
    file = b"%PDF-1.4\n" + (b"%" + b" " * (padding - 2) + b"\n" if padding else b"")
    offsets: list[int] = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(file))
        file += b"%d 0 obj%s\nendobj\n" % (number, content)
    entries: Iterable[bytes] = (b"%010d 00000 n \n" % offset for offset in offsets)
    return (
        file
        + b"xref\n0 4\n0000000000 65535 f \n"
        + b"".join(entries)
        + b"trailer<</Size 4/Root 1 0 R>>\nstartxref\n%010d\n%%%%EOF\n" % len(file)
    )


def _gif(width: int, height: int, shade: int, _seconds: int, padding: int) -> bytes:
    """Two flat greys, in turns (GIF89a). The codes of a compressor that never gets to compress are the pixels."""
    palette = bytes((level + shade) & 255 for level in range(128) for _ in range(3))
    comments = b""
    while padding:
        size = min(padding, 200)
        if 0 < padding - size < 5:
            size -= 5
        comments += b"\x21\xfe" + bytes([size - 4]) + b" " * (size - 4) + b"\0"
        padding -= size
    frames = b""
    for level in (0, 64):
        # A code for "begin anew" comes before there would be codes of nine bits.
        codes = b"".join(
            b"\x80" + bytes([level]) * min(100, width * height - at) for at in range(0, width * height, 100)
        )
        codes += b"\x81"
        blocks = b"".join(bytes([len(codes[at : at + 255])]) + codes[at : at + 255] for at in range(0, len(codes), 255))
        frames += b"\x21\xf9\4\0" + struct.pack("<H", 50) + b"\0\0"
        frames += b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\7" + blocks + b"\0"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF6, 0, 0) + palette + comments + frames + b"\x3b"


def _kept(draw: Callable[[int, int, int, int, int], bytes]) -> Callable[[int, int, int, int, int], bytes]:
    return lru_cache(maxsize=32)(draw)


SAMPLES: dict[str, Sample] = {
    "image.png": Sample("image/png", _kept(_png), overhead=12),
    "image.jpg": Sample("image/jpeg", _kept(_jpeg), overhead=4),
    "image.gif": Sample("image/gif", _kept(_gif), overhead=5),
    "video.mp4": Sample("video/mp4", _kept(_mp4), overhead=8),
    "document.pdf": Sample("application/pdf", _kept(_pdf), overhead=2),
}
