from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.content import Content, Media, MediaType
from platforms.rules import MediaFacts
from platforms.tiktok import OPTIONS, check, check_media, utf16_length

PUBLIC = {"privacy_level": "public_to_everyone"}
INBOX = {"mode": "inbox"}
VIDEO = (Media(type="video", url="https://cdn.example.com/a.mp4"),)


def photos(count: int) -> tuple[Media, ...]:
    return tuple(Media(type="image", url=f"https://cdn.example.com/{n}.jpg") for n in range(count))


def media(*types: MediaType) -> tuple[Media, ...]:
    return tuple(Media(type=each, url=f"https://cdn.example.com/{n}") for n, each in enumerate(types))


def broken(content: Content, options: dict[str, Any], *, title: str | None = None) -> list[tuple[str, str]]:
    found = check([content], kind="post", options=options, account=None, title=title)
    return [(each.rule.removeprefix("tiktok."), each.pointer) for each in found]


GOOD: list[tuple[Content, dict[str, Any]]] = [
    (Content(media=VIDEO), PUBLIC),
    (Content(text="a" * 2_200, media=VIDEO), {"privacy_level": "SELF_ONLY"}),
    (Content(text="😀" * 1_100, media=VIDEO), PUBLIC),
    (Content(text="Hi", hashtags=("launch", "日本語"), mentions=("@some.body_1",), media=VIDEO), PUBLIC),
    (
        Content(media=VIDEO),
        {
            "privacy_level": "follower_of_creator",
            "post_type": "video",
            "mode": "direct",
            "allow_comment": True,
            "allow_duet": True,
            "allow_stitch": False,
            "brand_content_toggle": True,
            "brand_organic_toggle": True,
            "is_aigc": True,
            "video_cover_timestamp_ms": 0,
        },
    ),
    (Content(text="d" * 4_000, media=photos(35)), {**PUBLIC, "title": "t" * 90, "photo_cover_index": 34}),
    (Content(media=photos(1)), {**PUBLIC, "post_type": "photo", "auto_add_music": True}),
    (Content(media=VIDEO), INBOX),
    (Content(text="Words", media=photos(2)), {**INBOX, "title": "Cats", "photo_cover_index": 1}),
]

BAD: list[tuple[Content, dict[str, Any], tuple[str, str]]] = [
    (Content(text="Words alone"), PUBLIC, ("media.required", "/parts/0/media")),
    (Content(media=media("gif")), PUBLIC, ("media.type", "/parts/0/media/0/type")),
    (Content(media=media("document")), PUBLIC, ("media.type", "/parts/0/media/0/type")),
    (Content(media=media("video", "video")), PUBLIC, ("media.mixed", "/parts/0/media")),
    (Content(media=media("image", "video")), PUBLIC, ("media.mixed", "/parts/0/media")),
    (Content(media=photos(36)), PUBLIC, ("media.count", "/parts/0/media")),
    (Content(media=(Media(type="image"),)), PUBLIC, ("media.url", "/parts/0/media/0")),
    (Content(media=VIDEO), {**PUBLIC, "post_type": "photo"}, ("post_type.media", "/parts/0/media")),
    (Content(media=photos(1)), {**PUBLIC, "post_type": "video"}, ("post_type.media", "/parts/0/media")),
    (Content(text="a" * 2_201, media=VIDEO), PUBLIC, ("text.length", "/parts/0/text")),
    (Content(text="😀" * 1_101, media=VIDEO), PUBLIC, ("text.length", "/parts/0/text")),
    (Content(text="a" * 2_200, hashtags=("x1",), media=VIDEO), PUBLIC, ("text.length", "/parts/0/text")),
    (Content(text="d" * 4_001, media=photos(1)), PUBLIC, ("text.length", "/parts/0/text")),
    (Content(media=photos(1)), {**PUBLIC, "title": "😀" * 46}, ("title.length", "/options/title")),
    (Content(media=photos(1)), {**PUBLIC, "title": "t" * 91}, ("title.length", "/options/title")),
    (Content(media=VIDEO), {}, ("privacy_level.required", "/options")),
    (Content(media=VIDEO), {"privacy_level": "friends"}, ("options.value", "/options/privacy_level")),
    (
        Content(media=VIDEO),
        {"privacy_level": "self_only", "brand_content_toggle": True},
        ("privacy_level.branded", "/options/privacy_level"),
    ),
    (Content(media=VIDEO), {**PUBLIC, "title": "Mine"}, ("options.post_type", "/options/title")),
    (Content(media=VIDEO), {**PUBLIC, "auto_add_music": True}, ("options.post_type", "/options/auto_add_music")),
    (Content(media=photos(1)), {**PUBLIC, "allow_duet": True}, ("options.post_type", "/options/allow_duet")),
    (Content(media=photos(1)), {**PUBLIC, "allow_stitch": True}, ("options.post_type", "/options/allow_stitch")),
    (
        Content(media=photos(1)),
        {**PUBLIC, "video_cover_timestamp_ms": 5},
        ("options.post_type", "/options/video_cover_timestamp_ms"),
    ),
    (
        Content(media=photos(2)),
        {**PUBLIC, "photo_cover_index": 2},
        ("photo_cover_index.range", "/options/photo_cover_index"),
    ),
    (Content(text="Words", media=VIDEO), INBOX, ("inbox.text", "/parts/0/text")),
    (Content(hashtags=("launch",), media=VIDEO), INBOX, ("inbox.text", "/parts/0/text")),
    (Content(media=VIDEO), {**INBOX, **PUBLIC}, ("inbox.options", "/options/privacy_level")),
    (Content(media=VIDEO), {**INBOX, "allow_comment": True}, ("inbox.options", "/options/allow_comment")),
    (Content(media=VIDEO), {**PUBLIC, "first_comment": "Hi"}, ("options.unknown", "/options/first_comment")),
    (Content(media=VIDEO, mentions=("no one",)), PUBLIC, ("mentions.format", "/parts/0/mentions/0")),
    (Content(media=VIDEO, hashtags=("two words",)), PUBLIC, ("hashtags.format", "/parts/0/hashtags/0")),
]


@pytest.mark.parametrize(("content", "options"), GOOD)
def test_good(content: Content, options: dict[str, Any]) -> None:
    assert broken(content, options) == []


@pytest.mark.parametrize(("content", "options", "rule"), BAD)
def test_bad(content: Content, options: dict[str, Any], rule: tuple[str, str]) -> None:
    assert rule in broken(content, options)


def test_threads_do_not_exist() -> None:
    found = check([Content(media=VIDEO), Content(media=VIDEO)], kind="thread", options=PUBLIC, account=None)
    assert [(each.rule, each.pointer) for each in found] == [("tiktok.thread.unsupported", "")]


def test_a_photos_title_is_the_posts_unless_there_is_another() -> None:
    long = "t" * 91
    assert broken(Content(media=photos(1)), PUBLIC, title=long) == [("title.length", "/options/title")]
    assert broken(Content(media=photos(1)), {**PUBLIC, "title": "Cats"}, title=long) == []
    assert broken(Content(media=VIDEO), PUBLIC, title=long) == []


def test_a_draft_may_lack_media_and_privacy() -> None:
    found = list(check([Content(text="Words")], kind="post", options={}, account=None))
    assert {each.rule: each.severity for each in found} == {
        "tiktok.media.required": "incomplete",
        "tiktok.privacy_level.required": "incomplete",
    }


@given(st.text(max_size=2_300))
def test_a_caption_is_measured_in_utf16(text: str) -> None:
    rules = [rule for rule, _ in broken(Content(text=text, media=VIDEO), PUBLIC)]
    assert ("text.length" in rules) == (len(text.strip().encode("utf-16-le", "surrogatepass")) > 4_400)


@given(st.text())
def test_utf16_units(text: str) -> None:
    assert utf16_length(text) == sum(1 + (ord(each) > 0xFFFF) for each in text)


@given(st.dictionaries(st.sampled_from(sorted(OPTIONS)), st.none() | st.booleans() | st.integers() | st.text()))
def test_no_options_break_the_check(options: dict[str, Any]) -> None:
    for content in (Content(), Content(text="Hi", media=VIDEO), Content(media=photos(2))):
        for each in check([content], kind="post", options=options, account=None):
            assert each.message
            assert each.remediation


MP4 = MediaFacts(
    content_type="video/mp4",
    size=1_000,
    width=1_080,
    height=1_920,
    duration=15.0,
    frame_rate=30.0,
    video_codec="h264",
    audio_codec="aac",
)
JPEG = MediaFacts(content_type="image/jpeg", size=1_000, width=1_080, height=1_920)


def changed(facts: MediaFacts, **changes: Any) -> MediaFacts:
    return MediaFacts(**({name: getattr(facts, name) for name in facts.__struct_fields__} | changes))


@pytest.mark.parametrize(
    "facts",
    [
        MP4,
        changed(MP4, content_type="video/quicktime", width=360, height=4_096, frame_rate=60.0, duration=600.0),
        changed(MP4, video_codec="VP9", frame_rate=None, size=4 * 1024**3),
        JPEG,
        changed(JPEG, content_type="image/webp", width=941, height=1_672, size=20 * 1024**2),
    ],
)
def test_good_files(facts: MediaFacts) -> None:
    assert list(check_media(facts, {}, "/parts/0/media/0")) == []


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        (changed(MP4, content_type="video/webm"), "format"),
        (changed(MP4, size=4 * 1024**3 + 1), "size"),
        (changed(MP4, width=352), "resolution"),
        (changed(MP4, height=4_112), "resolution"),
        (changed(MP4, duration=601.0), "duration"),
        (changed(MP4, duration=0.5), "cover"),
        (changed(MP4, frame_rate=22.0), "frame_rate"),
        (changed(MP4, frame_rate=61.0), "frame_rate"),
        (changed(MP4, video_codec="av1"), "codec"),
        (changed(JPEG, content_type="image/png"), "format"),
        (changed(JPEG, size=20 * 1024**2 + 1), "size"),
        (changed(JPEG, width=1_086, height=1_448), "resolution"),
    ],
)
def test_bad_files(facts: MediaFacts, rule: str) -> None:
    found = list(check_media(facts, {"video_cover_timestamp_ms": 1_000}, "/parts/0/media/0"))
    assert [each.rule for each in found] == [f"tiktok.media.{rule}"]
    assert found[0].limit is not None
    assert found[0].actual is not None
