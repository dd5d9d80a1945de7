"""The media service killed again and again while it is at one file: it is done again, and nothing is half.

The suite kills it at the steps between which most can be lost. All of them, one restart for each, are a matter of
minutes: `make crash-matrix`. Every step of the work itself is also cut off in services/media/tests/test_processing.py.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest
from PIL import Image
from tests.media.corpus import jpeg, png, video

pytestmark = pytest.mark.stack

ALL = "CRASH_ROUNDS" in os.environ
WORK = ("media.before_decode", "media.decoded", "media.stored", "media.before_record", "media.recorded")
OWNER = ("owner.before_append", "owner.after_append", "owner.after_follow_ups", "owner.after_projection")


def killed_at_each(process: Any, steps: Sequence[str], eventually: Any, begin: Callable[[], Any]) -> Any:
    """Begins something with a process that dies at the first step; it is restarted to die at the next, and so on."""
    begun = None
    try:
        for number, step in enumerate(steps):
            process.environment["FAULT_POINTS"] = f"{step}=kill"
            process.stop()
            process.spawn()
            if number == 0:
                begun = begin()
            eventually(lambda: not process.alive, what=f"the process dying at {step}")
    finally:
        process.environment.pop("FAULT_POINTS", None)
        process.restart()
    return begun


@pytest.mark.parametrize(
    "steps", [WORK, *((step,) for step in OWNER)] if ALL else [("owner.after_append", "media.stored")]
)
def test_an_upload_is_looked_into_however_often_it_was_cut_off(
    steps: Sequence[str], media: Any, stack: Any, eventually: Any
) -> None:
    answer = killed_at_each(stack.process("media"), steps, eventually, lambda: media.send(png(301, 200), "a.png"))
    assert answer.status_code in (202, 201), answer.text
    found = media.settled(answer.json()["media_id"])
    assert found["status"] == "ready"
    assert found["dimensions"] == {"width": 301, "height": 200}
    for url in (found["url"], *found["thumbnails"].values()):
        with Image.open(io.BytesIO(httpx.get(url, trust_env=False).content)) as image:
            image.load()


def test_a_variant_is_made_however_often_it_was_cut_off(media: Any, stack: Any, eventually: Any) -> None:
    found = media.upload(jpeg(1080, 1920))
    path = f"/media/{found['media_id']}"
    answer = killed_at_each(
        stack.process("media"),
        WORK if ALL else ("media.before_record",),
        eventually,
        lambda: media.client.request("POST", f"{path}/variants", {"platform": "instagram"}),
    )
    assert answer.status_code in (201, 202), answer.text
    (variant,) = media.variants(path)
    assert variant["status"] == "ready"
    with Image.open(io.BytesIO(httpx.get(variant["url"], trust_env=False).content)) as image:
        assert image.size == (1080, 1350)


@pytest.mark.skipif(not ALL, reason="takes half a minute: make crash-matrix")
def test_a_video_under_way_is_looked_into_again(media: Any, stack: Any) -> None:
    process = stack.process("media")
    answer = media.send(video(seconds=20, width=640, height=360), "a.mp4")
    process.kill()
    process.restart()
    found = media.settled(answer.json()["media_id"])
    assert (found["status"], found["duration"]) == ("ready", 20.0)
