"""docs/media.md against the code: its example answers are what is answered, and its table is what is judged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from contracts.content import PLATFORMS, Platform
from contracts.media import Facts, MediaAsset, Rendition, Source, Variant
from gateway import answers, media_views
from gateway.entrypoints.media import pending
from gateway.problems import ProblemError
from gateway.receiving import accepted
from objects.recognising import ACCEPTED
from platforms import fitting

PAGE = (Path(__file__).parents[2] / "docs/media.md").read_text("utf-8")
TYPES = {name: content_type for content_type, name in ACCEPTED.items()}
NAMES: Mapping[str, tuple[Platform, str | None]] = {
    "X": ("twitter", None),
    "LinkedIn": ("linkedin", None),
    "Instagram feed": ("instagram", "feed"),
    "Instagram reel": ("instagram", "reel"),
    "Instagram story": ("instagram", "story"),
    "Facebook feed": ("facebook", "feed"),
    "Facebook reel": ("facebook", "reel"),
    "Facebook story": ("facebook", "story"),
    "TikTok": ("tiktok", None),
    "YouTube": ("youtube", "video"),
    "YouTube Short": ("youtube", "short"),
}
BYTES = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
SECONDS = {"s": 1.0, "min": 60.0, "h": 3_600.0}

# --- the example answers ------------------------------------------------------------------------------

EXAMPLES = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
AT = msgspec.convert("2026-11-24T12:00:00Z", type=MediaAsset.__annotations__["created_at"])


def file(content_type: str, size: int, width: int, height: int) -> Rendition:
    facts = Facts(content_type=content_type, size=size, width=width, height=height)
    return Rendition(key="k", sha256="00", facts=facts)


def differs(shown: Any, real: Any, at: str = "") -> Iterator[str]:
    """Where an example says something else. It may leave things out, and cut texts short with …"""
    if isinstance(shown, dict) and isinstance(real, dict):
        for key, value in shown.items():
            yield from differs(value, real.get(key, "nothing"), f"{at}/{key}")
    elif isinstance(shown, list) and isinstance(real, list) and len(shown) == len(real):
        for number, pair in enumerate(zip(shown, real, strict=True)):
            yield from differs(*pair, at=f"{at}/{number}")
    elif isinstance(shown, str) and "…" in shown and isinstance(real, str):
        start, _, end = shown.partition("…")
        if not (real.startswith(start) and real.endswith(end)):
            yield f"{at}: {shown!r} is {real!r}"
    elif shown != real:
        yield f"{at}: {shown!r} is {real!r}"


def test_the_example_answers_are_what_is_answered() -> None:
    upload, later, refused, variant = EXAMPLES
    files = "https://api.example.com/api/v1/creator/social/media/files/t"
    asset = MediaAsset(
        media_id=upload["media_id"],
        tenant_id="t",
        created_by="u",
        created_at=AT,
        updated_at=AT,
        filename="announcement.png",
        alt_text="Product announcement",
        platform_hints=("twitter", "linkedin", "instagram"),
        source=Source(sha256="00"),
        status="ready",
        type="image",
        original=file("image/png", 411_730, 1_080, 1_920),
        small=file("image/jpeg", 9_000, 180, 320),
        medium=file("image/jpeg", 90_000, 608, 1_080),
    )

    def address(rendition: Rendition, name: str) -> str:
        return f"{files}/{name}.{'png' if rendition is asset.original else 'jpg'}"

    real = msgspec.to_builtins(media_views.media(asset, address, {}))
    assert list(differs(upload, real)) == []
    assert upload.keys() >= {
        "media_id",
        "type",
        "url",
        "thumbnails",
        "dimensions",
        "duration",
        "platform_compatibility",
    }

    assert list(differs(later, json.loads(pending(upload["media_id"]).body))) == []

    with pytest.raises(ProblemError) as problem:
        accepted(b"%PDF-1.7")
    told = answers.problem(problem.value, request_id="r", trace_id="t")
    assert list(differs(refused, json.loads(told.body))) == []

    recipe = fitting.fit(asset.original.facts, "instagram", "feed").recipe if asset.original else None
    assert recipe is not None
    made = Variant(
        variant_id=variant["variant_id"],
        platform="instagram",
        post_type="feed",
        recipe=recipe,
        status="ready",
        requested_at=AT,
        rendition=file("image/jpeg", 121_377, recipe.width, recipe.height),
    )
    assert list(differs(variant, msgspec.to_builtins(media_views.variant(asset, made, address, {})))) == []


def test_a_wrong_example_would_be_noticed() -> None:
    assert list(differs({"a": {"b": 1, "c": "x…"}}, {"a": {"b": 2, "c": "y"}})) == ["/a/b: 1 is 2", "/a/c: 'x…' is 'y'"]
    assert list(differs({"a": None}, {})) == ["/a: None is 'nothing'"]


# --- the table ----------------------------------------------------------------------------------------

IMAGE = Facts(content_type="image/jpeg", size=100_000, width=1_080, height=1_080)
VIDEO = Facts(
    content_type="video/mp4",
    size=1_000_000,
    width=720,
    height=1_280,
    duration=30.0,
    frame_rate=30.0,
    video_codec="h264",
    audio_codec="aac",
)
Probes = Iterator[tuple[Facts, Facts]]
"""A file that keeps a limit and one that just does not."""


def rows() -> dict[str, list[str]]:
    table = re.search(r"^\| \| image \| video \|\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert table is not None
    cells = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in table[1].splitlines()]
    return {name: columns for name, *columns in cells}


def cell(name: str, column: int) -> list[list[str]]:
    """The alternatives in a cell, each a list of formats and limits; none where nothing is taken."""
    text = rows()[name][column]
    if same := re.fullmatch(r"as (?:a|in the) (\w+)", text):
        return cell(f"{name.split(maxsplit=1)[0]} {same[1]}", column)
    return [] if text == "—" else [each.strip().split(", ") for each in text.split(";")]


def sized(facts: Facts, width: int, height: int) -> Facts:
    return replace(facts, width=width, height=height)


def shaped(facts: Facts, ratio: Fraction, by: float) -> tuple[Facts, Facts]:
    """Of this ratio, and of `by` times as much, as some per cent are forgiven. Long and narrow ones are small: X."""
    long = 1_020 if min(ratio, 1 / ratio) <= Fraction(1, 3) else 1_920

    def of(wanted: float) -> Facts:
        width, height = (long * wanted, long) if wanted <= 1 else (long, long / wanted)
        return sized(facts, round(width), round(height))

    return of(float(ratio)), of(float(ratio) * by)


def amounts(found: re.Match[str], facts: Facts) -> Probes:
    """Of bytes, seconds, or frames a second."""
    low, low_unit, high, unit = found.groups()
    for text, named, step in ((low, low_unit or unit, -1), (high, unit, 1)):
        if text is None:
            continue
        if named in BYTES:
            size = int(text) * BYTES[named]
            yield replace(facts, size=size), replace(facts, size=size + step)
        elif named in SECONDS:
            seconds = float(text) * SECONDS[named]
            yield replace(facts, duration=seconds), replace(facts, duration=seconds + step / 10)
        else:
            assert named == "fps", named
            rate = float(text)
            yield replace(facts, frame_rate=rate), replace(facts, frame_rate=rate + step / 10)


def probes(limit: str, facts: Facts) -> Probes:
    """For each bound that the words name. Raises AssertionError for words that say nothing."""
    if found := re.fullmatch(r"(?:≤ |([\d.]+)(?: (\w+))?–)([\d.]+) (KB|MB|GB|s|min|h|fps)", limit):
        yield from amounts(found, facts)
    elif found := re.fullmatch(r"([≤≥]) (\d+)×(\d+)", limit):
        step, width, height = (2 if found[1] == "≤" else -2), int(found[2]), int(found[3])
        for outside in ((width + step, height), (width, height + step)):
            yield sized(facts, width, height), sized(facts, *outside)
    elif found := re.fullmatch(r"(?:≤ |([\d.]+):(\d+)–)([\d.]+):(\d+)", limit):
        low, low_to, high, high_to = found.groups()
        if low is not None:
            yield shaped(facts, Fraction(low) / Fraction(low_to), 0.94)
        yield shaped(facts, Fraction(high) / Fraction(high_to), 1.06)
    elif found := re.fullmatch(r"≤ ([\d,]+) pixels", limit):
        pixels = int(found[1].replace(",", ""))
        yield sized(facts, pixels, 1), sized(facts, pixels + 1, 1)
    elif found := re.fullmatch(r"(?:width|shorter side) ≤ (\d+)", limit):
        yield sized(facts, int(found[1]), 1_920), sized(facts, int(found[1]) + 1, 1_920 + 1)
    else:
        found = re.fullmatch(r"sides (\d+)–(\d+)", limit)
        assert found is not None, f"{limit!r} says nothing"
        shortest, longest = int(found[1]), int(found[2])
        yield sized(facts, shortest, 640), sized(facts, shortest - 1, 640)
        yield sized(facts, 2_160, longest), sized(facts, 2_160, longest + 1)


def test_the_table_names_every_kind_of_post() -> None:
    kinds = {(platform, kind) for platform in PLATFORMS for kind in fitting.post_types(platform)}
    assert {NAMES[name] for name in rows()} == kinds


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("column", [0, 1], ids=["image", "video"])
def test_the_table_is_what_files_are_judged_by(name: str, column: int) -> None:
    platform, kind = NAMES[name]
    plain = (IMAGE, VIDEO)[column]
    taken = set()
    for alternative in cell(name, column):
        formats = [each for each in alternative if each in TYPES]
        limits = [each for each in alternative if each not in TYPES]
        assert formats
        for facts in (replace(plain, content_type=TYPES[each]) for each in formats):
            assert fitting.fit(facts, platform, kind).fits, facts
            taken.add(facts.content_type)
            for limit in limits:
                for inside, outside in probes(limit, facts):
                    assert not fitting.fit(inside, platform, kind).violations, (limit, inside)
                    assert fitting.fit(outside, platform, kind).violations, (limit, outside)
    for content_type in set(ACCEPTED) - taken:
        if content_type.startswith(("image/", "video/")[column]):
            assert not fitting.fit(replace(plain, content_type=content_type), platform, kind).fits, content_type
