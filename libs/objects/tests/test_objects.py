"""Objects in a folder, the addresses that serve them, and what files are by their first bytes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from objects.recognising import recognise
from objects.signing import PATH, Signer
from objects.store import ObjectNotFoundError, Objects, folder_of, new_key

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SECRETS = (b"a" * 32, b"b" * 32)


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects.at((tmp_path / "objects").as_uri())


async def read(objects: Objects, key: str, **part: int) -> bytes:
    return b"".join([chunk async for chunk in objects.read(key, **part)])


@pytest.mark.parametrize("size", [0, 1, 1_000, 9 << 20])
async def test_what_is_written_is_read(objects: Objects, size: int) -> None:
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    async with objects.writer("a/b") as writer:
        for start in range(0, size, 100_000):
            await writer.write(data[start : start + 100_000])
    assert writer.size == size == await objects.size("a/b")
    assert await read(objects, "a/b") == data
    if size > 10:
        assert await read(objects, "a/b", start=5) == data[5:]
        assert await read(objects, "a/b", start=5, length=3) == data[5:8]


async def test_what_breaks_off_is_not_there(objects: Objects) -> None:
    async def break_off() -> None:
        async with objects.writer("a/b") as writer:
            await writer.write(bytes(9 << 20))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await break_off()
    with pytest.raises(ObjectNotFoundError):
        await objects.size("a/b")
    with pytest.raises(ObjectNotFoundError):
        await read(objects, "a/b")


async def test_all_are_listed_and_can_be_thrown_away(objects: Objects) -> None:
    for key in ("a/1", "a/2", "b/1"):
        async with objects.writer(key) as writer:
            await writer.write(b"x")
    assert sorted([each.key async for page in objects.all() for each in page]) == ["a/1", "a/2", "b/1"]
    assert [each.key async for page in objects.all("b") for each in page] == ["b/1"]
    await objects.delete(["a/1", "nothing"])
    assert sorted([each.key async for page in objects.all() for each in page]) == ["a/2", "b/1"]


def test_a_kind_of_store_that_is_not_known() -> None:
    with pytest.raises(ValueError, match="http"):
        Objects.at("http://example.com/")


def test_keys_are_of_one_tenant_and_never_twice() -> None:
    one, two = new_key("../../etc", "media_1"), new_key("../../etc", "media_1")
    assert one != two
    assert one.startswith(f"{folder_of('../../etc')}/media_1/")
    assert ".." not in one
    assert folder_of("a") != folder_of("b")


def url(signer: Signer, **changes: object) -> str:
    named = {"key": "a/b", "content_type": "image/png", "name": "media_1.png", "now": NOW, "lifetime": DAY, **changes}
    return signer.url(**named)  # type: ignore[arg-type]


def test_an_address_grants_what_was_signed_until_it_expires() -> None:
    signer = Signer(SECRETS, base_url="https://api.example.com/")
    address = url(signer)
    assert address.startswith(f"https://api.example.com{PATH}/")
    grant = signer.read_url(address, now=NOW)
    assert grant is not None
    assert (grant.key, grant.content_type, grant.name) == ("a/b", "image/png", "media_1.png")
    assert signer.read_url(address, now=NOW + DAY) == grant
    assert signer.read_url(address, now=NOW + 2 * DAY) is None
    assert url(signer, now=NOW + timedelta(minutes=1)) == address, "caches would not know it again"


def test_every_changed_bit_is_refused() -> None:
    signer = Signer(SECRETS, base_url="https://api.example.com")
    token, name = url(signer).split("/")[-2:]
    for position in range(len(token)):
        other = "A" if token[position] != "A" else "B"
        changed = token[:position] + other + token[position + 1 :]
        grant = signer.read(changed, name, now=NOW)
        # The last character of base64 may hold bits that mean nothing.
        assert grant is None or position == len(token) - 1
    for odd in ("", "x", "é", "a" * 2_000, "=", "../..", token + "/"):
        assert signer.read(odd, name, now=NOW) is None
    assert signer.read(token, "media_2.png", now=NOW) is None
    assert signer.read(token, "../media_1.png", now=NOW) is None


def test_secrets_can_be_changed() -> None:
    old = Signer(SECRETS[:1], base_url="")
    both, new = Signer((SECRETS[1], SECRETS[0]), base_url=""), Signer(SECRETS[1:], base_url="")
    assert both.read_url(url(old), now=NOW) is not None
    assert new.read_url(url(both), now=NOW) is not None
    assert new.read_url(url(old), now=NOW) is None
    with pytest.raises(ValueError, match="32"):
        Signer([b"short"], base_url="")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF89a..........", "image/gif"),
        (b"RIFF....WEBPVP8 ", "image/webp"),
        (b"RIFF....AVI LIST", "video/x-msvideo"),
        (b"\x00\x00\x00\x18ftypmp42", "video/mp4"),
        (b"\x00\x00\x00\x14ftypqt  ", "video/quicktime"),
        (b"\x00\x00\x00\x14ftypheic", "image/heic"),
        (b"\x00\x00\x10\x00moov", "video/quicktime"),
        (b"%PDF-1.7", "application/pdf"),
        (b"<html>", "text/html"),
        (b"\xef\xbb\xbf  <svg xmlns=''>", "image/svg+xml"),
        (b"#EXTM3U\n", "application/vnd.apple.mpegurl"),
        (b"hello", "text/plain"),
        (b"", None),
        (b"\x00\x01\x02", None),
    ],
)
def test_files_are_what_their_bytes_say(head: bytes, expected: str | None) -> None:
    assert recognise(head) == expected
