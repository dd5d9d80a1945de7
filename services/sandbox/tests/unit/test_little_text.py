"""LinkedIn's little text: what is cut, what is escaped, what becomes a hashtag or a mention."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.linkedin.little_text import RESERVED, escape, parse, utf16_length


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Plain text, 100 % safe.", "Plain text, 100 % safe."),
        ("We open (finally) at nine", "We open "),
        ("[new] shop", ""),
        ("snake_case", "snake"),
        ("5 * 3", "5 "),
        ("a | b", "a "),
        ("a ~ b", "a "),
        ("<b>", ""),
        ("mail me @ noon", "mail me "),
        ("50\\% off", "50"),
        ("We open \\(finally\\) at nine", "We open (finally) at nine"),
        ("back\\\\slash", "back\\slash"),
        ("#opening day", "#opening day"),
        ("# alone", ""),
        ("{hashtag|\\#|opening} day", "#opening day"),
        ("{hashtag|\\#|} day", ""),
        ("with @[Acme Inc](urn:li:organization:42), at last", "with Acme Inc, at last"),
        ("with @[Acme](urn:li:share:42)", "with "),
        ("see https://example.com/a_b now", "see https://example.com/a"),
        ("ends with \\", "ends with "),
    ],
)
def test_what_readers_see(written: str, read: str) -> None:
    assert parse(written).text == read


@given(st.text())
def test_escaped_text_is_published_whole(plain: str) -> None:
    parsed = parse(escape(plain))
    assert (parsed.text, parsed.truncated, parsed.length) == (plain, False, utf16_length(plain))


@given(st.text(), st.sampled_from(sorted(RESERVED - {"#"})), st.text())
def test_an_unescaped_reserved_character_cuts(before: str, reserved: str, after: str) -> None:
    escaped = escape(before)
    # A space keeps the character from becoming part of an escape or an element.
    parsed = parse(f"{escaped}{reserved} {after}")
    assert (parsed.text, parsed.truncated) == (before, True)


@given(st.text())
def test_reads_return_what_can_be_written_again(written: str) -> None:
    first = parse(written)
    again = parse(first.little)
    assert (again.text, again.little, again.truncated) == (first.text, first.little, False)


def test_the_cut_part_counts() -> None:
    assert parse("ab(cd").length == 5
    assert parse("😀").length == 2
    assert parse("\\#a").length == 2


def test_mentions_are_found_and_kept() -> None:
    parsed = parse("@[A \\(b\\)](urn:li:person:x_1) and @[C](urn:li:organization:2)")
    assert parsed.mentions == ("urn:li:person:x_1", "urn:li:organization:2")
    assert parsed.text == "A (b) and C"
    assert parsed.little == "@[A \\(b\\)](urn:li:person:x_1) and @[C](urn:li:organization:2)"


def test_links_can_be_exempt() -> None:
    written = "see https://example.com/a_b(c) now (then)"
    assert parse(written, reserved_in_urls=False).text == "see https://example.com/a_b(c) now "
