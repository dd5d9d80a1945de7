"""How uploads are answered, made from their read model. Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime

from contracts.content import PLATFORMS, Failure, Platform
from contracts.media import AssetType, Facts, MediaAsset, MediaStatus, Rendition, Variant, VariantStatus
from gateway.views import View
from platforms import fitting

Address = Callable[[Rendition, str], str]
"""The signed address of a file under a name."""


class DimensionsView(View, frozen=True, kw_only=True):
    """Pixels, as it is seen."""

    width: int
    height: int


class ThumbnailsView(View, frozen=True, kw_only=True):
    """JPEG, at most 320 and 1,080 pixels on the longer side. Of a video, its poster."""

    small: str
    medium: str


class PostTypeFitView(View, frozen=True, kw_only=True, omit_defaults=True):
    """How the file suits one kind of post. `suggestion` is what would make it fit; a variant does just that."""

    compatible: bool
    optimized: bool | None = None
    """Whether it is shown whole and sharp, if it is compatible."""
    reason: str | None = None
    suggestion: str | None = None
    variant_id: str | None = None
    """The variant that is published there instead of the original."""


class FitView(PostTypeFitView, frozen=True, kw_only=True, omit_defaults=True):
    """How the file suits a platform's usual kind of post, and each of its kinds where there are several."""

    post_types: dict[str, PostTypeFitView] = {}


class VariantView(View, frozen=True, kw_only=True):
    variant_id: str
    media_id: str
    platform: Platform
    post_type: str | None
    status: VariantStatus
    change: str
    """What is done to the original."""
    url: str | None
    dimensions: DimensionsView
    content_type: str
    size: int | None
    duration: float | None
    progress: float | None
    """From 0 to 1, while it is being made."""
    error: Failure | None
    requested_at: datetime


class MediaView(View, frozen=True, kw_only=True):
    """An upload. The addresses expire: read it again for new ones."""

    media_id: str
    type: AssetType | None
    """`gif` is any animation without sound. Null until it is looked into."""
    status: MediaStatus
    url: str | None
    thumbnails: ThumbnailsView | None
    dimensions: DimensionsView | None
    duration: float | None
    """Seconds."""
    content_type: str | None
    size: int | None
    """Bytes of what is served; metadata is not in it any more."""
    sha256: str | None
    """Of the file that was sent in."""
    frame_rate: float | None
    video_codec: str | None
    audio_codec: str | None
    filename: str | None
    alt_text: str | None
    platform_hints: tuple[Platform, ...]
    platform_compatibility: dict[str, FitView]
    variants: tuple[VariantView, ...]
    progress: float | None
    """From 0 to 1, while it is being looked into."""
    error: Failure | None
    created_at: datetime


class MediaList(View, frozen=True, kw_only=True):
    media: tuple[MediaView, ...]
    cursor: str | None


class PendingMediaView(View, frozen=True, kw_only=True):
    """The upload is safe, and not looked into yet: read it until it is."""

    media_id: str
    status: str
    status_url: str
    progress: float | None


def media(asset: MediaAsset, address: Address, progress: Mapping[str, float]) -> MediaView:
    original = asset.original
    facts = None if original is None else original.facts
    thumbnails = None
    if asset.small is not None and asset.medium is not None:
        thumbnails = ThumbnailsView(
            small=address(asset.small, f"{asset.media_id}_sm"), medium=address(asset.medium, f"{asset.media_id}_md")
        )
    return MediaView(
        media_id=asset.media_id,
        type=asset.type,
        status=asset.status,
        url=None if original is None else address(original, asset.media_id),
        thumbnails=thumbnails,
        dimensions=None if facts is None else _dimensions(facts),
        duration=None if facts is None else facts.duration,
        content_type=None if facts is None else facts.content_type,
        size=asset.source.size if facts is None else facts.size,
        sha256=asset.source.sha256,
        frame_rate=None if facts is None else facts.frame_rate,
        video_codec=None if facts is None else facts.video_codec,
        audio_codec=None if facts is None else facts.audio_codec,
        filename=asset.filename,
        alt_text=asset.alt_text,
        platform_hints=asset.platform_hints,
        platform_compatibility={} if facts is None else compatibility(asset, facts),
        variants=tuple(variant(asset, each, address, progress) for each in asset.variants),
        progress=progress.get(asset.media_id, 0.0) if asset.status == "processing" else None,
        error=asset.failure,
        created_at=asset.created_at,
    )


def variant(asset: MediaAsset, made: Variant, address: Address, progress: Mapping[str, float]) -> VariantView:
    facts = None if made.rendition is None else made.rendition.facts
    return VariantView(
        variant_id=made.variant_id,
        media_id=asset.media_id,
        platform=made.platform,
        post_type=made.post_type,
        status=made.status,
        change="" if asset.original is None else fitting.in_words(made.recipe, asset.original.facts),
        url=None if made.rendition is None else address(made.rendition, made.variant_id),
        dimensions=DimensionsView(width=made.recipe.width, height=made.recipe.height),
        content_type=made.recipe.content_type,
        size=None if facts is None else facts.size,
        duration=None if facts is None else facts.duration,
        progress=progress.get(made.variant_id, 0.0) if made.status == "requested" else None,
        error=made.failure,
        requested_at=made.requested_at,
    )


def compatibility(asset: MediaAsset, facts: Facts) -> dict[str, FitView]:
    """For each platform: the file that would be published there, judged."""
    found: dict[str, FitView] = {}
    for platform in PLATFORMS:
        kinds = {kind: _fit(asset, facts, platform, kind) for kind in fitting.post_types(platform)}
        usual = kinds[fitting.post_type_of(platform, {}, facts)]
        named = {kind: fit for kind, fit in kinds.items() if kind is not None}
        found[platform] = FitView(
            compatible=usual.compatible,
            optimized=usual.optimized,
            reason=usual.reason,
            suggestion=usual.suggestion,
            variant_id=usual.variant_id,
            post_types=named,
        )
    return found


def _fit(asset: MediaAsset, facts: Facts, platform: Platform, kind: str | None) -> PostTypeFitView:
    fit = fitting.fit(facts, platform, kind)
    if fit.fits:
        return PostTypeFitView(compatible=True, optimized=fit.is_best)
    chosen = fitting.choose(asset, platform, {} if kind is None else {"post_type": kind})
    if chosen is not None and fitting.fit(chosen[0].facts, platform, kind).fits:
        rendition, variant_id = chosen
        better = fitting.fit(rendition.facts, platform, kind)
        return PostTypeFitView(compatible=True, optimized=better.is_best, variant_id=variant_id)
    return PostTypeFitView(compatible=False, reason=fit.violations[0].message, suggestion=fit.suggestion)


def _dimensions(facts: Facts) -> DimensionsView:
    return DimensionsView(width=facts.width, height=facts.height)
