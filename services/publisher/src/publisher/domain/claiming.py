"""Taking up a job, and what its owner must do next. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from contracts.content import Failure, Media
from contracts.posts import Rejected
from contracts.publishing import PublishRequested
from publisher.domain.doubt import doubted, hold, resolved
from publisher.domain.publication import (
    Finished,
    Part,
    Policy,
    Publication,
    Upload,
    container_of,
    current,
    finish,
    live_parts,
    publication_id,
    upload_of,
    with_part,
)
from publisher.domain.settling import published

UPLOAD_MARGIN = timedelta(minutes=1)
"""An upload that expires sooner than this is made again."""


class LeasedElsewhereError(Exception):
    """Another process is preparing this target, or was a moment ago. `until`: the end of its lease."""

    def __init__(self, until: datetime) -> None:
        self.until = until
        super().__init__(f"another process holds the lease until {until.isoformat()}")


def claim(
    entry: Publication | None,
    request: PublishRequested,
    *,
    owner: str,
    now: datetime,
    policy: Policy,
    readable: bool,
) -> Publication:
    """The journal with this attempt begun by `owner`, unless it has ended already or is an old one.

    `readable`: the account's posts can be read back. Raises LeasedElsewhereError.
    """
    if entry is None:
        entry = _opened(request)
    elif request.attempt < entry.attempt or _ended(entry, request):
        return entry
    _refuse_foreign_lease(entry, owner, now)
    entry = replace(
        entry,
        attempt=request.attempt,
        owner=owner,
        lease_until=now + policy.lease,
        finished=None,
        sent_at=entry.sent_at if entry.attempt == request.attempt else None,
        parts=_aligned(entry.parts, request),
    )
    k = current(entry)
    if k is None:
        return finish(entry, published(entry, now), now)
    part = entry.parts[k]
    match part.step:
        case "sending":
            return doubted(entry, k, _interrupted(), now, policy, readable=readable)
        case "unknown":
            return resolved(entry, k, now, policy, readable=readable)
        case "held" if request.absent:
            seen = replace(
                part, step="armed", sends=(), accepted=False, handle=None, looks=(), look_at=None, failure=None
            )
            return with_part(entry, k, seen)
        case "held":
            return hold(entry, k, now)
        case "rejected" if request.unresolved_since is not None and part.failure is not None:
            # The answer came after the attempt had been told to be unknown.
            return finish(entry, Rejected(failure=part.failure, parts=live_parts(entry)), now)
        case "rejected":
            return with_part(entry, k, replace(part, step="armed", tries={}, absences=0, failure=None))
    return entry


def _opened(request: PublishRequested) -> Publication:
    return Publication(
        publication_id=publication_id(request.post_id, request.target_id),
        tenant_id=request.tenant_id,
        post_id=request.post_id,
        target_id=request.target_id,
        platform=request.platform,
        account_id=request.account_id,
        attempt=request.attempt,
        parts=(),
    )


def _ended(entry: Publication, request: PublishRequested) -> bool:
    return entry.finished is not None and entry.finished.attempt == request.attempt


def _refuse_foreign_lease(entry: Publication, owner: str, now: datetime) -> None:
    """A part that is `sending` needs no waiting: all that is left to do is to find out, which has its own time."""
    if entry.owner in (None, owner) or entry.lease_until is None or entry.lease_until <= now:
        return
    k = current(entry)
    if k is not None and entry.parts[k].step in ("preparing", "armed"):
        raise LeasedElsewhereError(entry.lease_until)


def _aligned(parts: Sequence[Part], request: PublishRequested) -> tuple[Part, ...]:
    """One part per part of the request. What either side knows to be live stays live."""
    live = {part.index: part for part in request.live_parts}
    aligned = []
    for index, content in enumerate(request.parts):
        part = parts[index] if index < len(parts) else Part()
        if index in live and part.step != "confirmed":
            part = replace(part, step="confirmed", live=live[index], proof="response", failure=None)
        elif part.step in ("preparing", "armed"):
            part = replace(part, step="preparing" if content.media else "armed")
        aligned.append(part)
    return tuple(aligned)


class Report(Struct, frozen=True):
    finished: Finished


class Skip(Struct, frozen=True):
    """A later attempt has been made; this job is an old one, delivered again."""


class Prepare(Struct, frozen=True):
    """Upload this attachment, or ask whether the platform has processed its `upload`."""

    part: int
    media: Media
    upload: Upload | None


class Assemble(Struct, frozen=True):
    """Make one thing of the part's uploads, or ask how far the platform has got with it."""

    part: int
    container: Upload | None


class SendPart(Struct, frozen=True):
    part: int


class Resend(Struct, frozen=True):
    """Send the identical request again: the platform's refusal of a duplicate tells what reading cannot."""

    part: int


class LookUp(Struct, frozen=True):
    part: int


Action = Report | Skip | Prepare | Assemble | SendPart | Resend | LookUp


def next_action(
    entry: Publication, request: PublishRequested, now: datetime, policy: Policy, *, readable: bool
) -> Action:
    """What the owner of a claimed publication must do now."""
    if entry.finished is not None and _ended(entry, request):
        return Report(entry.finished)
    if request.attempt < entry.attempt:
        return Skip()
    k = current(entry)
    if k is None:
        raise ValueError(f"{entry.publication_id}: every part is live but the attempt has not ended")
    part = entry.parts[k]
    if part.step == "unknown":
        return LookUp(k) if readable else Resend(k)
    if part.step not in ("preparing", "armed"):
        raise ValueError(f"{entry.publication_id}: part {k} is {part.step} in an attempt that has not ended")
    for media in request.parts[k].media:
        upload = upload_of(entry, k, media)
        if upload is None or _is_stale(upload, now):
            return Prepare(k, media, None)
        if not upload.ready:
            return Prepare(k, media, upload)
    if policy.assembles and request.parts[k].media:
        container = container_of(entry, k)
        if container is None or _is_stale(container, now):
            return Assemble(k, None)
        if not container.ready:
            return Assemble(k, container)
    return SendPart(k)


def _is_stale(upload: Upload, now: datetime) -> bool:
    return upload.expires_at is not None and upload.expires_at <= now + UPLOAD_MARGIN


def _interrupted() -> Failure:
    return Failure(code="outcome_unknown", message="The publisher was interrupted while the post was being sent.")
