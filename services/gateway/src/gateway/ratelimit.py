"""Token buckets, one for each (tenant, user, class of request). Pure but for the clock it is given."""

import math
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

MAX_BUCKETS = 100_000


class Limit(Struct, frozen=True, kw_only=True):
    """A sustained rate with bursts: a full bucket holds `burst` requests and gains `per_second` each second."""

    name: str
    per_second: float
    burst: int

    @property
    def policy(self) -> str:
        """The `RateLimit-Policy` header (draft-ietf-httpapi-ratelimit-headers)."""
        return f'"{self.name}";q={self.burst};w={math.ceil(self.burst / self.per_second)}'


class Taken(Struct, frozen=True, kw_only=True):
    allowed: bool
    remaining: int
    full_after: int
    """Seconds until the whole burst is available again."""
    retry_after: int
    """Seconds until one request is; 0 when allowed."""

    def header(self, limit: Limit) -> str:
        """The `RateLimit` header."""
        return f'"{limit.name}";r={self.remaining};t={self.full_after}'


class _Bucket:
    __slots__ = ("at", "tokens")

    def __init__(self, tokens: float, at: float) -> None:
        self.tokens = tokens
        self.at = at


class RateLimiter:
    """Counts in this process: n gateways allow up to n times the limit."""

    def __init__(self, clock: Callable[[], float], *, max_buckets: int = MAX_BUCKETS) -> None:
        self._clock = clock
        self._max = max_buckets
        self._buckets: OrderedDict[tuple[str, str, str], _Bucket] = OrderedDict()

    def take(self, tenant_id: str, subject: str, limit: Limit) -> Taken:
        now = self._clock()
        key = (tenant_id, subject, limit.name)
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(limit.burst, now)
            if len(self._buckets) > self._max:
                # The one that has rested longest is the likeliest to be full, and a full bucket is like a new one.
                self._buckets.popitem(last=False)
        else:
            bucket.tokens = min(limit.burst, bucket.tokens + (now - bucket.at) * limit.per_second)
            bucket.at = now
            self._buckets.move_to_end(key)
        allowed = bucket.tokens >= 1
        if allowed:
            bucket.tokens -= 1
        return Taken(
            allowed=allowed,
            remaining=int(bucket.tokens),
            full_after=math.ceil((limit.burst - bucket.tokens) / limit.per_second),
            retry_after=0 if allowed else math.ceil((1 - bucket.tokens) / limit.per_second),
        )
