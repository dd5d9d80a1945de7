"""Budgets that are used up, as the platforms' answers told. In memory: a restart costs one refused request each."""

from datetime import datetime

from contracts.content import Failure
from publisher.domain.answers import Postponed


class Budgets:
    """Of one platform. A scope is an account's id, or `APP` for what all accounts share."""

    APP = "*"

    def __init__(self) -> None:
        self._used_up: dict[str, Postponed] = {}

    def use_up(self, scope: str, until: datetime, failure: Failure) -> None:
        """Nothing may be asked of this scope before `until`."""
        known = self._used_up.get(scope)
        if known is None or known.until < until:
            self._used_up[scope] = Postponed(until, failure)

    def exhausted(self, account_id: str, now: datetime) -> Postponed | None:
        """The budget that stands in the way of this account longest, if any."""
        found = [known for scope in (self.APP, account_id) if (known := self._current(scope, now)) is not None]
        return max(found, key=lambda known: known.until, default=None)

    def _current(self, scope: str, now: datetime) -> Postponed | None:
        known = self._used_up.get(scope)
        if known is not None and known.until <= now:
            del self._used_up[scope]
            return None
        return known
