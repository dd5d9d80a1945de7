"""Whether a file suits a platform, and the one change that would make it suit.

What is allowed is said by each platform's `check_media`; here is only how to get there. A recipe is offered when the
file that it makes would pass those very rules.
"""

import math
from collections.abc import Iterator
from fractions import Fraction

from msgspec import Struct
from msgspec.structs import replace

from contracts.content import PLATFORMS, Options, Platform
from contracts.media import AssetType, Box, Facts, MediaAsset, Recipe, Rendition
from platforms import facebook, instagram, linkedin, tiktok, x, youtube
from platforms.rules import AccountFacts, MediaFacts, Violation

POST_TYPES: dict[Platform, tuple[str, ...]] = {
    "instagram": ("feed", "reel", "story"),
    "facebook": ("feed", "reel", "story"),
    "youtube": ("video", "short"),
}
"""Kinds of post that ask different things of a file, the usual one first; the other platforms have but one."""

_ONLY_VIDEO = (("instagram", "reel"), ("facebook", "reel"), ("youtube", "video"), ("youtube", "short"))
_MEGABYTE = 1 << 20
_SPEED = 5_000_000
"""Bits a second that a converted video may have: what full HD in H.264 needs to look well."""


class _Shape(Struct, frozen=True, kw_only=True):
    """What a converted file is given. Ratios are width to height."""

    ratios: tuple[Fraction, Fraction] | None = None
    max_short: int = 1_080
    max_long: int = 1_920
    max_width: int | None = None
    smallest: tuple[int, int] | None = None
    max_bytes: int
    max_seconds: float | None = None
    max_rate: float = 60.0
    min_rate: float | None = None


_UPRIGHT = (Fraction(9, 16), Fraction(9, 16))
_IMAGES: dict[tuple[Platform, str | None], _Shape] = {
    ("twitter", None): _Shape(max_short=4_096, max_long=4_096, max_bytes=x.MAX_PHOTO_BYTES),
    ("linkedin", None): _Shape(max_short=4_096, max_long=8_192, max_bytes=8 * _MEGABYTE),
    ("instagram", "feed"): _Shape(
        ratios=(Fraction(4, 5), Fraction(191, 100)), max_short=1_440, max_long=1_920, max_bytes=8 * _MEGABYTE
    ),
    ("instagram", "story"): _Shape(max_bytes=8 * _MEGABYTE),
    ("facebook", "feed"): _Shape(max_short=2_048, max_long=2_048, max_bytes=4 * _MEGABYTE),
    ("facebook", "story"): _Shape(max_bytes=4 * _MEGABYTE),
    ("tiktok", None): _Shape(max_bytes=20 * _MEGABYTE),
}
_VIDEOS: dict[tuple[Platform, str | None], _Shape] = {
    ("twitter", None): _Shape(
        ratios=(Fraction(1, 3), Fraction(3)),
        max_short=720,
        max_long=1_280,
        smallest=(32, 32),
        max_bytes=x.MAX_VIDEO_BYTES,
        max_seconds=x.MAX_SECONDS,
        max_rate=x.MAX_FRAME_RATE,
    ),
    ("linkedin", None): _Shape(max_bytes=linkedin.MAX_VIDEO_BYTES, max_seconds=linkedin.MAX_SECONDS),
    ("instagram", "feed"): _Shape(max_bytes=instagram.MAX_REEL_BYTES, max_seconds=900.0, max_width=1_920, min_rate=30),
    ("instagram", "reel"): _Shape(max_bytes=instagram.MAX_REEL_BYTES, max_seconds=900.0, max_width=1_920, min_rate=30),
    ("instagram", "story"): _Shape(
        ratios=(Fraction(1, 10), Fraction(10)),
        max_bytes=instagram.MAX_STORY_VIDEO_BYTES,
        max_seconds=60.0,
        max_width=1_920,
        min_rate=30,
    ),
    ("facebook", "feed"): _Shape(ratios=(Fraction(9, 16), Fraction(16, 9)), max_bytes=1024 * _MEGABYTE),
    ("facebook", "reel"): _Shape(
        ratios=_UPRIGHT, smallest=(540, 960), max_bytes=1024 * _MEGABYTE, max_seconds=90.0, min_rate=30
    ),
    ("facebook", "story"): _Shape(
        ratios=_UPRIGHT, smallest=(540, 960), max_bytes=1024 * _MEGABYTE, max_seconds=60.0, min_rate=30
    ),
    ("youtube", "video"): _Shape(max_short=2_160, max_long=3_840, max_bytes=64 * 1024 * _MEGABYTE),
    ("youtube", "short"): _Shape(
        ratios=(Fraction(9, 16), Fraction(1)), max_bytes=1024 * _MEGABYTE, max_seconds=youtube.MAX_SHORT_DURATION
    ),
    ("tiktok", None): _Shape(
        smallest=(360, 360), max_bytes=1024 * _MEGABYTE, max_seconds=tiktok.MAX_DURATION, min_rate=30
    ),
}

_BEST: dict[tuple[Platform, str | None], tuple[tuple[float, ...], int]] = {
    ("twitter", None): ((16 / 9, 1.91, 1.0, 4 / 5), 600),
    ("linkedin", None): ((1.91, 16 / 9, 1.0, 4 / 5), 600),
    ("instagram", "feed"): ((4 / 5, 1.0, 1.91, 3 / 4), 566),
    ("instagram", "reel"): ((9 / 16,), 720),
    ("instagram", "story"): ((9 / 16,), 720),
    ("facebook", "feed"): ((1.91, 16 / 9, 1.0, 4 / 5), 600),
    ("facebook", "reel"): ((9 / 16,), 720),
    ("facebook", "story"): ((9 / 16,), 720),
    ("tiktok", None): ((9 / 16, 3 / 4, 1.0), 720),
    ("youtube", "video"): ((16 / 9,), 720),
    ("youtube", "short"): ((9 / 16,), 720),
}
"""Ratios that are shown whole, and the pixels on the shorter side from which they look sharp."""
_NAMED = ((9, 16), (4, 5), (1, 1), (16, 9), (3, 4), (4, 3), (1, 3), (3, 1), (2, 3), (3, 2))


class Fit(Struct, frozen=True, kw_only=True):
    """How a file suits one kind of post on one platform."""

    platform: Platform
    post_type: str | None
    violations: tuple[Violation, ...] = ()
    is_best: bool = False
    """It is shown whole, and sharp."""
    recipe: Recipe | None = None
    """What would make it fit, if it does not and anything would."""
    suggestion: str | None = None
    """The recipe in words."""

    @property
    def fits(self) -> bool:
        return not self.violations


def usual(platform: Platform) -> str | None:
    """The kind of post that is meant when none is named."""
    return POST_TYPES[platform][0] if platform in POST_TYPES else None


def post_types(platform: Platform) -> tuple[str | None, ...]:
    return POST_TYPES.get(platform, (None,))


def post_type_of(platform: Platform, options: Options, facts: Facts) -> str | None:
    """The kind of post that these options ask for."""
    named = options.get("post_type")
    if isinstance(named, str) and named in POST_TYPES.get(platform, ()):
        return named
    if platform == "instagram" and facts.content_type.startswith("video/"):
        return "reel"
    return usual(platform)


def media_facts(facts: Facts) -> MediaFacts:
    return MediaFacts(
        content_type=facts.content_type,
        size=facts.size,
        width=facts.width,
        height=facts.height,
        duration=facts.duration if facts.content_type.startswith("video/") else None,
        frame_rate=facts.frame_rate if facts.content_type.startswith("video/") else None,
        video_codec=facts.video_codec,
        audio_codec=facts.audio_codec,
    )


def unfit(
    facts: Facts, platform: Platform, options: Options, at: str, account: AccountFacts | None = None
) -> list[Violation]:
    """Every rule of the platform that the file breaks in a post with these options; `at` is where it stands."""
    seen = media_facts(facts)
    match platform:
        case "twitter":
            return list(x.check_media(seen, options, at, account=account))
        case "linkedin":
            return list(linkedin.check_media(seen, options, at))
        case "instagram":
            return list(instagram.check_media(seen, options, at))
        case "facebook":
            return list(facebook.check_media(seen, options, at))
        case "youtube":
            return list(youtube.check_media(seen, options, at))
        case "tiktok":
            return list(tiktok.check_media(seen, options, at))


def fit(facts: Facts, platform: Platform, post_type: str | None, account: AccountFacts | None = None) -> Fit:
    """How the file suits this kind of post, and what would make it suit."""
    violations = tuple(_judged(facts, platform, post_type, account))
    if not violations:
        return Fit(platform=platform, post_type=post_type, is_best=_is_best(facts, platform, post_type))
    recipe = _recipe(facts, platform, post_type)
    if recipe is None or list(_judged(expected(recipe, facts), platform, post_type, account)):
        return Fit(platform=platform, post_type=post_type, violations=violations)
    return Fit(
        platform=platform,
        post_type=post_type,
        violations=violations,
        recipe=recipe,
        suggestion=in_words(recipe, facts),
    )


def choose(
    asset: MediaAsset, platform: Platform, options: Options, account: AccountFacts | None = None
) -> tuple[Rendition, str | None] | None:
    """The file to publish there, and the id of the variant that it is: the original if it fits, else what was made for
    this, else anything else that was made and fits. None when nothing does.

    Depends on nothing that comes later: what is made after a choice does not change it.
    """
    if asset.original is None:
        return None
    candidates: list[tuple[Rendition, str | None]] = [(asset.original, None)]
    made = [each for each in asset.variants if each.rendition is not None]
    candidates += [
        (each.rendition, each.variant_id)
        for each in sorted(made, key=lambda each: (each.platform != platform, each.requested_at, each.variant_id))
        if each.rendition is not None
    ]
    for rendition, variant_id in candidates:
        if not unfit(rendition.facts, platform, options, "", account):
            return rendition, variant_id
    return None


def expected(recipe: Recipe, facts: Facts) -> Facts:
    """What the file that a recipe makes will be like, at most."""
    if recipe.content_type == "image/jpeg":
        return Facts(
            content_type="image/jpeg",
            size=min(facts.size, recipe.max_bytes or facts.size),
            width=recipe.width,
            height=recipe.height,
        )
    duration = facts.duration
    if duration is not None and recipe.max_seconds is not None:
        duration = min(duration, recipe.max_seconds)
    return replace(
        facts,
        content_type="video/mp4",
        size=min(recipe.max_bytes or facts.size, max(facts.size, 100_000)),
        width=recipe.width,
        height=recipe.height,
        duration=duration,
        frame_rate=recipe.frame_rate or facts.frame_rate,
        video_codec="h264",
        audio_codec=None if facts.audio_codec is None else "aac",
        is_hdr=False,
    )


def in_words(recipe: Recipe, facts: Facts) -> str:
    """The recipe as advice, such as `Crop to 4:5: 1080×1350, and convert to JPEG`."""
    text = " and ".join(_steps(recipe, facts))
    return f"{text[:1].upper()}{text[1:]}."


def asset_type_of(facts: Facts) -> AssetType:
    if facts.content_type.startswith("video/"):
        return "video"
    return "gif" if facts.content_type == "image/gif" or (facts.frames or 1) > 1 else "image"


def all_fits(facts: Facts) -> Iterator[Fit]:
    """For every platform and kind of post."""
    for platform in PLATFORMS:
        for post_type in post_types(platform):
            yield fit(facts, platform, post_type)


def _judged(
    facts: Facts, platform: Platform, post_type: str | None, account: AccountFacts | None
) -> Iterator[Violation]:
    if (platform, post_type) in _ONLY_VIDEO and not facts.content_type.startswith("video/"):
        yield Violation(
            rule=f"{platform}.media.type",
            platform=platform,
            pointer="",
            message=f"A {post_type} is a video.",
            limit=["video/mp4", "video/quicktime"],
            actual=facts.content_type,
            remediation="Use a video.",
        )
        return
    options: Options = {} if post_type is None else {"post_type": post_type}
    yield from unfit(facts, platform, options, "", account)


def _is_best(facts: Facts, platform: Platform, post_type: str | None) -> bool:
    ratios, short = _BEST[platform, post_type]
    ratio = facts.width / facts.height
    return min(facts.width, facts.height) >= short and any(abs(ratio / best - 1) < 0.02 for best in ratios)


def _recipe(facts: Facts, platform: Platform, post_type: str | None) -> Recipe | None:
    is_video = facts.content_type.startswith("video/")
    shape = (_VIDEOS if is_video else _IMAGES).get((platform, post_type))
    if shape is None:
        return None
    crop = _crop(facts, shape)
    width, height = (facts.width, facts.height) if crop is None else (crop.width, crop.height)
    width, height = _scaled(width, height, shape, even=is_video)
    rate = None
    if facts.frame_rate is not None:
        too_slow = shape.min_rate is not None and round(facts.frame_rate, 1) < 24
        rate = 30.0 if too_slow or facts.frame_rate > shape.max_rate else None
    max_bytes, seconds = shape.max_bytes, shape.max_seconds
    if is_video:
        lasts = min(facts.duration or 0.0, seconds or math.inf)
        max_bytes = min(max_bytes, max(500_000, int(lasts * _SPEED / 8)))
    return Recipe(
        content_type="video/mp4" if is_video else "image/jpeg",
        crop=crop,
        width=width,
        height=height,
        max_bytes=max_bytes,
        max_seconds=seconds if is_video and facts.duration is not None and facts.duration > (seconds or 1e9) else None,
        frame_rate=rate if is_video else None,
    )


def _crop(facts: Facts, shape: _Shape) -> Box | None:
    """The largest cut from the middle that has an allowed ratio."""
    if shape.ratios is None:
        return None
    low, high = shape.ratios
    ratio = facts.width / facts.height
    if low * 0.995 <= ratio <= high * 1.0025:
        return None
    if ratio < low:
        width, height = facts.width, max(1, int(facts.width / low))
    else:
        width, height = max(1, int(facts.height * high)), facts.height
    return Box(left=(facts.width - width) // 2, top=(facts.height - height) // 2, width=width, height=height)


def _scaled(width: int, height: int, shape: _Shape, *, even: bool) -> tuple[int, int]:
    factor = min(1.0, shape.max_short / min(width, height), shape.max_long / max(width, height))
    if shape.max_width is not None:
        factor = min(factor, shape.max_width / width)
    if shape.smallest is not None:
        factor = max(factor, shape.smallest[0] / width, shape.smallest[1] / height)
    if even:
        return max(2, round(width * factor / 2) * 2), max(2, round(height * factor / 2) * 2)
    return max(1, round(width * factor)), max(1, round(height * factor))


def _steps(recipe: Recipe, facts: Facts) -> Iterator[str]:
    size = f"{recipe.width}×{recipe.height}"
    if recipe.crop is not None:
        yield f"crop to {_ratio_name(recipe.crop.width, recipe.crop.height)}: {size}"
    elif (recipe.width, recipe.height) != (facts.width, facts.height):
        yield f"scale to {size}"
    if recipe.content_type == "image/jpeg":
        if facts.content_type != "image/jpeg":
            yield "convert to JPEG"
        elif recipe.max_bytes is not None and facts.size > recipe.max_bytes:
            yield f"compress to {recipe.max_bytes // _MEGABYTE} MB"
        return
    if recipe.max_seconds is not None:
        yield f"cut to {recipe.max_seconds:g} seconds"
    if recipe.frame_rate is not None:
        yield f"convert to {recipe.frame_rate:g} frames a second"
    if facts.content_type != "video/mp4" or facts.video_codec != "h264":
        yield "convert to MP4 with H.264"


def _ratio_name(width: int, height: int) -> str:
    ratio = width / height
    name = next((f"{w}:{h}" for w, h in _NAMED if abs(ratio / (w / h) - 1) < 0.01), None)
    return name or f"{ratio:.2f}:1"
