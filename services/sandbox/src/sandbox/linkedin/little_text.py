r"""The "little" text format of commentaries.

Every reserved character must be escaped with a backslash, except in hashtags (``#word`` or
``{hashtag|\#|word}``) and mentions (``@[Name](urn:li:person:…)``). Production does not refuse an unescaped one:
it silently publishes only what stands before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

RESERVED = frozenset("|{}@[]()<>#\\*_~")

_URL = r"(?P<url>https?://\S+)"
_TOKENS = r"""
    \\(?P<escaped>[|{}@\[\]()<>\#\\*_~])
  | \{hashtag\|(?:\\\#|＃)\|(?P<template>(?:[^|{}@\[\]()<>\#\\*_~]|\\[|{}@\[\]()<>\#\\*_~])+)\}
  | @\[(?P<name>(?:[^|{}@\[\]()<>\#\\*_~]|\\[|{}@\[\]()<>\#\\*_~])+)\]
      \((?P<urn>urn:li:(?:person|organization):[A-Za-z0-9_-]+)\)
  | \#(?P<hashtag>[^\W_]+)
  | (?P<reserved>[|{}@\[\]()<>\#\\*_~])
  | (?P<plain>[^|{}@\[\]()<>\#\\*_~]+?)(?=https?://|[|{}@\[\]()<>\#\\*_~]|\Z)
"""
_STRICT = re.compile(_TOKENS, re.VERBOSE)
_LENIENT = re.compile(f"{_URL} | {_TOKENS}", re.VERBOSE)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Commentary:
    """A parsed commentary.

    Attributes:
        text: what readers see.
        little: the same in little text, as reads return it.
        length: UTF-16 units of the whole text without escapes, including what is cut.
        truncated: whether an unescaped reserved character cut it.
        mentions: URNs of the people and pages mentioned.
    """

    text: str
    little: str
    length: int
    truncated: bool
    mentions: tuple[str, ...]


def parse(commentary: str, reserved_in_urls: bool = True) -> Commentary:
    """Read a commentary as production does."""
    text: list[str] = []
    little: list[str] = []
    mentions: list[str] = []
    length = 0
    truncated = False
    for match in (_STRICT if reserved_in_urls else _LENIENT).finditer(commentary):
        kind, value = match.lastgroup or "plain", match[match.lastgroup or 0]
        written = escape(value)
        if kind == "urn":
            mentions.append(value)
            name = unescape(match["name"])
            value, written = name, f"@[{escape(name)}]({value})"
        elif kind in ("template", "hashtag"):
            word = unescape(value)
            value, written = f"#{word}", f"{{hashtag|\\#|{escape(word)}}}"
        length += utf16_length(value)
        truncated = truncated or kind == "reserved"
        if not truncated:
            text.append(value)
            little.append(written)
    return Commentary("".join(text), "".join(little), length, truncated, tuple(mentions))


def escape(text: str) -> str:
    return "".join(f"\\{character}" if character in RESERVED else character for character in text)


def unescape(little: str) -> str:
    return _ESCAPE.sub(r"\1", little)


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
