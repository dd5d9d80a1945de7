"""What all platforms' rules are made of."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from contracts.content import Content, Options, Platform
from platforms.hashtags import is_hashtag

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
    """What the rules ask about an account. `account_type`: personal, premium, member, organization, company_page, …

    `login`: the way by which it is connected, where its platform has several.
    """

    username: str | None = None
    account_type: str | None = None
    permissions: tuple[str, ...] = ()
    login: str | None = None


class MediaFacts(Struct, frozen=True, kw_only=True):
    """What a look into a file has shown. Sizes in bytes and pixels, durations in seconds."""

    content_type: str
    size: int
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    frame_rate: float | None = None
    video_codec: str | None = None
    audio_codec: str | None = None


class Option(Struct, frozen=True, kw_only=True):
    """One entry of `platforms[].options`.

    `values` lists what a string may be, in upper or lower case if `any_case`; without it any text up to `max_length`
    will do, of the form of `pattern` if there is one. `strings` is a list of texts.
    """

    name: str
    type: Literal["string", "boolean", "integer", "strings"]
    values: tuple[str, ...] = ()
    any_case: bool = False
    max_length: int | None = None
    pattern: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    description: str

    def takes(self, value: Any) -> bool:
        match self.type:
            case "boolean":
                return isinstance(value, bool)
            case "integer":
                return (
                    isinstance(value, int)
                    and not isinstance(value, bool)
                    and (self.minimum is None or value >= self.minimum)
                    and (self.maximum is None or value <= self.maximum)
                )
            case "strings":
                return (
                    isinstance(value, list)
                    and (self.min_items is None or len(value) >= self.min_items)
                    and (self.max_items is None or len(value) <= self.max_items)
                    and all(self._takes_text(each) for each in value)
                )
        return self._takes_text(value)

    def _takes_text(self, value: Any) -> bool:
        if not isinstance(value, str) or (self.max_length is not None and len(value) > self.max_length):
            return False
        if self.pattern is not None and re.fullmatch(self.pattern, value) is None:
            return False
        return not self.values or (value.lower() if self.any_case else value) in self.values

    def choices(self) -> list[str]:
        """What it takes, in words."""
        if self.type == "boolean":
            return ["true", "false"]
        if self.type == "integer":
            return [f"a whole number from {self.minimum} to {self.maximum}"]
        if self.values:
            return list(self.values)
        text = "a text" if self.max_length is None else f"a text of at most {self.max_length:,} characters"
        if self.pattern is not None:
            text = f"a text like {self.pattern}"
        if self.type == "string":
            return [text]
        count = "at most" if self.min_items is None else f"{self.min_items} to"
        return [f"a list of {count} {self.max_items} texts, each {text}"]

    def schema(self) -> dict[str, Any]:
        """Itself as JSON Schema."""
        texts: dict[str, Any] = {"type": "string"}
        if self.values:
            both = (*self.values, *(value.upper() for value in self.values)) if self.any_case else self.values
            texts["enum"] = list(dict.fromkeys(both))
        if self.max_length is not None:
            texts["maxLength"] = self.max_length
        if self.pattern is not None:
            texts["pattern"] = self.pattern
        schema: dict[str, Any]
        match self.type:
            case "boolean":
                schema = {"type": "boolean"}
            case "integer":
                bounds = {"minimum": self.minimum, "maximum": self.maximum}
                schema = {"type": "integer", **{name: bound for name, bound in bounds.items() if bound is not None}}
            case "strings":
                limits = {"minItems": self.min_items, "maxItems": self.max_items}
                schema = {"type": "array", "items": texts, **{name: n for name, n in limits.items() if n is not None}}
            case "string":
                schema = texts
        return {**schema, "description": self.description}


def unfit_options(platform: Platform, known: Mapping[str, Option], options: Options) -> Iterator[Violation]:
    """Options that do not exist, and values that they do not take."""
    for name, value in options.items():
        pointer = f"/options/{name.replace('~', '~0').replace('/', '~1')}"
        option = known.get(name)
        if option is None:
            yield Violation(
                rule=f"{platform}.options.unknown",
                platform=platform,
                pointer=pointer,
                message=f"There is no option {_quoted(name)} on {platform}.",
                limit=sorted(known),
                actual=name[:_LONGEST_QUOTE],
                remediation=f"Use one of {', '.join(sorted(known))}, or leave it out.",
            )
        elif not option.takes(value):
            yield Violation(
                rule=f"{platform}.options.value",
                platform=platform,
                pointer=pointer,
                message=f"{name} cannot be {_quoted(str(value))}.",
                limit=option.choices(),
                actual=str(value)[:_LONGEST_QUOTE],
                remediation=f"Use one of {', '.join(option.choices())}.",
            )


def unfit_words(platform: Platform, content: Content, at: str, mention: re.Pattern[str]) -> Iterator[Violation]:
    """Hashtags and mentions that would not be such once published."""
    for index, word in enumerate(content.hashtags):
        if not is_hashtag(word.removeprefix("#")):
            yield Violation(
                rule=f"{platform}.hashtags.format",
                platform=platform,
                pointer=f"{at}/hashtags/{index}",
                message=f"{_quoted(word)} is not one word of letters and digits, with a letter among them.",
                actual=word[:_LONGEST_QUOTE],
                remediation="Give one word without spaces or punctuation, with or without #.",
            )
    for index, word in enumerate(content.mentions):
        if mention.fullmatch(word.removeprefix("@")) is None:
            yield Violation(
                rule=f"{platform}.mentions.format",
                platform=platform,
                pointer=f"{at}/mentions/{index}",
                message=f"{_quoted(word)} cannot be a name on {platform}.",
                limit=mention.pattern,
                actual=word[:_LONGEST_QUOTE],
                remediation="Give the name of an account as it stands in its address, with or without @.",
            )


_LONGEST_QUOTE = 100
"""Of what somebody sent, in answer."""


def _quoted(text: str) -> str:
    return repr(text[:_LONGEST_QUOTE])


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


def nothing_to_say(platform: Platform, text: str, content: Content, at: str) -> Iterator[Violation]:
    """`text` is what would be published of `content`."""
    if not text and not content.media:
        yield Violation(
            rule=f"{platform}.text.empty",
            platform=platform,
            pointer=f"{at}/text",
            message="There is nothing to publish.",
            remediation="Write a text, or attach media.",
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


def unfit_first_comment(platform: Platform, options: Options, account: AccountFacts | None) -> Iterator[Violation]:
    """A comment without words, or one that the account may not make."""
    comment = options.get("first_comment")
    if not isinstance(comment, str):
        return
    pointer = "/options/first_comment"
    if not comment.strip():
        yield Violation(
            rule=f"{platform}.first_comment.empty",
            platform=platform,
            pointer=pointer,
            message="The comment says nothing.",
            remediation="Write it, or leave it out.",
        )
    if account is not None and account.permissions and "comment" not in account.permissions:
        yield Violation(
            rule=f"{platform}.first_comment.permission",
            platform=platform,
            pointer=pointer,
            message="The account is connected without the permission to comment.",
            limit="comment",
            actual=list(account.permissions),
            remediation="Connect the account again with this permission, or leave the comment out.",
        )


def part_pointer(index: int) -> str:
    return f"/parts/{index}"
