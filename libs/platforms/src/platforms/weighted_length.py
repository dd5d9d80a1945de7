"""How long X takes a text to be: twitter-text configuration v3 (config/v3.json of github.com/twitter/twitter-text).

Over the NFC text: 23 for each URL however long, 2 for each emoji however composed, 1 for each character of the scripts
that need many (Latin, Greek, Cyrillic, Arabic, …), 2 for each other character.
"""

import unicodedata

import emoji

from platforms.urls import find_urls

_URL_WEIGHT = 23
_LIGHT = (range(0x1100), range(0x2000, 0x200E), range(0x2010, 0x2020), range(0x2032, 0x2038))

_SEQUENCES = (
    {
        sequence
        for sequence, facts in emoji.EMOJI_DATA.items()
        if len(sequence) > 1 and facts["status"] == emoji.STATUS["fully_qualified"]
    }
    | {f"{base}\ufe0f" for base, facts in emoji.EMOJI_DATA.items() if len(base) == 1 and facts.get("variant")}
    | {f"{key}\u20e3" for key in "#*0123456789"}
)
"""Emoji of several characters; one of a single character weighs 2 by its code point already."""

_LONGEST_FROM = {first: max(len(s) for s in _SEQUENCES if s[0] == first) for first in {s[0] for s in _SEQUENCES}}


def weighted_length(text: str) -> int:
    """In X's characters, of which an ordinary post may have 280. Time is linear in the text."""
    text = unicodedata.normalize("NFC", text)
    total = position = 0
    for start, end in find_urls(text):
        total += _weight(text[position:start]) + _URL_WEIGHT
        position = end
    return total + _weight(text[position:])


def _weight(text: str) -> int:
    if text.isascii():
        return len(text)
    total = position = 0
    while position < len(text):
        length = _sequence_length(text, position)
        total += 2 if length > 1 else _character_weight(ord(text[position]))
        position += length
    return total


def _sequence_length(text: str, at: int) -> int:
    for length in range(_LONGEST_FROM.get(text[at], 1), 1, -1):
        if text[at : at + length] in _SEQUENCES:
            return length
    return 1


def _character_weight(code_point: int) -> int:
    return 1 if any(code_point in light for light in _LIGHT) else 2
