"""Media URLs must not reach into private networks, and files are what their bytes say."""

import ipaddress

import pytest

from contracts.content import Media
from publisher.adapters.media import MediaFetcher, is_public, sniff
from publisher.domain.answers import Refused, Retry, SetbackError


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


async def test_an_upload_cannot_be_fetched_and_says_so() -> None:
    fetcher = MediaFetcher(allow_private=False)
    with pytest.raises(SetbackError) as caught:
        async with fetcher.fetch(Media(type="image", media_id="media_1"), max_bytes=10, types=("image/png",)):
            pass
    assert caught.value.setback.failure.rule == "media.source"
    await fetcher.close()


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


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_the_internet_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a..........", "image/gif"),
        (b"RIFF....WEBPVP8 ", "image/webp"),
        (b"\x00\x00\x00\x18ftypmp42", "video/mp4"),
        (b"\x00\x00\x00\x14ftypqt  ", "video/quicktime"),
        (b"<html>", None),
    ],
)
def test_types_are_sniffed(head: bytes, expected: str | None) -> None:
    assert sniff(head) == expected
