"""Channels, playlists and categories."""

from __future__ import annotations

import secrets

from sandbox.web import Request, Response, as_json
from sandbox.youtube.bodies import (
    CATEGORIES,
    UNASSIGNABLE,
    PlaylistBody,
    PlaylistItemBody,
    check_parts_sent,
    decoded,
    parts_of,
)
from sandbox.youtube.errors import bad_request, error, no_channel
from sandbox.youtube.resources import page, shown_channel, shown_item, shown_playlist
from sandbox.youtube.state import (
    PLATFORM,
    Caller,
    Playlist,
    PlaylistItem,
    State,
    channel_of_uploads,
    new_etag,
    uploads_playlist,
)

_CHANNEL_PARTS = ("contentDetails", "id", "snippet", "statistics", "status")
_ITEM_PARTS = ("contentDetails", "id", "snippet", "status")


class Library:
    def __init__(self, state: State) -> None:
        self._state = state

    def channels(self, request: Request, caller: Caller) -> Response:
        parts = parts_of(request, _CHANNEL_PARTS)
        filters = [name for name in ("mine", "id", "forHandle") if request.query.get(name)]
        if len(filters) != 1:
            message = f"A channel is named by one of mine, id and forHandle, and not by {len(filters)}."
            raise error(400, "invalidCriteria", message, domain="youtube.channel")
        everybody = self._state.world.accounts.of(PLATFORM)
        match filters[0]:
            case "mine":
                match self._state.settings.no_channel:
                    case "signup_required":
                        raise no_channel()
                    case "empty":
                        found = []
                    case _:
                        found = [caller.account]
            case "id":
                ids = request.query["id"].split(",")
                found = [account for account in everybody if account.id in ids]
            case _:
                handle = request.query["forHandle"].removeprefix("@").lower()
                found = [account for account in everybody if account.username.lower() == handle]
        shown = [
            shown_channel(account, parts, self._state.of_channel(account.id), long_uploads=account.premium)
            for account in found
        ]
        answer = page(request, "channelListResponse", shown)
        if not found:
            # Google leaves empty lists out here.
            del answer["items"]
        return as_json(200, answer)

    def playlists(self, request: Request, caller: Caller) -> Response:
        parts = parts_of(request, _ITEM_PARTS)
        if request.query.get("mine"):
            channel = caller.account.id
        elif (named := request.query.get("channelId")) is not None:
            channel = named
        else:
            message = "No filter selected. Expected one of: id, mine, channelId"
            raise error(400, "missingRequiredParameter", message, domain="youtube.parameter")
        found = [
            shown_playlist(playlist, parts, self._state.world.accounts.get(playlist.channel))
            for playlist in self._state.playlists.values()
            if playlist.channel == channel and (channel == caller.account.id or playlist.privacy == "public")
        ]
        return as_json(200, page(request, "playlistListResponse", found))

    def add_playlist(self, request: Request, caller: Caller) -> Response:
        parts = parts_of(request, _ITEM_PARTS)
        asked = decoded(request, PlaylistBody)
        check_parts_sent(request, parts)
        if not asked.snippet.title.strip():
            message = "The request must specify a playlist title."
            raise error(400, "playlistTitleRequired", message, domain="youtube.playlist")
        playlist = Playlist(
            id="PL" + secrets.token_urlsafe(24),
            channel=caller.account.id,
            title=asked.snippet.title,
            privacy=asked.status.privacy_status,
            created_at=self._state.now,
        )
        self._state.playlists[playlist.id] = playlist
        return as_json(200, shown_playlist(playlist, parts, caller.account))

    def items(self, request: Request, caller: Caller) -> Response:
        """A playlist's videos in its order; of a channel's uploads, the newest first."""
        parts = parts_of(request, _ITEM_PARTS)
        playlist_id = request.query.get("playlistId")
        if not playlist_id:
            message = "No filter selected. Expected one of: id, playlistId"
            raise error(400, "missingRequiredParameter", message, domain="youtube.parameter")
        wanted = request.query.get("videoId")
        shown = []
        for position, item in enumerate(self._items_of(playlist_id, caller)):
            video = self._state.seen(item.video, caller.account.id)
            if video is None or (wanted is not None and video.id != wanted):
                continue
            owner = self._state.world.accounts.get(video.channel)
            shown.append(
                shown_item(
                    item, video, playlist=playlist_id, position=position, parts=parts, owner=owner, now=self._state.now
                )
            )
        return as_json(200, page(request, "playlistItemListResponse", shown))

    def add_item(self, request: Request, caller: Caller) -> Response:
        parts = parts_of(request, _ITEM_PARTS)
        asked = decoded(request, PlaylistItemBody).snippet
        check_parts_sent(request, parts)
        if asked.resource_id.kind != "youtube#video":
            raise bad_request("The resource of a playlist's item is a youtube#video.")
        playlist = self._state.playlists.get(asked.playlist_id)
        if playlist is None:
            raise _no_playlist()
        if playlist.channel != caller.account.id:
            message = "The request is not properly authorized to access the specified playlist."
            raise error(403, "playlistItemsNotAccessible", message, domain="youtube.playlistItem")
        video = self._state.seen(asked.resource_id.video_id, caller.account.id)
        if video is None:
            raise error(404, "videoNotFound", "Video not found.", domain="youtube.playlistItem")
        item = PlaylistItem("UE" + secrets.token_urlsafe(20), video.id, self._state.now)
        position = len(playlist.items)
        playlist.items.append(item)
        owner = self._state.world.accounts.get(video.channel)
        shown = shown_item(
            item, video, playlist=playlist.id, position=position, parts=parts, owner=owner, now=self._state.now
        )
        return as_json(200, shown)

    def categories(self, request: Request, _caller: Caller) -> Response:
        parts = parts_of(request, ("id", "snippet"))
        if not (request.query.get("regionCode") or request.query.get("id")):
            message = "No filter selected. Expected one of: id, regionCode"
            raise error(400, "missingRequiredParameter", message, domain="youtube.parameter")
        ids = request.query["id"].split(",") if request.query.get("id") else None
        items = [
            {
                "kind": "youtube#videoCategory",
                "etag": new_etag(),
                "id": number,
                **({"snippet": _category(name, assignable=number in CATEGORIES)} if "snippet" in parts else {}),
            }
            for number, name in (CATEGORIES | UNASSIGNABLE).items()
            if ids is None or number in ids
        ]
        return as_json(200, {"kind": "youtube#videoCategoryListResponse", "etag": new_etag(), "items": items})

    def _items_of(self, playlist_id: str, caller: Caller) -> list[PlaylistItem]:
        """Raises RefusedError."""
        owner = self._state.world.accounts.get(channel_of_uploads(playlist_id))
        if owner is not None and playlist_id == uploads_playlist(owner.id):
            return [
                PlaylistItem("UU" + video.id, video.id, video.post.created_at)
                for video in self._state.of_channel(owner.id)
            ]
        playlist = self._state.playlists.get(playlist_id)
        if playlist is None or (playlist.privacy == "private" and playlist.channel != caller.account.id):
            raise _no_playlist()
        return playlist.items


def _category(name: str, *, assignable: bool) -> dict[str, object]:
    return {"title": name, "assignable": assignable, "channelId": "UCBR8-60-B28hp2BmDPdntcQ"}


def _no_playlist() -> Exception:
    message = "The playlist identified with the request's <code>playlistId</code> parameter cannot be found."
    return error(404, "playlistNotFound", message, domain="youtube.playlistItem", location="playlistId")
