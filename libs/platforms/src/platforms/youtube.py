"""YouTube's rules, of videos and Shorts.

Sources: developers.google.com, YouTube Data API v3, videos.insert, the video resource and its discovery document of
2026-11-04; support.google.com/youtube, "Understand three-minute YouTube Shorts" and "Upload videos longer than 15
minutes". A Short is not asked for: YouTube makes one of every square or upright video of three minutes at most.
Community posts have an API for a few partners only.
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
    part_pointer,
    unfit_options,
    unfit_words,
    unknown_media,
)

PLATFORM: Platform = "youtube"

PostType = Literal["video", "short"]

MAX_TITLE = 100
"""Characters."""
MAX_DESCRIPTION = 5_000
"""Bytes of UTF-8."""
MAX_TAGS = 500
"""Characters of all tags together, as `tags_length` counts them."""
MAX_COMMENT = 10_000
MAX_VIDEO_BYTES = 256 * 1024**3
MAX_DURATION = 12 * 3_600.0
"""Seconds."""
MAX_SHORT_DURATION = 180.0
DEFAULT_CATEGORY = "22"
"""People & Blogs."""

_LANGUAGE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"

OPTIONS = {
    option.name: option
    for option in (
        Option(
            name="post_type",
            type="string",
            values=("video", "short", "community_post"),
            description="`short` holds the file to what YouTube makes a Short of: square or upright, three minutes at "
            "most. `community_post` is for partners of YouTube and is refused here.",
        ),
        Option(name="title", type="string", max_length=MAX_TITLE, description="Of the video; else the post's title."),
        Option(
            name="privacy",
            type="string",
            values=("public", "unlisted", "private"),
            any_case=True,
            description="Who can watch it; everybody if left out.",
        ),
        Option(
            name="made_for_kids",
            type="boolean",
            description="Declares the video to be made for children, which some laws ask for; no if left out.",
        ),
        Option(
            name="contains_synthetic_media",
            type="boolean",
            description="Discloses realistic content that was altered or made by AI.",
        ),
        Option(
            name="paid_product_placement",
            type="boolean",
            description="Discloses a paid product placement, sponsorship or endorsement.",
        ),
        Option(
            name="category_id",
            type="string",
            max_length=4,
            pattern=r"^[0-9]+$",
            description=f"YouTube's number of a category that can be assigned; {DEFAULT_CATEGORY} (People & Blogs) if "
            "left out.",
        ),
        Option(
            name="tags",
            type="strings",
            max_length=MAX_TAGS,
            max_items=MAX_TAGS,
            description=f"Keywords, {MAX_TAGS} characters together: commas between them count, and two quotation marks "
            "around each that has a space.",
        ),
        Option(
            name="license",
            type="string",
            values=("youtube", "creative_common"),
            description="The standard licence of YouTube if left out.",
        ),
        Option(name="embeddable", type="boolean", description="Whether others may embed it; yes if left out."),
        Option(
            name="public_stats_viewable",
            type="boolean",
            description="Whether everybody sees its statistics; yes if left out.",
        ),
        Option(
            name="notify_subscribers",
            type="boolean",
            description="Whether subscribers are told of it; yes if left out.",
        ),
        Option(
            name="default_language",
            type="string",
            max_length=35,
            pattern=_LANGUAGE,
            description="Of title and description: a language tag such as en or pt-BR.",
        ),
        Option(
            name="default_audio_language",
            type="string",
            max_length=35,
            pattern=_LANGUAGE,
            description="Spoken in the video: a language tag such as en or pt-BR.",
        ),
        Option(
            name="playlist_id",
            type="string",
            max_length=64,
            pattern=r"^[A-Za-z0-9_-]+$",
            description="A playlist of the channel that the video is added to once it is live.",
        ),
        Option(
            name="thumbnail_url",
            type="string",
            max_length=2_048,
            pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#]+\S*$",
            description="The address of a JPEG or PNG of at most 50 MB, set once the video is live. The channel must "
            "be verified.",
        ),
        Option(
            name="first_comment",
            type="string",
            max_length=MAX_COMMENT,
            description="Made below the video, by the channel, once it is live.",
        ),
    )
}

_HANDLE = re.compile(r"[\w.·-]{3,30}")
"""support.google.com/youtube, "Handle naming guidelines"."""
_ANGLES = re.compile("[<>]")


def video_title(options: Options, title: str | None) -> str:
    """What the video is called; `title` is the post's."""
    return str(options.get("title") or title or "").strip()


def description(content: Content) -> str:
    """What stands below the video."""
    return compose_text(content, PLATFORM)


def tags_length(tags: Sequence[str]) -> int:
    """As YouTube counts: with a comma between tags, and with quotation marks around a tag that has a space."""
    return sum(len(tag) + 2 * (" " in tag) for tag in tags) + max(0, len(tags) - 1)


def check(
    parts: Sequence[Content],
    *,
    kind: PostKind,
    options: Options,
    account: AccountFacts | None,  # noqa: ARG001  # the API tells nothing here that depends on the channel
    title: str | None = None,
) -> Iterator[Violation]:
    if kind == "thread":
        yield Violation(
            rule="youtube.thread.unsupported",
            platform=PLATFORM,
            pointer="",
            message="YouTube has no threads.",
            remediation="Publish it as one video.",
        )
    if options.get("post_type") == "community_post":
        yield Violation(
            rule="youtube.post_type.community_post",
            platform=PLATFORM,
            pointer="/options/post_type",
            message="YouTube lets only selected partners make community posts through its API.",
            limit=["video", "short"],
            actual="community_post",
            remediation="Publish a video or a Short, or write the post on YouTube itself.",
        )
    else:
        for index, content in enumerate(parts):
            yield from _check_part(content, part_pointer(index))
        # The post's own title is no option, and has no pointer.
        yield from _check_title(video_title(options, title), "/options/title" if options.get("title") else "/options")
    yield from unfit_options(PLATFORM, OPTIONS, options)
    yield from _check_options(options)


def _check_part(content: Content, at: str) -> Iterator[Violation]:
    text = description(content)
    length = len(text.encode("utf-8", "surrogatepass"))
    if length > MAX_DESCRIPTION:
        yield exceeded(
            PLATFORM,
            "description.length",
            f"{at}/text",
            what="bytes (UTF-8) of the description",
            limit=MAX_DESCRIPTION,
            actual=length,
        )
    if _ANGLES.search(text):
        yield _angles("description", f"{at}/text")
    yield from unfit_words(PLATFORM, content, at, _HANDLE)
    yield from unknown_media(PLATFORM, content, at, ("video",))
    videos = sum(media.type == "video" for media in content.media)
    if videos > 1:
        yield exceeded(PLATFORM, "media.count", f"{at}/media", what="videos", limit=1, actual=videos)
    if not content.media:
        yield Violation(
            rule="youtube.media.required",
            platform=PLATFORM,
            pointer=f"{at}/media",
            message="YouTube publishes videos: a text alone cannot be posted.",
            limit="1 video",
            actual=0,
            remediation="Attach a video.",
            severity="incomplete",
        )


def _check_title(title: str, at: str) -> Iterator[Violation]:
    if not title:
        yield Violation(
            rule="youtube.title.required",
            platform=PLATFORM,
            pointer=at,
            message="A video needs a title.",
            remediation="Give the post a title, or set the title of this target.",
            severity="incomplete",
        )
    if len(title) > MAX_TITLE:
        yield exceeded(
            PLATFORM,
            "title.length",
            at,
            what="characters of the title",
            limit=MAX_TITLE,
            actual=len(title),
        )
    if _ANGLES.search(title):
        yield _angles("title", at)


def _angles(field: str, at: str) -> Violation:
    return Violation(
        rule=f"youtube.{field}.characters",
        platform=PLATFORM,
        pointer=at,
        message=f"YouTube takes no < and > in the {field}.",
        remediation="Write it without angle brackets.",
    )


def _check_options(options: Options) -> Iterator[Violation]:
    tags = options.get("tags")
    if OPTIONS["tags"].takes(tags):
        yield from _check_tags(list(tags or ()))
    comment = options.get("first_comment")
    if isinstance(comment, str) and not comment.strip():
        yield Violation(
            rule="youtube.first_comment.empty",
            platform=PLATFORM,
            pointer="/options/first_comment",
            message="The comment says nothing.",
            remediation="Write it, or leave it out.",
        )
    closed = "made for children" if options.get("made_for_kids") is True else None
    if str(options.get("privacy", "")).lower() == "private":
        closed = closed or "private"
    if comment is not None and closed is not None:
        yield Violation(
            rule="youtube.first_comment.closed",
            platform=PLATFORM,
            pointer="/options/first_comment",
            message=f"Nobody can comment on a video that is {closed}.",
            remediation="Leave the comment out.",
        )


def _check_tags(tags: Sequence[str]) -> Iterator[Violation]:
    length = tags_length(tags)
    if length > MAX_TAGS:
        yield exceeded(
            PLATFORM,
            "tags.length",
            "/options/tags",
            what="characters of the tags, with commas between them and quotation marks around those with spaces",
            limit=MAX_TAGS,
            actual=length,
        )
    for index, tag in enumerate(tags):
        if not tag.strip() or _ANGLES.search(tag) or "," in tag or '"' in tag:
            yield Violation(
                rule="youtube.tags.characters",
                platform=PLATFORM,
                pointer=f"/options/tags/{index}",
                message="A tag is a keyword without commas, quotation marks and angle brackets.",
                actual=tag[:100],
                remediation="Give each keyword as a tag of its own.",
            )


def check_media(facts: MediaFacts, options: Options, at: str) -> Iterator[Violation]:
    """What YouTube would refuse of a file once it has it. Videos of more than 15 minutes need a verified channel,
    which only YouTube knows.
    """
    if not facts.content_type.startswith("video/"):
        yield Violation(
            rule="youtube.media.type",
            platform=PLATFORM,
            pointer=at,
            message=f"The file is {facts.content_type}, and YouTube takes videos.",
            limit=["video/*"],
            actual=facts.content_type,
            remediation="Attach a video.",
        )
        return
    if facts.size > MAX_VIDEO_BYTES:
        yield exceeded(PLATFORM, "media.size", at, what="bytes", limit=MAX_VIDEO_BYTES, actual=facts.size)
    short = options.get("post_type") == "short"
    longest = MAX_SHORT_DURATION if short else MAX_DURATION
    if facts.duration is not None and facts.duration > longest:
        yield Violation(
            rule="youtube.short.duration" if short else "youtube.media.duration",
            platform=PLATFORM,
            pointer=at,
            message=f"{facts.duration:,.1f} seconds long, and {longest:,.0f} are allowed.",
            limit=longest,
            actual=facts.duration,
            remediation="Cut it, or publish it as a video." if short else "Cut it.",
        )
    if short and facts.width is not None and facts.height is not None and facts.width > facts.height:
        yield Violation(
            rule="youtube.short.aspect",
            platform=PLATFORM,
            pointer=at,
            message=f"{facts.width} by {facts.height} pixels: a Short is square or upright.",
            limit="at most as wide as high",
            actual=f"{facts.width}x{facts.height}",
            remediation="Crop it, or publish it as a video.",
        )
