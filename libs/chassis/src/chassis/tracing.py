"""Traces: which request led to which message, call and answer, across all services.

A W3C trace context travels with every message and every call between services, and names the trace in every line of the
log, whether spans are recorded or not. Recording them is switched on by `chassis.exporting`; switched off, a span is no
more than the context it was begun with, passed on as it is.

Here is also what a piece of work is about (tenant, post, account): each line of the log and each span has it.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Literal, Protocol

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Value = str | int | float | bool
Attributes = Mapping[str, Value]

PREFIX = "social."
"""Before the names of what work is about, where they are attributes of spans."""

_FORM = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Recording(Protocol):
    """A span that is being recorded."""

    @property
    def traceparent(self) -> str: ...

    def set(self, name: str, value: Value) -> None: ...

    def rename(self, name: str) -> None: ...

    def fail(self) -> None: ...

    def end(self) -> None: ...


class Recorder(Protocol):
    def start(
        self, name: str, kind: Kind, *, parent: str | None, remote: bool, links: Sequence[str], attributes: Attributes
    ) -> Recording:
        """`parent` and `links` are well-formed. Whether a trace that begins here is recorded is for the recorder to
        choose, unless it begins because of others.
        """
        ...


class Span:
    """A piece of work. Nothing secret may be in its name or its attributes, nor anything that strangers choose freely:
    no URL, no error's words.
    """

    __slots__ = ("_recording", "traceparent")

    def __init__(self, traceparent: str, recording: Recording | None = None) -> None:
        self.traceparent = traceparent
        self._recording = recording

    def set(self, name: str, value: Value) -> None:
        if self._recording is not None:
            self._recording.set(name, value)

    def rename(self, name: str) -> None:
        if self._recording is not None:
            self._recording.rename(name)

    def fail(self, kind: str) -> None:
        """`kind` is one of few: an exception's class, a status."""
        if self._recording is not None:
            self._recording.set("error.type", kind)
            self._recording.fail()

    def end(self) -> None:
        if self._recording is not None:
            self._recording.end()


_recorder: Recorder | None = None
_current: ContextVar[Span | None] = ContextVar("span", default=None)
_about: ContextVar[Attributes] = ContextVar("about", default=MappingProxyType({}))


def record_with(recorder: Recorder | None) -> None:
    """From now on, for the whole process. None: not at all."""
    global _recorder  # noqa: PLW0603  # a process has one, as it has one log
    _recorder = recorder


def is_recording() -> bool:
    return _recorder is not None


def start(
    name: str,
    kind: Kind = "internal",
    *,
    parent: str | None,
    links: Sequence[str] = (),
    attributes: Attributes | None = None,
    about: Attributes | None = None,
) -> Span:
    """A span that its caller ends. Without a well-formed `parent` it is the first of a new trace.

    A trace is recorded whole or not at all: what is part of one that is not recorded is not either, nor what begins
    because of such ones only.

    `links` are contexts of other traces that it has to do with. `about` is as for `note`, for this span alone.
    """
    if parent is not None and not is_valid(parent):
        parent = None
    links = [link for link in links if is_valid(link)]
    if _recorder is None or not _goes_on(parent, links):
        return Span(parent or new_traceparent())
    here = _current.get()
    known = {f"{PREFIX}{key}": value for key, value in {**_about.get(), **(about or {})}.items()}
    recording = _recorder.start(
        name,
        kind,
        parent=parent,
        remote=here is None or here.traceparent != parent,
        links=links,
        attributes={**known, **(attributes or {})},
    )
    return Span(recording.traceparent, recording)


def _goes_on(parent: str | None, links: Sequence[str]) -> bool:
    """Whether what this is part of, or comes from, is being recorded. Yes for what comes from nowhere."""
    causes = links if parent is None else (parent,)
    return not causes or any(is_sampled(cause) for cause in causes)


@contextmanager
def within(span: Span, **about: Value | None) -> Iterator[Span]:
    """Makes it the span of this task, for logs and for whatever is begun meanwhile, and adds to what the work is about.

    Ends the span, as failed when an exception comes through.
    """
    span_token = _current.set(span)
    about_token = _about.set(_about.get())
    note(**about)
    try:
        yield span
    except BaseException as error:
        span.fail(type(error).__name__)
        raise
    finally:
        _about.reset(about_token)
        _current.reset(span_token)
        span.end()


@contextmanager
def span(name: str, kind: Kind = "internal", *, attributes: Attributes | None = None) -> Iterator[Span]:
    """`within` a new span that is part of the current one."""
    with within(start(name, kind, parent=current(), attributes=attributes)) as begun:
        yield begun


def current_span() -> Span:
    """Of this task; outside of any, one of which nothing is recorded."""
    return _current.get() or Span(new_traceparent())


def current() -> str | None:
    here = _current.get()
    return None if here is None else here.traceparent


def note(**about: Value | None) -> None:
    """Adds to what this task's work is about: to its span, to those begun in it, and to its lines of the log."""
    known = {key: value for key, value in about.items() if value is not None}
    if not known:
        return
    _about.set({**_about.get(), **known})
    if (here := _current.get()) is not None:
        for key, value in known.items():
            here.set(f"{PREFIX}{key}", value)


def about() -> Attributes:
    return _about.get()


def headers() -> dict[str, str]:
    """What a call to another of our services says about the trace."""
    traceparent = current()
    return {} if traceparent is None else {"traceparent": traceparent}


def new_traceparent() -> str:
    """The root of a new trace of which nothing is recorded."""
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-00"


def is_valid(traceparent: str) -> bool:
    return _FORM.fullmatch(traceparent) is not None


def is_sampled(traceparent: str) -> bool:
    """Whether the trace is being recorded by whoever handed it on."""
    return bool(int(traceparent[53:], 16) & 1)


def trace_id(traceparent: str) -> str:
    return traceparent[3:35]
