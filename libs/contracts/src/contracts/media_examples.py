"""One good example of each message about uploads; see `contracts.examples`."""

from datetime import UTC, datetime

from contracts import media
from contracts.content import Failure
from contracts.messages import Message

MEDIA_ID = "media_01KFSX8T2N5Q7R9V1B3D6G8J0K"
_EARLIER_ID = "media_01KFSX6B4H8Y1M3Q5V7C9E2R4T"
VARIANT_ID = "variant_01KFSXA4C6E8G0J2M4P6R8T0VW"

_TENANT_ID = "tenant_brand"
_ACTOR = "user_01KEV0T3A9C5F7H2J4M6P8RSVW"
_SENT = datetime(2026, 1, 23, 9, 10, tzinfo=UTC)
_SEEN = datetime(2026, 1, 23, 9, 10, 0, 180000, tzinfo=UTC)
_FOLDER = "5d1f0c7ab0e24a63a4be9f2c7d815e90/media_01KFSX8T2N5Q7R9V1B3D6G8J0K"
_SHA256 = "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c"

_SOURCE = media.Source(
    keys=(f"{_FOLDER}/9b2f7c1e5d3a4f60",),
    size=412_007,
    sha256=_SHA256,
    url="https://cdn.example.com/images/announcement.png",
)
_FAILURE = Failure(
    code="media_unsupported",
    message="The file is a PDF document.",
    rule="media.type",
    remediation="Send JPEG, PNG, WebP, GIF, MP4 or MOV.",
)


def _rendition(name: str, content_type: str, size: int, width: int, height: int) -> media.Rendition:
    return media.Rendition(
        key=f"{_FOLDER}/{name}",
        sha256=_SHA256,
        facts=media.Facts(content_type=content_type, size=size, width=width, height=height),
    )


_ORIGINAL = _rendition("0c4e8a2f6b1d9375", "image/png", 411_730, 1200, 628)
_SMALL = _rendition("1f3b5d7a9c2e4068", "image/jpeg", 18_204, 320, 167)
_MEDIUM = _rendition("2a4c6e8091b3d5f7", "image/jpeg", 96_511, 1080, 565)
_MADE = _rendition("3d5f7192a4c6e80b", "image/jpeg", 121_377, 502, 628)
_RECIPE = media.Recipe(
    content_type="image/jpeg",
    crop=media.Box(left=349, top=0, width=502, height=628),
    width=502,
    height=628,
    max_bytes=8_388_608,
)

EXAMPLES: tuple[Message, ...] = (
    media.UploadMedia(
        media_id=MEDIA_ID,
        tenant_id=_TENANT_ID,
        actor=_ACTOR,
        issued_at=_SENT,
        source=_SOURCE,
        filename="announcement.png",
        alt_text="Product announcement graphic",
        platform_hints=("twitter", "instagram"),
        reply_partition=3,
        instead_of=_EARLIER_ID,
    ),
    media.RecordProcessing(
        media_id=MEDIA_ID,
        tenant_id=_TENANT_ID,
        issued_at=_SEEN,
        outcome=media.Processed(asset_type="image", sha256=_SHA256, original=_ORIGINAL, small=_SMALL, medium=_MEDIUM),
    ),
    media.RequestVariant(
        media_id=MEDIA_ID,
        tenant_id=_TENANT_ID,
        actor=_ACTOR,
        issued_at=_SENT,
        variant_id=VARIANT_ID,
        platform="instagram",
        post_type="feed",
        recipe=_RECIPE,
        reply_partition=3,
    ),
    media.RecordVariant(
        media_id=MEDIA_ID,
        tenant_id=_TENANT_ID,
        issued_at=_SEEN,
        variant_id=VARIANT_ID,
        outcome=media.Made(rendition=_MADE),
    ),
    media.DeleteMedia(media_id=MEDIA_ID, tenant_id=_TENANT_ID, actor=_ACTOR, issued_at=_SEEN),
    media.MediaUploaded(
        media_id=MEDIA_ID,
        tenant_id=_TENANT_ID,
        actor=_ACTOR,
        at=_SENT,
        source=_SOURCE,
        filename="announcement.png",
        alt_text="Product announcement graphic",
        platform_hints=("twitter", "instagram"),
        reply_partition=3,
        instead_of=_EARLIER_ID,
    ),
    media.MediaReady(at=_SEEN, type="image", sha256=_SHA256, original=_ORIGINAL, small=_SMALL, medium=_MEDIUM),
    media.MediaRejected(at=_SEEN, failure=_FAILURE),
    media.VariantRequested(
        actor=_ACTOR,
        at=_SENT,
        variant_id=VARIANT_ID,
        platform="instagram",
        post_type="feed",
        recipe=_RECIPE,
        reply_partition=3,
    ),
    media.VariantReady(at=_SEEN, variant_id=VARIANT_ID, rendition=_MADE),
    media.VariantFailed(at=_SEEN, variant_id=VARIANT_ID, failure=_FAILURE),
    media.MediaDeleted(actor=_ACTOR, at=_SEEN),
    media.ProcessMedia(media_id=MEDIA_ID, tenant_id=_TENANT_ID, source=_SOURCE, reply_partition=3),
    media.MakeVariant(
        media_id=MEDIA_ID,
        tenant_id=_TENANT_ID,
        variant_id=VARIANT_ID,
        type="image",
        original=_ORIGINAL,
        recipe=_RECIPE,
        reply_partition=3,
    ),
)
