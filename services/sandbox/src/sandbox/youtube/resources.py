"""How YouTube shows what it holds. All counts are strings."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

import msgspec

from sandbox.accounts import Account
from sandbox.ledger import Post
from sandbox.web import Request
from sandbox.youtube.errors import error
from sandbox.youtube.state import Playlist, PlaylistItem, Video, new_etag, uploads_playlist

Json = dict[str, object]

_SIZES = {"default": (120, 90), "medium": (320, 180), "high": (480, 360)}


def moment(timestamp: float) -> str:
    """``2026-01-02T03:04:05Z``"""
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%dT%H:%M:%SZ}"


def page(request: Request, kind: str, items: Sequence[Json], *, largest: int = 50, usual: int = 5) -> Json:
    """One page of a listing, in its envelope. Raises RefusedError."""
    raw = request.query.get("maxResults", str(usual))
    if not raw.isascii() or not raw.isdigit() or not 0 <= int(raw) <= largest:
        message = f"Invalid value '{raw}'. Values must be within the range: [0, {largest}]"
        raise error(400, "invalidParameter", message, location="maxResults")
    token = request.query.get("pageToken", "")
    start = int(token.removeprefix("CAE"), 36) if token.startswith("CAE") and token[3:].isalnum() else 0
    if token and not start:
        message = "The request specifies an invalid page token."
        raise error(400, "invalidPageToken", message, domain="youtube.parameter", location="pageToken")
    size = int(raw)
    answer: Json = {
        "kind": f"youtube#{kind}",
        "etag": new_etag(),
        "pageInfo": {"totalResults": len(items), "resultsPerPage": size},
        "items": list(items[start : start + size]),
    }
    if start + size < len(items):
        answer["nextPageToken"] = f"CAE{_base36(start + size)}"
    return answer


def shown_video(video: Video, parts: Collection[str], *, owner: Account | None, own: bool, now: float) -> Json:
    """A video resource with these parts; only its owner sees how processing goes."""
    every: dict[str, Callable[[], object]] = {
        "snippet": lambda: _video_snippet(video, owner),
        "status": lambda: _video_status(video, now),
        "statistics": lambda: _statistics(video, own=own),
        "contentDetails": lambda: _content_details(video),
        "processingDetails": lambda: _processing(video, now) if own else None,
        "localizations": lambda: msgspec.to_builtins(video.asked.localizations),
        "paidProductPlacementDetails": lambda: msgspec.to_builtins(video.asked.paid_product_placement_details),
        "recordingDetails": lambda: msgspec.to_builtins(video.asked.recording_details),
    }
    shown: Json = {"kind": "youtube#video", "etag": new_etag(), "id": video.id}
    for name, build in every.items():
        if name in parts and (value := build()) is not None:
            shown[name] = value
    return shown


def _video_snippet(video: Video, owner: Account | None) -> Json:
    asked = video.asked.snippet
    snippet: Json = {
        "publishedAt": moment(video.post.created_at),
        "channelId": video.channel,
        "title": asked.title,
        "description": asked.description,
        "thumbnails": thumbnails(video),
        "channelTitle": owner.display_name if owner else "",
        "categoryId": asked.category_id or "22",
        "liveBroadcastContent": "none",
        "localized": {"title": asked.title, "description": asked.description},
    }
    optional = {
        "tags": asked.tags,
        "defaultLanguage": asked.default_language,
        "defaultAudioLanguage": asked.default_audio_language,
    }
    return snippet | {name: value for name, value in optional.items() if value}


def thumbnails(video: Video) -> Json:
    version = f"?v={video.thumbnail[:8]}" if video.thumbnail else ""
    return {
        name: {"url": f"https://i.ytimg.com/vi/{video.id}/{name}.jpg{version}", "width": width, "height": height}
        for name, (width, height) in _SIZES.items()
    }


def _video_status(video: Video, now: float) -> Json:
    asked = video.asked.status
    upload = video.upload_status(now)
    status: Json = {
        "uploadStatus": upload,
        "privacyStatus": video.privacy(now),
        "license": asked.license,
        "embeddable": asked.embeddable,
        "publicStatsViewable": asked.public_stats_viewable,
        "madeForKids": asked.self_declared_made_for_kids,
        "selfDeclaredMadeForKids": asked.self_declared_made_for_kids,
    }
    if asked.contains_synthetic_media is not None:
        status["containsSyntheticMedia"] = asked.contains_synthetic_media
    if asked.publish_at is not None and video.privacy(now) == "private":
        status["publishAt"] = asked.publish_at
    if upload == "failed":
        status["failureReason"] = video.reason
    if upload == "rejected":
        status["rejectionReason"] = video.reason
    return status


def counts(video: Video) -> dict[str, int]:
    metrics = video.post.metrics
    return {name: metrics.get(name, 0) for name in ("views", "likes", "dislikes", "comments")}


def _statistics(video: Video, *, own: bool) -> Json:
    count = counts(video)
    statistics: Json = {
        "viewCount": str(count["views"]),
        "likeCount": str(count["likes"]),
        "favoriteCount": "0",
        "commentCount": str(count["comments"]),
    }
    if own:
        statistics["dislikeCount"] = str(count["dislikes"])
    return statistics


def _content_details(video: Video) -> Json:
    return {
        "duration": iso_duration(video.duration or 0),
        "dimension": "2d",
        "definition": "hd" if (video.height or 0) >= 720 else "sd",
        "caption": "false",
        "licensedContent": False,
        "contentRating": {},
        "projection": "rectangular",
        "hasCustomThumbnail": video.thumbnail is not None,
    }


def iso_duration(seconds: float) -> str:
    """ISO 8601: ``PT1H2M3S``."""
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return "PT" + (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "") + f"{rest}S"


def _processing(video: Video, now: float) -> Json:
    match video.upload_status(now):
        case "uploaded":
            left = str(max(1, int((video.ready_at - now) * 1000)))
            progress = {"partsTotal": "100", "partsProcessed": "50", "timeLeftMs": left}
            details: Json = {"processingStatus": "processing", "processingProgress": progress}
        case "processed":
            details = {"processingStatus": "succeeded"}
        case "failed":
            details = {"processingStatus": "failed", "processingFailureReason": "transcodeFailed"}
        case _:
            details = {"processingStatus": "terminated"}
    return details | {
        "fileDetailsAvailability": "available",
        "processingIssuesAvailability": "inProgress",
        "tagSuggestionsAvailability": "inProgress",
        "editorSuggestionsAvailability": "inProgress",
        "thumbnailsAvailability": "inProgress",
    }


def shown_channel(account: Account, parts: Collection[str], videos: Sequence[Video], *, long_uploads: bool) -> Json:
    every: dict[str, Json] = {
        "snippet": {
            "title": account.display_name,
            "description": "",
            "customUrl": f"@{account.username}",
            "publishedAt": moment(account.created_at),
            "thumbnails": {
                name: {"url": f"https://yt3.ggpht.com/{account.id}=s{size}", "width": size, "height": size}
                for name, size in (("default", 88), ("medium", 240), ("high", 800))
            },
            "localized": {"title": account.display_name, "description": ""},
            "country": "US",
        },
        "contentDetails": {"relatedPlaylists": {"likes": "LL", "uploads": uploads_playlist(account.id)}},
        "statistics": {
            "viewCount": str(sum(counts(video)["views"] for video in videos)),
            "subscriberCount": str(account.followers),
            "hiddenSubscriberCount": False,
            "videoCount": str(len(videos)),
        },
        "status": {
            "privacyStatus": "public",
            "isLinked": True,
            "longUploadsStatus": "allowed" if long_uploads else "eligible",
            "madeForKids": False,
            "selfDeclaredMadeForKids": False,
        },
    }
    shown: Json = {"kind": "youtube#channel", "etag": new_etag(), "id": account.id}
    return shown | {name: value for name, value in every.items() if name in parts}


def shown_playlist(playlist: Playlist, parts: Collection[str], owner: Account | None) -> Json:
    every: dict[str, Json] = {
        "snippet": {
            "publishedAt": moment(playlist.created_at),
            "channelId": playlist.channel,
            "title": playlist.title,
            "description": "",
            "thumbnails": {},
            "channelTitle": owner.display_name if owner else "",
            "localized": {"title": playlist.title, "description": ""},
        },
        "status": {"privacyStatus": playlist.privacy},
        "contentDetails": {"itemCount": len(playlist.items)},
    }
    shown: Json = {"kind": "youtube#playlist", "etag": new_etag(), "id": playlist.id}
    return shown | {name: value for name, value in every.items() if name in parts}


def shown_item(
    item: PlaylistItem,
    video: Video,
    *,
    playlist: str,
    position: int,
    parts: Collection[str],
    owner: Account | None,
    now: float,
) -> Json:
    """A playlist's item: a video at a position."""
    name = owner.display_name if owner else ""
    every: dict[str, Json] = {
        "snippet": {
            "publishedAt": moment(item.added_at),
            "channelId": video.channel,
            "title": video.asked.snippet.title,
            "description": video.asked.snippet.description,
            "thumbnails": thumbnails(video),
            "channelTitle": name,
            "playlistId": playlist,
            "position": position,
            "resourceId": {"kind": "youtube#video", "videoId": video.id},
            "videoOwnerChannelTitle": name,
            "videoOwnerChannelId": video.channel,
        },
        "contentDetails": {"videoId": video.id, "videoPublishedAt": moment(video.post.created_at)},
        "status": {"privacyStatus": video.privacy(now)},
    }
    shown: Json = {"kind": "youtube#playlistItem", "etag": new_etag(), "id": item.id}
    return shown | {part: value for part, value in every.items() if part in parts}


def shown_thread(comment: Post, author: Account | None, channel: str, parts: Collection[str], *, own: bool) -> Json:
    """A comment below a video, which nobody has answered. Only its author reads the text as it was written."""
    shown: Json = {"kind": "youtube#commentThread", "etag": new_etag(), "id": comment.id}
    if "snippet" not in parts:
        return shown
    snippet: Json = {
        "channelId": channel,
        "videoId": comment.in_reply_to,
        "textDisplay": comment.text,
        "authorDisplayName": f"@{author.username}" if author else "",
        "authorProfileImageUrl": f"https://yt3.ggpht.com/{comment.account}=s48",
        "authorChannelUrl": f"http://www.youtube.com/@{author.username}" if author else "",
        "authorChannelId": {"value": comment.account},
        "canRate": True,
        "viewerRating": "none",
        "likeCount": comment.metrics.get("likes", 0),
        "publishedAt": moment(comment.created_at),
        "updatedAt": moment(comment.created_at),
    }
    if own:
        snippet["textOriginal"] = comment.raw
    shown["snippet"] = {
        "channelId": channel,
        "videoId": comment.in_reply_to,
        "topLevelComment": {"kind": "youtube#comment", "etag": new_etag(), "id": comment.id, "snippet": snippet},
        "canReply": True,
        "totalReplyCount": 0,
        "isPublic": True,
    }
    return shown


def _base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = digits[digit] + text
    return text
