"""Uploads beside a bare streaming copy to the same store, and images beside the bare library doing the same work."""

from __future__ import annotations

import asyncio
import io
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from figures import Figure, percentile
from PIL import Image
from system import API, System

from contracts.ids import new_id
from objects.store import Objects

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
    return [*await _throughput(system, 128 if quick else 512), *await _images(system, 60 if quick else 300)]


async def _throughput(system: System, megabytes: int) -> list[Figure]:
    """Of one client; the file is no video behind its head, so nothing is decoded."""
    size = megabytes << 20
    boundary = new_id("boundary")

    def form() -> Iterator[bytes]:
        yield f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'.encode()
        yield (24).to_bytes(4) + b"ftypisom\x00\x00\x02\x00isommp41" + (size - 24).to_bytes(4) + b"free"
        for _ in range(megabytes):
            yield bytes(PIECE)
        yield f"\r\n--{boundary}--\r\n".encode()

    headers = {**system.headers, "Content-Type": f"multipart/form-data; boundary={boundary}"}
    url = f"http://{system.host}:{system.port}{API}/media/upload"

    def send() -> float:
        begun = time.perf_counter()
        answer = httpx.post(url, content=form(), headers=headers, timeout=600, trust_env=False)
        seconds = time.perf_counter() - begun
        if answer.status_code not in (202, 400):  # there is no picture in it
            raise RuntimeError(f"the upload was answered {answer.status_code}: {answer.text}")
        return seconds

    ours = await asyncio.to_thread(send)
    with tempfile.TemporaryDirectory() as folder:
        objects = Objects.at(Path(folder).as_uri())
        begun = time.perf_counter()
        async with objects.writer("a") as writer:
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


async def _images(system: System, count: int) -> list[Figure]:
    """Photos of 2 megapixels, sent by two clients."""
    photo = _photo(1_600, 1_200)
    url = f"http://{system.host}:{system.port}{API}/media/upload"
    took: list[float] = []

    async def send(client: httpx.AsyncClient, number: int) -> None:
        for _ in range(number):
            begun = time.perf_counter()
            answer = await client.post(url, files={"file": ("a.jpg", photo)}, headers=system.headers)
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
