"""Rest.li 2.0 syntax in paths and queries: brackets and commas stay raw, the values inside are encoded."""

from __future__ import annotations

import re
from urllib.parse import unquote

from sandbox.linkedin.errors import error
from sandbox.web import RefusedError, Request

_NUMBER = re.compile(r"[0-9]{1,9}")
_PERSON_OR_PAGE = re.compile(r"urn:li:(?:person|organization):[A-Za-z0-9_-]+")


def check_path(request: Request) -> None:
    """Raises RefusedError for a URN that is not percent-encoded."""
    if ":" in request.path:
        raise error(400, "Syntax exception in path variables", "ILLEGAL_ARGUMENT")


def urn_parameter(request: Request, name: str) -> str:
    """A query parameter that is one encoded URN. Raises RefusedError."""
    raw = request.raw_parameter(name)
    if raw is None or ":" in raw:
        raise bad_query()
    return unquote(raw)


def list_parameter(request: Request, name: str) -> list[str]:
    """``List(a,b)``; empty when absent. Raises RefusedError."""
    raw = request.raw_parameter(name)
    if raw is None:
        return []
    match = re.fullmatch(r"List\(([^():]*)\)", raw)
    if match is None:
        raise bad_query()
    return [unquote(item) for item in match[1].split(",") if item]


def union_parameter(request: Request, name: str) -> tuple[str, str]:
    """``(key:value)``. Raises RefusedError."""
    match = re.fullmatch(r"\((\w+):([^():,]+)\)", request.raw_parameter(name) or "")
    if match is None:
        raise bad_query()
    return match[1], unquote(match[2])


def number_parameter(request: Request, name: str, default: int) -> int:
    value = request.query.get(name, str(default))
    if not _NUMBER.fullmatch(value):
        raise bad_query()
    return int(value)


def bad_query() -> RefusedError:
    return error(400, "Invalid query parameters passed to request", "ILLEGAL_ARGUMENT")


def is_person_or_page(urn: str) -> bool:
    return _PERSON_OR_PAGE.fullmatch(urn) is not None
