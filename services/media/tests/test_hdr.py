"""High dynamic range: kept where it is served, and brought to what everybody's screen shows where it is made fit."""

from __future__ import annotations

import itertools
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from contracts.media import Recipe
from media.decoding import tones, videos
from media.decoding.tasks import INPUT, MEDIUM, ORIGINAL, VARIANT

WIDTH, HEIGHT = 64, 48
SHOWN = 234
"""Of 255: how bright a white page is shown."""
PAGE = {"pq": 0.5807, "hlg": 0.75}
"""The signal of a white page, by ITU-R BT.2408."""
TRANSFERS = {"pq": 16, "hlg": 18}


def filmed(path: Path, transfer: str, signal: float) -> None:
    """A second of one grey, in ten bits of BT.2020."""
    with av.open(str(path), "w", format="mp4") as output:
        stream: Any = output.add_stream("libx265", rate=10, options={"x265-params": "log-level=none"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p10le"
        stream.codec_context.color_trc = TRANSFERS[transfer]
        stream.codec_context.color_primaries = stream.codec_context.colorspace = 9
        for number in range(10):
            frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p10le")
            for plane, level in zip(frame.planes, (round(64 + 876 * signal), 512, 512), strict=True):
                plane.update(struct.pack("<H", level) * (plane.buffer_size // 2))
            frame.pts, frame.time_base = number, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_a_white_page_is_white_and_not_grey(transfer: str, tmp_path: Path) -> None:
    filmed(tmp_path / INPUT, transfer, PAGE[transfer])
    looked = videos.look(tmp_path, "video/mp4")
    assert looked.original.is_hdr
    with av.open(str(tmp_path / ORIGINAL)) as served:
        assert int(served.streams.video[0].codec_context.color_trc) == TRANSFERS[transfer]
    with Image.open(tmp_path / MEDIUM) as poster:
        assert poster.getpixel((10, 10)) == pytest.approx((SHOWN, SHOWN, SHOWN), abs=6)

    made = videos.make(tmp_path, Recipe(content_type="video/mp4", width=WIDTH, height=HEIGHT))
    assert not made.facts.is_hdr
    with av.open(str(tmp_path / VARIANT)) as variant:
        stream = variant.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert [int(each) for each in (context.color_trc, context.color_primaries, context.colorspace)] == [1, 1, 1]
        frame = next(variant.decode(stream))
        assert frame.to_image().getpixel((10, 10)) == pytest.approx((SHOWN, SHOWN, SHOWN), abs=6)  # type: ignore[no-untyped-call]


def test_the_table_darkens_nothing_that_is_brighter_and_cuts_nothing_off() -> None:
    rows = [[float(each) for each in line.split()] for line in tones.table("pq").splitlines()[1:]]
    assert len(rows) == tones.SIZE**3
    greys = [rows[index * (1 + tones.SIZE + tones.SIZE**2)] for index in range(tones.SIZE)]
    assert greys[0] == [0, 0, 0]
    assert greys[-1] == pytest.approx([1, 1, 1], abs=1e-4)
    for darker, brighter in itertools.pairwise(greys):
        assert darker <= brighter
    for red, green, blue in greys:
        assert red == pytest.approx(green, abs=1e-4) == pytest.approx(blue, abs=1e-4)
