"""Requests, responses and routes: the little of HTTP that a simulated platform needs.

Handlers are plain functions on complete requests. Since nothing in them waits, each request is handled
atomically, and a fault can run the same handler later or throw its answer away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import parse_qsl, unquote

import msgspec

# What decoding strangers' JSON raises; broken UTF-8 inside a string is not a DecodeError.
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError)


class MalformedBodyError(ValueError):
    """The body is not what its content type says."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart form."""

    content_type: str | None
    content: bytes
    filename: str | None = None

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


@dataclass(eq=False)
class Request:
    """A complete request.

    Attributes:
        path: still percent-encoded, without the platform's prefix.
        headers: by lower-case name.
        base_url: how this client reaches the platform, e.g. ``http://127.0.0.1:8090/x``.
        path_parameters: decoded.
    """

    method: str
    path: str
    raw_query: str
    headers: Mapping[str, str]
    body: bytes
    base_url: str
    path_parameters: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.raw_query, keep_blank_values=True))

    def raw_parameter(self, name: str) -> str | None:
        """A query parameter before percent-decoding, for syntax that nests encoded values."""
        for pair in self.raw_query.split("&"):
            key, _, value = pair.partition("=")
            if key == name:
                return value
        return None

    @cached_property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @cached_property
    def parts(self) -> dict[str, Part]:
        """The parts of a multipart form by name. Raises MalformedBodyError."""
        boundary = re.search(r'boundary="?([^";,]+)"?', self.headers.get("content-type", ""))
        if boundary is None:
            raise MalformedBodyError("the content type has no boundary")
        return multipart(self.body, boundary[1].encode("latin-1"))

    @property
    def bearer(self) -> str | None:
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        return value.strip() or None if scheme.lower() == "bearer" else None


def multipart(body: bytes, boundary: bytes) -> dict[str, Part]:
    """Split a form by its boundary (RFC 7578). Raises MalformedBodyError."""
    delimiter = b"\r\n--" + boundary
    preamble, *sections = (b"\r\n" + body).split(delimiter)
    if preamble.strip() or not sections or not sections.pop().startswith(b"--"):
        raise MalformedBodyError("the form does not begin and end with its boundary")
    parts: dict[str, Part] = {}
    for section in sections:
        head, separator, content = section.partition(b"\r\n\r\n")
        name = re.search(rb'[;\s]name="([^"]*)"', head)
        if not separator or name is None:
            raise MalformedBodyError("a part has no name")
        content_type = re.search(rb"(?i)\r\ncontent-type: *([^\r]+)", head)
        filename = re.search(rb'[;\s]filename="([^"]*)"', head)
        parts[name[1].decode("utf-8", "replace")] = Part(
            content_type[1].decode("latin-1") if content_type else None,
            content,
            filename[1].decode("utf-8", "replace") if filename else None,
        )
    return parts


@dataclass(slots=True)
class Response:
    status: int
    body: bytes = b""
    content_type: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """Ends a handler with a response."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


_encoder = msgspec.json.Encoder()


def as_json(
    status: int,
    content: object,
    headers: dict[str, str] | None = None,
    content_type: str = "application/json; charset=utf-8",
) -> Response:
    return Response(status, _encoder.encode(content), content_type, headers if headers is not None else {})


def as_html(status: int, page: str) -> Response:
    return Response(status, page.encode(), "text/html; charset=utf-8")


Handler = Callable[[Request], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One call of a platform. ``path`` names its variable segments: ``/2/tweets/{id}``.

    Attributes:
        call: the name that faults and the journal use.
    """

    method: str
    path: str
    call: str
    handler: Handler


class Router:
    """Finds routes by method and path. Fixed paths win over variable ones."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._fixed: dict[tuple[str, str], Route] = {}
        self._variable: list[tuple[str, re.Pattern[str], Route]] = []
        self.calls: set[str] = set()
        for route in routes:
            self.calls.add(route.call)
            if "{" in route.path:
                pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(route.path))
                self._variable.append((route.method, re.compile(pattern), route))
            else:
                self._fixed[route.method, route.path] = route

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route and its decoded path parameters."""
        route = self._fixed.get((method, path))
        if route is not None:
            return route, {}
        for variable_method, pattern, variable in self._variable:
            if variable_method == method and (match := pattern.fullmatch(path)):
                return variable, {name: unquote(value) for name, value in match.groupdict().items()}
        return None
