"""Which requests a script strikes."""

from __future__ import annotations

import pytest

from sandbox.faults import AFTERWARDS, INSTEAD, Faults, NewFault, UnfitFaultError

ANY = INSTEAD | AFTERWARDS


def _strikes(faults: Faults, requests: int, account: str = "1", call: str = "create_post") -> list[bool]:
    return [faults.draw("twitter", (account,), call, ANY) is not None for _ in range(requests)]


def test_a_fault_fires_as_often_as_told() -> None:
    faults = Faults()
    fault = faults.add(NewFault("twitter", "garbage", times=2))
    assert _strikes(faults, 4) == [True, True, False, False]
    assert fault.fired == 2


def test_a_fault_can_let_some_requests_pass_first() -> None:
    faults = Faults()
    faults.add(NewFault("twitter", "garbage", after=2))
    assert _strikes(faults, 4) == [False, False, True, False]


def test_a_fault_can_fire_for_ever() -> None:
    faults = Faults()
    faults.add(NewFault("twitter", "garbage", times=None))
    assert all(_strikes(faults, 50))


def test_platform_account_call_and_name_must_match() -> None:
    faults = Faults()
    faults.add(NewFault("twitter", "garbage", account="1", call="create_post", times=None))
    assert _strikes(faults, 1) == [True]
    assert _strikes(faults, 1, account="2") == [False]
    assert _strikes(faults, 1, call="timeline") == [False]
    assert faults.draw("linkedin", ("1",), "create_post", ANY) is None
    assert faults.draw("twitter", ("1",), "create_post", AFTERWARDS) is None
    assert faults.draw("twitter", ("9", "1"), "create_post", INSTEAD) is not None


def test_faults_are_tried_in_order() -> None:
    faults = Faults()
    faults.add(NewFault("twitter", "server_error_500"))
    faults.add(NewFault("twitter", "server_error_502"))
    struck = [faults.draw("twitter", ("1",), "me", ANY) for _ in range(3)]
    assert [fault.script.fault if fault else None for fault in struck] == ["server_error_500", "server_error_502", None]


def test_chance_is_repeatable_and_roughly_as_asked() -> None:
    def rolled(seed: int) -> list[bool]:
        faults = Faults()
        faults.add(NewFault("twitter", "garbage", times=None, probability=0.2, seed=seed))
        return _strikes(faults, 2000)

    assert rolled(1) == rolled(1)
    assert rolled(1) != rolled(2)
    assert 300 < sum(rolled(1)) < 500
    assert not any(_never())


def _never() -> list[bool]:
    faults = Faults()
    faults.add(NewFault("twitter", "garbage", times=None, probability=0.0))
    return _strikes(faults, 100)


def test_effects_strike_the_call_that_causes_them() -> None:
    faults = Faults()
    faults.add(NewFault("twitter", "readback_lag", account="1"))
    assert faults.draw("twitter", ("1",), "create_post", ANY) is None
    assert faults.effect("twitter", "2", "readback_lag") is None
    assert faults.effect("twitter", "1", "readback_lag") is not None
    assert faults.effect("twitter", "1", "readback_lag") is None


@pytest.mark.parametrize("fault", ["media_processing_failed", "media_processing_slow"])
def test_an_effect_bound_to_another_call_is_refused(fault: str) -> None:
    with pytest.raises(UnfitFaultError, match="upload_finalize"):
        Faults().add(NewFault("twitter", fault, call="create_post"))  # type: ignore[arg-type]
