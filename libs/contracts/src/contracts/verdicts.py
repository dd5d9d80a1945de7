"""What a decider answers to whoever sent a command."""

from typing import Any

from msgspec import Raw, Struct

from contracts.messages import Event, Message, message


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a command was refused. `code` decides the HTTP status; see the gateway's table of problems."""

    code: str
    message: str
    details: dict[str, Any] = {}


@message("command.refused.v1")
class CommandRefused(Event, frozen=True, kw_only=True):
    """A refusal is a fact of the aggregate: shown in its history, and given again when the command is redelivered."""

    command_type: str
    refusal: Refusal


@message("command.verdict.v1")
class Verdict(Message, frozen=True, kw_only=True):
    """Sent after everything a reader could see has been written: a GET after a verdict sees the write."""

    command_id: str
    aggregate_id: str
    version: int
    """The aggregate's version after the command; 0 when a refusal was not recorded."""
    refusal: Refusal | None
    """None: accepted."""
    state: Raw
    """The aggregate's read model after an accepted command, as JSON; `null` after a refusal."""
