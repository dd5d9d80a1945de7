"""Examples for the description of the API: uploads."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from contracts.content import PLATFORMS
from contracts.media import Facts, MediaAsset, Rendition, Source, Variant
from gateway import media_views
from platforms import fitting

MEDIA_ID = "media_01KFSX8T2N5Q7R9V1B3D6G8J0K"
UPLOAD_ID = "upload_01KFSX8T2N5Q7R9V1B3D6G8J0K"
_VARIANT_ID = "variant_01KFSXA4C6E8G0J2M4P6R8T0VW"
_AT = datetime(2026, 1, 24, 19, 25, tzinfo=UTC)
_FILES = "https://api.example.com/api/v1/creator/social/media/files/mZk3v…"

IDS: Mapping[str, str] = {"media_id": MEDIA_ID, "upload_id": UPLOAD_ID, "token": "mZk3v", "name": f"{MEDIA_ID}.png"}


def _rendition(content_type: str, size: int, width: int, height: int) -> Rendition:
    facts = Facts(content_type=content_type, size=size, width=width, height=height)
    return Rendition(key="k", sha256="0" * 64, facts=facts)


_ORIGINAL = _rendition("image/png", 411_730, 1200, 800)
_ASSET = MediaAsset(
    media_id=MEDIA_ID,
    tenant_id="tenant_brand",
    created_by="user_001",
    created_at=_AT,
    updated_at=_AT,
    filename="announcement.png",
    alt_text="Product announcement graphic",
    platform_hints=("twitter", "linkedin", "instagram"),
    source=Source(size=412_007, sha256="b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c"),
    status="ready",
    type="image",
    original=_ORIGINAL,
    small=_rendition("image/jpeg", 18_204, 320, 213),
    medium=_rendition("image/jpeg", 96_511, 1080, 720),
    revision=2,
)


def _address(rendition: Rendition, name: str) -> str:
    return f"{_FILES}/{name}.{'png' if rendition is _ORIGINAL else 'jpg'}"


def _made() -> Variant:
    fit = fitting.fit(_ORIGINAL.facts, "instagram", "feed")
    if fit.recipe is None:
        raise ValueError("the example needs a variant")
    return Variant(
        variant_id=_VARIANT_ID,
        platform="instagram",
        post_type="feed",
        recipe=fit.recipe,
        status="ready",
        requested_at=_AT,
        rendition=_rendition("image/jpeg", 121_377, fit.recipe.width, fit.recipe.height),
    )


_VARIANT = _made()
_VIEW = media_views.media(_ASSET, _address, {})
_WITH_VARIANT = media_views.media(replace(_ASSET, variants=(_VARIANT,)), _address, {})

REQUESTS: Mapping[str, Mapping[str, Any]] = {
    "importMedia": {
        "image": {"url": "https://cdn.example.com/images/announcement.png", "alt_text": "Product announcement graphic"}
    },
    "makeVariant": {"for the feed": {"platform": "instagram", "post_type": "feed"}},
}

ANSWERS: Mapping[str, Struct] = {
    "uploadMedia": _VIEW,
    "importMedia": _VIEW,
    "getMedia": _WITH_VARIANT,
    "listMedia": media_views.MediaList(media=(_VIEW,), cursor=None),
    "makeVariant": media_views.variant(_ASSET, _VARIANT, _address, {}),
}

FORM: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "file": {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "description": "JPEG, PNG, WebP, GIF, MP4 or MOV, whatever it is called.",
        },
        "platform_hints": {
            "type": "array",
            "items": {"type": "string", "enum": list(PLATFORMS)},
            "description": "Where it is meant to go: a JSON list, names between commas, or several fields.",
        },
        "alt_text": {"type": "string", "maxLength": 10_000},
    },
    "required": ["file"],
}
"""Of `POST /media/upload`."""
