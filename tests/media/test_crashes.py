"""The media service killed at every named step: what was under way is done again, and nothing is half."""

from __future__ import annotations

import io
from typing import Any

import httpx
import pytest
from PIL import Image
from tests.media.corpus import jpeg, png, video

pytestmark = pytest.mark.stack

STEPS = ("media.before_decode", "media.decoded", "media.stored", "media.before_record", "media.recorded")
OWNER_STEPS = ("owner.before_append", "owner.after_append", "owner.after_follow_ups", "owner.after_projection")


@pytest.mark.parametrize("step", [*STEPS, *OWNER_STEPS])
def test_a_killed_upload_is_looked_into_again(step: str, media: Any, stack: Any, with_media_faults: Any) -> None:
    with with_media_faults(stack.process("media"), f"{step}=kill"):
        answer = media.send(png(301, 200), "a.png")
        assert answer.status_code in (202, 201), answer.text
    found = media.settled(answer.json()["media_id"])
    assert found["status"] == "ready"
    assert found["dimensions"] == {"width": 301, "height": 200}
    for url in (found["url"], *found["thumbnails"].values()):
        with Image.open(io.BytesIO(httpx.get(url, trust_env=False).content)) as image:
            image.load()


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_variant_is_made_again(step: str, media: Any, stack: Any, with_media_faults: Any) -> None:
    found = media.upload(jpeg(1080, 1920))
    path = f"/media/{found['media_id']}"
    with with_media_faults(stack.process("media"), f"{step}=kill"):
        answer = media.client.request("POST", f"{path}/variants", {"platform": "instagram"})
        assert answer.status_code in (201, 202), answer.text
    (variant,) = media.variants(path)
    assert variant["status"] == "ready"
    with Image.open(io.BytesIO(httpx.get(variant["url"], trust_env=False).content)) as image:
        assert image.size == (1080, 1350)


def test_a_video_under_way_is_looked_into_again(media: Any, stack: Any, eventually: Any) -> None:
    process = stack.process("media")
    answer = media.send(video(seconds=20, width=640, height=360), "a.mp4")
    process.kill()
    process.restart()
    found = media.settled(answer.json()["media_id"])
    assert (found["status"], found["duration"]) == ("ready", 20.0)
