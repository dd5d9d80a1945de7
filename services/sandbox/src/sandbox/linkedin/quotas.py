"""Daily quotas per member and per app."""

from __future__ import annotations

from sandbox.linkedin.settings import RateLimits

_DAY = 86_400


class Quotas:
    """Counts every call of a UTC day."""

    def __init__(self) -> None:
        self._day = 0
        self._used: dict[tuple[str, str], int] = {}

    def spend(self, limits: RateLimits, member: str, app: str, now: float) -> bool:
        """Count one call; whether it is within both quotas."""
        today = int(now) // _DAY
        if today != self._day:
            self._day = today
            self._used.clear()
        if not limits.enabled:
            return True
        allowed = True
        for key, limit in ((("member", member), limits.member_day), (("app", app), limits.app_day)):
            used = self._used.get(key, 0)
            if used >= limit:
                allowed = False
            else:
                self._used[key] = used + 1
        return allowed
