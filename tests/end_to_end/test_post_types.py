"""Every kind of post on every platform, through HTTP, Kafka, the store and the platforms, judged by their ledger."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.ids import new_id

pytestmark = pytest.mark.stack

PHOTO = {"type": "image", "file": "image.jpg", "w": 1080, "h": 1350}
SQUARE = {"type": "image", "file": "image.jpg", "w": 1080, "h": 1080}
VIDEO = {"type": "video", "file": "video.mp4", "w": 1280, "h": 720, "seconds": 5}
UPRIGHT = {"type": "video", "file": "video.mp4", "w": 720, "h": 1280, "seconds": 5}
GIF = {"type": "gif", "file": "image.gif"}
PDF = {"type": "document", "file": "document.pdf"}
PUBLIC = {"privacy_level": "public_to_everyone"}
LINK = {"url": "https://example.com/news", "title": "News", "description": "What is new"}

KINDS: list[tuple[str, str, list[dict[str, Any]], dict[str, Any], dict[str, Any]]] = [
    # platform, kind, media, options, more content
    ("twitter", "text", [], {}, {}),
    ("twitter", "four images", [PHOTO] * 4, {}, {}),
    ("twitter", "video", [VIDEO], {}, {}),
    ("twitter", "poll", [], {"poll_options": ["Yes", "No"], "poll_duration_minutes": 60}, {}),
    ("linkedin", "text", [], {}, {}),
    ("linkedin", "image", [PHOTO], {}, {}),
    ("linkedin", "several images", [PHOTO, SQUARE], {}, {}),
    ("linkedin", "video", [VIDEO], {}, {}),
    ("linkedin", "document", [PDF], {"title": "Report"}, {}),
    ("linkedin", "article", [], {}, {"link": LINK}),
    ("linkedin", "poll", [], {"poll_question": "Shall we?", "poll_options": ["Yes", "No"]}, {}),
    ("facebook", "text", [], {}, {}),
    ("facebook", "link", [], {}, {"link": LINK}),
    ("facebook", "photo", [PHOTO], {}, {}),
    ("facebook", "several photos", [PHOTO, SQUARE, PHOTO], {}, {}),
    ("facebook", "video", [VIDEO], {}, {}),
    ("facebook", "reel", [UPRIGHT], {"post_type": "reel"}, {}),
    ("facebook", "photo story", [PHOTO], {"post_type": "story"}, {}),
    ("facebook", "video story", [UPRIGHT], {"post_type": "story"}, {}),
    ("instagram", "image", [PHOTO], {}, {}),
    ("instagram", "carousel", [PHOTO, SQUARE], {}, {}),
    ("instagram", "reel", [UPRIGHT], {}, {}),
    ("instagram", "story", [PHOTO], {"post_type": "story"}, {}),
    ("youtube", "video", [VIDEO], {"title": "A video", "privacy": "public"}, {}),
    ("youtube", "short", [UPRIGHT], {"title": "A short", "post_type": "short"}, {}),
    ("tiktok", "video", [UPRIGHT], PUBLIC, {}),
    ("tiktok", "video to the inbox", [UPRIGHT], {"mode": "inbox"}, {}),
    ("tiktok", "photos", [PHOTO, SQUARE], PUBLIC, {}),
]
WORDLESS = {
    ("facebook", "photo story"),
    ("facebook", "video story"),
    ("instagram", "story"),
    ("tiktok", "video to the inbox"),
}


@pytest.mark.parametrize(
    ("platform", "kind", "media", "options", "more"), KINDS, ids=[f"{kind[0]}-{kind[1]}" for kind in KINDS]
)
def test_it_is_live_as_it_was_meant(
    platform: str, kind: str, media: Any, options: Any, more: Any, everywhere: Any, sandbox: Any
) -> None:
    client, account = everywhere.client, everywhere.accounts[platform]
    mark = new_id("n")
    wordless = (platform, kind) in WORDLESS
    attached = [
        {
            "type": each["type"],
            "url": sandbox.media(
                each["file"], shade=shade, **{k: v for k, v in each.items() if k in ("w", "h", "seconds")}
            ),
        }
        for shade, each in enumerate(media)
    ]
    before = {post["id"] for post in sandbox.live(account)}
    body = {
        "content": {"text": "" if wordless else f"A {kind} {mark}", "media": attached, **more},
        "platforms": [{"platform": platform, "account_id": account.id, "options": options}],
    }
    post_id = client.post("/publish", body, status=201)["post_id"]
    post = client.settled(post_id, "published", "failed", seconds=180)
    assert post["status"] == "published", post["failure_reasons"]

    (live,) = [one for one in sandbox.live(account) if one["id"] not in before]
    assert wordless or mark in live["text"]
    assert len(live["media"]) == len(attached)
    told = post["platform_posts"][0]
    assert told["post_id"]
    assert told["published_at"]
