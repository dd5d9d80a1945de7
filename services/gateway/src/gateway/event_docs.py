"""The public events as a page: what they are and hold, with an example of each; made from the AsyncAPI document."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from typing import Any

from contracts import asyncapi

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1a1a1a }
code, pre { font: 14px/1.45 ui-monospace, monospace; background: #f4f4f5 }
pre { padding: 1rem; overflow-x: auto; border-radius: 6px }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #e4e4e7; vertical-align: top }
h2 { margin-top: 3rem }
"""


@cache
def page() -> bytes:
    document = asyncapi.document()
    public = [name for name in document["channels"] if name.startswith(asyncapi.PUBLIC)]
    public = [name for name in public if document["channels"][name]["messages"]]
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{escape(document['info']['title'])}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(document['info']['title'])}</h1>",
        f"<p>{_prose(document['info']['description'])}</p>",
        "<p>The same events come as webhooks: there <code>data</code> is what a message holds here. The whole bus, as ",
        "<a href='/asyncapi.json'>AsyncAPI 3</a>; the HTTP interface, as <a href='/docs'>OpenAPI</a>.</p><ul>",
        *(f"<li><a href='#{name}'>{name}</a></li>" for name in public),
        "</ul>",
    ]
    for name in public:
        parts += _channel(document, name)
    return "".join([*parts, "</body></html>"]).encode()


def _channel(document: Mapping[str, Any], name: str) -> Iterator[str]:
    channel = document["channels"][name]
    kafka = channel["bindings"]["kafka"]
    yield f"<h2 id='{name}'>{name}</h2><p>{_prose(channel['description'])}. "
    yield f"Kafka topic <code>{name}</code>, {kafka['partitions']} partitions"
    kept = kafka["topicConfiguration"].get("retention.ms", -1)
    if kept > 0:
        yield f", kept for {kept // 86_400_000} days"
    yield ".</p>"
    for reference in channel["messages"]:
        message = document["components"]["messages"][reference]
        yield f"<p>{_prose(message.get('description', ''))} "
        yield f"Key: <code>{escape(message['bindings']['kafka']['key']['description'])}</code>.</p>"
        payload = _resolved(document, message["payload"])
        yield _fields(document, payload)
        for title, schema in _parts(document, payload).items():
            yield f"<h3>{escape(title)}</h3>{_fields(document, schema)}"
        (example,) = message["examples"]
        yield f"<h3>Headers</h3><pre>{_shown(example['headers'])}</pre>"
        yield f"<h3>Data</h3><pre>{_shown(example['payload'])}</pre>"


def _fields(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(_kind(document, field))}</td>"
        f"<td>{'always' if name in required else 'may be missing'}</td></tr>"
        for name, field in schema["properties"].items()
    )
    return f"<table><tr><th>field</th><th>type</th><th>present</th></tr>{rows}</table>"


def _parts(document: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The objects within, by title, from the outside in."""
    found: dict[str, Mapping[str, Any]] = {}
    waiting: list[Any] = [schema["properties"]]
    while waiting:
        match waiting.pop(0):
            case {"$ref": str()} as reference:
                part = _resolved(document, reference)
                if "properties" in part and part["title"] not in found:
                    found[part["title"]] = part
                    waiting.append(part["properties"])
            case dict() as inner:
                waiting += inner.values()
            case list() as inner:
                waiting += inner
    return found


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _kind(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(_resolved(document, schema).get("title", "object"))
    if "anyOf" in schema:
        return " or ".join(_kind(document, each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(document, schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any")


def _shown(value: object) -> str:
    return escape(json.dumps(value, indent=2, ensure_ascii=False))


def _prose(text: str) -> str:
    """With what is between backticks as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))
