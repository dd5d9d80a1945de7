"""Rate windows and their headers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sandbox.x.settings import RateLimits

_DAY = 86_400.0


@dataclass(slots=True)
class _Window:
    resets_at: float
    used: int = 0


class RateWindows:
    """Counts requests per user and per app. A window starts with its first request."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str, str], _Window] = {}

    def spend(self, limits: RateLimits, call: str, user: str, app: str, now: float) -> tuple[bool, dict[str, str]]:
        """Whether one more request is allowed, and the headers that its answer carries. Only if so, it is counted."""
        limit = limits.calls.get(call)
        if limit is None:
            return True, {}
        budgets = (
            ("x-rate-limit", user, limit.user, limits.window_seconds),
            ("x-user-limit-24hour", user, limit.user_day, _DAY),
            ("x-app-limit-24hour", app, limit.app_day, _DAY),
        )
        windows = [
            (name, ceiling, self._window(limits, (name, call, subject), now, seconds))
            for name, subject, ceiling, seconds in budgets
            if ceiling is not None
        ]
        allowed = not limits.enabled or all(window.used < ceiling for _, ceiling, window in windows)
        headers: dict[str, str] = {}
        for name, ceiling, window in windows:
            if limits.enabled and allowed:
                window.used += 1
            headers |= rate_headers(name, ceiling, ceiling - window.used, window.resets_at)
        return allowed, headers

    def _window(self, limits: RateLimits, key: tuple[str, str, str], now: float, seconds: float) -> _Window:
        window = self._windows.get(key)
        if window is None or window.resets_at <= now or not limits.enabled:
            window = self._windows[key] = _Window(now + seconds)
        return window


def rate_headers(name: str, limit: int, remaining: int, resets_at: float) -> dict[str, str]:
    """``reset`` is in epoch seconds, rounded up so that a client who waits for it is never early."""
    return {
        f"{name}-limit": str(limit),
        f"{name}-remaining": str(max(0, remaining)),
        f"{name}-reset": str(math.ceil(resets_at)),
    }
