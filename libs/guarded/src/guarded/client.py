"""Calling a URL that a user gave.

Every address of its name is checked, the connection is made to an address that was checked, without a second look-up,
and TLS and `Host` keep the name. No redirects are followed, no proxies asked, no cookies kept, nothing decompressed.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType
from msgspec import Struct
from yarl import URL

from chassis import tracing
from guarded import addresses
from guarded.resolving import Resolve, Resolver
from guarded.urls import PUBLIC_HTTPS, ForbiddenUrlError, Rules, Target, check

CONNECT_SECONDS = 10.0
"""For the look-up, TCP and TLS together."""
BODY_SECONDS = 3.0
"""For which the body of an answer is waited for whose status is known."""
DRAINED_BYTES = 16_384
"""Of a body are read so that the connection can be used again; one with a longer body is closed."""
IDLE_SECONDS = 15.0
_CHUNK = 65_536

Cause = Literal["unknown_name", "not_public", "unreachable", "tls", "timeout", "broken", "not_http"]


class CallFailedError(Exception):
    """There is no answer. `cause` is for programs, the words are for the URL's owner."""

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause = cause


class TooLargeError(Exception):
    """The body is larger than allowed."""


class Answer(Struct, frozen=True, kw_only=True):
    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    """Its beginning."""


class Download(Struct, frozen=True, kw_only=True):
    """An answer whose body is still to be read."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]
    """Raises TooLargeError and CallFailedError."""


class GuardedClient:
    """Bound to the running event loop. Connections are kept for a while, each to an address that was checked."""

    def __init__(
        self,
        rules: Rules = PUBLIC_HTTPS,
        *,
        user_agent: str,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._rules = rules
        self._own_resolver = Resolver() if resolve is None else None
        self._checked = _Checked(resolve or self._own_resolver or Resolver(), rules)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=self._checked,
                use_dns_cache=False,
                ssl=tls or ssl.create_default_context(),
                limit=0,
                keepalive_timeout=IDLE_SECONDS,
                socket_factory=lambda info: _socket(info, rules),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers={"User-Agent": user_agent, "Accept-Encoding": "identity"},
        )

    async def close(self) -> None:
        await self._session.close()
        if self._own_resolver is not None:
            self._own_resolver.close()

    async def examine(self, url: str) -> None:
        """Raises ForbiddenUrlError when it could not be called now. A name that is not known may come to be."""
        target = check(url, self._rules)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._checked.resolve(target.host, target.port)
        except _ForbiddenAddressError as error:
            raise ForbiddenUrlError("The name leads to an address that is not on the public internet.") from error
        except (OSError, TimeoutError):
            return

    async def post(
        self,
        url: str,
        *,
        body: bytes,
        headers: Mapping[str, str],
        seconds: float,
        max_bytes: int,
        repeatable: bool = False,
    ) -> Answer:
        """The answer, with at most `max_bytes` of its body, within `seconds`.

        With `repeatable` it is sent once more when a kept connection turns out to have been closed meanwhile.
        Raises ForbiddenUrlError and CallFailedError.
        """
        target = check(url, self._rules)
        with _calling("POST", target) as span:
            try:
                async with asyncio.timeout(seconds):
                    answer = await self._post_twice(target, body, headers, max_bytes, repeatable=repeatable)
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                raise _failure(error) from error
            _note_status(span, answer.status)
            return answer

    async def _post_twice(
        self, target: Target, body: bytes, headers: Mapping[str, str], max_bytes: int, *, repeatable: bool
    ) -> Answer:
        try:
            return await self._post(target, body, headers, max_bytes)
        except (aiohttp.ServerDisconnectedError, ConnectionResetError):
            if not repeatable:
                raise
        return await self._post(target, body, headers, max_bytes)

    async def _post(self, target: Target, body: bytes, headers: Mapping[str, str], max_bytes: int) -> Answer:
        response = await self._send("POST", target, data=body, headers=headers)
        try:
            beginning = await _beginning(response, max(max_bytes, DRAINED_BYTES))
            return Answer(status=response.status, headers=_headers(response), body=beginning[:max_bytes])
        finally:
            # Where the body has not come to its end this closes the connection.
            response.close() if not response.content.at_eof() else response.release()

    @asynccontextmanager
    async def get(
        self, url: str, *, seconds: float, max_bytes: int, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[Download]:
        """The answer, its body bit by bit: no more than `max_bytes` of it, and all within `seconds`.

        Raises ForbiddenUrlError and CallFailedError.
        """
        target = check(url, self._rules)
        deadline = asyncio.get_running_loop().time() + seconds
        with _calling("GET", target) as span:
            try:
                async with asyncio.timeout_at(deadline):
                    response = await self._send("GET", target, headers=headers or {})
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                raise _failure(error) from error
            _note_status(span, response.status)
        try:
            yield Download(
                status=response.status,
                headers=_headers(response),
                chunks=_chunks(response, deadline, max_bytes),
            )
        finally:
            response.close()

    async def _send(self, method: str, target: Target, **options: Any) -> aiohttp.ClientResponse:
        return await self._session.request(
            method,
            URL(target.url, encoded=True),
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS),
            **options,
        )


@contextmanager
def _calling(method: str, target: Target) -> Iterator[tracing.Span]:
    """Of the address only what names the receiver: the rest of a user's URL may be a secret."""
    attributes: dict[str, str | int] = {
        "http.request.method": method,
        "server.address": target.host,
        "server.port": target.port,
    }
    span = tracing.start(method, "client", parent=tracing.current(), attributes=attributes)
    try:
        yield span
    except CallFailedError as error:
        span.fail(error.cause)
        raise
    finally:
        span.end()


def _note_status(span: tracing.Span, status: int) -> None:
    span.set("http.response.status_code", status)
    if status >= 400:
        span.fail(str(status))


class _ForbiddenAddressError(OSError):
    pass


class _Checked(AbstractResolver):
    """All addresses of a name, when every one of them may be called."""

    def __init__(self, resolve: Resolve, rules: Rules) -> None:
        self._resolve = resolve
        self._rules = rules

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolve(host, port)
        if not found:
            raise OSError(f"{host} has no address")
        results = []
        for text in found:
            address = addresses.read(text)
            if not self._rules.allow_private and not addresses.is_public(address):
                raise _ForbiddenAddressError("not on the public internet")
            version = socket.AF_INET if address.version == 4 else socket.AF_INET6
            if family in (socket.AF_UNSPEC, version):
                results.append(
                    ResolveResult(
                        hostname=host,
                        host=str(address),
                        port=port,
                        family=version,
                        proto=0,
                        flags=socket.AI_NUMERICHOST,
                    )
                )
        return results

    async def close(self) -> None:
        pass


def _socket(info: AddrInfoType, rules: Rules) -> socket.socket:
    """The last look: nothing is dialled but what is checked here, however its address was come by."""
    family, kind, protocol, _, where = info
    if not rules.allow_private and not addresses.is_public(addresses.read(str(where[0]))):
        raise _ForbiddenAddressError("not on the public internet")
    return socket.socket(family, kind, protocol)


async def _beginning(response: aiohttp.ClientResponse, size: int) -> bytes:
    """What comes of the body within its time; the status says already how it went."""
    beginning = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while len(beginning) < size and (chunk := await response.content.read(size - len(beginning))):
                beginning += chunk
    except (aiohttp.ClientError, OSError, TimeoutError):
        response.close()
    return bytes(beginning)


async def _chunks(response: aiohttp.ClientResponse, deadline: float, max_bytes: int) -> AsyncIterator[bytes]:
    left = max_bytes
    if (response.content_length or 0) > max_bytes:
        raise TooLargeError
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                chunk = await response.content.read(_CHUNK)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _failure(error) from error
        if not chunk:
            return
        left -= len(chunk)
        if left < 0:
            raise TooLargeError
        yield chunk


def _headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _failure(error: Exception) -> CallFailedError:
    """Its words say nothing about our own network."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _ForbiddenAddressError):
            return CallFailedError("not_public", "The name leads to an address that is not on the public internet.")
        cause = getattr(cause, "os_error", None) or cause.__cause__
    match error:
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            return CallFailedError("unknown_name", "The host name is not known.")
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return CallFailedError("tls", "TLS could not be agreed on: is the certificate valid for this name?")
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() if not isinstance(
            error, aiohttp.ClientConnectorError
        ):
            return CallFailedError("broken", "The connection was closed before there was an answer.")
        case TimeoutError():
            return CallFailedError("timeout", "There was no answer in time.")
        case aiohttp.ClientConnectorError():
            return CallFailedError("unreachable", "No connection could be made.")
        case OSError():
            return CallFailedError("broken", "The connection broke before there was an answer.")
        case _:
            return CallFailedError("not_http", "What came back is not an HTTP answer.")
