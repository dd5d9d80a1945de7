"""What is served is what was sent in, pixel for pixel, wherever docs/media.md says so."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import av
import pytest
from PIL import Image
from tests.media.corpus import CORPUS

from media.adapters.decoders import Decoders
from media.decoding.tasks import INPUT, MEDIUM, ORIGINAL, Limits, Look, Looked
from objects.recognising import HEAD, recognise

LIMITS = Limits(cpu_seconds=60, wall_seconds=180, memory_bytes=900 << 20, file_bytes=256 << 20)
FILES = {case.name: case.build for case in CORPUS}


async def served(name: str, decoders: Decoders, folder: Path) -> tuple[bytes, bytes]:
    """The file of the corpus, and what is served of it."""
    data = FILES[name]()
    (folder / INPUT).write_bytes(data)
    result = await decoders.run(folder, Look(content_type=recognise(data[:HEAD]) or ""), LIMITS)
    assert isinstance(result, Looked), result
    return data, (folder / ORIGINAL).read_bytes()


def frames(data: bytes) -> list[tuple[str, tuple[int, int], str]]:
    """Mode, size and pixels of each."""
    found = []
    with Image.open(io.BytesIO(data)) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            found.append((image.mode, image.size, hashlib.sha256(image.tobytes()).hexdigest()))
    return found


@pytest.mark.parametrize(
    "name",
    [
        "JPEG with GPS",
        "JPEG with a script inside",
        "JPEG followed by a ZIP",
        "JPEG with a colour profile",
        "PNG with text",
        "PNG with alpha",
        "PNG of a palette",
        "PNG of 16 bits",
        "animated PNG",
        "WebP with GPS",
        "WebP with alpha",
        "animated WebP",
        "animated GIF",
        "GIF followed by a script",
    ],
)
async def test_pixels_are_not_encoded_again(name: str, decoders: Decoders, tmp_path: Path) -> None:
    sent, kept = await served(name, decoders, tmp_path)
    assert frames(kept) == frames(sent)
    with Image.open(io.BytesIO(sent)) as before, Image.open(io.BytesIO(kept)) as after:
        assert after.info.get("icc_profile") == before.info.get("icc_profile")


async def test_cmyk_becomes_rgb_and_what_lies_on_its_side_is_put_upright(decoders: Decoders, tmp_path: Path) -> None:
    for name in ("CMYK JPEG", "JPEG turned 6"):
        (tmp_path / name).mkdir()
        sent, kept = await served(name, decoders, tmp_path / name)
        with Image.open(io.BytesIO(sent)) as before, Image.open(io.BytesIO(kept)) as after:
            assert after.mode == "RGB"
            upright = before.convert("RGB")
            if "turned" in name:
                upright = upright.transpose(Image.Transpose.ROTATE_270)
            assert after.size == upright.size
            for at in ((20, 20), (after.width // 2, after.height // 2), (after.width - 20, after.height - 20)):
                pairs = zip(after.getpixel(at), upright.getpixel(at), strict=True)  # type: ignore[arg-type]
                assert all(abs(a - b) < 40 for a, b in pairs), (name, at)


async def test_thumbnails_of_what_is_clear_are_on_white(decoders: Decoders, tmp_path: Path) -> None:
    clear = io.BytesIO()
    Image.new("RGBA", (400, 400), (200, 0, 0, 0)).save(clear, "PNG")
    (tmp_path / INPUT).write_bytes(clear.getvalue())
    assert isinstance(await decoders.run(tmp_path, Look(content_type="image/png"), LIMITS), Looked)
    with Image.open(tmp_path / MEDIUM) as thumbnail:
        assert thumbnail.convert("RGB").getpixel((200, 200)) == (255, 255, 255)


@pytest.mark.parametrize("name", ["plain MP4", "plain MOV", "MP4 in fragments"])
async def test_videos_keep_their_pictures_and_have_their_index_in_front(
    name: str, decoders: Decoders, tmp_path: Path
) -> None:
    sent, kept = await served(name, decoders, tmp_path)
    assert kept.index(b"moov") < kept.index(b"mdat")
    packets = []
    for data in (sent, kept):
        with av.open(io.BytesIO(data), mode="r") as container:
            packets.append([bytes(packet) for packet in container.demux(video=0) if packet.size])
    assert packets[0] == packets[1]
