"""The Graph API's manner of asking: versions, parameters, fields and pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from sandbox.meta.errors import invalid
from sandbox.web import NOT_JSON, MalformedBodyError, Part, Request, Response, Route, Router, as_json

Json = dict[str, object]

_VERSION = re.compile(r"^/v\d+\.\d+(?=/)")
_FIELD = re.compile(r"\w+")
_DEFAULT_PAGE = 25
_LARGEST_PAGE = 100


class GraphRouter(Router):
    """Paths may have a version in front and a slash behind."""

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        return super().find(method, _VERSION.sub("", path).rstrip("/") or "/")


def parameters(request: Request) -> Json:
    """From the query and the body, whatever its type. Values of JSON bodies keep theirs, others are texts."""
    found: Json = dict(request.query)
    match request.media_type:
        case "application/json":
            try:
                body = msgspec.json.decode(request.body or b"{}")
            except NOT_JSON as problem:
                raise invalid("Invalid JSON body") from problem
            found |= body if isinstance(body, dict) else {}
        case "application/x-www-form-urlencoded":
            found |= request.form
        case "multipart/form-data":
            found |= {name: part.text for name, part in _parts(request).items() if not _is_file(part)}
    return found


def attachment(request: Request) -> bytes | None:
    """The file in a multipart body, whatever its part is called."""
    if request.media_type != "multipart/form-data":
        return None
    return next((part.content for part in _parts(request).values() if _is_file(part)), None)


def _is_file(part: Part) -> bool:
    return part.filename is not None or part.content_type is not None


def _parts(request: Request) -> Mapping[str, Part]:
    try:
        return request.parts
    except MalformedBodyError as problem:
        raise invalid("Invalid multipart body") from problem


def text(given: Json, name: str) -> str | None:
    value = given.get(name)
    if value is None or isinstance(value, dict | list):
        return None
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def flag(given: Json, name: str, *, default: bool) -> bool:
    value = text(given, name)
    return default if value is None else value.lower() in ("true", "1")


def array(given: Json, name: str) -> list[object] | None:
    """A list given as JSON, as a text of JSON, as ``name[0]``… or separated by commas."""
    value = given.get(name)
    if isinstance(value, list):
        return value
    numbered = sorted(
        (int(match[1]), item) for key, item in given.items() if (match := re.fullmatch(rf"{name}\[(\d+)\]", key))
    )
    if numbered:
        return [_parsed(item) for _, item in numbered]
    if value is None or value == "":
        return None
    parsed = _parsed(value)
    if isinstance(parsed, list):
        return parsed
    return [item.strip() for item in str(value).split(",")]


def _parsed(value: object) -> object:
    try:
        return msgspec.json.decode(value) if isinstance(value, str) else value
    except NOT_JSON:
        return value


def record(given: Json, name: str) -> Json | None:
    """An object given as JSON or as a text of JSON."""
    value = _parsed(given.get(name))
    return value if isinstance(value, dict) else None


def fields_of(wanted: str | None) -> list[tuple[str, str | None]]:
    """The fields asked for, each with what it asks of its own: ``a,b{c}`` is ``[("a", None), ("b", "c")]``."""
    found: list[tuple[str, str | None]] = []
    depth, start = 0, 0
    whole = (wanted or "") + ","
    for position, character in enumerate(whole):
        depth += (character in "{(") - (character in "})")
        if character == "," and depth == 0:
            item = whole[start:position].strip()
            start = position + 1
            name = _FIELD.match(item)
            if name is not None:
                inner = re.search(r"\{(.*)\}", item)
                found.append((name[0], inner[1] if inner else None))
    return found


Reading = Mapping[str, Callable[[str | None], object]]
"""How each field of a node is read; the argument is what the field asks of its own."""


def select(node_id: str, wanted: str | None, default: str, reading: Reading, kind: str) -> Json:
    """The fields asked for; ``id`` always. Fields without a value are left out. Raises RefusedError (100)."""
    answer: Json = {}
    for name, inner in fields_of(wanted or default):
        if name == "id":
            continue
        if name not in reading:
            raise invalid(f"Tried accessing nonexisting field ({name}) on node type ({kind})")
        value = reading[name](inner)
        if value is not None:
            answer[name] = value
    answer["id"] = node_id
    return answer


def paged(request: Request, items: Sequence[Json], default: int = _DEFAULT_PAGE) -> Response:
    """One page. The cursor is a position."""
    given = request.query
    limit = int(given["limit"]) if given.get("limit", "").isdecimal() else default
    if limit > _LARGEST_PAGE:
        raise invalid(f"Please reduce the amount of data you're asking for: limit is at most {_LARGEST_PAGE}")
    start = int(given["after"]) if given.get("after", "").isdecimal() else 0
    shown = items[start : start + limit]
    answer: Json = {"data": list(shown)}
    if shown:
        end = start + len(shown)
        paging: Json = {"cursors": {"before": str(start), "after": str(end)}}
        if end < len(items):
            rest = {name: value for name, value in given.items() if name != "access_token"}
            query = "&".join(f"{name}={value}" for name, value in {**rest, "after": str(end)}.items())
            paging["next"] = f"{request.base_url}{request.path}?{query}"
        answer["paging"] = paging
    return as_json(200, answer)


def since_until(request: Request) -> tuple[float, float]:
    """The span asked for in seconds since the Unix epoch."""

    def moment(name: str, default: float) -> float:
        value = request.query.get(name)
        if value is None:
            return default
        try:
            return float(value)
        except ValueError:
            return datetime.fromisoformat(value).timestamp()

    try:
        return moment("since", 0.0), moment("until", float("inf"))
    except ValueError as problem:
        raise invalid("since and until are Unix timestamps or dates") from problem


def graph_time(timestamp: float) -> str:
    """``2019-05-17T16:24:04+0000``"""
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%dT%H:%M:%S}+0000"
