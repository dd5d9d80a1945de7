"""Sample files are what they say, and inspection reads them; both written apart from each other's code."""

from __future__ import annotations

import struct
import zlib

import pytest

from sandbox.inspection import inspect
from sandbox.samples import SAMPLES, UnfitSampleError

TYPES = {
    "image.png": "image/png",
    "image.jpg": "image/jpeg",
    "image.gif": "image/gif",
    "video.mp4": "video/mp4",
    "document.pdf": "application/pdf",
}


@pytest.mark.parametrize("name", TYPES)
def test_samples_have_the_type_size_and_length_they_were_asked_for(name: str) -> None:
    file = SAMPLES[name].render(w=64, h=48, bytes=200_000, seconds=4)
    inspected = inspect(file)
    assert len(file) == 200_000
    assert inspected is not None
    assert inspected.content_type == SAMPLES[name].content_type == TYPES[name]
    if name != "document.pdf":
        assert (inspected.width, inspected.height) == (64, 48)
    assert inspected.duration == (4.0 if name == "video.mp4" else None)


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("extra", range(0, 140_000, 9_973))
def test_every_size_above_the_smallest_can_be_had(name: str, extra: int) -> None:
    smallest = len(SAMPLES[name].render()) + SAMPLES[name].overhead
    assert len(SAMPLES[name].render(bytes=smallest + extra)) == smallest + extra


@pytest.mark.parametrize("name", ["image.png", "image.jpg", "image.gif", "video.mp4"])
def test_shades_make_files_differ_and_nothing_else_does(name: str) -> None:
    sample = SAMPLES[name]
    assert sample.render(shade=10) == sample.render(shade=10) != sample.render(shade=200)


def test_a_png_unpacks_to_its_pixels() -> None:
    file = SAMPLES["image.png"].render(w=30, h=20, bytes=5_000)
    position, pixels, kinds = 8, b"", []
    while position < len(file):
        length, kind = struct.unpack_from(">I4s", file, position)
        content = file[position + 8 : position + 8 + length]
        (checksum,) = struct.unpack_from(">I", file, position + 8 + length)
        assert checksum == zlib.crc32(kind + content)
        pixels += content if kind == b"IDAT" else b""
        kinds.append(kind)
        position += 12 + length
    assert kinds == [b"IHDR", b"paDd", b"IDAT", b"IEND"]
    assert len(zlib.decompress(pixels)) == 20 * (30 + 1)


@pytest.mark.parametrize(
    "arguments",
    [{"w": 0}, {"h": 5000}, {"shade": 256}, {"seconds": 0}, {"bytes": 10}, {"bytes": 1 << 40}, {"w": 17}],
)
def test_impossible_videos_are_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(UnfitSampleError):
        SAMPLES["video.mp4"].render(**arguments)


def _gif(frames: int) -> bytes:
    picture = b"\x21\xf9\x04\0\0\0\0\0" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 5, 7, 0) + b"\x02\x02\x44\x01\0"
    return b"GIF89a" + struct.pack("<HHBBB", 5, 7, 0x80, 0, 0) + bytes(6) + picture * frames + b"\x3b"


def test_the_frames_of_an_animation_are_counted() -> None:
    inspected = inspect(_gif(3))
    assert inspected is not None
    assert (inspected.content_type, inspected.width, inspected.height, inspected.frames) == ("image/gif", 5, 7, 3)


def test_sound_tracks_do_not_hide_the_size_of_a_video() -> None:
    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", len(content) + 8, kind) + content

    def track(width: int, height: int) -> bytes:
        return box(b"trak", box(b"tkhd", bytes(76) + struct.pack(">II", width << 16, height << 16)))

    # Version 1 of the movie header has times of 64 bits.
    header = box(b"mvhd", b"\1\0\0\0" + bytes(16) + struct.pack(">IQ", 600, 1500) + bytes(80))
    movie = box(b"moov", header + track(0, 0) + track(1920, 1080))
    inspected = inspect(box(b"ftyp", b"qt  \0\0\0\0") + movie)
    assert inspected is not None
    assert inspected.content_type == "video/quicktime"
    assert (inspected.width, inspected.height, inspected.duration) == (1920, 1080, 2.5)


@pytest.mark.parametrize("name", TYPES)
def test_broken_files_are_nothing(name: str) -> None:
    whole = SAMPLES[name].render()
    assert inspect(whole[:3]) is None
    if name != "document.pdf":
        assert inspect(whole[:24]) is None


@pytest.mark.parametrize("content", [b"", b"hello", b"GIF89a", b"\xff\xd8", b"\0\0\0\x10ftypisom", b"<html></html>"])
def test_other_content_is_nothing(content: bytes) -> None:
    assert inspect(content) is None
