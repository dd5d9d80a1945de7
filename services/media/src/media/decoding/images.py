"""Still and animated images: verified, cleaned, made small, made fit. Sizes are as seen, orientation applied."""

import io
from pathlib import Path

from PIL import Image, ImageCms, ImageFile, UnidentifiedImageError

from contracts.media import Facts, Recipe
from media.decoding.containers import clean
from media.decoding.tasks import INPUT, MEDIUM, ORIGINAL, SMALL, VARIANT, Looked, MadeOf, RefusedError

FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP"}
MAX_SIDE = 16_384
MAX_PIXELS = 50_000_000
"""A photo of the largest cameras in telephones; decoded it takes 200 MB."""
MAX_FRAMES = 1_000
MAX_ANIMATED_PIXELS = 500_000_000
"""Of all frames together."""
SMALL_SIDE, MEDIUM_SIDE = 320, 1_080
_ORIENTATION = 0x0112
_SRGB = ImageCms.createProfile("sRGB")

Image.MAX_IMAGE_PIXELS = None  # we look at the size ourselves, before anything is decoded
ImageFile.LOAD_TRUNCATED_IMAGES = False

_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    ZeroDivisionError,
)
"""What Pillow raises on damaged files, by its own plugins' sources."""


def look(folder: Path, content_type: str) -> Looked:
    """Raises RefusedError."""
    data = (folder / INPUT).read_bytes()
    orientation, has_frames = _check_head(content_type, data)
    cleaned = clean(content_type, data)
    del data
    try:
        with Image.open(io.BytesIO(cleaned), formats=[FORMATS[content_type]]) as image:
            frames, duration = _check_frames(image) if has_frames else (1, None)
            image.seek(0)
            image.load()
            upright = image if frames > 1 else _turned(image, orientation)
            if frames == 1 and (upright is not image or image.mode == "CMYK"):
                upright = _save_again(folder / ORIGINAL, upright, content_type)
            else:
                (folder / ORIGINAL).write_bytes(cleaned)
            size = (folder / ORIGINAL).stat().st_size
            facts = Facts(
                content_type=content_type,
                size=size,
                width=upright.width,
                height=upright.height,
                frames=frames if frames > 1 else None,
                duration=duration,
                has_alpha=_has_alpha(upright),
            )
            del cleaned
            small, medium = thumbnails(folder, upright)
    except (UnidentifiedImageError, Image.DecompressionBombError, *_BROKEN) as error:
        raise _broken(error) from error
    return Looked(asset_type="gif" if frames > 1 else "image", original=facts, small=small, medium=medium)


def make(folder: Path, content_type: str, recipe: Recipe) -> MadeOf:
    """Raises RefusedError."""
    try:
        with Image.open(folder / INPUT, formats=[FORMATS[content_type]]) as image:
            image.load()
            plain = _flat(image)
    except _BROKEN as error:
        raise _broken(error) from error
    if recipe.crop is not None:
        box = recipe.crop
        plain = plain.crop((box.left, box.top, box.left + box.width, box.top + box.height))
    if plain.size != (recipe.width, recipe.height):
        plain = plain.resize((recipe.width, recipe.height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    size = 0
    for quality in (92, 85, 75, 60, 40):
        size = _save_jpeg(folder / VARIANT, plain, quality)
        if recipe.max_bytes is None or size <= recipe.max_bytes:
            return MadeOf(facts=Facts(content_type="image/jpeg", size=size, width=recipe.width, height=recipe.height))
    raise RefusedError("variant.size", "It does not become small enough.", limit=recipe.max_bytes, actual=size)


def thumbnails(folder: Path, image: Image.Image) -> tuple[Facts, Facts]:
    """The small and the medium one, both JPEG, from what `image` shows on white."""
    medium = _flat(image, shrink_to=MEDIUM_SIDE)
    medium_facts = _thumbnail(folder / MEDIUM, medium)
    medium.thumbnail((SMALL_SIDE, SMALL_SIDE), Image.Resampling.LANCZOS)
    return _thumbnail(folder / SMALL, medium), medium_facts


def _thumbnail(path: Path, image: Image.Image) -> Facts:
    size = _save_jpeg(path, image, 85)
    return Facts(content_type="image/jpeg", size=size, width=image.width, height=image.height)


def _check_head(content_type: str, data: bytes) -> tuple[int, bool]:
    """The orientation, and whether there may be several frames; from the head alone, before any pixel is decoded."""
    try:
        with Image.open(io.BytesIO(data), formats=[FORMATS[content_type]]) as image:
            width, height = image.size
            if max(width, height) > MAX_SIDE:
                raise RefusedError(
                    "media.resolution",
                    f"{width}×{height} pixels; a side may have {MAX_SIDE:,}.",
                    limit=MAX_SIDE,
                    actual=max(width, height),
                )
            if width * height > MAX_PIXELS:
                raise RefusedError(
                    "media.resolution",
                    f"{width}×{height} are {width * height:,} pixels; {MAX_PIXELS:,} are allowed.",
                    limit=MAX_PIXELS,
                    actual=width * height,
                )
            orientation = image.getexif().get(_ORIENTATION, 1)
            return (orientation if isinstance(orientation, int) else 1), content_type != "image/jpeg"
    except (UnidentifiedImageError, Image.DecompressionBombError, *_BROKEN) as error:
        raise _broken(error) from error


def _check_frames(image: Image.Image) -> tuple[int, float | None]:
    """How many there are and how long they last, each decoded once."""
    pixels, count, lasts = image.width * image.height, 0, 0
    if getattr(image, "is_animated", False):
        known = getattr(image, "n_frames", 1)
        _check_count(known, pixels)
        for count in range(1, known + 1):
            image.seek(count - 1)
            image.load()
            lasts += int(image.info.get("duration") or 0)
    return max(1, count), lasts / 1_000 if count > 1 else None


def _check_count(frames: int, pixels: int) -> None:
    if frames > MAX_FRAMES:
        raise RefusedError(
            "media.frames", f"{frames:,} frames; {MAX_FRAMES:,} are allowed.", limit=MAX_FRAMES, actual=frames
        )
    if frames * pixels > MAX_ANIMATED_PIXELS:
        raise RefusedError(
            "media.frames",
            f"{frames:,} frames have {frames * pixels:,} pixels together; {MAX_ANIMATED_PIXELS:,} are allowed.",
            limit=MAX_ANIMATED_PIXELS,
            actual=frames * pixels,
        )


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    """As the camera was held. What Pillow reads of it is gone with the EXIF, so it is told."""
    method = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(orientation)
    return image if method is None else image.transpose(method)


def _save_again(path: Path, image: Image.Image, content_type: str) -> Image.Image:
    """What cannot be served as it was encoded: turned images, and colours that are for printers only."""
    profile = image.info.get("icc_profile")
    if image.mode == "CMYK":
        image, profile = _in_srgb(image), None
    # Nothing but the pixels and their colours goes into the new file.
    image.info = {}
    options = {"quality": 95} if content_type in ("image/jpeg", "image/webp") else {}
    image.save(path, FORMATS[content_type], icc_profile=profile, **options)
    return image


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def _flat(image: Image.Image, shrink_to: int | None = None) -> Image.Image:
    """In 8 bits of red, green and blue, on white."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        # 16 bits: as Pillow converts it, all but the darkest would be white.
        image = image.point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in ("P", "PA", "1") or "transparency" in image.info:
        image = image.convert("RGBA" if _has_alpha(image) else "RGB")
    if shrink_to is not None:
        image = image.copy() if max(image.size) <= shrink_to else _shrunk(image, shrink_to)
    if _has_alpha(image):
        alpha = image.convert("RGBA")
        ground = Image.new("RGB", alpha.size, "white")
        ground.paste(alpha, mask=alpha.getchannel("A"))
        return ground
    return _in_srgb(image)


def _shrunk(image: Image.Image, side: int) -> Image.Image:
    factor = side / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def _in_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "CMYK", "L"):
        try:
            converted = ImageCms.profileToProfile(
                image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), _SRGB, outputMode="RGB"
            )
        except (ImageCms.PyCMSError, *_BROKEN):
            converted = None
        if converted is not None:
            converted.info = {}
            return converted
    return image.convert("RGB")


def _save_jpeg(path: Path, image: Image.Image, quality: int) -> int:
    image.info = {}
    image.save(path, "JPEG", quality=quality)
    return path.stat().st_size


def _broken(error: Exception) -> RefusedError:
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return RefusedError("media.broken", f"The file is damaged: {words[:200]}.")
