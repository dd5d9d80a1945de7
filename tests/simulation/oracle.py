"""What must hold whatever goes wrong, checked from outside: on the log, the documents, the messages and the ledger.

The rules are written down here a second time and on purpose share nothing with the code they judge, but for the pure
`evolve` and `follow_ups`, whose clean replay says what others had to be told.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.simulation.engine import Violated

from contracts.messages import Event, encode
from contracts.posts import (
    AttemptsDue,
    CancelPost,
    DuplicateDetected,
    Post,
    PostCancelled,
    PostCreated,
    PostDeleted,
    PostEdited,
    PostScheduled,
    PublicationStarted,
    Published,
    TargetOutcomeRecorded,
)
from contracts.verdicts import CommandRefused, Verdict
from contracts.wire import Envelope, unpack
from eventlog.memory import MemoryDocuments
from eventlog.ports import LogRecord, Outgoing, ReceivedCommand
from posts.domain.post import PostAggregate


@dataclass
class Known:
    """A post as its accepted events make it, in the few respects the invariants are about."""

    version: int = 0
    event_id: str | None = None
    text: str = ""
    text_at_start: str = ""
    schedule: datetime | None = None
    cancelled: bool = False
    deleted: bool = False
    accepted_for_publication: bool = False
    attempts: dict[str, int] = field(default_factory=dict)
    state: Post | None = None


def _text(event: PostCreated | PostEdited) -> str | None:
    parts = event.parts if isinstance(event, PostCreated) else event.changes.parts
    return parts[0].text if isinstance(parts, tuple) else None


class Oracle:
    def __init__(self, documents: MemoryDocuments[Post], seen: Counter[str], skew: timedelta) -> None:
        self._aggregate = PostAggregate()
        self._documents = documents
        self._seen = seen
        self._skew = skew
        """How far ahead an owner's clock may be: so much earlier than due something may go out."""
        self.posts: dict[str, Known] = {}
        self.commands: dict[str, ReceivedCommand] = {}
        """The first copy of each command in the commands topic."""
        self.known_before: dict[tuple[str, int | None], int] = {}
        """The post's version when a copy of a command was given; each copy has a reply partition of its own."""
        self.by_command: dict[str, Event] = {}
        """The accepted event of each command."""
        self.verdicts: dict[str, Verdict] = {}
        self.accepted: list[tuple[int, str, int]] = []
        """Offset, post and version of every accepted event."""
        self.owed: dict[str, tuple[str, str, bytes]] = {}
        """Topic, key and value of every follow-up of an accepted event."""
        self.told: dict[str, int] = {}
        self.live: dict[str, list[str]] = {}
        """What lies on the platform, by target."""

    # --- as it happens --------------------------------------------------------------------------------

    def commanded(self, received: ReceivedCommand) -> None:
        post = self.posts.get(received.aggregate_id)
        self.known_before[received.envelope.id, received.envelope.reply_partition] = 0 if post is None else post.version
        self.commands.setdefault(received.envelope.id, received)

    def appended(self, record: LogRecord) -> None:
        envelope, event = unpack(record.headers, record.value)
        assert isinstance(event, Event)
        post = self.posts.setdefault(envelope.subject, Known())
        if envelope.sequence != post.version + 1 or envelope.previous_id != post.event_id:
            self._seen["append skipped by the acceptance rule"] += 1
            if envelope.sequence == post.version + 1:
                self._seen["skipped although its version looked right"] += 1
            return
        post.version += 1
        post.event_id = envelope.id
        self.accepted.append((record.offset, envelope.subject, post.version))
        self._check_command(envelope, event)
        before = post.state
        if isinstance(event, CommandRefused):
            if (
                event.command_type == CancelPost.type_name
                and before
                and before.status == "publishing"
                and post.schedule
            ):
                self._seen["cancel lost to due"] += 1
        else:
            post.state = self._aggregate.evolve(before, event)
            self._note(envelope, event, post)
        assert post.state is not None
        for follow_up in self._aggregate.follow_ups(before, event, envelope.id, post.state):
            self.owed[follow_up.id] = (follow_up.topic, follow_up.key, encode(follow_up.message))

    def _check_command(self, envelope: Envelope, event: Event) -> None:
        if envelope.command_id is None:
            return
        received = self.commands.get(envelope.command_id)
        if received is None:
            raise Violated(f"(2) an event of a command nobody gave: {envelope.command_id}")
        if envelope.command_id in self.by_command:
            raise Violated(f"(2) two accepted events of command {envelope.command_id}")
        self.by_command[envelope.command_id] = event
        deadline = received.envelope.deadline
        if deadline is not None and received.appended_at > deadline:
            raise Violated(f"(2) {envelope.command_id} was obeyed after its sender had given up")

    def _note(self, envelope: Envelope, event: Event, post: Known) -> None:  # noqa: PLR0912  # a branch for each fact
        match event:
            case PostCreated(schedule=schedule, publish_now=now, targets=targets):
                post.text = _text(event) or ""
                post.schedule = None if schedule is None else schedule.at
                post.accepted_for_publication = now or schedule is not None
                if now:
                    self._start(post, [target.target_id for target in targets], fresh=True)
            case PostEdited(targets=targets):
                if (text := _text(event)) is not None:
                    post.text = text
                if targets is None:
                    post.schedule = None
                    post.cancelled = False
                    post.accepted_for_publication = False
            case PostScheduled(schedule=schedule):
                post.schedule = schedule.at
                post.cancelled = False
                post.accepted_for_publication = True
                post.attempts = {}
            case PublicationStarted(due_at=due_at, at=at, target_ids=target_ids):
                if event.actor is None and (post.schedule is None or post.schedule != due_at or at < post.schedule):
                    raise Violated(f"(8) {envelope.subject} was started at {at}, due {due_at}, told {post.schedule}")
                if event.actor is None and (post.cancelled or post.deleted):
                    raise Violated(f"(3) {envelope.subject} was started after it had been cancelled or deleted")
                post.cancelled = False
                post.accepted_for_publication = True
                if due_at is None:
                    post.schedule = None
                self._start(post, target_ids, fresh=True)
            case AttemptsDue(target_ids=target_ids):
                if post.cancelled or post.deleted:
                    raise Violated(f"(3) {envelope.subject} was attempted after it had been cancelled or deleted")
                self._start(post, target_ids, fresh=False)
            case TargetOutcomeRecorded(target_id=target_id, attempt=attempt, outcome=outcome):
                if not isinstance(outcome, Published) and attempt != post.attempts.get(target_id):
                    raise Violated(f"(4) {envelope.subject} took the outcome of the stale attempt {attempt}")
            case PostCancelled(at=at):
                if post.schedule is not None and at >= post.schedule:
                    self._seen["due lost to a cancel"] += 1
                post.cancelled = True
                post.accepted_for_publication = False
            case PostDeleted():
                post.deleted = True
            case DuplicateDetected():
                raise Violated(f"(4) {envelope.subject} is live twice")

    def _start(self, post: Known, target_ids: tuple[str, ...] | list[str], *, fresh: bool) -> None:
        assert post.state is not None
        for target_id in target_ids:
            post.attempts[target_id] = post.state.attempts
        if fresh:
            post.text_at_start = post.text

    def published(self, outgoing: Outgoing) -> None:
        envelope, message = unpack(outgoing.headers, outgoing.value)
        if isinstance(message, Verdict):
            self._check_verdict(message, self.known_before[message.command_id, outgoing.partition])
            return
        owed = self.owed.get(envelope.id)
        if owed is None:
            raise Violated(f"(6) told {envelope.id} of an event that was not accepted")
        if owed != (outgoing.topic, outgoing.key, outgoing.value):
            raise Violated(f"(6) told {envelope.id} otherwise than a clean replay: {outgoing.value!r}, not {owed!r}")
        self.told[envelope.id] = self.told.get(envelope.id, 0) + 1
        if self.told[envelope.id] == 2:
            self._seen["follow-up told again"] += 1

    def _check_verdict(self, verdict: Verdict, known_before: int) -> None:
        event = self.by_command.get(verdict.command_id)
        if verdict.refusal is None:
            if event is None or isinstance(event, CommandRefused):
                raise Violated(f"(2) {verdict.command_id} was told to be accepted, the log says {event!r}")
            stored = self._documents.stored.get(verdict.aggregate_id)
            if stored is None or stored[1].version < verdict.version:
                raise Violated(f"(2) a read after the verdict on {verdict.command_id} would not see the write")
            if verdict.version < known_before:
                raise Violated(
                    f"(2) the verdict on {verdict.command_id} is older than what was known when it was given"
                )
        else:
            self._seen[f"refused: {verdict.refusal.code}"] += 1
            if event is not None and not isinstance(event, CommandRefused):
                raise Violated(f"(2) {verdict.command_id} was told to be refused and was obeyed")
            if (
                verdict.refusal.code == "post_not_found"
                and known_before
                and not self.posts[verdict.aggregate_id].deleted
            ):
                raise Violated(f"(2) {verdict.command_id} was told that {verdict.aggregate_id} does not exist")
        earlier = self.verdicts.setdefault(verdict.command_id, verdict)
        if earlier.refusal != verdict.refusal:
            raise Violated(f"(2) {verdict.command_id} got two verdicts: {earlier.refusal!r}, {verdict.refusal!r}")
        if earlier is not verdict:
            self._seen["verdict repeated"] += 1

    def checkpointed(self, offset: int) -> None:
        for at, post_id, version in self.accepted:
            if at < offset:
                stored = self._documents.stored.get(post_id)
                if stored is None or stored[1].version < version:
                    raise Violated(f"(7) the checkpoint {offset} covers {post_id} v{version}, its document does not")

    def sent(self, post_id: str, target_id: str, text: str, platform_post_id: str, at: datetime) -> None:
        """Something went live."""
        post = self.posts[post_id]
        if post.cancelled or post.deleted:
            raise Violated(f"(3) {post_id} went live after it had been cancelled or deleted")
        if text != post.text_at_start:
            raise Violated(f"(3) {post_id} went live as {text!r}, last edited to {post.text_at_start!r}")
        if post.schedule is not None and at < post.schedule - self._skew:
            raise Violated(f"(8) {post_id} went live at {at}, before {post.schedule}")
        live = self.live.setdefault(f"{post_id}/{target_id}", [])
        live.append(platform_post_id)
        if len(live) > 1:
            raise Violated(f"(4) {post_id} is live twice on {target_id}")

    # --- at the end -----------------------------------------------------------------------------------

    def check_end(self) -> None:
        missing = self.owed.keys() - self.told.keys()
        if missing:
            raise Violated(f"(6) never told: {sorted(missing)}")
        for post_id, post in self.posts.items():
            state = post.state
            if state is None or state.deleted:
                continue
            if state.status in ("publishing", "scheduled"):
                raise Violated(f"(4) {post_id} never came to an end: {state.status}")
            if post.accepted_for_publication and state.status not in ("published", "failed"):
                raise Violated(f"(4) {post_id} was accepted for publication and is {state.status}")
            for target in state.targets:
                live = self.live.get(f"{post_id}/{target.target_id}", [])
                if target.status == "published" and live != [target.platform_post_id]:
                    raise Violated(f"(4) {post_id} says {target.platform_post_id} is live, the platform says {live}")
        for command_id, received in self.commands.items():
            if received.envelope.reply_partition is not None and command_id not in self.verdicts:
                raise Violated(f"(2) no verdict on {command_id}")
