from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.content import Content, Link, Media, Options
from contracts.posts import PostKind
from platforms.checking import OPTIONS, check
from platforms.rules import MediaFacts, Violation
from platforms.youtube import check_media, description, tags_length

VIDEO = Media(type="video", url="https://cdn.example.com/clip.mp4")
CLIP = Content(text="Behind the scenes", media=(VIDEO,))
FACTS = MediaFacts(content_type="video/mp4", size=1_000, width=1_080, height=1_920, duration=59.0)


def checked(
    *parts: Content, kind: PostKind = "post", options: Options | None = None, title: str | None = "Launch"
) -> list[Violation]:
    return check(parts, kind=kind, platform="youtube", options=options or {}, account=None, title=title)


def broken(found: list[Violation]) -> list[tuple[str, str]]:
    return [(each.rule.removeprefix("youtube."), each.pointer) for each in found]


def clip(**more: Any) -> Content:
    return Content(media=(VIDEO,), **more)


@pytest.mark.parametrize(
    "content",
    [
        CLIP,
        clip(),
        clip(text="a" * 5_000),
        clip(text="é" * 2_500),
        clip(text="😀" * 1_250),
        clip(text="Watch", link=Link(url="https://example.com"), hashtags=("launch",), mentions=("@partner.co-1",)),
    ],
)
def test_good_videos(content: Content) -> None:
    assert checked(content) == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (clip(text="a" * 5_001), [("description.length", "/parts/0/text")]),
        (clip(text="é" * 2_501), [("description.length", "/parts/0/text")]),
        (clip(text="a" * 4_990, hashtags=("longhashtag",)), [("description.length", "/parts/0/text")]),
        (clip(text="1 < 2"), [("description.characters", "/parts/0/text")]),
        (Content(text="Words alone"), [("media.required", "/parts/0/media")]),
        (Content(media=(VIDEO, VIDEO)), [("media.count", "/parts/0/media")]),
        (Content(media=(Media(type="image", url="https://e.com/a"),)), [("media.type", "/parts/0/media/0/type")]),
        (clip(hashtags=("two words",)), [("hashtags.format", "/parts/0/hashtags/0")]),
        (clip(mentions=("ab",)), [("mentions.format", "/parts/0/mentions/0")]),
    ],
)
def test_bad_videos(content: Content, expected: list[tuple[str, str]]) -> None:
    found = checked(content)
    assert broken(found) == expected
    for each in found:
        assert each.message
        assert each.remediation


def test_a_title_is_the_options_or_the_posts() -> None:
    assert checked(CLIP, title="t" * 100) == []
    assert checked(CLIP, title="t" * 101, options={"title": "Launch"}) == []
    assert broken(checked(CLIP, title="t" * 101)) == [("title.length", "/options")]
    assert broken(checked(CLIP, title="a > b")) == [("title.characters", "/options")]
    assert broken(checked(CLIP, options={"title": "<b>"})) == [("title.characters", "/options/title")]
    (missing,) = checked(CLIP, title=" ")
    assert (missing.rule, missing.severity) == ("youtube.title.required", "incomplete")


def test_there_are_no_threads() -> None:
    assert broken(checked(CLIP, CLIP, kind="thread")) == [("thread.unsupported", "")]


def test_community_posts_are_refused_with_the_reason() -> None:
    (found,) = checked(Content(text="Hello"), options={"post_type": "community_post"})
    assert found.rule == "youtube.post_type.community_post"
    assert "partners" in found.message


@pytest.mark.parametrize(
    "options",
    [
        {"post_type": "short", "privacy": "UNLISTED", "made_for_kids": False, "category_id": "28"},
        {"tags": ["launch", "two words"], "license": "creative_common", "embeddable": False},
        {"default_language": "pt-BR", "default_audio_language": "zh-Hans-CN", "notify_subscribers": False},
        {"playlist_id": "PLBCF2DAC6FFB574DE", "thumbnail_url": "https://cdn.example.com/a.png"},
        {"first_comment": "First!", "privacy": "unlisted"},
        {"contains_synthetic_media": True, "paid_product_placement": True, "public_stats_viewable": False},
    ],
)
def test_options(options: Options) -> None:
    assert checked(CLIP, options=options) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"publish_at": "2027-01-01T00:00:00Z"}, [("options.unknown", "/options/publish_at")]),
        ({"privacy": "friends"}, [("options.value", "/options/privacy")]),
        ({"category_id": "music"}, [("options.value", "/options/category_id")]),
        ({"category_id": "pop"}, [("options.value", "/options/category_id")]),
        ({"default_language": "english!"}, [("options.value", "/options/default_language")]),
        ({"playlist_id": "a b"}, [("options.value", "/options/playlist_id")]),
        ({"thumbnail_url": "file:///etc/passwd"}, [("options.value", "/options/thumbnail_url")]),
        ({"tags": "launch"}, [("options.value", "/options/tags")]),
        ({"tags": ["a", "a,b", " ", "x>y"]}, [("tags.characters", f"/options/tags/{n}") for n in (1, 2, 3)]),
        ({"tags": ["a" * 251, "b" * 249]}, [("tags.length", "/options/tags")]),
        ({"first_comment": " "}, [("first_comment.empty", "/options/first_comment")]),
        ({"first_comment": "Hi", "privacy": "Private"}, [("first_comment.closed", "/options/first_comment")]),
        ({"first_comment": "Hi", "made_for_kids": True}, [("first_comment.closed", "/options/first_comment")]),
    ],
)
def test_bad_options(options: Options, expected: list[tuple[str, str]]) -> None:
    assert broken(checked(CLIP, options=options)) == expected


def test_tags_are_counted_as_youtube_does() -> None:
    assert tags_length(["Foo-Baz"]) == 7
    assert tags_length(["Foo Baz"]) == 9
    assert tags_length(["Foo-Baz", "Foo Baz"]) == 17
    assert checked(CLIP, options={"tags": ["a" * 250, "b" * 249]}) == []


@given(st.lists(st.text("ab ", min_size=1, max_size=40), max_size=20))
def test_the_length_of_tags_is_that_of_the_line_they_are_typed_in(tags: list[str]) -> None:
    assert tags_length(tags) == len(",".join(f'"{tag}"' if " " in tag else tag for tag in tags))


@given(st.text(max_size=2_000))
def test_what_a_description_may_hold_depends_on_its_bytes_alone(text: str) -> None:
    content = clip(text=text * 3)
    size = len(description(content).encode("utf-8", "surrogatepass"))
    assert ("description.length" in {rule for rule, _ in broken(checked(content))}) == (size > 5_000)


def seen(options: Options, **more: Any) -> list[str]:
    facts = {name: getattr(FACTS, name) for name in FACTS.__struct_fields__}
    return [each.rule for each in check_media(MediaFacts(**{**facts, **more}), options, "/parts/0/media/0")]


def test_files() -> None:
    short = {"post_type": "short"}
    assert seen(short) == []
    assert seen(short, duration=180.0, width=1_080, height=1_080) == []
    assert seen(short, duration=180.5) == ["youtube.short.duration"]
    assert seen(short, width=1_920, height=1_080) == ["youtube.short.aspect"]
    assert seen({}, width=1_920, height=1_080, duration=43_200.0) == []
    assert seen({}, duration=43_201.0) == ["youtube.media.duration"]
    assert seen({}, size=256 * 1024**3 + 1) == ["youtube.media.size"]
    assert seen({}, content_type="image/png") == ["youtube.media.type"]


def test_every_option_has_a_schema_and_says_what_it_is() -> None:
    for option in OPTIONS["youtube"].values():
        assert option.schema()["description"]
