"""Objects by key, in a folder or in the buckets of S3, Google Cloud and Azure."""

import hashlib
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import obstore
from msgspec import Struct
from obstore.exceptions import BaseError
from obstore.exceptions import NotFoundError as NoSuchObjectError
from obstore.store import LocalStore, ObjectStore, from_url

CHUNK = 1 << 20
"""Bytes taken at once from a local file."""
_PIECE = 2 << 20
"""Bytes asked of the store at once. A request for all of a large object would last for as long as its reader takes, and
could run out of time.
"""
_PART = 8 << 20
"""Bytes of one part of a large upload; S3 takes 10,000 parts, so objects may have 80 GB."""
_PARTS_AT_ONCE = 2
_AT_A_TIME = 500


class ObjectsUnavailableError(Exception):
    """The store does not answer, or answers with an error of its own."""


class ObjectNotFoundError(Exception):
    """There is no object of this key."""


class Stored(Struct, frozen=True, kw_only=True):
    key: str
    size: int
    modified_at: datetime


def new_key(tenant_id: str, media_id: str) -> str:
    """A fresh, unguessable key. The tenant stands in front, as a hash: whatever its id is made of, it is one folder."""
    return f"{folder_of(tenant_id)}/{media_id}/{secrets.token_hex(16)}"


def folder_of(tenant_id: str) -> str:
    return hashlib.sha256(tenant_id.encode()).hexdigest()[:32]


class Objects:
    """Raises ObjectsUnavailableError throughout, and ObjectNotFoundError when an object is read that is not there."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def at(cls, url: str) -> Self:
        """`file:///var/media`, `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`.

        Credentials of the buckets come from the environment, by the names that each provider's own tools use. Raises
        ValueError for an address of another kind.
        """
        parts = urlsplit(url)
        if parts.scheme == "file":
            folder = Path(parts.path)
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return cls(LocalStore(folder, automatic_cleanup=True))
        if parts.scheme not in ("s3", "gs", "az"):
            raise ValueError(f"{parts.scheme}: is not file:, s3:, gs: or az:")
        return cls(from_url(url))

    def writer(self, key: str) -> "ObjectWriter":
        """The object is there once the writer has been closed without an exception, and never a part of it."""
        return ObjectWriter(self._store, key)

    async def put(self, key: str, source: Path) -> None:
        async with self.writer(key) as writer:
            with source.open("rb") as file:
                while chunk := file.read(CHUNK):
                    await writer.write(chunk)

    async def read(self, key: str, *, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` on, piece by piece."""
        end = await self.size(key) if length is None else start + length
        try:
            while start < end:
                piece = await obstore.get_range_async(self._store, key, start=start, end=min(start + _PIECE, end))
                yield bytes(piece)
                start += len(piece)
        except (NoSuchObjectError, FileNotFoundError) as error:
            raise ObjectNotFoundError(key) from error
        except (BaseError, OSError) as error:
            raise ObjectsUnavailableError(type(error).__name__) from error

    async def size(self, key: str) -> int:
        try:
            return int((await obstore.head_async(self._store, key))["size"])
        except (NoSuchObjectError, FileNotFoundError) as error:
            raise ObjectNotFoundError(key) from error
        except (BaseError, OSError) as error:
            raise ObjectsUnavailableError(type(error).__name__) from error

    async def delete(self, keys: Sequence[str]) -> None:
        """Those that are not there are none to delete."""
        for key in keys:
            try:
                with suppress(NoSuchObjectError, FileNotFoundError):
                    await obstore.delete_async(self._store, key)
            except (BaseError, OSError) as error:
                raise ObjectsUnavailableError(type(error).__name__) from error

    async def all(self, prefix: str = "") -> AsyncIterator[Sequence[Stored]]:
        """Every object, some hundreds at a time."""
        try:
            async for page in obstore.list(self._store, prefix or None, chunk_size=_AT_A_TIME):
                yield [Stored(key=each["path"], size=each["size"], modified_at=each["last_modified"]) for each in page]
        except (BaseError, OSError) as error:
            raise ObjectsUnavailableError(type(error).__name__) from error


class ObjectWriter:
    """Writes one object as its bytes come, with no more than some parts of it in memory."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        self.key = key
        self.size = 0
        self._store = store
        self._digest = hashlib.sha256()
        self._first = bytearray()
        """What goes in one request if there is no more of it."""
        self._file: obstore.AsyncWritableFile | None = None

    @property
    def sha256(self) -> str:
        """Of what has been written so far, in hex."""
        return self._digest.hexdigest()

    async def write(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self._digest.update(chunk)
        try:
            if self._file is None:
                self._first += chunk
                if len(self._first) < _PART:
                    return
                self._file = obstore.open_writer_async(
                    self._store, self.key, buffer_size=_PART, max_concurrency=_PARTS_AT_ONCE
                )
                chunk, self._first = bytes(self._first), bytearray()
            await self._file.write(chunk)
        except (BaseError, OSError) as error:
            raise ObjectsUnavailableError(type(error).__name__) from error

    async def close(self) -> None:
        try:
            if self._file is None:
                await obstore.put_async(self._store, self.key, bytes(self._first))
            else:
                await self._file.close()
        except (BaseError, OSError) as error:
            raise ObjectsUnavailableError(type(error).__name__) from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            await self.close()
