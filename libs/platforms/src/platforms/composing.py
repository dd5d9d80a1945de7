r"""What a post says on a platform, and how two texts are told to be the same post.

Plain text is composed of the text, then one line with the mentions and hashtags that the text does not contain, then
the link's URL where the platform will not show it as a card; with a blank line between these. LinkedIn links a mention
only by its own identifier of a member, so a mention is plain text there.

LinkedIn takes "little" text (learn.microsoft.com, LinkedIn, "little text format"): reserved characters are escaped with
a backslash, a hashtag is `{hashtag|\#|word}`. An unescaped one is not refused: the text is silently cut there.
"""

import html
import re
import unicodedata
from collections.abc import Iterator

from contracts.content import Content, Options, Platform
from platforms.hashtags import HASHTAG
from platforms.urls import find_urls

_RESERVED = re.compile(r"[|{}@\[\]()<>#\\*_~]")
_ELEMENT = re.compile(
    r"""
    \{hashtag\|(?:\\\#|＃)\|(?P<tag>(?:\\.|[^}\\])+)\}
  | @\[(?P<name>(?:\\.|[^\]\\])+)\]\([^)]*\)
  | \\(?P<escaped>.)
    """,
    re.VERBOSE | re.DOTALL,
)


_NO_OPTIONS: Options = {}


def compose_text(content: Content, platform: Platform, options: Options = _NO_OPTIONS) -> str:
    """Exactly what is published, as readers see it."""
    paragraphs = [content.text.strip(), " ".join(_missing_words(content))]
    link = content.link
    if link is not None and not has_card(content, platform, options) and not _contains(content.text, link.url):
        paragraphs.append(link.url)
    return "\n\n".join(filter(None, paragraphs))


def has_card(content: Content, platform: Platform, options: Options = _NO_OPTIONS) -> bool:
    """Whether the link is shown as a card beside the text.

    LinkedIn and Facebook show either a link or something else: with media, and on LinkedIn with a poll or a post that
    is shared on, the URL goes into the text, and the link's title is not shown. LinkedIn's option `link_thumbnail`
    makes the media the picture of the card. X makes a card of any URL in the text by itself. Instagram's links are
    plain text.
    """
    if content.link is None:
        return False
    match platform:
        case "facebook":
            return not content.media
        case "linkedin":
            taken = any(options.get(name) for name in ("poll_options", "reshare_post_id"))
            return not taken and (not content.media or options.get("link_thumbnail") is True)
        case _:
            return False


def _contains(text: str, url: str) -> bool:
    """As a URL of its own, not as the beginning of a longer one."""
    return re.search(rf"{re.escape(url)}(?![.]?[\w/?#&=%~+-])", text) is not None


def _missing_words(content: Content) -> Iterator[str]:
    found = content.text
    for mark, words in (("@", content.mentions), ("#", content.hashtags)):
        for word in words:
            marked = mark + word.strip().removeprefix(mark)
            if not re.search(rf"(?<!\w){re.escape(marked)}(?!\w)", found, re.IGNORECASE):
                found = f"{found} {marked}"
                yield marked


def little_text(content: Content, options: Options = _NO_OPTIONS, *, escape_urls: bool = True) -> str:
    """`compose_text` for LinkedIn as the API takes it.

    Whether LinkedIn cuts the text at a reserved character inside a URL too is not documented; escaped, it never does.
    `escape_urls=False` leaves URLs as they are.
    """
    text = compose_text(content, "linkedin", options)
    pieces: list[str] = []
    position = 0
    for start, end in find_urls(text):
        url = text[start:end]
        pieces += (_little(text, position, start), _escape(url) if escape_urls else url)
        position = end
    return "".join(pieces) + _little(text, position, len(text))


def _little(text: str, start: int, end: int) -> str:
    pieces: list[str] = []
    for tag in HASHTAG.finditer(text, start, end):
        pieces += (_escape(text[start : tag.start()]), f"{{hashtag|\\#|{_escape(tag[1])}}}")
        start = tag.end()
    return "".join(pieces) + _escape(text[start:end])


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

    `text` is plain; shortened URLs must be expanded before. X answers with `&`, `<` and `>` as HTML entities, Instagram
    without the `@` of mentions; all may change white space and the composition of characters.
    """
    if platform == "twitter":
        text = html.unescape(text)
    if platform == "instagram":
        text = text.replace("@", "")
    return " ".join(unicodedata.normalize("NFC", text).split())
