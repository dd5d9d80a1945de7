"""What every message is: a frozen struct with a versioned type name, found again by that name."""

from typing import Any, ClassVar, TypeVar

import msgspec
from msgspec import Struct


class Message(Struct, frozen=True, kw_only=True):
    """A message's class is its stored shape: rename nothing, remove nothing, add only fields with defaults.

    A new meaning is a new class with a new type name (`….v2`).
    """

    type_name: ClassVar[str]
    """The CloudEvents `type`."""


class Command(Message, frozen=True, kw_only=True):
    """A wish, in the imperative. May be refused; the refusal is recorded."""


class Event(Message, frozen=True, kw_only=True):
    """A fact, in the past tense."""


M = TypeVar("M", bound=type[Message])

_REGISTRY: dict[str, type[Message]] = {}


def message(type_name: str) -> Any:
    """Class decorator: registers a message under its CloudEvents type. Raises ValueError for a name taken."""

    def register(cls: M) -> M:
        if type_name in _REGISTRY:
            raise ValueError(f"two messages are called {type_name}")
        cls.type_name = type_name
        _REGISTRY[type_name] = cls
        return cls

    return register


def registry() -> dict[str, type[Message]]:
    """Every message of the modules imported so far, by type name."""
    return dict(_REGISTRY)


_encoder = msgspec.json.Encoder()
_decoders: dict[str, msgspec.json.Decoder[Any]] = {}


def encode(value: Any) -> bytes:
    return _encoder.encode(value)


class UndecodableError(Exception):
    """The bytes are not a message we know: an unknown type name, or data that does not fit its type."""


def decode(type_name: str, data: bytes) -> Message:
    """Raises UndecodableError."""
    decoder = _decoders.get(type_name)
    if decoder is None:
        cls = _REGISTRY.get(type_name)
        if cls is None:
            raise UndecodableError(f"unknown message type {type_name!r}")
        decoder = _decoders[type_name] = msgspec.json.Decoder(cls)
    try:
        decoded: Message = decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise UndecodableError(f"{type_name}: {error}") from error
    except UnicodeDecodeError as error:
        raise UndecodableError(f"{type_name}: not UTF-8") from error
    except RecursionError as error:
        raise UndecodableError(f"{type_name}: nested too deeply") from error
    return decoded
