"""What a creator writes, before any platform has seen it."""

from datetime import datetime
from typing import Any, Literal, get_args

from msgspec import Struct

Platform = Literal["twitter", "linkedin", "instagram", "youtube", "tiktok", "facebook"]
PLATFORMS: tuple[Platform, ...] = get_args(Platform)

MediaType = Literal["image", "video", "gif", "document"]


class Media(Struct, frozen=True, kw_only=True):
    """One attachment, named by `url` or by the `media_id` of an upload."""

    type: MediaType
    url: str | None = None
    media_id: str | None = None
    alt_text: str | None = None


class Link(Struct, frozen=True, kw_only=True):
    url: str
    title: str | None = None
    description: str | None = None


class Content(Struct, frozen=True, kw_only=True):
    """One post, or one part of a thread. Hashtags come without `#`, mentions with or without `@`."""

    text: str = ""
    hashtags: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()
    link: Link | None = None


class Failure(Struct, frozen=True, kw_only=True):
    """Why something did not happen, for the person who has to act on it.

    `code` is stable and listed in the HTTP documentation; `platform_error` quotes the platform, shortened.
    """

    code: str
    message: str
    rule: str | None = None
    remediation: str | None = None
    platform_error: str | None = None
    retryable: bool = False


class LivePart(Struct, frozen=True, kw_only=True):
    """One part of a target that is known to be live on its platform."""

    index: int
    platform_post_id: str
    url: str | None = None


Options = dict[str, Any]


class TargetSpec(Struct, frozen=True, kw_only=True):
    """Where to publish: an account of the tenant on one platform, with what applies there only."""

    platform: Platform
    account_id: str
    username: str | None = None
    options: Options = {}
    content: Content | None = None
    """Replaces the post's own content on this target."""
    estimated_reach: int | None = None
    """People likely to see it: the account's followers when the target was chosen; None when not known."""

    @property
    def target_id(self) -> str:
        return f"{self.platform}:{self.account_id}"


class Schedule(Struct, frozen=True, kw_only=True):
    """An instant (UTC), and the IANA zone the creator thinks in."""

    at: datetime
    timezone: str | None = None
