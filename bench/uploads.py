"""Uploads beside a bare streaming copy to the same store, and images beside the bare library doing the same work."""

from __future__ import annotations

import asyncio
import io
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import obstore
from figures import Figure, percentile
from obstore.store import LocalStore
from PIL import Image
from system import API, System

from contracts.ids import new_id

PIECE = 1 << 20
BARE = """
import io, sys, time
from PIL import Image
data, count = open(sys.argv[1], "rb").read(), int(sys.argv[2])
def once():
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        image.load()
        medium = image.copy()
        medium.thumbnail((1080, 1080), Image.Resampling.LANCZOS)
        medium.save(io.BytesIO(), "JPEG", quality=85)
        medium.thumbnail((320, 320), Image.Resampling.LANCZOS)
        medium.save(io.BytesIO(), "JPEG", quality=85)
once()
begun = time.perf_counter()
for _ in range(count):
    once()
print((time.perf_counter() - begun) / count)
"""


async def measure(system: System, *, quick: bool) -> list[Figure]:
    with _watched(system) as most:
        figures = [*await _throughput(system, 128 if quick else 512), *await _images(system, 60 if quick else 300)]
    return [
        *figures,
        *(
            Figure(group="media", name=f"memory of {name}, at most", value=size, unit="MiB")
            for name, size in most.items()
        ),
    ]


@contextmanager
def _watched(system: System) -> Iterator[dict[str, float]]:
    """How much memory the gateway takes, and the largest of the media service's processes."""
    most = {"the gateway": 0.0, "the media service": 0.0, "its largest decoder": 0.0}
    ended = threading.Event()

    def watch() -> None:
        media = system.stack.process("media").pid
        while not ended.wait(0.02):
            children = [_rss(pid) for pid in _descendants(media)]
            now = (_rss(system.stack.process("gateway").pid), _rss(media), max(children, default=0.0))
            for name, size in zip(most, now, strict=True):
                most[name] = max(most[name], size)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield most
    finally:
        ended.set()
        watching.join()


def _descendants(pid: int) -> list[int]:
    children: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += [int(child) for child in (task / "children").read_text().split()]
    return [each for child in children for each in (child, *_descendants(child))]


def _rss(pid: int) -> float:
    """MiB; 0 when it has ended."""
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)
    return 0.0


async def _throughput(system: System, megabytes: int) -> list[Figure]:
    """Of one client, until the gateway has taken the last byte; the file is no video behind its head."""
    size = megabytes << 20
    boundary = new_id("boundary")
    taken = 0.0

    def form() -> Iterator[bytes]:
        nonlocal taken
        yield f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'.encode()
        yield (24).to_bytes(4) + b"ftypisom\x00\x00\x02\x00isommp41" + (size - 24).to_bytes(4) + b"free"
        for _ in range(megabytes):
            yield bytes(PIECE)
        yield f"\r\n--{boundary}--\r\n".encode()
        taken = time.perf_counter()

    headers = {**_token(system), "Content-Type": f"multipart/form-data; boundary={boundary}"}
    async with httpx.AsyncClient(base_url=_url(system), timeout=600, trust_env=False) as client:
        begun = time.perf_counter()
        answer = await asyncio.to_thread(
            httpx.post, f"{_url(system)}/media/upload", content=form(), headers=headers, timeout=600, trust_env=False
        )
        ours = taken - begun
        if answer.status_code not in (202, 400):  # there is no picture in it
            raise RuntimeError(f"the upload was answered {answer.status_code}: {answer.text}")
        if answer.status_code == 202:
            path = f"/media/{answer.json()['media_id']}"
            while (await client.get(path, headers=_token(system))).json()["status"] == "processing":
                await asyncio.sleep(0.2)
    with tempfile.TemporaryDirectory() as folder:
        store = LocalStore(folder)
        begun = time.perf_counter()
        async with obstore.open_writer_async(store, "a", buffer_size=8 << 20) as writer:
            for _ in range(megabytes):
                await writer.write(bytes(PIECE))
        bare = time.perf_counter() - begun
    return [
        Figure(
            group="media",
            name=f"upload of {megabytes} MB, HTTP to store",
            value=megabytes / ours,
            unit="MB/s",
            ratio=bare / ours,
            to="a bare copy to the store",
        )
    ]


def _token(system: System) -> dict[str, str]:
    return {"Authorization": system.headers["Authorization"]}


def _url(system: System) -> str:
    return f"http://{system.host}:{system.port}{API}"


async def _images(system: System, count: int) -> list[Figure]:
    """Photos of 2 megapixels, sent by two clients."""
    photo = _photo(1_600, 1_200)
    url = f"{_url(system)}/media/upload"
    took: list[float] = []

    async def send(client: httpx.AsyncClient, number: int) -> None:
        for _ in range(number):
            begun = time.perf_counter()
            answer = await client.post(url, files={"file": ("a.jpg", photo)}, headers=_token(system))
            took.append(time.perf_counter() - begun)
            if answer.status_code != 201:
                raise RuntimeError(f"an image was answered {answer.status_code}: {answer.text}")

    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        await send(client, 3)
        took.clear()
        await send(client, count // 3)
        alone = list(took)
        begun = time.perf_counter()
        await asyncio.gather(*(send(client, count // 3) for _ in range(2)))
        together = (count // 3 * 2) / (time.perf_counter() - begun)
    bare = await asyncio.to_thread(_bare, photo, 20)
    return [
        Figure(group="media", name="image ready, p50", value=percentile(alone, 50) * 1e3, unit="ms"),
        Figure(group="media", name="image ready, p99", value=percentile(alone, 99) * 1e3, unit="ms"),
        Figure(
            group="media",
            name="images, two clients",
            value=together,
            unit="per s",
            ratio=together * bare,
            to="the bare library in one process",
        ),
    ]


def _bare(photo: bytes, count: int) -> float:
    """Seconds for one image: decode, two thumbnails."""
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        file.write(photo)
        file.flush()
        command = [sys.executable, "-c", BARE, file.name, str(count)]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _photo(width: int, height: int) -> bytes:
    """As hard to encode as a photo: soft noise."""
    small = Image.frombytes(
        "RGB", (width // 8, height // 8), random.Random(1).randbytes(width // 8 * (height // 8) * 3)
    )
    buffer = io.BytesIO()
    small.resize((width, height), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
