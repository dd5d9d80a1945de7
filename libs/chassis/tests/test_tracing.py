"""W3C trace context."""

import pytest

from chassis.tracing import child_of, is_valid, new_traceparent, trace_id


def test_a_new_trace_is_valid_and_its_own() -> None:
    first, second = new_traceparent(), new_traceparent()
    assert is_valid(first)
    assert trace_id(first) != trace_id(second)


def test_a_child_stays_in_the_trace_with_a_span_of_its_own() -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    child = child_of(parent)
    assert is_valid(child)
    assert trace_id(child) == trace_id(parent)
    assert child != parent
    assert child.endswith("-01")


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
    assert is_valid(child_of(wrong))
