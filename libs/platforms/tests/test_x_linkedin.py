"""What X and LinkedIn have beside texts and media: polls, quotes, cards, comments, and what files may be."""

import re
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.content import Content, Link, Media, MediaType, Options, Platform
from platforms import linkedin, x
from platforms.checking import OPTIONS, AccountFacts, check
from platforms.composing import compose_text, has_card, little_text, plain_text
from platforms.rules import MediaFacts, Option, Violation

LINK = Link(url="https://example.com/a_b", title="A")
POLL: Options = {"poll_question": "Which?", "poll_options": ["Tea", "Coffee"]}
PREMIUM = AccountFacts(account_type="premium")
TALKING = AccountFacts(account_type="company_page", permissions=("post", "comment"))


def media(*types: MediaType) -> tuple[Media, ...]:
    return tuple(Media(type=kind, url=f"https://cdn.example.com/{n}") for n, kind in enumerate(types))


def broken(platform: Platform, content: Content, options: Options, **more: Any) -> list[tuple[str, str]]:
    account = more.pop("account", None)
    found = check([content], kind="post", platform=platform, options=options, account=account, **more)
    assert all(each.message and each.remediation for each in found)
    return [(each.rule.removeprefix(f"{platform}."), each.pointer) for each in found]


@pytest.mark.parametrize(
    ("platform", "content", "options", "expected"),
    [
        ("twitter", Content(text="Hi"), {"poll_options": ["a", "b"], "poll_duration_minutes": 5}, []),
        (
            "twitter",
            Content(text="Hi", media=media("image")),
            {"poll_options": ["a", " "], "quote_post_id": "1"},
            [("options.exclusive", "/options/poll_options"), ("poll.choice", "/options/poll_options/1")],
        ),
        ("twitter", Content(text="Hi"), {"poll_options": "ab"}, [("options.value", "/options/poll_options")]),
        ("twitter", Content(text="Hi"), {"quote_post_id": "1\n"}, [("options.value", "/options/quote_post_id")]),
        ("twitter", Content(text="Hi"), {"first_comment": ["a"]}, [("options.value", "/options/first_comment")]),
        ("linkedin", Content(), {**POLL}, [("text.empty", "/parts/0/text")]),
        ("linkedin", Content(), {"reshare_post_id": "urn:li:share:1"}, []),
        ("linkedin", Content(text="Vote", link=Link(url="https://example.com")), POLL, []),
        (
            "linkedin",
            Content(text="Vote", media=media("image")),
            {**POLL, "link_thumbnail": True},
            [("options.exclusive", "/options/poll_options"), ("link.thumbnail", "/options/link_thumbnail")],
        ),
    ],
)
def test_posts(platform: Platform, content: Content, options: Options, expected: list[tuple[str, str]]) -> None:
    assert broken(platform, content, options) == expected


def test_comments_are_as_long_as_the_account_may_write() -> None:
    options = {"first_comment": "a" * 300}
    assert broken("twitter", Content(text="Hi"), options) == [
        ("first_comment.weighted_length", "/options/first_comment")
    ]
    assert broken("twitter", Content(text="Hi"), options, account=PREMIUM) == []


@pytest.mark.parametrize(
    ("account", "allowed"),
    [
        (None, True),
        (AccountFacts(account_type="member"), True),
        (AccountFacts(account_type="member", permissions=("post", "comment")), True),
        (AccountFacts(account_type="member", permissions=("post",)), False),
        (TALKING, True),
        (AccountFacts(account_type="company_page", permissions=("post",)), False),
    ],
)
def test_comments_on_linkedin_need_a_permission(account: AccountFacts | None, allowed: bool) -> None:
    found = broken("linkedin", Content(text="Hi"), {"first_comment": "First"}, account=account)
    assert (found == []) == allowed


def test_a_document_has_a_title_from_somewhere() -> None:
    content = Content(text="Read", media=media("document"))
    assert broken("linkedin", content, {}) == [("document.title", "/parts/0/media")]
    assert broken("linkedin", content, {}, title=" ") == [("document.title", "/parts/0/media")]
    assert broken("linkedin", content, {}, title="Report") == []
    assert broken("linkedin", content, {"title": "Report"}) == []
    assert linkedin.document_title({"title": "Report"}, "Post") == "Report"


# --- composing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "options", "card"),
    [
        (Content(text="Read", link=LINK), {}, True),
        (Content(text="Read", link=LINK), POLL, False),
        (Content(text="Read", link=LINK), {"reshare_post_id": "urn:li:share:1"}, False),
        (Content(text="Read", link=LINK, media=media("image")), {}, False),
        (Content(text="Read", link=LINK, media=media("image")), {"link_thumbnail": True}, True),
        (Content(text="Read", media=media("image")), {"link_thumbnail": True}, False),
    ],
)
def test_a_link_is_a_card_or_in_the_text(content: Content, options: Options, card: bool) -> None:
    assert has_card(content, "linkedin", options) == card
    text = compose_text(content, "linkedin", options)
    assert (LINK.url in text) == (content.link is not None and not card)
    assert plain_text(little_text(content, options)) == text


# --- options ------------------------------------------------------------------------------------------


@given(
    st.sampled_from([option for known in (x.OPTIONS, linkedin.OPTIONS) for option in known.values()]),
    st.none()
    | st.booleans()
    | st.integers(-1, 20_000)
    | st.text(max_size=30)
    | st.sampled_from(["1", "12345678901234567890", "urn:li:share:1", "urn:li:ugcPost:12", "PUBLIC", "one_day"])
    | st.lists(st.text(max_size=30) | st.sampled_from(["1", "2"]), max_size=11),
)
def test_an_option_takes_what_its_schema_describes(option: Option, value: Any) -> None:
    described = jsonschema.Draft202012Validator(option.schema()).is_valid(value)
    if option.any_case and isinstance(value, str):
        assert not described or option.takes(value)
    elif isinstance(value, list) and any(isinstance(each, str) and each.endswith("\n") for each in value):
        assert described or not option.takes(value)
    elif isinstance(value, str) and value.endswith("\n"):
        # Python's `$` also matches before a last line break, ECMA's does not.
        assert described or not option.takes(value)
    else:
        assert described == option.takes(value)


def test_limits_of_lists_are_told() -> None:
    (choices,) = OPTIONS["twitter"]["poll_options"].choices()
    assert choices == "a list of 2 to 4 texts, each a text of at most 25 characters"
    (ids,) = OPTIONS["twitter"]["tagged_user_ids"].choices()
    assert re.fullmatch(r"a list of at most 10 texts, each a text like .*", ids)


# --- files --------------------------------------------------------------------------------------------

MEGABYTE = 1 << 20
VIDEO = {"content_type": "video/mp4", "size": MEGABYTE, "width": 1280, "height": 720, "duration": 10.0}


def facts(**more: Any) -> MediaFacts:
    return MediaFacts(**{**VIDEO, **more})


def rules(found: list[Violation]) -> list[str]:
    assert all(each.pointer == "/parts/0/media/0" and each.message and each.remediation for each in found)
    return [each.rule.partition(".media.")[2] for each in found]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, []),
        ({"width": 720, "height": 1280, "frame_rate": 60.0, "duration": 140.0}, []),
        ({"content_type": "video/quicktime"}, []),
        ({"content_type": "video/webm"}, ["format"]),
        ({"size": 513 * MEGABYTE}, ["size"]),
        ({"width": 1920, "height": 1080}, ["resolution"]),
        ({"width": 1200, "height": 300}, ["aspect"]),
        ({"width": 16, "height": 16}, ["resolution"]),
        ({"duration": 0.4}, ["duration"]),
        ({"duration": 141.0}, ["duration"]),
        ({"frame_rate": 120.0}, ["frame_rate"]),
        ({"content_type": "image/png", "size": 5 * MEGABYTE, "duration": None}, []),
        ({"content_type": "image/png", "size": 5 * MEGABYTE + 1, "duration": None}, ["size"]),
        ({"content_type": "image/bmp", "duration": None}, ["format"]),
        ({"content_type": "image/gif", "width": 1281, "height": 700, "duration": None}, ["resolution"]),
        ({"content_type": "image/gif", "size": 16 * MEGABYTE, "duration": None}, ["size"]),
        ({"width": None, "height": None, "duration": None}, []),
    ],
)
def test_files_for_x(more: dict[str, Any], expected: list[str]) -> None:
    assert rules(list(x.check_media(facts(**more), {}, "/parts/0/media/0"))) == expected


def test_premium_accounts_post_longer_and_larger_videos() -> None:
    large = facts(width=1920, height=1080, duration=600.0)
    assert rules(list(x.check_media(large, {}, "/parts/0/media/0", account=PREMIUM))) == []


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, []),
        ({"duration": 1_800.0, "size": 500 * MEGABYTE}, []),
        ({"content_type": "video/quicktime"}, ["format"]),
        ({"size": 75 * 1024 - 1}, ["size"]),
        ({"size": 501 * MEGABYTE}, ["size"]),
        ({"duration": 2.9}, ["duration"]),
        ({"duration": 1_801.0}, ["duration"]),
        ({"content_type": "image/png", "width": 6000, "height": 6000, "duration": None}, []),
        ({"content_type": "image/png", "width": 6100, "height": 6000, "duration": None}, ["resolution"]),
        ({"content_type": "image/webp", "duration": None}, ["format"]),
        ({"content_type": "image/png", "size": 21 * MEGABYTE, "duration": None}, ["size"]),
        ({"content_type": "application/pdf", "size": 100 * MEGABYTE}, []),
        ({"content_type": "application/pdf", "size": 101 * MEGABYTE}, ["size"]),
        ({"content_type": "application/zip"}, ["format"]),
    ],
)
def test_files_for_linkedin(more: dict[str, Any], expected: list[str]) -> None:
    assert rules(list(linkedin.check_media(facts(**more), {}, "/parts/0/media/0"))) == expected
