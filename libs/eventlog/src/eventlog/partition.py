"""The owner of one partition: take over, decide, append, accept, tell, project, answer.

Everything here runs against the ports of `eventlog.ports`, in production and in the simulator alike.
"""

import heapq
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

import structlog
from msgspec import Raw, Struct
from msgspec.structs import replace

from chassis import faultpoints, tracing
from contracts.ids import new_id
from contracts.messages import Event, UndecodableError, encode
from contracts.topics import GATEWAY_REPLIES
from contracts.verdicts import CommandRefused, Refusal, Verdict
from contracts.wire import Envelope, pack, unpack
from eventlog import messaging, metrics
from eventlog.aggregate import Aggregate, FollowUp, NotFound
from eventlog.chain import MEMO_SIZE, Stored, advance, counts
from eventlog.ports import (
    AppendFailedError,
    Documents,
    EventLog,
    LogRecord,
    NewRecord,
    Outbox,
    Outgoing,
    ReceivedCommand,
)

S = TypeVar("S")
log = structlog.get_logger()

HORIZON = timedelta(minutes=5)
REFILL_EVERY = timedelta(minutes=1)
REFILL_LIMIT = 5_000
CHECKPOINT_EVERY = 1.0
"""Seconds. What lies between checkpoint and end is read again at takeover, nothing worse."""


class Accepted(Struct, Generic[S], frozen=True):
    """An event that counts, and the aggregate around it."""

    before: Stored[S] | None
    event: Event
    envelope: Envelope
    after: Stored[S]


class Decided(Struct, Generic[S], frozen=True):
    """A command's outcome as decided; `event_id` is None when nothing is to be recorded."""

    command: ReceivedCommand
    after: Stored[S] | None
    refusal: Refusal | None
    event_id: str | None


class Turn(Struct, Generic[S], frozen=True, kw_only=True):
    """What one append brought, still to be told, projected and answered."""

    accepted: Sequence[Accepted[S]]
    decided: Sequence[Decided[S]]
    end: int
    """The end of the log after it."""
    position: int | None
    """The offset after the last command it finishes; None when it finishes none."""


class PartitionOwner(Generic[S]):
    """Two stages that may run at once, each in one task: `decide`, and `settle` for what has been decided.

    After any exception the object must be thrown away and a new one must take over: what it believed about the end of
    the log may be wrong.
    """

    def __init__(
        self,
        aggregate: Aggregate[S],
        partition: int,
        *,
        event_log: EventLog,
        outbox: Outbox,
        documents: Documents[S],
        source: str,
        cache_size: int = 20_000,
        due_limit: int = 256,
        next_event_id: Callable[[], str] = lambda: new_id("evt"),
    ) -> None:
        self.partition = partition
        self._aggregate = aggregate
        self._log = event_log
        self._outbox = outbox
        self._documents = documents
        self._source = source
        self._cache_size = cache_size
        self._due_limit = due_limit
        self._next_event_id = next_event_id
        self._cache: OrderedDict[str, Stored[S]] = OrderedDict()
        self._unsettled: deque[Turn[S]] = deque()
        self._end = 0
        """Every record below is folded; the next append must land here to be accepted unread."""
        self._settled_end = 0
        """Every record below is told and projected."""
        self._checkpoint = 0
        self._checkpointed_at = 0.0
        self._due: list[tuple[datetime, str]] = []
        self._more_due = False
        self._refill_at = datetime.min.replace(tzinfo=UTC)
        self._undecided: datetime | None = None

    # --- takeover -------------------------------------------------------------------------------------

    async def take_over(self) -> None:
        """Reads and settles what the checkpoint does not cover yet. Safe to repeat."""
        self._checkpoint = self._settled_end = self._end = await self._documents.checkpoint(self.partition)
        end = await self._log.end(self.partition)
        while self._end < end:
            await self._fold_some(end)
            await self.settle()
            self._forget_surplus()
        await self._save_checkpoint()

    async def _fold_some(self, end: int) -> Sequence[Accepted[S]]:
        """Folds the next records below `end` by the acceptance rule, and leaves what counts to be settled."""
        records = await self._log.read(self.partition, self._end, end)
        events = [self._unpack(record) for record in records]
        await self._load({envelope.subject for envelope, _ in events})
        accepted: list[Accepted[S]] = []
        for record, (envelope, event) in zip(records, events, strict=True):
            before = self._cache.get(envelope.subject)
            if not counts(before, envelope):
                continue
            after = advance(self._aggregate, before, envelope, event, record.offset)
            self._remember(after)
            accepted.append(Accepted(before, event, envelope, after))
        self._end = records[-1].offset + 1
        self._queue(accepted, (), position=None)
        return accepted

    def _unpack(self, record: LogRecord) -> tuple[Envelope, Event]:
        try:
            envelope, message = unpack(record.headers, record.value)
            if isinstance(message, Event):
                return envelope, message
            reason = f"{message.type_name} is not an event"
        except UndecodableError as error:
            reason = str(error)
        raise RuntimeError(
            f"{self._aggregate.events_topic}[{self.partition}]@{record.offset} cannot be read ({reason}): "
            "this owner is older than the log, or the log is damaged"
        )

    # --- turns ----------------------------------------------------------------------------------------

    def next_due(self) -> datetime | None:
        """When `turn` should be called even without commands."""
        return self._due[0][0] if self._due else None

    def undecided(self) -> datetime | None:
        """When the oldest entry of the schedule was or is due that no turn has decided, a failed one included."""
        return self._undecided

    async def turn(self, commands: Sequence[ReceivedCommand], now: datetime) -> None:
        """`decide` and `settle` in one. When it returns, all of it is durable, told, projected and answered."""
        await self.decide(commands, now)
        await self.settle()

    async def decide(self, commands: Sequence[ReceivedCommand], now: datetime, position: int | None = None) -> None:
        """Decides the commands and what has come due; when it returns the events are durable and accepted.

        `position` is the offset after the last of the commands. Raises whatever the ports raise; nothing is lost then,
        but see the class.
        """
        # Here and not in `settle`: between the loading of an aggregate and its use nothing may be forgotten.
        self._forget_surplus()
        pending: Sequence[ReceivedCommand] = [
            self._begin(command) for command in (*commands, *await self._due_commands(now))
        ]
        while pending:
            pending = await self._attempt(pending, now)
        self._undecided = self.next_due()
        if position is not None:
            self._queue((), (), position=position)

    async def settle(self) -> int | None:
        """Tells, projects and answers everything decided so far. Returns the last turn's `position`.

        Others are told before the documents are written. A document that has reached a version thus proves that
        everything up to that version has been told; so at takeover only events beyond the documents are told, each
        with the exact state around it.
        """
        turns = list(self._unsettled)
        if turns:
            accepted = [item for turn in turns for item in turn.accepted]
            await self._tell(accepted)
            await faultpoints.reached("owner.after_follow_ups")
            await self._project(accepted)
            await faultpoints.reached("owner.after_projection")
            await self._answer([item for turn in turns for item in turn.decided])
            await faultpoints.reached("owner.after_verdicts")
        for turn in turns:
            self._unsettled.popleft()
            self._settled_end = turn.end
        if time.monotonic() - self._checkpointed_at >= CHECKPOINT_EVERY:
            await self._save_checkpoint()
        return max((turn.position for turn in turns if turn.position is not None), default=None)

    async def release(self) -> int | None:
        """The clean end of ownership: settles what is left, and returns its position like `settle`."""
        position = await self.settle()
        await self._save_checkpoint()
        return position

    def unsettled(self) -> Counter[str]:
        """How many commands and events of each aggregate are decided but not settled."""
        return Counter(item.command.aggregate_id for turn in self._unsettled for item in turn.decided)

    def _queue(self, accepted: Sequence[Accepted[S]], decided: Sequence[Decided[S]], position: int | None) -> None:
        self._unsettled.append(Turn(accepted=accepted, decided=decided, end=self._end, position=position))
        for item in accepted:
            self._note_due(item.after.aggregate_id, self._aggregate.due_at(item.after.state))

    async def _attempt(self, pending: Sequence[ReceivedCommand], now: datetime) -> Sequence[ReceivedCommand]:
        """One append. Returns the commands that must be decided again because somebody else had written."""
        await self._load({command.aggregate_id for command in pending})
        overlay: dict[str, Stored[S]] = {}
        decided: list[Decided[S]] = []
        records: list[NewRecord] = []
        hoped: list[Accepted[S]] = []
        for command in pending:
            before = overlay.get(command.aggregate_id) or self._cache.get(command.aggregate_id)
            event, refusal = self._decide(command, before)
            if event is None:
                decided.append(Decided(command, None if refusal else before, refusal, None))
                continue
            envelope = self._stamp(command, before, now)
            after = advance(self._aggregate, before, envelope, event, self._end + len(records))
            headers, value = pack(event, envelope)
            records.append(NewRecord(command.aggregate_id, headers, value))
            hoped.append(Accepted(before, event, envelope, after))
            overlay[command.aggregate_id] = after
            decided.append(Decided(command, after, refusal, envelope.id))

        await faultpoints.reached("owner.before_append")
        if records:
            offsets = await self._append(records, hoped)
            undisturbed = list(offsets) == list(range(self._end, self._end + len(records)))
        else:
            # Answers without an append rest on our state being the true one: ask whether it still is.
            undisturbed = await self._log.end(self.partition) == self._end
        await faultpoints.reached("owner.after_append")

        if undisturbed:
            for stored in overlay.values():
                self._remember(stored)
            self._end += len(records)
            self._queue(hoped, decided, position=None)
            return ()

        metrics.GAPS.labels(self._aggregate.name).inc()
        log.warning("another writer in the log", aggregate=self._aggregate.name, partition=self.partition)
        accepted: dict[str, Accepted[S]] = {}
        end = await self._log.end(self.partition)
        while self._end < end:
            accepted |= {item.envelope.id: item for item in await self._fold_some(end)}
        ours = [
            Decided(item.command, accepted[item.event_id].after, item.refusal, item.event_id)
            for item in decided
            if item.event_id in accepted
        ]
        self._queue((), ours, position=None)
        return [item.command for item in decided if item.event_id not in accepted]

    def _begin(self, received: ReceivedCommand) -> ReceivedCommand:
        """With a span that lasts until the command is answered; what follows from the command is part of it.

        When a turn fails its spans are lost. Those of the next try have the same parent.
        """
        envelope, topic = received.envelope, self._aggregate.commands_topic
        about = messaging.about(envelope, received.command)
        if received.offset is None:
            links = () if received.cause is None else (received.cause,)
            span = tracing.start(f"due {self._aggregate.name}", parent=None, links=links, about=about)
        else:
            span = tracing.start(
                f"process {topic}",
                "consumer",
                parent=envelope.traceparent,
                attributes=messaging.processing(
                    topic,
                    group=self._aggregate.name,
                    partition=self.partition,
                    offset=received.offset,
                    message_id=envelope.id,
                ),
                about={**about, "command": received.command.type_name},
            )
        return replace(received, span=span, envelope=replace(envelope, traceparent=span.traceparent))

    async def _append(self, records: Sequence[NewRecord], hoped: Sequence[Accepted[S]]) -> Sequence[int | None]:
        """One span for all: part of its command's when there is only one, else on its own, with links to them."""
        topic = self._aggregate.events_topic
        causes = [item.envelope.traceparent for item in hoped if item.envelope.traceparent is not None]
        alone = len(causes) == 1
        span = tracing.start(
            f"send {topic}",
            "producer",
            parent=causes[0] if alone else None,
            links=() if alone else causes,
            attributes=messaging.sending(topic, count=len(records)),
        )
        try:
            return await self._log.append(self.partition, records)
        except AppendFailedError as error:
            span.fail(type(error).__name__)
            raise
        finally:
            span.end()

    def _decide(self, received: ReceivedCommand, before: Stored[S] | None) -> tuple[Event | None, Refusal | None]:
        """The event to record, if any, and the refusal to answer, if any."""
        memo = None if received.offset is None or before is None else before.remembers(received.envelope.id)
        if memo is not None:
            metrics.REDELIVERIES.labels(self._aggregate.name).inc()
            return None, memo.refusal
        deadline = received.envelope.deadline
        if deadline is not None and received.appended_at > deadline:
            return None, Refusal(code="expired", message="The command reached the log after its sender had given up.")
        decision = self._aggregate.decide(None if before is None else before.state, received.command)
        match decision:
            case NotFound(refusal=refusal):
                return None, refusal
            case Refusal() if before is None:
                return None, decision
            case Refusal():
                return CommandRefused(command_type=received.command.type_name, refusal=decision), decision
            case _:
                return decision, None

    def _stamp(self, received: ReceivedCommand, before: Stored[S] | None, now: datetime) -> Envelope:
        return Envelope(
            id=self._next_event_id(),
            source=self._source,
            subject=received.aggregate_id,
            time=now,
            sequence=1 if before is None else before.version + 1,
            previous_id=None if before is None else before.event_id,
            command_id=None if received.offset is None else received.envelope.id,
            tenant_id=received.envelope.tenant_id,
            traceparent=received.envelope.traceparent,
        )

    # --- after acceptance -----------------------------------------------------------------------------

    async def _tell(self, accepted: Sequence[Accepted[S]]) -> None:
        owed = [
            (item, follow_up, self._begin_sending(item, follow_up))
            for item in accepted
            for follow_up in self._aggregate.follow_ups(
                None if item.before is None else item.before.state, item.event, item.envelope.id, item.after.state
            )
        ]
        if owed:
            await self._outbox.publish([self._pack_follow_up(*each) for each in owed])
        for _, _, span in owed:
            span.end()

    async def _project(self, accepted: Sequence[Accepted[S]]) -> None:
        newest = {item.after.aggregate_id: item.after for item in accepted}
        if newest:
            await self._documents.save(self.partition, list(newest.values()))
            metrics.EVENTS.labels(self._aggregate.name).inc(len(accepted))

    def _begin_sending(self, cause: Accepted[S], follow_up: FollowUp) -> tracing.Span:
        return tracing.start(
            f"send {follow_up.topic}",
            "producer",
            parent=cause.envelope.traceparent,
            attributes=messaging.sending(follow_up.topic, message_id=follow_up.id),
            about=messaging.about(cause.envelope, follow_up.message),
        )

    def _pack_follow_up(self, cause: Accepted[S], follow_up: FollowUp, span: tracing.Span) -> Outgoing:
        envelope = Envelope(
            id=follow_up.id,
            source=self._source,
            subject=follow_up.key,
            time=cause.envelope.time,
            tenant_id=follow_up.tenant_id or cause.envelope.tenant_id,
            traceparent=span.traceparent,
        )
        headers, value = pack(follow_up.message, envelope)
        return Outgoing(topic=follow_up.topic, key=follow_up.key, headers=headers, value=value)

    async def _answer(self, decided: Sequence[Decided[S]]) -> None:
        """Verdicts to whoever waits. A lost one costs its receiver a look at the status page, nothing else."""
        replies = []
        for item in decided:
            envelope = item.command.envelope
            if envelope.reply_partition is None:
                continue
            verdict = Verdict(
                command_id=envelope.id,
                aggregate_id=item.command.aggregate_id,
                version=item.after.version if item.after else 0,
                refusal=item.refusal,
                state=Raw(encode(item.after.state if item.after and item.refusal is None else None)),
            )
            headers, value = pack(
                verdict,
                Envelope(
                    id=f"{envelope.id}:verdict",
                    source=self._source,
                    subject=item.command.aggregate_id,
                    time=envelope.time,
                    command_id=envelope.id,
                    traceparent=envelope.traceparent,
                ),
            )
            replies.append(
                Outgoing(
                    topic=GATEWAY_REPLIES, key=None, headers=headers, value=value, partition=envelope.reply_partition
                )
            )
        if replies:
            await self._outbox.publish(replies)
        metrics.COMMANDS.labels(self._aggregate.name).inc(len(decided))
        for item in decided:
            if (span := item.command.span) is not None:
                if item.refusal is not None:
                    span.set("social.refusal", item.refusal.code)
                span.end()

    async def _save_checkpoint(self) -> None:
        if self._settled_end > self._checkpoint:
            self._checkpoint = self._settled_end
            await self._documents.save_checkpoint(self.partition, self._checkpoint)
        self._checkpointed_at = time.monotonic()

    # --- memory ---------------------------------------------------------------------------------------

    async def _load(self, aggregate_ids: set[str]) -> None:
        missing = [aggregate_id for aggregate_id in aggregate_ids if aggregate_id not in self._cache]
        if missing:
            for stored in (await self._documents.load(missing)).values():
                self._remember(stored)

    def _remember(self, stored: Stored[S]) -> None:
        self._cache[stored.aggregate_id] = stored
        self._cache.move_to_end(stored.aggregate_id)

    def _forget_surplus(self) -> None:
        needed = {item.after.aggregate_id for turn in self._unsettled for item in turn.accepted}
        while len(self._cache) > self._cache_size:
            oldest = next(iter(self._cache))
            if oldest in needed:
                # Not in the documents yet; what was used longest ago soon will be.
                return
            del self._cache[oldest]

    # --- the schedule ---------------------------------------------------------------------------------

    def _note_due(self, aggregate_id: str, due_at: datetime | None) -> None:
        if due_at is not None and due_at < self._refill_at + HORIZON:
            heapq.heappush(self._due, (due_at, aggregate_id))

    async def _refill(self, now: datetime) -> None:
        """Loads the near-term schedule anew: what lies in the documents, and what is on its way there."""
        # Collected before the documents are asked: what is settled meanwhile is in one of the two, or in both.
        on_its_way = [item.after for turn in self._unsettled for item in turn.accepted]
        found = await self._documents.due(self.partition, now + HORIZON, REFILL_LIMIT)
        self._refill_at = now
        self._due = list(found)
        self._more_due = len(found) == REFILL_LIMIT
        heapq.heapify(self._due)
        for stored in on_its_way:
            self._note_due(stored.aggregate_id, self._aggregate.due_at(stored.state))

    async def _due_commands(self, now: datetime) -> list[ReceivedCommand]:
        if now >= self._refill_at + REFILL_EVERY or (self._more_due and not self._due):
            await self._refill(now)
        self._undecided = self.next_due()
        overdue = 0.0 if self._undecided is None else (now - self._undecided).total_seconds()
        metrics.OLDEST_OVERDUE.labels(self._aggregate.name, str(self.partition)).set(max(0.0, overdue))
        ids: dict[str, None] = {}
        while self._due and self._due[0][0] <= now and len(ids) < self._due_limit:
            ids[heapq.heappop(self._due)[1]] = None
        await self._load(set(ids))
        commands = []
        for aggregate_id in ids:
            stored = self._cache.get(aggregate_id)
            due_at = None if stored is None else self._aggregate.due_at(stored.state)
            # The entry may be older than an edit, a cancellation or another publication.
            if due_at is None:
                continue
            if due_at > now:
                self._note_due(aggregate_id, due_at)
                continue
            commands.append(self._own_command(aggregate_id, now))
        return commands

    def _own_command(self, aggregate_id: str, now: datetime) -> ReceivedCommand:
        """The first of a new trace: days may lie between it and its cause, which it has a link to."""
        return ReceivedCommand(
            aggregate_id=aggregate_id,
            command=self._aggregate.when_due(aggregate_id, now),
            envelope=Envelope(
                id="due",
                source=self._source,
                subject=aggregate_id,
                time=now,
                tenant_id=self._aggregate.index(self._cache[aggregate_id].state)["tenant_id"],
            ),
            appended_at=now,
            offset=None,
            cause=self._cache[aggregate_id].traceparent,
        )


def fair_cut(commands: Sequence[ReceivedCommand], unsettled: Counter[str]) -> int:
    """How many of these may be decided now: an aggregate's memo must hold all of its commands not yet committed."""
    waiting = Counter(unsettled)
    for index, command in enumerate(commands):
        waiting[command.aggregate_id] += 1
        if waiting[command.aggregate_id] > MEMO_SIZE // 2:
            return index
    return len(commands)
