"""What a decoder may cost, and what becomes of the file when it would cost more, or when somebody ends the decoder."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.media.corpus import clip, png
from tests.media.processes import family, rss

from contracts.media import Recipe
from media.adapters.decoders import DecoderLostError, Decoders
from media.decoding.tasks import INPUT, Limits, Look, Looked, Make, Refused, Result

AMPLE = Limits(cpu_seconds=60, wall_seconds=180, memory_bytes=900 << 20, file_bytes=256 << 20)
LONG_WORK = Make(
    content_type="video/mp4", recipe=Recipe(content_type="video/mp4", width=3_840, height=2_160, frame_rate=60.0)
)
"""Many times more than can be done in a second."""
GLANCE = Look(content_type="image/png")


@pytest.fixture
async def at_work(decoders: Decoders, tmp_path: Path) -> AsyncIterator[asyncio.Task[Result]]:
    (tmp_path / INPUT).write_bytes(clip())
    working = asyncio.create_task(decoders.run(tmp_path, LONG_WORK, AMPLE))
    yield working
    working.cancel()


async def worker(decoders: Decoders, *, besides: int = 0) -> int:
    """The process that has the file, once there is one."""
    forker: int = vars(decoders)["_process"].pid
    async with asyncio.timeout(30):
        while not (found := [pid for pid in family(forker)[1:] if pid != besides]):  # noqa: ASYNC110  # as below
            await asyncio.sleep(0.01)
    return found[0]


@pytest.mark.parametrize(
    ("bound", "rule"),
    [({"cpu_seconds": 1}, "media.time"), ({"wall_seconds": 1}, "media.time"), ({"file_bytes": 60_000}, "media.size")],
)
async def test_more_than_is_allowed_is_refused(
    bound: dict[str, int], rule: str, decoders: Decoders, tmp_path: Path
) -> None:
    (tmp_path / INPUT).write_bytes(clip())
    result = await decoders.run(tmp_path, LONG_WORK, replace(AMPLE, **bound))
    assert isinstance(result, Refused)
    assert result.rule == rule


async def test_more_memory_than_is_allowed_is_refused(decoders: Decoders, tmp_path: Path) -> None:
    (tmp_path / INPUT).write_bytes(png(4_000, 4_000))
    assert isinstance(await decoders.run(tmp_path, GLANCE, AMPLE), Looked)
    result = await decoders.run(tmp_path, GLANCE, replace(AMPLE, memory_bytes=20 << 20))
    assert isinstance(result, Refused)
    assert result.rule == "media.memory"


async def test_what_crashes_the_decoder_is_refused(decoders: Decoders, at_work: asyncio.Task[Result]) -> None:
    os.kill(await worker(decoders), signal.SIGSEGV)
    result = await at_work
    assert isinstance(result, Refused)
    assert result.rule == "media.broken"


async def test_what_is_killed_twice_was_too_hungry(decoders: Decoders, at_work: asyncio.Task[Result]) -> None:
    first = await worker(decoders)
    os.kill(first, signal.SIGKILL)
    second = await worker(decoders, besides=first)
    os.kill(second, signal.SIGKILL)
    result = await at_work
    assert isinstance(result, Refused)
    assert result.rule == "media.memory"


async def test_nothing_is_found_out_when_all_decoders_end_and_the_next_file_starts_them_again(
    decoders: Decoders, at_work: asyncio.Task[Result], tmp_path: Path
) -> None:
    child = await worker(decoders)
    os.kill(vars(decoders)["_process"].pid, signal.SIGKILL)
    with pytest.raises(DecoderLostError):
        await at_work
    async with asyncio.timeout(10):
        while rss(child):  # noqa: ASYNC110  # a process sets no event
            await asyncio.sleep(0.01)
    (tmp_path / INPUT).write_bytes(png(40, 40))
    assert isinstance(await decoders.run(tmp_path, GLANCE, AMPLE), Looked)
