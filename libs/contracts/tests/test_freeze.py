import json
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, cast

import msgspec
import pytest
from msgspec import NODEFAULT, UNSET, Raw, Struct, field

from contracts.catalogue import registry
from contracts.examples import EXAMPLES, VARIANTS
from contracts.freeze import (
    PACKAGE,
    IncompatibleError,
    freeze,
    incompatibilities,
    refuse_incompatible,
    schema_of,
)
from contracts.messages import Event, Message, decode, encode

FROZEN = {path.stem: json.loads(path.read_text("utf-8")) for path in (PACKAGE / "schemas").glob("*.json")}
GOLDEN = [
    (path.stem, line)
    for path in sorted((PACKAGE / "golden").glob("*.jsonl"))
    for line in path.read_text("utf-8").splitlines()
]


def test_nothing_frozen_would_be_lost() -> None:
    refuse_incompatible(PACKAGE, {name: schema_of(message) for name, message in registry().items()})


def test_what_is_frozen_is_what_there_is() -> None:
    """Run `python -m contracts.freeze` after every change of a message."""
    assert {name: schema_of(message) for name, message in registry().items()} == FROZEN


def test_every_message_and_variant_is_in_the_golden_corpus() -> None:
    lines = set(GOLDEN)
    assert {(each.type_name, encode(each).decode()) for each in (*EXAMPLES.values(), *VARIANTS)} <= lines


@pytest.mark.parametrize(("name", "line"), GOLDEN, ids=[name for name, _ in GOLDEN])
def test_every_line_ever_written_is_read_with_all_its_fields(name: str, line: str) -> None:
    again = msgspec.json.decode(encode(decode(name, line.encode())))
    assert lost(msgspec.json.decode(line), again) == []


def lost(written: Any, again: Any, at: str = "") -> list[str]:
    if isinstance(written, dict) and isinstance(again, dict):
        return [each for key, value in written.items() for each in lost(value, again.get(key, UNSET), f"{at}/{key}")]
    if isinstance(written, list) and isinstance(again, list) and len(written) == len(again):
        return [each for i, pair in enumerate(zip(written, again, strict=True)) for each in lost(*pair, at=f"{at}/{i}")]
    return [] if written == again else [f"{at}: {written!r} became {again!r}"]


def test_a_lost_field_would_be_noticed() -> None:
    assert lost({"a": [{"b": 1, "c": 2}]}, {"a": [{"b": 1}], "d": 3}) == ["/a/0/c: 2 became UNSET"]


@pytest.mark.parametrize(("name", "line"), GOLDEN, ids=[name for name, _ in GOLDEN])
def test_what_a_newer_version_adds_is_passed_over(name: str, line: str) -> None:
    message = decode(name, line.encode())
    assert encode(decode(name, encode(of_a_newer_version(message)))) == encode(message)


def of_a_newer_version(value: Any) -> Any:
    match value:
        case Raw():
            return value
        case Struct():
            config = value.__struct_config__
            fields = {name: getattr(value, name) for name in value.__struct_fields__}
            tag = {} if config.tag is None else {config.tag_field: config.tag}
            known = {name: of_a_newer_version(each) for name, each in fields.items() if each is not UNSET}
            return {"added_later": {"a": [1]}, **tag, **known}
        case dict():
            return {name: of_a_newer_version(each) for name, each in value.items()}
        case tuple() | list():
            return [of_a_newer_version(each) for each in value]
        case _:
            return value


# --- the check itself ---------------------------------------------------------------------------------


class Inner(Struct, tag="inner"):
    size: int


class Other(Struct, tag="other"):
    name: str


class Before(Event, frozen=True, kw_only=True):
    at: datetime
    name: str
    number: int
    kind: Literal["a", "b"]
    note: str | None
    items: tuple[Inner, ...]
    places: dict[str, Inner]
    what: Inner | Other
    free: dict[str, Any]
    count: int = 0


def changed(**fields: Any) -> dict[str, Any]:
    """The schema of Before with other fields; None leaves one out."""
    old = {name: (type_, 0 if name == "count" else NODEFAULT) for name, type_ in Before.__annotations__.items()}
    new = {
        **old,
        **{name: each if isinstance(each, tuple) else (each, NODEFAULT) for name, each in fields.items()},
    }
    cls = msgspec.defstruct(
        "Before",
        [(name, type_, field(default=default)) for name, (type_, default) in new.items() if type_ is not None],
        kw_only=True,
        frozen=True,
        bases=(Event,),
    )
    return schema_of(cast(type[Message], cls))


class SmallerInner(Struct, tag="inner"):
    pass


class OtherInner(Struct, tag="inner"):
    size: str


class RenamedTag(Struct, tag="renamed"):
    size: int


class LargerInner(Struct, tag="inner"):
    size: int
    unit: str = "mm"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": None}, "/name: removed"),
        ({"name": None, "title": (str, "")}, "/name: removed"),
        ({"name": int}, "/name: type string became integer"),
        ({"name": datetime}, "/name: format None became 'date-time'"),
        ({"at": str}, "/at: format 'date-time' became None"),
        ({"kind": Literal["a", "c"]}, "/kind: 'b' is no longer allowed"),
        ({"name": Literal["a"]}, "/name: type string became any"),
        ({"note": str}, "/note: null is no longer allowed"),
        ({"added": str}, "/added: became required"),
        ({"count": int}, "/count: became required"),
        ({"count": (int, 1)}, "/count: default 0 became 1"),
        ({"items": tuple[SmallerInner, ...]}, "/items/*/size: removed"),
        ({"items": Inner}, "/items: type array became object"),
        ({"places": dict[str, OtherInner]}, "/places/*/size: type integer became string"),
        ({"what": Inner}, "/what: Other is no longer allowed"),
        ({"what": RenamedTag | Other}, "/what: Inner is no longer allowed"),
        ({"free": dict[str, str]}, "/free: additionalProperties None became {'type': 'string'}"),
    ],
)
def test_an_incompatible_change_is_named(fields: dict[str, Any], reason: str) -> None:
    assert incompatibilities(schema_of(Before), changed(**fields)) == [reason]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"added": (str | None, None)},
        {"kind": Literal["a", "b", "c"]},
        {"name": str | None},
        {"name": (str, "")},
        {"number": int | float},
        {"items": tuple[LargerInner, ...]},
        {"what": Inner | Other | RenamedTag},
        {"note": Any},
    ],
)
def test_a_compatible_change_passes(fields: dict[str, Any]) -> None:
    assert incompatibilities(schema_of(Before), changed(**fields)) == []


def test_an_incompatible_change_writes_nothing_and_tells_the_way_out(tmp_path: Path) -> None:
    freeze(tmp_path)
    path = tmp_path / "schemas" / "post.cancelled.v1.json"
    schema = json.loads(path.read_text("utf-8"))
    schema["$defs"]["PostCancelled"]["properties"]["mood"] = {"type": "string"}
    path.write_text(json.dumps(schema), "utf-8")
    before = contents(tmp_path)
    with pytest.raises(IncompatibleError, match=r"post\.cancelled\.v1 /mood: removed\n.*\.v2"):
        freeze(tmp_path)
    assert contents(tmp_path) == before


def test_a_message_cannot_vanish(tmp_path: Path) -> None:
    freeze(tmp_path)
    (tmp_path / "schemas" / "post.praised.v1.json").write_text("{}", "utf-8")
    with pytest.raises(IncompatibleError, match=r"post\.praised\.v1 /: removed"):
        freeze(tmp_path)


def test_golden_lines_are_added_and_never_taken_away(tmp_path: Path) -> None:
    freeze(tmp_path)
    path = tmp_path / "golden" / "post.cancelled.v1.jsonl"
    old = '{"actor":"someone","at":"2025-01-01T00:00:00Z"}\n'
    path.write_text(old, "utf-8")
    assert freeze(tmp_path) == [path]
    assert path.read_text("utf-8") == old + encode(EXAMPLES["post.cancelled.v1"]).decode() + "\n"
    assert freeze(tmp_path) == []


def contents(folder: Path) -> dict[Path, str]:
    return {path: path.read_text("utf-8") for path in folder.rglob("*.*")}
