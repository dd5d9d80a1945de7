import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.adapters.iso_media import duration_of
from sandbox.samples import SAMPLES


def box(kind: bytes, payload: bytes, *, large: bool = False) -> bytes:
    if large:
        return struct.pack(">I4sQ", 1, kind, len(payload) + 16) + payload
    return struct.pack(">I4s", len(payload) + 8, kind) + payload


SHORT = box(b"mvhd", bytes(12) + struct.pack(">II", 600, 9_000) + bytes(80))
LONG = box(b"mvhd", b"\1" + bytes(19) + struct.pack(">IQ", 600, 9_000) + bytes(80))


@pytest.mark.parametrize("seconds", [1, 7])
def test_a_samples_duration(seconds: int) -> None:
    file = io.BytesIO(SAMPLES["video.mp4"].render(seconds=seconds))
    assert duration_of(file) == seconds
    assert file.tell() == 0


@pytest.mark.parametrize("header", [SHORT, LONG])
@pytest.mark.parametrize("large", [False, True])
def test_both_forms_of_boxes_and_headers(header: bytes, large: bool) -> None:
    file = box(b"ftyp", b"isom") + box(b"mdat", bytes(99), large=large) + box(b"moov", header, large=large)
    assert duration_of(io.BytesIO(file)) == 15.0


def test_a_box_may_reach_to_the_end() -> None:
    assert duration_of(io.BytesIO(struct.pack(">I4s", 0, b"moov") + SHORT)) == 15.0


@given(st.binary(max_size=200))
def test_anything_else_has_none(content: bytes) -> None:
    found = duration_of(io.BytesIO(box(b"ftyp", b"isom") + content))
    assert found is None or found >= 0
