"""From a request to a handler and back: what every route shares, and how a command gets its answer."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import msgspec
import structlog
from litestar import Response
from msgspec.structs import replace

from contracts.accounts import Account
from contracts.content import Content, TargetSpec
from contracts.ids import derived_id, new_id
from contracts.media import MediaAsset
from contracts.messages import Message
from contracts.posts import Post, PostCommand
from contracts.topics import POSTS_COMMANDS
from contracts.wire import Envelope
from gateway import answers, context, insight_views, requests
from gateway.answers import Answer
from gateway.connections import Publisher, Redirects
from gateway.context import Principal, Req, RequestContext
from gateway.dispatch import Dispatcher
from gateway.feed import Feed, NoFeed, Streams
from gateway.idempotency import Idempotency, Turn, read_key
from gateway.insights import Insights
from gateway.policy import BASE
from gateway.posting_weeks import PostingWeeks
from gateway.problems import FieldError, ProblemError, invalid_parameter, refused
from gateway.repository import Repository, StoredPost
from gateway.resolve import Wish
from gateway.uploads import Uploads
from gateway.views import PendingView
from gateway.webhooks import NoWebhooks, Webhooks

log = structlog.get_logger()

MAX_TRIES = 3
"""Of a command whose post changes between its reading and its verdict, when the client names no revision."""

B = TypeVar("B")


class History(Protocol):
    """What is used of `eventlog.history.HistoryReader`."""

    async def read(self, topic: str, partition: int, offsets: Sequence[int]) -> list[tuple[Envelope, Message]]: ...


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """The parts that handlers use."""

    dispatcher: Dispatcher
    repository: Repository
    idempotency: Idempotency
    history: History
    publisher: Publisher
    redirects: Redirects
    insights: Insights
    refresh_every: timedelta
    """How often fresh numbers of one post may be asked for."""
    weeks: PostingWeeks
    uploads: Uploads | None = None
    """None where there is no object store."""
    webhooks: Webhooks = field(default_factory=NoWebhooks)
    feed: Feed = field(default_factory=NoFeed)
    streams: Streams = field(default_factory=lambda: Streams(most=500, most_of_tenant=20, seconds=600.0))
    now: Callable[[], datetime]


class NoVerdictYetError(Exception):
    """A command is durable and not decided yet."""

    def __init__(self, post_id: str, command_id: str) -> None:
        super().__init__(command_id)
        self.post_id = post_id
        self.command_id = command_id


class Call:
    """One request of a known user."""

    def __init__(self, gateway: Gateway, request: Req) -> None:
        self.gateway = gateway
        self.context: RequestContext = context.of(request)
        self.principal: Principal = context.principal_of(request)
        self.now = gateway.now()
        self._request = request

    @property
    def tenant_id(self) -> str:
        return self.principal.tenant_id

    @property
    def repository(self) -> Repository:
        return self.gateway.repository

    async def uploads(self, parts: Sequence[Content], wishes: Sequence[Wish]) -> Mapping[str, MediaAsset]:
        """The tenant's uploads that these name. Raises ProblemError."""
        instead = [wish.content for wish in wishes if wish.content is not None]
        named = {media.media_id for each in (*parts, *instead) for media in each.media if media.media_id is not None}
        if not named or self.gateway.uploads is None:
            return {}
        return await self.gateway.uploads.repository.assets(self.tenant_id, named)

    def path(self, name: str) -> str:
        value: str = self._request.path_params[name]
        return value

    async def reach(self, accounts: Sequence[Account]) -> Mapping[str, int | None]:
        """How many people posts of these accounts are likely to reach, by account: see `PublicationTarget`."""
        found = await self.gateway.insights.outcomes(self.tenant_id, [account.account_id for account in accounts])
        typical = {account_id: insight_views.typical_reach(outcomes) for account_id, outcomes in found.items()}
        return {
            account.account_id: account.followers if (reach := typical.get(account.account_id)) is None else reach
            for account in accounts
        }

    async def with_reach(self, targets: tuple[TargetSpec, ...]) -> tuple[TargetSpec, ...]:
        """The same targets; reach is estimated from the account's own posts, where there are enough of them."""
        found = await self.gateway.insights.outcomes(self.tenant_id, [target.account_id for target in targets])
        typical = {account_id: insight_views.typical_reach(outcomes) for account_id, outcomes in found.items()}
        return tuple(
            replace(target, estimated_reach=reach) if (reach := typical.get(target.account_id)) is not None else target
            for target in targets
        )

    def query(self, shape: type[B]) -> B:
        """The query string as a struct. Raises ProblemError for what is unknown, repeated or malformed."""
        values: dict[str, str] = {}
        for name, value in self._request.query_params.multi_items():
            if name in values:
                raise invalid_parameter(name, "parameter.repeated", f"{name} is given twice.")
            values[name] = value
        try:
            return msgspec.convert(values, shape, strict=False)
        except msgspec.ValidationError as error:
            found = requests.field_error(str(error))
            name = (found.pointer or "").strip("/")
            raise invalid_parameter(
                name, found.rule.replace("body.", "parameter."), f"{name}: {found.message}"
            ) from error


class Write(Call):
    """A request that changes something. Its ids are the same for each repeat with the same Idempotency-Key."""

    def __init__(self, gateway: Gateway, request: Req, turn: Turn | None, key: str | None) -> None:
        super().__init__(gateway, request)
        self._is_repeat = turn is not None and not turn.is_first
        self.has_sent = False
        if turn is None or key is None:
            at_ms = round(self.now.timestamp() * 1_000)
            self.command_id = new_id("cmd", at_ms=at_ms)
            self.new_post_id = new_id("post", at_ms=at_ms)
        else:
            whose = (self.principal.tenant_id, self.principal.subject, key)
            at_ms = round(turn.first_at.timestamp() * 1_000)
            self.command_id = derived_id("cmd", *whose, at_ms=at_ms)
            self.new_post_id = derived_id("post", *whose, at_ms=at_ms)

    def body(self, shape: type[B]) -> B:
        return requests.decode(self.context.body, shape)

    def optional_body(self, shape: type[B]) -> B:
        """An empty body counts as an empty object."""
        return requests.decode(self.context.body or b"{}", shape)

    def if_match(self) -> int | None:
        """The revision that the client has seen. Raises ProblemError."""
        value = self._request.headers.get("if-match")
        if value is None or value.strip() == "*":
            return None
        number = value.strip().removeprefix("W/").strip('"')
        if not (number.isascii() and number.isdigit() and len(number) <= 9):
            raise invalid_parameter("If-Match", "if_match", 'If-Match must be an ETag of this post, such as "3".')
        return int(number)

    async def create(self, command: PostCommand) -> Post:
        """The new post. Raises ProblemError, or NoVerdictYetError."""
        if self._is_repeat and (known := await self._known(self.new_post_id)) is not None:
            return known
        try:
            return await self._send(self.new_post_id, command, self.command_id)
        except ProblemError as problem:
            # The first of these requests created it so long ago that its post has forgotten the command.
            if problem.code == "post_exists" and (known := await self._known(self.new_post_id)) is not None:
                return known
            raise

    async def change(self, post_id: str, decide: Callable[[StoredPost, int], Awaitable[PostCommand]]) -> Post:
        """The post after the command that `decide` makes from it and the revision it may be obeyed on.

        Raises ProblemError, or NoVerdictYetError.
        """
        if_match = self.if_match()
        command_id = self.command_id
        for tries_left in reversed(range(1 if if_match is not None else MAX_TRIES)):
            found = await self.repository.post(self.tenant_id, post_id, with_deleted=self._is_repeat)
            memo = None if found is None else found.remembers(command_id)
            if found is None or (found.post.deleted and memo is None):
                raise post_not_found(post_id)
            try:
                if memo is not None:
                    if memo.refusal is None:
                        return found.post
                    raise refused(memo.refusal)
                command = await decide(found, found.post.revision if if_match is None else if_match)
                return await self._send(post_id, command, command_id)
            except ProblemError as problem:
                if problem.code != "revision_mismatch" or not tries_left:
                    raise
            # A refused command stays refused, so the next try is another one.
            command_id = derived_id("cmd", command_id, at_ms=made_at_ms(command_id))
        raise AssertionError("the last try returns or raises")

    async def _known(self, post_id: str) -> Post | None:
        found = await self.repository.post(self.tenant_id, post_id, with_deleted=True)
        return None if found is None else found.post

    async def _send(self, post_id: str, command: PostCommand, command_id: str) -> Post:
        self.has_sent = True
        try:
            verdict = await self.gateway.dispatcher.ask(
                POSTS_COMMANDS,
                post_id,
                command,
                command_id=command_id,
                tenant_id=self.tenant_id,
                traceparent=self.context.traceparent,
                status_url=status_url(post_id, command_id),
            )
        except ProblemError as problem:
            self.has_sent = problem.code == "append_unknown"
            raise
        if verdict is None:
            raise NoVerdictYetError(post_id, command_id)
        if verdict.refusal is not None:
            raise refused(verdict.refusal)
        return msgspec.json.decode(verdict.state, type=Post)


def status_url(post_id: str, command_id: str) -> str:
    return f"{BASE}/posts/{post_id}/commands/{command_id}"


def post_not_found(post_id: str) -> ProblemError:
    return ProblemError("post_not_found", f"There is no post {post_id}.")


def made_at_ms(identifier: str) -> int:
    """The time in an id of `contracts.ids`; 0 when there is none."""
    number = 0
    for character in identifier.partition("_")[2][:10]:
        digit = _CROCKFORD.find(character)
        if digit < 0:
            return 0
        number = number << 5 | digit
    return number


_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


async def read(request: Req, handle: Callable[[Call], Awaitable[Answer]]) -> Response[bytes]:
    gateway: Gateway = request.app.state.gateway
    return (await handle(Call(gateway, request))).response()


async def once(request: Req, handle: Callable[[Write], Awaitable[Answer]]) -> Response[bytes]:
    """A write that begins something new with each request, and to which an Idempotency-Key means nothing."""
    gateway: Gateway = request.app.state.gateway
    _require_json(request)
    return (await handle(Write(gateway, request, None, None))).response()


async def write(request: Req, handle: Callable[[Write], Awaitable[Answer]]) -> Response[bytes]:
    """Answers with what `handle` returns or raises, once for each Idempotency-Key."""
    gateway: Gateway = request.app.state.gateway
    _require_json(request)
    key = read_key(request.headers.get("idempotency-key"))
    turn = None
    if key is not None:
        principal = context.principal_of(request)
        begun = await gateway.idempotency.begin(
            tenant_id=principal.tenant_id,
            subject=principal.subject,
            key=key,
            method=request.method,
            path=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            body=context.of(request).body,
            now=gateway.now(),
        )
        if isinstance(begun, Answer):
            replayed = begun.response()
            replayed.headers["Idempotency-Replayed"] = "true"
            return replayed
        turn = begun
    call = Write(gateway, request, turn, key)
    is_final = False
    try:
        try:
            answer = await handle(call)
            is_final = True
        except NoVerdictYetError as waiting:
            answer = _pending(waiting)
        except ProblemError as problem:
            answer = answers.problem(problem, request_id=call.context.request_id, trace_id=call.context.trace_id)
            is_final = problem.status < 500
        if turn is not None and is_final and (call.has_sent or answer.status < 400):
            await _try(gateway.idempotency.finish(turn, answer.kept()))
            turn = None
        return answer.response()
    finally:
        if turn is not None:
            unused = turn.is_first and not call.has_sent
            await _try(gateway.idempotency.forget(turn) if unused else gateway.idempotency.release(turn))


async def _try(step: Awaitable[None]) -> None:
    """What has been decided stands, even if the record of it cannot be kept: a repeat finds it in the log."""
    try:
        await step
    except ProblemError as problem:
        log.warning("an idempotency record could not be kept", reason=problem.detail)


def _pending(waiting: NoVerdictYetError) -> Answer:
    where = status_url(waiting.post_id, waiting.command_id)
    view = PendingView(command_id=waiting.command_id, post_id=waiting.post_id, status="pending", status_url=where)
    return answers.answer(view, status=202, headers={"Location": where, "Retry-After": "1"})


def _require_json(request: Req) -> None:
    """Raises ProblemError when there is a body of another kind."""
    body = context.of(request).body
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    is_json = kind.strip().lower() == "application/json"
    charset = parameters.strip().lower()
    if body and (not is_json or (charset.startswith("charset=") and charset.replace('"', "") != "charset=utf-8")):
        raise ProblemError(
            "unsupported_media_type",
            "The body must be JSON in UTF-8, and say so.",
            errors=(
                FieldError(
                    parameter="Content-Type", rule="content_type", message="Not application/json.", actual=kind[:100]
                ),
            ),
            headers={"Accept": "application/json"},
        )
