"""URLs in running text, found as X finds them: the rules of twitter-text 3.1.0 (github.com/twitter/twitter-text).

A URL needs no scheme when its host ends in a known top-level domain. The patterns of twitter-text backtrack for seconds
on texts such as "a.a.a.…"; the same rules are written here label by label, in time linear in the text.
"""

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import NamedTuple

_SPACES = r"\x09-\x0d\x20\x85\xa0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_INVALID = r"\ufffe\ufeff\uffff"
_DIRECTIONAL = r"\u202a-\u202e\u061c\u200e\u200f\u2066-\u2069"
_PUNCTUATION = r"!'#%&()*+,\\\-./:;<=>?@\[\]^_{|}~$"
_LATIN = (
    r"\xc0-\xd6\xd8-\xf6\xf8-\xff\u0100-\u024f\u0253\u0254\u0256\u0257\u0259\u025b\u0263\u0268\u026f\u0272\u0289\u028b"
    r"\u02bb\u0300-\u036f\u1e00-\u1eff"
)
_CYRILLIC = r"\u0400-\u04ff"

_HOST_CHAR = rf"[^{_PUNCTUATION}{_SPACES}{_INVALID}{_DIRECTIONAL}]"
_LABEL = rf"{_HOST_CHAR}++(?:[-_]++{_HOST_CHAR}++)*+"
_LABELS = re.compile(rf"{_LABEL}(?:\.{_LABEL})*+")
_LATIN_LABELS = re.compile(rf"(?:[-A-Za-z0-9{_LATIN}]++\.)++")
_LATER_START = re.compile(rf"[^A-Za-z0-9＠＃](?={_HOST_CHAR})")

_SCHEME = re.compile(r"[Hh][Tt][Tt][Pp][Ss]?://\Z")
_NEVER_BEFORE_A_URL = re.compile(rf"[A-Za-z0-9@＠$#＃{_INVALID}]")

_PATH_CHAR = rf"[A-Za-z{_CYRILLIC}0-9!*';:=+,.$/%#\[\]\-\u2013_~@|&{_LATIN}]"
_PARENTHESES = rf"(?>\((?:{_PATH_CHAR}+|{_PATH_CHAR}*\({_PATH_CHAR}+\){_PATH_CHAR}*)\))"
_PATH = rf"/(?:(?:{_PATH_CHAR}|{_PARENTHESES})*(?:[+\-A-Za-z{_CYRILLIC}0-9=_#/{_LATIN}]|{_PARENTHESES}))?"
_QUERY = r"\?[A-Za-z0-9!?*'@();:&=+$/%#\[\]\-_.,~|]*[A-Za-z0-9\-_&=#/]"
_TAIL = re.compile(rf"(?::[0-9]++)?({_PATH})?(?:{_QUERY})?")
_SHORTENED = re.compile(rf"(?i:https?://t\.co)/([A-Za-z0-9]+)(?:{_QUERY})?")

_TOP_LEVEL = frozenset(
    line
    for line in files("platforms").joinpath("top_level_domains.txt").read_text("utf-8").split("\n")
    if line and not line.startswith("#")
)
_LONGEST_TOP_LEVEL = max(map(len, _TOP_LEVEL))
_WORD = re.compile(r"[0-9A-Za-z]*")
_PUNYCODE = re.compile(r"[Xx][Nn]--[-0-9A-Za-z]+")
_NO_END_OF_HOST = re.compile(r"[0-9a-zA-Z@+-]")

_LONGEST_LABEL = 63
_LONGEST_URL = 4096
_LONGEST_SLUG = 40


class Span(NamedTuple):
    start: int
    end: int


def find_urls(text: str) -> list[Span]:
    """The URLs of `text` in order, as slices of it. `text` should be NFC."""
    return list(_find(text)) if "." in text else []


def _find(text: str) -> Iterator[Span]:
    position = consumed = 0
    while labels := _LABELS.search(text, position):
        start, position = labels.span()
        host_end = _host_end(text, start, position)
        if host_end is None:
            continue
        scheme = _SCHEME.search(text, max(0, start - 8), start)
        if scheme is not None and _may_begin(text, scheme.start(), consumed):
            begin = scheme.start()
        else:
            scheme, begin = None, _begin(text, start, host_end, consumed)
            host_end = _host_end(text, begin, host_end)
            if host_end is None:
                continue
        tail = _TAIL.match(text, host_end)
        if tail is None:
            raise AssertionError("every part of the pattern is optional")
        consumed = position = tail.end()
        if not _plausible(text, begin if scheme is None else start, host_end):
            continue
        if scheme is not None:
            yield from _with_scheme(text, begin, tail.end())
        elif begin == 0 or text[begin - 1] not in "-_./":
            yield from _without_scheme(text, begin, host_end, tail)


def _begin(text: str, start: int, host_end: int, consumed: int) -> int:
    """Where a host without a scheme begins: not always with its first label."""
    if start == 0:
        # The first character of a text is rather taken for what stands before a URL.
        second = _LATER_START.match(text, 0, host_end) is not None and _host_end(text, 1, host_end) is not None
        return int(second)
    if _may_begin(text, start, consumed):
        return start
    later = _LATER_START.search(text, start, host_end)
    return host_end if later is None else later.end()


def _may_begin(text: str, at: int, consumed: int) -> bool:
    return at == 0 or (at > consumed and _NEVER_BEFORE_A_URL.match(text, at - 1) is None)


def _host_end(text: str, start: int, end: int) -> int | None:
    """Where the longest host among the labels `text[start:end]` ends, if there is one."""
    dot = text.rfind(".", start, end)
    while dot != -1:
        before = text.rfind(".", start, dot)
        if (top := _top_level_end(text, dot + 1)) is not None:
            label_start = start if before == -1 else before + 1
            if "_" not in text[label_start:dot] and label_start < dot:
                return top
        dot = before
    return None


def _top_level_end(text: str, at: int) -> int | None:
    word = _WORD.match(text, at)
    if word and word[0].lower() in _TOP_LEVEL and _NO_END_OF_HOST.match(text, word.end()) is None:
        return word.end()
    if punycode := _PUNYCODE.match(text, at):
        return punycode.end()
    beginning = text[at : at + _LONGEST_TOP_LEVEL]
    if beginning.isascii():
        return None
    for length in range(len(beginning), 0, -1):
        if beginning[:length].lower() in _TOP_LEVEL and _NO_END_OF_HOST.match(text, at + length) is None:
            return at + length
    return None


def _plausible(text: str, start: int, end: int) -> bool:
    """Whether every label fits into the Domain Name System."""
    return all(
        len(label) <= _LONGEST_LABEL and _encoded(label) <= _LONGEST_LABEL for label in text[start:end].split(".")
    )


def _encoded(label: str) -> int:
    return len(label) if label.isascii() else len("xn--") + len(label.encode("punycode"))


def _with_scheme(text: str, start: int, end: int) -> Iterator[Span]:
    shortened = _SHORTENED.match(text, start, end)
    if shortened is not None:
        if len(shortened[1]) > _LONGEST_SLUG:
            return
        end = shortened.end()
    if len("https://") + end - start <= _LONGEST_URL:
        yield Span(start, end)


def _without_scheme(text: str, start: int, host_end: int, tail: re.Match[str]) -> Iterator[Span]:
    """Only hosts in Latin letters count, and only a path joins the last of them: a bare query does not."""
    found: list[Span] = []
    for labels in _LATIN_LABELS.finditer(text, start, host_end):
        begin, stop = labels.span()
        while (end := _host_end(text, begin, stop)) is not None:
            found.append(Span(begin, min(end, host_end)))
            begin = end
    if found and tail[1]:
        found[-1] = Span(found[-1].start, tail.end())
    if len("https://") + tail.end() - start <= _LONGEST_URL:
        yield from found
