"""Making progress on one target: the loop between the journal and a platform.

Every decision is in `domain.publication`; here are the order of writes and calls, and nothing else. What went out
before a crash is in the journal; what the posts service has not been told is told again.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

import httpx
import structlog
from msgspec import Struct
from msgspec.structs import replace
from prometheus_client import Counter, Histogram

from chassis import tracing
from chassis.faultpoints import reached
from contracts.accounts import Account, DisconnectAccount
from contracts.content import PLATFORMS, Content, Failure, LivePart
from contracts.ids import derived_id
from contracts.media import UploadMedia
from contracts.posts import Published, ReportOutcome
from contracts.publishing import PublishRequested, RemovalRequested
from contracts.topics import ACCOUNTS_COMMANDS, MEDIA_COMMANDS, POSTS_COMMANDS
from eventlog.jobs import Job
from publisher.authors import author_of
from publisher.domain import claiming, doubt, importing, preparing, publication, sending, settling
from publisher.domain.answers import UNREADABLE, Answer, Finding, Refused, Retry, Setback, SetbackError
from publisher.domain.claiming import Assemble, LeasedElsewhereError, LookUp, Prepare, Report, Resend, SendPart, Skip
from publisher.domain.publication import Finished, Publication, Upload, current
from publisher.ports import (
    Accounts,
    Author,
    Connector,
    Draft,
    Journal,
    JournalConflictError,
    Sender,
    Tokens,
    Uploads,
)
from publisher.removing import Remover

log = structlog.get_logger()

ATTEMPTS = Counter("publisher_attempts", "Attempts at targets, by outcome", ("platform", "outcome"))
UNKNOWN = Counter("publisher_unknown", "Sends whose fate was not known from their answer", ("platform",))
for _platform in PLATFORMS:
    # From zero on, so that an increase is seen also when the first ones come together.
    UNKNOWN.labels(_platform)
DUPLICATES = Counter("publisher_duplicates", "Parts that went live although the journal knew them live", ("platform",))
BUDGET_DEFERRALS = Counter("publisher_budget_deferrals", "Attempts put off for want of budget", ("platform",))
LATENESS = Histogram(
    "publish_lateness_seconds",
    "From when a post was due to when it was sent, first attempts only",
    ("platform",),
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300),
)

Step = Prepare | Assemble | SendPart | LookUp | Resend

MAX_LEASE_WAIT = 5.0
MAX_IN_JOB_WAIT = 5.0
"""Seconds an upload may be waited for within a job; longer, and the account's next post goes first."""
ASK_AFTER = 1.0
"""Seconds after which the media service is asked for a file that the posts service must have asked it for already."""
LOOK_EVERY = 0.1
"""Seconds between two looks for a file."""
RECORD_PATIENCE = 60.0
"""Seconds in which an answer is tried to be recorded. Without its record it must be looked up again."""


class _Target(Struct, frozen=True):
    """What stays the same while a job is handled."""

    request: PublishRequested
    connector: Connector
    account: Account | None

    @property
    def readable(self) -> bool:
        if self.account is None:
            return False
        # Repeating a comment would not be refused as a duplicate: better no proof than a second one.
        return self.request.reply_to is not None or self.connector.readable(self.account)


def _now() -> datetime:
    return datetime.now(UTC)


class Publisher:
    """Handles jobs. `owner` is unique to this process."""

    def __init__(
        self,
        *,
        owner: str,
        journal: Journal,
        accounts: Accounts,
        tokens: Tokens,
        connectors: Mapping[str, Connector],
        sender: Sender,
        uploads: Uploads | None = None,
        now: Callable[[], datetime] = _now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._owner = owner
        self._journal = journal
        self._accounts = accounts
        self._tokens = tokens
        self._connectors = connectors
        self._sender = sender
        self._uploads = uploads
        self._remover = Remover(accounts=accounts, tokens=tokens, connectors=connectors, sender=sender, now=now)
        self._now = now
        self._sleep = sleep

    async def handle(self, job: Job) -> None:
        """Returns when the posts service is sure to be told. Raises when that cannot be done now."""
        match job.message:
            case PublishRequested() as request:
                await self.publish(request, job_id=job.envelope.id)
            case RemovalRequested() as request:
                await self._remover.remove(request, job_id=job.envelope.id)
            case _:
                log.error("not a job for publishers", topic=job.topic, offset=job.offset, type=job.message.type_name)

    async def publish(self, request: PublishRequested, *, job_id: str) -> None:
        """Makes what progress can be made now, and reports it."""
        started = time.monotonic()
        account = await self._accounts.get(request.tenant_id, request.account_id)
        variants: dict[str, str] = {}
        target = _Target(request, self._connectors[request.platform], account)
        entry = await self._claimed(target)
        if self._uploads is not None:
            entry = await self._imported(target, entry, self._uploads)
            resolved = await self._uploads.resolve(importing.imported(request, entry), account)
            target, variants = replace(target, request=resolved.request), resolved.variants
        entry = await self._progress(target, entry)
        finished = entry.finished
        if finished is None or finished.attempt != request.attempt:
            log.info("old job skipped", job_id=job_id, post_id=request.post_id, attempt=request.attempt)
            return
        await reached("publisher.before_report")
        await self._report(request, finished, variants)
        await reached("publisher.after_report")
        outcome = _kind(finished)
        ATTEMPTS.labels(request.platform, outcome).inc()
        if isinstance(finished.outcome, Published) and finished.sent_at is not None and request.attempt == 1:
            LATENESS.labels(request.platform).observe(max(0.0, (finished.sent_at - request.due_at).total_seconds()))
        log.info(
            "job handled",
            job_id=job_id,
            post_id=request.post_id,
            tenant_id=request.tenant_id,
            platform=request.platform,
            attempt=request.attempt,
            outcome=outcome,
            duration=round(time.monotonic() - started, 4),
        )

    # --- the loop -------------------------------------------------------------------------------------

    async def _progress(self, target: _Target, entry: Publication) -> Publication:
        """The journal when this attempt has ended, or turns out to be an old one."""
        while True:
            action = claiming.next_action(
                entry, target.request, self._now(), target.connector.policy, readable=target.readable
            )
            match action:
                case Report() | Skip():
                    return entry
                case Prepare() | Assemble() | SendPart() | LookUp() | Resend():
                    entry = await self._step(target, entry, action)

    async def _claimed(self, target: _Target) -> Publication:
        """Not stored yet, unless it ended the attempt: the next write of the loop stores the claim with it."""
        request = target.request
        while True:
            known = await self._journal.load(publication.publication_id(request.post_id, request.target_id))
            try:
                entry = claiming.claim(
                    known,
                    request,
                    owner=self._owner,
                    now=self._now(),
                    policy=target.connector.policy,
                    readable=target.readable,
                )
            except LeasedElsewhereError as leased:
                await self._sleep(min(max(0.05, (leased.until - self._now()).total_seconds()), MAX_LEASE_WAIT))
                continue
            await reached("publisher.claimed")
            if entry is not known and entry.finished is not None:
                return await self._journal.save(entry)
            return entry

    # --- what is named by URL -------------------------------------------------------------------------

    async def _imported(self, target: _Target, entry: Publication, uploads: Uploads) -> Publication:
        """The claim once every file is there; the attempt ended where one is no good, or takes too long for a job.

        Of a thread nothing goes out before all its files are there.
        """
        request, policy = target.request, target.connector.policy
        part, begun, asked = current(entry), self._now(), set[str]()
        account = None if target.account is None else importing.facts_of(target.account)
        while part is not None and (wanted := importing.wanted(entry, request)):
            assets = await uploads.assets(request.tenant_id, [importing.media_id(entry, url) for url in wanted])
            found = importing.survey(entry, request, assets, account=account, now=self._now())
            entry = found.entry
            if found.is_complete:
                break
            waited = (self._now() - begun).total_seconds()
            for command in found.absent:
                # The posts service has asked for it when it accepted the post: mostly it is only on its way.
                if command.media_id not in asked and waited >= ASK_AFTER:
                    await self._ask(command)
                    asked.add(command.media_id)
            setback: Setback | None = found.setback
            if setback is None and waited >= MAX_IN_JOB_WAIT:
                setback = importing.postponed(found, self._now())
            if setback is not None:
                return await self._journal.save(settling.set_back(entry, part, setback, self._now(), policy))
            await self._sleep(LOOK_EVERY)
        return entry

    async def _ask(self, command: UploadMedia) -> None:
        await self._sender.send(
            MEDIA_COMMANDS,
            command.media_id,
            command,
            command_id=f"{command.media_id}:import",
            tenant_id=command.tenant_id,
            traceparent=tracing.current(),
        )

    async def _step(self, target: _Target, entry: Publication, action: Step) -> Publication:
        author = await self._author(target, entry, action.part)
        if not isinstance(author, Author):
            return await self._journal.save(self._without_author(target, entry, action, author))
        match action:
            case Prepare():
                return await self._prepare(target, author, entry, action)
            case Assemble():
                return await self._assemble(target, author, entry, action)
            case SendPart(part):
                return await self._send(target, author, entry, part, resend=False)
            case LookUp(part):
                return await self._look_up(target, author, entry, part)
            case Resend(part):
                return await self._send(target, author, entry, part, resend=True)

    async def _author(self, target: _Target, entry: Publication, part: int) -> Author | Refused | Retry:
        refusals = entry.parts[part].tries.get("token_refused", 0)
        refused = f"{entry.publication_id}/{entry.attempt}" if refusals else None
        return await author_of(target.account, target.request.platform, self._tokens, refused=refused)

    def _without_author(
        self, target: _Target, entry: Publication, action: Step, setback: Refused | Retry
    ) -> Publication:
        now, policy = self._now(), target.connector.policy
        if not isinstance(action, LookUp | Resend):
            return settling.set_back(entry, action.part, setback, now, policy)
        if isinstance(setback, Retry) and setback.cause == "unreachable":
            return doubt.looked(entry, action.part, UNREADABLE, started=now, now=now, policy=policy)
        return doubt.withheld(entry, action.part, setback.failure, now)

    # --- uploading ------------------------------------------------------------------------------------

    async def _prepare(self, target: _Target, author: Author, entry: Publication, action: Prepare) -> Publication:
        connector, content = target.connector, target.request.parts[action.part]
        deferred = self._out_of_budget(target, entry, action.part)
        if deferred is not None:
            return await self._journal.save(deferred)
        if action.upload is None:
            # Uploading takes long: others must see that somebody is at it.
            entry = await self._journal.save(entry)
        elif (postponed := await self._wait(target, entry, action.part, action.upload)) is not None:
            return postponed
        steps = _Steps(self._journal, entry, content, connector.policy, self._now)
        draft = _draft(target.request, entry, action.part)
        try:
            if action.upload is None:
                upload = await connector.upload(author, draft, action.media, steps.record)
            else:
                upload = await connector.carry_on(author, draft, action.media, action.upload, steps.record)
        except SetbackError as error:
            return await self._journal.save(
                settling.set_back(steps.entry, action.part, error.setback, self._now(), connector.policy)
            )
        except (LookupError, ValueError):
            log.exception("an upload went wrong in an unknown way", post_id=target.request.post_id)
            setback = Retry("media_unavailable", _inexpressible())
            return await self._journal.save(
                settling.set_back(steps.entry, action.part, setback, self._now(), connector.policy)
            )
        await steps.record(upload)
        return steps.entry

    async def _assemble(self, target: _Target, author: Author, entry: Publication, action: Assemble) -> Publication:
        connector = target.connector
        if connector.assembling is None:
            raise TypeError(f"nothing is assembled for {connector.platform}")
        if action.container is not None:
            postponed = await self._wait(target, entry, action.part, action.container)
            if postponed is not None:
                return postponed
        try:
            draft = _draft(target.request, entry, action.part)
            container = await connector.assembling.assemble(author, draft, action.container)
        except SetbackError as error:
            return await self._journal.save(
                settling.set_back(entry, action.part, error.setback, self._now(), connector.policy)
            )
        entry = await self._journal.save(preparing.assembled(entry, container, self._now(), connector.policy))
        await reached("publisher.assembled")
        return entry

    async def _wait(self, target: _Target, entry: Publication, part: int, upload: Upload) -> Publication | None:
        """Waits until the upload is worth asking about; the attempt put off when that takes too long for a job."""
        if upload.check_at is None:
            return None
        wait = (upload.check_at - self._now()).total_seconds()
        if wait > MAX_IN_JOB_WAIT:
            postponed = preparing.wait_for_media(entry, part, upload, self._now(), target.connector.policy)
            return await self._journal.save(postponed)
        await self._sleep(max(0.0, wait))
        return None

    def _out_of_budget(self, target: _Target, entry: Publication, part: int) -> Publication | None:
        postponed = target.connector.budgets.exhausted(target.request.account_id, self._now())
        if postponed is None:
            return None
        BUDGET_DEFERRALS.labels(target.request.platform).inc()
        return settling.set_back(entry, part, postponed, self._now(), target.connector.policy)

    # --- sending --------------------------------------------------------------------------------------

    async def _send(
        self, target: _Target, author: Author, entry: Publication, part: int, *, resend: bool
    ) -> Publication:
        connector = target.connector
        if not resend and (deferred := self._out_of_budget(target, entry, part)) is not None:
            return await self._journal.save(deferred)
        draft = _draft(target.request, entry, part)
        try:
            body = connector.request(author, draft)
        except (LookupError, ValueError):
            # Nothing was sent, and the same draft would fail for ever: the account's other posts must not wait for it.
            log.exception("a post cannot be put into a request", post_id=target.request.post_id)
            return await self._journal.save(
                settling.set_back(entry, part, Refused(_inexpressible()), self._now(), connector.policy)
            )
        fingerprint = hashlib.sha256(body).hexdigest()
        if resend and entry.parts[part].sends[-1].fingerprint != fingerprint:
            changed = Failure(
                code="outcome_unknown", message="The post has changed since it was sent, and cannot be compared."
            )
            return await self._journal.save(doubt.withheld(entry, part, changed, self._now()))
        await reached("publisher.before_send_recorded")
        entry = await self._journal.save(
            sending.start_send(entry, part, fingerprint, self._now(), connector.policy, resend=resend)
        )
        await reached("publisher.send_recorded")
        number = entry.parts[part].number
        await reached("publisher.before_call")
        if not sending.may_call(entry, part, self._now(), connector.policy):
            answer: Answer = sending.too_late()
        else:
            answer = await self._call(connector, author, draft, body)
        await reached("publisher.after_call")
        entry = await self._record(target, entry, part, answer, number)
        await reached("publisher.answer_recorded")
        return entry

    async def _call(self, connector: Connector, author: Author, draft: Draft, body: bytes) -> Answer:
        try:
            async with asyncio.timeout(connector.policy.call_timeout):
                return await connector.send(author, draft, body)
        except TimeoutError:
            return sending.no_answer()

    async def _record(self, target: _Target, entry: Publication, part: int, answer: Answer, number: int) -> Publication:
        """An answer is worth some patience: lost, it has to be found out again."""
        give_up_at = time.monotonic() + RECORD_PATIENCE
        pause = 0.1
        while True:
            changed = sending.answered(
                entry,
                part,
                answer,
                number=number,
                now=self._now(),
                policy=target.connector.policy,
                readable=target.readable,
            )
            if changed is entry:
                if (second := sending.second_live(entry, part, answer)) is not None:
                    await self._report_second(target.request, second)
                raise JournalConflictError(entry.publication_id)
            try:
                stored = await self._journal.save(changed)
            except Exception:
                if time.monotonic() > give_up_at:
                    raise
                log.warning("recording an answer failed", publication=entry.publication_id, exc_info=True)
                await self._sleep(pause)
                pause = min(pause * 2, 5.0)
                entry = await self._reloaded(entry)
                continue
            if stored.parts[part].step == "unknown":
                UNKNOWN.labels(target.request.platform).inc()
            return stored

    async def _reloaded(self, entry: Publication) -> Publication:
        """What lies in the journal now; the known state while it cannot be read."""
        try:
            return await self._journal.load(entry.publication_id) or entry
        except Exception:
            log.warning("reading the journal failed", publication=entry.publication_id, exc_info=True)
            return entry

    # --- not knowing ----------------------------------------------------------------------------------

    async def _look_up(self, target: _Target, author: Author, entry: Publication, part: int) -> Publication:
        connector = target.connector
        started = self._now()
        draft = _draft(target.request, entry, part)
        try:
            async with asyncio.timeout(connector.policy.call_timeout):
                finding = await connector.look_up(author, draft, doubt.searched_since(entry, part))
        except (TimeoutError, httpx.HTTPError):
            finding = UNREADABLE
        finding = await self._without_others(entry, finding)
        changed = doubt.looked(entry, part, finding, started=started, now=self._now(), policy=connector.policy)
        return await self._journal.save(changed)

    async def _without_others(self, entry: Publication, finding: Finding) -> Finding:
        """Another target of the same account may have published the same words."""
        if not finding.candidates:
            return finding
        ids = [candidate.platform_post_id for candidate in finding.candidates]
        others = await self._journal.known_live(entry.account_id, ids, besides=entry.publication_id)
        ours = tuple(one for one in finding.candidates if one.platform_post_id not in others)
        return replace(finding, candidates=ours)

    # --- reporting ------------------------------------------------------------------------------------

    async def _report(self, request: PublishRequested, finished: Finished, variants: dict[str, str]) -> None:
        """The same report has the same id, however often it is made."""
        attempt = str(finished.attempt)
        traceparent = tracing.current()
        if finished.disconnect is not None:
            await self._sender.send(
                ACCOUNTS_COMMANDS,
                request.account_id,
                DisconnectAccount(
                    account_id=request.account_id,
                    tenant_id=request.tenant_id,
                    actor=None,
                    issued_at=finished.at,
                    reason=finished.disconnect,
                ),
                command_id=derived_id("cmd", request.post_id, request.target_id, attempt, "disconnect"),
                tenant_id=request.tenant_id,
                traceparent=traceparent,
            )
            self._accounts.forget(request.account_id)
            self._tokens.forget(request.account_id)
        await self._sender.send(
            POSTS_COMMANDS,
            request.post_id,
            ReportOutcome(
                post_id=request.post_id,
                tenant_id=request.tenant_id,
                target_id=request.target_id,
                attempt=finished.attempt,
                issued_at=finished.at,
                outcome=finished.outcome,
                sent_at=finished.sent_at,
                variants=variants,
            ),
            command_id=derived_id("cmd", request.post_id, request.target_id, attempt, _kind(finished)),
            tenant_id=request.tenant_id,
            traceparent=traceparent,
        )

    async def _report_second(self, request: PublishRequested, second: LivePart) -> None:
        """The posts service records that the target is live twice, and somebody is paged."""
        DUPLICATES.labels(request.platform).inc()
        log.error(
            "live twice",
            post_id=request.post_id,
            tenant_id=request.tenant_id,
            platform=request.platform,
            part=second.index,
            platform_post_id=second.platform_post_id,
        )
        await self._sender.send(
            POSTS_COMMANDS,
            request.post_id,
            ReportOutcome(
                post_id=request.post_id,
                tenant_id=request.tenant_id,
                target_id=request.target_id,
                attempt=request.attempt,
                issued_at=self._now(),
                outcome=Published(parts=(second,), at=self._now()),
            ),
            command_id=derived_id("cmd", request.post_id, request.target_id, "second", second.platform_post_id),
            tenant_id=request.tenant_id,
            traceparent=tracing.current(),
        )


class _Steps:
    """Journals the steps of one upload."""

    def __init__(
        self,
        journal: Journal,
        entry: Publication,
        content: Content,
        policy: publication.Policy,
        now: Callable[[], datetime],
    ) -> None:
        self.entry = entry
        self._journal = journal
        self._content = content
        self._policy = policy
        self._now = now

    async def record(self, upload: Upload) -> None:
        changed = preparing.uploaded(self.entry, upload, self._content, self._now(), self._policy)
        self.entry = await self._journal.save(changed)
        await reached("publisher.upload_recorded")


def _inexpressible() -> Failure:
    return Failure(
        code="invalid_content",
        message="The post does not fit the platform in a way that was not foreseen.",
        remediation="Change the post, and tell the operator: the publisher's log says more.",
    )


def _draft(request: PublishRequested, entry: Publication, part: int) -> Draft:
    content = request.parts[part]
    return Draft(
        index=part,
        title=request.title,
        content=content,
        options=request.options,
        uploads=publication.uploads_of(entry, part, content),
        container=publication.container_of(entry, part),
        reply_to=publication.reply_to(entry, part) if part else request.reply_to,
        handle=entry.parts[part].handle,
    )


def _kind(finished: Finished) -> str:
    return str(finished.outcome.__struct_config__.tag)
