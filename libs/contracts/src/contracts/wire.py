"""The wire form: CloudEvents 1.0 in Kafka's binary content mode, with W3C trace context.

Attributes travel as `ce_*` headers, the data as JSON. Extensions of ours: `ce_sequence` (the aggregate's version),
`ce_previousid` (the event this one was decided on), `ce_commandid`, `ce_tenantid`, `ce_replypartition`, `ce_deadline`.
"""

from datetime import UTC, datetime
from typing import Self

from msgspec import Struct

from contracts.messages import Message, UndecodableError, decode, encode

Headers = tuple[tuple[str, bytes], ...]


class Envelope(Struct, frozen=True, kw_only=True):
    """The CloudEvents attributes of a message, and how it travels."""

    id: str
    source: str
    subject: str
    """The aggregate's id."""
    time: datetime
    sequence: int | None = None
    previous_id: str | None = None
    command_id: str | None = None
    tenant_id: str | None = None
    reply_partition: int | None = None
    deadline: datetime | None = None
    """A command appended to its topic after this instant must not be obeyed: its sender has given up."""
    traceparent: str | None = None

    def headers(self, type_name: str) -> Headers:
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_type", type_name.encode()),
            ("ce_id", self.id.encode()),
            ("ce_source", self.source.encode()),
            ("ce_subject", self.subject.encode()),
            ("ce_time", _instant(self.time)),
            ("content-type", b"application/json"),
        ]
        if self.sequence is not None:
            headers.append(("ce_sequence", b"%020d" % self.sequence))
        for name, text in (
            ("ce_previousid", self.previous_id),
            ("ce_commandid", self.command_id),
            ("ce_tenantid", self.tenant_id),
            ("traceparent", self.traceparent),
        ):
            if text is not None:
                headers.append((name, text.encode()))
        if self.reply_partition is not None:
            headers.append(("ce_replypartition", b"%d" % self.reply_partition))
        if self.deadline is not None:
            headers.append(("ce_deadline", _instant(self.deadline)))
        return tuple(headers)

    @classmethod
    def read(cls, headers: dict[str, bytes]) -> Self:
        """Raises UndecodableError when an attribute is missing or malformed."""

        def text(name: str) -> str | None:
            raw = headers.get(name)
            return None if raw is None else raw.decode()

        def number(name: str) -> int | None:
            raw = headers.get(name)
            return None if raw is None else int(raw)

        def instant(raw: str) -> datetime:
            at = datetime.fromisoformat(raw)
            if at.tzinfo is None:
                raise ValueError(f"{raw} has no offset")
            return at

        try:
            deadline = text("ce_deadline")
            return cls(
                id=headers["ce_id"].decode(),
                source=headers["ce_source"].decode(),
                subject=headers["ce_subject"].decode(),
                time=instant(headers["ce_time"].decode()),
                sequence=number("ce_sequence"),
                previous_id=text("ce_previousid"),
                command_id=text("ce_commandid"),
                tenant_id=text("ce_tenantid"),
                reply_partition=number("ce_replypartition"),
                deadline=None if deadline is None else instant(deadline),
                traceparent=text("traceparent"),
            )
        except KeyError as missing:
            raise UndecodableError(f"header {missing} is missing") from missing
        except ValueError as malformed:
            raise UndecodableError(f"malformed header: {malformed}") from malformed


def _instant(at: datetime) -> bytes:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z").encode()


def pack(message: Message, envelope: Envelope) -> tuple[Headers, bytes]:
    return envelope.headers(message.type_name), encode(message)


def unpack(headers: Headers, value: bytes | None) -> tuple[Envelope, Message]:
    """Raises UndecodableError with the reason; never anything else."""
    by_name = dict(headers)
    if value is None:
        raise UndecodableError("no data (a tombstone)")
    type_name = by_name.get("ce_type")
    if type_name is None:
        raise UndecodableError("header 'ce_type' is missing")
    envelope = Envelope.read(by_name)
    try:
        name = type_name.decode()
    except UnicodeDecodeError as error:
        raise UndecodableError("header 'ce_type' is not UTF-8") from error
    return envelope, decode(name, value)
