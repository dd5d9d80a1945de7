"""The independent counters are: sums of pieces whose weight is known, and another implementation of twitter-text."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twitter_text import parse_tweet

from platforms.weighted_length import weighted_length

ascii_texts = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="."))
cjk_texts = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF))
emoji = st.sampled_from(["😀", "👍🏽", "👨‍👩‍👧‍👦", "🇫🇷", "❤️", "#️⃣", "🏳️‍🌈", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🚀", "©️"])
urls = st.sampled_from(
    [
        "https://example.com",
        "http://example.com/a_b/c?d=e&f=g#h",
        "HTTPS://WWW.EXAMPLE.CO.UK/" + "long/" * 40,
        "example.com",
        "sub.domain.example.org/path",
        "https://例え.jp/x",
    ]
)


@given(ascii_texts)
def test_ascii_without_urls_weighs_its_length(text: str) -> None:
    assert weighted_length(text) == len(text)


@given(cjk_texts)
def test_chinese_characters_weigh_two(text: str) -> None:
    assert weighted_length(text) == 2 * len(unicodedata.normalize("NFC", text))


@given(st.lists(emoji))
def test_emoji_weigh_two_however_composed(found: list[str]) -> None:
    assert weighted_length(" ".join(found)) == 2 * len(found) + max(0, len(found) - 1)


@given(st.lists(urls))
def test_urls_weigh_23_however_long(found: list[str]) -> None:
    assert weighted_length("\n".join(found)) == 23 * len(found) + max(0, len(found) - 1)


pieces = st.sampled_from(["plain", "日本", "héllo", "Привет", "—", "1", "مرحبا"]) | emoji | urls


@given(st.lists(pieces))
def test_mixed_texts_are_counted_as_another_implementation_does(words: list[str]) -> None:
    text = " ".join(words)
    assert weighted_length(text) == parse_tweet(text).weightedLength


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("", 0),
        ("cafe\u0301", 4),
        ("caf\u00e9", 4),
        ("\u1100", 2),
        ("\u10ff", 1),
        ("\u2014\u2026\u201c\u201d", 5),
        ("\u200d", 1),
        ("\u200e", 2),
        ("©", 1),
        ("foo.bar baz", 27),
        ("not.aword", 9),
        ("see https://example.com.", 4 + 23 + 1),
        ("(https://example.com/a_(b))", 25),
        ("mail@example.com", 16),
        ("@example.com", 12),
        ("https://t.co/abcdefghij", 23),
        ("http://localhost:8080/", 22),
    ],
)
def test_known_weights(text: str, weight: int) -> None:
    assert weighted_length(text) == weight


@given(st.text())
def test_composition_does_not_change_the_weight(text: str) -> None:
    assert weighted_length(text) == weighted_length(unicodedata.normalize("NFD", text))


@pytest.mark.parametrize("unit", ["a.", "a.com", "https://", "(", "@a.", "日.", "http://a.b.", "-", "x.com/(("])
def test_texts_that_slow_down_backtracking_are_counted(unit: str) -> None:
    assert weighted_length(unit * 20_000) > 0
