import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contracts.content import Content, Link, Media, Platform
from platforms.composing import compose_text, little_text, normalise_for_match, plain_text
from platforms.hashtags import is_hashtag

PLATFORMS: tuple[Platform, ...] = ("twitter", "linkedin")
PHOTO = Media(type="image", url="https://cdn.example.com/a.png")

words = st.from_regex(r"[a-zA-Z_]{0,5}[a-z][a-zA-Z0-9_]{0,5}", fullmatch=True) | st.sampled_from(
    ["हिन्दी", "日本", "été"]
)
links = st.none() | st.builds(
    Link, url=st.from_regex(r"https://[a-z]{1,9}\.com(/[a-zA-Z0-9_~-]{0,9})*(\?[a-z]=[a-z])?", fullmatch=True)
)
contents = st.builds(
    Content,
    text=st.text() | st.text("#@ab1 _\n./:\\{}|()[]<>*~"),
    hashtags=st.lists(words, max_size=3).map(tuple),
    mentions=st.lists(words.map("@{}".format), max_size=3).map(tuple),
    media=st.sampled_from([(), (PHOTO,)]),
    link=links,
)


@given(contents)
def test_little_text_shows_as_the_plain_text(content: Content) -> None:
    assert plain_text(little_text(content)) == compose_text(content, "linkedin")


@given(contents)
def test_every_reserved_character_of_little_text_is_escaped_or_part_of_a_hashtag(content: Content) -> None:
    rest = little_text(content)
    while "{hashtag|\\#|" in rest:
        before, _, after = rest.partition("{hashtag|\\#|")
        word, brace, after = after.partition("}")
        assert brace
        assert is_hashtag(word.replace("\\_", "_").replace("\\~", "~"))
        rest = before + after
    assert not set("|{}@[]()<>#*_~") & set(unescaped(rest))


def unescaped(text: str) -> str:
    characters = iter(text)
    return "".join(c for c in characters if c != "\\" or not next(characters))


@given(contents, st.sampled_from(PLATFORMS))
def test_composing_twice_adds_nothing(content: Content, platform: Platform) -> None:
    once = compose_text(content, platform)
    again = Content(
        text=once, hashtags=content.hashtags, mentions=content.mentions, media=content.media, link=content.link
    )
    assert compose_text(again, platform) == once


@given(contents, st.sampled_from(PLATFORMS))
def test_nothing_written_is_lost(content: Content, platform: Platform) -> None:
    composed = compose_text(content, platform)
    assert composed.startswith(content.text.strip())
    for marked in (*(f"#{word}" for word in content.hashtags), *content.mentions):
        assert marked.lower() in composed.lower()


@pytest.mark.parametrize(
    ("content", "x", "linkedin"),
    [
        (Content(text=" Hello \n"), "Hello", "Hello"),
        (
            Content(text="Hi", hashtags=("launch", "#tech"), mentions=("@partner", "other")),
            "Hi\n\n@partner @other #launch #tech",
            "Hi\n\n@partner @other #launch #tech",
        ),
        (
            Content(text="Our #Launch with @Partner", hashtags=("launch", "launchpad"), mentions=("partner",)),
            "Our #Launch with @Partner\n\n#launchpad",
            "Our #Launch with @Partner\n\n#launchpad",
        ),
        (Content(text="Hi", hashtags=("a", "A", "#a")), "Hi\n\n#a", "Hi\n\n#a"),
        (Content(hashtags=("only",)), "#only", "#only"),
        (Content(text="Read", link=Link(url="https://e.com/a")), "Read\n\nhttps://e.com/a", "Read"),
        (
            Content(text="Read", media=(PHOTO,), link=Link(url="https://e.com/a")),
            "Read\n\nhttps://e.com/a",
            "Read\n\nhttps://e.com/a",
        ),
        (
            Content(text="Read https://e.com/a.", media=(PHOTO,), link=Link(url="https://e.com/a")),
            "Read https://e.com/a.",
            "Read https://e.com/a.",
        ),
        (
            Content(text="https://e.com/abc", media=(PHOTO,), link=Link(url="https://e.com/a")),
            "https://e.com/abc\n\nhttps://e.com/a",
            "https://e.com/abc\n\nhttps://e.com/a",
        ),
    ],
)
def test_what_is_published(content: Content, x: str, linkedin: str) -> None:
    assert compose_text(content, "twitter") == x
    assert compose_text(content, "linkedin") == linkedin


@pytest.mark.parametrize(
    ("text", "little"),
    [
        ("a_b (c) [d] <e> {f} |g| ~h~ *i* \\ @j", r"a\_b \(c\) \[d\] \<e\> \{f\} \|g\| \~h\~ \*i\* \\ \@j"),
        ("#tag", r"{hashtag|\#|tag}"),
        ("#snake_case!", r"{hashtag|\#|snake\_case}!"),
        ("#हिन्दी में", r"{hashtag|\#|हिन्दी} में"),
        ("C# and #1 and a#b", r"C\# and \#1 and a\#b"),
        ("https://e.com/a_b?#c", r"https://e.com/a\_b?\#c"),
        ("(https://e.com/a)", r"\(https://e.com/a\)"),
    ],
)
def test_little_text(text: str, little: str) -> None:
    assert little_text(Content(text=text)) == little


def test_urls_may_be_left_as_they_are() -> None:
    content = Content(text="(see_https://x https://e.com/a_b?c=d#e, #tag)")
    assert little_text(content, escape_urls=False) == r"\(see\_https://x https://e.com/a_b?c=d#e, {hashtag|\#|tag}\)"


@pytest.mark.parametrize(
    ("little", "plain"),
    [
        (r"Hi @[Brand Inc.](urn:li:organization:1)!", "Hi Brand Inc.!"),
        (r"{hashtag|\#|one}{hashtag|＃|two}", "#one#two"),
        (r"#plain and trailing \\", "#plain and trailing \\"),
    ],
)
def test_what_linkedin_itself_writes_is_read(little: str, plain: str) -> None:
    assert plain_text(little) == plain


@given(st.text(), st.sampled_from(PLATFORMS))
def test_normalising_twice_changes_nothing_more_than_once(text: str, platform: Platform) -> None:
    assume("&" not in text)
    once = normalise_for_match(text, platform)
    assert normalise_for_match(once, platform) == once


@pytest.mark.parametrize(
    ("sent", "shown"),
    [("R&D <now>", "R&amp;D &lt;now&gt;"), ("cafe\u0301", "caf\u00e9"), ("a\r\n\r\nb ", "a\n\nb"), ("a\u00a0b", "a b")],
)
def test_what_x_shows_matches_what_was_sent(sent: str, shown: str) -> None:
    assert normalise_for_match(sent, "twitter") == normalise_for_match(shown, "twitter")


def test_linkedin_shows_entities_as_they_were_written() -> None:
    assert normalise_for_match("&amp;", "linkedin") != normalise_for_match("&", "linkedin")
