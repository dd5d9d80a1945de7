"""A tenant's sum: accepted targets against what became of them. Pure."""

from collections.abc import Iterable

from msgspec import Struct

from auditor.domain.counting import FINAL, IN_FLIGHT, Folded, State
from auditor.domain.findings import Finding


class Totals(Struct):
    """Both sides are counted on their own: what events accept, and where targets are moved."""

    accepted: int = 0
    states: dict[str, int] = {}
    """By platform and state: `twitter/published`."""

    def add(self, folded: Folded) -> None:
        self.accepted += folded.accepted.total()
        for move in folded.moves:
            if move.before is not None:
                self._count(f"{move.platform}/{move.before}", -1)
            self._count(f"{move.platform}/{move.after}", 1)

    def _count(self, name: str, more: int) -> None:
        self.states[name] = self.states.get(name, 0) + more

    def of(self, *states: State) -> int:
        return sum(n for name, n in self.states.items() if name.partition("/")[2] in states)

    @property
    def difference(self) -> int:
        """Of what was accepted and what is accounted for; 0 when the books balance."""
        return self.accepted - self.of("scheduled", *IN_FLIGHT, "held", *FINAL)

    @property
    def is_sound(self) -> bool:
        return self.difference == 0 and all(n >= 0 for n in self.states.values())


class Row(Struct, frozen=True, kw_only=True):
    """A tenant, as it is shown: accepted = final + held + scheduled + in flight, if nothing is missing."""

    tenant_id: str
    accepted: int
    published: int
    failed: int
    cancelled: int
    withdrawn: int
    deleted: int
    held: int
    scheduled: int
    in_flight: int
    missing: int
    """Accepted, and neither at an end nor where it should be by now."""
    findings: int

    @property
    def balances(self) -> bool:
        known = self.published + self.failed + self.cancelled + self.withdrawn + self.deleted + self.held
        return self.accepted == known + self.scheduled + self.in_flight and self.missing == 0


def row(tenant_id: str, totals: Totals, findings: Iterable[Finding]) -> Row:
    found = [finding for finding in findings if finding.tenant_id == tenant_id]
    overdue = sum(finding.kind == "overdue" for finding in found)
    stuck = sum(finding.kind == "stuck" for finding in found)
    return Row(
        tenant_id=tenant_id,
        accepted=totals.accepted,
        published=totals.of("published"),
        failed=totals.of("failed"),
        cancelled=totals.of("cancelled"),
        withdrawn=totals.of("withdrawn"),
        deleted=totals.of("deleted"),
        held=totals.of("held"),
        scheduled=totals.of("scheduled") - overdue,
        in_flight=totals.of(*IN_FLIGHT) - stuck,
        missing=overdue + stuck + totals.difference,
        findings=len(found),
    )
