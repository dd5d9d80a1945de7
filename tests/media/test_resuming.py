"""Large uploads in pieces, sent by a tus client that was not written for this server, and broken off in every way."""

from __future__ import annotations

import hashlib
import http.client
import io
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.media.corpus import clip, png
from tests.media.test_large import padded
from tusclient.client import TusClient

pytestmark = pytest.mark.stack

SIZE = 20 << 20
PIECE = 3 << 20


@pytest.fixture(scope="module")
def file() -> bytes:
    return b"".join(padded(SIZE))


@pytest.fixture
def tus(stack: Any, client: Any) -> Any:
    url = f"{stack.gateway_url}/api/v1/creator/social/media/uploads"
    return TusClient(url, headers={"Authorization": f"Bearer {client.token}"})


def broken_off(url: str, token: str, offset: int, piece: bytes, sent: int) -> None:
    """Announces a piece, sends the beginning of it, and hangs up."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
    connection.putrequest("PATCH", where.path)
    for name, value in (
        ("Authorization", f"Bearer {token}"),
        ("Tus-Resumable", "1.0.0"),
        ("Content-Type", "application/offset+octet-stream"),
        ("Upload-Offset", str(offset)),
        ("Content-Length", str(len(piece))),
    ):
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(piece[:sent])
    connection.close()


def test_an_upload_that_broke_off_in_the_middle_of_a_piece_goes_on_there(
    tus: Any, client: Any, media: Any, file: bytes, eventually: Any
) -> None:
    metadata = {"filename": "../large.mp4", "alt_text": "Stripes", "platform_hints": "twitter,linkedin"}
    uploader = tus.uploader(file_stream=io.BytesIO(file), chunk_size=PIECE, metadata=metadata)
    uploader.upload_chunk()
    url = uploader.url
    assert url is not None
    assert uploader.offset == PIECE

    broken_off(url, client.token, PIECE, file[PIECE : 2 * PIECE], sent=PIECE // 2)

    def offset() -> int:
        return int(tus.uploader(file_stream=io.BytesIO(file), url=url).get_offset())

    # What came of the piece is kept, once the break has been noticed.
    stands = eventually(lambda: found if (found := offset()) > PIECE else None, what="the break being noticed")
    assert PIECE < stands <= PIECE + PIECE // 2

    wrong = client.request(
        "PATCH",
        urlsplit(url).path.removeprefix("/api/v1/creator/social"),
        content=b"x",
        headers={"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0", "Tus-Resumable": "1.0.0"},
    )
    assert (wrong.status_code, wrong.json()["code"]) == (409, "upload_offset")

    resumed = tus.uploader(file_stream=io.BytesIO(file), url=url, chunk_size=7 << 20)
    resumed.upload()
    assert resumed.offset == SIZE

    found = media.settled(f"media_{url.rpartition('_')[2]}")
    assert (found["status"], found["type"], found["duration"]) == ("ready", "video", 4.0)
    assert found["sha256"] == hashlib.sha256(file).hexdigest()
    assert (found["filename"], found["alt_text"]) == ("large.mp4", "Stripes")
    assert found["platform_hints"] == ["twitter", "linkedin"]


def test_pieces_that_are_no_file_we_take_are_refused_with_the_first(tus: Any, client: Any) -> None:
    answer = client.request(
        "POST", "/media/uploads", headers={"Upload-Length": "100", "Tus-Resumable": "1.0.0"}, key="unused"
    )
    assert (answer.status_code, answer.headers["tus-resumable"]) == (201, "1.0.0")
    path = answer.headers["location"].removeprefix("/api/v1/creator/social")
    piece = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0", "Tus-Resumable": "1.0.0"}
    refused = client.request("PATCH", path, content=b"%PDF-1.7\n" + bytes(91), headers=piece)
    assert (refused.status_code, refused.json()["code"]) == (400, "media_unsupported")
    more = client.request("PATCH", path, content=png(200, 200), headers=piece)
    assert (more.status_code, more.json()["errors"][0]["rule"]) == (400, "upload.length")
    too_large = client.request(
        "POST", "/media/uploads", headers={"Upload-Length": str(1 << 40), "Tus-Resumable": "1.0.0"}
    )
    assert (too_large.status_code, too_large.json()["code"]) == (413, "media_too_large")
    assert client.request("DELETE", path, headers={"Tus-Resumable": "1.0.0"}).status_code == 204
    gone = client.request("HEAD", path, headers={"Tus-Resumable": "1.0.0"})
    assert gone.status_code == 404


def test_an_upload_that_is_not_decided_yet_is_there_all_the_same(media: Any, stack: Any, stranger: Any) -> None:
    """While the media service cannot decide about it, whoever was told 202 finds it processing."""
    process = stack.process("media")
    process.pause()
    try:
        answer = media.send(clip(), "a.mp4", alt_text="later")
        assert answer.status_code == 202, answer.text
        path = f"/media/{answer.json()['media_id']}"
        found = media.client.get(path)
        assert (found["status"], found["alt_text"], found["filename"]) == ("processing", "later", "a.mp4")
        stranger.refused(404, "media_not_found", "GET", path)
    finally:
        process.resume()
    assert media.settled(answer.json()["media_id"])["status"] == "ready"
