"""The irreversible call: its record before, and its answer after. Pure."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from contracts.content import Failure, LivePart
from publisher.domain.answers import (
    Accepted,
    Ambiguous,
    Answer,
    Duplicate,
    Processing,
    Refused,
    Retry,
)
from publisher.domain.doubt import doubted, in_process
from publisher.domain.publication import Part, Policy, Publication, Send, with_part
from publisher.domain.settling import confirmed, set_back, withdrawn


def start_send(
    entry: Publication, k: int, fingerprint: str, now: datetime, policy: Policy, *, resend: bool = False
) -> Publication:
    """To be stored before the socket is opened. Only the claimant of `entry` may do so."""
    part = entry.parts[k]
    send = Send(number=part.number + 1, fingerprint=fingerprint, at=now, deadline=now + policy.lease)
    sending = replace(
        part,
        step="sending",
        sends=(*part.sends, send),
        number=send.number,
        resends=part.resends + resend,
        looks=() if not resend else part.looks,
        look_at=None,
        handle=None,
    )
    return with_part(replace(entry, lease_until=send.deadline, sent_at=entry.sent_at or now, finished=None), k, sending)


def may_call(entry: Publication, k: int, now: datetime, policy: Policy) -> bool:
    """Whether the call can still end well before the deadline of the send just recorded.

    A process that was frozen between its record and its call must not make it.
    """
    return now <= entry.parts[k].sends[-1].at + timedelta(seconds=policy.fence / 2)


def too_late() -> Answer:
    """The process was halted between its record and its call, which was therefore not made."""
    failure = Failure(code="platform_unreachable", message="The publisher was halted before it could send the post.")
    return Retry("unreachable", failure)


def no_answer() -> Answer:
    failure = Failure(code="outcome_unknown", message="The platform did not answer in time.")
    return Ambiguous(failure)


def answered(
    entry: Publication,
    k: int,
    answer: Answer,
    *,
    number: int,
    now: datetime,
    policy: Policy,
    readable: bool,
) -> Publication:
    """The journal after the answer to send `number`. An answer that changes nothing any more returns `entry` itself.

    That something is live is recorded even when the answer comes late and another owner has gone on.
    """
    part = entry.parts[k]
    if part.step == "confirmed":
        return entry
    if isinstance(answer, Accepted):
        live = LivePart(index=k, platform_post_id=answer.platform_post_id, url=answer.url)
        return confirmed(entry, k, live, "response", now)
    if part.step not in ("sending", "unknown") or not part.sends or part.sends[-1].number != number:
        return entry
    match answer:
        case Ambiguous(failure, accepted):
            return doubted(entry, k, failure, now, policy, readable=readable, accepted=accepted)
        case Processing(failure, handle):
            return in_process(with_part(entry, k, replace(part, handle=handle)), k, failure, now, policy)
        case Duplicate(failure, platform_post_id, url):
            if not _sent_before(part):
                return set_back(withdrawn(entry, k), k, Refused(failure), now, policy)
            if platform_post_id is not None and not readable:
                live = LivePart(index=k, platform_post_id=platform_post_id, url=url)
                # What this attempt sent is not what is live.
                return confirmed(replace(entry, sent_at=None), k, live, "duplicate_refusal", now)
            return doubted(entry, k, failure, now, policy, readable=readable, accepted=True)
        case _ if part.resends and len(part.sends) > 1:
            # The request that was refused now says nothing about the one it was to find out about.
            entry = withdrawn(entry, k)
            if isinstance(answer, Retry) and answer.cause == "unreachable":
                part = entry.parts[k]
                entry = with_part(entry, k, replace(part, resends=part.resends - 1))
            return doubted(entry, k, answer.failure, now, policy, readable=readable)
        case _:
            return set_back(withdrawn(entry, k), k, answer, now, policy)


def second_live(entry: Publication, k: int, answer: Answer) -> LivePart | None:
    """What this answer says is live, if the part is known to be live as something else. Never expected."""
    known = entry.parts[k].live
    if known is None or not isinstance(answer, Accepted) or answer.platform_post_id == known.platform_post_id:
        return None
    return LivePart(index=k, platform_post_id=answer.platform_post_id, url=answer.url)


def _sent_before(part: Part) -> bool:
    """Whether an earlier request with the same content may have taken effect."""
    latest = part.sends[-1]
    return any(send.fingerprint == latest.fingerprint for send in part.sends[:-1])
