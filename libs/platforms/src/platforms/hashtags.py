"""What a hashtag is made of: the rules of twitter-text 3.1.0 (github.com/twitter/twitter-text), held to everywhere."""

import re
import unicodedata

_MARKS = "".join(c for c in map(chr, range(0x20000)) if unicodedata.category(c).startswith("M"))
"""Vowel signs and the like, without which words of many languages fall apart."""
_JOINERS = "\u200c\u200d\ua67e\u05be\u05f3\u05f4\uff5e\u301c\u309b\u309c\u30a0\u30fb\u3003\u0f0b\u0f0c\u00b7"
_CHARACTER = rf"[\w{_MARKS}{_JOINERS}]"
_LETTER = rf"(?:[^\W\d_]|[{_MARKS}])"

_WORD = rf"(?:(?!{_LETTER}){_CHARACTER})*{_LETTER}{_CHARACTER}*"
HASHTAG = re.compile(rf"(?<!{_CHARACTER})(?<![&/#])#(?![\ufe0f\u20e3])({_WORD})")
"""In running text; group 1 is the word."""

_WHOLE = re.compile(_WORD)


def is_hashtag(word: str) -> bool:
    """Whether `#word` is one hashtag, and nothing more."""
    return _WHOLE.fullmatch(word) is not None
