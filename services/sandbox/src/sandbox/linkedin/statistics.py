"""How posts did, and who mentioned a page."""

from __future__ import annotations

from sandbox.ledger import Post
from sandbox.linkedin.errors import no_permission, not_found
from sandbox.linkedin.restli import bad_query, list_parameter, union_parameter, urn_parameter
from sandbox.linkedin.state import Caller, Share, State, require_any
from sandbox.mentions import Heard
from sandbox.web import Request, Response, as_json

_PAGING = {"start": 0, "count": 10, "links": []}
_MEMBER_METRICS = {
    "IMPRESSION": "impressions",
    "MEMBERS_REACHED": "unique_impressions",
    "REACTION": "likes",
    "COMMENT": "replies",
    "RESHARE": "reposts",
    "POST_SAVE": "saves",
    "POST_SEND": "sends",
    "LINK_CLICKS": "link_clicks",
    "FOLLOWER_GAINED_FROM_CONTENT": "followers_gained",
    "PROFILE_VIEW_FROM_CONTENT": "profile_views",
}
_PAGE_METRICS = {
    "impressionCount": "impressions",
    "uniqueImpressionsCount": "unique_impressions",
    "clickCount": "link_clicks",
    "likeCount": "likes",
    "commentCount": "replies",
    "shareCount": "reposts",
}
_ENGAGING = ("clickCount", "likeCount", "commentCount", "shareCount")


class Statistics:
    """Metrics come from the ledger, where the control API sets them."""

    def __init__(self, state: State) -> None:
        self._state = state

    def page_posts(self, request: Request, caller: Caller) -> Response:
        """``organizationalEntityShareStatistics``; posts without any activity are left out."""
        permission = caller.permission("organizationalEntityShareStatistics", "FINDER-organizationalEntity")
        require_any(caller, ("rw_organization_admin",), permission)
        if request.query.get("q") != "organizationalEntity":
            raise bad_query()
        page = urn_parameter(request, "organizationalEntity")
        if page not in {account.id for account in self._state.pages_of(caller.token.member)}:
            raise no_permission(permission)
        shares = list_parameter(request, "shares")
        ugc_posts = list_parameter(request, "ugcPosts")
        elements: list[dict[str, object]] = []
        if shares or ugc_posts:
            for name, urns in (("share", shares), ("ugcPost", ugc_posts)):
                for urn in urns:
                    share = self._state.shares.get(urn)
                    if share is None or share.asked.author != page or not any(share.post.metrics.values()):
                        continue
                    elements.append(
                        {
                            "organizationalEntity": page,
                            name: urn,
                            "totalShareStatistics": _totals([share.post]),
                        }
                    )
        else:
            posts = [share.post for share in self._state.shares.values() if share.asked.author == page]
            elements.append({"organizationalEntity": page, "totalShareStatistics": _totals(posts)})
        return as_json(200, {"paging": _PAGING, "elements": elements})

    def member_post(self, request: Request, caller: Caller) -> Response:
        """``memberCreatorPostAnalytics``: one metric of one post per call."""
        permission = caller.permission("memberCreatorPostAnalytics", "FINDER-entity")
        require_any(caller, ("r_member_postAnalytics",), permission)
        metric = request.query.get("queryType", "")
        if (
            request.query.get("q") != "entity"
            or metric not in _MEMBER_METRICS
            or request.query.get("aggregation", "TOTAL") != "TOTAL"
        ):
            raise bad_query()
        key, urn = union_parameter(request, "entity")
        if key not in ("share", "ugc"):
            raise bad_query()
        share = self._own(urn, caller)
        count = share.post.metrics.get(_MEMBER_METRICS[metric], 0)
        element = {"count": count, "metricType": metric, "targetEntity": {key: urn}}
        return as_json(200, {"paging": _PAGING, "elements": [element]})

    def social_actions(self, request: Request, caller: Caller) -> Response:
        """Likes and comments of a post."""
        permission = caller.permission("socialActions", "GET")
        require_any(caller, ("r_organization_social", "r_member_social"), permission)
        share = self._state.visible_share(request.path_parameters["urn"])
        likes, comments = share.post.metrics.get("likes", 0), share.post.metrics.get("replies", 0)
        return as_json(
            200,
            {
                "target": share.post.id,
                "likesSummary": {"totalLikes": likes, "aggregatedTotalLikes": likes},
                "commentsSummary": {
                    "totalFirstLevelComments": comments,
                    "aggregatedTotalComments": comments,
                },
            },
        )

    def notifications(self, request: Request, caller: Caller) -> Response:
        """``organizationalEntityNotifications``: posts that mention a page."""
        permission = caller.permission("organizationalEntityNotifications", "FINDER-criteria")
        require_any(caller, ("rw_organization_admin",), permission)
        if request.query.get("q") != "criteria":
            raise bad_query()
        page = urn_parameter(request, "organizationalEntity")
        actions = list_parameter(request, "actions")
        elements = [
            {
                "notificationId": int(share.post.id.rpartition(":")[2]),
                "organizationalEntity": page,
                "action": "SHARE_MENTION",
                "sourcePost": share.post.id,
                "generatedActivity": share.post.id,
                "lastModifiedAt": int(share.post.created_at * 1000),
            }
            for share in reversed(self._state.shares.values())
            if page in share.mentions
            and share.post.visible(self._state.now)
            and (not actions or "SHARE_MENTION" in actions)
        ]
        if not actions or "SHARE_MENTION" in actions:
            elements = [_heard(page, heard) for heard in self._state.world.mentions.of(page)] + elements
        return as_json(200, {"paging": _PAGING, "elements": elements})

    def _own(self, urn: str, caller: Caller) -> Share:
        share = self._state.visible_share(urn)
        if share.asked.author != caller.token.member:
            raise not_found(urn)
        return share


def _heard(page: str, heard: Heard) -> dict[str, object]:
    urn = f"urn:li:share:{heard.id}"
    return {
        "notificationId": heard.id,
        "organizationalEntity": page,
        "action": "SHARE_MENTION",
        "sourcePost": urn,
        "generatedActivity": urn,
        "lastModifiedAt": int(heard.at * 1000),
    }


def _totals(posts: list[Post]) -> dict[str, object]:
    totals: dict[str, int] = {
        name: sum(post.metrics.get(metric, 0) for post in posts) for name, metric in _PAGE_METRICS.items()
    }
    engaged = sum(totals[name] for name in _ENGAGING)
    impressions = totals["impressionCount"]
    return {**totals, "engagement": engaged / impressions if impressions else 0.0}
