"""Facebook's rules, for Pages.

Sources: developers.facebook.com, Graph API v26.0, references of `/{page-id}/feed`, `/photos`, `/videos`,
`/video_reels`, `/photo_stories` and `/video_stories`, and the guides "Reels Publishing API" and "Page Stories API". The
length of a text (63,206 characters) and the number of photos in a post are not documented there: the first is what
Facebook's own composer takes, ten photos is the most that is known to work. Comments are taken to have 8,000
characters at most. Photos are held to four megabytes, the limit in the live error 1366046, which is below the ten of
the reference.
"""

import re
from collections.abc import Iterator, Sequence

from contracts.content import Content, Options, Platform
from contracts.posts import PostKind
from platforms.composing import compose_text
from platforms.rules import (
    AccountFacts,
    MediaFacts,
    Option,
    Violation,
    exceeded,
    mixed_media,
    nothing_to_say,
    part_pointer,
    unfit_first_comment,
    unfit_options,
    unfit_words,
    unknown_media,
)

PLATFORM: Platform = "facebook"

MAX_TEXT = 63_206
"""Unicode characters."""
MAX_PHOTOS = 10
MAX_COMMENT = 8_000
MAX_TITLE = 255
MAX_PRESET_TEXT = 130
"""Characters on a coloured background."""
MAX_PHOTO_BYTES = 4 * 1024 * 1024
REEL_SECONDS = (3.0, 90.0)
STORY_SECONDS = (1.0, 60.0)
FRAME_RATES = (24.0, 60.0)
SMALLEST_REEL = (540, 960)
VIDEO_RATIOS = (9 / 16, 16 / 9)
PHOTO_TYPES = ("image/jpeg", "image/png", "image/gif", "image/tiff", "image/webp", "image/heif")
VIDEO_TYPES = ("video/mp4", "video/quicktime")

OPTIONS = {
    option.name: option
    for option in (
        Option(
            name="post_type",
            type="string",
            values=("feed", "reel", "story"),
            description="Where it appears. A reel is one upright video, a story one photo or video for a day.",
        ),
        Option(
            name="title",
            type="string",
            max_length=MAX_TITLE,
            description="Of a video or reel; without it the post's own title.",
        ),
        Option(name="place", type="string", max_length=32, description="The id of the Page of a place to tag."),
        Option(
            name="countries",
            type="strings",
            max_length=2,
            max_items=25,
            description="Two-letter country codes (ISO 3166-1): only people there see it.",
        ),
        Option(
            name="text_format_preset_id",
            type="string",
            max_length=32,
            description=f"A coloured background, for at most {MAX_PRESET_TEXT} characters without media or link.",
        ),
        Option(name="is_ai_generated", type="boolean", description="Discloses that AI made the video."),
        Option(
            name="first_comment",
            type="string",
            max_length=MAX_COMMENT,
            description="A comment that the Page makes on the post as soon as it is live.",
        ),
    )
}

_MENTION = re.compile(r"[\w.-]{1,75}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_PLACES: dict[str, tuple[str, ...]] = {
    "place": ("feed", "reel"),
    "countries": ("feed",),
    "title": ("feed", "reel"),
    "text_format_preset_id": ("feed",),
    "first_comment": ("feed", "reel"),
}
"""The post types that have an option; the rest fit all."""


def check(
    parts: Sequence[Content],
    *,
    kind: PostKind,
    options: Options,
    account: AccountFacts | None,
    title: str | None = None,
) -> Iterator[Violation]:
    """`title`: the post's own, used where the options name none."""
    if kind == "thread":
        yield Violation(
            rule="facebook.thread.unsupported",
            platform=PLATFORM,
            pointer="",
            message="Facebook has no threads.",
            remediation="Publish it as one post.",
        )
    post_type = post_type_of(options)
    for index, content in enumerate(parts):
        yield from _check_part(content, part_pointer(index), post_type, options)
    yield from unfit_options(PLATFORM, OPTIONS, options)
    yield from _check_options(options, post_type)
    yield from unfit_first_comment(PLATFORM, options, account)
    if "title" not in options and title is not None and len(title) > MAX_TITLE and _has_video(parts):
        yield exceeded(
            PLATFORM, "title.length", "/title", what="characters of the title", limit=MAX_TITLE, actual=len(title)
        )


def post_type_of(options: Options) -> str:
    return str(options.get("post_type") or "feed")


def _has_video(parts: Sequence[Content]) -> bool:
    return any(media.type == "video" for content in parts for media in content.media)


def _check_part(content: Content, at: str, post_type: str, options: Options) -> Iterator[Violation]:
    text = compose_text(content, PLATFORM)
    if post_type == "feed" and content.link is None:
        yield from nothing_to_say(PLATFORM, text, content, at)
    if len(text) > MAX_TEXT:
        yield exceeded(PLATFORM, "text.length", f"{at}/text", what="characters", limit=MAX_TEXT, actual=len(text))
    yield from unfit_words(PLATFORM, content, at, _MENTION)
    yield from unknown_media(PLATFORM, content, at, ("image", "video"))
    match post_type:
        case "reel":
            yield from _check_count(content, at, "reel", ("video",))
        case "story":
            yield from _check_count(content, at, "story", ("image", "video"))
            if text:
                yield Violation(
                    rule="facebook.story.text",
                    platform=PLATFORM,
                    pointer=f"{at}/text",
                    message="A story has no text beside its photo or video.",
                    actual=text[:100],
                    remediation="Put the words into the picture, or publish it as a post.",
                )
        case _:
            yield from _check_feed(content, at, text, options)


def _check_count(content: Content, at: str, post_type: str, types: tuple[str, ...]) -> Iterator[Violation]:
    """Exactly one file, of one of these types."""
    wanted = " or ".join(types)
    if not content.media:
        yield Violation(
            rule=f"facebook.{post_type}.media",
            platform=PLATFORM,
            pointer=f"{at}/media",
            message=f"A {post_type} is made of one {wanted}.",
            limit=1,
            actual=0,
            remediation=f"Attach one {wanted}.",
            severity="incomplete",
        )
    elif len(content.media) > 1 or content.media[0].type not in types:
        yield Violation(
            rule=f"facebook.{post_type}.media",
            platform=PLATFORM,
            pointer=f"{at}/media",
            message=f"A {post_type} is made of one {wanted}; this one has {len(content.media)} file(s).",
            limit=f"1 {wanted}",
            actual=[media.type for media in content.media],
            remediation=f"Keep one {wanted}, or leave post_type out.",
        )


def _check_feed(content: Content, at: str, text: str, options: Options) -> Iterator[Violation]:
    yield from mixed_media(PLATFORM, content, at, ("video",))
    photos = sum(media.type == "image" for media in content.media)
    if photos > MAX_PHOTOS:
        yield exceeded(PLATFORM, "media.count", f"{at}/media", what="photos", limit=MAX_PHOTOS, actual=photos)
    if "text_format_preset_id" in options:
        if content.media or content.link is not None:
            yield Violation(
                rule="facebook.options.preset",
                platform=PLATFORM,
                pointer="/options/text_format_preset_id",
                message="Only a text alone has a coloured background.",
                remediation="Leave out the background, or the media and the link.",
            )
        if len(text) > MAX_PRESET_TEXT:
            yield exceeded(
                PLATFORM,
                "options.preset_length",
                f"{at}/text",
                what="characters on a coloured background",
                limit=MAX_PRESET_TEXT,
                actual=len(text),
            )


def _check_options(options: Options, post_type: str) -> Iterator[Violation]:
    for name, fitting in _PLACES.items():
        if options.get(name) and post_type not in fitting:
            yield Violation(
                rule="facebook.options.misplaced",
                platform=PLATFORM,
                pointer=f"/options/{name}",
                message=f"A {post_type} has no {name}.",
                limit=list(fitting),
                actual=post_type,
                remediation=f"Leave {name} out.",
            )
    countries = options.get("countries")
    if isinstance(countries, list):
        for index, code in enumerate(countries):
            if isinstance(code, str) and _COUNTRY.fullmatch(code) is None:
                yield Violation(
                    rule="facebook.options.countries",
                    platform=PLATFORM,
                    pointer=f"/options/countries/{index}",
                    message=f"{code!r} is not a two-letter country code in capitals.",
                    actual=code,
                    remediation="Use codes like BR or DE.",
                )


def check_media(facts: MediaFacts, options: Options, at: str) -> Iterator[Violation]:
    """What is wrong with a file for this post type. What the look did not show is not judged."""
    post_type = post_type_of(options)
    if facts.content_type.startswith("image/"):
        yield from _check_photo(facts, at)
        return
    if facts.content_type not in VIDEO_TYPES:
        yield _unfit("format", at, facts.content_type, list(VIDEO_TYPES), "Facebook does not take this format.")
        return
    match post_type:
        case "reel":
            yield from _check_duration(facts, at, REEL_SECONDS, "reel")
            yield from _check_upright(facts, at)
        case "story":
            yield from _check_duration(facts, at, STORY_SECONDS, "story")
            yield from _check_upright(facts, at)
        case _:
            yield from _check_ratio(facts, at)


def _check_photo(facts: MediaFacts, at: str) -> Iterator[Violation]:
    if facts.content_type not in PHOTO_TYPES:
        yield _unfit("format", at, facts.content_type, list(PHOTO_TYPES), "Facebook does not take this format.")
    if facts.size > MAX_PHOTO_BYTES:
        yield exceeded(PLATFORM, "media.size", at, what="bytes", limit=MAX_PHOTO_BYTES, actual=facts.size)


def _check_duration(facts: MediaFacts, at: str, limits: tuple[float, float], what: str) -> Iterator[Violation]:
    shortest, longest = limits
    if facts.duration is not None and not shortest <= facts.duration <= longest:
        yield _unfit(
            "duration", at, facts.duration, [shortest, longest], f"A {what} lasts {shortest:g} to {longest:g} seconds."
        )


def _check_ratio(facts: MediaFacts, at: str) -> Iterator[Violation]:
    ratio = _ratio(facts)
    low, high = VIDEO_RATIOS
    if ratio is not None and not low * 0.99 <= ratio <= high * 1.01:
        yield _unfit("ratio", at, round(ratio, 3), [low, high], "A video is between 9:16 and 16:9.")


def _check_upright(facts: MediaFacts, at: str) -> Iterator[Violation]:
    yield from _check_ratio(facts, at)
    width, height = SMALLEST_REEL
    if facts.width is not None and facts.height is not None and (facts.width < width or facts.height < height):
        yield _unfit(
            "resolution", at, [facts.width, facts.height], [width, height], f"It has {width}×{height} pixels at least."
        )
    low, high = FRAME_RATES
    if facts.frame_rate is not None and not low <= round(facts.frame_rate, 1) <= high:
        yield _unfit("frame_rate", at, facts.frame_rate, [low, high], f"It has {low:g} to {high:g} frames a second.")


def _ratio(facts: MediaFacts) -> float | None:
    return facts.width / facts.height if facts.width and facts.height else None


def _unfit(
    rule: str, at: str, actual: float | str | list[int], limit: list[float] | list[int] | list[str], message: str
) -> Violation:
    return Violation(
        rule=f"facebook.media.{rule}",
        platform=PLATFORM,
        pointer=at,
        message=message,
        limit=limit,
        actual=actual,
        remediation="Convert the file, or use another one.",
    )
