"""The journal of one target: what was sent to its platform, and what became of it. Pure.

Each part of a target moves

    preparing → armed → sending → confirmed | rejected | unknown
                  ↑                                         │
                  └──── proof of absence ───────────────────┼→ confirmed  (proof of presence)
                                                            └→ held       (no proof either way)

A part is `sending` from before the socket is opened until its answer is recorded. Whoever finds one that it did not
write in the same call knows only that the request may have reached the platform: that part is `unknown`, and it is
sent again only after the platform has been seen without it. So there is at most one live post per part, at whatever
instruction a process ends.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from contracts.content import Content, Failure, LivePart, Media, MediaType, Platform
from contracts.posts import Deferred, Held, Outcome, Published, Rejected, Unknown
from contracts.publishing import PublishRequested
from publisher.domain.answers import (
    TOKEN_CAUSES,
    Accepted,
    Ambiguous,
    Answer,
    Candidate,
    Cause,
    Duplicate,
    Finding,
    Postponed,
    Processing,
    Refused,
    Retry,
    Setback,
)

Step = Literal["preparing", "armed", "sending", "unknown", "confirmed", "rejected", "held"]
Proof = Literal["response", "readback", "duplicate_refusal"]

EARLY_SLACK = timedelta(seconds=1)
"""A look-up asked for this much early, by a clock that runs ahead of ours, is done rather than put off again."""

FIRST_PROCESSING_LOOK = timedelta(seconds=2)
LAST_PROCESSING_LOOK = timedelta(minutes=10)

UPLOAD_MARGIN = timedelta(minutes=1)
"""An upload that expires sooner than this is made again."""


class Policy(Struct, frozen=True, kw_only=True):
    """The patience of one platform's publisher. Seconds throughout."""

    call_timeout: float = 15.0
    """How long the one irreversible call may take, from the first byte to the last."""
    fence: float = 30.0
    """How long after the end of that call the platform may still act on it."""
    early_look: float = 5.0
    """When to look for a post of unknown fate for the first time. Before the deadline only presence can be proven."""
    probe_delays: tuple[float, ...] = (10.0, 60.0, 300.0, 1800.0, 21_600.0)
    """When to look again, after the deadline of the send; with the last one the target is held."""
    absence_gap: float = 60.0
    """How far apart two readings without the post must be to prove its absence: platforms' indexes lag."""
    resend_window: float | None = None
    """Where nothing can be read: how long after the send an identical one is sure to be refused as a duplicate.

    None: never send again to find out.
    """
    processing_limit: float = 86_400.0
    """How long the platform may process what it has taken; then the target is held."""
    assembles: bool = False
    """Whether uploads have to be made into one thing before they can be published."""
    max_sends: int = 5
    """Sends that may be proven absent before the platform is taken to be out of order."""
    retry_delays: Mapping[Cause, tuple[float, ...]]
    """The pauses of `answers.Retry`, by cause; when they are used up the target is rejected."""

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.call_timeout + self.fence)


class Upload(Struct, frozen=True, kw_only=True):
    """A file that the platform holds for us. Uploading is reversible: what is not posted expires."""

    part: int
    source: str
    type: MediaType
    alt_text: str | None
    media_id: str
    media_key: str | None = None
    """X names media in its answers by this."""
    session: str | None = None
    """Where to carry on: a resumable upload's own address."""
    sent: int = 0
    """Bytes that the platform is known to hold."""
    size: int
    uploaded_at: datetime
    ready: bool = True
    check_at: datetime | None = None
    """When to ask whether processing has ended."""
    expires_at: datetime | None = None


class Send(Struct, frozen=True, kw_only=True):
    """A request that may have reached the platform. One that certainly did not take effect is forgotten."""

    number: int
    fingerprint: str
    """SHA-256 of the request, in hexadecimal."""
    at: datetime
    deadline: datetime
    """After this instant the request can no longer take effect."""


class Look(Struct, frozen=True, kw_only=True):
    """A reading that did not find the post; `absent` when it read everything the post could have been among."""

    at: datetime
    absent: bool


class Part(Struct, frozen=True, kw_only=True):
    step: Step = "armed"
    sends: tuple[Send, ...] = ()
    number: int = 0
    """Of the latest send, settled ones included."""
    resends: int = 0
    """Sends made only to find out about an earlier one."""
    accepted: bool = False
    """The platform has shown that it holds the post, but not under which id: absence can no longer be concluded."""
    looks: tuple[Look, ...] = ()
    """Since the latest send."""
    look_at: datetime | None = None
    absences: int = 0
    """How often a send has been proven not to have taken effect."""
    tries: dict[Cause, int] = {}
    failure: Failure | None = None
    """Why it is unknown, rejected or held."""
    live: LivePart | None = None
    proof: Proof | None = None


class Finished(Struct, frozen=True, kw_only=True):
    """How an attempt ended: what the posts service is told, again and again if need be."""

    attempt: int
    outcome: Outcome
    at: datetime
    sent_at: datetime | None
    disconnect: str | None = None
    """Why the account must be disconnected, if it must."""


class Publication(Struct, frozen=True, kw_only=True, rename={"publication_id": "_id"}):
    """The journal document of one target. `revision` counts its writes; 0 is not stored yet."""

    publication_id: str
    tenant_id: str
    post_id: str
    target_id: str
    platform: Platform
    account_id: str
    revision: int = 0
    attempt: int
    owner: str | None = None
    lease_until: datetime | None = None
    parts: tuple[Part, ...]
    uploads: tuple[Upload, ...] = ()
    containers: tuple[Upload, ...] = ()
    """What was assembled of the uploads, one for each part at most."""
    sent_at: datetime | None = None
    """When this attempt first sent something."""
    finished: Finished | None = None


class LeasedElsewhereError(Exception):
    """Another process is preparing this target, or was a moment ago. `until`: the end of its lease."""

    def __init__(self, until: datetime) -> None:
        self.until = until
        super().__init__(f"another process holds the lease until {until.isoformat()}")


def publication_id(post_id: str, target_id: str) -> str:
    return f"{post_id}/{target_id}"


# --- taking a job up ----------------------------------------------------------------------------------


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
    k = _current(entry)
    if k is None:
        return _finish(entry, _published(entry, now), now)
    part = entry.parts[k]
    match part.step:
        case "sending":
            return _doubted(entry, k, _interrupted(), now, policy, readable=readable)
        case "unknown":
            return _resolved(entry, k, now, policy, readable=readable)
        case "held":
            return _hold(entry, k, now)
        case "rejected" if request.unresolved_since is not None and part.failure is not None:
            # The answer came after the attempt had been told to be unknown.
            return _finish(entry, Rejected(failure=part.failure, parts=live_parts(entry)), now)
        case "rejected":
            return _with_part(entry, k, replace(part, step="armed", tries={}, absences=0, failure=None))
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
    k = _current(entry)
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


# --- what to do next ----------------------------------------------------------------------------------


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
    k = _current(entry)
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


def source_of(media: Media) -> str:
    return media.url or media.media_id or ""


def upload_of(entry: Publication, k: int, media: Media) -> Upload | None:
    for upload in entry.uploads:
        if upload.part == k and (upload.source, upload.type, upload.alt_text) == (
            source_of(media),
            media.type,
            media.alt_text,
        ):
            return upload
    return None


def uploads_of(entry: Publication, k: int, content: Content) -> tuple[Upload, ...]:
    """The uploads of a part, in the order of its attachments."""
    return tuple(upload for media in content.media if (upload := upload_of(entry, k, media)) is not None)


def container_of(entry: Publication, k: int) -> Upload | None:
    return next((container for container in entry.containers if container.part == k), None)


def _is_stale(upload: Upload, now: datetime) -> bool:
    return upload.expires_at is not None and upload.expires_at <= now + UPLOAD_MARGIN


def reply_to(entry: Publication, k: int) -> str | None:
    """The platform's id of the part that part `k` answers."""
    before = entry.parts[k - 1].live if k else None
    return None if before is None else before.platform_post_id


def live_parts(entry: Publication) -> tuple[LivePart, ...]:
    return tuple(part.live for part in entry.parts if part.live is not None)


# --- preparing ----------------------------------------------------------------------------------------


def uploaded(entry: Publication, upload: Upload, content: Content, now: datetime, policy: Policy) -> Publication:
    """Replaces an earlier upload of the same attachment, and renews the lease."""
    kept = tuple(
        other
        for other in entry.uploads
        if (other.part, other.source, other.type, other.alt_text)
        != (upload.part, upload.source, upload.type, upload.alt_text)
    )
    entry = replace(_without_container(entry, upload.part), uploads=(*kept, upload), lease_until=now + policy.lease)
    uploads = uploads_of(entry, upload.part, content)
    complete = len(uploads) == len(content.media) and all(each.ready for each in uploads)
    part = entry.parts[upload.part]
    return _with_part(entry, upload.part, replace(part, step="armed" if complete else "preparing"))


def assembled(entry: Publication, container: Upload, now: datetime, policy: Policy) -> Publication:
    """Replaces what was assembled for the part before, and renews the lease."""
    entry = _without_container(entry, container.part)
    return replace(entry, containers=(*entry.containers, container), lease_until=now + policy.lease)


def _without_container(entry: Publication, k: int) -> Publication:
    return replace(entry, containers=tuple(other for other in entry.containers if other.part != k))


def wait_for_media(entry: Publication, k: int, upload: Upload, now: datetime, policy: Policy) -> Publication:
    """Ends the attempt until the platform should have processed the upload."""
    failure = Failure(
        code="media_processing", message=f"The platform is still processing the {upload.type}.", retryable=True
    )
    return set_back(entry, k, Postponed(upload.check_at or now, failure), now, policy)


def set_back(entry: Publication, k: int, setback: Setback, now: datetime, policy: Policy) -> Publication:
    """A part that is certainly not live, after a step that did not succeed: ends the attempt."""
    part = entry.parts[k]
    live = live_parts(entry)
    match setback:
        case Refused(failure):
            rejected = replace(part, step="rejected", failure=failure)
            return _finish(_with_part(entry, k, rejected), Rejected(failure=failure, parts=live), now)
        case Postponed(until, failure):
            armed = _with_part(entry, k, replace(part, step="armed"))
            return _finish(armed, Deferred(until=until, reason=_retryable(failure), parts=live), now)
        case Retry(cause, failure):
            return _retried(entry, k, cause, failure, now=now, policy=policy)


def _retried(
    entry: Publication, k: int, cause: Cause, failure: Failure, *, now: datetime, policy: Policy
) -> Publication:
    part = entry.parts[k]
    tries = part.tries.get(cause, 0)
    delays = policy.retry_delays[cause]
    if cause == "media_refused":
        entry = _without_container(entry, k)
        entry = replace(entry, uploads=tuple(upload for upload in entry.uploads if upload.part != k))
    if tries < len(delays):
        armed = replace(part, step="armed", tries={**part.tries, cause: tries + 1})
        until = now + timedelta(seconds=delays[tries])
        outcome = Deferred(until=until, reason=_retryable(failure), parts=live_parts(entry))
        return _finish(_with_part(entry, k, armed), outcome, now)
    disconnect = None
    if cause in TOKEN_CAUSES:
        disconnect = failure.platform_error or failure.message
        failure = replace(failure, code="account_disconnected")
    rejected = replace(part, step="rejected", failure=failure)
    return _finish(
        _with_part(entry, k, rejected), Rejected(failure=failure, parts=live_parts(entry)), now, disconnect=disconnect
    )


def _retryable(failure: Failure) -> Failure:
    return replace(failure, retryable=True)


# --- sending ------------------------------------------------------------------------------------------


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
    )
    return _with_part(
        replace(entry, lease_until=send.deadline, sent_at=entry.sent_at or now, finished=None), k, sending
    )


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
        return _confirmed(entry, k, live, "response", now)
    if part.step not in ("sending", "unknown") or not part.sends or part.sends[-1].number != number:
        return entry
    match answer:
        case Ambiguous(failure, accepted):
            return _doubted(entry, k, failure, now, policy, readable=readable, accepted=accepted)
        case Processing(failure):
            return _in_process(entry, k, failure, now, policy)
        case Duplicate(failure, platform_post_id, url):
            if not _sent_before(part):
                return set_back(_withdrawn(entry, k), k, Refused(failure), now, policy)
            if platform_post_id is not None and not readable:
                live = LivePart(index=k, platform_post_id=platform_post_id, url=url)
                # What this attempt sent is not what is live.
                return _confirmed(replace(entry, sent_at=None), k, live, "duplicate_refusal", now)
            return _doubted(entry, k, failure, now, policy, readable=readable, accepted=True)
        case _ if part.resends and len(part.sends) > 1:
            # The request that was refused now says nothing about the one it was to find out about.
            entry = _withdrawn(entry, k)
            if isinstance(answer, Retry) and answer.cause == "unreachable":
                part = entry.parts[k]
                entry = _with_part(entry, k, replace(part, resends=part.resends - 1))
            return _doubted(entry, k, answer.failure, now, policy, readable=readable)
        case _:
            return set_back(_withdrawn(entry, k), k, answer, now, policy)


def _sent_before(part: Part) -> bool:
    """Whether an earlier request with the same content may have taken effect."""
    latest = part.sends[-1]
    return any(send.fingerprint == latest.fingerprint for send in part.sends[:-1])


def _withdrawn(entry: Publication, k: int) -> Publication:
    """Without the latest send, which certainly did not take effect."""
    part = entry.parts[k]
    latest = part.sends[-1]
    sent_at = None if entry.sent_at == latest.at else entry.sent_at
    return _with_part(replace(entry, sent_at=sent_at), k, replace(part, step="armed", sends=part.sends[:-1]))


def _confirmed(entry: Publication, k: int, live: LivePart, proof: Proof, now: datetime) -> Publication:
    part = replace(
        entry.parts[k], step="confirmed", live=live, proof=proof, failure=None, look_at=None, looks=(), tries={}
    )
    entry = _with_part(entry, k, part)
    return entry if _current(entry) is not None else _finish(entry, _published(entry, now), now)


def _published(entry: Publication, now: datetime) -> Published:
    looked_up = [part.proof for part in entry.parts if part.proof is not None and part.proof != "response"]
    return Published(parts=live_parts(entry), at=now, proof=looked_up[0] if looked_up else "response")


# --- not knowing --------------------------------------------------------------------------------------


def _doubted(
    entry: Publication,
    k: int,
    failure: Failure,
    now: datetime,
    policy: Policy,
    *,
    readable: bool,
    accepted: bool = False,
) -> Publication:
    """After a send whose fate is not known."""
    part = entry.parts[k]
    settled = part.sends[-1].deadline + timedelta(seconds=policy.probe_delays[0])
    if not readable:
        look_at = max(now, settled)
    elif accepted:
        look_at = now
    else:
        look_at = max(now, min(now + timedelta(seconds=policy.early_look), settled))
    doubted = replace(
        part,
        step="unknown",
        failure=failure,
        accepted=part.accepted or accepted,
        look_at=look_at,
    )
    return _resolved(_with_part(entry, k, doubted), k, now, policy, readable=readable)


def _resolved(entry: Publication, k: int, now: datetime, policy: Policy, *, readable: bool) -> Publication:
    """An unknown part: held when nothing can ever be found out, put off when it is not time yet, else as it is."""
    part = entry.parts[k]
    look_at = part.look_at or now
    if not readable and not _may_resend(part, max(now, look_at), policy):
        return _hold(_with_part(entry, k, replace(part, step="held")), k, now)
    if look_at > now + EARLY_SLACK:
        reason = _uncertain(part, "The platform is being asked whether the post is live.")
        return _finish(entry, Unknown(probe_at=look_at, reason=reason, parts=live_parts(entry)), now)
    return entry


def _may_resend(part: Part, at: datetime, policy: Policy) -> bool:
    if policy.resend_window is None or part.resends or part.accepted:
        return False
    return at <= part.sends[0].at + timedelta(seconds=policy.resend_window)


def searched_since(entry: Publication, k: int) -> datetime:
    """When the oldest request whose fate is not known went out."""
    return entry.parts[k].sends[0].at


def looked(
    entry: Publication, k: int, finding: Finding, *, started: datetime, now: datetime, policy: Policy
) -> Publication:
    """The journal after a reading begun at `started`. Without proof the attempt ends; with proof of absence the part
    is armed again. Candidates must not be known to be other targets' posts.
    """
    part = entry.parts[k]
    if finding.candidates:
        found = min(finding.candidates, key=_age)
        live = LivePart(index=k, platform_post_id=found.platform_post_id, url=found.url)
        return _confirmed(entry, k, live, "readback", now)
    if finding.refused is not None:
        refused = replace(part, sends=(), accepted=False, looks=(), look_at=None)
        return set_back(_with_part(entry, k, refused), k, Refused(finding.refused), now, policy)
    if finding.processing is not None:
        return _in_process(entry, k, finding.processing, now, policy)
    looks = (*part.looks, Look(at=started, absent=finding.complete))
    part = replace(part, looks=looks)
    deadline = part.sends[-1].deadline
    absences = [look.at for look in looks if look.absent and look.at > deadline]
    gap = timedelta(seconds=policy.absence_gap)
    if absences and not part.accepted and absences[-1] - absences[0] >= gap:
        return _absent(_with_part(entry, k, part), k, now, policy)
    used = sum(look.at > deadline for look in looks)
    if used >= len(policy.probe_delays):
        return _hold(_with_part(entry, k, replace(part, step="held")), k, now)
    look_at = deadline + timedelta(seconds=policy.probe_delays[used])
    if absences and not part.accepted:
        look_at = max(look_at, absences[0] + gap + EARLY_SLACK)
    part = replace(part, look_at=max(look_at, now))
    reason = _uncertain(part, "It was not found on the platform; it is being looked for again.")
    outcome = Unknown(probe_at=max(look_at, now), reason=reason, parts=live_parts(entry))
    return _finish(_with_part(entry, k, part), outcome, now)


def _in_process(entry: Publication, k: int, failure: Failure, now: datetime, policy: Policy) -> Publication:
    """The platform has it and will decide: asked again ever more rarely, up to the limit."""
    since = entry.parts[k].sends[0].at
    part = replace(entry.parts[k], step="unknown", accepted=True, failure=failure)
    taken = now - since
    if taken >= timedelta(seconds=policy.processing_limit):
        return _hold(_with_part(entry, k, replace(part, step="held")), k, now)
    look_at = now + min(max(FIRST_PROCESSING_LOOK, taken / 2), LAST_PROCESSING_LOOK)
    outcome = Unknown(probe_at=look_at, reason=_retryable(failure), parts=live_parts(entry))
    return _finish(_with_part(entry, k, replace(part, look_at=look_at)), outcome, now)


def _age(candidate: Candidate) -> datetime:
    return candidate.created_at


def _absent(entry: Publication, k: int, now: datetime, policy: Policy) -> Publication:
    part = entry.parts[k]
    part = replace(part, step="armed", look_at=None, looks=(), absences=part.absences + 1)
    if part.absences < policy.max_sends:
        return _with_part(entry, k, part)
    failure = Failure(
        code="platform_unreachable",
        message=f"The platform did not publish the post in {part.absences} attempts, and gave no reason.",
        remediation="Publish again when the platform works.",
        retryable=True,
    )
    return set_back(entry, k, Refused(failure), now, policy)


def _hold(entry: Publication, k: int, now: datetime) -> Publication:
    advice = "Look at the account: the post may or may not be live."
    reason = _uncertain(entry.parts[k], "The platform offers no proof either way.", remediation=advice)
    return _finish(entry, Held(reason=reason, parts=live_parts(entry)), now)


def withheld(entry: Publication, k: int, failure: Failure, now: datetime) -> Publication:
    """An unknown part that there is no way left to find out about."""
    return _hold(_with_part(entry, k, replace(entry.parts[k], step="held", failure=failure)), k, now)


def _uncertain(part: Part, state: str, *, remediation: str | None = None) -> Failure:
    cause = "" if part.failure is None else f"{part.failure.message} "
    return Failure(
        code="outcome_unknown",
        message=f"{cause}{state}",
        remediation=remediation,
        platform_error=None if part.failure is None else part.failure.platform_error,
    )


def _interrupted() -> Failure:
    return Failure(code="outcome_unknown", message="The publisher was interrupted while the post was being sent.")


# --- the document -------------------------------------------------------------------------------------


def _current(entry: Publication) -> int | None:
    """The first part that is not live."""
    return next((k for k, part in enumerate(entry.parts) if part.step != "confirmed"), None)


def _with_part(entry: Publication, k: int, part: Part) -> Publication:
    return replace(entry, parts=(*entry.parts[:k], part, *entry.parts[k + 1 :]))


def _finish(entry: Publication, outcome: Outcome, now: datetime, *, disconnect: str | None = None) -> Publication:
    """Ends the attempt and gives the lease back."""
    finished = Finished(attempt=entry.attempt, outcome=outcome, at=now, sent_at=entry.sent_at, disconnect=disconnect)
    return replace(entry, owner=None, lease_until=None, finished=finished)
