"""YouTube Analytics API v2: reports on a channel.

Metrics come from the ledger, where the control API sets them, and count on the day on which a video was published.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta

from sandbox.web import Request, Response, as_json
from sandbox.youtube.errors import bad_request, forbidden
from sandbox.youtube.quotas import PACIFIC
from sandbox.youtube.state import Caller, State, Video

_METRICS = {
    "views": ("views", "INTEGER"),
    "engagedViews": ("engaged_views", "INTEGER"),
    "likes": ("likes", "INTEGER"),
    "dislikes": ("dislikes", "INTEGER"),
    "comments": ("comments", "INTEGER"),
    "shares": ("shares", "INTEGER"),
    "estimatedMinutesWatched": ("minutes_watched", "INTEGER"),
    "averageViewDuration": ("average_view_duration", "INTEGER"),
    "averageViewPercentage": ("average_view_percentage", "FLOAT"),
    "subscribersGained": ("subscribers_gained", "INTEGER"),
    "subscribersLost": ("subscribers_lost", "INTEGER"),
}
"""By name: what the ledger calls it, and its data type."""
_AVERAGES = ("averageViewDuration", "averageViewPercentage")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")

Row = list[object]


class Analytics:
    def __init__(self, state: State) -> None:
        self._state = state

    def reports(self, request: Request, caller: Caller) -> Response:
        query = request.query
        if query.get("ids") not in ("channel==MINE", f"channel=={caller.account.id}"):
            raise forbidden("global")
        first, last = _day(query.get("startDate", "")), _day(query.get("endDate", ""))
        metrics = query.get("metrics", "").split(",")
        dimensions = query["dimensions"].split(",") if query.get("dimensions") else []
        if not set(metrics) <= _METRICS.keys() or not set(dimensions) <= {"day", "video"}:
            raise bad_request("The query is not supported. Check the documentation for supported queries.")
        columns = [
            *({"name": name, "columnType": "DIMENSION", "dataType": "STRING"} for name in dimensions),
            *({"name": name, "columnType": "METRIC", "dataType": _METRICS[name][1]} for name in metrics),
        ]
        rows = self._rows(self._videos(query.get("filters", ""), caller), first, last, dimensions, metrics)
        names = [*dimensions, *metrics]
        for key in reversed(query["sort"].split(",") if query.get("sort") else []):
            name = key.removeprefix("-")
            if name not in names:
                raise bad_request(f"Could not sort by {name}: it is no column.")
            rows.sort(key=_by(names.index(name)), reverse=key.startswith("-"))
        limit = query.get("maxResults", "")
        answer: dict[str, object] = {"kind": "youtubeAnalytics#resultTable", "columnHeaders": columns}
        if rows:
            # Without data there is no member either.
            answer["rows"] = rows[: int(limit)] if limit.isdigit() else rows
        return as_json(200, answer)

    def _videos(self, filters: str, caller: Caller) -> list[Video]:
        own = self._state.of_channel(caller.account.id)
        if not filters:
            return own
        name, separator, value = filters.partition("==")
        if name != "video" or not separator or ";" in value:
            raise bad_request("The query is not supported. Check the documentation for supported queries.")
        return [video for video in own if video.id in value.split(",")]

    def _rows(
        self, videos: list[Video], first: date, last: date, dimensions: list[str], metrics: list[str]
    ) -> list[Row]:
        settled = datetime.fromtimestamp(self._state.now, PACIFIC).date() - timedelta(
            days=self._state.settings.analytics_lag_days
        )
        groups: defaultdict[tuple[str, ...], list[Video]] = defaultdict(list)
        for video in videos:
            day = datetime.fromtimestamp(video.post.created_at, PACIFIC).date()
            if first <= day <= last and day <= settled and any(video.post.metrics.values()):
                values = {"day": day.isoformat(), "video": video.id}
                groups[tuple(values[name] for name in dimensions)].append(video)
        return [[*key, *(_total(name, group) for name in metrics)] for key, group in sorted(groups.items())]


def _total(name: str, videos: list[Video]) -> int:
    values = [video.post.metrics.get(_METRICS[name][0], 0) for video in videos]
    return sum(values) // len(values) if name in _AVERAGES else sum(values)


def _by(index: int) -> Callable[[Row], str | int]:
    def value(row: Row) -> str | int:
        cell = row[index]
        return cell if isinstance(cell, int) else str(cell)

    return value


def _day(text: str) -> date:
    if _DAY.fullmatch(text) is None:
        raise bad_request(
            f"Invalid value '{text}'. Values must match the following regular expression: '{_DAY.pattern}'"
        )
    try:
        return date.fromisoformat(text)
    except ValueError as reason:
        raise bad_request(f"Invalid value '{text}'.") from reason
