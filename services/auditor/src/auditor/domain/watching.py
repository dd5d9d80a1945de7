"""What should have happened by now. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec import Struct

from auditor.domain.counting import IN_FLIGHT, Account, Promise
from auditor.domain.findings import Finding, Kind


class Bounds(Struct, frozen=True, kw_only=True):
    """How long each state may last before it is a finding. Longer than what the services themselves take for it."""

    late: timedelta = timedelta(minutes=15)
    """From when a target is due, or is to be tried again, to when it is handed to the publisher."""
    silent: timedelta = timedelta(minutes=45)
    """From a hand-over to the next word. The posts service asks again after 30 minutes."""
    unknown: timedelta = timedelta(hours=8)
    """For which nobody may know whether it is live. The last look is made after 6 hours; then it is held."""
    in_flight: timedelta = timedelta(days=7)
    """From the first hand-over to the end, deferrals included."""
    recorded: timedelta = timedelta(minutes=5)
    """From the end of an attempt in the journal to its outcome in the log."""
    proven: timedelta = timedelta(minutes=1)
    """From a publication in the log to when the journal must show it: it is written there before."""


def missing(account: Account, now: datetime, bounds: Bounds) -> Iterator[Finding]:
    """The targets that should have got on, and have not."""
    for target_id, promise in account.promises.items():
        wrong = _wrong_with(promise, now, bounds)
        if wrong is None:
            continue
        kind, since, detail = wrong
        yield Finding(
            kind=kind,
            tenant_id=account.tenant_id,
            post_id=account.post_id,
            target_id=target_id,
            at=since,
            detail=detail,
        )


def _wrong_with(promise: Promise, now: datetime, bounds: Bounds) -> tuple[Kind, datetime, str] | None:
    if promise.state == "scheduled":
        if promise.next_at is not None and now - promise.next_at > bounds.late:
            return "overdue", promise.next_at, "was due and has not been handed over"
        return None
    if promise.removal_at is not None and now - promise.removal_at > bounds.silent:
        return "unremoved", promise.removal_at, "is to be taken down, and nobody has said that it was"
    if promise.state not in IN_FLIGHT:
        return None
    if promise.next_at is not None:
        # Handed over: the publisher is to tell. Put off: the posts service is to hand it over again.
        bound = bounds.silent if promise.next_at == promise.since else bounds.late
        if now - promise.next_at > bound:
            return "stuck", promise.since, f"is {promise.state}, and nothing has been heard of it"
    if promise.unknown_since is not None and now - promise.unknown_since > bounds.unknown:
        return "stuck", promise.unknown_since, "may be live or not, and it should be held by now"
    if promise.handed_at is not None and now - promise.handed_at > bounds.in_flight:
        return "stuck", promise.handed_at, "has been on its way for too long"
    return None
