"""Events as people read them: why is this post as it is? Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET

from contracts.content import TargetSpec
from contracts.messages import Message
from contracts.posts import (
    AttemptsDue,
    Deferred,
    DuplicateDetected,
    Held,
    Outcome,
    PostCancelled,
    PostCreated,
    PostDeleted,
    PostEdited,
    PostScheduled,
    PublicationStarted,
    Published,
    Rejected,
    RemovalOutcome,
    RemovalRecorded,
    RemovalStarted,
    Removed,
    Resolution,
    TargetOutcomeRecorded,
    TargetResolved,
    Unknown,
)
from contracts.verdicts import CommandRefused
from contracts.wire import Envelope
from gateway.views import HistoryEntry

_ASKED = {
    "post.create.v1": "create it",
    "post.edit.v1": "change it",
    "post.schedule.v1": "schedule it",
    "post.publish.v1": "publish it",
    "post.cancel.v1": "cancel it",
    "post.delete.v1": "delete it",
    "post.remove.v1": "take it off its platforms",
    "post.resolve_target.v1": "say what became of a held target",
}


def entry(envelope: Envelope, event: Message) -> HistoryEntry:
    """One event of a post. Raises ValueError for one without a version, which the log never holds."""
    if envelope.sequence is None:
        raise ValueError(f"the event {envelope.id} has no version")
    details: dict[str, Any] = msgspec.to_builtins(event)
    for told_elsewhere in ("at", "actor", "tenant_id", "post_id"):
        details.pop(told_elsewhere, None)
    return HistoryEntry(
        version=envelope.sequence,
        type=event.type_name,
        at=_at(envelope, event),
        actor=getattr(event, "actor", None),
        summary=summary(event),
        details=details,
        event_id=envelope.id,
        command_id=envelope.command_id,
    )


def _at(envelope: Envelope, event: Message) -> datetime:
    at: datetime = getattr(event, "at", envelope.time)
    return at


def summary(event: Message) -> str:  # noqa: PLR0912  # a branch for each fact
    """What happened, in a sentence."""
    match event:
        case PostCreated():
            return _created(event)
        case PostEdited(changes=changes):
            named = [name for name in changes.__struct_fields__ if getattr(changes, name) is not UNSET]
            return f"Changed {', '.join('content' if name == 'parts' else name for name in named)}."
        case PostScheduled(schedule=schedule, targets=targets):
            return f"Scheduled for {_instant(schedule.at)} on {_names(targets)}."
        case PublicationStarted(due_at=due_at, target_ids=target_ids):
            why = "" if due_at is None else f"The scheduled time {_instant(due_at)} had come. "
            return f"{why}Began to publish on {_of(target_ids)}."
        case AttemptsDue(target_ids=target_ids):
            return f"Time to go on with {_of(target_ids)}."
        case PostCancelled():
            return "Cancelled: what had not been sent will not be."
        case PostDeleted():
            return "Deleted here. What is live on the platforms stays there."
        case TargetOutcomeRecorded(target_id=target_id, outcome=outcome, variants=variants):
            used = f" {_used(variants)}" if variants and isinstance(outcome, Published) else ""
            return f"{_outcome(target_id, outcome)}{used}"
        case DuplicateDetected(target_id=target_id, first=first, second=second):
            return (
                f"A second live post was found on {_of([target_id])}: "
                f"{second.platform_post_id} besides {first.platform_post_id}."
            )
        case TargetResolved(target_id=target_id, resolution=resolution):
            return f"Somebody looked at {_of([target_id])}: {_RESOLVED[resolution]}"
        case RemovalStarted(target_ids=target_ids):
            return f"To be taken off {_of(target_ids)}."
        case RemovalRecorded(target_id=target_id, outcome=outcome):
            return _removal(target_id, outcome)
        case CommandRefused(command_type=command_type, refusal=refusal):
            return f"Somebody asked to {_ASKED.get(command_type, command_type)}; refused: {refusal.message}"
        case _:
            return event.type_name


def _created(event: PostCreated) -> str:
    if event.publish_now:
        return f"Created the {event.kind} and began to publish it on {_names(event.targets)}."
    if event.schedule is not None:
        return f"Created the {event.kind}, to be published on {_names(event.targets)} at {_instant(event.schedule.at)}."
    return f"Created the {event.kind} as a draft."


def _used(variants: Mapping[str, str]) -> str:
    each = ", ".join(f"{variant_id} of {media_id}" for media_id, variant_id in variants.items())
    return f"Published as a variant: {each}."


def _outcome(target_id: str, outcome: Outcome) -> str:
    where = _of([target_id])
    match outcome:
        case Published(parts=parts, proof=proof):
            how = {
                "response": "",
                "readback": ", found by looking it up there",
                "duplicate_refusal": ", as the platform's refusal of a repeat proves",
            }[proof]
            return f"Live on {where}{how}: {', '.join(part.url or part.platform_post_id for part in parts)}."
        case Rejected(failure=failure):
            return f"Not published on {where}: {failure.message}"
        case Deferred(reason=reason, until=until):
            return f"Put off on {where} until {_instant(until)}: {reason.message}"
        case Unknown(reason=reason, probe_at=probe_at):
            return (
                f"Sent to {where}, but it is not known yet whether it is live; "
                f"to be looked up at {_instant(probe_at)}: {reason.message}"
            )
        case Held(reason=reason):
            return f"Held on {where}, for somebody to look at: {reason.message}"


_RESOLVED: Mapping[Resolution, str] = {
    "confirm": "it is live.",
    "republish": "it is not live, and is sent again.",
    "drop": "it is not live, and shall not be.",
}


def _removal(target_id: str, outcome: RemovalOutcome) -> str:
    where = _of([target_id])
    match outcome:
        case Removed():
            return f"Taken off {where}."
        case Rejected(failure=failure):
            return f"Still live on {where}, which could not be changed: {failure.message}"
        case Deferred(reason=reason, until=until):
            return f"To be taken off {where} at {_instant(until)}: {reason.message}"


def _names(targets: tuple[TargetSpec, ...]) -> str:
    return _of([target.target_id for target in targets])


def _of(target_ids: tuple[str, ...] | list[str]) -> str:
    """`twitter:acc_1` in words: the platform, and the account in brackets."""
    pairs = [target_id.partition(":") for target_id in target_ids]
    return ", ".join(f"{platform} ({account})" for platform, _, account in pairs) or "nothing"


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
