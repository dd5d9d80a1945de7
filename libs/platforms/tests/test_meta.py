"""The rules of Facebook and Instagram."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.content import Content, Link, Media, Options, Platform
from contracts.posts import PostKind
from platforms import facebook, instagram
from platforms.checking import AccountFacts, check
from platforms.composing import compose_text, has_card, normalise_for_match
from platforms.rules import MediaFacts

IMAGE = Media(type="image", url="https://example.com/a.jpg")
VIDEO = Media(type="video", url="https://example.com/a.mp4")
GIF = Media(type="gif", url="https://example.com/a.gif")
LINK = Link(url="https://example.com/")
STORY: Options = {"post_type": "story"}
REEL: Options = {"post_type": "reel"}
MEGABYTE = 1024 * 1024


def rules(
    platform: Platform,
    content: Content,
    options: Options | None = None,
    *,
    kind: PostKind = "post",
    account: AccountFacts | None = None,
) -> list[str]:
    found = check([content], kind=kind, platform=platform, options=options or {}, account=account)
    for violation in found:
        assert violation.message
        assert violation.remediation
    return [violation.rule.removeprefix(f"{platform}.") for violation in found]


def content(text: str = "", *media: Media, link: Link | None = None, **more: Any) -> Content:
    return Content(text=text, media=media, link=link, **more)


@pytest.mark.parametrize(
    ("platform", "post", "options"),
    [
        ("facebook", content("Hello"), {}),
        ("facebook", content("a" * 63_206), {}),
        ("facebook", content("", link=LINK), {}),
        ("facebook", content("", *[IMAGE] * 10), {}),
        ("facebook", content("Look", VIDEO), {"title": "The sea", "is_ai_generated": True}),
        ("facebook", content("Look", VIDEO), REEL),
        ("facebook", content("", IMAGE), STORY),
        ("facebook", content("", VIDEO), STORY),
        ("facebook", content("Wow"), {"text_format_preset_id": "106018623298955", "countries": ["BR", "DE"]}),
        ("facebook", content("Hello"), {"first_comment": "And more", "place": "1"}),
        ("instagram", content("a" * 2_200, IMAGE), {}),
        ("instagram", content("😀" * 1_100, IMAGE), {}),
        ("instagram", content(" ".join(f"#t{n}" for n in range(30)), IMAGE), {}),
        ("instagram", content(" ".join(f"@u{n}" for n in range(20)), IMAGE), {}),
        ("instagram", content("", *[IMAGE, VIDEO] * 5), {"collaborators": ["a", "b", "c"]}),
        ("instagram", content("", VIDEO), {"share_to_feed": True, "thumb_offset": 0, "trial_reel": "manual"}),
        ("instagram", content("", VIDEO), {**REEL, "user_tags": ["amara"], "cover_url": "https://example.com/c.jpg"}),
        ("instagram", content("", IMAGE), {"user_tags": ["amara:0.5:1", "@bia:0:0.25"], "location_id": "1"}),
        ("instagram", content("", IMAGE), {**STORY, "user_tags": ["amara", "bia:1:1"]}),
        ("instagram", content("", IMAGE), {"first_comment": "#more " * 30, "is_ai_generated": True}),
    ],
)
def test_good(platform: Platform, post: Content, options: Options) -> None:
    assert rules(platform, post, options) == []


@pytest.mark.parametrize(
    ("platform", "post", "options", "rule"),
    [
        ("facebook", content(), {}, "text.empty"),
        ("facebook", content("a" * 63_207), {}, "text.length"),
        ("facebook", content("", *[IMAGE] * 11), {}, "media.count"),
        ("facebook", content("", IMAGE, VIDEO), {}, "media.mixed"),
        ("facebook", content("", VIDEO, VIDEO), {}, "media.mixed"),
        ("facebook", content("", GIF), {}, "media.type"),
        ("facebook", content("a"), REEL, "reel.media"),
        ("facebook", content("a", IMAGE), REEL, "reel.media"),
        ("facebook", content("a", VIDEO, VIDEO), REEL, "reel.media"),
        ("facebook", content(""), STORY, "story.media"),
        ("facebook", content("", IMAGE, IMAGE), STORY, "story.media"),
        ("facebook", content("Hello", IMAGE), STORY, "story.text"),
        ("facebook", content("", IMAGE), {**STORY, "first_comment": "a"}, "options.misplaced"),
        ("facebook", content("", VIDEO), {**STORY, "title": "a"}, "options.misplaced"),
        ("facebook", content("a", VIDEO), {**REEL, "countries": ["BR"]}, "options.misplaced"),
        ("facebook", content("a"), {"countries": ["br"]}, "options.countries"),
        ("facebook", content("a"), {"countries": ["BRA"]}, "options.value"),
        ("facebook", content("a", link=LINK), {"text_format_preset_id": "1"}, "options.preset"),
        ("facebook", content("a", IMAGE), {"text_format_preset_id": "1"}, "options.preset"),
        ("facebook", content("a" * 131), {"text_format_preset_id": "1"}, "options.preset_length"),
        ("facebook", content("a"), {"first_comment": "a" * 8_001}, "options.value"),
        ("facebook", content("a"), {"first_comment": " "}, "first_comment.empty"),
        ("instagram", content("", IMAGE), {"first_comment": "\n"}, "first_comment.empty"),
        ("facebook", content("a"), {"post_type": "event"}, "options.value"),
        ("facebook", content("a"), {"visibility": "public"}, "options.unknown"),
        ("facebook", content("a", hashtags=("two words",)), {}, "hashtags.format"),
        ("facebook", content("a", mentions=("two words",)), {}, "mentions.format"),
        ("instagram", content("Hello"), {}, "media.required"),
        ("instagram", content("a" * 2_201, IMAGE), {}, "text.length"),
        ("instagram", content("😀" * 1_101, IMAGE), {}, "text.length"),
        ("instagram", content(" ".join(f"#t{n}" for n in range(31)), IMAGE), {}, "text.hashtags"),
        ("instagram", content("", IMAGE, hashtags=tuple(f"t{n}" for n in range(31))), {}, "text.hashtags"),
        ("instagram", content(" ".join(f"@u{n}" for n in range(21)), IMAGE), {}, "text.mentions"),
        ("instagram", content("", *[IMAGE] * 11), {}, "media.count"),
        ("instagram", content("", GIF), {}, "media.type"),
        ("instagram", content("", IMAGE), REEL, "reel.media"),
        ("instagram", content("", VIDEO, VIDEO), REEL, "reel.media"),
        ("instagram", content("", IMAGE, IMAGE), STORY, "story.media"),
        ("instagram", content("Hello", IMAGE), STORY, "story.text"),
        ("instagram", content("", Media(type="image", url="x", alt_text="a" * 1_001)), {}, "media.alt_text"),
        ("instagram", content("", Media(type="image", url="https://example.com/é.jpg")), {}, "media.url"),
        ("instagram", content("", IMAGE), {"share_to_feed": True}, "options.misplaced"),
        ("instagram", content("", IMAGE), {"trial_reel": "manual"}, "options.misplaced"),
        ("instagram", content("", IMAGE), {**STORY, "collaborators": ["a"]}, "options.misplaced"),
        ("instagram", content("", IMAGE), {**STORY, "first_comment": "a"}, "options.misplaced"),
        ("instagram", content("", IMAGE, IMAGE), {"user_tags": ["a:0:0"]}, "options.misplaced"),
        ("instagram", content("", IMAGE), {"user_tags": ["amara"]}, "options.user_tags"),
        ("instagram", content("", IMAGE), {"user_tags": ["amara:2:0"]}, "options.user_tags"),
        ("instagram", content("", VIDEO), {"user_tags": ["amara:0.5:0.5"]}, "options.user_tags"),
        ("instagram", content("", VIDEO), {"cover_url": "ftp://example.com/a"}, "options.cover_url"),
        ("instagram", content("", VIDEO), {"thumb_offset": -1}, "options.value"),
        ("instagram", content("", IMAGE), {"collaborators": ["a", "b", "c", "d"]}, "options.value"),
        ("instagram", content("", IMAGE), {"collaborators": ["no one"]}, "options.collaborators"),
        ("instagram", content("", IMAGE), {"first_comment": "#t " * 31}, "text.hashtags"),
    ],
)
def test_bad(platform: Platform, post: Content, options: Options, rule: str) -> None:
    assert rule in rules(platform, post, options)


@pytest.mark.parametrize("platform", ["facebook", "instagram"])
def test_neither_has_threads(platform: Platform) -> None:
    assert "thread.unsupported" in rules(platform, content("a", IMAGE), kind="thread")


@pytest.mark.parametrize(("login", "refused"), [(None, True), ("facebook", False)])
def test_some_options_need_facebook_login(login: str | None, refused: bool) -> None:
    found = rules("instagram", content("", IMAGE), {"is_paid_partnership": True}, account=AccountFacts(login=login))
    assert ("options.login" in found) == refused


@pytest.mark.parametrize("platform", ["facebook", "instagram"])
@pytest.mark.parametrize(("permissions", "refused"), [((), False), (("post",), True), (("post", "comment"), False)])
def test_comments_need_a_permission(platform: Platform, permissions: tuple[str, ...], refused: bool) -> None:
    account = AccountFacts(permissions=permissions)
    found = rules(platform, content("a", IMAGE), {"first_comment": "First"}, account=account)
    assert found == (["first_comment.permission"] if refused else [])


def test_the_posts_own_title_is_measured_for_videos_only() -> None:
    title = "a" * 256
    found = [v.rule for v in facebook.check([content("a", VIDEO)], kind="post", options={}, account=None, title=title)]
    assert found == ["facebook.title.length"]
    assert not list(facebook.check([content("a")], kind="post", options={}, account=None, title=title))


def facts(content_type: str, **more: Any) -> MediaFacts:
    return MediaFacts(content_type=content_type, **{"size": 1, **more})


UPRIGHT = {"width": 1080, "height": 1920, "duration": 30.0, "frame_rate": 29.97}


@pytest.mark.parametrize(
    ("platform", "file", "options", "broken"),
    [
        ("facebook", facts("image/png", size=4 * MEGABYTE), {}, None),
        ("facebook", facts("image/png", size=4 * MEGABYTE + 1), {}, "size"),
        ("facebook", facts("image/svg+xml"), {}, "format"),
        ("facebook", facts("video/mp4", **UPRIGHT), {}, None),
        ("facebook", facts("video/mp4"), REEL, None),
        ("facebook", facts("video/x-flv"), {}, "format"),
        ("facebook", facts("video/mp4", width=2000, height=500), {}, "ratio"),
        ("facebook", facts("video/mp4", **UPRIGHT), REEL, None),
        ("facebook", facts("video/mp4", **{**UPRIGHT, "duration": 90.1}), REEL, "duration"),
        ("facebook", facts("video/mp4", **{**UPRIGHT, "duration": 2.9}), REEL, "duration"),
        ("facebook", facts("video/mp4", **{**UPRIGHT, "duration": 61.0}), STORY, "duration"),
        ("facebook", facts("video/mp4", width=539, height=959), REEL, "resolution"),
        ("facebook", facts("video/mp4", **{**UPRIGHT, "frame_rate": 15.0}), REEL, "frame_rate"),
        ("instagram", facts("image/jpeg", size=8 * MEGABYTE, width=1080, height=1350), {}, None),
        ("instagram", facts("image/jpeg", width=1080, height=566), {}, None),
        ("instagram", facts("image/jpeg", size=8 * MEGABYTE + 1), {}, "size"),
        ("instagram", facts("image/png"), {}, "format"),
        ("instagram", facts("image/jpeg", width=1080, height=1920), {}, "ratio"),
        ("instagram", facts("image/jpeg", width=1080, height=1920), STORY, None),
        ("instagram", facts("image/jpeg", width=2000, height=1000), {}, "ratio"),
        ("instagram", facts("video/mp4", **{**UPRIGHT, "duration": 900.0}), {}, None),
        ("instagram", facts("video/mp4", **{**UPRIGHT, "duration": 900.1}), {}, "duration"),
        ("instagram", facts("video/mp4", **{**UPRIGHT, "duration": 60.1}), STORY, "duration"),
        ("instagram", facts("video/mp4", size=100 * MEGABYTE + 1), STORY, "size"),
        ("instagram", facts("video/mp4", size=300 * MEGABYTE + 1), {}, "size"),
        ("instagram", facts("video/mp4", width=1921, height=1080), {}, "width"),
        ("instagram", facts("video/mp4", **{**UPRIGHT, "frame_rate": 22.0}), {}, "frame_rate"),
        ("instagram", facts("video/webm"), {}, "format"),
    ],
)
def test_files(platform: str, file: MediaFacts, options: Options, broken: str | None) -> None:
    module = facebook if platform == "facebook" else instagram
    found = [violation.rule for violation in module.check_media(file, options, "/parts/0/media/0")]
    assert found == ([] if broken is None else [f"{platform}.media.{broken}"])


def test_a_link_is_a_card_on_facebook_and_text_on_instagram() -> None:
    alone, beside = content("Look", link=LINK), content("Look", IMAGE, link=LINK)
    assert has_card(alone, "facebook")
    assert compose_text(alone, "facebook") == "Look"
    assert compose_text(beside, "facebook") == "Look\n\nhttps://example.com/"
    assert compose_text(beside, "instagram") == "Look\n\nhttps://example.com/"


@given(st.text())
def test_a_caption_read_without_its_at_signs_is_the_same(text: str) -> None:
    assert normalise_for_match(text, "instagram") == normalise_for_match(text.replace("@", ""), "instagram")


texts = st.text(alphabet=st.characters(codec="utf-8"), max_size=40)
posts = st.builds(
    Content,
    text=texts,
    hashtags=st.lists(texts, max_size=3).map(tuple),
    media=st.lists(st.sampled_from([IMAGE, VIDEO, GIF]), max_size=12).map(tuple),
    link=st.none() | st.just(LINK),
)
known = st.sampled_from(sorted({*facebook.OPTIONS, *instagram.OPTIONS, "other"}))
values = st.one_of(st.booleans(), st.integers(), texts, st.lists(texts | st.integers(), max_size=4), st.none())


@given(platform=st.sampled_from(["facebook", "instagram"]), post=posts, options=st.dictionaries(known, values))
def test_whatever_is_given_is_judged_with_a_reason(platform: Platform, post: Content, options: Options) -> None:
    for name in rules(platform, post, options):
        assert name


@given(st.text(max_size=3_000))
def test_a_caption_passes_just_when_it_is_short_enough(text: str) -> None:
    found = rules("instagram", content(text, IMAGE))
    units = len(compose_text(content(text, IMAGE), "instagram").encode("utf-16-le", "surrogatepass")) // 2
    assert ("text.length" in found) == (units > 2_200)
