"""TikTok's rules, of direct posts and of what is sent to a creator's inbox to be finished there.

Sources: developers.tiktok.com, Content Posting API, the references of direct post and photo post, the media transfer
guide and the content sharing guidelines, read in September 2026. By these guidelines an app chooses no privacy level
for a creator, and comments, duets and stitches are off until the creator turns them on. "Maximum 1080p" of photos is,
by what was seen refused and taken, a limit of their shorter side.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal

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
    part_pointer,
    unfit_options,
    unfit_words,
    unknown_media,
)

PLATFORM: Platform = "tiktok"

PostType = Literal["video", "photo"]

MAX_CAPTION = 2_200
"""UTF-16 units of what stands below a video."""
MAX_PHOTO_TITLE = 90
MAX_PHOTO_DESCRIPTION = 4_000
MAX_PHOTOS = 35

VIDEO_TYPES = ("video/mp4", "video/quicktime")
"""TikTok takes WebM too, which this system does not."""
VIDEO_CODECS = ("h264", "h265", "hevc", "vp8", "vp9")
MAX_VIDEO_BYTES = 4 * 1024**3
MIN_SIDE, MAX_SIDE = 360, 4_096
MIN_FRAME_RATE, MAX_FRAME_RATE = 23.0, 60.0
MAX_DURATION = 600.0
"""Seconds. A creator's own limit may be lower: only TikTok knows it."""
PHOTO_TYPES = ("image/jpeg", "image/webp")
MAX_PHOTO_BYTES = 20 * 1024**2
MAX_PHOTO_SHORT_SIDE = 1_080

OPTIONS = {
    option.name: option
    for option in (
        Option(
            name="post_type",
            type="string",
            values=("video", "photo"),
            description="A video, or a carousel of photos. What the media are if left out.",
        ),
        Option(
            name="mode",
            type="string",
            values=("direct", "inbox"),
            description="`inbox` leaves it in the creator's TikTok inbox, to be finished and posted in the app.",
        ),
        Option(
            name="privacy_level",
            type="string",
            values=("public_to_everyone", "mutual_follow_friends", "follower_of_creator", "self_only"),
            any_case=True,
            description="Who sees it. TikTok has apps let the creator choose; what a creator can choose depends on "
            "whether the account is private.",
        ),
        Option(name="title", type="string", max_length=MAX_PHOTO_TITLE, description="Of photos; else the post's."),
        Option(name="allow_comment", type="boolean", description="Whether others may comment; off if left out."),
        Option(name="allow_duet", type="boolean", description="Whether others may duet a video; off if left out."),
        Option(name="allow_stitch", type="boolean", description="Whether others may stitch a video; off if left out."),
        Option(
            name="brand_content_toggle",
            type="boolean",
            description="Discloses a paid partnership with another brand.",
        ),
        Option(name="brand_organic_toggle", type="boolean", description="Discloses the creator's own business."),
        Option(name="is_aigc", type="boolean", description="Discloses that AI made the content."),
        Option(
            name="video_cover_timestamp_ms",
            type="integer",
            minimum=0,
            maximum=600_000,
            description="Where in the video its cover is, in milliseconds.",
        ),
        Option(
            name="photo_cover_index",
            type="integer",
            minimum=0,
            maximum=MAX_PHOTOS - 1,
            description="Which of the photos is the cover, counted from 0.",
        ),
        Option(name="auto_add_music", type="boolean", description="Lets TikTok add music to photos."),
    )
}

_ONLY_VIDEO = ("allow_duet", "allow_stitch", "video_cover_timestamp_ms")
_ONLY_PHOTO = ("title", "photo_cover_index", "auto_add_music")
_ONLY_DIRECT = (
    "privacy_level",
    "allow_comment",
    "allow_duet",
    "allow_stitch",
    "brand_content_toggle",
    "brand_organic_toggle",
    "is_aigc",
    "video_cover_timestamp_ms",
    "auto_add_music",
)

_MENTION = re.compile(r"[A-Za-z0-9_.]{2,24}")


def post_type(content: Content, options: Options) -> PostType:
    """What is to be made of the content."""
    asked = options.get("post_type")
    if asked in ("video", "photo"):
        return "video" if asked == "video" else "photo"
    return "photo" if any(media.type == "image" for media in content.media) else "video"


def is_inbox(options: Options) -> bool:
    """Whether the creator finishes it in the app."""
    return bool(options.get("mode") == "inbox")


def photo_title(options: Options, title: str | None) -> str:
    """What stands above photos; `title` is the post's."""
    return str(options.get("title") or title or "").strip()


def check(
    parts: Sequence[Content],
    *,
    kind: PostKind,
    options: Options,
    account: AccountFacts | None,  # noqa: ARG001  # TikTok tells what an account may do right before a post only
    title: str | None = None,
) -> Iterator[Violation]:
    if kind == "thread":
        yield Violation(
            rule="tiktok.thread.unsupported",
            platform=PLATFORM,
            pointer="",
            message="TikTok has no threads.",
            remediation="Publish it as one post.",
        )
    for index, content in enumerate(parts):
        yield from _check_part(content, options, part_pointer(index))
        yield from _check_options(content, options, title)
    yield from unfit_options(PLATFORM, OPTIONS, options)


def _check_part(content: Content, options: Options, at: str) -> Iterator[Violation]:
    made = post_type(content, options)
    yield from unfit_words(PLATFORM, content, at, _MENTION)
    yield from _check_text(content, options, made, at)
    if not content.media:
        yield Violation(
            rule="tiktok.media.required",
            platform=PLATFORM,
            pointer=f"{at}/media",
            message="TikTok takes no posts of text alone.",
            limit=f"1 video, or 1 to {MAX_PHOTOS} images",
            actual=0,
            remediation="Attach a video or images.",
            severity="incomplete",
        )
        return
    yield from unknown_media(PLATFORM, content, at, ("image", "video"))
    yield from mixed_media(PLATFORM, content, at, ("video",))
    wanted = "video" if made == "video" else "image"
    wrong = sorted({media.type for media in content.media if media.type in ("image", "video")} - {wanted})
    if wrong and options.get("post_type") is not None:
        yield Violation(
            rule="tiktok.post_type.media",
            platform=PLATFORM,
            pointer=f"{at}/media",
            message=f"A {made} post is made of {wanted}s; this one has {', '.join(wrong)}.",
            limit=[wanted],
            actual=[media.type for media in content.media],
            remediation=f"Attach {wanted}s only, or leave post_type out.",
        )
    photos = sum(media.type == "image" for media in content.media)
    if photos > MAX_PHOTOS:
        yield exceeded(PLATFORM, "media.count", f"{at}/media", what="images", limit=MAX_PHOTOS, actual=photos)
    if made == "photo":
        yield from _check_sources(content, at)


def _check_sources(content: Content, at: str) -> Iterator[Violation]:
    """TikTok fetches photos itself; an upload has a signed address for that."""
    for index, media in enumerate(content.media):
        if media.type == "image" and media.url is None and media.media_id is None:
            yield Violation(
                rule="tiktok.media.url",
                platform=PLATFORM,
                pointer=f"{at}/media/{index}",
                message="TikTok takes photos only by their URL.",
                remediation="Name the photo by a URL on a domain that is verified for this app at TikTok.",
            )


def _check_text(content: Content, options: Options, made: PostType, at: str) -> Iterator[Violation]:
    text = compose_text(content, PLATFORM)
    length = utf16_length(text)
    if made == "video" and is_inbox(options) and text:
        yield Violation(
            rule="tiktok.inbox.text",
            platform=PLATFORM,
            pointer=f"{at}/text",
            message="TikTok takes no caption with a video for the inbox: the creator writes it in the app.",
            limit=0,
            actual=length,
            remediation="Give this target a content without text, hashtags, mentions and link; or publish directly.",
        )
        return
    limit = MAX_CAPTION if made == "video" else MAX_PHOTO_DESCRIPTION
    if length > limit:
        yield exceeded(
            PLATFORM, "text.length", f"{at}/text", what="characters (UTF-16 units)", limit=limit, actual=length
        )


def _check_options(content: Content, options: Options, title: str | None) -> Iterator[Violation]:
    made = post_type(content, options)
    if is_inbox(options):
        yield from _without_effect(options, _ONLY_DIRECT, "inbox.options", "in the inbox: the creator sets it there")
    elif "privacy_level" not in options:
        yield Violation(
            rule="tiktok.privacy_level.required",
            platform=PLATFORM,
            pointer="/options",
            message="TikTok requires that the creator chooses who sees the post.",
            limit=list(OPTIONS["privacy_level"].values),
            remediation="Set privacy_level.",
            severity="incomplete",
        )
    if content.media:
        other = _ONLY_PHOTO if made == "video" else _ONLY_VIDEO
        yield from _without_effect(options, other, "options.post_type", f"on a {made}")
    if str(options.get("privacy_level", "")).lower() == "self_only" and options.get("brand_content_toggle") is True:
        yield Violation(
            rule="tiktok.privacy_level.branded",
            platform=PLATFORM,
            pointer="/options/privacy_level",
            message="Content made for another brand cannot be private.",
            limit=["public_to_everyone", "mutual_follow_friends", "follower_of_creator"],
            actual="self_only",
            remediation="Let others see it, or take brand_content_toggle away.",
        )
    if made == "photo":
        yield from _check_photo(content, options, title)


def _check_photo(content: Content, options: Options, title: str | None) -> Iterator[Violation]:
    length = utf16_length(photo_title(options, title))
    if length > MAX_PHOTO_TITLE:
        yield exceeded(
            PLATFORM,
            "title.length",
            "/options/title",
            what="characters (UTF-16 units) of the title",
            limit=MAX_PHOTO_TITLE,
            actual=length,
        )
    cover = options.get("photo_cover_index")
    if isinstance(cover, int) and content.media and cover >= len(content.media):
        yield Violation(
            rule="tiktok.photo_cover_index.range",
            platform=PLATFORM,
            pointer="/options/photo_cover_index",
            message=f"There is no photo {cover}, counted from 0; the post has {len(content.media)}.",
            limit=len(content.media) - 1,
            actual=cover,
            remediation="Name one of the photos.",
        )


def _without_effect(options: Options, names: Sequence[str], rule: str, where: str) -> Iterator[Violation]:
    for name in names:
        if options.get(name) not in (None, False, ""):
            yield Violation(
                rule=f"tiktok.{rule}",
                platform=PLATFORM,
                pointer=f"/options/{name}",
                message=f"{name} has no effect {where}.",
                actual=name,
                remediation=f"Leave {name} out.",
            )


def check_media(facts: MediaFacts, options: Options, at: str) -> Iterator[Violation]:
    """What TikTok would refuse of a file, found only after it has taken it. One bad photo costs the whole carousel,
    and TikTok does not say which one it was.
    """
    image = facts.content_type.startswith("image/")
    yield from _check_type(facts, PHOTO_TYPES if image else VIDEO_TYPES, at)
    limit = MAX_PHOTO_BYTES if image else MAX_VIDEO_BYTES
    if facts.size > limit:
        yield exceeded(PLATFORM, "media.size", at, what="bytes", limit=limit, actual=facts.size)
    if facts.width is not None and facts.height is not None:
        yield from _check_sides(facts.width, facts.height, image=image, at=at)
    if image:
        return
    if facts.duration is not None and facts.duration > MAX_DURATION:
        yield _off(
            "media.duration", at, "seconds long", actual=facts.duration, limit=MAX_DURATION, remediation="Cut it."
        )
    cover = options.get("video_cover_timestamp_ms")
    if facts.duration is not None and isinstance(cover, int) and cover > facts.duration * 1000:
        end = facts.duration * 1000
        yield _off(
            "media.cover",
            at,
            "milliseconds into the video",
            actual=cover,
            limit=end,
            remediation="Name an earlier moment.",
        )
    if facts.frame_rate is not None and not MIN_FRAME_RATE <= facts.frame_rate <= MAX_FRAME_RATE:
        allowed = [MIN_FRAME_RATE, MAX_FRAME_RATE]
        yield _off(
            "media.frame_rate",
            at,
            "frames a second",
            actual=facts.frame_rate,
            limit=allowed,
            remediation="Convert it to 30.",
        )
    if facts.video_codec is not None and facts.video_codec.lower() not in VIDEO_CODECS:
        yield Violation(
            rule="tiktok.media.codec",
            platform=PLATFORM,
            pointer=at,
            message=f"TikTok takes no {facts.video_codec} video.",
            limit=list(VIDEO_CODECS),
            actual=facts.video_codec,
            remediation="Convert it to H.264.",
        )


def _check_type(facts: MediaFacts, types: Sequence[str], at: str) -> Iterator[Violation]:
    if facts.content_type not in types:
        yield Violation(
            rule="tiktok.media.format",
            platform=PLATFORM,
            pointer=at,
            message=f"TikTok does not take {facts.content_type} here.",
            limit=list(types),
            actual=facts.content_type,
            remediation=f"Convert it to {types[0]}.",
        )


def _check_sides(width: int, height: int, *, image: bool, at: str) -> Iterator[Violation]:
    short, long = min(width, height), max(width, height)
    if image and short > MAX_PHOTO_SHORT_SIDE:
        yield _off(
            "media.resolution",
            at,
            "pixels on the shorter side",
            actual=short,
            limit=MAX_PHOTO_SHORT_SIDE,
            remediation="Scale it down.",
        )
    if not image and (short < MIN_SIDE or long > MAX_SIDE):
        yield _off(
            "media.resolution",
            at,
            "pixels",
            actual=[width, height],
            limit=[MIN_SIDE, MAX_SIDE],
            remediation="Scale it to 1080 × 1920.",
        )


def _off(
    rule: str,
    at: str,
    what: str,
    *,
    actual: float | list[int],
    limit: float | list[float] | list[int],
    remediation: str,
) -> Violation:
    shown = " × ".join(map(str, actual)) if isinstance(actual, list) else f"{actual:g}"
    allowed = f"{limit[0]:g} to {limit[1]:g}" if isinstance(limit, list) else f"at most {limit:g}"
    return Violation(
        rule=f"tiktok.{rule}",
        platform=PLATFORM,
        pointer=at,
        message=f"{shown} {what}, and {allowed} are allowed.",
        limit=list(limit) if isinstance(limit, list) else limit,
        actual=list(actual) if isinstance(actual, list) else actual,
        remediation=remediation,
    )


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
