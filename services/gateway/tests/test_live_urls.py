import pytest

from contracts.content import Platform
from gateway.live_urls import platform_post_id


@pytest.mark.parametrize(
    ("platform", "url", "known_as"),
    [
        ("twitter", "https://x.com/brand/status/1846987139428634858", "1846987139428634858"),
        ("twitter", "https://twitter.com/brand/status/1846987139428634858?s=20", "1846987139428634858"),
        ("twitter", "https://x.com/i/web/status/1846987139428634858", "1846987139428634858"),
        ("linkedin", "https://www.linkedin.com/feed/update/urn:li:share:7123/", "urn:li:share:7123"),
        ("youtube", "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=3s", "dQw4w9WgXcQ"),
        ("youtube", "https://youtu.be/dQw4w9WgXcQ", "dQw4w9WgXcQ"),
        ("youtube", "https://www.youtube.com/shorts/dQw4w9WgXcQ", "dQw4w9WgXcQ"),
        ("tiktok", "https://www.tiktok.com/@brand/video/7301234567890123456", "7301234567890123456"),
        ("twitter", "https://x.com/brand", None),
        ("twitter", "https://x.com.evil.example/brand/status/1", None),
        ("youtube", "https://x.com/brand/status/1846987139428634858", None),
        ("instagram", "https://www.instagram.com/p/DAbc123/", None),
        ("facebook", "https://www.facebook.com/brand/posts/pfbid02", None),
    ],
)
def test_the_id_is_read_where_the_url_holds_it(platform: Platform, url: str, known_as: str | None) -> None:
    assert platform_post_id(platform, url) == known_as
