"""What a project may ask in a day."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from sandbox.youtube.settings import Quotas

Bucket = Literal["uploads", "units", "statistics"]

PACIFIC = ZoneInfo("America/Los_Angeles")


class Spending:
    """Counts per project, bucket and day."""

    def __init__(self) -> None:
        self._spent: dict[tuple[str, Bucket, str], int] = {}

    def spend(self, quotas: Quotas, project: str, bucket: Bucket, cost: int, now: float) -> bool:
        """Whether the day's quota still covers the call. What is refused is not counted."""
        limits: dict[Bucket, int] = {
            "uploads": quotas.uploads,
            "units": quotas.units,
            "statistics": quotas.statistics,
        }
        day = datetime.fromtimestamp(now, PACIFIC).date().isoformat()
        key = (project, bucket, day)
        spent = self._spent.get(key, 0) + cost
        if quotas.enabled and spent > limits[bucket]:
            return False
        self._spent[key] = spent
        return True
