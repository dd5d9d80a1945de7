"""LinkedIn's rules.

Sources: learn.microsoft.com, LinkedIn marketing documentation, Posts API, Images API and "little text format", version
202609. The length of a text is documented only as an error, FIELD_LENGTH_TOO_LONG; 3,000 UTF-16 units of the unescaped
text is what LinkedIn's own pages state and what its editor counts.
"""

import re
from collections.abc import Iterator, Sequence

from contracts.content import Content, Options, Platform
from contracts.posts import PostKind
from platforms.composing import compose_text, has_card
from platforms.rules import (
    AccountFacts,
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
    )
}


def check(
    parts: Sequence[Content], *, kind: PostKind, options: Options, account: AccountFacts | None
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
        yield from _check_part(content, part_pointer(index))
    yield from unfit_options(PLATFORM, OPTIONS, options)
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


def _check_part(content: Content, at: str) -> Iterator[Violation]:
    text = compose_text(content, PLATFORM)
    yield from nothing_to_say(PLATFORM, text, content, at)
    length = utf16_length(text)
    if length > MAX_TEXT:
        yield exceeded(
            PLATFORM, "text.length", f"{at}/text", what="characters (UTF-16 units)", limit=MAX_TEXT, actual=length
        )
    yield from unfit_words(PLATFORM, content, at, _MENTION)
    yield from unknown_media(PLATFORM, content, at, ("image", "gif", "video"))
    yield from mixed_media(PLATFORM, content, at, ("gif", "video"))
    images = sum(media.type == "image" for media in content.media)
    if images > MAX_IMAGES:
        yield exceeded(PLATFORM, "media.count", f"{at}/media", what="images", limit=MAX_IMAGES, actual=images)
    yield from long_alt_texts(PLATFORM, content, at, MAX_ALT_TEXT)
    if content.link is not None and has_card(content, PLATFORM):
        yield from _check_title((content.link.title or "").strip(), f"{at}/link/title")


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
