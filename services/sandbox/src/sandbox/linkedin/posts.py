"""Creating, deleting and reading posts; commenting."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import msgspec
from msgspec import UNSET, UnsetType

from sandbox.accounts import Account
from sandbox.ledger import Post, PublishedMedia
from sandbox.linkedin.bodies import Article, Content, CreateComment, CreatePost, Poll, decode
from sandbox.linkedin.errors import error, input_error, no_permission, not_found
from sandbox.linkedin.little_text import Commentary, parse, utf16_length
from sandbox.linkedin.restli import bad_query, number_parameter, urn_parameter
from sandbox.linkedin.state import PLATFORM, Caller, Share, State
from sandbox.web import RefusedError, Request, Response, as_json

_RESOURCE = "postsExternal"
_WRITE_SCOPES = ("w_member_social", "w_organization_social")
_READ_SCOPES = ("r_member_social", "r_organization_social")
_FEED_SCOPES = ("w_member_social_feed", "w_organization_social_feed")
_READ_FEED_SCOPES = ("r_member_social_feed", "r_organization_social_feed")
_LONGEST_ALT_TEXT = 4_086
_LONGEST_TITLE = 400
_LONGEST_COMMENT = 1_250
_LONGEST_QUESTION = 140
_LONGEST_OPTION = 30
_IN_WEEKS = ("ONE_WEEK", "TWO_WEEKS")
_IN_DAYS = ("SEVEN_DAYS", "FOURTEEN_DAYS")
_LARGEST_PAGE = 100


class Posts:
    """``/rest/posts`` and comments on posts."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._recent: dict[bytes, str] = {}

    def create(self, request: Request, caller: Caller) -> Response:
        asked = decode(request.body, CreatePost)
        permission = caller.permission(_RESOURCE, "CREATE")
        author = self._state.actor(caller, asked.author, "/author", _WRITE_SCOPES, permission)
        commentary = parse(asked.commentary, self._state.settings.reserved_in_urls)
        self._check(asked, author, commentary)
        media = self._media(asked, author)
        fingerprint = self._fingerprint(asked)
        self._check_duplicate(fingerprint)
        urn = self._publish(asked, author, commentary, media)
        self._recent[fingerprint] = urn
        return Response(201, headers={"x-restli-id": self._restli_id(urn)})

    def delete(self, request: Request, caller: Caller) -> Response:
        """204, again for what is already deleted; 404 for what never was."""
        share = self._state.shares.get(request.path_parameters["urn"])
        if share is None:
            raise not_found(request.path_parameters["urn"])
        permission = caller.permission(_RESOURCE, "DELETE")
        self._state.actor(caller, share.asked.author, "/author", _WRITE_SCOPES, permission)
        if share.post.deleted_at is None:
            share.post.deleted_at = self._state.now
        return Response(204)

    def get(self, request: Request, caller: Caller) -> Response:
        permission = caller.permission(_RESOURCE, "GET")
        urn = request.path_parameters["urn"]
        if caller.token.scopes.isdisjoint(_READ_SCOPES):
            raise no_permission(permission)
        share = self._state.visible_share(urn)
        self._state.actor(caller, share.asked.author, "/author", _READ_SCOPES, permission)
        return as_json(200, _shown(share))

    def find(self, request: Request, caller: Caller) -> Response:
        """``q=author``, newest first."""
        if request.query.get("q") != "author":
            raise bad_query()
        author = urn_parameter(request, "author")
        permission = caller.permission(_RESOURCE, "FINDER-author")
        self._state.actor(caller, author, "/author", _READ_SCOPES, permission)
        if request.query.get("sortBy", "LAST_MODIFIED") not in ("LAST_MODIFIED", "CREATED"):
            raise bad_query()
        start = number_parameter(request, "start", 0)
        count = number_parameter(request, "count", 10)
        if not 1 <= count <= _LARGEST_PAGE:
            raise bad_query()
        shares = [
            share
            for share in reversed(self._state.shares.values())
            if share.asked.author == author and share.post.visible(self._state.now)
        ]
        page = shares[start : start + count]
        return as_json(
            200,
            {
                "paging": {"start": start, "count": count, "links": [], "total": len(shares)},
                "elements": [_shown(share) for share in page],
            },
        )

    def comment(self, request: Request, caller: Caller) -> Response:
        asked = decode(request.body, CreateComment)
        urn = request.path_parameters["urn"]
        share = self._state.visible_share(urn)
        if self._state.now - share.post.created_at < self._state.settings.comments_lag_seconds:
            raise not_found(urn)
        if asked.object != urn:
            raise input_error(400, "INVALID_VALUE_FOR_FIELD", "object is not the post of the path", "/object")
        scopes = _FEED_SCOPES if self._state.settings.comments_need_feed_scope else _WRITE_SCOPES
        permission = caller.permission("socialActions", "CREATE")
        actor = self._state.actor(caller, asked.actor, "/actor", scopes, permission)
        _check_length("/message/text", asked.message.text, _LONGEST_COMMENT)
        if not asked.message.text.strip():
            raise input_error(400, "INVALID_VALUE_BLANK_FIELD", "The comment is blank", "/message/text")
        comment_id = str(self._state.ids.next())
        comment_urn = f"urn:li:comment:({urn},{comment_id})"
        now = self._state.now
        self._state.world.ledger.add(
            Post(
                platform=PLATFORM,
                id=comment_urn,
                account=actor.id,
                text=asked.message.text,
                raw=asked.message.text,
                created_at=now,
                visible_at=now,
                conversation_id=share.post.id,
                in_reply_to=asked.parent_comment if isinstance(asked.parent_comment, str) else urn,
                options={"kind": "comment"},
            )
        )
        return as_json(201, _shown_comment(comment_urn, actor.id, asked.message.text, now), {"x-restli-id": comment_id})

    def comments(self, request: Request, caller: Caller) -> Response:
        """Of a post; those under other comments are left out."""
        urn = request.path_parameters["urn"]
        share = self._state.visible_share(urn)
        scopes = _READ_FEED_SCOPES if self._state.settings.comments_need_feed_scope else _READ_SCOPES
        self._state.actor(caller, share.asked.author, "/author", scopes, caller.permission("socialActions", "GET_ALL"))
        start = number_parameter(request, "start", 0)
        count = number_parameter(request, "count", 10)
        if not 1 <= count <= _LARGEST_PAGE:
            raise bad_query()
        comments = [
            post
            for post in self._state.world.ledger.posts(PLATFORM)
            if post.in_reply_to == urn and post.options.get("kind") == "comment" and post.visible(self._state.now)
        ]
        page = [_shown_comment(post.id, post.account, post.text, post.created_at) for post in comments]
        paging = {"start": start, "count": count, "links": [], "total": len(comments)}
        return as_json(200, {"paging": paging, "elements": page[start : start + count]})

    def delete_comment(self, request: Request, caller: Caller) -> Response:
        """204; 404 for what is not there."""
        urn, number = request.path_parameters["urn"], request.path_parameters["id"]
        actor = urn_parameter(request, "actor")
        scopes = _FEED_SCOPES if self._state.settings.comments_need_feed_scope else _WRITE_SCOPES
        permission = caller.permission("socialActions", "DELETE")
        account = self._state.actor(caller, actor, "/actor", scopes, permission)
        comment = self._state.world.ledger.get(f"urn:li:comment:({urn},{number})")
        if comment is None or comment.deleted_at is not None:
            raise not_found(number)
        if comment.account != account.id:
            raise no_permission(permission)
        comment.deleted_at = self._state.now
        return Response(204)

    def _check(self, asked: CreatePost, author: Account, commentary: Commentary) -> None:
        limit = self._state.settings.max_commentary
        if commentary.length > limit:
            raise input_error(
                400,
                "FIELD_LENGTH_TOO_LONG",
                f"Field /commentary has {commentary.length} characters, at most {limit} are allowed",
                "/commentary",
            )
        if asked.content is UNSET and asked.reshare_context is UNSET and not asked.commentary.strip():
            raise input_error(400, "INVALID_VALUE_BLANK_FIELD", "The commentary is blank", "/commentary")
        if not isinstance(asked.reshare_context, UnsetType):
            if asked.content is not UNSET:
                raise input_error(400, "INVALID_VALUE_FOR_FIELD", "A reshare has no content of its own", "/content")
            parent = self._state.shares.get(asked.reshare_context.parent)
            if parent is None or parent.post.deleted_at is not None:
                raise input_error(400, "INVALID_URN_ID", "The URN ID provided is invalid.", "/reshareContext/parent")
            if parent.asked.is_reshare_disabled_by_author:
                raise input_error(
                    400, "INVALID_VALUE_FOR_FIELD", "The post cannot be reshared", "/reshareContext/parent"
                )
        if asked.visibility == "CONNECTIONS" and author.kind == "organization":
            raise input_error(400, "INVALID_VALUE_FOR_FIELD", "Organizations have no connections", "/visibility")

    def _media(self, asked: CreatePost, author: Account) -> list[PublishedMedia]:
        """The attached files. Raises RefusedError for content that LinkedIn does not take."""
        content = asked.content
        if not isinstance(content, Content):
            return []
        members = (content.media, content.multi_image, content.article, content.poll)
        present = [member for member in members if not isinstance(member, UnsetType)]
        if len(present) != 1:
            raise input_error(400, "INVALID_VALUE_FOR_FIELD", "content must have exactly one member", "/content")
        if not isinstance(content.media, UnsetType):
            kind = content.media.id.removeprefix("urn:li:").partition(":")[0]
            if kind == "document" and not content.media.title:
                raise input_error(400, "MISSING_FIELD", "Documents need a title", "/content/media/title")
            return [
                self._file(
                    content.media.id,
                    author,
                    ("image", "video", "document"),
                    content.media.alt_text,
                    content.media.title,
                )
            ]
        if not isinstance(content.multi_image, UnsetType):
            images = content.multi_image.images
            if not 2 <= len(images) <= 20:
                raise input_error(
                    400,
                    "INVALID_VALUE_FOR_FIELD",
                    f"multiImage takes 2 to 20 images, not {len(images)}",
                    "/content/multiImage/images",
                )
            return [self._file(image.id, author, ("image",), image.alt_text, UNSET) for image in images]
        if isinstance(content.article, Article):
            return self._article(content.article, author)
        if isinstance(content.poll, Poll):
            _check_poll(content.poll, _IN_WEEKS if self._state.settings.poll_durations == "days" else _IN_DAYS)
        return []

    def _article(self, article: Article, author: Account) -> list[PublishedMedia]:
        if not article.source.startswith(("https://", "http://")):
            raise input_error(400, "INVALID_VALUE_FOR_FIELD", "source is not a URL", "/content/article/source")
        _check_length("/content/article/title", article.title or "", _LONGEST_TITLE)
        if isinstance(article.thumbnail, UnsetType):
            return []
        return [self._file(article.thumbnail, author, ("image",), article.thumbnail_alt_text, UNSET)]

    def _file(
        self,
        urn: str,
        author: Account,
        kinds: tuple[str, ...],
        alt_text: str | UnsetType,
        title: str | UnsetType,
    ) -> PublishedMedia:
        _check_length("/content/altText", alt_text or "", _LONGEST_ALT_TEXT)
        asset = self._state.assets.get(urn)
        if not urn.startswith(tuple(f"urn:li:{kind}:" for kind in kinds)):
            raise input_error(400, "INVALID_URN_TYPE", f"{urn} is not one of {', '.join(kinds)}", "/content")
        if asset is None:
            raise input_error(400, "INVALID_URN_ID", "The URN ID provided is invalid.", "/content")
        if asset.owner != author.id:
            raise error(403, f"{author.id} does not own {urn}", "ACCESS_DENIED")
        match asset.status(self._state.now):
            case "WAITING_UPLOAD" | "PROCESSING":
                raise error(400, "Media asset is waiting upload", "MEDIA_ASSET_WAITING_UPLOAD")
            case "PROCESSING_FAILED":
                raise error(400, "Media asset processing failed", "MEDIA_ASSET_PROCESSING_FAILED")
            case "AVAILABLE":
                return asset.published(
                    alt_text if isinstance(alt_text, str) else None, title if isinstance(title, str) else None
                )

    def _fingerprint(self, asked: CreatePost) -> bytes:
        """What makes two posts the same."""
        compared: list[object] = [asked.author, asked.commentary, asked.reshare_context]
        if self._state.settings.duplicates_compare_media:
            compared.append(asked.content)
        encoded = msgspec.msgpack.encode([None if part is UNSET else part for part in compared])
        return hashlib.sha256(encoded).digest()

    def _check_duplicate(self, fingerprint: bytes) -> None:
        earlier = self._state.shares.get(self._recent.get(fingerprint, ""))
        if earlier is None:
            return
        live = earlier.post.deleted_at is None or self._state.settings.deleted_are_duplicates
        age = self._state.now - earlier.post.created_at
        if live and age < self._state.settings.duplicate_window_seconds:
            raise duplicate(earlier.post.id)

    def _publish(self, asked: CreatePost, author: Account, commentary: Commentary, media: list[PublishedMedia]) -> str:
        state, now = self._state, self._state.now
        kind = "ugcPost" if any(file.kind == "video" for file in media) else "share"
        urn = f"urn:li:{kind}:{state.ids.next()}"
        lag = state.world.faults.effect(PLATFORM, author.id, "readback_lag")
        options: dict[str, object] = {
            "visibility": asked.visibility,
            "feed_distribution": asked.distribution.feed_distribution,
            "truncated": commentary.truncated,
        }
        if isinstance(asked.content, Content):
            for name, value in (("article", asked.content.article), ("poll", asked.content.poll)):
                if value is not UNSET:
                    options[name] = msgspec.to_builtins(value)
        if not isinstance(asked.reshare_context, UnsetType):
            options["reshare_of"] = asked.reshare_context.parent
        post = Post(
            platform=PLATFORM,
            id=urn,
            account=author.id,
            text=commentary.text,
            raw=asked.commentary,
            created_at=now,
            visible_at=now + lag.script.params.lasting(30.0) if lag else now,
            conversation_id=urn,
            media=media,
            options=options,
        )
        state.world.ledger.add(post)
        state.shares[urn] = Share(post, asked, commentary.little, commentary.mentions)
        return urn

    def _restli_id(self, urn: str) -> str:
        return quote(urn, safe="") if self._state.settings.encode_restli_id else urn


def duplicate(urn: str) -> RefusedError:
    """422; the message is the only place that names the earlier post."""
    return input_error(422, "DUPLICATE_POST", f"Content is a duplicate of {urn}")


def _check_length(field: str, text: str, limit: int) -> None:
    if utf16_length(text) > limit:
        raise input_error(400, "FIELD_LENGTH_TOO_LONG", f"Field {field} takes at most {limit} characters", field)


def _check_poll(poll: Poll, unknown_durations: tuple[str, ...]) -> None:
    if poll.settings.duration in unknown_durations:
        message = f"Invalid value for field duration: {poll.settings.duration}"
        raise input_error(400, "INVALID_VALUE_FOR_FIELD", message, "/content/poll/settings/duration")
    _check_length("/content/poll/question", poll.question, _LONGEST_QUESTION)
    if not 2 <= len(poll.options) <= 4:
        raise input_error(400, "INVALID_VALUE_FOR_FIELD", "A poll has 2 to 4 options", "/content/poll/options")
    for option in poll.options:
        _check_length("/content/poll/options/text", option.text, _LONGEST_OPTION)
    if not all(text.strip() for text in (poll.question, *(option.text for option in poll.options))):
        raise input_error(400, "INVALID_VALUE_BLANK_FIELD", "A part of the poll is blank", "/content/poll")


def _shown_comment(urn: str, actor: str, text: str, created_at: float) -> dict[str, object]:
    post, _, number = urn.removeprefix("urn:li:comment:(").removesuffix(")").rpartition(",")
    return {
        "id": number,
        "actor": actor,
        "object": post,
        "commentUrn": urn,
        "message": {"text": text, "attributes": []},
        "created": {"actor": actor, "time": int(created_at * 1000)},
    }


def _shown(share: Share) -> dict[str, object]:
    """A post as reads return it; times are epoch milliseconds."""
    post, asked = share.post, share.asked
    created_at = int(post.created_at * 1000)
    shown: dict[str, object] = {
        "id": post.id,
        "author": asked.author,
        "commentary": share.little,
        "visibility": asked.visibility,
        "lifecycleState": "PUBLISHED",
        "lifecycleStateInfo": {"isEditedByAuthor": False},
        "distribution": {
            "feedDistribution": asked.distribution.feed_distribution,
            "thirdPartyDistributionChannels": asked.distribution.third_party_distribution_channels,
        },
        "isReshareDisabledByAuthor": asked.is_reshare_disabled_by_author,
        "createdAt": created_at,
        "publishedAt": created_at,
        "lastModifiedAt": created_at,
        "content": {} if asked.content is UNSET else msgspec.to_builtins(asked.content),
    }
    if asked.reshare_context is not UNSET:
        shown["reshareContext"] = msgspec.to_builtins(asked.reshare_context)
    return shown
