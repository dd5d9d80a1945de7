"""What clients send, and what YouTube refuses of it. Bodies are closed: an unknown member is an error."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime
from typing import Literal, TypeVar

import msgspec

from sandbox.web import NOT_JSON, Request
from sandbox.youtube.errors import bad_request, error, invalid_metadata, missing_parameter

T = TypeVar("T")

MAX_TITLE = 100
MAX_DESCRIPTION_BYTES = 5_000
MAX_TAGS = 500
MAX_COMMENT = 10_000

CATEGORIES = {
    "1": "Film & Animation",
    "2": "Autos & Vehicles",
    "10": "Music",
    "15": "Pets & Animals",
    "17": "Sports",
    "19": "Travel & Events",
    "20": "Gaming",
    "22": "People & Blogs",
    "23": "Comedy",
    "24": "Entertainment",
    "25": "News & Politics",
    "26": "Howto & Style",
    "27": "Education",
    "28": "Science & Technology",
    "29": "Nonprofits & Activism",
}
"""What can be assigned in the United States."""
UNASSIGNABLE = {"18": "Short Movies", "21": "Videoblogging", "30": "Movies", "44": "Trailers"}

VIDEO_PARTS = (
    "contentDetails",
    "id",
    "localizations",
    "paidProductPlacementDetails",
    "processingDetails",
    "recordingDetails",
    "snippet",
    "statistics",
    "status",
)


class _Body(msgspec.Struct, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    pass


class Localization(_Body):
    title: str = ""
    description: str = ""


class SnippetBody(_Body):
    title: str | None = None
    description: str = ""
    tags: list[str] = []
    category_id: str | None = None
    default_language: str | None = None
    default_audio_language: str | None = None


class StatusBody(_Body):
    privacy_status: Literal["public", "unlisted", "private"] | None = None
    publish_at: str | None = None
    license: Literal["youtube", "creativeCommon"] = "youtube"
    embeddable: bool = True
    public_stats_viewable: bool = True
    self_declared_made_for_kids: bool = False
    contains_synthetic_media: bool | None = None

    @property
    def publishes_at(self) -> float | None:
        """When a private video becomes public."""
        return None if self.publish_at is None else datetime.fromisoformat(self.publish_at).timestamp()


class PlacementBody(_Body):
    has_paid_product_placement: bool = False


class RecordingBody(_Body):
    recording_date: str | None = None


class VideoBody(_Body):
    snippet: SnippetBody = msgspec.field(default_factory=SnippetBody)
    status: StatusBody = msgspec.field(default_factory=StatusBody)
    paid_product_placement_details: PlacementBody | None = None
    recording_details: RecordingBody | None = None
    localizations: dict[str, Localization] | None = None


class _CommentText(_Body):
    text_original: str = ""


class _Comment(_Body):
    snippet: _CommentText = msgspec.field(default_factory=_CommentText)


class _CommentThread(_Body):
    video_id: str = ""
    channel_id: str = ""
    top_level_comment: _Comment = msgspec.field(default_factory=_Comment)


class CommentThreadBody(_Body):
    snippet: _CommentThread = msgspec.field(default_factory=_CommentThread)


class _Resource(_Body):
    kind: str = ""
    video_id: str = ""


class _PlaylistItem(_Body):
    playlist_id: str = ""
    resource_id: _Resource = msgspec.field(default_factory=_Resource)
    position: int | None = None


class PlaylistItemBody(_Body):
    snippet: _PlaylistItem = msgspec.field(default_factory=_PlaylistItem)


class _Playlist(_Body):
    title: str = ""
    description: str = ""


class _PlaylistStatus(_Body):
    privacy_status: Literal["public", "unlisted", "private"] = "public"


class PlaylistBody(_Body):
    snippet: _Playlist = msgspec.field(default_factory=_Playlist)
    status: _PlaylistStatus = msgspec.field(default_factory=_PlaylistStatus)


def decoded(request: Request, expected: type[T]) -> T:
    """Raises RefusedError."""
    if request.media_type != "application/json":
        raise bad_request(f"Invalid content type: {request.media_type or 'none'}. Expected application/json.")
    try:
        return msgspec.json.decode(request.body, type=expected)
    except NOT_JSON as reason:
        raise bad_request(f"Invalid JSON payload received. {reason}") from reason


def parts_of(request: Request, known: Collection[str]) -> tuple[str, ...]:
    """The ``part`` parameter. Raises RefusedError."""
    raw = request.query.get("part")
    if not raw:
        raise missing_parameter("part")
    parts = tuple(dict.fromkeys(part.strip() for part in raw.split(",")))
    for part in parts:
        if part not in known:
            raise error(400, "unknownPart", f"'{part}'", domain="youtube.part", location="part")
    return parts


def check_parts_sent(request: Request, parts: Collection[str]) -> None:
    """Raises RefusedError when the body sets what ``part`` does not name."""
    sent = msgspec.json.decode(request.body, type=dict[str, msgspec.Raw])
    for name in sent:
        if name not in parts and name not in ("id", "kind", "etag"):
            raise error(400, "unexpectedPart", f"'{name}'", domain="youtube.part", location="part")


def check_video(video: VideoBody) -> None:
    """Raises RefusedError with the reason that YouTube has for it."""
    snippet = video.snippet
    title = snippet.title or ""
    if not title.strip() or len(title) > MAX_TITLE or re.search("[<>]", title):
        message = "The request metadata specifies an invalid or empty video title."
        raise invalid_metadata("invalidTitle", message, "snippet.title")
    if len(snippet.description.encode()) > MAX_DESCRIPTION_BYTES or re.search("[<>]", snippet.description):
        message = "The request metadata specifies an invalid video description."
        raise invalid_metadata("invalidDescription", message, "snippet.description")
    typed = ",".join(f'"{tag}"' if " " in tag else tag for tag in snippet.tags)
    if len(typed) > MAX_TAGS or re.search("[<>]", typed) or not all(tag.strip() for tag in snippet.tags):
        raise invalid_metadata("invalidTags", "The request metadata specifies invalid video keywords.", "snippet.tags")
    if snippet.category_id is not None and snippet.category_id not in CATEGORIES:
        message = "The request metadata specifies an invalid category ID."
        raise invalid_metadata("invalidCategoryId", message, "snippet.categoryId")
    if video.localizations and snippet.default_language is None:
        message = "The request is trying to add localized video details without specifying the default language."
        raise invalid_metadata("defaultLanguageNotSet", message, "localizations")
    _check_publish_at(video.status)
    recorded = video.recording_details.recording_date if video.recording_details else None
    if recorded is not None and not _is_moment(recorded):
        message = "The <code>recordingDetails</code> object specifies invalid recording details."
        raise invalid_metadata("invalidRecordingDetails", message, "recordingDetails")


def _check_publish_at(status: StatusBody) -> None:
    if status.publish_at is not None and (status.privacy_status != "private" or not _is_moment(status.publish_at)):
        message = "The request metadata specifies an invalid scheduled publishing time."
        raise invalid_metadata("invalidPublishAt", message, "status.publishAt")


def _is_moment(text: str) -> bool:
    try:
        return "T" in text and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
