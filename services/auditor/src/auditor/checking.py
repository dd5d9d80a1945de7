"""One audit, from the first event to the last, out of nothing but the log and the journal."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from auditor.books import Books
from auditor.domain.comparing import Entry, against_journal, against_log, entry_id
from auditor.domain.counting import Account
from auditor.domain.findings import EXPLANATIONS, Finding
from auditor.domain.totals import Row, Totals, row
from auditor.domain.watching import Bounds
from auditor.ports import Journal, LogReader, Saved

SHOWN = 50


class Audit(Struct, frozen=True, kw_only=True):
    events: int
    void: int
    entries: int
    rows: Sequence[Row]
    findings: Sequence[Finding]

    @property
    def is_sound(self) -> bool:
        return not self.findings and all(each.balances for each in self.rows)


async def check(journal: Journal, reader: LogReader, bounds: Bounds, now: Callable[[], datetime]) -> Audit:
    """Holds all accounts and all journal entries in memory: about 2 kB a target."""
    # The journal first: what is in it had been accepted before, and so is in what is read of the log afterwards.
    began = now()
    entries = {entry.entry_id: entry async for entry in journal.all()}
    books = Books(_Memory())
    await books.load()
    await reader.start({})
    ends = await reader.ends()
    read_at = now()
    found: list[Finding] = []
    while any(books.positions.get(partition, 0) < end for partition, end in ends.items()):
        found += await books.fold(await reader.poll())
    found += books.missing(read_at, bounds)
    found += books.unbalanced(read_at)
    accounts = books.all()
    found += _beside_the_log(entries, accounts, began, bounds)
    found += await _beside_the_journal(journal, entries, accounts, read_at, bounds)
    rows = [row(tenant_id, totals, found) for tenant_id, totals in sorted(books.totals.items())]
    return Audit(events=books.events, void=books.void, entries=len(entries), rows=rows, findings=found)


def _beside_the_log(
    entries: Mapping[str, Entry], accounts: Mapping[str, Account], now: datetime, bounds: Bounds
) -> Iterable[Finding]:
    for entry in entries.values():
        finding = against_log(entry, accounts.get(entry.post_id), now, bounds)
        if finding is not None:
            yield finding


async def _beside_the_journal(
    journal: Journal, entries: Mapping[str, Entry], accounts: Mapping[str, Account], now: datetime, bounds: Bounds
) -> list[Finding]:
    """What the log has recorded while the journal was being read is looked up again."""
    found = []
    for account in accounts.values():
        for target_id, promise in account.promises.items():
            if not promise.unproven:
                continue
            name = entry_id(account.post_id, target_id)
            finding = against_journal(account, target_id, promise, entries.get(name), now=now, bounds=bounds)
            if finding is not None:
                fresh = await journal.entries([name])
                finding = against_journal(account, target_id, promise, fresh.get(name), now=now, bounds=bounds)
            if finding is not None:
                found.append(finding)
    return found


def table(audit: Audit) -> str:
    """For people."""
    columns = [name for name in Row.__struct_fields__ if name != "tenant_id"]
    width = max([len("tenant"), *(len(each.tenant_id) for each in audit.rows)])
    lines = ["  ".join(["tenant".ljust(width), *(name.replace("_", " ") for name in columns)])]
    for each in audit.rows:
        cells = [f"{getattr(each, name):,}".rjust(len(name)) for name in columns]
        lines.append("  ".join([each.tenant_id.ljust(width), *cells]))
    lines.append(f"{audit.events:,} events, {audit.void:,} void; {audit.entries:,} journal entries")
    for finding in audit.findings[:SHOWN]:
        where = "/".join(filter(None, (finding.post_id, finding.target_id)))
        lines.append(f"{finding.kind} ({EXPLANATIONS[finding.kind]}): {finding.tenant_id} {where}: {finding.detail}")
    if len(audit.findings) > SHOWN:
        lines.append(f"… and {len(audit.findings) - SHOWN:,} more")
    lines.append("balanced" if audit.is_sound else f"NOT BALANCED: {len(audit.findings):,} findings")
    return "\n".join(lines)


class _Memory:
    """`auditor.ports.Store` of books that are kept in memory whole, and thrown away."""

    async def load(self) -> Saved:
        return Saved({}, {})

    async def fetch(self, post_ids: Iterable[str]) -> Mapping[str, Account]:  # noqa: ARG002  # nothing lies elsewhere
        return {}

    async def watched(self, until: datetime) -> Sequence[Account]:  # noqa: ARG002  # all are in memory
        return ()

    async def save(
        self,
        positions: Mapping[int, int],
        accounts: Sequence[Account],
        totals: Mapping[str, Totals],
        findings: Sequence[Finding],
    ) -> None:
        """Nothing is forgotten that would have to be fetched again."""

    async def forget(self) -> None:
        """There is nothing that outlives it."""

    async def unsettled(self) -> Sequence[Finding]:
        return ()
