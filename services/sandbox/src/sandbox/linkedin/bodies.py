"""The bodies that LinkedIn accepts. Unknown members are unpermitted, not ignored."""

from __future__ import annotations

import re
from typing import Literal, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from sandbox.linkedin.errors import error, input_error, unpermitted
from sandbox.web import NOT_JSON, RefusedError

T = TypeVar("T")


class Closed(Struct, forbid_unknown_fields=True, omit_defaults=True, rename="camel"):
    """An object whose members are all known."""


class MediaContent(Closed):
    id: str
    title: str | UnsetType = UNSET
    alt_text: str | UnsetType = UNSET


class Image(Closed):
    id: str
    alt_text: str | UnsetType = UNSET


class MultiImage(Closed):
    images: list[Image]
    alt_text: str | UnsetType = UNSET


class Article(Closed):
    source: str
    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    thumbnail: str | UnsetType = UNSET
    thumbnail_alt_text: str | UnsetType = UNSET


class PollOption(Closed):
    text: str


class PollSettings(Closed):
    duration: Literal["ONE_DAY", "THREE_DAYS", "SEVEN_DAYS", "FOURTEEN_DAYS", "ONE_WEEK", "TWO_WEEKS"]


class Poll(Closed):
    question: str
    options: list[PollOption]
    settings: PollSettings


class Content(Closed):
    """One of these."""

    media: MediaContent | UnsetType = UNSET
    multi_image: MultiImage | UnsetType = UNSET
    article: Article | UnsetType = UNSET
    poll: Poll | UnsetType = UNSET


class Distribution(Closed):
    feed_distribution: Literal["MAIN_FEED", "NONE"]
    target_entities: list[dict[str, object]] = []
    third_party_distribution_channels: list[str] = []


class ReshareContext(Closed):
    parent: str


class CreatePost(Closed):
    """``POST /rest/posts``"""

    author: str
    commentary: str
    visibility: Literal["PUBLIC", "CONNECTIONS", "LOGGED_IN", "CONTAINER"]
    distribution: Distribution
    lifecycle_state: Literal["PUBLISHED"]
    is_reshare_disabled_by_author: bool = False
    content: Content | UnsetType = UNSET
    reshare_context: ReshareContext | UnsetType = UNSET
    content_call_to_action_label: str | UnsetType = UNSET
    content_landing_page: str | UnsetType = UNSET


class Message(Closed):
    text: str


class CreateComment(Closed):
    """``POST /rest/socialActions/{urn}/comments``"""

    actor: str
    object: str
    message: Message
    parent_comment: str | UnsetType = UNSET


class Owner(Closed):
    owner: str


class InitializeUpload(Closed):
    """``POST /rest/images|documents?action=initializeUpload``"""

    initialize_upload_request: Owner


class VideoToUpload(Closed):
    owner: str
    file_size_bytes: int
    upload_captions: bool = False
    upload_thumbnail: bool = False


class InitializeVideoUpload(Closed):
    """``POST /rest/videos?action=initializeUpload``"""

    initialize_upload_request: VideoToUpload


class UploadedVideo(Closed):
    video: str
    upload_token: str
    uploaded_part_ids: list[str]


class FinalizeUpload(Closed):
    """``POST /rest/videos?action=finalizeUpload``"""

    finalize_upload_request: UploadedVideo


_PLACE = re.compile(r"(?P<message>.*?)(?: - at `\$(?P<path>[^`]*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_MISSING = re.compile(r"Object missing required field `(.*)`")


def decode(body: bytes, expected: type[T]) -> T:
    """The body as the expected type. Raises RefusedError in LinkedIn's words."""
    try:
        return msgspec.json.decode(body, type=expected)
    except msgspec.ValidationError as problem:
        raise _refusal(str(problem)) from problem
    except NOT_JSON as problem:
        raise error(400, "Unable to parse the request body as JSON", "ILLEGAL_ARGUMENT") from problem


def _refusal(reason: str) -> RefusedError:
    match = _PLACE.fullmatch(reason)
    message, path = (match["message"], match["path"] or "") if match else (reason, "")
    field = re.sub(r"\W+", "/", path).rstrip("/")
    if unknown := _UNKNOWN.fullmatch(message):
        return unpermitted(f"{field}/{unknown[1]}")
    if message.endswith("got `null`"):
        return unpermitted(field)
    if missing := _MISSING.fullmatch(message):
        name = f"{field}/{missing[1]}"
        return input_error(400, "MISSING_FIELD", f"Field {name} is required but was not found", name)
    return input_error(400, "INVALID_VALUE_FOR_FIELD", f"Invalid value for field {field}: {message}", field)
