"""Creating and deleting posts."""

from __future__ import annotations

import secrets

import msgspec
from msgspec import UNSET

from sandbox.accounts import Account
from sandbox.ledger import Post, PublishedMedia
from sandbox.mentions import NewMention
from sandbox.web import RefusedError, Request, Response, as_json
from sandbox.x import text
from sandbox.x.bodies import CreatePost, decode
from sandbox.x.problems import DUPLICATE, NOT_PERMITTED
from sandbox.x.state import PLATFORM, State
from sandbox.x.tweets import PollState, Spelling, Tweet, created, cut
from sandbox.x.uploads import LONGEST_VIDEO, Upload

_PRICE = 0.015
_PRICE_WITH_LINK = 0.20
_DELETE_PRICE = 0.010
_TOO_LONG = (
    "Your Tweet text is too long. For more information on how Twitter determines text length see "
    "https://github.com/twitter/twitter-text."
)
_REPLY_NOT_ALLOWED = (
    "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the "
    "author of the post you are replying to."
)
_QUOTED_GONE = "You attempted to quote a Tweet that is deleted or not visible to you."
_PARENT_GONE = "You attempted to reply to a Tweet that is deleted or not visible to you."
_FIELDS_OF_THEIR_OWN = ("text", "media", "reply", "poll")


class Posts:
    """``POST /2/tweets`` and ``DELETE /2/tweets/{id}``."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._recent: dict[tuple[str, ...], str] = {}

    def create(self, request: Request, account: Account) -> Response:
        asked = decode(request.body, CreatePost, self._state.problems)
        self._check_combination(asked)
        self._check_text(asked.text, account)
        uploads = self._uploads(asked, account)
        parent = self._parent(asked, account)
        key = _duplicate_key(asked, account, uploads)
        self._check_duplicate(key)
        self._state.charge(_PRICE_WITH_LINK if text.links(asked.text) else _PRICE)
        tweet = self._publish(asked, account, uploads, parent)
        self._recent[key] = tweet.post.id
        spelling = Spelling(
            classic=self._state.settings.fields != "2.167",
            renamed=self._state.settings.fields in ("2.167", "both"),
        )
        return as_json(201, {"data": created(tweet, spelling, self._state.settings.escape_html)})

    def delete(self, request: Request, account: Account) -> Response:
        post_id = request.path_parameters["id"]
        tweet = self._state.tweets.get(post_id)
        if tweet is None or tweet.post.deleted_at is not None:
            if self._state.settings.delete_missing == "false":
                return as_json(200, {"data": {"deleted": False}})
            problem = self._state.problems.not_found("tweet", "id", post_id)
            raise RefusedError(as_json(404, {**problem, "status": 404}))
        if tweet.post.account != account.id:
            raise self._state.problems.plain(403, "You are not authorized to delete this Tweet.")
        self._state.charge(_DELETE_PRICE)
        tweet.post.deleted_at = self._state.now
        return as_json(200, {"data": {"deleted": True}})

    def say(self, author: Account, about: Account, said: NewMention) -> str:
        """Publishes what the control API has somebody say of another."""
        words = said.text if f"@{about.username}" in said.text else f"@{about.username} {said.text}"
        newest = next(reversed(self._state.timelines[about.id]), None)
        parent = self._state.tweets[newest] if newest is not None and said.kind == "reply" else None
        tweet = self._publish(CreatePost(text=words), author, [], parent)
        if newest is not None and said.kind == "quote":
            tweet.quoted_id = newest
        return tweet.post.id

    def _check_combination(self, asked: CreatePost) -> None:
        problems = self._state.problems
        exclusive = ("media", "poll", "quote_tweet_id", "card_uri")
        present = [name for name in exclusive if getattr(asked, name) is not UNSET]
        if len(present) > 1:
            raise problems.invalid(
                f"{' and '.join(present)} are mutually exclusive fields.",
                {name: [] for name in present},
            )
        if not asked.text.strip() and asked.media is UNSET:
            raise problems.invalid("$.text: is missing but it is required", {"$.text": [asked.text]})
        if asked.edit_options is not UNSET:
            raise problems.plain(403, NOT_PERMITTED)
        if isinstance(asked.quote_tweet_id, str):
            if not self._state.settings.quotes:
                raise problems.plain(403, NOT_PERMITTED)
            quoted = self._state.tweets.get(asked.quote_tweet_id)
            if quoted is None or quoted.post.deleted_at is not None:
                raise problems.plain(403, _QUOTED_GONE)

    def _check_text(self, wanted: str, account: Account) -> None:
        problems = self._state.problems
        limit = text.MAX_LENGTH_PREMIUM if account.premium else text.MAX_LENGTH
        if text.weighted_length(wanted) > limit:
            if self._state.settings.over_length_status == 403:
                raise problems.plain(403, _TOO_LONG)
            raise problems.invalid(_TOO_LONG)
        if text.has_invalid_characters(wanted):
            raise problems.invalid("The text contains invalid characters.", {"$.text": []})
        allowed = self._state.settings.max_cashtags
        if allowed is not None and len(text.cashtags(wanted)) > allowed:
            raise problems.plain(403, "Posts are limited to a maximum of one cashtag.")

    def _uploads(self, asked: CreatePost, account: Account) -> list[Upload]:
        if not isinstance(asked.media, msgspec.Struct):
            return []
        ids = asked.media.media_ids
        found = [upload for media_id in ids if (upload := self._state.uploads.get(media_id))]
        kinds = [upload.kind for upload in found]
        if (
            len(found) != len(ids)
            or len(set(ids)) != len(ids)
            or not all(upload.usable_by(account, self._state.now) for upload in found)
            or (len(kinds) > 1 and set(kinds) != {"photo"})
        ):
            raise self._state.problems.invalid("Your media IDs are invalid.", {"media.media_ids": ids})
        for upload in found:
            if not account.premium and (upload.published().duration or 0) > LONGEST_VIDEO:
                raise self._state.problems.plain(403, "You are not allowed to post a video longer than 2 minutes.")
        return found

    def _parent(self, asked: CreatePost, account: Account) -> Tweet | None:
        if not isinstance(asked.reply, msgspec.Struct):
            return None
        parent_id = asked.reply.in_reply_to_tweet_id
        parent = self._state.tweets.get(parent_id)
        if parent is None or parent.post.deleted_at is not None:
            if self._state.settings.missing_parent_status == 403:
                raise self._state.problems.plain(403, _PARENT_GONE)
            problem = self._state.problems.not_found("tweet", "reply.in_reply_to_tweet_id", parent_id)
            raise RefusedError(as_json(404, {**problem, "status": 404}))
        if not self._state.settings.reply_restriction:
            return parent
        own = parent.post.account == account.id and self._state.settings.self_threads
        mentioned = account.username.lower() in {name.value.lower() for name in text.mentions(parent.post.text)}
        quoted = self._state.tweets.get(parent.quoted_id or "")
        if own or mentioned or (quoted is not None and quoted.post.account == account.id):
            return parent
        raise self._state.problems.plain(403, _REPLY_NOT_ALLOWED)

    def _check_duplicate(self, key: tuple[str, ...]) -> None:
        earlier = self._state.tweets.get(self._recent.get(key, ""))
        if (
            earlier is not None
            and earlier.post.deleted_at is None
            and self._state.now - earlier.post.created_at < self._state.settings.duplicate_window_seconds
        ):
            raise self._state.problems.plain(403, DUPLICATE)

    def _publish(self, asked: CreatePost, account: Account, uploads: list[Upload], parent: Tweet | None) -> Tweet:
        state = self._state
        post_id, now = state.new_id(), state.now
        lag = state.world.faults.effect(PLATFORM, account.id, "readback_lag")
        post = Post(
            platform=PLATFORM,
            id=post_id,
            account=account.id,
            text=asked.text,
            raw=asked.text,
            created_at=now,
            visible_at=now + lag.script.params.lasting(30.0) if lag else now,
            conversation_id=parent.post.conversation_id if parent else post_id,
            media=[upload.published() for upload in uploads],
            in_reply_to=parent.post.id if parent else None,
            options={
                name: msgspec.to_builtins(value)
                for name in asked.__struct_fields__
                if name not in _FIELDS_OF_THEIR_OWN and (value := getattr(asked, name)) is not UNSET
            },
        )
        if isinstance(asked.media, msgspec.Struct) and asked.media.tagged_user_ids:
            post.options["tagged_user_ids"] = asked.media.tagged_user_ids
        shortened, links = text.shorten_links(asked.text, state.new_short_url)
        tweet = Tweet(post=post, text=shortened, links=links, media_keys=[u.media_key for u in uploads])
        if text.weighted_length(asked.text) > text.MAX_LENGTH:
            tweet.long_text, tweet.text = shortened, cut(shortened)
        if uploads:
            self._append_media_link(tweet, account)
        if parent is not None:
            tweet.in_reply_to_user_id = parent.post.account
        if isinstance(asked.quote_tweet_id, str):
            tweet.quoted_id = asked.quote_tweet_id
        if isinstance(asked.poll, msgspec.Struct):
            tweet.poll = PollState(state.new_id(), asked.poll.options, asked.poll.duration_minutes)
            post.options["poll"] = msgspec.to_builtins(asked.poll)
        if isinstance(asked.reply_settings, str):
            tweet.reply_settings = asked.reply_settings
        tweet.hidden = asked.nullcast is True
        state.world.ledger.add(post)
        state.tweets[post_id] = tweet
        state.timelines[account.id].append(post_id)
        return tweet

    def _append_media_link(self, tweet: Tweet, account: Account) -> None:
        """X ends the text of a post with media with a link to the media."""
        url = self._state.new_short_url()
        start = len(tweet.text) + 1 if tweet.text else 0
        tweet.text = f"{tweet.text} {url}" if tweet.text else url
        section = "photo" if tweet.post.media[0].kind == "photo" else "video"
        page = f"https://x.com/{account.username}/status/{tweet.post.id}/{section}/1"
        link = text.ShortLink(start, start + len(url), url, page)
        tweet.media_links = [(link, media_key) for media_key in tweet.media_keys]


def _duplicate_key(asked: CreatePost, account: Account, uploads: list[Upload]) -> tuple[str, ...]:
    """What makes two posts of an account the same. Posts without text are never duplicates."""
    words = text.fingerprint(asked.text)
    parent = asked.reply.in_reply_to_tweet_id if isinstance(asked.reply, msgspec.Struct) else ""
    media: list[PublishedMedia] = [upload.published() for upload in uploads]
    return (account.id, words or secrets.token_hex(8), parent, *(file.sha256 for file in media))
