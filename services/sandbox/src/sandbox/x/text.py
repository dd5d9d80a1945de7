"""How X counts, links and compares text (twitter-text configuration v3)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from html import escape

from twitter_text import extract_urls_with_indices, parse_tweet

MAX_LENGTH = 280
MAX_LENGTH_PREMIUM = 25_000
LINK_LENGTH = 23

# Every link has a dot with something behind it.
_DOT = re.compile(r"\.\w")
_HASHTAG = re.compile(r"(?<![\w&/])[#＃](\w*[^\W\d_]\w*)")
_CASHTAG = re.compile(r"(?<!\S)\$([A-Za-z]{1,6}(?:[._][A-Za-z]{1,2})?)(?!\w)")
_MENTION = re.compile(r"(?<![\w@/])[@＠]([A-Za-z0-9_]{1,15})(?![\w@])")
_INVALID = re.compile("[\ufffe\ufeff\uffff]")


def weighted_length(text: str) -> int:
    """Characters as X counts them: links 23, emoji and most non-Latin characters 2, the rest 1."""
    if text.isascii():
        # Looking for emoji is the slow part of a full parse, and there are none.
        lines = text.replace("\r\n", "\n")
        return len(lines) + sum(LINK_LENGTH - len(link.value) for link in links(lines))
    length: int = parse_tweet(text).weightedLength
    return length


def has_invalid_characters(text: str) -> bool:
    return _INVALID.search(text) is not None


@dataclass(frozen=True, slots=True)
class Entity:
    """A stretch of text, in code points; ``end`` is exclusive."""

    start: int
    end: int
    value: str


@lru_cache(maxsize=256)
def links(text: str) -> tuple[Entity, ...]:
    """URLs, also without a scheme."""
    if _DOT.search(text) is None:
        return ()
    return tuple(
        Entity(found["indices"][0], found["indices"][1], found["url"]) for found in extract_urls_with_indices(text)
    )


def hashtags(text: str) -> list[Entity]:
    return _entities(_HASHTAG, text)


def cashtags(text: str) -> list[Entity]:
    return _entities(_CASHTAG, text)


def mentions(text: str) -> list[Entity]:
    """Usernames without the @."""
    return _entities(_MENTION, text)


def _entities(pattern: re.Pattern[str], text: str) -> list[Entity]:
    return [Entity(match.start(), match.end(), match[1]) for match in pattern.finditer(text)]


@dataclass(frozen=True, slots=True)
class ShortLink:
    """A link as it stands in a published text."""

    start: int
    end: int
    url: str
    expanded_url: str


def shorten_links(text: str, short_url: Callable[[], str]) -> tuple[str, list[ShortLink]]:
    """Replace every link by a ``https://t.co/`` address; equal links get equal addresses."""
    pieces: list[str] = []
    shortened: list[ShortLink] = []
    known: dict[str, str] = {}
    copied = length = 0
    for link in links(text):
        expanded = link.value if "://" in link.value else f"http://{link.value}"
        url = known.setdefault(expanded, "") or short_url()
        known[expanded] = url
        pieces += (text[copied : link.start], url)
        length += link.start - copied
        shortened.append(ShortLink(length, length + len(url), url, expanded))
        length += len(url)
        copied = link.end
    pieces.append(text[copied:])
    return "".join(pieces), shortened


def escaped(text: str) -> str:
    return escape(text, quote=False)


def fingerprint(text: str) -> str:
    """What two texts share when X takes them for duplicates: normalised characters and spacing."""
    return " ".join(unicodedata.normalize("NFC", text).split())
