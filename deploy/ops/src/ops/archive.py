"""The files of a backup: a folder with a manifest that names every other file, its size in entries and its checksum."""

import gzip
import hashlib
import struct
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import bson
import msgspec
from bson.codec_options import CodecOptions
from msgspec import Struct

from ops.reporting import OpsError

MANIFEST = "manifest.json"
_LENGTH = struct.Struct(">I")
_OPTIONS: CodecOptions[Mapping[str, Any]] = CodecOptions(tz_aware=True)


class Record(Struct, frozen=True, array_like=True):
    """As it lay in its partition."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes | None


class File(Struct, frozen=True, kw_only=True):
    path: str
    entries: int
    sha256: str


class Partition(Struct, frozen=True, kw_only=True):
    number: int
    begin: int
    end: int
    file: File


class Topic(Struct, frozen=True, kw_only=True):
    name: str
    partitions: tuple[Partition, ...]


class Position(Struct, frozen=True, kw_only=True):
    """Where a group goes on reading."""

    group: str
    topic: str
    partition: int
    offset: int


class Collection(Struct, frozen=True, kw_only=True):
    name: str
    indexes: tuple[dict[str, Any], ...]
    file: File


class Manifest(Struct, frozen=True, kw_only=True):
    format: Literal[1] = 1
    began_at: datetime
    ended_at: datetime
    topics: tuple[Topic, ...]
    positions: tuple[Position, ...]
    collections: tuple[Collection, ...]


class Archive:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(self) -> None:
        """Raises OpsError when there is something already."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if any(self.folder.iterdir()):
            raise OpsError(f"{self.folder} is not empty: a backup takes a folder of its own")

    def manifest(self) -> Manifest:
        """Raises OpsError, also when a file is missing or not what was written."""
        path = self.folder / MANIFEST
        try:
            manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
        except FileNotFoundError:
            raise OpsError(
                f"{self.folder} holds no whole backup: {MANIFEST}, which is written last, is missing"
            ) from None
        except msgspec.MsgspecError as error:
            raise OpsError(f"{path} is none that this release reads: {error}") from None
        files = [partition.file for topic in manifest.topics for partition in topic.partitions]
        for file in (*files, *(collection.file for collection in manifest.collections)):
            if self._checksum(file.path) != file.sha256:
                raise OpsError(f"{self.folder / file.path} is damaged")
        return manifest

    def finish(self, manifest: Manifest) -> None:
        (self.folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))

    def writer(self, path: str) -> "Writer":
        return Writer(self.folder, path)

    def records(self, file: File) -> Iterator[Record]:
        decoder = msgspec.msgpack.Decoder(Record)
        return map(decoder.decode, self._frames(file))

    def documents(self, file: File) -> Iterator[Mapping[str, Any]]:
        return (bson.decode(frame, _OPTIONS) for frame in self._frames(file))

    def _frames(self, file: File) -> Iterator[bytes]:
        with gzip.open(self.folder / file.path) as stream:
            while head := stream.read(_LENGTH.size):
                yield stream.read(_LENGTH.unpack(head)[0])

    def _checksum(self, path: str) -> str | None:
        try:
            with (self.folder / path).open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        except FileNotFoundError:
            return None


class Writer:
    """Frames of a length and that many bytes, gzipped."""

    def __init__(self, folder: Path, path: str) -> None:
        self._path = path
        self._target = folder / path
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._stream = gzip.open(self._target, "wb", compresslevel=6)  # noqa: SIM115  # closed by `finish`
        self._encoder = msgspec.msgpack.Encoder()
        self.entries = 0

    def add(self, entries: Iterable[Record | Mapping[str, Any]]) -> None:
        for entry in entries:
            frame = self._encoder.encode(entry) if isinstance(entry, Record) else bson.encode(entry)
            self._stream.write(_LENGTH.pack(len(frame)) + frame)
            self.entries += 1

    def finish(self) -> File:
        self._stream.close()
        with self._target.open("rb") as stream:
            checksum = hashlib.file_digest(stream, "sha256").hexdigest()
        return File(path=self._path, entries=self.entries, sha256=checksum)
