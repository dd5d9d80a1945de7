"""Token buckets on a clock of the test's own."""

from gateway.ratelimit import Limit, RateLimiter

LIMIT = Limit(name="write", per_second=2, burst=4)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_allowed_and_then_the_sustained_rate() -> None:
    clock = Clock()
    limiter = RateLimiter(clock)
    taken = [limiter.take("t", "u", LIMIT) for _ in range(5)]
    assert [one.allowed for one in taken] == [True, True, True, True, False]
    assert [one.remaining for one in taken] == [3, 2, 1, 0, 0]
    assert (taken[-1].retry_after, taken[-1].full_after) == (1, 2)
    clock.now += 0.5
    assert limiter.take("t", "u", LIMIT).allowed
    assert not limiter.take("t", "u", LIMIT).allowed
    clock.now += 1_000
    assert limiter.take("t", "u", LIMIT).remaining == 3


def test_over_a_long_time_no_more_than_the_rate_gets_through() -> None:
    clock = Clock()
    limiter = RateLimiter(clock)
    allowed = 0
    for _ in range(10_000):
        clock.now += 0.01
        allowed += limiter.take("t", "u", LIMIT).allowed
    assert 200 <= allowed <= 204


def test_users_tenants_and_classes_do_not_share() -> None:
    limiter = RateLimiter(Clock())
    read = Limit(name="read", per_second=1, burst=1)
    for _ in range(4):
        limiter.take("t", "u", LIMIT)
    assert not limiter.take("t", "u", LIMIT).allowed
    for tenant, user, limit in (("t2", "u", LIMIT), ("t", "u2", LIMIT), ("t", "u", read)):
        assert limiter.take(tenant, user, limit).allowed


def test_memory_is_bounded() -> None:
    limiter = RateLimiter(Clock(), max_buckets=10)
    for number in range(1_000):
        limiter.take("t", f"u{number}", LIMIT)
    assert limiter.take("t", "u999", LIMIT).remaining == 2
    assert limiter.take("t", "u0", LIMIT).remaining == 3


def test_headers_are_those_of_the_draft() -> None:
    limiter = RateLimiter(Clock())
    assert LIMIT.policy == '"write";q=4;w=2'
    assert limiter.take("t", "u", LIMIT).header(LIMIT) == '"write";r=3;t=1'
