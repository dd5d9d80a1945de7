"""Media URLs must not reach into private networks, files are what their bytes say, uploads come from the store."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.content import Content, Media, Platform
from contracts.media import Facts, MediaAsset, Recipe, Rendition, Source, Variant
from contracts.publishing import PublishRequested
from objects.signing import Signer
from objects.store import Objects
from publisher.adapters.media import MediaFetcher
from publisher.adapters.uploads import Uploads
from publisher.domain.answers import Refused, Retry, SetbackError

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a.png",
        "http://0x7f.1/a.png",
        "http://2130706433/a.png",
        "http://[::1]/a.png",
        "http://[::ffff:10.0.0.1]/a.png",
        "http://[64:ff9b::7f00:1]/a.png",
        "http://[2002:7f00:1::]/a.png",
        "http://10.1.2.3/a.png",
        "http://169.254.169.254/latest/meta-data",
        "http://100.64.0.1/a.png",
        "http://0.0.0.0/a.png",
        "http://224.0.0.1/a.png",
        "http://localhost/a.png",
        "ftp://example.com/a.png",
        "file:///etc/passwd",
        "http://user:password@93.184.216.34/a.png",
        "not a url",
    ],
)
async def test_refused_without_a_connection(url: str) -> None:
    fetcher = MediaFetcher(allow_private=False)
    with pytest.raises(SetbackError) as caught:
        async with fetcher.fetch(Media(type="image", url=url), max_bytes=10, types=("image/png",)):
            pass
    assert isinstance(caught.value.setback, Refused)
    assert caught.value.setback.failure.rule == "media.url"
    await fetcher.close()


async def test_an_upload_that_is_gone_says_so() -> None:
    fetcher = MediaFetcher(allow_private=False)
    with pytest.raises(SetbackError) as caught:
        async with fetcher.fetch(Media(type="image", media_id="media_1"), max_bytes=10, types=("image/png",)):
            pass
    assert caught.value.setback.failure.rule == "media.source"
    await fetcher.close()


PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
FACTS = Facts(content_type="image/png", size=len(PNG), width=1080, height=1080)


def asset(key: str, **more: Any) -> MediaAsset:
    facts: dict[str, Any] = {
        "media_id": "media_1",
        "tenant_id": "tenant_a",
        "created_by": "u",
        "created_at": AT,
        "updated_at": AT,
        "source": Source(),
        "status": "ready",
        "type": "image",
        "original": Rendition(key=key, sha256="00", facts=FACTS),
        **more,
    }
    return MediaAsset(**facts)


class KnownAssets:
    def __init__(self, *assets: MediaAsset) -> None:
        self._assets = assets

    async def assets(self, tenant_id: str, media_ids: Collection[str]) -> Mapping[str, MediaAsset]:
        return {
            each.media_id: each for each in self._assets if each.tenant_id == tenant_id and each.media_id in media_ids
        }


def request(platform: Platform, tenant_id: str = "tenant_a") -> PublishRequested:
    return PublishRequested(
        post_id="post_1",
        tenant_id=tenant_id,
        target_id=f"{platform}:acc",
        attempt=1,
        platform=platform,
        account_id="acc",
        parts=(Content(text="a", media=(Media(type="image", media_id="media_1"),)),),
        options={},
        live_parts=(),
        due_at=AT,
        unresolved_since=None,
    )


async def test_an_upload_is_read_from_the_object_store(tmp_path: Path) -> None:
    objects, signer = Objects.at(tmp_path.as_uri()), Signer([b"s" * 32], base_url="https://api.example.com")
    async with objects.writer("folder/one") as writer:
        await writer.write(PNG)
    resolved = await Uploads(KnownAssets(asset("folder/one")), signer).resolve(request("twitter"), None)
    assert resolved.variants == {}
    (media,) = resolved.request.parts[0].media
    assert media.url is not None
    assert media.url.startswith("https://api.example.com/")
    assert media.url.endswith("/media_1.png")
    fetcher = MediaFetcher(allow_private=False, objects=objects, signer=signer)
    async with fetcher.fetch(media, max_bytes=1_000, types=("image/png",)) as fetched:
        assert (fetched.file.read(), fetched.size, fetched.content_type) == (PNG, len(PNG), "image/png")
    async with fetcher.fetch_from(media, start=8, size=len(PNG)) as rest:
        assert rest.read() == PNG[8:]
    with pytest.raises(SetbackError) as caught:
        async with fetcher.fetch(media, max_bytes=10, types=("image/png",)):
            pass
    assert caught.value.setback.failure.rule == "media.size"
    forged = Media(type="image", media_id="media_1", url=media.url.replace("/media_1.png", "/media_2.png"))
    with pytest.raises(SetbackError) as caught:
        async with fetcher.fetch(forged, max_bytes=1_000, types=("image/png",)):
            pass
    assert caught.value.setback.failure.rule == "media.source"
    await fetcher.close()


async def test_the_fitting_variant_is_chosen_again_and_again() -> None:
    signer = Signer([b"s" * 32], base_url="https://api.example.com")
    jpeg = Facts(content_type="image/jpeg", size=900, width=1080, height=1080)

    def variant(number: int, platform: Platform) -> Variant:
        return Variant(
            variant_id=f"variant_{number}",
            platform=platform,
            recipe=Recipe(content_type="image/jpeg", width=1080, height=1080),
            status="ready",
            requested_at=AT + timedelta(seconds=number),
            rendition=Rendition(key=f"k{number}", sha256="00", facts=jpeg),
        )

    made = asset("o", variants=(variant(2, "instagram"), variant(1, "tiktok")))
    later = asset("o", variants=(*made.variants, variant(3, "instagram")))
    for known in (made, later):
        resolved = await Uploads(KnownAssets(known), signer).resolve(request("instagram"), None)
        assert resolved.variants == {"media_1": "variant_2"}
        (media,) = resolved.request.parts[0].media
        assert media.url is not None
        assert media.url.endswith("/variant_2.jpg")
        assert (await Uploads(KnownAssets(known), signer).resolve(request("twitter"), None)).variants == {}


async def test_anothers_upload_is_none() -> None:
    signer = Signer([b"s" * 32], base_url="https://api.example.com")
    resolved = await Uploads(KnownAssets(asset("o")), signer).resolve(request("twitter", "tenant_b"), None)
    assert resolved.request.parts[0].media == (Media(type="image", media_id="media_1"),)


async def test_limits_and_types_are_enforced_on_the_bytes(sandbox_url: str) -> None:
    fetcher = MediaFetcher(allow_private=True)
    image = Media(type="image", url=f"{sandbox_url}/_sandbox/media/image.png")
    missing = Media(type="image", url=f"{sandbox_url}/_sandbox/media/nothing.png")
    nobody = Media(type="image", url="http://127.0.0.1:1/a.png")

    async def setback(media: Media, max_bytes: int, types: tuple[str, ...]) -> Refused | Retry:
        with pytest.raises(SetbackError) as caught:
            async with fetcher.fetch(media, max_bytes=max_bytes, types=types):
                pass
        assert isinstance(caught.value.setback, Refused | Retry)
        return caught.value.setback

    assert (await setback(image, 10, ("image/png",))).failure.rule == "media.size"
    assert (await setback(image, 10**7, ("image/gif",))).failure.rule == "media.type"
    assert isinstance(await setback(missing, 10**7, ("image/png",)), Refused)
    assert isinstance(await setback(nobody, 10**7, ("image/png",)), Retry)
    async with fetcher.fetch(image, max_bytes=10**7, types=("image/png",)) as fetched:
        assert fetched.content_type == "image/png"
        assert len(fetched.file.read()) == fetched.size
    await fetcher.close()
