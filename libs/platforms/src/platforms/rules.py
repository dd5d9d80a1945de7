"""What all platforms' rules are made of."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from contracts.content import Content, Options, Platform

Severity = Literal["invalid", "incomplete"]


class Violation(Struct, frozen=True, kw_only=True):
    """One rule that a post breaks on one platform.

    `pointer` is a JSON pointer (RFC 6901) into `{"parts": [Content, …], "options": {…}}`; the empty pointer is the post
    as a whole. `incomplete`: something is missing that a draft need not have yet.
    """

    rule: str
    platform: Platform
    pointer: str
    message: str
    limit: int | float | str | list[Any] | None = None
    actual: int | float | str | list[Any] | None = None
    remediation: str
    severity: Severity = "invalid"


class AccountFacts(Struct, frozen=True, kw_only=True):
    """What the rules ask about an account. `account_type`: personal, premium, member, organization, company_page, …"""

    username: str | None = None
    account_type: str | None = None
    permissions: tuple[str, ...] = ()


class Option(Struct, frozen=True, kw_only=True):
    """One entry of `platforms[].options`. `values` lists what a string may be."""

    name: str
    type: Literal["string", "boolean"]
    values: tuple[str, ...] = ()
    description: str


def unfit_options(platform: Platform, known: Mapping[str, Option], options: Options) -> Iterator[Violation]:
    """Options that do not exist, and values that they do not take. Strings are compared without case."""
    for name, value in options.items():
        pointer = f"/options/{name.replace('~', '~0').replace('/', '~1')}"
        option = known.get(name)
        if option is None:
            yield Violation(
                rule=f"{platform}.options.unknown",
                platform=platform,
                pointer=pointer,
                message=f"There is no option {name!r} on {platform}.",
                limit=sorted(known),
                actual=name,
                remediation=f"Use one of {', '.join(sorted(known))}, or leave it out.",
            )
        elif option.type == "boolean":
            if not isinstance(value, bool):
                yield _unfit(platform, pointer, name, value, ["true", "false"])
        elif not isinstance(value, str) or value.lower() not in {known.lower() for known in option.values}:
            yield _unfit(platform, pointer, name, value, list(option.values))


def _unfit(platform: Platform, pointer: str, name: str, value: Any, choices: list[str]) -> Violation:
    return Violation(
        rule=f"{platform}.options.value",
        platform=platform,
        pointer=pointer,
        message=f"{name} cannot be {str(value)[:100]!r}.",
        limit=choices,
        actual=str(value)[:100],
        remediation=f"Use one of {', '.join(choices)}.",
    )


def unfit_words(platform: Platform, content: Content, at: str) -> Iterator[Violation]:
    """Hashtags and mentions that are not one word."""
    for name, words, mark in (("hashtags", content.hashtags, "#"), ("mentions", content.mentions, "@")):
        for index, word in enumerate(words):
            bare = word.removeprefix(mark)
            allowed = bare.replace("_", "a") if mark == "#" else bare.translate(_IN_MENTIONS)
            if not allowed.isalnum():
                yield Violation(
                    rule=f"{platform}.{name}.format",
                    platform=platform,
                    pointer=f"{at}/{name}/{index}",
                    message=f"{word[:100]!r} is not one word of letters and digits.",
                    actual=word[:100],
                    remediation=f"Give one word without spaces or punctuation, with or without {mark}.",
                )


_IN_MENTIONS = str.maketrans({"_": "a", ".": "a", "-": "a"})


def exceeded(platform: Platform, rule: str, pointer: str, *, what: str, limit: int, actual: int) -> Violation:
    return Violation(
        rule=f"{platform}.{rule}",
        platform=platform,
        pointer=pointer,
        message=f"{actual:,} {what}, and {limit:,} are allowed.",
        limit=limit,
        actual=actual,
        remediation=f"Leave out {actual - limit:,}.",
    )


def nothing_to_say(platform: Platform, content: Content, at: str, needs: str) -> Iterator[Violation]:
    if not content.text.strip() and not content.media:
        yield Violation(
            rule=f"{platform}.text.empty",
            platform=platform,
            pointer=f"{at}/text",
            message="There is nothing to publish.",
            remediation=needs,
            severity="incomplete",
        )


def mixed_media(platform: Platform, content: Content, at: str, alone: Sequence[str]) -> Iterator[Violation]:
    """Types in `alone` stand alone: one of them, and nothing beside it."""
    types = [media.type for media in content.media]
    lonely = [kind for kind in types if kind in alone]
    if lonely and len(types) > 1:
        yield Violation(
            rule=f"{platform}.media.mixed",
            platform=platform,
            pointer=f"{at}/media",
            message=f"A {lonely[0]} stands alone in a post; this one has {', '.join(types)}.",
            actual=list(types),
            limit=f"1 {lonely[0]}",
            remediation=f"Keep the {lonely[0]} and leave the rest out, or the other way round.",
        )


def unknown_media(platform: Platform, content: Content, at: str, known: Sequence[str]) -> Iterator[Violation]:
    for index, media in enumerate(content.media):
        if media.type not in known:
            yield Violation(
                rule=f"{platform}.media.type",
                platform=platform,
                pointer=f"{at}/media/{index}/type",
                message=f"{platform} takes no {media.type} here.",
                limit=list(known),
                actual=media.type,
                remediation=f"Use {', '.join(known)}.",
            )


def long_alt_texts(platform: Platform, content: Content, at: str, limit: int) -> Iterator[Violation]:
    for index, media in enumerate(content.media):
        if media.alt_text is not None and len(media.alt_text) > limit:
            yield exceeded(
                platform,
                "media.alt_text",
                f"{at}/media/{index}/alt_text",
                what="characters of alternative text",
                limit=limit,
                actual=len(media.alt_text),
            )


def part_pointer(index: int) -> str:
    return f"/parts/{index}"
