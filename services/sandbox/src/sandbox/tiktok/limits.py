"""Rate limits: so many requests in any minute. No header tells how many are left."""

from __future__ import annotations

from collections import defaultdict, deque

from sandbox.tiktok.settings import RateLimits

_WINDOW = 60.0


class SlidingMinutes:
    def __init__(self) -> None:
        self._spent: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def spend(self, limits: RateLimits, call: str, token: str, now: float) -> bool:
        """Whether the call may be made. Refused calls do not count."""
        limit = limits.calls.get(call)
        if not limits.enabled or limit is None:
            return True
        spent = self._spent[call, token]
        while spent and spent[0] <= now - _WINDOW:
            spent.popleft()
        if len(spent) >= limit:
            return False
        spent.append(now)
        return True
