"""Instagram's rules, for professional accounts.

Sources: developers.facebook.com, Instagram Platform, "Content Publishing" and the references of
`/{ig-user-id}/media` and of error codes, Graph API v26.0. Texts are measured in UTF-16 units, the strict reading of
"characters". Instagram's app has had a limit of five hashtags since December 2025; its API documents 30, and beyond
that a post is refused here. The length of a comment is not documented: a caption's is assumed.
"""

import re
from collections.abc import Iterator, Sequence

from contracts.content import Content, Options, Platform
from contracts.posts import PostKind
from platforms.composing import compose_text
from platforms.hashtags import HASHTAG
from platforms.rules import (
    AccountFacts,
    MediaFacts,
    Option,
    Violation,
    exceeded,
    part_pointer,
    unfit_first_comment,
    unfit_options,
    unfit_words,
    unknown_media,
)

PLATFORM: Platform = "instagram"

MAX_CAPTION = 2_200
"""UTF-16 units."""
MAX_HASHTAGS = 30
MAX_MENTIONS = 20
MAX_CAROUSEL = 10
MAX_ALT_TEXT = 1_000
MAX_COLLABORATORS = 3
MAX_SPONSORS = 2
MEGABYTE = 1024 * 1024
MAX_IMAGE_BYTES = 8 * MEGABYTE
MAX_REEL_BYTES = 300 * MEGABYTE
MAX_STORY_VIDEO_BYTES = 100 * MEGABYTE
IMAGE_RATIOS = (0.8, 1.91)
VIDEO_RATIOS = (0.01, 10.0)
STORY_VIDEO_RATIOS = (0.1, 10.0)
REEL_SECONDS = (3.0, 900.0)
STORY_SECONDS = (3.0, 60.0)
FRAME_RATES = (23.0, 60.0)
MAX_VIDEO_WIDTH = 1_920
VIDEO_TYPES = ("video/mp4", "video/quicktime")

OPTIONS = {
    option.name: option
    for option in (
        Option(
            name="post_type",
            type="string",
            values=("feed", "reel", "story"),
            description="Without it a single video is a reel, everything else a post or carousel in the feed.",
        ),
        Option(name="share_to_feed", type="boolean", description="Whether a reel shows in the feed as well."),
        Option(
            name="cover_url",
            type="string",
            max_length=2_000,
            description="The public URL of a JPEG of at most 8 MB, the cover of a reel.",
        ),
        Option(
            name="thumb_offset",
            type="integer",
            minimum=0,
            maximum=900_000,
            description="The frame of a reel that is its cover, in milliseconds; cover_url wins.",
        ),
        Option(name="audio_name", type="string", max_length=100, description="What a reel's original sound is called."),
        Option(
            name="trial_reel",
            type="string",
            values=("manual", "ss_performance"),
            description="Shows a reel to strangers first: to followers when you say so, or when it does well.",
        ),
        Option(
            name="collaborators",
            type="strings",
            max_length=30,
            max_items=MAX_COLLABORATORS,
            description="Usernames that are invited as co-authors.",
        ),
        Option(
            name="user_tags",
            type="strings",
            max_length=60,
            max_items=20,
            description="Who is shown: a username; on images with its place from the top left, `amara:0.5:0.25`.",
        ),
        Option(name="location_id", type="string", max_length=32, description="The id of the Page of a place to tag."),
        Option(name="is_ai_generated", type="boolean", description="Discloses that AI made the content."),
        Option(
            name="is_paid_partnership",
            type="boolean",
            description="Discloses a paid partnership; for accounts that are connected through Facebook.",
        ),
        Option(
            name="branded_content_sponsor_ids",
            type="strings",
            max_length=32,
            max_items=MAX_SPONSORS,
            description="The sponsors' Instagram ids; for accounts that are connected through Facebook.",
        ),
        Option(
            name="first_comment",
            type="string",
            max_length=MAX_CAPTION,
            description="A comment that the account makes on the post as soon as it is live.",
        ),
    )
}

_USERNAME = re.compile(r"[A-Za-z0-9._]{1,30}")
_MENTIONED = re.compile(r"(?<![\w@])@[A-Za-z0-9._]{1,30}")
_TAG = re.compile(r"(?P<name>[A-Za-z0-9._]{1,30})(?::(?P<x>0(?:\.\d+)?|1(?:\.0+)?):(?P<y>0(?:\.\d+)?|1(?:\.0+)?))?")
_FITTING: dict[str, tuple[str, ...]] = {
    "share_to_feed": ("reel",),
    "cover_url": ("reel",),
    "thumb_offset": ("reel",),
    "audio_name": ("reel",),
    "trial_reel": ("reel",),
    "collaborators": ("image", "reel", "carousel"),
    "user_tags": ("image", "reel", "story"),
    "location_id": ("image", "reel", "carousel"),
    "first_comment": ("image", "reel", "carousel"),
}
"""The kinds of posts that have an option; the rest fit all."""
_FACEBOOK_LOGIN_ONLY = ("is_paid_partnership", "branded_content_sponsor_ids")


def check(
    parts: Sequence[Content],
    *,
    kind: PostKind,
    options: Options,
    account: AccountFacts | None,
) -> Iterator[Violation]:
    if kind == "thread":
        yield Violation(
            rule="instagram.thread.unsupported",
            platform=PLATFORM,
            pointer="",
            message="Instagram has no threads.",
            remediation="Publish it as one post.",
        )
    for index, content in enumerate(parts):
        yield from _check_part(content, part_pointer(index), options)
    yield from unfit_options(PLATFORM, OPTIONS, options)
    yield from _check_first_comment(options)
    yield from unfit_first_comment(PLATFORM, options, account)
    if account is not None and account.login != "facebook":
        for name in _FACEBOOK_LOGIN_ONLY:
            if options.get(name):
                yield Violation(
                    rule="instagram.options.login",
                    platform=PLATFORM,
                    pointer=f"/options/{name}",
                    message=f"{name} needs an account that is connected through Facebook.",
                    remediation="Connect the account through its Facebook Page, or leave it out.",
                )


def form_of(content: Content, options: Options) -> str:
    """What it becomes: image, carousel, reel or story."""
    match options.get("post_type"):
        case "story":
            return "story"
        case "reel":
            return "reel"
    if len(content.media) > 1:
        return "carousel"
    return "reel" if content.media and content.media[0].type == "video" else "image"


def tag_of(text: str) -> tuple[str, float | None, float | None] | None:
    """The username and place of an entry of `user_tags`; None when it is none."""
    match = _TAG.fullmatch(text)
    if match is None:
        return None
    if match["x"] is None:
        return match["name"], None, None
    return match["name"], float(match["x"]), float(match["y"])


def _check_part(content: Content, at: str, options: Options) -> Iterator[Violation]:
    form = form_of(content, options)
    text = compose_text(content, PLATFORM)
    yield from _check_text(text, at)
    yield from unfit_words(PLATFORM, content, at, _USERNAME)
    yield from unknown_media(PLATFORM, content, at, ("image", "video"))
    yield from _check_count(content, at, form)
    if form == "story" and text:
        yield Violation(
            rule="instagram.story.text",
            platform=PLATFORM,
            pointer=f"{at}/text",
            message="A story shows no caption.",
            actual=text[:100],
            remediation="Put the words into the picture, or publish it as a post.",
        )
    for index, media in enumerate(content.media):
        if media.url is not None and not media.url.isascii():
            yield Violation(
                rule="instagram.media.url",
                platform=PLATFORM,
                pointer=f"{at}/media/{index}/url",
                message="Instagram fetches media by URLs in ASCII only.",
                actual=media.url[:100],
                remediation="Percent-encode the URL.",
            )
        yield from _check_alt_text(media.alt_text, media.type, f"{at}/media/{index}/alt_text", form)
    yield from _check_options(content, options, form)


def _check_text(text: str, at: str) -> Iterator[Violation]:
    pointer = f"{at}/text"
    length = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if length > MAX_CAPTION:
        yield exceeded(
            PLATFORM, "text.length", pointer, what="characters (UTF-16 units)", limit=MAX_CAPTION, actual=length
        )
    yield from _check_words(text, pointer)


def _check_words(text: str, pointer: str) -> Iterator[Violation]:
    hashtags = len(HASHTAG.findall(text))
    if hashtags > MAX_HASHTAGS:
        yield exceeded(PLATFORM, "text.hashtags", pointer, what="hashtags", limit=MAX_HASHTAGS, actual=hashtags)
    mentions = len(_MENTIONED.findall(text))
    if mentions > MAX_MENTIONS:
        yield exceeded(PLATFORM, "text.mentions", pointer, what="mentions", limit=MAX_MENTIONS, actual=mentions)


def _check_count(content: Content, at: str, form: str) -> Iterator[Violation]:
    pointer = f"{at}/media"
    if not content.media:
        yield Violation(
            rule="instagram.media.required",
            platform=PLATFORM,
            pointer=pointer,
            message="Instagram has no posts of text alone.",
            limit=1,
            actual=0,
            remediation="Attach an image or a video.",
            severity="incomplete",
        )
        return
    types = [media.type for media in content.media]
    if form == "carousel" and len(types) > MAX_CAROUSEL:
        yield exceeded(PLATFORM, "media.count", pointer, what="files", limit=MAX_CAROUSEL, actual=len(types))
    if form in ("reel", "story") and len(types) > 1:
        yield exceeded(PLATFORM, f"{form}.media", pointer, what=f"files in a {form}", limit=1, actual=len(types))
    if form == "reel" and types[0] != "video":
        yield Violation(
            rule="instagram.reel.media",
            platform=PLATFORM,
            pointer=pointer,
            message=f"A reel is a video, and this is of type {types[0]}.",
            limit="1 video",
            actual=list(types),
            remediation="Attach a video, or leave post_type out.",
        )


def _check_alt_text(alt_text: str | None, kind: str, at: str, form: str) -> Iterator[Violation]:
    if alt_text is None:
        return
    if form in ("image", "carousel") and kind == "image" and len(alt_text) > MAX_ALT_TEXT:
        yield exceeded(
            PLATFORM,
            "media.alt_text",
            at,
            what="characters of alternative text",
            limit=MAX_ALT_TEXT,
            actual=len(alt_text),
        )


def _check_options(content: Content, options: Options, form: str) -> Iterator[Violation]:
    for name, fitting in _FITTING.items():
        if options.get(name) and content.media and form not in fitting:
            yield Violation(
                rule="instagram.options.misplaced",
                platform=PLATFORM,
                pointer=f"/options/{name}",
                message=f"{name} does not go with a {form}.",
                limit=list(fitting),
                actual=form,
                remediation=f"Leave {name} out.",
            )
    yield from _check_tags(options.get("user_tags"), form)
    for index, name in enumerate(_strings(options.get("collaborators"))):
        if _USERNAME.fullmatch(name.removeprefix("@")) is None:
            yield Violation(
                rule="instagram.options.collaborators",
                platform=PLATFORM,
                pointer=f"/options/collaborators/{index}",
                message=f"{name!r} cannot be a username.",
                actual=name,
                remediation="Give usernames as they stand in the address of a profile.",
            )
    cover = options.get("cover_url")
    if isinstance(cover, str) and not (cover.isascii() and cover.startswith(("https://", "http://"))):
        yield Violation(
            rule="instagram.options.cover_url",
            platform=PLATFORM,
            pointer="/options/cover_url",
            message="The cover is named by a public URL in ASCII.",
            actual=cover[:100],
            remediation="Give a URL that begins with https://.",
        )


def _check_tags(tags: object, form: str) -> Iterator[Violation]:
    for index, text in enumerate(_strings(tags)):
        tag = tag_of(text.removeprefix("@"))
        placed = tag is not None and tag[1] is not None
        if tag is None or (form == "image" and not placed) or (form == "reel" and placed):
            yield Violation(
                rule="instagram.options.user_tags",
                platform=PLATFORM,
                pointer=f"/options/user_tags/{index}",
                message=f"{text!r} is not a tag for a {form}.",
                actual=text,
                remediation="On an image: `username:x:y` with x and y from 0 to 1. On a reel: the username alone.",
            )


def _check_first_comment(options: Options) -> Iterator[Violation]:
    comment = options.get("first_comment")
    if isinstance(comment, str):
        yield from _check_words(comment, "/options/first_comment")


def _strings(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def check_media(facts: MediaFacts, options: Options, at: str) -> Iterator[Violation]:
    """What is wrong with a file for this post type. What the look did not show is not judged."""
    story = options.get("post_type") == "story"
    if facts.content_type.startswith("image/"):
        yield from _check_image(facts, at, story=story)
    elif facts.content_type in VIDEO_TYPES:
        yield from _check_video(facts, at, story=story)
    else:
        yield _unfit("format", at, facts.content_type, ["image/jpeg", *VIDEO_TYPES], "Instagram takes no such file.")


def _check_image(facts: MediaFacts, at: str, *, story: bool) -> Iterator[Violation]:
    if facts.content_type != "image/jpeg":
        yield _unfit("format", at, facts.content_type, ["image/jpeg"], "Instagram takes images as JPEG only.")
    if facts.size > MAX_IMAGE_BYTES:
        yield exceeded(PLATFORM, "media.size", at, what="bytes", limit=MAX_IMAGE_BYTES, actual=facts.size)
    if not story:
        yield from _check_ratio(facts, at, IMAGE_RATIOS, "An image is between 4:5 and 1.91:1.")


def _check_video(facts: MediaFacts, at: str, *, story: bool) -> Iterator[Violation]:
    largest = MAX_STORY_VIDEO_BYTES if story else MAX_REEL_BYTES
    if facts.size > largest:
        yield exceeded(PLATFORM, "media.size", at, what="bytes", limit=largest, actual=facts.size)
    shortest, longest = STORY_SECONDS if story else REEL_SECONDS
    if facts.duration is not None and not shortest <= facts.duration <= longest:
        message = f"It lasts {shortest:g} to {longest:g} seconds."
        yield _unfit("duration", at, facts.duration, [shortest, longest], message)
    ratios = STORY_VIDEO_RATIOS if story else VIDEO_RATIOS
    yield from _check_ratio(facts, at, ratios, f"A video is between {ratios[0]:g}:1 and {ratios[1]:g}:1.")
    if facts.width is not None and facts.width > MAX_VIDEO_WIDTH:
        yield exceeded(PLATFORM, "media.width", at, what="pixels of width", limit=MAX_VIDEO_WIDTH, actual=facts.width)
    low, high = FRAME_RATES
    if facts.frame_rate is not None and not low <= round(facts.frame_rate, 1) <= high:
        yield _unfit("frame_rate", at, facts.frame_rate, [low, high], f"It has {low:g} to {high:g} frames a second.")


def _check_ratio(facts: MediaFacts, at: str, limits: tuple[float, float], message: str) -> Iterator[Violation]:
    if facts.width and facts.height:
        ratio = facts.width / facts.height
        if not limits[0] - 0.005 <= ratio <= limits[1] + 0.005:
            yield _unfit("ratio", at, round(ratio, 3), list(limits), message)


def _unfit(rule: str, at: str, actual: float | str, limit: list[float] | list[str], message: str) -> Violation:
    return Violation(
        rule=f"instagram.media.{rule}",
        platform=PLATFORM,
        pointer=at,
        message=message,
        limit=limit,
        actual=actual,
        remediation="Convert the file, or use another one.",
    )
