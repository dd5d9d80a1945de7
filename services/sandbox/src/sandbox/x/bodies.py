"""The bodies that X accepts (OpenAPI 2.167; 2.166 has the same). Unknown members are refused."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from sandbox.web import NOT_JSON, RefusedError
from sandbox.x.problems import Problems

T = TypeVar("T")

Id = Annotated[str, Meta(pattern="^[0-9]{1,19}$")]
ReplySettings = Literal["following", "mentionedUsers", "subscribers", "verified"]
MediaCategory = Literal[
    "amplify_video",
    "tweet_gif",
    "tweet_image",
    "tweet_video",
    "dm_gif",
    "dm_image",
    "dm_video",
    "subtitles",
]
MediaType = Literal[
    "video/mp4",
    "video/webm",
    "video/mp2t",
    "video/quicktime",
    "text/srt",
    "text/vtt",
    "image/jpeg",
    "image/gif",
    "image/bmp",
    "image/png",
    "image/webp",
    "image/pjpeg",
    "image/tiff",
    "model/gltf-binary",
    "model/vnd.usdz+zip",
]


class Closed(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """An object with ``additionalProperties: false``."""


class PostMedia(Closed):
    media_ids: Annotated[list[Id], Meta(min_length=1, max_length=4)]
    tagged_user_ids: Annotated[list[Id], Meta(max_length=10)] = []
    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    embeddable: bool | UnsetType = UNSET
    preview_media_id: Id | UnsetType = UNSET
    call_to_actions: dict[str, object] | UnsetType = UNSET


class Poll(Closed):
    options: Annotated[list[Annotated[str, Meta(min_length=1, max_length=25)]], Meta(min_length=2, max_length=4)]
    duration_minutes: Annotated[int, Meta(ge=5, le=10_080)]
    reply_settings: ReplySettings | UnsetType = UNSET


class Reply(Closed):
    in_reply_to_tweet_id: Id
    exclude_reply_user_ids: list[str] = []
    auto_populate_reply_metadata: bool | UnsetType = UNSET


class Edit(Closed):
    previous_post_id: Id


class Geo(Closed):
    place_id: str


class CreatePost(Closed):
    """``POST /2/tweets``"""

    text: str = ""
    media: PostMedia | UnsetType = UNSET
    poll: Poll | UnsetType = UNSET
    reply: Reply | UnsetType = UNSET
    quote_tweet_id: Id | UnsetType = UNSET
    card_uri: str | UnsetType = UNSET
    reply_settings: ReplySettings | UnsetType = UNSET
    edit_options: Edit | UnsetType = UNSET
    community_id: Id | UnsetType = UNSET
    share_with_followers: bool | UnsetType = UNSET
    direct_message_deep_link: str | UnsetType = UNSET
    for_super_followers_only: bool | UnsetType = UNSET
    nullcast: bool | UnsetType = UNSET
    geo: Geo | UnsetType = UNSET
    made_with_ai: bool | UnsetType = UNSET
    paid_partnership: bool | UnsetType = UNSET


class InitializeUpload(Closed):
    """``POST /2/media/upload/initialize``; the schema requires nothing, an upload needs all three."""

    media_type: MediaType
    media_category: MediaCategory
    total_bytes: Annotated[int, Meta(ge=0, le=17_179_869_184)]
    additional_owners: list[Id] = []
    shared: bool = False


class AppendUpload(Closed):
    """``POST /2/media/upload/{id}/append`` as JSON, the bytes in Base64."""

    media: bytes
    segment_index: Annotated[int, Meta(ge=0, le=999)]


class UploadImage(Closed):
    """``POST /2/media/upload`` as JSON, the bytes in Base64."""

    media: bytes
    media_category: MediaCategory
    media_type: MediaType | UnsetType = UNSET
    additional_owners: list[Id] = []
    shared: bool = False


class AltText(Struct):
    text: Annotated[str, Meta(max_length=1000)]


class Metadata(Struct):
    alt_text: AltText | UnsetType = UNSET


class DescribeMedia(Struct):
    """``POST /2/media/metadata``"""

    id: Id
    metadata: Metadata = msgspec.field(default_factory=Metadata)


_PLACE = re.compile(r"^(?P<message>.*?)(?: - at `(?P<path>\$[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_MISSING = re.compile(r"Object missing required field `(.*)`")


def decode(body: bytes, expected: type[T], problems: Problems) -> T:
    """The body as the expected type. Raises RefusedError with the wording of X's JSON-Schema validator."""
    try:
        return msgspec.json.decode(body, type=expected)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), _parsed(body, problems), problems) from error
    except NOT_JSON as error:
        raise _malformed(problems) from error


def convert(fields: dict[str, object], expected: type[T], problems: Problems) -> T:
    """Form fields as the expected type. Raises RefusedError."""
    try:
        return msgspec.convert(fields, expected, strict=False)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), fields, problems) from error


def _parsed(body: bytes, problems: Problems) -> object:
    """What is wrong with the syntax comes before what is wrong with the members."""
    try:
        return msgspec.json.decode(body)
    except NOT_JSON as error:
        raise _malformed(problems) from error


def _malformed(problems: Problems) -> RefusedError:
    return problems.invalid("Request body must be a JSON object.")


def _refusal(reason: str, body: object, problems: Problems) -> RefusedError:
    match = _PLACE.match(reason)
    message, path = (match["message"], match["path"] or "$") if match else (reason, "$")
    if unknown := _UNKNOWN.fullmatch(message):
        text = f"{path}.{unknown[1]}: is not defined in the schema and the schema does not allow additional properties"
    elif missing := _MISSING.fullmatch(message):
        text = f"{path}.{missing[1]}: is missing but it is required"
    else:
        text = f"{path}: {message[0].lower()}{message[1:]}"
    return problems.invalid(text, {path: [_at(path, body)]})


def _at(path: str, body: object) -> str:
    """The JSON at a path like ``$.media.media_ids[0]``, for the echo in the error."""
    value = body
    for step in re.findall(r"\w+", path):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal():
            value = value[int(step)]
    return msgspec.json.encode(value).decode()
