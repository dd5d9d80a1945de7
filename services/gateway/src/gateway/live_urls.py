"""What a platform calls the post behind a URL, where the URL says so."""

import re
from collections.abc import Mapping

from contracts.content import Platform

_IDS: Mapping[Platform, re.Pattern[str]] = {
    "twitter": re.compile(r"https?://(?:www\.|mobile\.)?(?:x|twitter)\.com/[^/]+(?:/web)?/status/(\d+)"),
    "linkedin": re.compile(r"https?://(?:\w+\.)?linkedin\.com/feed/update/(urn:li:(?:share|ugcPost|activity):\d+)"),
    "youtube": re.compile(
        r"https?://(?:(?:www\.|m\.)?youtube\.com/(?:watch\?(?:.*&)?v=|shorts/)|youtu\.be/)([\w-]{11})"
    ),
    "tiktok": re.compile(r"https?://(?:www\.|m\.)?tiktok\.com/@[^/]+/(?:video|photo)/(\d+)"),
}
"""Instagram's URLs hold a short code instead of the id; Facebook's leave out the page."""


def platform_post_id(platform: Platform, url: str) -> str | None:
    pattern = _IDS.get(platform)
    found = None if pattern is None else pattern.match(url)
    return None if found is None else found[1]
