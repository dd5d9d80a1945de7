"""Daily quotas per member and per app."""

from __future__ import annotations

from sandbox.linkedin.settings import RateLimits

_DAY = 86_400


class Quotas:
    """Counts the calls of a UTC day."""

    def __init__(self) -> None:
        self._day = 0
        self._used: dict[tuple[str, str], int] = {}

    def spend(self, limits: RateLimits, member: str, app: str, now: float) -> bool:
        """Whether one more call is within both quotas; if so, it is counted."""
        today = int(now) // _DAY
        if today != self._day:
            self._day = today
            self._used.clear()
        if not limits.enabled:
            return True
        quotas = ((("member", member), limits.member_day), (("app", app), limits.app_day))
        if any(self._used.get(key, 0) >= limit for key, limit in quotas):
            return False
        for key, _ in quotas:
            self._used[key] = self._used.get(key, 0) + 1
        return True
