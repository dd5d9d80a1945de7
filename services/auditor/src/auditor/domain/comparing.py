"""The publisher's journal beside the log: each knows what the other says it knows. Pure."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from auditor.domain.counting import Account, Promise
from auditor.domain.findings import Finding, Kind
from auditor.domain.watching import Bounds


class Entry(Struct, frozen=True, kw_only=True):
    """What the audit reads of one journal document."""

    post_id: str
    target_id: str
    tenant_id: str
    live: tuple[str, ...] = ()
    """The platform's ids of the parts that are confirmed."""
    outcome: str | None = None
    """How the latest attempt ended, if it has."""
    attempt: int = 0
    ended_at: datetime | None = None

    @property
    def entry_id(self) -> str:
        return entry_id(self.post_id, self.target_id)


def entry_id(post_id: str, target_id: str) -> str:
    return f"{post_id}/{target_id}"


def against_log(entry: Entry, account: Account | None, now: datetime, bounds: Bounds) -> Finding | None:
    """What the log should say too. `account`: what it said when the entry was read, or later."""
    if entry.ended_at is not None and now - entry.ended_at <= bounds.recorded:
        return None
    promise = None if account is None else account.promises.get(entry.target_id)
    if promise is None:
        if entry.ended_at is not None and not entry.live:
            # Of a target that an edit has replaced since: what failed is not kept in mind.
            return None
        return _finding("unaccepted", entry, entry.ended_at or now, "is in the journal, and was never accepted")
    if entry.ended_at is None:
        return None
    if entry.outcome == "published" and promise.state not in ("published", "deleted"):
        return _finding("unrecorded", entry, entry.ended_at, f"is live by the journal and {promise.state} by the log")
    if promise.state == "publishing" and promise.attempt == entry.attempt:
        return _finding("unrecorded", entry, entry.ended_at, f"has ended by the journal: {entry.outcome}")
    if promise.state == "published" and not set(entry.live) <= set(promise.live):
        return _finding("disagreement", entry, entry.ended_at, f"{_ids(entry.live)} and {_ids(promise.live)}")
    return None


def against_journal(
    account: Account, target_id: str, promise: Promise, entry: Entry | None, *, now: datetime, bounds: Bounds
) -> Finding | None:
    """Whether the journal shows what the log has recorded as published. None when it does, or still may."""
    if now - promise.since <= bounds.proven or is_proven(promise, entry):
        return None
    return Finding(
        kind="unjournalled",
        tenant_id=account.tenant_id,
        post_id=account.post_id,
        target_id=target_id,
        at=promise.since,
        detail=f"{_ids(promise.live)} by the log, {'nothing' if entry is None else _ids(entry.live)} by the journal",
    )


def is_proven(promise: Promise, entry: Entry | None) -> bool:
    return entry is not None and entry.live == promise.live


def _finding(kind: Kind, entry: Entry, at: datetime, detail: str) -> Finding:
    return Finding(
        kind=kind,
        tenant_id=entry.tenant_id,
        post_id=entry.post_id,
        target_id=entry.target_id,
        at=at,
        detail=detail,
    )


def _ids(live: Sequence[str]) -> str:
    return ", ".join(live) or "nothing"
