"""What the auditor is told through its environment."""

from datetime import timedelta

from auditor.domain.watching import Bounds
from chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Seconds throughout. The bounds are those of `auditor.domain.watching.Bounds`, where they are explained."""

    auditor_late: float = 900.0
    auditor_silent: float = 2_700.0
    auditor_unknown: float = 28_800.0
    auditor_in_flight: float = 604_800.0
    auditor_recorded: float = 300.0
    auditor_proven: float = 60.0
    auditor_check_every: float = 10.0
    """How often what should have happened is looked for."""
    auditor_patrol: int = 200
    """Journal entries held against the log at each check, besides those that are under way."""

    @property
    def bounds(self) -> Bounds:
        return Bounds(
            late=timedelta(seconds=self.auditor_late),
            silent=timedelta(seconds=self.auditor_silent),
            unknown=timedelta(seconds=self.auditor_unknown),
            in_flight=timedelta(seconds=self.auditor_in_flight),
            recorded=timedelta(seconds=self.auditor_recorded),
            proven=timedelta(seconds=self.auditor_proven),
        )
