"""LinkedIn's rules.

Sources: learn.microsoft.com, LinkedIn marketing documentation, Posts API, Images API, Videos API, Documents API, Polls
API, Comments API and "little text format", version 202609. The length of a text is documented only as an error,
FIELD_LENGTH_TOO_LONG; 3,000 UTF-16 units of the unescaped text is what LinkedIn's own pages state and what its editor
counts. The lengths of a poll's question and choices are those of its editor.
"""

import re
from collections.abc import Iterator, Sequence

from contracts.content import Content, Options, Platform
from contracts.posts import PostKind
from platforms.composing import compose_text, has_card
from platforms.rules import (
    AccountFacts,
    MediaFacts,
    Option,
    Violation,
    exceeded,
    long_alt_texts,
    mixed_media,
    nothing_to_say,
    part_pointer,
    unfit_options,
    unfit_words,
    unknown_media,
)

PLATFORM: Platform = "linkedin"

MAX_TEXT = 3_000
"""UTF-16 units of what readers see."""
MAX_IMAGES = 20
MAX_ALT_TEXT = 4_086
MAX_ARTICLE_TITLE = 400
MAX_TITLE = 400
"""Of documents and videos: LinkedIn documents a limit for articles only."""
MAX_COMMENT = 1_250
MAX_QUESTION = 140
MAX_CHOICE = 30

_MEGABYTE = 1 << 20
IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif")
MAX_PIXELS = 36_152_319
MAX_IMAGE_BYTES = 20 * _MEGABYTE
"""LinkedIn documents a limit in pixels only; this is our own."""
VIDEO_TYPES = ("video/mp4",)
MIN_VIDEO_BYTES, MAX_VIDEO_BYTES = 75 * 1024, 500 * _MEGABYTE
MIN_SECONDS, MAX_SECONDS = 3.0, 1_800.0
DOCUMENT_TYPES = ("application/pdf",)
"""LinkedIn also takes Word and PowerPoint files; this system does not."""
MAX_DOCUMENT_BYTES = 100 * _MEGABYTE

_MENTION = re.compile(r"[\w.-]{1,100}")

OPTIONS = {
    option.name: option
    for option in (
        Option(
            name="visibility",
            type="string",
            values=("public", "connections"),
            any_case=True,
            description="Who sees it. Pages publish to everyone: `connections` is for members.",
        ),
        Option(name="is_reshare_disabled", type="boolean", description="Whether others may not share it on."),
        Option(
            name="title",
            type="string",
            max_length=MAX_TITLE,
            description="Of a document, which needs one, or a video; the title of the post if left out.",
        ),
        Option(
            name="link_thumbnail",
            type="boolean",
            description="Makes the one attached image the picture of the link's card, instead of a picture of its own.",
        ),
        Option(
            name="poll_question",
            type="string",
            max_length=MAX_QUESTION,
            description="Makes a poll of this question. A poll has no media.",
        ),
        Option(
            name="poll_options",
            type="strings",
            max_length=MAX_CHOICE,
            min_items=2,
            max_items=4,
            description="The choices of the poll.",
        ),
        Option(
            name="poll_duration",
            type="string",
            values=("one_day", "three_days", "seven_days", "fourteen_days"),
            any_case=True,
            description="How long the poll is open; seven days if left out.",
        ),
        Option(
            name="reshare_post_id",
            type="string",
            pattern=r"^urn:li:(share|ugcPost):[0-9]{1,20}$",
            description="The URN of a post to share on, instead of media, a link's card or a poll.",
        ),
        Option(
            name="first_comment",
            type="string",
            max_length=MAX_COMMENT,
            description="A comment that the account makes on the post as soon as it is live. LinkedIn permits it to "
            "accounts connected with its permission to comment, `w_member_social_feed` or "
            "`w_organization_social_feed`.",
        ),
    )
}


def check(
    parts: Sequence[Content],
    *,
    kind: PostKind,
    options: Options,
    account: AccountFacts | None,
    title: str | None = None,
) -> Iterator[Violation]:
    if kind == "thread":
        yield Violation(
            rule="linkedin.thread.unsupported",
            platform=PLATFORM,
            pointer="",
            message="LinkedIn has no threads.",
            remediation="Publish it as one post.",
        )
    for index, content in enumerate(parts):
        yield from _check_part(content, part_pointer(index), options, title)
    yield from unfit_options(PLATFORM, OPTIONS, options)
    if parts:
        yield from _check_attached(parts[0], options)
    yield from _check_poll(options)
    yield from _check_first_comment(options, account)
    if str(options.get("visibility", "")).lower() == "connections" and _is_page(account):
        yield Violation(
            rule="linkedin.options.visibility",
            platform=PLATFORM,
            pointer="/options/visibility",
            message="A page has followers, not connections.",
            limit=["public"],
            actual="connections",
            remediation="Use public, or a member's account.",
        )


def _is_page(account: AccountFacts | None) -> bool:
    return account is not None and account.account_type in ("organization", "company_page")


def document_title(options: Options, title: str | None) -> str:
    """What a document or a video is called; `title` is the post's."""
    return str(options.get("title") or title or "").strip()


def _check_part(content: Content, at: str, options: Options, title: str | None) -> Iterator[Violation]:
    text = compose_text(content, PLATFORM, options)
    if not options.get("reshare_post_id"):
        yield from nothing_to_say(PLATFORM, text, content, at)
    length = utf16_length(text)
    if length > MAX_TEXT:
        yield exceeded(
            PLATFORM, "text.length", f"{at}/text", what="characters (UTF-16 units)", limit=MAX_TEXT, actual=length
        )
    yield from unfit_words(PLATFORM, content, at, _MENTION)
    yield from unknown_media(PLATFORM, content, at, ("image", "gif", "video", "document"))
    yield from mixed_media(PLATFORM, content, at, ("gif", "video", "document"))
    images = sum(media.type == "image" for media in content.media)
    if images > MAX_IMAGES:
        yield exceeded(PLATFORM, "media.count", f"{at}/media", what="images", limit=MAX_IMAGES, actual=images)
    yield from long_alt_texts(PLATFORM, content, at, MAX_ALT_TEXT)
    if any(media.type == "document" for media in content.media) and not document_title(options, title):
        yield Violation(
            rule="linkedin.document.title",
            platform=PLATFORM,
            pointer=f"{at}/media",
            message="LinkedIn shows a document under a title, and there is none.",
            remediation="Give the option title, or the post a title.",
            severity="incomplete",
        )
    if content.link is not None and has_card(content, PLATFORM, options):
        yield from _check_title((content.link.title or "").strip(), f"{at}/link/title")


def _check_attached(content: Content, options: Options) -> Iterator[Violation]:
    """A post has media, or the card of a link, or a poll, or shares a post on."""
    attached = [name for name in ("poll_options", "reshare_post_id") if options.get(name)]
    beside = "media" if content.media else attached[-1] if len(attached) > 1 else None
    if attached and beside is not None:
        yield Violation(
            rule="linkedin.options.exclusive",
            platform=PLATFORM,
            pointer=f"/options/{attached[0]}",
            message=f"{attached[0]} cannot go with {beside}.",
            limit="one of media, poll_options, reshare_post_id",
            actual=[*attached, *(["media"] if content.media else [])],
            remediation="Keep one of them.",
        )
    if options.get("link_thumbnail") is True and (
        content.link is None or [media.type for media in content.media] != ["image"]
    ):
        yield Violation(
            rule="linkedin.link.thumbnail",
            platform=PLATFORM,
            pointer="/options/link_thumbnail",
            message="The picture of a link's card needs a link, and exactly one image.",
            actual=[media.type for media in content.media],
            remediation="Give a link and one image, or leave the option out.",
            severity="incomplete",
        )


def _check_poll(options: Options) -> Iterator[Violation]:
    given = [name for name in ("poll_question", "poll_options", "poll_duration") if options.get(name)]
    missing = [name for name in ("poll_question", "poll_options") if name not in given]
    if given and missing:
        yield Violation(
            rule="linkedin.poll.incomplete",
            platform=PLATFORM,
            pointer=f"/options/{given[0]}",
            message=f"A poll has a question and choices; {' and '.join(missing)} is missing.",
            actual=given,
            remediation=f"Give {' and '.join(missing)}, or leave the poll out.",
            severity="incomplete",
        )
    choices = options.get("poll_options")
    texts = [("poll_question", options.get("poll_question"))]
    texts += [(f"poll_options/{n}", each) for n, each in enumerate(choices if isinstance(choices, list) else ())]
    for name, text in texts:
        if isinstance(text, str) and not text.strip():
            yield Violation(
                rule="linkedin.poll.blank",
                platform=PLATFORM,
                pointer=f"/options/{name}",
                message="A part of the poll says nothing.",
                remediation="Write it, or leave the poll out.",
            )
        elif isinstance(text, str):
            limit = MAX_QUESTION if name == "poll_question" else MAX_CHOICE
            length = utf16_length(text)
            if length > limit >= len(text):
                yield exceeded(
                    PLATFORM,
                    "poll.length",
                    f"/options/{name}",
                    what="characters (UTF-16 units)",
                    limit=limit,
                    actual=length,
                )


def _check_first_comment(options: Options, account: AccountFacts | None) -> Iterator[Violation]:
    comment = options.get("first_comment")
    if not isinstance(comment, str):
        return
    pointer = "/options/first_comment"
    if not comment.strip():
        yield Violation(
            rule="linkedin.first_comment.empty",
            platform=PLATFORM,
            pointer=pointer,
            message="The comment says nothing.",
            remediation="Write it, or leave it out.",
        )
    length = utf16_length(comment.strip())
    if length > MAX_COMMENT:
        yield exceeded(
            PLATFORM,
            "first_comment.length",
            pointer,
            what="characters (UTF-16 units)",
            limit=MAX_COMMENT,
            actual=length,
        )
    if account is not None and account.permissions and "comment" not in account.permissions:
        scope = "w_organization_social_feed" if _is_page(account) else "w_member_social_feed"
        yield Violation(
            rule="linkedin.first_comment.permission",
            platform=PLATFORM,
            pointer=pointer,
            message=f"The account is connected without the permission to comment, LinkedIn's {scope}.",
            limit="comment",
            actual=list(account.permissions),
            remediation="Connect the account again with this permission, or leave the comment out.",
        )


def _check_title(title: str, at: str) -> Iterator[Violation]:
    if not title:
        yield Violation(
            rule="linkedin.link.title",
            platform=PLATFORM,
            pointer=at,
            message="LinkedIn does not read the page behind a link: without a title the card is empty.",
            remediation="Give the link a title, or put its URL into the text instead.",
            severity="incomplete",
        )
    if len(title) > MAX_ARTICLE_TITLE:
        yield exceeded(
            PLATFORM,
            "link.title_length",
            at,
            what="characters of the title",
            limit=MAX_ARTICLE_TITLE,
            actual=len(title),
        )


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def check_media(facts: MediaFacts, options: Options, at: str) -> Iterator[Violation]:  # noqa: ARG001  # as elsewhere
    """What LinkedIn would refuse of a file, found only once it has been processed. How many pages a document has, and
    frames an animation, is not looked at.
    """
    image, video = facts.content_type.startswith("image/"), facts.content_type.startswith("video/")
    types = IMAGE_TYPES if image else VIDEO_TYPES if video else DOCUMENT_TYPES
    if facts.content_type not in types:
        yield Violation(
            rule="linkedin.media.format",
            platform=PLATFORM,
            pointer=at,
            message=f"LinkedIn does not take {facts.content_type}.",
            limit=list(types),
            actual=facts.content_type,
            remediation=f"Convert it to {types[0]}.",
        )
    max_bytes = MAX_IMAGE_BYTES if image else MAX_VIDEO_BYTES if video else MAX_DOCUMENT_BYTES
    if facts.size > max_bytes:
        yield exceeded(PLATFORM, "media.size", at, what="bytes", limit=max_bytes, actual=facts.size)
    if video and facts.size < MIN_VIDEO_BYTES:
        yield Violation(
            rule="linkedin.media.size",
            platform=PLATFORM,
            pointer=at,
            message=f"{facts.size:,} bytes; a video has at least {MIN_VIDEO_BYTES:,}.",
            limit=MIN_VIDEO_BYTES,
            actual=facts.size,
            remediation="Use a longer or better video.",
        )
    if image and facts.width is not None and facts.height is not None and facts.width * facts.height > MAX_PIXELS:
        yield exceeded(
            PLATFORM, "media.resolution", at, what="pixels", limit=MAX_PIXELS, actual=facts.width * facts.height
        )
    if video and facts.duration is not None and not MIN_SECONDS <= facts.duration <= MAX_SECONDS:
        yield Violation(
            rule="linkedin.media.duration",
            platform=PLATFORM,
            pointer=at,
            message=f"{facts.duration:g} seconds; a video lasts {MIN_SECONDS:g} to {MAX_SECONDS:,g} seconds.",
            limit=[MIN_SECONDS, MAX_SECONDS],
            actual=facts.duration,
            remediation="Use a longer video, or cut it.",
        )
