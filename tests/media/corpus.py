"""Files that people and attackers send, made by code, each with what must become of it.

`rule` is what it is refused for, None for what must be taken. Nothing here is random: a file is the same in every run.
"""

from __future__ import annotations

import functools
import gzip
import io
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
from PIL import Image, ImageCms, ImageDraw, PngImagePlugin

SECRET = b"find-me-48.8584N-2.2945E"
"""Hidden in metadata and between the parts of files; must be in nothing that is served."""


@dataclass(frozen=True)
class Case:
    name: str
    filename: str
    build: Callable[[], bytes]
    rule: str | None = None
    type: str | None = None
    content_type: str | None = None
    size: tuple[int, int] | None = None


def picture(width: int = 640, height: int = 480, mode: str = "RGB") -> Image.Image:
    image = Image.new("RGB", (width, height), (240, 240, 235))
    draw = ImageDraw.Draw(image)
    for step in range(8):
        left = step * width // 8
        draw.rectangle((left, 0, left + width // 16, height), fill=(30 * step, 255 - 30 * step, 90))
    return image if mode == "RGB" else image.convert(mode)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg(width: int = 640, height: int = 480, mode: str = "RGB", **options: Any) -> bytes:
    return saved(picture(width, height, mode), "JPEG", **options)


def png(width: int = 640, height: int = 480, mode: str = "RGB", **options: Any) -> bytes:
    return saved(picture(width, height, mode), "PNG", **options)


def exif(orientation: int = 1) -> Image.Exif:
    found = Image.Exif()
    found[0x0112] = orientation
    found[0x010E] = SECRET.decode()
    found[0x8825] = {1: "N", 2: (48.0, 51.0, 30.2), 3: "E", 4: (2.0, 17.0, 40.2)}
    return found


def animated(kind: str, frames: int, size: int = 64, **options: Any) -> bytes:
    drawn = []
    for number in range(frames):
        image = picture(size, size)
        ImageDraw.Draw(image).rectangle((0, 0, number % size, size // 2), fill=(number * 7 % 256, 0, 0))
        drawn.append(image.convert("P") if kind == "GIF" else image)
    return saved(drawn[0], kind, save_all=True, append_images=drawn[1:], duration=40, **options)


def gif_of(frames: int, width: int = 8, height: int = 8) -> bytes:
    """Many frames of hardly any bytes."""
    lzw = b"\x02\x02\x44\x01\x00"
    head = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\x00\x00" + b"\x00\x00\x00\xff\xff\xff"
    frame = b"\x21\xf9\x04\x00\x01\x00\x00\x00" + b"\x2c" + struct.pack("<HHHH", 0, 0, 1, 1) + b"\x00" + lzw
    return head + frame * frames + b"\x3b"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int, data: bytes, *, depth: int = 8, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def png_bomb(width: int, height: int) -> bytes:
    packer = zlib.compressobj(9)
    row = b"\x00" * (1 + 3 * width)
    data = b"".join(packer.compress(row) for _ in range(min(height, 4_000)))
    return png_of(width, height, data + packer.flush())


def after_head(data: bytes, at: int, inserted: bytes) -> bytes:
    return data[:at] + inserted + data[at:]


def jpeg_segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload


def video(
    *,
    seconds: float = 4.0,
    width: int = 320,
    height: int = 180,
    kind: str = "mp4",
    codec: str = "libx264",
    rate: int = 25,
    sound: bool = True,
    pix_fmt: str = "yuv420p",
    metadata: dict[str, str] | None = None,
    movflags: str = "",
) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        with av.open(str(path), "w", format=kind, options={"movflags": movflags} if movflags else {}) as output:
            output.metadata.update(metadata or {})
            pictures: Any = output.add_stream(codec, rate=rate)
            pictures.width, pictures.height, pictures.pix_fmt = width, height, pix_fmt
            sounds: Any = output.add_stream("aac", rate=48_000) if sound else None
            for number in range(int(seconds * rate)):
                frame: Any = from_image(picture(width, height).rotate(number % 4))
                frame.pts, frame.time_base = number, Fraction(1, rate)
                output.mux(pictures.encode(frame))
            output.mux(pictures.encode(None))
            if sounds is not None:
                for number in range(int(seconds * 48_000 / 1024)):
                    silence = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
                    silence.sample_rate, silence.pts = 48_000, number * 1024
                    for plane in silence.planes:
                        plane.update(bytes(plane.buffer_size))
                    output.mux(sounds.encode(silence))
                output.mux(sounds.encode(None))
        return path.read_bytes()


def from_image(image: Image.Image) -> Any:
    return av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]


@functools.cache
def clip() -> bytes:
    return video(metadata={"title": SECRET.decode(), "comment": SECRET.decode(), "location": "+48.8584+002.2945/"})


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + kind + data


def rotated_clip() -> bytes:
    """With a display matrix of 90 degrees, as telephones write it."""
    data = bytearray(clip())
    at = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 4 + 4
    unit, full = 0x10000, 0x40000000
    matrix = struct.pack(">9i", 0, unit, 0, -unit, 0, 0, 0, 0, full)
    data[at : at + 36] = matrix
    return bytes(data)


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../etc/passwd", "root")
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"), io.BytesIO(b""))
    return buffer.getvalue()


def noise(size: int, seed: int = 7) -> bytes:
    return random.Random(seed).randbytes(size)


def icc() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def text_png() -> bytes:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", SECRET.decode())
    texts.add_itxt("XML:com.adobe.xmp", f"<x>{SECRET.decode()}</x>")
    return png(pnginfo=texts, exif=exif())


def zip_in_png() -> bytes:
    return png() + zipped()


def script_in_jpeg() -> bytes:
    comment = jpeg_segment(0xFE, b"<script>alert(1)</script>" + SECRET)
    return after_head(jpeg(), 2, comment)


SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
PLAYLIST = b"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10.0,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
CONCAT = b"ffconcat version 1.0\nfile 'http://127.0.0.1:1/a.mp4'\n"

BROKEN, FOREIGN, PIXELS, FRAMES = "media.broken", "media.type", "media.resolution", "media.frames"


def _taken() -> list[Case]:
    jpg, webp, gif = "image/jpeg", "image/webp", "image/gif"
    return [
        Case("plain JPEG", "a.jpg", jpeg, type="image", content_type=jpg, size=(640, 480)),
        Case("progressive JPEG", "a.jpg", lambda: jpeg(progressive=True), type="image", content_type=jpg),
        Case("grey JPEG", "a.jpg", lambda: jpeg(mode="L"), type="image", content_type=jpg),
        Case("CMYK JPEG", "a.jpg", lambda: jpeg(mode="CMYK"), type="image", content_type=jpg),
        Case("JPEG with a colour profile", "a.jpg", lambda: jpeg(icc_profile=icc()), type="image", content_type=jpg),
        Case("JPEG with GPS", "a.jpg", lambda: jpeg(exif=exif()), type="image", content_type=jpg),
        *(
            Case(
                f"JPEG turned {number}",
                "a.jpg",
                lambda number=number: jpeg(exif=exif(number)),  # type: ignore[misc]
                type="image",
                content_type=jpg,
                size=(480, 640) if number > 4 else (640, 480),
            )
            for number in range(2, 9)
        ),
        Case("JPEG called .png", "a.png", jpeg, type="image", content_type=jpg),
        Case("JPEG called .exe.jpg", "a.exe.jpg", jpeg, type="image", content_type=jpg),
        Case("JPEG without a name", "", jpeg, type="image", content_type=jpg),
        Case("JPEG with a script inside", "a.jpg", script_in_jpeg, type="image", content_type=jpg),
        Case("JPEG followed by a ZIP", "a.jpg", lambda: jpeg() + zipped(), type="image", content_type=jpg),
        Case("JPEG followed by HTML", "a.html", lambda: jpeg() + HTML + SECRET, type="image", content_type=jpg),
        Case("JPEG followed by another", "a.jpg", lambda: jpeg() + jpeg(64, 64), type="image", content_type=jpg),
        Case("JPEG of one pixel", "a.jpg", lambda: jpeg(1, 1), type="image", content_type=jpg, size=(1, 1)),
        Case("very wide JPEG", "a.jpg", lambda: jpeg(16_000, 2), type="image", content_type=jpg),
        Case("plain PNG", "a.png", png, type="image", content_type="image/png"),
        Case("PNG with alpha", "a.png", lambda: png(mode="RGBA"), type="image", content_type="image/png"),
        Case("PNG of a palette", "a.png", lambda: png(mode="P"), type="image", content_type="image/png"),
        Case("PNG of one bit", "a.png", lambda: png(mode="1"), type="image", content_type="image/png"),
        Case("grey PNG with alpha", "a.png", lambda: png(mode="LA"), type="image", content_type="image/png"),
        Case(
            "PNG of 16 bits",
            "a.png",
            lambda: saved(Image.new("I;16", (300, 200), 40_000), "PNG"),
            type="image",
            content_type="image/png",
        ),
        Case(
            "PNG of 16 bits in colour",
            "a.png",
            lambda: png_of(64, 64, zlib.compress((b"\x00" + b"\x80\x00" * 3 * 64) * 64), depth=16),
            type="image",
            content_type="image/png",
        ),
        Case("PNG of fewer rows than told", "a.png", lambda: png_bomb(4_000, 12_000), type="image"),
        Case("PNG with text", "a.png", text_png, type="image", content_type="image/png"),
        Case("PNG turned by EXIF", "a.png", lambda: png(exif=exif(6)), type="image", size=(480, 640)),
        Case("PNG followed by a ZIP", "a.zip", zip_in_png, type="image", content_type="image/png"),
        Case("animated PNG", "a.png", lambda: animated("PNG", 5), type="gif", content_type="image/png"),
        Case("plain WebP", "a.webp", lambda: saved(picture(), "WEBP"), type="image", content_type=webp),
        Case("lossless WebP", "a.webp", lambda: saved(picture(), "WEBP", lossless=True), type="image"),
        Case("WebP with alpha", "a.webp", lambda: saved(picture(mode="RGBA"), "WEBP"), type="image"),
        Case("WebP with GPS", "a.webp", lambda: saved(picture(), "WEBP", exif=exif()), type="image"),
        Case("WebP turned by EXIF", "a.webp", lambda: saved(picture(), "WEBP", exif=exif(6)), size=(480, 640)),
        Case("animated WebP", "a.webp", lambda: animated("WEBP", 6), type="gif", content_type=webp),
        Case("plain GIF", "a.gif", lambda: saved(picture(mode="P"), "GIF"), type="image", content_type=gif),
        Case("animated GIF", "a.gif", lambda: animated("GIF", 12), type="gif", content_type=gif),
        Case("GIF with a comment", "a.gif", lambda: animated("GIF", 3, comment=SECRET), type="gif"),
        Case("GIF followed by a script", "a.js", lambda: animated("GIF", 3) + b"=1;alert(1)//" + SECRET, type="gif"),
        Case("GIF of 900 frames", "a.gif", lambda: gif_of(900), type="gif"),
        Case("plain MP4", "a.mp4", clip, type="video", content_type="video/mp4", size=(320, 180)),
        Case("MP4 turned", "a.mp4", rotated_clip, type="video", size=(180, 320)),
        Case("MP4 without sound", "a.mp4", lambda: video(sound=False), type="video"),
        Case("MP4 with its index in front", "a.mp4", lambda: video(movflags="faststart"), type="video"),
        Case("MP4 in fragments", "a.mp4", lambda: video(movflags="frag_keyframe+empty_moov"), type="video"),
        Case("MP4 in MPEG-4 part 2", "a.mp4", lambda: video(codec="mpeg4"), type="video"),
        Case("MP4 called .jpg", "a.jpg", clip, type="video", content_type="video/mp4"),
        Case("MP4 followed by HTML", "a.mp4", lambda: clip() + box(b"free", HTML + SECRET), type="video"),
        Case("plain MOV", "a.mov", lambda: video(kind="mov"), type="video", content_type="video/quicktime"),
        Case("MOV of 10 bits", "a.mov", lambda: video(kind="mov", pix_fmt="yuv420p10le"), type="video"),
    ]


def _refused() -> list[Case]:
    return [
        Case("nothing", "a.jpg", lambda: b"", FOREIGN),
        Case("one byte", "a.jpg", lambda: b"\xff", FOREIGN),
        Case("zeros", "a.jpg", lambda: bytes(10_000), FOREIGN),
        Case("noise", "a.jpg", lambda: noise(10_000), FOREIGN),
        Case("text", "a.jpg", lambda: b"just some text", FOREIGN),
        Case("SVG", "a.svg", lambda: SVG, FOREIGN),
        Case("SVG called .png", "a.png", lambda: b"\n\n  " + SVG, FOREIGN),
        Case("HTML", "a.html", lambda: HTML, FOREIGN),
        Case("HTML called .gif", "a.gif", lambda: b"\xef\xbb\xbf" + HTML, FOREIGN),
        Case("XML with an entity", "a.jpg", lambda: b'<?xml version="1"?><!DOCTYPE a [<!ENTITY b "c">]><a/>', FOREIGN),
        Case("PDF", "a.pdf", lambda: b"%PDF-1.7\n%%EOF", FOREIGN),
        Case("PDF called .jpg", "a.jpg", lambda: b"%PDF-1.7\n%%EOF", FOREIGN),
        Case("ZIP", "a.zip", zipped, FOREIGN),
        Case("tar", "a.png", tarred, FOREIGN),
        Case("gzip", "a.png", lambda: gzip.compress(jpeg()), FOREIGN),
        Case("program", "a.png", lambda: b"\x7fELF" + bytes(200), FOREIGN),
        Case("Windows program", "a.jpg", lambda: b"MZ" + bytes(200), FOREIGN),
        Case("shell script", "a.jpg", lambda: b"#!/bin/sh\nrm -rf /\n", FOREIGN),
        Case("BMP", "a.bmp", lambda: saved(picture(), "BMP"), FOREIGN),
        Case("TIFF", "a.tiff", lambda: saved(picture(), "TIFF"), FOREIGN),
        Case("icon", "a.ico", lambda: saved(picture(64, 64), "ICO"), FOREIGN),
        Case("PostScript", "a.eps", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n", FOREIGN),
        Case("HEIC", "a.heic", lambda: box(b"ftyp", b"heic\x00\x00\x00\x00mif1heic") + noise(500), FOREIGN),
        Case("AVIF", "a.avif", lambda: saved(picture(), "AVIF"), FOREIGN),
        Case("WebM", "a.webm", lambda: b"\x1aE\xdf\xa3" + noise(500), FOREIGN),
        Case("AVI", "a.avi", lambda: b"RIFF\x00\x10\x00\x00AVI LIST" + noise(500), FOREIGN),
        Case("WAV", "a.wav", lambda: b"RIFF\x00\x10\x00\x00WAVEfmt " + noise(500), FOREIGN),
        Case("MP3", "a.mp3", lambda: b"ID3\x04\x00\x00\x00\x00\x00\x00" + noise(500), FOREIGN),
        Case("M4A", "a.m4a", lambda: box(b"ftyp", b"M4A \x00\x00\x00\x00") + noise(500), FOREIGN),
        Case("playlist", "a.m3u8", lambda: PLAYLIST, FOREIGN),
        Case("playlist called .mp4", "a.mp4", lambda: PLAYLIST, FOREIGN),
        Case("concatenation called .mp4", "a.mp4", lambda: CONCAT, FOREIGN),
        Case("DASH called .mp4", "a.mp4", lambda: b"<?xml version='1.0'?><MPD xmlns='a'></MPD>", FOREIGN),
        Case("playlist in an MP4 brand", "a.mp4", lambda: box(b"ftyp", b"isom\x00\x00\x00\x00") + PLAYLIST, BROKEN),
        Case("MP4 of sound only", "a.mp4", sound_only, FOREIGN),
        Case("JPEG cut in its pixels", "a.jpg", lambda: jpeg()[:-2_000], BROKEN),
        Case("JPEG cut in its head", "a.jpg", lambda: jpeg()[:200], BROKEN),
        Case("JPEG of its first bytes", "a.jpg", lambda: b"\xff\xd8\xff\xe0", BROKEN),
        Case("JPEG start and noise", "a.jpg", lambda: b"\xff\xd8\xff\xe0" + noise(5_000), BROKEN),
        Case("JPEG with an endless segment", "a.jpg", lambda: b"\xff\xd8\xff\xe1\xff\xff" + bytes(50), BROKEN),
        Case("JPEG of 65,535 pixels square", "a.jpg", huge_jpeg, PIXELS),
        Case("PNG cut", "a.png", lambda: png()[:-200], BROKEN),
        Case("PNG of its first bytes", "a.png", lambda: b"\x89PNG\r\n\x1a\n", BROKEN),
        Case("PNG with broken pixels", "a.png", lambda: png_of(64, 64, zlib.compress(b"\x00" * 50)), BROKEN),
        Case("PNG with noise for pixels", "a.png", lambda: png_of(64, 64, noise(500)), BROKEN),
        Case("PNG with a chunk of 2 GB", "a.png", lambda: png()[:8] + b"\x7f\xff\xff\xffIDAT" + bytes(99), BROKEN),
        Case("PNG of 30,000 pixels square", "a.png", lambda: png_bomb(30_000, 30_000), PIXELS),
        Case("PNG of 65,535 pixels", "a.png", lambda: png_bomb(65_535, 1), PIXELS),
        Case("PNG of 2³¹ pixels", "a.png", lambda: png_of(2**31 - 1, 2**31 - 1, b""), PIXELS),
        Case("PNG of no width", "a.png", lambda: png_of(0, 10, b""), BROKEN),
        Case("PNG of 8,000 pixels square", "a.png", lambda: png_bomb(8_000, 8_000), PIXELS),
        Case("animated PNG of 1,500 frames", "a.png", lambda: animated("PNG", 1_500, 4), FRAMES),
        Case("WebP cut", "a.webp", lambda: saved(picture(), "WEBP")[:-500], BROKEN),
        Case("WebP start and noise", "a.webp", lambda: b"RIFF\xf4\x01\x00\x00WEBPVP8 " + noise(600), BROKEN),
        Case("WebP of 16,383 pixels told", "a.webp", huge_webp, BROKEN),
        Case("GIF of 10,000 frames", "a.gif", lambda: gif_of(10_000), FRAMES),
        Case("GIF of 60,000 pixels square", "a.gif", lambda: gif_of(2, 60_000, 60_000), PIXELS),
        Case("GIF of many large frames", "a.gif", lambda: gif_of(300, 2_000, 2_000), FRAMES),
        Case("GIF cut", "a.gif", lambda: animated("GIF", 12)[:-300], BROKEN),
        Case("GIF of its head", "a.gif", lambda: b"GIF89a\x10\x00\x10\x00\x80\x00\x00", BROKEN),
        Case("MP4 cut", "a.mp4", lambda: clip()[: len(clip()) // 2], BROKEN),
        Case("MP4 without its index", "a.mp4", lambda: clip().replace(b"moov", b"mooo"), BROKEN),
        Case("MP4 with a broken index", "a.mp4", broken_moov, FOREIGN),
        Case("MP4 with noise for pictures", "a.mp4", noise_in_mdat, BROKEN),
        Case("MP4 of its brand", "a.mp4", lambda: box(b"ftyp", b"isom\x00\x00\x02\x00isommp41"), BROKEN),
        Case("MP4 with boxes in boxes", "a.mp4", nested_boxes, FOREIGN),
        Case("MP4 with an endless box", "a.mp4", lambda: box(b"ftyp", b"isom") + b"\xff\xff\xff\xffmoov", BROKEN),
        Case("MP4 that refers elsewhere", "a.mov", refers_elsewhere, BROKEN),
        Case("MP4 of 17 streams", "a.mp4", many_streams, "media.streams"),
        Case("MP4 that lasts for 14 hours", "a.mp4", drawn_out, "media.duration"),
        Case("MP4 of 8,200 pixels", "a.mp4", lambda: video(seconds=0.2, width=8_200, height=16, sound=False), PIXELS),
    ]


def sound_only() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        with av.open(str(path), "w", format="mp4") as output:
            sounds: Any = output.add_stream("aac", rate=48_000)
            for number in range(50):
                silence = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
                silence.sample_rate, silence.pts = 48_000, number * 1024
                for plane in silence.planes:
                    plane.update(bytes(plane.buffer_size))
                output.mux(sounds.encode(silence))
            output.mux(sounds.encode(None))
        return path.read_bytes()


def huge_jpeg() -> bytes:
    """A small one that says it is the largest there can be."""
    data = bytearray(jpeg(64, 64))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 65_535, 65_535)
    return bytes(data)


def huge_webp() -> bytes:
    data = bytearray(saved(picture(64, 64), "WEBP"))
    at = data.index(b"VP8 ") + 8 + 6
    data[at : at + 4] = struct.pack("<HH", 16_383, 16_383)
    return bytes(data)


def broken_moov() -> bytes:
    data = bytearray(clip())
    at = data.index(b"stbl") + 4
    data[at : at + 900] = noise(900)
    return bytes(data)


def noise_in_mdat() -> bytes:
    data = bytearray(video(sound=False, seconds=1))
    at = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    data[at:end] = noise(end - at)
    return bytes(data)


def nested_boxes() -> bytes:
    inner = b""
    for _ in range(2_000):
        inner = box(b"trak", inner)
    return box(b"ftyp", b"isom\x00\x00\x02\x00isom") + box(b"moov", inner)


def many_streams() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        with av.open(str(path), "w", format="mp4") as output:
            streams: list[Any] = [output.add_stream("mpeg4", rate=5) for _ in range(17)]
            for pictures in streams:
                pictures.width, pictures.height, pictures.pix_fmt = 32, 32, "yuv420p"
            for pictures in streams:
                frame: Any = from_image(picture(32, 32))
                frame.pts, frame.time_base = 0, Fraction(1, 5)
                output.mux(pictures.encode(frame))
                output.mux(pictures.encode(None))
        return path.read_bytes()


def drawn_out() -> bytes:
    """Its ticks are said to be seconds, and no edit list cuts it short."""
    data = bytearray(clip().replace(b"edts", b"free"))
    at = data.index(b"mdhd") + 4 + 4 + 8
    data[at : at + 4] = struct.pack(">I", 1)
    return bytes(data)


def refers_elsewhere() -> bytes:
    """Its pictures are said to be in another file: QuickTime's data references."""
    data = bytearray(
        video(kind="mov", sound=False, seconds=1).replace(b"url \x00\x00\x00\x01", b"alis\x00\x00\x00\x00")
    )
    at, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[at:end] = bytes(end - at)
    return bytes(data)


CORPUS = [*_taken(), *_refused()]
