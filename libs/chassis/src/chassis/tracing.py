"""W3C trace context: one trace from the HTTP request to the platform call."""

import os
import re
from contextvars import ContextVar

_FORM = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def new_traceparent() -> str:
    """The root of a new, unsampled trace."""
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-00"


def is_valid(traceparent: str) -> bool:
    return _FORM.fullmatch(traceparent) is not None


def child_of(traceparent: str | None) -> str:
    """A new span in the same trace; a new trace when the given one is absent or malformed."""
    if traceparent is None or not is_valid(traceparent):
        return new_traceparent()
    return f"{traceparent[:36]}{os.urandom(8).hex()}{traceparent[52:]}"


def trace_id(traceparent: str) -> str:
    return traceparent[3:35]


def current() -> str | None:
    return _current.get()


def bind(traceparent: str | None) -> None:
    """Makes it the trace of this task, for logs and outgoing messages."""
    _current.set(traceparent)
