"""Trace contexts, and what a process remembers of the trace it works for. Nothing is recorded here."""

import asyncio

import pytest

from chassis import tracing

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_new_trace_is_valid_and_its_own() -> None:
    first, second = tracing.new_traceparent(), tracing.new_traceparent()
    assert tracing.is_valid(first)
    assert tracing.trace_id(first) != tracing.trace_id(second)


def test_who_records_nothing_passes_the_context_on() -> None:
    """A span that nobody will ever see must not be the parent of those that others record."""
    assert tracing.start("work", parent=PARENT).traceparent == PARENT


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "",
        "nonsense",
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
    ],
)
def test_without_a_valid_parent_a_new_trace_begins(wrong: str | None) -> None:
    begun = tracing.start("work", parent=wrong).traceparent
    assert tracing.is_valid(begun)
    assert begun != wrong


def test_what_work_is_about_ends_with_it() -> None:
    with tracing.within(tracing.start("outer", parent=PARENT), tenant_id="tenant_1", post_id=None):
        assert tracing.headers() == {"traceparent": PARENT}
        with tracing.span("inner"):
            tracing.note(post_id="post_1")
            assert tracing.about() == {"tenant_id": "tenant_1", "post_id": "post_1"}
        assert tracing.about() == {"tenant_id": "tenant_1"}
    assert tracing.current() is None
    assert tracing.about() == {}
    assert tracing.headers() == {}


async def test_tasks_do_not_see_each_other() -> None:
    async def work(name: str) -> tuple[str | None, tracing.Attributes]:
        with tracing.within(tracing.start("work", parent=None), post_id=name) as span:
            await asyncio.sleep(0)
            assert tracing.current() == span.traceparent
            return tracing.current(), tracing.about()

    (first, one), (second, two) = await asyncio.gather(work("post_1"), work("post_2"))
    assert first != second
    assert (one, two) == ({"post_id": "post_1"}, {"post_id": "post_2"})


def test_an_exception_comes_through() -> None:
    with pytest.raises(KeyError), tracing.span("work"):
        raise KeyError
    assert tracing.current() is None
