r"""What a post says on a platform, and how two texts are told to be the same post.

Plain text is composed of the text, then the mentions and hashtags that it does not contain already in one line, then
the link's URL where the platform will not show it as a card; with a blank line between these.

LinkedIn takes "little" text (learn.microsoft.com, LinkedIn, "little text format"): reserved characters are escaped with
a backslash, a hashtag is `{hashtag|\#|word}`. An unescaped one is not refused: the text is silently cut there.
"""

import html
import re
import unicodedata
from collections.abc import Iterator

from contracts.content import Content, Platform

_RESERVED = re.compile(r"[|{}@\[\]()<>#\\*_~]")
_HASHTAG = re.compile(r"(?<![\w&/#])#(\w*[^\W\d_]\w*)")
_URL = re.compile(r"https?://\S+")
_ELEMENT = re.compile(
    r"""
    \{hashtag\|(?:\\\#|＃)\|(?P<tag>(?:\\.|[^}\\])+)\}
  | @\[(?P<name>(?:\\.|[^\]\\])+)\]\([^)]*\)
  | \\(?P<escaped>.)
    """,
    re.VERBOSE | re.DOTALL,
)


def compose_text(content: Content, platform: Platform) -> str:
    """Exactly what is published, as readers see it."""
    paragraphs = [content.text.strip(), " ".join(_missing_words(content))]
    if content.link is not None and not _has_card(content, platform) and content.link.url not in content.text:
        paragraphs.append(content.link.url)
    return "\n\n".join(filter(None, paragraphs))


def _has_card(content: Content, platform: Platform) -> bool:
    """X makes a card of any URL in the text by itself; LinkedIn shows either a link or media."""
    return platform == "linkedin" and not content.media


def _missing_words(content: Content) -> Iterator[str]:
    for mark, words in (("@", content.mentions), ("#", content.hashtags)):
        for word in words:
            marked = mark + word.removeprefix(mark)
            if not re.search(rf"(?<!\w){re.escape(marked)}(?!\w)", content.text, re.IGNORECASE):
                yield marked


def little_text(content: Content, *, escape_urls: bool = True) -> str:
    """`compose_text` for LinkedIn as the API takes it.

    Whether a reserved character inside a URL cuts the text too is not documented; escaped, it never does.
    `escape_urls=False` leaves URLs as they are.
    """
    text = compose_text(content, "linkedin")
    if escape_urls:
        return _little(text)
    pieces: list[str] = []
    position = 0
    for url in _URL.finditer(text):
        pieces += (_little(text[position : url.start()]), url[0])
        position = url.end()
    return "".join(pieces) + _little(text[position:])


def _little(text: str) -> str:
    pieces: list[str] = []
    position = 0
    for tag in _HASHTAG.finditer(text):
        pieces += (_escape(text[position : tag.start()]), f"{{hashtag|\\#|{_escape(tag[1])}}}")
        position = tag.end()
    return "".join(pieces) + _escape(text[position:])


def _escape(text: str) -> str:
    return _RESERVED.sub(r"\\\g<0>", text)


def plain_text(little: str) -> str:
    """What readers see of a little text: the inverse of `little_text`."""

    def shown(element: re.Match[str]) -> str:
        if (tag := element["tag"]) is not None:
            return "#" + _unescape(tag)
        if (name := element["name"]) is not None:
            return _unescape(name)
        return element["escaped"]

    return _ELEMENT.sub(shown, little)


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def normalise_for_match(text: str, platform: Platform) -> str:
    """The same for a text that was sent and for what the platform shows of it later.

    `text` is plain; shortened URLs must be expanded before. X answers with `&`, `<` and `>` as HTML entities; both may
    change white space and the composition of characters.
    """
    if platform == "twitter":
        text = html.unescape(text)
    return " ".join(unicodedata.normalize("NFC", text).split())
