"""How a part comes to rest: live, refused, or put off. Pure."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from contracts.content import Failure, LivePart
from contracts.posts import Deferred, Published, Rejected
from publisher.domain.answers import (
    TOKEN_CAUSES,
    Cause,
    Postponed,
    Refused,
    Retry,
    Setback,
)
from publisher.domain.publication import (
    Policy,
    Proof,
    Publication,
    current,
    finish,
    live_parts,
    with_part,
    without_container,
)


def set_back(entry: Publication, k: int, setback: Setback, now: datetime, policy: Policy) -> Publication:
    """A part that is certainly not live, after a step that did not succeed: ends the attempt."""
    part = entry.parts[k]
    live = live_parts(entry)
    match setback:
        case Refused(failure):
            rejected = replace(part, step="rejected", failure=failure)
            return finish(with_part(entry, k, rejected), Rejected(failure=failure, parts=live), now)
        case Postponed(until, failure):
            armed = with_part(entry, k, replace(part, step="armed"))
            return finish(armed, Deferred(until=until, reason=retryable(failure), parts=live), now)
        case Retry(cause, failure):
            return _retried(entry, k, cause, failure, now=now, policy=policy)


def _retried(
    entry: Publication, k: int, cause: Cause, failure: Failure, *, now: datetime, policy: Policy
) -> Publication:
    part = entry.parts[k]
    tries = part.tries.get(cause, 0)
    delays = policy.retry_delays[cause]
    if cause == "media_refused":
        entry = without_container(entry, k)
        entry = replace(entry, uploads=tuple(upload for upload in entry.uploads if upload.part != k))
    if tries < len(delays):
        armed = replace(part, step="armed", tries={**part.tries, cause: tries + 1})
        until = now + timedelta(seconds=delays[tries])
        outcome = Deferred(until=until, reason=retryable(failure), parts=live_parts(entry))
        return finish(with_part(entry, k, armed), outcome, now)
    disconnect = None
    if cause in TOKEN_CAUSES:
        disconnect = failure.platform_error or failure.message
        failure = replace(failure, code="account_disconnected")
    rejected = replace(part, step="rejected", failure=failure)
    return finish(
        with_part(entry, k, rejected), Rejected(failure=failure, parts=live_parts(entry)), now, disconnect=disconnect
    )


def retryable(failure: Failure) -> Failure:
    return replace(failure, retryable=True)


def withdrawn(entry: Publication, k: int) -> Publication:
    """Without the latest send, which certainly did not take effect."""
    part = entry.parts[k]
    latest = part.sends[-1]
    sent_at = None if entry.sent_at == latest.at else entry.sent_at
    return with_part(replace(entry, sent_at=sent_at), k, replace(part, step="armed", sends=part.sends[:-1]))


def confirmed(entry: Publication, k: int, live: LivePart, proof: Proof, now: datetime) -> Publication:
    part = replace(
        entry.parts[k], step="confirmed", live=live, proof=proof, failure=None, look_at=None, looks=(), tries={}
    )
    entry = with_part(entry, k, part)
    return entry if current(entry) is not None else finish(entry, published(entry, now), now)


def published(entry: Publication, now: datetime) -> Published:
    looked_up = [part.proof for part in entry.parts if part.proof is not None and part.proof != "response"]
    return Published(parts=live_parts(entry), at=now, proof=looked_up[0] if looked_up else "response")
