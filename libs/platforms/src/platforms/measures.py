"""How posts did: what each platform counts and calls it, and what that is in words that all platforms share.

Sources: X API v2, "Metrics"; LinkedIn Marketing API, "Organization Share Statistics" and "Member Post Statistics";
Instagram Platform, "Media insights"; Graph API v26.0, "Page and post insights"; YouTube Data API v3, `videos`;
TikTok Display API, "Video object".
"""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from contracts.content import Platform

Counters = Mapping[str, int]
"""Under the platform's own names: those of its API."""


class Figures(Struct, frozen=True, kw_only=True):
    """None is what the platform does not tell, which is not the same as none.

    `engagements` is what people did in public or for themselves: likes or reactions, comments, shares and saves. Clicks
    are told apart. Where a platform counts views and no impressions, views are taken for impressions.
    """

    impressions: int | None = None
    reach: int | None = None
    engagements: int | None = None
    clicks: int | None = None
    shares: int | None = None
    comments: int | None = None
    likes: int | None = None

    @property
    def engagement_rate(self) -> float | None:
        return rate(self.engagements, self.impressions)


NAMES: Mapping[Platform, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "twitter": {
            "retweets": ("retweet_count",),
            "quotes": ("quote_count",),
            "replies": ("reply_count",),
            "likes": ("like_count",),
            "bookmarks": ("bookmark_count",),
            "clicks": ("url_link_clicks",),
            "profile_clicks": ("user_profile_clicks",),
        },
        "linkedin": {
            "reach": ("uniqueImpressionsCount", "MEMBERS_REACHED"),
            "reactions": ("likeCount", "REACTION"),
            "comments": ("commentCount", "COMMENT"),
            "shares": ("shareCount", "RESHARE"),
            "clicks": ("clickCount", "LINK_CLICKS"),
        },
        "instagram": {
            "views": ("views",),
            "reach": ("reach",),
            "likes": ("likes",),
            "comments": ("comments", "replies"),
            "saves": ("saved",),
            "shares": ("shares",),
            "reposts": ("reposts",),
            "follows": ("follows",),
        },
        "youtube": {
            "views": ("viewCount",),
            "likes": ("likeCount",),
            "comments": ("commentCount",),
            "shares": ("shares",),
            "minutes_watched": ("estimatedMinutesWatched",),
            "subscribers_gained": ("subscribersGained",),
        },
        "tiktok": {
            "views": ("view_count",),
            "likes": ("like_count",),
            "comments": ("comment_count",),
            "shares": ("share_count",),
        },
        "facebook": {
            "reach": (
                "post_total_media_view_unique",
                "post_impressions_unique",
                "total_video_impressions_unique",
            ),
            "reactions": (
                "post_reactions_by_type_total",
                "post_video_likes_by_reaction_type",
                "total_video_reactions_by_type_total",
            ),
            "comments": ("comments",),
            "shares": ("shares",),
            "clicks": ("post_clicks",),
        },
    }
)
"""What we show of each platform, in its own words, and the counters that are added for it. On Facebook posts, reels and
videos have counters of different names, and each has those of its kind only.
"""

IMPRESSIONS: Mapping[Platform, tuple[str, ...]] = MappingProxyType(
    {
        "twitter": ("impression_count",),
        "linkedin": ("impressionCount", "IMPRESSION"),
        "instagram": ("views",),
        "youtube": ("viewCount",),
        "tiktok": ("view_count",),
        "facebook": ("post_media_view", "blue_reels_play_count", "total_video_views"),
    }
)
_ENGAGEMENTS: Mapping[Platform, tuple[str, ...]] = MappingProxyType(
    {
        "twitter": ("likes", "retweets", "quotes", "replies", "bookmarks"),
        "linkedin": ("reactions", "comments", "shares"),
        "instagram": ("likes", "comments", "saves", "shares", "reposts"),
        "youtube": ("likes", "comments", "shares"),
        "tiktok": ("likes", "comments", "shares"),
        "facebook": ("reactions", "comments", "shares"),
    }
)
_SHARES = ("retweets", "quotes", "shares", "reposts")
_COMMENTS = ("comments", "replies")
_LIKES = ("likes", "reactions")

MENTIONS: frozenset[Platform] = frozenset(("twitter", "linkedin", "instagram", "facebook"))
"""Platforms that say who has mentioned an account. On LinkedIn only for pages, on Instagram for accounts that are
connected by way of a Page.
"""


def named(platform: Platform, counters: Counters) -> dict[str, int]:
    """The counters in the platform's own words; what it did not tell is left out."""
    return {name: total for name, fields in NAMES[platform].items() if (total := _sum(counters, fields)) is not None}


def figures(platform: Platform, counters: Counters) -> Figures:
    """The same counters in words that all platforms share."""
    own = named(platform, counters)
    return Figures(
        impressions=_sum(counters, IMPRESSIONS[platform]),
        reach=own.get("reach"),
        engagements=_sum(own, _ENGAGEMENTS[platform]),
        clicks=own.get("clicks"),
        shares=_sum(own, _SHARES),
        comments=_sum(own, _COMMENTS),
        likes=_sum(own, _LIKES),
    )


def added(*parts: Figures) -> Figures:
    """The sum; None where no part tells. Reach is added too: how far audiences overlap nobody tells."""
    names = Figures.__struct_fields__
    return Figures(**{name: _total([getattr(part, name) for part in parts]) for name in names})


def rate(engagements: int | None, impressions: int | None) -> float | None:
    """Engagements in percent of impressions, to two places."""
    if engagements is None or not impressions:
        return None
    return round(engagements * 100 / impressions, 2)


def _sum(counters: Counters, fields: tuple[str, ...]) -> int | None:
    return _total([counters.get(field) for field in fields])


def _total(values: list[int | None]) -> int | None:
    told = [value for value in values if value is not None]
    return sum(told) if told else None
