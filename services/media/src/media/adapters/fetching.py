"""Files that somebody names by URL, through the guarded client."""

import hashlib
from pathlib import Path
from urllib.parse import urljoin

from msgspec import Struct

from guarded.client import CallFailedError, GuardedClient, TooLargeError
from guarded.urls import ForbiddenUrlError

FETCH_SECONDS = 600.0
MAX_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_BUSY = (408, 425, 429)


class FetchedFile(Struct, frozen=True, kw_only=True):
    size: int
    sha256: str


class FetchRefusedError(Exception):
    """It cannot be had under this URL, or is too large. `rule` is for programs, the words are for the URL's owner."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class FetchFailedError(Exception):
    """It cannot be had now."""


class Fetcher:
    def __init__(self, client: GuardedClient, *, max_bytes: int) -> None:
        self._client = client
        self._max_bytes = max_bytes

    async def fetch(self, url: str, target: Path) -> FetchedFile:
        """The file, in `target`. Raises FetchRefusedError, FetchFailedError."""
        try:
            for _ in range(MAX_REDIRECTS + 1):
                following = await self._attempt(url, target)
                if isinstance(following, FetchedFile):
                    return following
                url = following
        except ForbiddenUrlError as error:
            raise FetchRefusedError("media.url", str(error)) from error
        except TooLargeError as error:
            message = f"The file is larger than {self._max_bytes:,} bytes."
            raise FetchRefusedError("media.size", message) from error
        except CallFailedError as error:
            if error.cause == "not_public":
                raise FetchRefusedError("media.url", str(error)) from error
            raise FetchFailedError(str(error)) from error
        raise FetchRefusedError("media.url", f"The URL leads on more than {MAX_REDIRECTS} times.")

    async def _attempt(self, url: str, target: Path) -> FetchedFile | str:
        """The file, or where it is said to be. Each address is checked anew."""
        async with self._client.get(url, seconds=FETCH_SECONDS, max_bytes=self._max_bytes) as answer:
            if answer.status in _REDIRECTS and "location" in answer.headers:
                return urljoin(url, answer.headers["location"])
            if answer.status >= 500 or answer.status in _BUSY:
                raise FetchFailedError(f"Its server answered {answer.status}.")
            if answer.status != 200:
                raise FetchRefusedError("media.url", f"Its server answered {answer.status}.")
            size, digest = 0, hashlib.sha256()
            with target.open("wb") as file:
                async for chunk in answer.chunks:
                    size += len(chunk)
                    digest.update(chunk)
                    file.write(chunk)
            return FetchedFile(size=size, sha256=digest.hexdigest())
