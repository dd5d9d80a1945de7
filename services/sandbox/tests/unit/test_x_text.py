"""How X counts and compares text. The reference is the twitter-text parser, which is not ours."""

from __future__ import annotations

import string
from itertools import count

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twitter_text import parse_tweet

from sandbox.x import text

PRINTABLE = st.text(string.ascii_letters + string.digits + " \n.,:/@#$%-_()'?&=", max_size=300)
LINKY = st.lists(
    st.sampled_from(
        ["https://example.com/a?b=c", "example.com", "foo.bar", "see", "@amara", "a.b.co.uk", "(", ")", "."]
    )
).map(" ".join)


@pytest.mark.parametrize(
    ("written", "length"),
    [
        ("", 0),
        ("hello", 5),
        ("日本語", 6),
        ("Äpfel", 5),
        ("e\u0301", 1),
        ("👨‍👩‍👧‍👦", 2),
        ("👍🏽 ok", 5),
        ("https://example.com/" + "a" * 200, 23),
        ("example.com", 23),
        ("foo.bar baz", 27),
        ("https://a.io and https://a.io", 51),
        ("“quoted” – and…", 16),
    ],
)
def test_weighted_length(written: str, length: int) -> None:
    assert text.weighted_length(written) == length


@given(PRINTABLE | LINKY)
@example("line\r\nline")
def test_the_short_way_for_ascii_agrees_with_the_full_parse(written: str) -> None:
    assert text.weighted_length(written) == parse_tweet(written).weightedLength


@given(PRINTABLE | LINKY)
def test_shortened_links_stand_where_they_say(written: str) -> None:
    numbers = count()
    shortened, links = text.shorten_links(written, lambda: f"https://t.co/{next(numbers)}")
    assert [shortened[link.start : link.end] for link in links] == [link.url for link in links]
    restored, moved = shortened, 0
    for link, original in zip(links, text.links(written), strict=True):
        restored = restored[: link.start + moved] + original.value + restored[link.end + moved :]
        moved += len(original.value) - len(link.url)
    assert restored == written


def test_equal_links_get_equal_addresses() -> None:
    numbers = count()
    shortened, links = text.shorten_links("a.com b.com a.com", lambda: f"https://t.co/{next(numbers)}")
    assert shortened == "https://t.co/0 https://t.co/1 https://t.co/0"
    assert [link.expanded_url for link in links] == ["http://a.com", "http://b.com", "http://a.com"]


def test_entities() -> None:
    written = "#Café and #2026x not #1 or a#b; $AAPL $brk.b not a$X; @amara_1 not a@b.c"
    assert [tag.value for tag in text.hashtags(written)] == ["Café", "2026x"]
    assert [tag.value for tag in text.cashtags(written)] == ["AAPL", "brk.b"]
    assert [name.value for name in text.mentions(written)] == ["amara_1"]
    assert all(written[tag.start : tag.end] == f"#{tag.value}" for tag in text.hashtags(written))


def test_fingerprints_ignore_form_and_spacing() -> None:
    assert text.fingerprint("Cafe\u0301  is\nopen ") == text.fingerprint("Café is open")
    assert text.fingerprint("Café is open") != text.fingerprint("café is open")


@pytest.mark.parametrize("character", ["\ufffe", "\ufeff", "\uffff"])
def test_invalid_characters(character: str) -> None:
    assert text.has_invalid_characters(f"a{character}b")
    assert not text.has_invalid_characters("a\u200db")
