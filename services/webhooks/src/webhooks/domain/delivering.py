"""What becomes of a delivery after an attempt. Pure."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from contracts.ids import derived_id
from contracts.webhooks import Attempt, DeliveryStatus

SCHEDULE = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Seconds before each attempt after the first: ten attempts in three days and a bit, as Standard Webhooks proposes."""
JITTER = 0.2
"""Of each pause, added at random, so that what failed together does not come back together."""
LONGEST_PAUSE = 86_400.0
"""What a receiver may ask for with Retry-After, at most."""
BUSY_PAUSE = 5.0
"""For which an endpoint is left alone that says it is overloaded, and not for how long."""
KEPT_ATTEMPTS = 25
_BUSY = (429, 502, 503, 504)


class Delivery(Struct, frozen=True, kw_only=True):
    """One event for one endpoint, as it is stored."""

    id: str
    tenant_id: str
    endpoint_id: str
    partition: int
    sequence: int
    event_id: str
    event_type: str
    event_time: datetime
    data: bytes
    """JSON."""
    status: DeliveryStatus = "pending"
    due_at: datetime | None
    attempts: int = 0
    created_at: datetime
    log: tuple[Attempt, ...] = ()
    subject: str | None = None
    traceparent: str | None = None

    def body(self) -> bytes:
        """The same bytes at every attempt."""
        return msgspec.json.encode(
            _Body(
                type=self.event_type,
                timestamp=self.event_time,
                event_id=self.event_id,
                sequence=self.sequence,
                data=Raw(self.data),
            )
        )


class _Body(Struct, frozen=True, kw_only=True):
    type: str
    timestamp: datetime
    event_id: str
    sequence: int
    data: Raw


class Next(Struct, frozen=True, kw_only=True):
    """What follows from an attempt: for the delivery, and for its endpoint."""

    status: DeliveryStatus
    due_at: datetime | None = None
    pause_until: datetime | None = None
    """Until then nothing more is to be sent to the endpoint."""
    gone: bool = False
    """The receiver wants nothing any more, for good."""


def delivery_id(event_id: str, endpoint_id: str, event_time: datetime) -> str:
    """The `webhook-id`: the same for one event and endpoint, always."""
    return derived_id("msg", event_id, endpoint_id, at_ms=max(0, int(event_time.timestamp() * 1_000)))


def is_success(attempt: Attempt) -> bool:
    return attempt.status is not None and 200 <= attempt.status < 300


def after(attempts: int, attempt: Attempt, retry_after: float | None, *, now: datetime, luck: float) -> Next:
    """`attempts` counts this one. `luck`, from 0 to 1, chooses the jitter."""
    if is_success(attempt):
        return Next(status="delivered")
    if attempt.status == 410:
        return Next(status="failed", gone=True)
    wished = None if retry_after is None else min(retry_after, LONGEST_PAUSE)
    pause_until = None
    if attempt.status in _BUSY:
        pause_until = now + timedelta(seconds=BUSY_PAUSE if wished is None else wished)
    if attempts > len(SCHEDULE):
        return Next(status="failed", pause_until=pause_until)
    pause = SCHEDULE[attempts - 1] * (1 + JITTER * luck)
    if wished is not None:
        pause = max(pause, wished)
    return Next(status="pending", due_at=now + timedelta(seconds=pause), pause_until=pause_until)


def read_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds, from either of the header's two forms (RFC 9110, 10.2.3); None when there is nothing to be read."""
    if value is None or len(value) > 40:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())


Standing = Literal["well", "failing", "lost"]


def standing(failing_since: datetime | None, now: datetime, patience: timedelta) -> Standing:
    """Of an endpoint: `lost` when nothing has been accepted for longer than `patience`."""
    if failing_since is None:
        return "well"
    return "lost" if now - failing_since >= patience else "failing"
