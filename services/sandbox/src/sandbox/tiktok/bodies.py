"""The bodies that TikTok's API takes. Members that it does not document are refused."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from msgspec import UNSET, DecodeError, Meta, Struct, UnsetType, ValidationError
from msgspec.json import decode as decode_json

from sandbox.tiktok.errors import refused
from sandbox.web import Request

T = TypeVar("T")

PrivacyLevel = Literal["PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "FOLLOWER_OF_CREATOR", "SELF_ONLY"]


class Closed(Struct, frozen=True, forbid_unknown_fields=True):
    """An object with the documented members only."""


class VideoInfo(Closed, frozen=True):
    privacy_level: PrivacyLevel
    title: str = ""
    disable_duet: bool = False
    disable_comment: bool = False
    disable_stitch: bool = False
    video_cover_timestamp_ms: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    brand_content_toggle: bool = False
    brand_organic_toggle: bool = False
    is_aigc: bool = False


class VideoSource(Closed, frozen=True):
    source: Literal["FILE_UPLOAD", "PULL_FROM_URL"]
    video_size: Annotated[int, Meta(gt=0)] | UnsetType = UNSET
    chunk_size: Annotated[int, Meta(gt=0)] | UnsetType = UNSET
    total_chunk_count: Annotated[int, Meta(gt=0)] | UnsetType = UNSET
    video_url: str | UnsetType = UNSET


class InitializeVideo(Closed, frozen=True):
    """``POST /v2/post/publish/video/init/``"""

    post_info: VideoInfo
    source_info: VideoSource


class InitializeInboxVideo(Closed, frozen=True):
    """``POST /v2/post/publish/inbox/video/init/``"""

    source_info: VideoSource


class PhotoInfo(Closed, frozen=True):
    title: str = ""
    description: str = ""
    privacy_level: PrivacyLevel | UnsetType = UNSET
    disable_comment: bool = False
    auto_add_music: bool = False
    brand_content_toggle: bool = False
    brand_organic_toggle: bool = False


class PhotoSource(Closed, frozen=True):
    source: Literal["PULL_FROM_URL"]
    photo_images: Annotated[list[str], Meta(min_length=1, max_length=35)]
    photo_cover_index: Annotated[int, Meta(ge=0)] = 0


class InitializeContent(Closed, frozen=True):
    """``POST /v2/post/publish/content/init/``"""

    media_type: Literal["PHOTO"]
    post_mode: Literal["DIRECT_POST", "MEDIA_UPLOAD"]
    source_info: PhotoSource
    post_info: PhotoInfo = PhotoInfo()
    is_aigc: bool = False


class PublishId(Closed, frozen=True):
    """``POST /v2/post/publish/status/fetch/`` and ``…/cancel/``"""

    publish_id: str


class VideoList(Closed, frozen=True):
    """``POST /v2/video/list/``"""

    cursor: int | UnsetType = UNSET
    max_count: Annotated[int, Meta(ge=1, le=20)] = 10


class VideoFilters(Closed, frozen=True):
    video_ids: Annotated[list[str], Meta(min_length=1, max_length=20)]


class VideoQuery(Closed, frozen=True):
    """``POST /v2/video/query/``"""

    filters: VideoFilters


def decode(request: Request, expected: type[T], invalid: str) -> T:
    """The body as the expected type. Raises RefusedError with the code that stands for an invalid parameter."""
    if request.media_type != "application/json":
        raise refused(invalid, "The content type must be application/json")
    try:
        return decode_json(request.body, type=expected)
    except ValidationError as error:
        raise refused(invalid, f"The request body is invalid: {error}") from error
    except (DecodeError, UnicodeDecodeError) as error:
        raise refused(invalid, "The request body is not valid JSON") from error


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
