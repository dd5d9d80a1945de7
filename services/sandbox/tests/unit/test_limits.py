"""Rate windows of X and daily quotas of LinkedIn."""

from __future__ import annotations

from sandbox.linkedin.quotas import Quotas
from sandbox.linkedin.settings import RateLimits as DailyLimits
from sandbox.x.limits import RateWindows
from sandbox.x.settings import Limit, RateLimits

NOW = 1_790_000_000.5
DAY = 86_400.0


def test_a_window_starts_with_its_first_request_and_ends_by_the_clock() -> None:
    windows = RateWindows()
    limits = RateLimits(calls={"create_post": Limit(user=2)})

    def spend(now: float, user: str = "1") -> tuple[bool, str, str]:
        allowed, headers = windows.spend(limits, "create_post", user, "app", now)
        return allowed, headers["x-rate-limit-remaining"], headers["x-rate-limit-reset"]

    assert spend(NOW) == (True, "1", "1790000901")
    assert spend(NOW + 899) == (True, "0", "1790000901")
    assert spend(NOW + 899.9) == (False, "0", "1790000901")
    assert spend(NOW + 899.9, user="2") == (True, "1", "1790001801")
    assert spend(NOW + 900) == (True, "1", "1790001801")


def test_a_day_of_the_app_is_shared_by_its_users() -> None:
    windows = RateWindows()
    limits = RateLimits(calls={"create_post": Limit(user=100, user_day=5, app_day=2)})
    answers = [windows.spend(limits, "create_post", user, "app", NOW) for user in "123"]
    assert [allowed for allowed, _ in answers] == [True, True, False]
    assert answers[0][1] == {
        "x-rate-limit-limit": "100",
        "x-rate-limit-remaining": "99",
        "x-rate-limit-reset": "1790000901",
        "x-user-limit-24hour-limit": "5",
        "x-user-limit-24hour-remaining": "4",
        "x-user-limit-24hour-reset": "1790086401",
        "x-app-limit-24hour-limit": "2",
        "x-app-limit-24hour-remaining": "1",
        "x-app-limit-24hour-reset": "1790086401",
    }
    assert windows.spend(limits, "create_post", "1", "other app", NOW)[0]
    assert windows.spend(limits, "create_post", "1", "app", NOW + DAY)[0]


def test_disabled_windows_refuse_nothing_and_still_show_headers() -> None:
    windows = RateWindows()
    limits = RateLimits(enabled=False, calls={"me": Limit(user=1)})
    answers = [windows.spend(limits, "me", "1", "app", NOW) for _ in range(3)]
    assert all(allowed and headers["x-rate-limit-remaining"] == "1" for allowed, headers in answers)


def test_calls_without_limits_have_no_headers() -> None:
    assert RateWindows().spend(RateLimits(), "authorize", "1", "app", NOW) == (True, {})


def test_quotas_end_at_midnight_utc() -> None:
    quotas, limits = Quotas(), DailyLimits(member_day=2, app_day=3)
    midnight = (NOW // DAY + 1) * DAY
    assert [quotas.spend(limits, "m", "app", midnight - 1) for _ in range(3)] == [True, True, False]
    assert quotas.spend(limits, "n", "app", midnight - 1)
    assert not quotas.spend(limits, "o", "app", midnight - 1)
    assert quotas.spend(limits, "m", "app", midnight)


def test_disabled_quotas_refuse_nothing() -> None:
    quotas, limits = Quotas(), DailyLimits(enabled=False, member_day=1)
    assert all(quotas.spend(limits, "m", "app", NOW) for _ in range(3))
