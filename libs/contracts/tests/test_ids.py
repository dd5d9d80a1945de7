import re

from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import derived_id, new_id, sibling

FORM = re.compile(r"post_[0-7][0-9A-HJKMNP-TV-Z]{25}")
times = st.integers(0, 2**48 - 1)
texts = st.text(st.characters(exclude_characters="\x1f", exclude_categories=["Cs"]))


@given(times)
def test_ids_have_one_form(at_ms: int) -> None:
    assert FORM.fullmatch(new_id("post", at_ms=at_ms))
    assert FORM.fullmatch(derived_id("post", "a", at_ms=at_ms))


@given(times, times)
def test_ids_sort_by_their_time(one: int, other: int) -> None:
    earlier, later = sorted((one, other))
    if earlier < later:
        assert new_id("post", at_ms=earlier) < new_id("post", at_ms=later)
        assert derived_id("post", "z", at_ms=earlier) < derived_id("post", "a", at_ms=later)


def test_ids_of_one_instant_differ() -> None:
    assert len({new_id("post", at_ms=0) for _ in range(10_000)}) == 10_000


def test_ids_carry_the_time_of_their_making() -> None:
    assert derived_id("cmd", at_ms=1_469_918_176_385)[4:14] == "01ARYZ6S41"  # the example of the ULID specification


@given(st.lists(texts, max_size=4), st.lists(texts, max_size=4))
def test_derived_ids_are_the_same_for_the_same_parts_only(one: list[str], other: list[str]) -> None:
    assert derived_id("cmd", *one) == derived_id("cmd", *one)
    if one and other:
        assert (derived_id("cmd", *one) == derived_id("cmd", *other)) == (one == other)


def test_derived_ids_never_change() -> None:
    assert derived_id("cmd", "tenant", "key", at_ms=1) == "cmd_0000000001RNNWEQPKJR4JZMJ9"


def test_siblings_are_one_thing_under_several_names() -> None:
    post_id = new_id("post")
    assert sibling("pub", post_id) == f"pub_{post_id.removeprefix('post_')}"
    assert sibling("post", sibling("pub", post_id)) == post_id
