"""The whole corpus through the decoders themselves: each file as specified, within its bounds, and none harms them."""

from __future__ import annotations

import io
from pathlib import Path

import av
import pytest
from PIL import Image
from tests.media.corpus import CORPUS, SECRET, Case

from media.adapters.decoders import Decoders
from media.decoding.tasks import INPUT, MEDIUM, ORIGINAL, SMALL, Limits, Look, Looked, Refused
from objects.recognising import ACCEPTED, HEAD, recognise

MEMORY = 500 << 20
IMAGE = Limits(cpu_seconds=20, wall_seconds=60, memory_bytes=MEMORY, file_bytes=256 << 20)
VIDEO = Limits(cpu_seconds=60, wall_seconds=180, memory_bytes=900 << 20, file_bytes=1 << 30)


@pytest.mark.parametrize("case", CORPUS, ids=[case.name for case in CORPUS])
async def test_each_file_as_specified(case: Case, decoders: Decoders, tmp_path: Path) -> None:
    data = case.build()
    content_type = recognise(data[:HEAD])
    if content_type not in ACCEPTED:
        assert case.rule == "media.type", f"not recognised: {content_type}"
        return
    (tmp_path / INPUT).write_bytes(data)
    limits = VIDEO if content_type.startswith("video/") else IMAGE
    result = await decoders.run(tmp_path, Look(content_type=content_type), limits)
    if case.rule is not None:
        assert isinstance(result, Refused), result
        assert result.rule == case.rule, result
        assert "/" not in result.message, "a path of ours in a message"
        return
    assert isinstance(result, Looked), result
    assert case.type in (None, result.asset_type)
    assert case.content_type in (None, result.original.content_type)
    assert case.size in (None, (result.original.width, result.original.height))
    for name in (ORIGINAL, SMALL, MEDIUM):
        assert SECRET not in (tmp_path / name).read_bytes(), name
    _is_whole((tmp_path / ORIGINAL).read_bytes(), result)
    for name, side in ((SMALL, 320), (MEDIUM, 1080)):
        with Image.open(tmp_path / name) as thumbnail:
            thumbnail.load()
            assert thumbnail.format == "JPEG"
            assert max(thumbnail.size) <= side
            assert not thumbnail.getexif()


def _is_whole(data: bytes, result: Looked) -> None:
    """What is served can be read to its end, is what it says, and holds no metadata."""
    assert recognise(data[:HEAD]) == result.original.content_type
    assert len(data) == result.original.size
    if result.asset_type == "video":
        with av.open(io.BytesIO(data)) as container:
            assert container.streams.video[0].codec_context.name == result.original.video_codec
            assert "title" not in container.metadata
            assert not [name for name in container.metadata if "location" in name]
            assert sum(1 for _ in container.decode(video=0)) > 0
        return
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert image.size == (result.original.width, result.original.height)
        assert not image.getexif()
        assert not {"comment", "Comment", "xmp", "XML:com.adobe.xmp"} & image.info.keys()
        assert image.mode != "CMYK"
