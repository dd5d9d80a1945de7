"""What spans and lines of the log say about a message.

Names of OpenTelemetry's semantic conventions for messaging and Kafka, schema 1.44. They are not declared stable there,
so all of them are in this file.
"""

from collections.abc import Iterable

from msgspec import Struct

from chassis import tracing
from contracts.messages import Message
from contracts.wire import Envelope

_LONGEST = 128
_HEADERS = {"ce_tenantid": "tenant_id", "ce_id": "message_id"}
_KINDS = {"post": "post_id", "thread": "post_id", "acc": "account_id", "media": "media_id", "ep": "endpoint_id"}
_ABOUT = ("tenant_id", "post_id", "target_id", "account_id", "media_id", "endpoint_id", "platform", "attempt")


def about(envelope: Envelope, message: Message) -> dict[str, str | int]:
    """What a message is about, as `chassis.tracing.note` takes it."""
    found: dict[str, str | int] = {} if envelope.tenant_id is None else {"tenant_id": envelope.tenant_id}
    return found | about_message(message)


def about_message(message: Struct) -> dict[str, str | int]:
    """As far as the message says it itself, or what one of our services asks another for."""
    return {name: value for name in _ABOUT if (value := getattr(message, name, None)) is not None}


def about_subject(subject: str) -> dict[str, str]:
    """The same, from the id of an aggregate alone."""
    kind = _KINDS.get(subject.partition("_")[0])
    return {} if kind is None else {kind: subject}


def named_in(headers: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """The same for a message that cannot be read: what its headers say, if they say it."""
    texts = {name: value[:_LONGEST].decode(errors="replace") for name, value in headers if value}
    found = {name: texts[header] for header, name in _HEADERS.items() if header in texts}
    found |= about_subject(texts.get("ce_subject", ""))
    if tracing.is_valid(traceparent := texts.get("traceparent", "")):
        found["trace_id"] = tracing.trace_id(traceparent)
    return found


def sending(topic: str, *, message_id: str | None = None, count: int | None = None) -> dict[str, str | int]:
    """Of a span that appends a message to a topic, or `count` of them at once."""
    attributes = _of("send", topic)
    if message_id is not None:
        attributes["messaging.message.id"] = message_id
    if count is not None:
        attributes["messaging.batch.message_count"] = count
    return attributes


def processing(
    topic: str,
    *,
    group: str,
    partition: int,
    offset: int | None = None,
    message_id: str | None = None,
    count: int | None = None,
) -> dict[str, str | int]:
    """Of a span that does what a message asks for, or `count` of them at once."""
    given: dict[str, str | int | None] = {
        "messaging.consumer.group.name": group,
        "messaging.destination.partition.id": str(partition),
        "messaging.kafka.offset": offset,
        "messaging.message.id": message_id,
        "messaging.batch.message_count": count,
    }
    return {**_of("process", topic), **{name: value for name, value in given.items() if value is not None}}


def _of(operation: str, topic: str) -> dict[str, str | int]:
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": topic,
    }
