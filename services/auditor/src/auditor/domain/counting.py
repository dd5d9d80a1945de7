"""What became of each accepted target, by the events alone. Pure.

The posts service folds the same events. This is written a second time on purpose, from the contract of the messages
and nothing else, so that a mistake there is not made here too: it follows only what a target's tenant was promised, and
takes no event at its word. Whatever does not follow from what is known becomes a finding.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, get_args

from msgspec import UNSET, Struct
from msgspec.structs import replace

from auditor.domain.findings import Finding, Kind
from contracts.content import LivePart, Platform, TargetSpec
from contracts.messages import Event
from contracts.posts import (
    COMMENT,
    AttemptsDue,
    Deferred,
    DuplicateDetected,
    Held,
    PostCancelled,
    PostCreated,
    PostDeleted,
    PostEdited,
    PostScheduled,
    PublicationStarted,
    Published,
    Rejected,
    RemovalRecorded,
    RemovalStarted,
    Removed,
    TargetOutcomeRecorded,
    TargetResolved,
    Unknown,
)
from contracts.verdicts import CommandRefused
from contracts.wire import Envelope

State = Literal[
    "scheduled",
    "publishing",
    "deferred",
    "unknown",
    "held",
    "published",
    "failed",
    "cancelled",
    "withdrawn",
    "deleted",
]
STATES: tuple[State, ...] = get_args(State)
IN_FLIGHT: tuple[State, ...] = ("publishing", "deferred", "unknown")
FINAL: tuple[State, ...] = ("published", "failed", "cancelled", "withdrawn", "deleted")


class Promise(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One accepted target: from its acceptance until it is replaced by a new one."""

    platform: Platform
    state: State
    since: datetime
    """Of the last event about it."""
    next_at: datetime | None = None
    """When something is to happen next: its due time, the next attempt; None when nothing has to."""
    attempt: int = 0
    """Of the latest hand-over; 0 before the first."""
    handed_at: datetime | None = None
    """When it was handed over for the first time."""
    unknown_since: datetime | None = None
    parts: int = 1
    live: tuple[str, ...] = ()
    """The platform's ids of what is known to be live."""
    commented: bool = False
    """A first comment is to follow when it goes live."""
    unproven: bool = False
    """Recorded as published, and not yet found in the journal."""
    removal_at: datetime | None = None
    """When taking it down was asked for, or is to be tried again."""

    @property
    def watch_at(self) -> datetime | None:
        """From when on time alone can make a finding of it; None when it cannot."""
        if self.state == "scheduled":
            return self.next_at
        return self.since if self.state in IN_FLIGHT or self.unproven else self.removal_at


class Account(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The promises of one post, and its place in the log."""

    post_id: str
    tenant_id: str
    version: int
    event_id: str
    attempts: int = 0
    parts: int = 1
    due_at: datetime | None = None
    promises: dict[str, Promise] = {}

    @property
    def watch_at(self) -> datetime | None:
        """From when on time alone can make a finding of one of them."""
        return min((at for each in self.promises.values() if (at := each.watch_at) is not None), default=None)


class Move(Struct, frozen=True):
    """One target, from a state to another; from None when it was accepted just now."""

    platform: Platform
    before: State | None
    after: State


class Folded(Struct, frozen=True):
    account: Account
    accepted: Counter[Platform]
    """How many targets the event accepts, counted by what it says."""
    moves: tuple[Move, ...]
    findings: tuple[Finding, ...]


def follows(account: Account | None, envelope: Envelope) -> bool:
    """Whether an event counts: it names its predecessor. What else lies in the log is void for every reader."""
    if account is None:
        return envelope.sequence == 1 and envelope.previous_id is None
    return envelope.sequence == account.version + 1 and envelope.previous_id == account.event_id


def fold(account: Account | None, envelope: Envelope, event: Event) -> Folded:
    """The account after an event that `follows`."""
    return _Fold(account, envelope).apply(event)


class _Fold:
    """One event being folded."""

    def __init__(self, account: Account | None, envelope: Envelope) -> None:
        self._envelope = envelope
        self._before = account
        self._account = account or Account(
            post_id=envelope.subject, tenant_id=envelope.tenant_id or "", version=0, event_id=""
        )
        self._promises = dict(self._account.promises)
        self._attempts = self._account.attempts
        self._accepted: Counter[Platform] = Counter()
        self._moves: list[Move] = []
        self._findings: list[Finding] = []

    def apply(self, event: Event) -> Folded:
        if self._before is None and not isinstance(event, PostCreated):
            self._find("unaccepted", "", f"{event.type_name} on a post that was never created")
        else:
            self._apply(event)
        account = replace(
            self._account,
            version=self._account.version + 1,
            event_id=self._envelope.id,
            attempts=self._attempts,
            promises=self._promises,
        )
        return Folded(account, self._accepted, tuple(self._moves), tuple(self._findings))

    def _apply(self, event: Event) -> None:  # noqa: PLR0912  # a branch for each fact
        match event:
            case PostCreated():
                self._create(event)
            case PostEdited():
                self._edit(event)
            case PostScheduled(at=at, schedule=schedule, targets=targets):
                self._account = replace(self._account, due_at=schedule.at)
                self._accept(targets, at, schedule.at)
            case PublicationStarted(at=at, target_ids=target_ids, targets=targets):
                if targets:
                    self._accept(targets, at, at)
                self._hand_over(target_ids, at, ("scheduled", "failed", "cancelled"))
            case AttemptsDue(at=at, target_ids=target_ids):
                self._hand_over(target_ids, at, IN_FLIGHT)
            case TargetOutcomeRecorded():
                self._record(event)
            case TargetResolved():
                self._resolve(event)
            case RemovalStarted(at=at, target_ids=target_ids):
                for target_id in target_ids:
                    if (promise := self._known(target_id)) is not None:
                        self._promises[target_id] = replace(promise, removal_at=at)
            case RemovalRecorded():
                self._record_removal(event)
            case PostCancelled(at=at):
                waiting = [each for each in self._in_state("scheduled", "deferred") if not each.endswith(COMMENT)]
                self._move_all(waiting, "cancelled", at)
            case PostDeleted(at=at):
                self._move_all(self._in_state("scheduled", *IN_FLIGHT), "deleted", at)
            case DuplicateDetected(target_id=target_id, first=first, second=second):
                self._find("duplicate", target_id, f"{first.platform_post_id} and {second.platform_post_id}")
            case CommandRefused():
                pass
            case _:
                self._find("contradiction", "", f"{event.type_name} is nothing that posts record")

    # --- acceptance -----------------------------------------------------------------------------------

    def _create(self, event: PostCreated) -> None:
        self._account = replace(self._account, tenant_id=event.tenant_id, parts=len(event.parts))
        if self._before is not None:
            self._find("contradiction", "", "created a second time")
        if event.schedule is not None:
            self._account = replace(self._account, due_at=event.schedule.at)
            self._accept(event.targets, event.at, event.schedule.at)
        elif event.publish_now:
            self._accept(event.targets, event.at, event.at)
            self._hand_over([target.target_id for target in event.targets], event.at, ("scheduled",))

    def _edit(self, event: PostEdited) -> None:
        if event.changes.parts is not UNSET:
            self._account = replace(self._account, parts=len(event.changes.parts))
        self._accept(event.targets or (), event.at, self._account.due_at or event.at)

    def _accept(self, targets: Sequence[TargetSpec], at: datetime, due_at: datetime) -> None:
        """These targets take the place of those that there were."""
        for target_id, promise in self._account.promises.items():
            if target_id.endswith(COMMENT):
                continue
            if promise.state == "scheduled":
                self._move(target_id, "withdrawn", at)
            elif promise.state not in FINAL or (promise.live and promise.state != "deleted"):
                self._find("contradiction", target_id, f"replaced while it was {promise.state}")
                self._move(target_id, "withdrawn", at)
            del self._promises[target_id]
        for spec in targets:
            if spec.target_id in self._promises:
                self._find("contradiction", spec.target_id, "accepted twice by one event")
                continue
            self._promises[spec.target_id] = Promise(
                platform=spec.platform,
                state="scheduled",
                since=at,
                next_at=due_at,
                parts=self._account.parts if spec.content is None else 1,
                commented=bool(spec.options.get("first_comment")),
            )
            self._moves.append(Move(spec.platform, None, "scheduled"))
        self._accepted.update(spec.platform for spec in targets)

    def _accept_comment(self, target_id: str, under: Promise, at: datetime) -> None:
        comment_id = f"{target_id}{COMMENT}"
        if not under.commented or comment_id in self._promises:
            return
        self._promises[comment_id] = Promise(platform=under.platform, state="scheduled", since=at, next_at=at)
        self._moves.append(Move(under.platform, None, "scheduled"))
        self._accepted.update((under.platform,))
        self._hand_over([comment_id], at, ("scheduled",))

    # --- in flight ------------------------------------------------------------------------------------

    def _hand_over(self, target_ids: Iterable[str], at: datetime, allowed: Sequence[State]) -> None:
        self._attempts += 1
        for target_id in target_ids:
            promise = self._known(target_id)
            if promise is None:
                continue
            if promise.state not in allowed:
                self._find("contradiction", target_id, f"handed to the publisher while it was {promise.state}")
            state: State = "unknown" if promise.state == "unknown" else "publishing"
            self._move(
                target_id,
                state,
                at,
                next_at=at,
                attempt=self._attempts,
                handed_at=at if promise.state not in IN_FLIGHT else promise.handed_at,
            )

    def _record(self, event: TargetOutcomeRecorded) -> None:
        promise = self._known(event.target_id)
        if promise is None:
            return
        if promise.attempt == 0:
            self._find("unaccepted", event.target_id, f"told of while it was {promise.state}, and never handed over")
        outcome = event.outcome
        if isinstance(outcome, Published):
            self._publish(event.target_id, promise, outcome.parts, event.at)
            return
        if promise.state == "deleted":
            return
        if promise.state not in ("publishing", "unknown"):
            self._find("contradiction", event.target_id, f"told of while it was {promise.state}")
        live = tuple(part.platform_post_id for part in outcome.parts) or promise.live
        match outcome:
            case Rejected():
                self._move(event.target_id, "failed", event.at, live=live)
            case Deferred(until=until):
                self._move(event.target_id, "deferred", event.at, live=live, next_at=until)
            case Unknown(probe_at=probe_at):
                since = promise.unknown_since or event.at
                self._move(event.target_id, "unknown", event.at, live=live, next_at=probe_at, unknown_since=since)
            case Held():
                self._move(event.target_id, "held", event.at, live=live)

    def _publish(self, target_id: str, promise: Promise, parts: Sequence[LivePart], at: datetime) -> None:
        live = tuple(part.platform_post_id for part in parts)
        if promise.state == "published" or (promise.state == "deleted" and promise.live):
            if live[:1] == promise.live[:1]:
                self._find("contradiction", target_id, "recorded as published twice")
            else:
                self._find("duplicate", target_id, f"{promise.live[:1]} and {live[:1]}")
            return
        if len(live) != promise.parts:
            self._find("contradiction", target_id, f"published with {len(live)} parts of {promise.parts}")
        self._move(target_id, "published", at, live=live, unproven=True)
        self._accept_comment(target_id, promise, at)

    def _resolve(self, event: TargetResolved) -> None:
        promise = self._known(event.target_id)
        if promise is None:
            return
        if promise.state != "held":
            self._find("contradiction", event.target_id, f"resolved by a person while it was {promise.state}")
        if event.resolution == "drop":
            self._move(event.target_id, "failed", event.at)
            return
        live = promise.live if event.live is None else (*promise.live, event.live.platform_post_id)
        self._promises[event.target_id] = replace(promise, live=live)
        if event.live is not None and len(live) == promise.parts:
            # The journal holds it for doubtful for ever: that it is live is what a person has seen.
            self._move(event.target_id, "published", event.at)
            self._accept_comment(event.target_id, promise, event.at)
        else:
            self._hand_over([event.target_id], event.at, ("held",))

    def _record_removal(self, event: RemovalRecorded) -> None:
        promise = self._known(event.target_id)
        if promise is None:
            return
        match event.outcome:
            case Removed():
                if promise.state not in FINAL:
                    self._find("contradiction", event.target_id, f"taken down while it was {promise.state}")
                self._move(event.target_id, "deleted", event.at)
            case Deferred(until=until):
                self._promises[event.target_id] = replace(promise, removal_at=until)
            case Rejected():
                self._promises[event.target_id] = replace(promise, removal_at=None)

    # --- words ----------------------------------------------------------------------------------------

    def _known(self, target_id: str) -> Promise | None:
        promise = self._promises.get(target_id)
        if promise is None:
            self._find("unaccepted", target_id, "was never accepted")
        return promise

    def _in_state(self, *states: State) -> list[str]:
        return [target_id for target_id, promise in self._promises.items() if promise.state in states]

    def _move_all(self, target_ids: Iterable[str], state: State, at: datetime) -> None:
        for target_id in target_ids:
            self._move(target_id, state, at)

    def _move(
        self,
        target_id: str,
        state: State,
        at: datetime,
        *,
        next_at: datetime | None = None,
        attempt: int | None = None,
        handed_at: datetime | None = None,
        unknown_since: datetime | None = None,
        live: tuple[str, ...] | None = None,
        unproven: bool = False,
    ) -> None:
        """Nothing is expected of it afterwards but what is said here."""
        promise = self._promises[target_id]
        self._moves.append(Move(promise.platform, promise.state, state))
        self._promises[target_id] = replace(
            promise,
            state=state,
            since=at,
            next_at=next_at,
            attempt=promise.attempt if attempt is None else attempt,
            handed_at=(handed_at or promise.handed_at) if state in IN_FLIGHT else None,
            unknown_since=(unknown_since or promise.unknown_since) if state == "unknown" else None,
            live=promise.live if live is None else live,
            unproven=unproven,
            removal_at=None,
        )

    def _find(self, kind: Kind, target_id: str, detail: str) -> None:
        self._findings.append(
            Finding(
                kind=kind,
                tenant_id=self._account.tenant_id,
                post_id=self._account.post_id,
                target_id=target_id,
                at=self._envelope.time,
                detail=detail,
                version=self._account.version + 1,
            )
        )
