"""The books: what the log has said so far, by post and by tenant."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from auditor.domain.counting import Account, fold, follows
from auditor.domain.findings import Finding
from auditor.domain.totals import Totals
from auditor.domain.watching import Bounds, missing
from auditor.ports import LogRecord, Store
from contracts.messages import Event, UndecodableError
from contracts.wire import Envelope, unpack

HORIZON = timedelta(hours=1)
_LONG_AGO = datetime.fromtimestamp(0, UTC)


class Books:
    """Keeps in memory what needs watching and what was touched lately; the rest lies in the store."""

    def __init__(self, store: Store, *, kept: int = 20_000) -> None:
        self._store = store
        self._kept = kept
        self._accounts: OrderedDict[str, Account] = OrderedDict()
        self._changed: set[str] = set()
        self._changed_tenants: set[str] = set()
        self._findings: list[Finding] = []
        self._ahead = _LONG_AGO
        """What is to be watched by then is in memory."""
        self.positions: dict[int, int] = {}
        self.totals: dict[str, Totals] = {}
        self.events = 0
        self.void = 0
        """Records that do not name their predecessor: left by owners that had lost their partition."""

    async def load(self) -> None:
        saved = await self._store.load()
        self.positions = dict(saved.positions)
        self.totals = dict(saved.totals)
        self._accounts = OrderedDict()
        self._ahead = _LONG_AGO
        self._changed, self._changed_tenants, self._findings = set(), set(), []

    async def fold(self, records: Sequence[LogRecord]) -> Sequence[Finding]:
        """Takes the records into account, all or none; returns what is wrong with them.

        Records of one partition must come in their order, and follow those before.
        """
        read = [self._read(record) for record in records]
        await self._fetch({each[0].subject for each in read if not isinstance(each, Finding)})
        found: list[Finding] = []
        for record, each in zip(records, read, strict=True):
            found += [each] if isinstance(each, Finding) else self._fold(*each)
            self.positions[record.partition] = record.offset + 1
        self._findings += found
        return found

    def unsaved(self) -> int:
        return len(self._changed) + len(self._findings)

    async def save(self) -> None:
        """Afterwards a process that loads goes on from here."""
        await self._store.save(
            dict(self.positions),
            [self._accounts[post_id] for post_id in self._changed],
            {tenant_id: self.totals[tenant_id] for tenant_id in self._changed_tenants},
            list(self._findings),
        )
        self._changed, self._changed_tenants, self._findings = set(), set(), []
        self._forget()

    def all(self) -> Mapping[str, Account]:
        """What is in memory: everything, until `save` forgets some of it."""
        return self._accounts

    async def look_ahead(self, now: datetime) -> None:
        """Has in memory what is to be watched soon. What is scheduled for later lies in the store."""
        if self._ahead < now + HORIZON / 2:
            for account in await self._store.watched(now + HORIZON):
                self._accounts.setdefault(account.post_id, account)
            self._ahead = now + HORIZON

    def watched(self) -> Iterator[Account]:
        return (account for account in list(self._accounts.values()) if account.watch_at is not None)

    def missing(self, now: datetime, bounds: Bounds) -> list[Finding]:
        """What has not got on by `now`, up to which the log must have been read."""
        return [finding for account in self.watched() for finding in missing(account, now, bounds)]

    def unbalanced(self, now: datetime) -> list[Finding]:
        return [
            Finding(
                kind="unbalanced",
                tenant_id=tenant_id,
                at=now,
                detail=f"accepted are {totals.difference} more than are accounted for",
            )
            for tenant_id, totals in self.totals.items()
            if not totals.is_sound
        ]

    async def find(self, post_ids: set[str]) -> Mapping[str, Account]:
        await self._fetch(post_ids)
        return {post_id: self._accounts[post_id] for post_id in post_ids if post_id in self._accounts}

    def prove(self, post_id: str, target_id: str) -> None:
        """The journal shows what was published."""
        account = self._accounts[post_id]
        proven = replace(account.promises[target_id], unproven=False)
        self._remember(replace(account, promises={**account.promises, target_id: proven}))
        self._changed.add(post_id)

    # --- reading --------------------------------------------------------------------------------------

    def _read(self, record: LogRecord) -> tuple[Envelope, Event] | Finding:
        try:
            envelope, message = unpack(record.headers, record.value)
        except UndecodableError as error:
            return _unreadable(record, str(error))
        if not isinstance(message, Event):
            return _unreadable(record, f"{message.type_name} is not an event")
        return envelope, message

    def _fold(self, envelope: Envelope, event: Event) -> Sequence[Finding]:
        before = self._accounts.get(envelope.subject)
        if not follows(before, envelope):
            self.void += 1
            return ()
        folded = fold(before, envelope, event)
        self.events += 1
        self._remember(folded.account)
        self._changed.add(folded.account.post_id)
        if folded.accepted or folded.moves:
            tenant_id = folded.account.tenant_id
            self.totals.setdefault(tenant_id, Totals()).add(folded)
            self._changed_tenants.add(tenant_id)
        return folded.findings

    # --- memory ---------------------------------------------------------------------------------------

    async def _fetch(self, post_ids: set[str]) -> None:
        unknown = [post_id for post_id in post_ids if post_id not in self._accounts]
        if unknown:
            self._accounts.update(await self._store.fetch(unknown))

    def _remember(self, account: Account) -> None:
        self._accounts[account.post_id] = account
        self._accounts.move_to_end(account.post_id)

    def _forget(self) -> None:
        """What was touched longest ago and is not to be watched soon, beyond what is kept."""
        surplus = len(self._accounts) - self._kept
        if surplus <= 0:
            return
        waiting = [
            post_id
            for post_id, account in self._accounts.items()
            if account.watch_at is None or account.watch_at > self._ahead
        ]
        for post_id in waiting[:surplus]:
            del self._accounts[post_id]


def _unreadable(record: LogRecord, reason: str) -> Finding:
    by_name = dict(record.headers)
    return Finding(
        kind="unreadable",
        tenant_id=by_name.get("ce_tenantid", b"").decode(errors="replace"),
        post_id=f"{record.partition}@{record.offset}",
        at=datetime.fromtimestamp(0, UTC),
        detail=reason,
        version=1,
    )
