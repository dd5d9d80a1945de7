"""The files to publish: uploads out of the object store, and through the guarded client what stays named by URL.

That are documents and thumbnails only: pictures and videos become uploads first, see `publisher.domain.importing`.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import IO

from msgspec import Struct

from contracts.content import Failure, Media
from guarded.client import CallFailedError, GuardedClient, TooLargeError
from guarded.urls import ANYWHERE, PUBLIC_WEB, ForbiddenUrlError
from objects.recognising import HEAD, recognise
from objects.signing import Signer
from objects.store import ObjectNotFoundError, Objects, ObjectsUnavailableError
from publisher.adapters.http import tls
from publisher.domain.answers import Refused, Retry, SetbackError

FETCH_SECONDS = 300.0
_MEMORY_BYTES = 1 << 20


class Fetched(Struct, frozen=True, kw_only=True):
    """A file at its beginning. `content_type` is what its bytes say, whatever the server said."""

    file: IO[bytes]
    size: int
    content_type: str


class MediaFetcher:
    """Raises SetbackError throughout: Refused when the URL or the file will not do, Retry when its server does not.

    Uploads come with the signed address that `publisher.adapters.uploads` gave them; it names the object to read. With
    neither `objects` nor `signer` there are no uploads.
    """

    def __init__(self, *, allow_private: bool, objects: Objects | None = None, signer: Signer | None = None) -> None:
        self._rules = ANYWHERE if allow_private else PUBLIC_WEB
        self._objects = objects
        self._signer = signer
        self._client: GuardedClient | None = None

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    @asynccontextmanager
    async def fetch(self, media: Media, *, max_bytes: int, types: Collection[str]) -> AsyncIterator[Fetched]:
        """The file, for as long as the context lasts."""
        with tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES) as file:
            size = await self._bring(media, file, max_bytes)
            file.seek(0)
            content_type = recognise(file.read(HEAD))
            file.seek(0)
            if content_type is None or content_type not in types:
                raise _refused(
                    "media.type",
                    f"The file is {content_type or 'of an unknown type'}; allowed here: {', '.join(sorted(types))}.",
                )
            yield Fetched(file=file, size=size, content_type=content_type)

    @asynccontextmanager
    async def fetch_from(self, media: Media, *, start: int, size: int) -> AsyncIterator[IO[bytes]]:
        """The bytes from `start` of a file that was fetched before and had `size` bytes then.

        Where its server knows no ranges the whole file is read again. A file that has changed is `media_refused`: what
        the platform holds of it is worth nothing.
        """
        with tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES) as file:
            taken = await self._bring(media, file, size, start=start)
            whole, rest = taken == size, taken == size - start
            if not whole and not rest:
                changed = Failure(code="media_unavailable", message="The file behind the media URL has changed.")
                raise SetbackError(Retry("media_refused", changed))
            file.seek(start if whole else 0)
            yield file

    async def _bring(self, media: Media, file: IO[bytes], max_bytes: int, *, start: int = 0) -> int:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                if media.media_id is not None:
                    return await self._read(media, file, max_bytes, start)
                if media.url is None:
                    raise _refused("media.source", "There is neither a URL nor an upload.")
                return await self._download(media.url, file, max_bytes, start)
        except TimeoutError as error:
            raise _unavailable("it takes too long") from error

    async def _read(self, media: Media, file: IO[bytes], max_bytes: int, start: int) -> int:
        grant = None
        if media.url is not None and self._signer is not None:
            grant = self._signer.read_url(media.url, now=datetime.now(UTC))
        if self._signer is None or self._objects is None:
            raise _refused(
                "media.source", "This deployment has no object store, and can publish no pictures or videos."
            )
        if grant is None:
            raise _refused("media.source", f"There is no media {media.media_id} any more.")
        size = 0
        try:
            if await self._objects.size(grant.key) > max_bytes:
                raise _too_large(max_bytes)
            async for chunk in self._objects.read(grant.key, start=start):
                size += len(chunk)
                file.write(chunk)
        except ObjectNotFoundError as error:
            raise _refused("media.source", f"There is no media {media.media_id} any more.") from error
        except ObjectsUnavailableError as error:
            raise _unavailable("the object store does not answer") from error
        return size

    async def _download(self, url: str, file: IO[bytes], max_bytes: int, start: int) -> int:
        headers = {"Range": f"bytes={start}-"} if start else {}
        try:
            async with self._guarded().get(url, seconds=FETCH_SECONDS, max_bytes=max_bytes, headers=headers) as answer:
                if 300 <= answer.status < 400:
                    raise _refused("media.url", "The media URL redirects elsewhere: name the file's own URL.")
                if answer.status >= 500 or answer.status in (408, 425, 429):
                    raise _unavailable(f"status {answer.status}")
                if answer.status not in ((200, 206) if start else (200,)):
                    raise _refused("media.url", f"The server of the media URL answered {answer.status}.")
                size = 0
                async for chunk in answer.chunks:
                    size += len(chunk)
                    file.write(chunk)
                return size
        except ForbiddenUrlError as error:
            raise _refused("media.url", f"The media URL cannot be used. {error}") from error
        except TooLargeError as error:
            raise _too_large(max_bytes) from error
        except CallFailedError as error:
            if error.cause == "not_public":
                raise _refused("media.url", f"The media URL cannot be used. {error}") from error
            raise _unavailable(str(error)) from error

    def _guarded(self) -> GuardedClient:
        """Made within the running event loop, to which it is bound."""
        if self._client is None:
            self._client = GuardedClient(self._rules, user_agent="SocialPublishing-Publisher/1.0", tls=tls())
        return self._client


def _too_large(max_bytes: int) -> SetbackError:
    return _refused("media.size", f"The file is larger than the {max_bytes:,} bytes allowed here.")


def _refused(rule: str, message: str) -> SetbackError:
    failure = Failure(code="media_rejected", rule=rule, message=message, remediation="Change the media.")
    return SetbackError(Refused(failure))


def _unavailable(cause: str) -> SetbackError:
    failure = Failure(
        code="media_unavailable",
        message=f"The media could not be fetched: {cause}.",
        remediation="Make the file available at its URL.",
        retryable=True,
    )
    return SetbackError(Retry("media_unavailable", failure))
