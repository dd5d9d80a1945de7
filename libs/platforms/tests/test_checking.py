from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins

from contracts.content import Content, Link, Media, MediaType, Options, Platform
from contracts.posts import PostKind
from platforms.checking import AVAILABLE, OPTIONS, AccountFacts, Violation, check
from platforms.weighted_length import weighted_length

ACCOUNT = AccountFacts(username="brand", account_type="personal")
PREMIUM = AccountFacts(username="brand", account_type="premium")
PAGE = AccountFacts(username="Brand Inc.", account_type="organization")


def media(*types: MediaType, alt_text: str | None = None) -> tuple[Media, ...]:
    return tuple(
        Media(type=each, url=f"https://cdn.example.com/{n}", alt_text=alt_text) for n, each in enumerate(types)
    )


def photos(count: int, alt_text: str | None = None) -> tuple[Media, ...]:
    return media("image", alt_text=alt_text) * count


def checked(
    platform: Platform,
    *parts: Content,
    kind: PostKind = "post",
    options: Options | None = None,
    account: AccountFacts | None = ACCOUNT,
) -> list[Violation]:
    return check(parts, kind=kind, platform=platform, options=options or {}, account=account)


def broken(found: list[Violation]) -> list[tuple[str, str]]:
    return [(each.rule.removeprefix(f"{each.platform}."), each.pointer) for each in found]


GOOD: list[tuple[Platform, Content]] = [
    ("twitter", Content(text="a" * 280)),
    ("twitter", Content(text="日" * 140)),
    ("twitter", Content(text="a" * 256 + " https://example.com/" + "long/" * 100)),
    ("twitter", Content(text="$TSLA is one cashtag, US$ and $100 and $toolongtag are none")),
    ("twitter", Content(media=photos(4, "x" * 1000))),
    ("twitter", Content(media=media("video"))),
    ("twitter", Content(media=media("gif"))),
    ("twitter", Content(link=Link(url="https://example.com"))),
    (
        "twitter",
        Content(text="Hi", hashtags=("launch", "#Q1_2026", "हिन्दी", "日本語", "été"), mentions=("@partner_company",)),
    ),
    ("linkedin", Content(text="a" * 3000)),
    ("linkedin", Content(text="😀" * 1500)),
    ("linkedin", Content(media=photos(20, "x" * 4086))),
    ("linkedin", Content(text="Read", link=Link(url="https://example.com", title="t" * 400))),
    ("linkedin", Content(text="Read", media=media("image"), link=Link(url="https://example.com"))),
    ("linkedin", Content(text="_*~ (all) [the] {reserved} <ones> | # @ \\" * 70)),
]

BAD: list[tuple[Platform, Content, list[tuple[str, str]]]] = [
    ("twitter", Content(text="a" * 281), [("text.weighted_length", "/parts/0/text")]),
    ("twitter", Content(text="日" * 141), [("text.weighted_length", "/parts/0/text")]),
    ("twitter", Content(text="a" * 278, hashtags=("b",)), [("text.weighted_length", "/parts/0/text")]),
    (
        "twitter",
        Content(text="a" * 270, link=Link(url="https://example.com")),
        [("text.weighted_length", "/parts/0/text")],
    ),
    ("twitter", Content(), [("text.empty", "/parts/0/text")]),
    ("twitter", Content(text=" \n\u3000"), [("text.empty", "/parts/0/text")]),
    ("twitter", Content(text="a\ufeffb"), [("text.characters", "/parts/0/text")]),
    ("twitter", Content(text="$TSLA and $AAPL"), [("text.cashtags", "/parts/0/text")]),
    ("twitter", Content(media=photos(5)), [("media.count", "/parts/0/media")]),
    ("twitter", Content(media=media("image", "video")), [("media.mixed", "/parts/0/media")]),
    ("twitter", Content(media=media("gif", "gif")), [("media.mixed", "/parts/0/media")]),
    ("twitter", Content(media=media("document")), [("media.type", "/parts/0/media/0/type")]),
    ("twitter", Content(media=media("image", alt_text="x" * 1001)), [("media.alt_text", "/parts/0/media/0/alt_text")]),
    (
        "twitter",
        Content(text="a", hashtags=("ok", "two words", "123", "a-b", "", "#")),
        [("hashtags.format", f"/parts/0/hashtags/{index}") for index in range(1, 6)],
    ),
    (
        "twitter",
        Content(text="a", mentions=("ok", "@two words", "a.b", "@", "a" * 21)),
        [("mentions.format", f"/parts/0/mentions/{index}") for index in range(1, 5)],
    ),
    ("linkedin", Content(text="a" * 3001), [("text.length", "/parts/0/text")]),
    ("linkedin", Content(text="😀" * 1501), [("text.length", "/parts/0/text")]),
    ("linkedin", Content(), [("text.empty", "/parts/0/text")]),
    ("linkedin", Content(media=photos(21)), [("media.count", "/parts/0/media")]),
    ("linkedin", Content(media=media("video", "video")), [("media.mixed", "/parts/0/media")]),
    ("linkedin", Content(media=media("image", alt_text="x" * 4087)), [("media.alt_text", "/parts/0/media/0/alt_text")]),
    ("linkedin", Content(text="Read", link=Link(url="https://example.com")), [("link.title", "/parts/0/link/title")]),
    (
        "linkedin",
        Content(text="Read", link=Link(url="https://example.com", title=" ")),
        [("link.title", "/parts/0/link/title")],
    ),
    (
        "linkedin",
        Content(text="Read", link=Link(url="https://example.com", title="t" * 401)),
        [("link.title_length", "/parts/0/link/title")],
    ),
    ("linkedin", Content(text="a", mentions=("two words",)), [("mentions.format", "/parts/0/mentions/0")]),
]


@pytest.mark.parametrize(("platform", "content"), GOOD)
def test_good_posts(platform: Platform, content: Content) -> None:
    assert checked(platform, content) == []


@pytest.mark.parametrize(("platform", "content", "expected"), BAD)
def test_bad_posts(platform: Platform, content: Content, expected: list[tuple[str, str]]) -> None:
    found = checked(platform, content)
    assert broken(found) == expected
    for each in found:
        assert each.platform == platform
        assert each.message
        assert each.remediation


def test_a_violation_tells_the_limit_and_what_it_met() -> None:
    (found,) = checked("twitter", Content(text="a" * 300))
    assert (found.limit, found.actual) == (280, 300)
    assert "300" in found.message
    assert "280" in found.message
    assert "20" in found.remediation


def test_premium_accounts_write_longer() -> None:
    assert checked("twitter", Content(text="a" * 25_000), account=PREMIUM) == []
    (found,) = checked("twitter", Content(text="a" * 25_001), account=PREMIUM)
    assert found.limit == 25_000
    assert checked("twitter", Content(text="a" * 281), account=None)[0].limit == 280


def test_only_what_can_still_be_added_is_incomplete() -> None:
    incomplete = {
        each.rule
        for platform, content, _ in BAD
        for each in checked(platform, content)
        if each.severity == "incomplete"
    }
    assert incomplete == {"twitter.text.empty", "linkedin.text.empty", "linkedin.link.title"}


def test_each_part_of_a_thread_is_checked() -> None:
    parts = (Content(text="fine"), Content(text="a" * 281), Content(media=media("image", "gif")))
    assert broken(checked("twitter", *parts, kind="thread")) == [
        ("text.weighted_length", "/parts/1/text"),
        ("media.mixed", "/parts/2/media"),
    ]


def test_a_thread_has_two_parts() -> None:
    (found,) = checked("twitter", Content(text="alone"), kind="thread")
    assert (found.rule, found.pointer, found.severity) == ("twitter.thread.parts", "/parts", "incomplete")


def test_parts_of_a_thread_do_not_repeat_each_other() -> None:
    parts = (Content(text="again"), Content(text="other"), Content(text=" again\n"))
    assert broken(checked("twitter", *parts, kind="thread")) == [("thread.repeated", "/parts/2/text")]
    assert checked("twitter", Content(media=photos(1)), Content(media=photos(1)), kind="thread") == []


def test_linkedin_has_no_threads() -> None:
    found = checked("linkedin", Content(text="one"), Content(text="two"), kind="thread")
    assert broken(found) == [("thread.unsupported", "")]


@pytest.mark.parametrize(
    ("platform", "options"),
    [
        ("twitter", {"reply_settings": "everyone", "made_with_ai": True, "paid_partnership": False}),
        ("twitter", {"reply_settings": "mentionedUsers"}),
        ("linkedin", {"visibility": "connections", "is_reshare_disabled": True}),
        ("linkedin", {"visibility": "PUBLIC"}),
    ],
)
def test_options(platform: Platform, options: Options) -> None:
    assert checked(platform, Content(text="a"), options=options) == []


@pytest.mark.parametrize(
    ("platform", "name", "value", "rule"),
    [
        ("twitter", "reply_settings", "friends", "options.value"),
        ("twitter", "reply_settings", "Following", "options.value"),
        ("twitter", "reply_settings", None, "options.value"),
        ("twitter", "made_with_ai", "true", "options.value"),
        ("twitter", "made_with_ai", 1, "options.value"),
        ("twitter", "visibility", "public", "options.unknown"),
        ("linkedin", "visibility", ["public"], "options.value"),
        ("linkedin", "visibility", "private", "options.value"),
        ("linkedin", "reply_settings", "everyone", "options.unknown"),
    ],
)
def test_bad_options(platform: Platform, name: str, value: Any, rule: str) -> None:
    (found,) = checked(platform, Content(text="a"), options={name: value})
    assert found.rule == f"{platform}.{rule}"
    assert found.pointer == f"/options/{name}"
    known = sorted(OPTIONS[platform]) if rule == "options.unknown" else OPTIONS[platform][name].choices()
    assert found.limit == known


def test_names_of_options_are_escaped_in_pointers() -> None:
    (found,) = checked("twitter", Content(text="a"), options={"a/b~c": 1})
    assert found.pointer == "/options/a~1b~0c"


def test_a_page_has_no_connections() -> None:
    found = checked("linkedin", Content(text="a"), options={"visibility": "Connections"}, account=PAGE)
    assert broken(found) == [("options.visibility", "/options/visibility")]


contents = st.builds(
    Content,
    text=st.sampled_from(["", "a", "a" * 3001, "\ufeff $A $B"]),
    hashtags=st.lists(st.text(max_size=3), max_size=2).map(tuple),
    mentions=st.lists(st.text(max_size=3), max_size=2).map(tuple),
    media=st.sampled_from([(), photos(1, "x" * 5000), photos(21), media("document", "gif")]),
    link=st.none() | st.builds(Link, url=st.just("https://example.com"), title=st.sampled_from([None, "", "t" * 401])),
)


@given(
    st.lists(contents, min_size=1, max_size=3),
    st.sampled_from(["post", "thread"]),
    st.sampled_from(AVAILABLE),
    st.dictionaries(st.text(max_size=3) | st.sampled_from(["visibility", "made_with_ai"]), st.text(max_size=3)),
)
def test_every_pointer_leads_to_something_in_the_order_of_the_parts(
    parts: list[Content], kind: PostKind, platform: Platform, options: Options
) -> None:
    found = checked(platform, *parts, kind=kind, options=options)
    document = to_builtins({"parts": parts, "options": options})
    for each in found:
        place = document
        for step in each.pointer.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            place = place[int(name)] if isinstance(place, (list, tuple)) else place[name]
    own = [each for each in found if each.pointer.startswith("/parts/") and not each.rule.endswith(".repeated")]
    assert own == sorted(own, key=lambda each: int(each.pointer.split("/")[2]))
    assert found == checked(platform, *parts, kind=kind, options=options)


@given(st.text(st.characters(exclude_characters="$", exclude_categories=["Cs"]), max_size=400))
def test_x_takes_what_its_count_allows(text: str) -> None:
    rules = {each.rule for each in checked("twitter", Content(text=text))}
    assert ("twitter.text.weighted_length" in rules) == (weighted_length(text.strip()) > 280)
