"""Fetching the media that creators name by URL, without letting the URL reach into our own network."""

import asyncio
import ipaddress
import socket
import tempfile
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import IO

import httpx
from msgspec import Struct

from contracts.content import Failure, Media
from publisher.domain.answers import Refused, Retry, SetbackError

FETCH_SECONDS = 300.0
_MEMORY_BYTES = 1 << 20
_HEAD_BYTES = 16
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Fetched(Struct, frozen=True, kw_only=True):
    """A file at its beginning. `content_type` is what its bytes say, whatever the server said."""

    file: IO[bytes]
    size: int
    content_type: str


def is_public(address: Address) -> bool:
    """Whether it is on the internet, and does not stand for another address that may not be."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.sixtofour is not None or address.teredo is not None or address in _NAT64:
            return False
    return address.is_global and not address.is_multicast


def sniff(head: bytes) -> str | None:
    """The media type that the first bytes show."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return "video/quicktime" if head[8:12] == b"qt  " else "video/mp4"
    return None


class MediaFetcher:
    """Raises SetbackError throughout: Refused when the URL or the file will not do, Retry when its server does not."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(30.0, connect=5.0), follow_redirects=False, trust_env=False
        )

    async def close(self) -> None:
        await self._client.aclose()

    @asynccontextmanager
    async def fetch(self, media: Media, *, max_bytes: int, types: Collection[str]) -> AsyncIterator[Fetched]:
        """The file, for as long as the context lasts."""
        if media.url is None:
            raise _refused("media.source", "Uploads cannot be published by this deployment: name the file by its URL.")
        with tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES) as file:
            try:
                async with asyncio.timeout(FETCH_SECONDS):
                    size = await self._download(media.url, file, max_bytes)
            except (httpx.HTTPError, TimeoutError) as error:
                raise _unavailable(type(error).__name__) from error
            file.seek(0)
            content_type = sniff(file.read(_HEAD_BYTES))
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
        if media.url is None:
            raise _refused("media.source", "Uploads cannot be published by this deployment: name the file by its URL.")
        with tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES) as file:
            try:
                async with asyncio.timeout(FETCH_SECONDS):
                    taken = await self._download(media.url, file, size, start=start)
            except (httpx.HTTPError, TimeoutError) as error:
                raise _unavailable(type(error).__name__) from error
            whole, rest = taken == size, taken == size - start
            if not whole and not rest:
                changed = Failure(code="media_unavailable", message="The file behind the media URL has changed.")
                raise SetbackError(Retry("media_refused", changed))
            file.seek(start if whole else 0)
            yield file

    async def _download(self, text: str, file: IO[bytes], max_bytes: int, *, start: int = 0) -> int:
        request = await self._request(text)
        if start:
            request.headers["Range"] = f"bytes={start}-"
        response = await self._client.send(request, stream=True)
        try:
            if response.is_redirect:
                raise _refused("media.url", "The media URL redirects elsewhere: name the file's own URL.")
            if response.status_code >= 500 or response.status_code in (408, 425, 429):
                raise _unavailable(f"status {response.status_code}")
            if response.status_code not in ((200, 206) if start else (200,)):
                raise _refused("media.url", f"The server of the media URL answered {response.status_code}.")
            size = 0
            async for chunk in response.aiter_bytes(64 * 1024):
                size += len(chunk)
                if size > max_bytes:
                    raise _refused("media.size", f"The file is larger than the {max_bytes:,} bytes allowed here.")
                file.write(chunk)
            return size
        finally:
            await response.aclose()

    async def _request(self, text: str) -> httpx.Request:
        """Addressed to the very address that was checked, so that a second look-up cannot give another one."""
        try:
            url = httpx.URL(text)
        except httpx.InvalidURL as error:
            raise _refused("media.url", "The media URL is not a URL.") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise _refused("media.url", "A media URL begins with http:// or https://.")
        if url.userinfo:
            raise _refused("media.url", "A media URL must not hold a user name or password.")
        address = await self._resolve(url)
        host = url.netloc.decode("ascii")
        return self._client.build_request(
            "GET",
            url.copy_with(host=str(address)),
            headers={"Host": host},
            extensions={"sni_hostname": url.raw_host.decode("ascii").strip("[]")},
        )

    async def _resolve(self, url: httpx.URL) -> Address:
        port = url.port or (443 if url.scheme == "https" else 80)
        name = url.raw_host.decode("ascii").strip("[]")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise _unavailable("its host name is not known") from error
        addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise _refused("media.url", "The media URL leads to an address that is not on the public internet.")
        return addresses[0]


def _refused(rule: str, message: str) -> SetbackError:
    failure = Failure(code="media_rejected", rule=rule, message=message, remediation="Change the media.")
    return SetbackError(Refused(failure))


def _unavailable(cause: str) -> SetbackError:
    failure = Failure(
        code="media_unavailable",
        message=f"The media URL could not be fetched: {cause}.",
        remediation="Make the file available at its URL.",
        retryable=True,
    )
    return SetbackError(Retry("media_unavailable", failure))
