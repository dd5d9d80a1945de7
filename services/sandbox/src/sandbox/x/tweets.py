"""A published post on X and how answers show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from sandbox.accounts import Account
from sandbox.clock import iso_milliseconds
from sandbox.ledger import Post
from sandbox.x.text import ShortLink, cashtags, escaped, hashtags, mentions

Json = dict[str, object]

_PUBLIC_METRICS = {
    "retweet_count": "reposts",
    "reply_count": "replies",
    "like_count": "likes",
    "quote_count": "quotes",
    "bookmark_count": "bookmarks",
    "impression_count": "impressions",
}
_NON_PUBLIC_METRICS = {
    "impression_count": "impressions",
    "url_link_clicks": "link_clicks",
    "user_profile_clicks": "profile_clicks",
    "engagements": "engagements",
}
_ORGANIC_METRICS = {
    "impression_count": "impressions",
    "like_count": "likes",
    "reply_count": "replies",
    "retweet_count": "reposts",
    "url_link_clicks": "link_clicks",
    "user_profile_clicks": "profile_clicks",
}
PRIVATE_METRICS = ("non_public_metrics", "organic_metrics", "promoted_metrics")
_EDIT_SECONDS = 3_600
_EDITS = 5
_CUT = 275


@dataclass(frozen=True, slots=True)
class PollState:
    id: str
    options: list[str]
    duration_minutes: int


@dataclass(slots=True)
class Tweet:
    """A post as X keeps it.

    Attributes:
        text: with links shortened and the media link at the end, not yet HTML-escaped.
        links: where the links stand in ``text``.
        media_links: the same for the links that stand for media, with the media key of each.
        long_text: the whole text with links shortened, when ``text`` had to be cut.
        hidden: published without appearing on timelines (``nullcast``).
    """

    post: Post
    text: str
    links: list[ShortLink]
    media_links: list[tuple[ShortLink, str]] = field(default_factory=list)
    media_keys: list[str] = field(default_factory=list)
    long_text: str | None = None
    in_reply_to_user_id: str | None = None
    quoted_id: str | None = None
    poll: PollState | None = None
    reply_settings: str = "everyone"
    hidden: bool = False


def cut(text: str) -> str:
    """The beginning of a long post, as timelines show it."""
    return text[:_CUT].rstrip() + "…"


@dataclass(frozen=True, slots=True)
class Spelling:
    """Whose field names an answer uses: those up to spec 2.166, those from 2.167, or both."""

    classic: bool
    renamed: bool

    def named(self, classic: str, renamed: str, value: object) -> Json:
        return ({classic: value} if self.classic else {}) | ({renamed: value} if self.renamed else {})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asked for, in classic names."""

    spelling: Spelling
    tweet: frozenset[str] = frozenset()
    user: frozenset[str] = frozenset()
    media: frozenset[str] = frozenset()
    poll: frozenset[str] = frozenset()
    expansions: frozenset[str] = frozenset()


def created(tweet: Tweet, spelling: Spelling, escape_html: bool) -> Json:
    """``data`` of the answer to a creation."""
    return {
        "id": tweet.post.id,
        "text": escaped(tweet.text) if escape_html else tweet.text,
        **spelling.named("edit_history_tweet_ids", "edit_history_post_ids", [tweet.post.id]),
    }


def shown(tweet: Tweet, wanted: Wanted, private: bool, escape_html: bool) -> Json:
    """A post with the fields that were asked for; ``private`` includes what only the author may read."""
    data = created(tweet, wanted.spelling, escape_html)
    fields = wanted.tweet | {_EXPANDED.get(name, name) for name in wanted.expansions}
    for name, render in _FIELDS.items():
        if name in fields and (private or name not in PRIVATE_METRICS):
            data |= render(tweet, wanted.spelling)
    return data


def shown_poll(poll: PollState, post: Post, now: float, fields: frozenset[str]) -> Json:
    ends_at = post.created_at + poll.duration_minutes * 60
    data: Json = {
        "id": poll.id,
        "options": [
            {"position": position, "label": label, "votes": 0} for position, label in enumerate(poll.options, 1)
        ],
    }
    optional: Json = {
        "duration_minutes": poll.duration_minutes,
        "end_datetime": iso_milliseconds(ends_at),
        "voting_status": "open" if now < ends_at else "closed",
    }
    return data | {name: value for name, value in optional.items() if name in fields}


def shown_user(account: Account, wanted: Wanted, posts: int) -> Json:
    """A user with the fields that were asked for."""
    data: Json = {"id": account.id, "name": account.display_name, "username": account.username}
    verified: Literal["blue", "none"] = "blue" if account.premium else "none"
    optional: Json = {
        "created_at": iso_milliseconds(account.created_at),
        "description": "",
        "profile_image_url": f"https://pbs.twimg.com/profile_images/{account.id}/sandbox_normal.jpg",
        "protected": False,
        "verified": account.premium,
        "verified_type": verified,
        "subscription_type": "Premium" if account.premium else "None",
        "url": "",
        "public_metrics": {
            "followers_count": account.followers,
            "following_count": 0,
            "listed_count": 0,
            "like_count": 0,
            **({"media_count": 0} if wanted.spelling.renamed else {}),
            **wanted.spelling.named("tweet_count", "post_count", posts),
        },
    }
    return data | {name: value for name, value in optional.items() if name in wanted.user}


def _metrics(post: Post, names: dict[str, str], spelling: Spelling) -> Json:
    metrics: Json = {}
    for name, measured in names.items():
        count = post.metrics.get(measured, 0)
        if name == "retweet_count":
            metrics |= spelling.named("retweet_count", "repost_count", count)
        else:
            metrics[name] = count
    return metrics


def _references(tweet: Tweet) -> list[Json]:
    references: list[Json] = []
    if tweet.post.in_reply_to is not None:
        references.append({"type": "replied_to", "id": tweet.post.in_reply_to})
    if tweet.quoted_id is not None:
        references.append({"type": "quoted", "id": tweet.quoted_id})
    return references


def _attachments(tweet: Tweet) -> Json:
    attachments: Json = {}
    if tweet.media_keys:
        attachments["media_keys"] = tweet.media_keys
    if tweet.poll is not None:
        attachments["poll_ids"] = [tweet.poll.id]
    return attachments


def _entities(text: str, links: list[ShortLink], media_links: Iterable[tuple[ShortLink, str]]) -> Json:
    urls: list[Json] = [_url(link) for link in links if link.end <= len(text)]
    urls += [{**_url(link), "media_key": media_key} for link, media_key in media_links]
    found: Json = {
        "urls": urls,
        "hashtags": [{"start": tag.start, "end": tag.end, "tag": tag.value} for tag in hashtags(text)],
        "cashtags": [{"start": tag.start, "end": tag.end, "tag": tag.value} for tag in cashtags(text)],
        "mentions": [{"start": name.start, "end": name.end, "username": name.value} for name in mentions(text)],
    }
    return {name: entities for name, entities in found.items() if entities}


def _optional(name: str, value: object) -> Json:
    return {name: value} if value else {}


def _note(tweet: Tweet, spelling: Spelling) -> Json:
    if tweet.long_text is None:
        return {}
    note: Json = {"text": tweet.long_text}
    note |= _optional("entities", _entities(tweet.long_text, tweet.links, ()))
    return spelling.named("note_tweet", "note_post", note)


def _referenced(tweet: Tweet, spelling: Spelling) -> Json:
    references = _references(tweet)
    return spelling.named("referenced_tweets", "referenced_posts", references) if references else {}


def _edit_controls(tweet: Tweet) -> Json:
    return {
        "edits_remaining": _EDITS,
        "is_edit_eligible": False,
        "editable_until": iso_milliseconds(tweet.post.created_at + _EDIT_SECONDS),
    }


def _url(link: ShortLink) -> Json:
    return {
        "start": link.start,
        "end": link.end,
        "url": link.url,
        "expanded_url": link.expanded_url,
        "display_url": link.expanded_url.partition("://")[2].removesuffix("/"),
    }


# An expansion brings the field that it expands.
_EXPANDED = {
    "attachments.media_keys": "attachments",
    "attachments.poll_ids": "attachments",
    "referenced_tweets.id": "referenced_tweets",
}
_FIELDS: dict[str, Callable[[Tweet, Spelling], Json]] = {
    "created_at": lambda tweet, _: {"created_at": iso_milliseconds(tweet.post.created_at)},
    "author_id": lambda tweet, _: {"author_id": tweet.post.account},
    "conversation_id": lambda tweet, _: {"conversation_id": tweet.post.conversation_id},
    "in_reply_to_user_id": lambda tweet, _: _optional("in_reply_to_user_id", tweet.in_reply_to_user_id),
    "referenced_tweets": _referenced,
    "attachments": lambda tweet, _: _optional("attachments", _attachments(tweet)),
    "entities": lambda tweet, _: _optional("entities", _entities(tweet.text, tweet.links, tweet.media_links)),
    "note_tweet": _note,
    "lang": lambda _tweet, _: {"lang": "und"},
    "reply_settings": lambda tweet, _: {"reply_settings": tweet.reply_settings},
    "possibly_sensitive": lambda _tweet, _: {"possibly_sensitive": False},
    "source": lambda _tweet, _: {"source": "sandbox"},
    "edit_controls": lambda tweet, _: {"edit_controls": _edit_controls(tweet)},
    "public_metrics": lambda tweet, spelling: {"public_metrics": _metrics(tweet.post, _PUBLIC_METRICS, spelling)},
    "non_public_metrics": lambda tweet, spelling: {
        "non_public_metrics": _metrics(tweet.post, _NON_PUBLIC_METRICS, spelling)
    },
    "organic_metrics": lambda tweet, spelling: {"organic_metrics": _metrics(tweet.post, _ORGANIC_METRICS, spelling)},
}
