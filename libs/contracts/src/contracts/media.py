"""Uploaded media: the commands they accept, the facts they record, and the read model.

The bytes are in the object store; messages name them by key. Nothing here can be read by others than the services: what
clients and platforms get are signed addresses.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from contracts.content import Failure, Platform
from contracts.ids import derived_id
from contracts.messages import Command, Event, message

AssetType = Literal["image", "gif", "video"]
"""`gif` is any animation without sound, whatever its format."""
MediaStatus = Literal["processing", "ready", "rejected"]
VariantStatus = Literal["requested", "ready", "failed"]


class Facts(Struct, frozen=True, kw_only=True):
    """What a look into a file has shown. Bytes, pixels as they are seen (orientation applied), seconds."""

    content_type: str
    size: int
    width: int
    height: int
    duration: float | None = None
    frame_rate: float | None = None
    frames: int | None = None
    video_codec: str | None = None
    audio_codec: str | None = None
    has_alpha: bool = False
    is_hdr: bool = False


class Rendition(Struct, frozen=True, kw_only=True):
    """A file in the object store that is fit to be served."""

    key: str
    sha256: str
    facts: Facts


class Source(Struct, frozen=True, kw_only=True):
    """What was sent in, untouched: one object, or several to be read one after the other; or where it is to be fetched.

    It may hold anything, the place where a photo was taken included, and is never served.
    """

    keys: tuple[str, ...] = ()
    size: int | None = None
    sha256: str | None = None
    url: str | None = None


class Box(Struct, frozen=True, kw_only=True):
    left: int
    top: int
    width: int
    height: int


class Recipe(Struct, frozen=True, kw_only=True):
    """How a variant is made of the original: cut out, scale, encode. An image of an animation is its first frame."""

    content_type: Literal["image/jpeg", "video/mp4"]
    crop: Box | None = None
    width: int
    height: int
    max_bytes: int | None = None
    max_seconds: float | None = None
    frame_rate: float | None = None
    """None: as it is."""


class Variant(Struct, frozen=True, kw_only=True):
    """The original made fit for one platform and kind of post."""

    variant_id: str
    platform: Platform
    post_type: str | None = None
    recipe: Recipe
    status: VariantStatus = "requested"
    requested_at: datetime
    rendition: Rendition | None = None
    failure: Failure | None = None


class MediaAsset(Struct, frozen=True, kw_only=True):
    """The read model of an upload: a fold of its events."""

    media_id: str
    tenant_id: str
    created_by: str
    created_at: datetime
    updated_at: datetime
    filename: str | None = None
    alt_text: str | None = None
    platform_hints: tuple[Platform, ...] = ()
    source: Source
    instead_of: str | None = None
    """The upload that this one is fetched again for: posts name that one."""
    status: MediaStatus = "processing"
    type: AssetType | None = None
    original: Rendition | None = None
    small: Rendition | None = None
    medium: Rendition | None = None
    failure: Failure | None = None
    variants: tuple[Variant, ...] = ()
    deleted_at: datetime | None = None
    revision: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The ids by which posts show it."""
        return (self.media_id,) if self.instead_of is None else (self.media_id, self.instead_of)

    def variant(self, variant_id: str) -> Variant | None:
        return next((each for each in self.variants if each.variant_id == variant_id), None)


# --- commands -----------------------------------------------------------------------------------------


@message("media.upload.v1")
class UploadMedia(Command, frozen=True, kw_only=True):
    """The bytes are in the object store, or can be fetched: look into them."""

    media_id: str
    tenant_id: str
    actor: str
    issued_at: datetime
    source: Source
    filename: str | None = None
    alt_text: str | None = None
    platform_hints: tuple[Platform, ...] = ()
    reply_partition: int | None = None
    """Where somebody waits for the end of the processing."""
    instead_of: str | None = None
    """The first upload of what a post names by URL, where that was no good and this is another try."""


class Processed(Struct, frozen=True, kw_only=True, tag="processed"):
    """It is what we take, and ready to be served."""

    asset_type: AssetType
    sha256: str
    """Of the source."""
    original: Rendition
    small: Rendition
    medium: Rendition


class Unfit(Struct, frozen=True, kw_only=True, tag="unfit"):
    """It is not what we take, or cannot be read."""

    failure: Failure


@message("media.record_processing.v1")
class RecordProcessing(Command, frozen=True, kw_only=True):
    media_id: str
    tenant_id: str
    issued_at: datetime
    outcome: Processed | Unfit


@message("media.request_variant.v1")
class RequestVariant(Command, frozen=True, kw_only=True):
    media_id: str
    tenant_id: str
    actor: str
    issued_at: datetime
    variant_id: str
    platform: Platform
    post_type: str | None = None
    recipe: Recipe
    reply_partition: int | None = None


class Made(Struct, frozen=True, kw_only=True, tag="made"):
    rendition: Rendition


@message("media.record_variant.v1")
class RecordVariant(Command, frozen=True, kw_only=True):
    media_id: str
    tenant_id: str
    issued_at: datetime
    variant_id: str
    outcome: Made | Unfit


@message("media.delete.v1")
class DeleteMedia(Command, frozen=True, kw_only=True):
    media_id: str
    tenant_id: str
    actor: str
    issued_at: datetime


# --- events -------------------------------------------------------------------------------------------


@message("media.uploaded.v1")
class MediaUploaded(Event, frozen=True, kw_only=True):
    media_id: str
    tenant_id: str
    actor: str
    at: datetime
    source: Source
    filename: str | None
    alt_text: str | None
    platform_hints: tuple[Platform, ...]
    reply_partition: int | None
    instead_of: str | None = None


@message("media.ready.v1")
class MediaReady(Event, frozen=True, kw_only=True):
    at: datetime
    type: AssetType
    sha256: str
    original: Rendition
    small: Rendition
    medium: Rendition


@message("media.rejected.v1")
class MediaRejected(Event, frozen=True, kw_only=True):
    at: datetime
    failure: Failure


@message("media.variant_requested.v1")
class VariantRequested(Event, frozen=True, kw_only=True):
    actor: str
    at: datetime
    variant_id: str
    platform: Platform
    post_type: str | None
    recipe: Recipe
    reply_partition: int | None


@message("media.variant_ready.v1")
class VariantReady(Event, frozen=True, kw_only=True):
    at: datetime
    variant_id: str
    rendition: Rendition


@message("media.variant_failed.v1")
class VariantFailed(Event, frozen=True, kw_only=True):
    at: datetime
    variant_id: str
    failure: Failure


@message("media.deleted.v1")
class MediaDeleted(Event, frozen=True, kw_only=True):
    actor: str
    at: datetime


# --- jobs ---------------------------------------------------------------------------------------------


@message("media.process.v1")
class ProcessMedia(Command, frozen=True, kw_only=True):
    """Look into an upload and record what it is. Harmless to repeat."""

    media_id: str
    tenant_id: str
    source: Source
    reply_partition: int | None = None


@message("media.make_variant.v1")
class MakeVariant(Command, frozen=True, kw_only=True):
    """Make a variant and record it. Harmless to repeat."""

    media_id: str
    tenant_id: str
    variant_id: str
    type: AssetType
    original: Rendition
    recipe: Recipe
    reply_partition: int | None = None


def record_id(work_id: str, what: Literal["processed", "made"]) -> str:
    """The id of the command that records the end of a piece of work: who waits for the end, waits for its verdict.

    `work_id` is the id of the upload, or of the variant.
    """
    return derived_id("cmd", work_id, what)


def import_id(post_id: str, url: str, number: int = 0) -> str:
    """The id of the upload that is made of what a post names by URL.

    0 is fetched when the post is accepted; each later one when the one before was no good.
    """
    return derived_id("media", post_id, url, str(number))


MediaCommand = UploadMedia | RecordProcessing | RequestVariant | RecordVariant | DeleteMedia
MediaEvent = MediaUploaded | MediaReady | MediaRejected | VariantRequested | VariantReady | VariantFailed | MediaDeleted
MediaJob = ProcessMedia | MakeVariant
