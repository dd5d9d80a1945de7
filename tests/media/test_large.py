"""A large upload passes through the gateway: its size is not to be seen in the gateway's memory.

`LARGE_MB` sets the size; the suite takes a small one, `make large-upload` one of a gigabyte.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.media.corpus import clip
from tests.media.processes import rss

from contracts.ids import new_id

pytestmark = pytest.mark.stack

SIZE = int(os.environ.get("LARGE_MB", "96")) << 20
PIECE = 1 << 20
MOST_GROWTH = 64 << 20
"""What a gateway may take more than before: buffers of a fixed size, and what Python does not give back at once."""


def padded(size: int) -> Iterator[bytes]:
    """A video of this size: a small one, and a box of nothing behind it."""
    head = clip()
    yield head
    left = size - len(head)
    yield left.to_bytes(4) + b"free"
    left -= 8
    while left > 0:
        yield bytes(min(PIECE, left))
        left -= PIECE


def form(boundary: str, size: int) -> Iterator[bytes]:
    yield (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="large.mp4"\r\n'
        "Content-Type: video/mp4\r\n\r\n"
    ).encode()
    yield from padded(size)
    yield f"\r\n--{boundary}--\r\n".encode()


@pytest.mark.timeout(1_800)
def test_memory_stays_flat(media: Any, stack: Any, client: Any) -> None:
    media.upload(clip())  # what is loaded with the first upload is no growth
    pid = stack.process("gateway").pid
    before, most, done = rss(pid), 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.02):
            most = max(most, rss(pid))

    watching = threading.Thread(target=watch)
    watching.start()
    boundary = new_id("boundary")
    begun = time.monotonic()
    answer = httpx.post(
        f"{stack.gateway_url}/api/v1/creator/social/media/upload",
        content=form(boundary, SIZE),
        headers={
            "Authorization": f"Bearer {client.token}",
            "Content-Type": f"multipart/form-data; boundary={boundary}",
        },
        timeout=1_200,
        trust_env=False,
    )
    seconds = time.monotonic() - begun
    done.set()
    watching.join()
    assert answer.status_code in (201, 202), answer.text
    found = media.settled(answer.json()["media_id"])
    assert found["status"] == "ready"
    assert found["duration"] == 4.0
    print(  # noqa: T201  # a figure to be read
        f"{SIZE >> 20} MB in {seconds:.1f} s, gateway from {before >> 20} to {most >> 20} MB"
    )
    assert most - before < MOST_GROWTH, f"from {before >> 20} to {most >> 20} MB"


def test_too_much_is_refused_while_it_comes(stack: Any, client: Any) -> None:
    """An image has a limit of its own; not all of it need be sent to learn that."""
    where = urlsplit(stack.gateway_url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
    connection.putrequest("POST", "/api/v1/creator/social/media/upload")
    for name, value in (
        ("Authorization", f"Bearer {client.token}"),
        ("Content-Type", "multipart/form-data; boundary=b"),
        ("Transfer-Encoding", "chunked"),
    ):
        connection.putheader(name, value)
    connection.endheaders()
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n\xff\xd8\xff\xe0'
    sent, piece = 0, head
    # Like a client that listens while it sends, and stops when it is answered.
    while not select.select([connection.sock], [], [], 0)[0]:
        assert sent < 512 << 20, "the gateway reads on"
        try:
            connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        except ConnectionError:
            break  # it has answered meanwhile, and hung up
        sent, piece = sent + len(piece), bytes(64 << 10)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (413, "media_too_large")
    assert sent > 64 << 20, "an image may have that much"
    connection.close()
