"""What would make a file fit: offered only when the platform's own rules would take the result."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.content import PLATFORMS
from contracts.media import Facts
from platforms import fitting

IMAGES = st.builds(
    Facts,
    content_type=st.sampled_from(["image/jpeg", "image/png", "image/webp", "image/gif"]),
    size=st.integers(1, 64 << 20),
    width=st.integers(1, 16_384),
    height=st.integers(1, 16_384),
    frames=st.sampled_from([None, 12]),
    has_alpha=st.booleans(),
)
VIDEOS = st.builds(
    Facts,
    content_type=st.sampled_from(["video/mp4", "video/quicktime"]),
    size=st.integers(1, 4 << 30),
    width=st.integers(2, 8_192),
    height=st.integers(2, 8_192),
    duration=st.floats(0.04, 43_200, allow_nan=False),
    frame_rate=st.floats(1, 240, allow_nan=False),
    video_codec=st.sampled_from(["h264", "hevc", "mpeg4", "prores", "av1"]),
    audio_codec=st.sampled_from([None, "aac", "pcm_s16le"]),
)


@given(IMAGES | VIDEOS)
def test_what_is_offered_would_fit(facts: Facts) -> None:
    for fit in fitting.all_fits(facts):
        assert fit.fits == (not fit.violations)
        if fit.recipe is None:
            assert fit.suggestion is None
            continue
        assert fit.suggestion
        recipe = fit.recipe
        assert fitting.fit(fitting.expected(recipe, facts), fit.platform, fit.post_type).fits
        if recipe.crop is not None:
            box = recipe.crop
            assert 0 <= box.left <= box.left + box.width <= facts.width
            assert 0 <= box.top <= box.top + box.height <= facts.height
            assert box.width > 0
            assert box.height > 0
        if facts.content_type.startswith("video/"):
            assert recipe.width % 2 == recipe.height % 2 == 0


@given(IMAGES | VIDEOS)
def test_every_platform_says_something(facts: Facts) -> None:
    found = list(fitting.all_fits(facts))
    assert {fit.platform for fit in found} == set(PLATFORMS)
    for fit in found:
        assert fit.post_type in fitting.post_types(fit.platform)


def image(width: int, height: int, kind: str = "image/jpeg", **more: Any) -> Facts:
    return Facts(content_type=kind, size=400_000, width=width, height=height, **more)


@pytest.mark.parametrize(
    ("facts", "platform", "post_type", "suggestion"),
    [
        (image(1080, 1920), "instagram", "feed", "Crop to 4:5: 1080×1350."),
        (image(3000, 1000), "instagram", "feed", "Crop to 1.91:1: 1910×1000."),
        (image(1080, 1080, "image/png"), "instagram", "feed", "Convert to JPEG."),
        (image(3000, 2000), "tiktok", None, "Scale to 1620×1080."),
        (image(800, 600), "youtube", "video", None),
        (image(800, 600), "instagram", "reel", None),
    ],
)
def test_suggestions_in_words(facts: Facts, platform: Any, post_type: str | None, suggestion: str | None) -> None:
    fit = fitting.fit(facts, platform, post_type)
    assert not fit.fits
    assert fit.suggestion == suggestion


def test_what_is_best_is_said() -> None:
    assert fitting.fit(image(1200, 675), "twitter", None).is_best
    assert not fitting.fit(image(300, 169), "twitter", None).is_best
    assert not fitting.fit(image(1200, 300), "twitter", None).is_best
