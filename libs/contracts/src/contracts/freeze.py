"""`python -m contracts.freeze`: writes down what the messages look like now, beside what they looked like before.

`schemas/<type>.json` is the JSON Schema of each message; `golden/<type>.jsonl` holds lines that were written once and
must be readable for ever. A change that old data would not survive is refused.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from contracts.catalogue import registry
from contracts.examples import EXAMPLES, VARIANTS
from contracts.messages import Message, encode

PACKAGE = Path(__file__).resolve().parents[2]
"""Where `schemas` and `golden` lie."""

Schema = Mapping[str, Any]

_ANNOTATIONS = frozenset({"title", "description", "examples", "$defs", "default"})
_STRUCTURE = frozenset({"$ref", "anyOf", "type", "enum", "properties", "required", "items"})


class IncompatibleError(Exception):
    """What was written before could not be read any more."""


def schema_of(message: type[Message]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one message."""
    (schema,), definitions = schemas_of((message,), "#/$defs/{name}")
    return {**schema, "$defs": definitions}


def schemas_of(
    messages: Sequence[type[Message]], ref_template: str
) -> tuple[tuple[dict[str, Any], ...], dict[str, dict[str, Any]]]:
    """References to the messages' schemas, and the schemas by name. Unlike msgspec's own they tell times from text,
    and hold nothing that only OpenAPI knows.
    """
    components = msgspec.json.schema_components(messages, ref_template=ref_template)
    references, definitions = msgspec.json.decode(
        msgspec.json.encode(components), type=tuple[tuple[dict[str, Any], ...], dict[str, dict[str, Any]]]
    )
    seen: set[type] = set()
    for info in msgspec.inspect.multi_type_info(messages):
        _refine(info, {}, definitions, seen)
    return references, definitions


def _refine(
    info: msgspec.inspect.Type, schema: dict[str, Any], definitions: Mapping[str, dict[str, Any]], seen: set[type]
) -> None:
    match info:
        case msgspec.inspect.DateTimeType():
            schema["format"] = "date-time"
        case msgspec.inspect.UnionType(types=types):
            schema.pop("discriminator", None)
            text: dict[str, Any] = next((each for each in schema["anyOf"] if each.get("type") == "string"), {})
            for each in types:
                _refine(each, text, definitions, seen)
        case msgspec.inspect.VarTupleType(item_type=item):
            _refine(item, schema.get("items", {}), definitions, seen)
        case msgspec.inspect.DictType(value_type=value):
            _refine(value, schema.get("additionalProperties", {}), definitions, seen)
        case msgspec.inspect.StructType(cls=cls, fields=fields) if cls not in seen:
            seen.add(cls)
            for field in fields:
                _refine(field.type, definitions[cls.__name__]["properties"][field.encode_name], definitions, seen)


def incompatibilities(old_schema: Schema, new_schema: Schema) -> list[str]:
    """Why data written under the old schema would be lost or misread under the new one; each names its place.

    Compatible are: new properties that are not required, more alternatives, more values of an enum, and properties no
    longer required. All other changes are reported, even if some happen to be harmless.
    """
    return list(_Comparison(old_schema, new_schema).differences(old_schema, new_schema, ""))


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old.get("$defs", {})
        self._new = new.get("$defs", {})

    def differences(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        before, after = list(_alternatives(old, self._old)), list(_alternatives(new, self._new))
        alone = len(before) == len(after) == 1
        for alternative in before:
            reasons = [list(self._compare(alternative, candidate, at)) for candidate in after]
            if [] in reasons:
                continue
            of_the_same_name = (
                found
                for candidate, found in zip(after, reasons, strict=True)
                if alone or _label(candidate) == _label(alternative)
            )
            yield from next(of_the_same_name, [f"{at or '/'}: {_label(alternative)} is no longer allowed"])

    def _compare(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        if not new.keys() - _ANNOTATIONS:
            return
        if old.get("type") != new.get("type"):
            yield f"{at or '/'}: type {old.get('type', 'any')} became {new.get('type', 'any')}"
            return
        if "enum" in new:
            for value in old.get("enum", ["values of any kind"]):
                if value not in new["enum"]:
                    yield f"{at or '/'}: {value!r} is no longer allowed"
        yield from self._compare_properties(old, new, at)
        if "items" in old or "items" in new:
            yield from self._nested(old.get("items", {}), new.get("items", {}), f"{at}/*")
        for keyword in sorted((old.keys() | new.keys()) - _ANNOTATIONS - _STRUCTURE):
            before, after = old.get(keyword), new.get(keyword)
            if isinstance(before, Mapping) and isinstance(after, Mapping):
                yield from self.differences(before, after, f"{at}/*")
            elif before != after:
                yield f"{at or '/'}: {keyword} {before!r} became {after!r}"

    def _nested(self, old: Any, new: Any, at: str) -> Iterator[str]:
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from self.differences(old, new, at)
        elif old != new:
            yield f"{at}: items {old!r} became {new!r}"

    def _compare_properties(self, old: Schema, new: Schema, at: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        required = frozenset(old.get("required", ()))
        for name, schema in before.items():
            if name not in after:
                yield f"{at}/{name}: removed"
                continue
            yield from self.differences(schema, after[name], f"{at}/{name}")
            if "default" in schema and "default" in after[name] and schema["default"] != after[name]["default"]:
                yield f"{at}/{name}: default {schema['default']!r} became {after[name]['default']!r}"
        for name in sorted(frozenset(new.get("required", ())) - required):
            yield f"{at}/{name}: became required"


def _alternatives(schema: Schema, definitions: Schema) -> Iterator[Schema]:
    if "$ref" in schema:
        yield from _alternatives(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    elif "anyOf" in schema:
        for alternative in schema["anyOf"]:
            yield from _alternatives(alternative, definitions)
    else:
        yield schema


def _label(schema: Schema) -> str:
    return str(schema.get("title") or schema.get("type") or "any value")


def freeze(package: Path = PACKAGE) -> list[Path]:
    """Writes what is new and returns the files that changed. Raises IncompatibleError before writing anything."""
    schemas = {name: schema_of(message) for name, message in registry().items()}
    refuse_incompatible(package, schemas)
    changed = []
    for name, schema in schemas.items():
        path = package / "schemas" / f"{name}.json"
        if _write(path, json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"):
            changed.append(path)
    for example in (*EXAMPLES.values(), *VARIANTS):
        path = package / "golden" / f"{example.type_name}.jsonl"
        written = path.read_text("utf-8") if path.exists() else ""
        line = encode(example).decode()
        if line not in written.splitlines() and _write(path, f"{written}{line}\n"):
            changed.append(path)
    return changed


def refuse_incompatible(package: Path, schemas: Mapping[str, Schema]) -> None:
    found = []
    for path in sorted((package / "schemas").glob("*.json")):
        schema = schemas.get(path.stem)
        reasons = ["/: removed"] if schema is None else incompatibilities(json.loads(path.read_text("utf-8")), schema)
        found += [f"{path.stem} {reason}" for reason in reasons]
    if found:
        listed = "\n".join(found)
        raise IncompatibleError(f"{listed}\nLeave the message as it was, and make a new one (….v2) beside it.")


def _write(path: Path, text: str) -> bool:
    if path.exists() and path.read_text("utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return True


def main() -> None:
    try:
        changed = freeze()
    except IncompatibleError as error:
        sys.exit(str(error))
    sys.stdout.writelines(f"{path.relative_to(PACKAGE)}\n" for path in changed)


if __name__ == "__main__":
    main()
