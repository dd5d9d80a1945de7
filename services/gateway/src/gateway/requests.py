"""Request bodies: exactly the fields that are understood, and nothing else.

Whether content suits a platform is not judged here; see `gateway.preflight`.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from contracts.content import Content, Link, Media, MediaType, Options, Platform
from contracts.posts import Resolution
from gateway.problems import FieldError, ProblemError, invalid_content

Identifier = Annotated[str, Meta(min_length=1, max_length=128)]
Title = Annotated[str, Meta(max_length=300)]
Text = Annotated[str, Meta(max_length=65_536)]
Url = Annotated[str, Meta(min_length=1, max_length=2_048)]
Word = Annotated[str, Meta(min_length=1, max_length=140)]
Words = Annotated[list[Word], Meta(max_length=60)]
Tags = Annotated[list[Annotated[str, Meta(min_length=1, max_length=100)]], Meta(max_length=50)]
Zone = Annotated[str, Meta(min_length=1, max_length=64, description="An IANA time zone, such as America/Los_Angeles")]

B = TypeVar("B")
V = TypeVar("V")


def by_name(values: Mapping[Platform, V]) -> dict[str, V]:
    return {platform: value for platform, value in values.items()}  # noqa: C416  # widens the type of the keys


class Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class MediaBody(Body, frozen=True, kw_only=True):
    type: MediaType
    url: Url | None = None
    media_id: Identifier | None = None
    alt_text: Annotated[str, Meta(max_length=10_000)] | None = None

    def media(self) -> Media:
        return Media(type=self.type, url=self.url, media_id=self.media_id, alt_text=self.alt_text)


MediaList = Annotated[list[MediaBody], Meta(max_length=20)]


class LinkBody(Body, frozen=True, kw_only=True):
    url: Url
    title: Title | None = None
    description: Annotated[str, Meta(max_length=4_096)] | None = None

    def link(self) -> Link:
        return Link(url=self.url, title=self.title, description=self.description)


class ContentBody(Body, frozen=True, kw_only=True):
    """What is to be said. Hashtags come without `#`; mentions with or without `@`."""

    text: Text = ""
    hashtags: Words = []
    mentions: Words = []
    media: MediaList = []
    link: LinkBody | None = None

    def content(self, media: Sequence[MediaBody] = ()) -> Content:
        """With `media` from beside the content, where the body has it there."""
        return Content(
            text=self.text,
            hashtags=tuple(self.hashtags),
            mentions=tuple(self.mentions),
            media=tuple(item.media() for item in media or self.media),
            link=None if self.link is None else self.link.link(),
        )


class PublishTarget(Body, frozen=True, kw_only=True):
    platform: Platform
    account_id: Identifier | None = None
    """Absent: the default account of this platform, or the only one."""
    options: Options = {}
    content: ContentBody | None = None
    """Replaces the shared content on this target."""


class PublishBody(Body, frozen=True, kw_only=True):
    """Publish to one or more accounts, at once or at `publish_at`."""

    content: ContentBody
    platforms: Annotated[list[PublishTarget], Meta(min_length=1, max_length=50)]
    publish_at: datetime | None = None
    """RFC 3339; without an offset it is the local time of `timezone`."""
    timezone: Zone | None = None
    title: Title | None = None
    campaign_id: Identifier | None = None
    tags: Tags = []


class CreateBody(Body, frozen=True, kw_only=True):
    title: Title | None = None
    content: ContentBody = ContentBody()
    media: MediaList = []
    """May stand here or in `content`, not in both."""
    platforms: Annotated[list[Platform], Meta(max_length=6)] = []
    accounts: dict[Platform, Identifier] = {}
    options: dict[Platform, Options] = {}
    overrides: dict[Platform, ContentBody] = {}
    """Content for one platform that replaces the shared content there."""
    status: Literal["draft", "scheduled"] = "draft"
    scheduled_at: datetime | None = None
    """Needed when the status is `scheduled`."""
    timezone: Zone | None = None
    campaign_id: Identifier | None = None
    tags: Tags = []

    def overriding(self) -> dict[str, Content]:
        return {platform: content.content() for platform, content in self.overrides.items()}


class ContentPatch(Body, frozen=True, kw_only=True):
    """What stays out stays as it is; `link: null` takes the link away."""

    text: Text | UnsetType = UNSET
    hashtags: Words | UnsetType = UNSET
    mentions: Words | UnsetType = UNSET
    media: MediaList | UnsetType = UNSET
    link: LinkBody | UnsetType | None = UNSET

    def applied_to(self, content: Content) -> Content:
        link = content.link if self.link is UNSET else None if self.link is None else self.link.link()
        return Content(
            text=content.text if self.text is UNSET else self.text,
            hashtags=content.hashtags if self.hashtags is UNSET else tuple(self.hashtags),
            mentions=content.mentions if self.mentions is UNSET else tuple(self.mentions),
            media=content.media if self.media is UNSET else tuple(item.media() for item in self.media),
            link=link,
        )


class EditBody(Body, frozen=True, kw_only=True):
    """Any subset; what stays out stays as it is. `null` clears title and campaign."""

    title: Title | UnsetType | None = UNSET
    content: ContentPatch | UnsetType = UNSET
    media: MediaList | UnsetType = UNSET
    platforms: Annotated[list[Platform], Meta(max_length=6)] | UnsetType = UNSET
    accounts: dict[Platform, Identifier] | UnsetType = UNSET
    options: dict[Platform, Options] | UnsetType = UNSET
    overrides: dict[Platform, ContentBody] | UnsetType = UNSET
    campaign_id: Identifier | UnsetType | None = UNSET
    tags: Tags | UnsetType = UNSET


class PublishNowBody(Body, frozen=True, kw_only=True):
    publish_now: bool = True


class ScheduleBody(Body, frozen=True, kw_only=True):
    scheduled_at: datetime
    """RFC 3339; without an offset it is the local time of `timezone`."""
    timezone: Zone | None = None


class NothingBody(Body, frozen=True, kw_only=True):
    """No members."""


class ResolveBody(Body, frozen=True, kw_only=True):
    """What became of a held target, as seen on the platform.

    `confirm`: it is live, at `url` or under `platform_post_id`. `republish`: it is not; send it again. `drop`: it is
    not, and shall not be.
    """

    resolution: Resolution
    url: Url | None = None
    platform_post_id: Annotated[str, Meta(min_length=1, max_length=255)] | None = None


class ThreadBody(Body, frozen=True, kw_only=True):
    """Several posts, each a reply to the one before; at once or at `schedule_at`."""

    platform: Platform
    account_id: Identifier | None = None
    posts: Annotated[list[ContentBody], Meta(min_length=2, max_length=100)]
    options: Options = {}
    schedule_at: datetime | None = None
    timezone: Zone | None = None
    title: Title | None = None
    campaign_id: Identifier | None = None
    tags: Tags = []


_AT = re.compile(r"^(?P<message>.*) - at `(?P<key>key` in `)?\$(?P<path>[^`]*)`$", re.DOTALL)
_FIELD = re.compile(r"(?P<kind>unknown|required) field `(?P<name>[^`]*)`")
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]")
_RULES = (
    ("Object contains unknown field", "body.unknown_field"),
    ("Object missing required field", "body.missing_field"),
    ("Invalid enum value", "body.unknown_value"),
    ("Invalid RFC3339", "body.datetime"),
    ("Expected", "body.type"),
)


def decode(body: bytes, shape: type[B]) -> B:
    """Raises ProblemError with a pointer to what is wrong."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise invalid_content(field_error(str(error))) from error
    except msgspec.DecodeError as error:
        raise _unreadable("body.json", f"The body is not JSON: {error}.") from error
    except UnicodeDecodeError as error:
        raise _unreadable("body.utf8", f"The body is not UTF-8: byte {error.start} cannot be read.") from error
    except RecursionError as error:
        raise _unreadable("body.depth", "The body is nested too deeply.") from error


def _unreadable(rule: str, message: str) -> ProblemError:
    return invalid_content(FieldError(pointer="", rule=rule, message=message))


def field_error(message: str) -> FieldError:
    """A complaint of msgspec's, `Expected … - at `$.content.text``, with its path as a JSON pointer."""
    found = _AT.match(message)
    text, path, of_key = (found["message"], found["path"], found["key"]) if found else (message, "", None)
    # msgspec does not name the key of a mapping (`[...]`): there the pointer ends with the mapping.
    steps = _STEP.finditer(path.partition("[...]")[0])
    pointer = "".join(f"/{step['index'] if step['name'] is None else escaped(step['name'])}" for step in steps)
    if (field := _FIELD.search(text)) is not None:
        pointer += f"/{escaped(field['name'])}"
    rule = next((rule for start, rule in _RULES if text.startswith(start)), "body.value")
    if rule == "body.type" and "of length" in text:
        rule = "body.length"
    return FieldError(pointer=pointer, rule=rule, message=f"{text} as a name." if of_key else f"{text}.")


def escaped(name: str) -> str:
    """One reference token of a JSON pointer (RFC 6901, section 3)."""
    return name.replace("~", "~0").replace("/", "~1")


class _Peek(Struct):
    platforms: list[Any] = []


def names_targets(body: bytes) -> bool:
    """Whether this is a `PublishBody`, whose platforms are objects, rather than a `CreateBody`."""
    return any(isinstance(platform, dict) for platform in decode(body, _Peek).platforms)
