"""What to do about a request whose fate is not known: when to look, and what a look proves. Pure."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from contracts.content import Failure, LivePart
from contracts.posts import Held, Unknown
from publisher.domain.answers import (
    Candidate,
    Finding,
    Refused,
)
from publisher.domain.publication import Look, Part, Policy, Publication, finish, live_parts, with_part
from publisher.domain.settling import confirmed, retryable, set_back

EARLY_SLACK = timedelta(seconds=1)
"""A look-up asked for this much early, by a clock that runs ahead of ours, is done rather than put off again."""

FIRST_PROCESSING_LOOK = timedelta(seconds=2)
LAST_PROCESSING_LOOK = timedelta(minutes=10)


def doubted(
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
    return resolved(with_part(entry, k, doubted), k, now, policy, readable=readable)


def resolved(entry: Publication, k: int, now: datetime, policy: Policy, *, readable: bool) -> Publication:
    """An unknown part: held when nothing can ever be found out, put off when it is not time yet, else as it is."""
    part = entry.parts[k]
    look_at = part.look_at or now
    if not readable and not _may_resend(part, max(now, look_at), policy):
        return hold(with_part(entry, k, replace(part, step="held")), k, now)
    if look_at > now + EARLY_SLACK:
        reason = _uncertain(part, "The platform is being asked whether the post is live.")
        return finish(entry, Unknown(probe_at=look_at, reason=reason, parts=live_parts(entry)), now)
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
        return confirmed(entry, k, live, "readback", now)
    setback = finding.setback if finding.refused is None else Refused(finding.refused)
    if setback is not None:
        settled = replace(part, sends=(), accepted=False, looks=(), look_at=None, handle=None)
        return set_back(with_part(entry, k, settled), k, setback, now, policy)
    if finding.processing is not None:
        return in_process(entry, k, finding.processing, now, policy)
    looks = (*part.looks, Look(at=started, absent=finding.complete))
    part = replace(part, looks=looks)
    deadline = part.sends[-1].deadline
    absences = [look.at for look in looks if look.absent and look.at > deadline]
    gap = timedelta(seconds=policy.absence_gap)
    if absences and not part.accepted and absences[-1] - absences[0] >= gap:
        return _absent(with_part(entry, k, part), k, now, policy)
    used = sum(look.at > deadline for look in looks)
    if used >= len(policy.probe_delays):
        return hold(with_part(entry, k, replace(part, step="held")), k, now)
    look_at = deadline + timedelta(seconds=policy.probe_delays[used])
    if absences and not part.accepted:
        look_at = max(look_at, absences[0] + gap + EARLY_SLACK)
    part = replace(part, look_at=max(look_at, now))
    reason = _uncertain(part, "It was not found on the platform; it is being looked for again.")
    outcome = Unknown(probe_at=max(look_at, now), reason=reason, parts=live_parts(entry))
    return finish(with_part(entry, k, part), outcome, now)


def in_process(entry: Publication, k: int, failure: Failure, now: datetime, policy: Policy) -> Publication:
    """The platform has it and will decide: asked again ever more rarely, up to the limit."""
    since = entry.parts[k].sends[0].at
    part = replace(entry.parts[k], step="unknown", accepted=True, failure=failure)
    taken = now - since
    if taken >= timedelta(seconds=policy.processing_limit):
        return hold(with_part(entry, k, replace(part, step="held")), k, now)
    look_at = now + min(max(FIRST_PROCESSING_LOOK, taken / 2), LAST_PROCESSING_LOOK)
    outcome = Unknown(probe_at=look_at, reason=retryable(failure), parts=live_parts(entry))
    return finish(with_part(entry, k, replace(part, look_at=look_at)), outcome, now)


def _age(candidate: Candidate) -> datetime:
    return candidate.created_at


def _absent(entry: Publication, k: int, now: datetime, policy: Policy) -> Publication:
    part = entry.parts[k]
    part = replace(part, step="armed", look_at=None, looks=(), absences=part.absences + 1)
    if part.absences < policy.max_sends:
        return with_part(entry, k, part)
    failure = Failure(
        code="platform_unreachable",
        message=f"The platform did not publish the post in {part.absences} attempts, and gave no reason.",
        remediation="Publish again when the platform works.",
        retryable=True,
    )
    return set_back(entry, k, Refused(failure), now, policy)


def hold(entry: Publication, k: int, now: datetime) -> Publication:
    advice = "Look at the account: the post may or may not be live."
    reason = _uncertain(entry.parts[k], "The platform offers no proof either way.", remediation=advice)
    return finish(entry, Held(reason=reason, parts=live_parts(entry)), now)


def withheld(entry: Publication, k: int, failure: Failure, now: datetime) -> Publication:
    """An unknown part that there is no way left to find out about."""
    return hold(with_part(entry, k, replace(entry.parts[k], step="held", failure=failure)), k, now)


def _uncertain(part: Part, state: str, *, remediation: str | None = None) -> Failure:
    cause = "" if part.failure is None else f"{part.failure.message} "
    return Failure(
        code="outcome_unknown",
        message=f"{cause}{state}",
        remediation=remediation,
        platform_error=None if part.failure is None else part.failure.platform_error,
    )
