"""X's rules.

Sources: text, twitter-text configuration v3 and docs.x.com, x-api/fundamentals/counting-characters; media,
docs.x.com, x-api/media/quickstart/best-practices; options, the schema `CreatePostsRequest` of X's OpenAPI document
2.167; cashtags, docs.x.com, x-api/posts/manage-tweets/integrate; repeated texts, the answer 403 "You are not allowed to
create a Tweet with duplicate content". Read in August 2026.
"""

import re
from collections.abc import Iterator, Sequence

from contracts.content import Content, Options, Platform
from contracts.posts import PostKind
from platforms.composing import compose_text
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
from platforms.weighted_length import weighted_length

PLATFORM: Platform = "twitter"

MAX_WEIGHT = 280
MAX_WEIGHT_PREMIUM = 25_000
MAX_PHOTOS = 4
MAX_ALT_TEXT = 1_000
MAX_CASHTAGS = 1
"""Self-serve access, since February 2026."""
MIN_PARTS = 2

OPTIONS = {
    option.name: option
    for option in (
        Option(
            name="reply_settings",
            type="string",
            values=("everyone", "following", "mentionedUsers", "subscribers", "verified"),
            description="Who may reply.",
        ),
        Option(name="made_with_ai", type="boolean", description="Discloses that AI made the content."),
        Option(name="paid_partnership", type="boolean", description="Discloses a paid partnership."),
    )
}

_MENTION = re.compile(r"[A-Za-z0-9_]{1,20}")
"""As twitter-text finds them; new names have 15 characters at most."""
_INVALID = re.compile("[\ufffe\ufeff\uffff]")
_CASHTAG = re.compile(r"(?<!\S)\$[A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?(?!\w)")


def check(
    parts: Sequence[Content], *, kind: PostKind, options: Options, account: AccountFacts | None
) -> Iterator[Violation]:
    if kind == "thread" and len(parts) < MIN_PARTS:
        yield Violation(
            rule="twitter.thread.parts",
            platform=PLATFORM,
            pointer="/parts",
            message=f"A thread has at least {MIN_PARTS} parts; this one has {len(parts)}.",
            limit=MIN_PARTS,
            actual=len(parts),
            remediation="Add a part, or publish it as a post.",
            severity="incomplete",
        )
    premium = account is not None and account.account_type == "premium"
    for index, content in enumerate(parts):
        yield from _check_part(content, part_pointer(index), MAX_WEIGHT_PREMIUM if premium else MAX_WEIGHT)
    yield from _repeated(parts)
    yield from unfit_options(PLATFORM, OPTIONS, options)


def _repeated(parts: Sequence[Content]) -> Iterator[Violation]:
    """X refuses a post that says exactly what another one of the account has just said."""
    first: dict[str, int] = {}
    for index, content in enumerate(parts):
        text = compose_text(content, PLATFORM)
        if not text or content.media:
            continue
        if (earlier := first.setdefault(text, index)) != index:
            yield Violation(
                rule="twitter.thread.repeated",
                platform=PLATFORM,
                pointer=f"{part_pointer(index)}/text",
                message=f"Part {index + 1} says the same as part {earlier + 1}, which X refuses.",
                remediation="Change or leave out one of them.",
            )


def _check_part(content: Content, at: str, max_weight: int) -> Iterator[Violation]:
    text = compose_text(content, PLATFORM)
    yield from nothing_to_say(PLATFORM, text, content, at)
    weight = weighted_length(text)
    if weight > max_weight:
        yield exceeded(
            PLATFORM, "text.weighted_length", f"{at}/text", what="weighted characters", limit=max_weight, actual=weight
        )
    if (found := _INVALID.search(text)) is not None:
        yield Violation(
            rule="twitter.text.characters",
            platform=PLATFORM,
            pointer=f"{at}/text",
            message=f"X takes no texts with the character U+{ord(found[0]):04X}.",
            actual=f"U+{ord(found[0]):04X}",
            remediation="Take the character out; it is invisible.",
        )
    if (cashtags := len(_CASHTAG.findall(text))) > MAX_CASHTAGS:
        yield exceeded(PLATFORM, "text.cashtags", f"{at}/text", what="cashtags", limit=MAX_CASHTAGS, actual=cashtags)
    yield from unfit_words(PLATFORM, content, at, _MENTION)
    yield from unknown_media(PLATFORM, content, at, ("image", "gif", "video"))
    yield from mixed_media(PLATFORM, content, at, ("gif", "video"))
    photos = sum(media.type == "image" for media in content.media)
    if photos > MAX_PHOTOS:
        yield exceeded(PLATFORM, "media.count", f"{at}/media", what="images", limit=MAX_PHOTOS, actual=photos)
    yield from long_alt_texts(PLATFORM, content, at, MAX_ALT_TEXT)
