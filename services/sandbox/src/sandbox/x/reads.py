"""Reading posts and users: field masks, expansions, timelines, mentions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from sandbox.accounts import Account
from sandbox.web import Request, Response, as_json
from sandbox.x import text, vocabulary
from sandbox.x.state import State
from sandbox.x.tweets import PRIVATE_METRICS, Json, Spelling, Tweet, Wanted, shown, shown_poll, shown_user

_POST_READ_PRICE = 0.005
_USER_READ_PRICE = 0.010
_TIMELINE_DEPTH = 3_200
_MENTIONS_DEPTH = 800
_PRIVATE_METRICS_SECONDS = 30 * 86_400

_PAGING = ("since_id", "until_id", "start_time", "end_time", "max_results", "pagination_token")
_ID = re.compile(r"[0-9]{1,19}")
_SMALL_NUMBER = re.compile(r"[0-9]{1,3}")


class Reads:
    """The GET calls on posts and users."""

    def __init__(self, state: State) -> None:
        self._state = state

    def post(self, request: Request, account: Account) -> Response:
        wanted = self._wanted(request, ("id",))
        return self._lookup([request.path_parameters["id"]], "id", wanted, account)

    def posts(self, request: Request, account: Account) -> Response:
        wanted = self._wanted(request, ("ids",))
        ids = request.query.get("ids", "").split(",")
        if not 1 <= len(ids) <= 100:
            raise self._state.problems.invalid(
                f"The number of values in the `ids` query parameter list [{len(ids)}] is not between 1 and 100",
                {"ids": ids},
            )
        return self._lookup(ids, "ids", wanted, account)

    def timeline(self, request: Request, account: Account) -> Response:
        wanted = self._wanted(request, ("id", *_PAGING, "exclude"))
        owner = self._state.world.accounts.get(request.path_parameters["id"])
        if owner is None:
            return self._no_such_user(request)
        excluded = self._list(request, "exclude", frozenset({"replies", "retweets"}))
        ids = self._state.timelines[owner.id][-_TIMELINE_DEPTH:]
        tweets = (
            tweet
            for tweet in map(self._state.tweets.__getitem__, reversed(ids))
            if not tweet.hidden and not ("replies" in excluded and tweet.post.in_reply_to is not None)
        )
        return self._page(request, tweets, wanted, account)

    def mentions(self, request: Request, account: Account) -> Response:
        wanted = self._wanted(request, ("id", *_PAGING))
        owner = self._state.world.accounts.get(request.path_parameters["id"])
        if owner is None:
            return self._no_such_user(request)
        return self._page(request, self._mentioning(owner), wanted, account)

    def me(self, request: Request, account: Account) -> Response:
        wanted = self._wanted(request, (), vocabulary.USER_EXPANSIONS)
        self._state.charge(_USER_READ_PRICE)
        return as_json(200, {"data": shown_user(account, wanted, self._post_count(account.id))})

    def _lookup(self, ids: list[str], parameter: str, wanted: Wanted, account: Account) -> Response:
        found: list[Tweet] = []
        errors: list[dict[str, str]] = []
        for post_id in ids:
            if not _ID.fullmatch(post_id):
                raise self._state.problems.invalid(
                    f"The `{parameter}` query parameter value [{post_id}] does not match ^[0-9]{{1,19}}$",
                    {parameter: ids},
                )
            tweet = self._state.tweets.get(post_id)
            if tweet is None or not tweet.post.visible(self._state.now):
                errors.append(self._state.problems.not_found("tweet", parameter, post_id))
            else:
                found.append(tweet)
        answer = self._answer(found, wanted, account)
        if errors:
            answer["errors"] = [*errors, *_list_of(answer, "errors")]
        if parameter == "id" and found:
            answer["data"] = _list_of(answer, "data")[0]
        return as_json(200, answer)

    def _page(self, request: Request, newest_first: Iterable[Tweet], wanted: Wanted, account: Account) -> Response:
        size = self._page_size(request)
        since_id, until_id = self._id(request, "since_id"), self._id(request, "until_id")
        start, end = self._moment(request, "start_time"), self._moment(request, "end_time")
        before = self._page_start(request)
        page: list[Tweet] = []
        more = False
        for tweet in newest_first:
            number, created_at = int(tweet.post.id), tweet.post.created_at
            if (since_id is not None and number <= since_id) or (start is not None and created_at < start):
                break
            if (
                not tweet.post.visible(self._state.now)
                or (until_id is not None and number >= until_id)
                or (before is not None and number >= before)
                or (end is not None and created_at >= end)
            ):
                continue
            if len(page) == size:
                more = True
                break
            page.append(tweet)
        answer = self._answer(page, wanted, account)
        meta: Json = {"result_count": len(page)}
        if page:
            meta |= {"newest_id": page[0].post.id, "oldest_id": page[-1].post.id}
        if more:
            meta["next_token"] = f"{int(page[-1].post.id):x}"
        return as_json(200, {**answer, "meta": meta})

    def _answer(self, tweets: list[Tweet], wanted: Wanted, viewer: Account) -> Json:
        """``data`` (left out when empty), ``includes`` and field errors."""
        self._state.charge(_POST_READ_PRICE * len(tweets))
        answer: Json = {}
        errors: list[dict[str, str]] = []
        data: list[Json] = []
        for tweet in tweets:
            private = (
                tweet.post.account == viewer.id and self._state.now - tweet.post.created_at < _PRIVATE_METRICS_SECONDS
            )
            data.append(shown(tweet, wanted, private, self._state.settings.escape_html))
            if not private:
                errors += [
                    self._state.problems.field_not_authorized(tweet.post.id, field)
                    for field in PRIVATE_METRICS
                    if field in wanted.tweet
                ]
        if data:
            answer["data"] = data
        if includes := self._includes(tweets, wanted, viewer):
            answer["includes"] = includes
        if errors:
            answer["errors"] = errors
        return answer

    def _includes(self, tweets: list[Tweet], wanted: Wanted, viewer: Account) -> Json:
        includes: Json = {}
        people: dict[str, None] = {}
        referenced: dict[str, Tweet] = {}
        for tweet in tweets:
            if "author_id" in wanted.expansions:
                people[tweet.post.account] = None
            if "in_reply_to_user_id" in wanted.expansions and tweet.in_reply_to_user_id:
                people[tweet.in_reply_to_user_id] = None
            for post_id in (tweet.post.in_reply_to, tweet.quoted_id):
                reference = self._state.tweets.get(post_id or "")
                if reference is not None and reference.post.visible(self._state.now):
                    referenced[reference.post.id] = reference
        users = [
            shown_user(account, wanted, self._post_count(account.id))
            for account in map(self._state.world.accounts.get, people)
            if account is not None
        ]
        if users:
            includes["users"] = users
        if "referenced_tweets.id" in wanted.expansions and referenced:
            escape_html = self._state.settings.escape_html
            shown_references = [
                shown(tweet, wanted, tweet.post.account == viewer.id, escape_html) for tweet in referenced.values()
            ]
            includes |= wanted.spelling.named("tweets", "posts", shown_references)
        if "attachments.media_keys" in wanted.expansions:
            media = [item for tweet in tweets for item in _media(tweet, wanted.media)]
            if media:
                includes["media"] = media
        if "attachments.poll_ids" in wanted.expansions:
            polls = [
                shown_poll(tweet.poll, tweet.post, self._state.now, wanted.poll)
                for tweet in tweets
                if tweet.poll is not None
            ]
            if polls:
                includes["polls"] = polls
        return includes

    def _mentioning(self, owner: Account) -> Iterator[Tweet]:
        """Posts of others that name this user or reply to them, newest first."""
        name = owner.username.lower()
        found = 0
        for tweet in reversed(self._state.tweets.values()):
            if tweet.post.account == owner.id or tweet.hidden:
                continue
            named = any(mention.value.lower() == name for mention in text.mentions(tweet.post.text))
            if named or tweet.in_reply_to_user_id == owner.id:
                yield tweet
                found += 1
                if found == _MENTIONS_DEPTH:
                    return

    def _post_count(self, account_id: str) -> int:
        tweets = map(self._state.tweets.__getitem__, self._state.timelines[account_id])
        return sum(1 for tweet in tweets if tweet.post.deleted_at is None)

    def _no_such_user(self, request: Request) -> Response:
        problem = self._state.problems.not_found("user", "id", request.path_parameters["id"])
        return as_json(200, {"errors": [problem]})

    def _wanted(
        self,
        request: Request,
        parameters: tuple[str, ...],
        user_expansions: frozenset[str] | None = None,
    ) -> Wanted:
        """The field masks. Raises RefusedError for parameters and values that X does not know."""
        dialect = self._state.settings.fields
        masks = {
            "classic": ("tweet.fields",),
            "2.167": ("post.fields",),
        }.get(dialect, ("tweet.fields", "post.fields"))
        known = (*parameters, "expansions", *masks, "media.fields", "poll.fields", "user.fields", "place.fields")
        for name, value in request.query.items():
            if name not in known:
                raise self._state.problems.invalid(
                    f"The query parameter [{name}] is not one of [{','.join(known)}]", {name: [value]}
                )
        if dialect == "requested":
            renamed = "post.fields" in request.query
            spelling = Spelling(classic=not renamed, renamed=renamed)
        else:
            spelling = Spelling(classic=dialect != "2.167", renamed=dialect != "classic")
        expansions = {
            "classic": vocabulary.CLASSIC_EXPANSIONS,
            "2.167": vocabulary.RENAMED_EXPANSIONS,
        }.get(dialect, vocabulary.CLASSIC_EXPANSIONS | vocabulary.RENAMED_EXPANSIONS)
        self._list(request, "place.fields", vocabulary.PLACE_FIELDS)
        return Wanted(
            spelling=spelling,
            tweet=self._list(request, "tweet.fields", vocabulary.TWEET_FIELDS)
            | self._list(request, "post.fields", vocabulary.POST_FIELDS),
            user=self._list(request, "user.fields", vocabulary.USER_FIELDS),
            media=self._list(request, "media.fields", vocabulary.MEDIA_FIELDS),
            poll=self._list(request, "poll.fields", vocabulary.POLL_FIELDS),
            expansions=self._list(request, "expansions", user_expansions or expansions),
        )

    def _list(self, request: Request, name: str, allowed: frozenset[str]) -> frozenset[str]:
        """A comma-separated parameter, in classic names."""
        if name not in request.query:
            return frozenset()
        values = request.query[name].split(",")
        for value in values:
            if value not in allowed:
                raise self._state.problems.invalid(
                    f"The `{name}` query parameter value [{value}] is not one of [{','.join(sorted(allowed))}]",
                    {name: values},
                )
        return frozenset(vocabulary.CLASSIC_NAMES.get(value, value) for value in values)

    def _page_size(self, request: Request) -> int:
        value = request.query.get("max_results", "10")
        if not _SMALL_NUMBER.fullmatch(value) or not 5 <= int(value) <= 100:
            raise self._state.problems.invalid(
                f"The `max_results` query parameter value [{value}] is not between 5 and 100",
                {"max_results": [value]},
            )
        return int(value)

    def _id(self, request: Request, name: str) -> int | None:
        value = request.query.get(name)
        if value is None:
            return None
        if not _ID.fullmatch(value):
            raise self._state.problems.invalid(
                f"The `{name}` query parameter value [{value}] does not match ^[0-9]{{1,19}}$", {name: [value]}
            )
        return int(value)

    def _moment(self, request: Request, name: str) -> float | None:
        value = request.query.get(name)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
            if "T" not in value or moment.tzinfo is None:
                raise ValueError(value)
        except ValueError:
            raise self._state.problems.invalid(
                f"The `{name}` query parameter value [{value}] is not a valid RFC 3339 date-time", {name: [value]}
            ) from None
        return moment.timestamp()

    def _page_start(self, request: Request) -> int | None:
        token = request.query.get("pagination_token")
        if token is None:
            return None
        try:
            return int(token, 16)
        except ValueError:
            raise self._state.problems.invalid(
                f"The `pagination_token` query parameter value [{token}] is not valid", {"pagination_token": [token]}
            ) from None


def _list_of(answer: Json, name: str) -> list[object]:
    value = answer.get(name)
    return value if isinstance(value, list) else []


def _media(tweet: Tweet, fields: frozenset[str]) -> Iterator[Json]:
    for file, media_key in zip(tweet.post.media, tweet.media_keys, strict=True):
        optional: Json = {
            "width": file.width,
            "height": file.height,
            "alt_text": file.alt_text,
            "duration_ms": None if file.duration is None else int(file.duration * 1000),
            "url": f"https://pbs.twimg.com/media/{file.id}" if file.kind == "photo" else None,
        }
        if file.kind != "photo":
            optional["public_metrics"] = {"view_count": tweet.post.metrics.get("views", 0)}
        yield {"media_key": media_key, "type": file.kind} | {
            name: value for name, value in optional.items() if name in fields and value is not None
        }
