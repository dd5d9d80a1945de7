"""X's rules.

Sources: text, twitter-text configuration v3 and docs.x.com, x-api/fundamentals/counting-characters; media,
docs.x.com, x-api/media/quickstart/best-practices; options, the schema `CreatePostsRequest` of X's OpenAPI document
2.167, and of 2.166 what excludes what; cashtags, docs.x.com, x-api/posts/manage-tweets/integrate; repeated texts, the
answer 403 "You are not allowed to create a Tweet with duplicate content". Read in August 2026.
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
MAX_POLL_OPTION = 25
DEFAULT_POLL_MINUTES = 1_440

_MEGABYTE = 1 << 20
PHOTO_TYPES = ("image/jpeg", "image/png", "image/webp")
VIDEO_TYPES = ("video/mp4", "video/quicktime")
MAX_PHOTO_BYTES = 5 * _MEGABYTE
MAX_GIF_BYTES = 15 * _MEGABYTE
MAX_VIDEO_BYTES = 512 * _MEGABYTE
MAX_GIF_SIDES = (1280, 1080)
MIN_VIDEO_SIDE = 32
MAX_VIDEO_SIDES = (1280, 1024)
"""The longer and the shorter one. Premium accounts post larger videos; up to which limits is not documented."""
MAX_ASPECT = 3.0
MIN_SECONDS, MAX_SECONDS = 0.5, 140.0
MAX_FRAME_RATE = 60.0

_ID = r"^[0-9]{1,19}$"

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
        Option(
            name="poll_options",
            type="strings",
            max_length=MAX_POLL_OPTION,
            min_items=2,
            max_items=4,
            description="Makes a poll of these choices; in a thread, of its first part. A poll has no media.",
        ),
        Option(
            name="poll_duration_minutes",
            type="integer",
            minimum=5,
            maximum=10_080,
            description=f"How long the poll is open; {DEFAULT_POLL_MINUTES:,} if left out.",
        ),
        Option(
            name="quote_post_id",
            type="string",
            pattern=_ID,
            description="The id of a post to quote, instead of media or a poll; in a thread, by its first part. Since "
            "April 2026 X lets only Enterprise apps quote.",
        ),
        Option(
            name="community_id", type="string", pattern=_ID, description="The id of the community that it is posted to."
        ),
        Option(
            name="share_with_followers",
            type="boolean",
            description="Also shows a post of a community to the followers.",
        ),
        Option(name="for_super_followers_only", type="boolean", description="Shows it to paying subscribers only."),
        Option(
            name="tagged_user_ids",
            type="strings",
            pattern=_ID,
            max_items=10,
            description="The ids of people tagged in the images of a post; in a thread, of its first part.",
        ),
        Option(
            name="place_id", type="string", max_length=64, description="The id of a place on X that it is tagged with."
        ),
        Option(
            name="first_comment",
            type="string",
            max_length=MAX_WEIGHT_PREMIUM,
            description="A reply that the account makes to the post as soon as it is live; as long as a post may be.",
        ),
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
    max_weight = MAX_WEIGHT_PREMIUM if _is_premium(account) else MAX_WEIGHT
    for index, content in enumerate(parts):
        yield from _check_part(content, part_pointer(index), max_weight)
    yield from _repeated(parts)
    yield from unfit_options(PLATFORM, OPTIONS, options)
    if parts:
        yield from _check_attached(parts[0], options)
    yield from _check_first_comment(parts, options, max_weight)


def _is_premium(account: AccountFacts | None) -> bool:
    return account is not None and account.account_type == "premium"


def _check_attached(content: Content, options: Options) -> Iterator[Violation]:
    """A post has media, or a poll, or quotes another one."""
    attached = [name for name in ("poll_options", "quote_post_id") if options.get(name)]
    beside = [f"{len(content.media)} media"] if content.media else attached[1:]
    if attached and beside:
        yield Violation(
            rule="twitter.options.exclusive",
            platform=PLATFORM,
            pointer=f"/options/{attached[0]}",
            message=f"{attached[0]} cannot go with {beside[0]}: a post on X has media, or a poll, or quotes a post.",
            limit="one of media, poll_options, quote_post_id",
            actual=[*attached, *(["media"] if content.media else [])],
            remediation="Keep one of them.",
        )
    choices = options.get("poll_options")
    for index, choice in enumerate(choices if isinstance(choices, list) else ()):
        if isinstance(choice, str) and not choice.strip():
            yield Violation(
                rule="twitter.poll.choice",
                platform=PLATFORM,
                pointer=f"/options/poll_options/{index}",
                message="A choice of the poll says nothing.",
                remediation="Write it, or leave it out.",
            )
    if "poll_duration_minutes" in options and not choices:
        yield Violation(
            rule="twitter.poll.options",
            platform=PLATFORM,
            pointer="/options/poll_duration_minutes",
            message="There is no poll that could be open for so long.",
            remediation="Give poll_options, or leave it out.",
            severity="incomplete",
        )
    if options.get("tagged_user_ids") and not any(media.type == "image" for media in content.media):
        yield Violation(
            rule="twitter.options.tagged_user_ids",
            platform=PLATFORM,
            pointer="/options/tagged_user_ids",
            message="People are tagged in images, and there is none.",
            remediation="Attach an image, or mention them in the text.",
            severity="incomplete",
        )


def _check_first_comment(parts: Sequence[Content], options: Options, max_weight: int) -> Iterator[Violation]:
    comment = options.get("first_comment")
    if not isinstance(comment, str):
        return
    pointer = "/options/first_comment"
    if not comment.strip():
        yield Violation(
            rule="twitter.first_comment.empty",
            platform=PLATFORM,
            pointer=pointer,
            message="The comment says nothing.",
            remediation="Write it, or leave it out.",
        )
    elif any(comment.strip() == compose_text(content, PLATFORM) for content in parts):
        yield Violation(
            rule="twitter.first_comment.repeated",
            platform=PLATFORM,
            pointer=pointer,
            message="The comment says the same as the post, which X refuses.",
            remediation="Change it, or leave it out.",
        )
    yield from _check_text(comment.strip(), pointer, max_weight, "first_comment")


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
    yield from _check_text(text, f"{at}/text", max_weight, "text")
    yield from unfit_words(PLATFORM, content, at, _MENTION)
    yield from unknown_media(PLATFORM, content, at, ("image", "gif", "video"))
    yield from mixed_media(PLATFORM, content, at, ("gif", "video"))
    photos = sum(media.type == "image" for media in content.media)
    if photos > MAX_PHOTOS:
        yield exceeded(PLATFORM, "media.count", f"{at}/media", what="images", limit=MAX_PHOTOS, actual=photos)
    yield from long_alt_texts(PLATFORM, content, at, MAX_ALT_TEXT)


def _check_text(text: str, pointer: str, max_weight: int, name: str) -> Iterator[Violation]:
    weight = weighted_length(text)
    if weight > max_weight:
        yield exceeded(
            PLATFORM, f"{name}.weighted_length", pointer, what="weighted characters", limit=max_weight, actual=weight
        )
    if (found := _INVALID.search(text)) is not None:
        yield Violation(
            rule=f"twitter.{name}.characters",
            platform=PLATFORM,
            pointer=pointer,
            message=f"X takes no texts with the character U+{ord(found[0]):04X}.",
            actual=f"U+{ord(found[0]):04X}",
            remediation="Take the character out; it is invisible.",
        )
    if (cashtags := len(_CASHTAG.findall(text))) > MAX_CASHTAGS:
        yield exceeded(PLATFORM, f"{name}.cashtags", pointer, what="cashtags", limit=MAX_CASHTAGS, actual=cashtags)


def check_media(
    facts: MediaFacts,
    options: Options,  # noqa: ARG001  # no option changes what a file may be
    at: str,
    *,
    account: AccountFacts | None = None,
) -> Iterator[Violation]:
    """What X would refuse of a file; of videos often only in the post, after it has called them processed."""
    gif, video = facts.content_type == "image/gif", facts.content_type.startswith("video/")
    types = VIDEO_TYPES if video else (*PHOTO_TYPES, "image/gif")
    if facts.content_type not in types:
        yield Violation(
            rule="twitter.media.format",
            platform=PLATFORM,
            pointer=at,
            message=f"X does not take {facts.content_type}.",
            limit=list(types),
            actual=facts.content_type,
            remediation=f"Convert it to {types[0]}.",
        )
    max_bytes = MAX_VIDEO_BYTES if video else MAX_GIF_BYTES if gif else MAX_PHOTO_BYTES
    if facts.size > max_bytes:
        yield exceeded(PLATFORM, "media.size", at, what="bytes", limit=max_bytes, actual=facts.size)
    sides = None if facts.width is None or facts.height is None else (facts.width, facts.height)
    if gif and sides is not None and (sides[0] > MAX_GIF_SIDES[0] or sides[1] > MAX_GIF_SIDES[1]):
        yield _off(
            "media.resolution", at, "pixels", actual=sides, limit=MAX_GIF_SIDES, remediation="Scale the animation down."
        )
    if video:
        yield from _check_video(facts, sides, at, premium=_is_premium(account))


def _check_video(facts: MediaFacts, sides: tuple[int, int] | None, at: str, *, premium: bool) -> Iterator[Violation]:
    if sides is not None:
        long, short = max(sides), min(sides)
        too_large = not premium and (long > MAX_VIDEO_SIDES[0] or short > MAX_VIDEO_SIDES[1])
        if short < MIN_VIDEO_SIDE or too_large:
            yield _off(
                "media.resolution",
                at,
                "pixels",
                actual=sides,
                limit=MAX_VIDEO_SIDES,
                remediation="Scale it to 1280 × 720.",
            )
        if long > MAX_ASPECT * short:
            yield _off(
                "media.aspect",
                at,
                "times as long as wide",
                actual=(long / short,),
                limit=(MAX_ASPECT,),
                remediation="Cut it to between 1:3 and 3:1.",
            )
    seconds = facts.duration
    if seconds is not None and (seconds < MIN_SECONDS or (seconds > MAX_SECONDS and not premium)):
        yield _off(
            "media.duration",
            at,
            "seconds",
            actual=(seconds,),
            limit=(MIN_SECONDS, MAX_SECONDS),
            remediation="Cut it.",
        )
    if facts.frame_rate is not None and facts.frame_rate > MAX_FRAME_RATE:
        yield _off(
            "media.frame_rate",
            at,
            "frames a second",
            actual=(facts.frame_rate,),
            limit=(MAX_FRAME_RATE,),
            remediation="Convert it to 30.",
        )


def _off(
    rule: str, at: str, what: str, *, actual: tuple[float, ...], limit: tuple[float, ...], remediation: str
) -> Violation:
    shown = " × ".join(f"{number:g}" for number in actual)
    allowed = (" to " if len(limit) > len(actual) else " × ").join(f"{number:g}" for number in limit)
    return Violation(
        rule=f"twitter.{rule}",
        platform=PLATFORM,
        pointer=at,
        message=f"{shown} {what}; allowed: {allowed}.",
        limit=list(limit) if len(limit) > 1 else limit[0],
        actual=list(actual) if len(actual) > 1 else actual[0],
        remediation=remediation,
    )
