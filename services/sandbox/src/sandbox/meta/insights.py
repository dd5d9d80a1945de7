"""How posts did. The numbers are the ledger's, where the control API sets them."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.accounts import Account
from sandbox.ledger import Post
from sandbox.meta.errors import error, invalid
from sandbox.meta.graph import Json, array
from sandbox.meta.state import INSTAGRAM, Entry, State
from sandbox.web import Request, Response, as_json

_FACEBOOK: Mapping[str, str] = {
    "post_media_view": "impressions",
    "post_total_media_view_unique": "unique_impressions",
    "post_clicks": "link_clicks",
    "post_reactions_like_total": "likes",
    "post_video_views": "views",
}
_FACEBOOK_GONE = ("post_impressions", "post_impressions_unique", "post_impressions_fan_unique")
_REEL: Mapping[str, str] = {
    "blue_reels_play_count": "views",
    "post_impressions_unique": "unique_impressions",
    "post_video_view_time": "watch_time",
}
_VIDEO: Mapping[str, str] = {
    "total_video_views": "views",
    "total_video_impressions": "impressions",
    "total_video_impressions_unique": "unique_impressions",
    "total_video_view_total_time": "watch_time",
}
_PAGE: Mapping[str, str] = {
    "page_media_view": "impressions",
    "page_total_media_view_unique": "unique_impressions",
    "page_post_engagements": "likes",
}
_INSTAGRAM: Mapping[str, str] = {
    "views": "views",
    "reach": "unique_impressions",
    "likes": "likes",
    "comments": "replies",
    "saved": "saves",
    "shares": "shares",
    "reposts": "reposts",
    "follows": "followers_gained",
    "profile_visits": "profile_views",
    "replies": "replies",
    "ig_reels_avg_watch_time": "avg_watch_time",
    "ig_reels_video_view_total_time": "watch_time",
}
_ENGAGING = ("likes", "replies", "saves", "shares")
_EVERYWHERE = ("views", "reach", "shares", "total_interactions", "reposts", "facebook_views")
_FITTING: Mapping[str, tuple[str, ...]] = {
    "image": (*_EVERYWHERE, "likes", "comments", "saved", "follows", "profile_visits"),
    "carousel": (*_EVERYWHERE, "likes", "comments", "saved", "follows", "profile_visits"),
    "reel": (
        *_EVERYWHERE,
        "likes",
        "comments",
        "saved",
        "ig_reels_avg_watch_time",
        "ig_reels_video_view_total_time",
        "reels_skip_rate",
    ),
    "story": (*_EVERYWHERE, "follows", "profile_visits", "replies", "navigation", "link_clicks"),
}
_ACCOUNT = ("reach", "views", "accounts_engaged", "total_interactions", "likes", "comments", "shares", "saves")


class Insights:
    def __init__(self, state: State) -> None:
        self._state = state

    def post(self, request: Request, entry: Entry) -> Response:
        """``GET /{post-id}/insights`` of a Page's post"""
        found: list[Json] = []
        for name in _asked(request):
            if name == "post_reactions_by_type_total":
                value: object = {"like": entry.post.metrics.get("likes", 0)}
            elif name in _FACEBOOK:
                value = entry.post.metrics.get(_FACEBOOK[name], 0)
            else:
                raise invalid("The value must be a valid insights metric")
            found.append(_metric(entry.post.id, name, "lifetime", value))
        return as_json(200, {"data": found})

    def video(self, request: Request, entry: Entry) -> Response:
        """``GET /{video-id}/video_insights``: all that there is unless something is asked for. Reels have metrics of
        their own.
        """
        counts = entry.post.metrics
        actions = {"COMMENT": counts.get("replies", 0), "SHARE": counts.get("reposts", 0)}
        likes = {"like": counts.get("likes", 0)}
        told: dict[str, object]
        if entry.kind == "reel":
            told = {name: counts.get(of, 0) for name, of in _REEL.items()}
            told |= {"post_video_likes_by_reaction_type": likes, "post_video_social_actions": actions}
        else:
            told = {name: counts.get(of, 0) for name, of in _VIDEO.items()}
            told["total_video_reactions_by_type_total"] = likes
            told["total_video_stories_by_action_type"] = {
                **likes,
                **{name.lower(): count for name, count in actions.items()},
            }
        asked = [str(name) for name in array(dict(request.query), "metric") or told]
        if not set(asked) <= told.keys():
            raise invalid("The value must be a valid insights metric")
        return as_json(200, {"data": [_metric(entry.post.id, name, "lifetime", told[name]) for name in asked]})

    def page(self, request: Request, page: Account) -> Response:
        """``GET /{page-id}/insights``"""
        found: list[Json] = []
        posts = list(self._state.world.ledger.posts(page.platform, page.id))
        for name in _asked(request):
            if name in ("page_follows", "page_daily_follows"):
                value = page.followers
            elif name in _PAGE:
                value = sum(post.metrics.get(_PAGE[name], 0) for post in posts)
            else:
                raise invalid("The value must be a valid insights metric")
            found.append(_metric(page.id, name, "day", value))
        return as_json(200, {"data": found})

    def media(self, request: Request, entry: Entry) -> Response:
        """``GET /{ig-media-id}/insights``; one metric that does not fit fails them all."""
        asked = _asked(request)
        fitting = _FITTING.get(entry.kind, ())
        unfit = [name for name in asked if name not in fitting]
        if unfit:
            raise invalid(
                f"The Media Insights API does not support the {', '.join(unfit)} metric for this media product type."
            )
        found = [_metric(entry.post.id, name, "lifetime", _measured(entry.post, name)) for name in asked]
        return as_json(200, {"data": found})

    def account(self, request: Request, account: Account) -> Response:
        """``GET /{ig-id}/insights``"""
        posts = list(self._state.world.ledger.posts(INSTAGRAM, account.id))
        found: list[Json] = []
        for name in _asked(request):
            if name not in _ACCOUNT:
                raise invalid("metric must be one of the following values: " + ", ".join(_ACCOUNT))
            value = sum(_measured(post, "saved" if name == "saves" else name) for post in posts)
            shown = _metric(account.id, name, "day", 0)
            del shown["values"]
            found.append({**shown, "total_value": {"value": value}})
        return as_json(200, {"data": found})


def _asked(request: Request) -> list[str]:
    names = [str(name) for name in array(dict(request.query), "metric") or ()]
    if not names:
        raise error(3001, "(#3001) The metric parameter is required", subcode=1504028)
    if any(name in _FACEBOOK_GONE for name in names):
        raise invalid("The value must be a valid insights metric")
    return names


def _measured(post: Post, name: str) -> int:
    if name == "total_interactions":
        return sum(post.metrics.get(each, 0) for each in _ENGAGING)
    return post.metrics.get(_INSTAGRAM.get(name, name), 0)


def _metric(node: str, name: str, period: str, value: object) -> Json:
    return {
        "id": f"{node}/insights/{name}/{period}",
        "name": name,
        "period": period,
        "title": name,
        "description": name,
        "values": [{"value": value}],
    }
