"""`python -m contracts.asyncapi` writes docs/asyncapi.json: the map of the bus as an AsyncAPI 3.0.0 document.

The public topics come first; that this system sends to them is its public promise. The internal ones are described for
those who run it and work on it, and may change.
"""

import json
from collections.abc import Callable
from typing import Any

import msgspec

from contracts.catalogue import registry
from contracts.examples import EXAMPLES, envelope
from contracts.freeze import PACKAGE, schemas_of
from contracts.messages import Message, encode
from contracts.topics import TopicSpec, all_topics

PATH = PACKAGE.parents[1] / "docs" / "asyncapi.json"

PUBLIC = "social."
_BINDING = "0.5.0"
_LISTED_CONFIG: dict[str, Callable[[str], Any]] = {
    "cleanup.policy": lambda policies: policies.split(","),
    "retention.ms": int,
    "retention.bytes": int,
}
"""What Kafka's AsyncAPI binding knows of a topic's configuration."""

_TEXT = {"type": "string"}
_INSTANT = {"type": "string", "format": "date-time"}
_HEADERS: dict[str, Any] = {
    "type": "object",
    "description": "CloudEvents 1.0 in Kafka's binary content mode, with W3C trace context.",
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_type": {**_TEXT, "description": "The message's name."},
        "ce_id": {**_TEXT, "description": "A message that comes twice has one id."},
        "ce_source": {**_TEXT, "description": "The service that sent it."},
        "ce_subject": {**_TEXT, "description": "The id of the post or account it is about."},
        "ce_time": _INSTANT,
        "ce_sequence": {**_TEXT, "pattern": "^[0-9]{20}$", "description": "Version of the post or account."},
        "ce_previousid": {**_TEXT, "description": "The event on which this one was decided."},
        "ce_commandid": {**_TEXT, "description": "The command that led to it."},
        "ce_tenantid": _TEXT,
        "ce_replypartition": {**_TEXT, "pattern": "^[0-9]+$", "description": "Where the sender awaits the verdict."},
        "ce_deadline": {**_INSTANT, "description": "A command appended later than this is void."},
        "content-type": {"const": "application/json"},
        "traceparent": _TEXT,
    },
    "required": [
        "ce_specversion",
        "ce_type",
        "ce_id",
        "ce_source",
        "ce_subject",
        "ce_time",
        "content-type",
    ],
}


def document() -> dict[str, Any]:
    """The same for the same messages and topics."""
    topics = sorted(all_topics(), key=lambda topic: not topic.name.startswith(PUBLIC))
    messages = registry()
    names = list(dict.fromkeys(message.type_name for topic in topics for message in topic.messages))
    references, schemas = schemas_of([messages[name] for name in names], "#/components/schemas/{name}")
    keys = {message.type_name: topic.key for topic in reversed(topics) for message in topic.messages}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Social Publishing API: events",
            "version": "1.0.0",
            "description": (
                "Topics named `social.*` are the interface for downstream systems: they change compatibly only, each "
                "message is delivered at least once, and those with one key stay in order. All other topics are "
                "internal."
            ),
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in topics},
        "operations": {
            f"send {topic.name}": {
                "action": "send",
                "title": topic.description,
                "channel": {"$ref": f"#/channels/{topic.name}"},
                "messages": [{"$ref": f"#/channels/{topic.name}/messages/{m.type_name}"} for m in topic.messages],
            }
            for topic in topics
            if topic.name.startswith(PUBLIC)
        },
        "components": {
            "messages": {
                name: _message(messages[name], reference, keys[name])
                for name, reference in zip(names, references, strict=True)
            },
            "schemas": {"CloudEventsHeaders": _HEADERS, **schemas},
        },
    }


def _channel(topic: TopicSpec) -> dict[str, Any]:
    public = topic.name.startswith(PUBLIC)
    return {
        "address": topic.name,
        "description": topic.description,
        "tags": [{"name": "public" if public else "internal"}],
        "messages": {m.type_name: {"$ref": f"#/components/messages/{m.type_name}"} for m in topic.messages},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {
                    name: read(topic.config[name]) for name, read in _LISTED_CONFIG.items() if name in topic.config
                },
                "bindingVersion": _BINDING,
            }
        },
    }


def _message(message: type[Message], reference: dict[str, Any], key: str) -> dict[str, Any]:
    name = message.type_name
    example = EXAMPLES[name]
    return {
        "name": name,
        "title": message.__name__,
        **({"description": message.__doc__} if message.__doc__ else {}),
        "contentType": "application/json",
        "headers": {
            "allOf": [
                {"$ref": "#/components/schemas/CloudEventsHeaders"},
                {"type": "object", "properties": {"ce_type": {"const": name}}},
            ]
        },
        "payload": reference,
        "bindings": {"kafka": {"key": {"type": "string", "description": key}, "bindingVersion": _BINDING}},
        "examples": [
            {
                "headers": {header: value.decode() for header, value in envelope(example).headers(name)},
                "payload": msgspec.json.decode(encode(example)),
            }
        ],
    }


def rendered() -> str:
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    PATH.write_text(rendered(), "utf-8")


if __name__ == "__main__":
    main()
