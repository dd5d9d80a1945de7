"""Scripted misbehaviour: which requests go wrong, and how.

A fault acts in one of three places. *Instead*: the request is not handled (or, for ``late_accept``, handled only
later). *Afterwards*: the request was handled and answered 2xx, but the answer is spoiled. *Effects*: the handler
asks for them while it works.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Literal, get_args

import msgspec

Instead = Literal[
    "reset_before",
    "lost_timeout",
    "late_accept",
    "garbage",
    "server_error_500",
    "server_error_502",
    "server_error_503",
    "rate_limited",
    "rate_limited_without_headers",
    "unauthorized_401",
    "forbidden_403",
    "duplicate_refused",
    "credits_depleted_402",
    "scripted_error",
    "upload_cut",
]
Afterwards = Literal[
    "accept_then_reset", "accept_then_500", "accept_then_garbage", "accept_then_slow", "accept_then_error", "slow_body"
]
Effect = Literal[
    "readback_lag", "media_processing_failed", "media_processing_slow", "media_unreachable", "partial_chunk"
]
FaultName = Literal[Instead, Afterwards, Effect]

INSTEAD: frozenset[str] = frozenset(get_args(Instead))
AFTERWARDS: frozenset[str] = frozenset(get_args(Afterwards))

_EFFECT_CALLS: dict[str, str] = {
    "readback_lag": "create_post",
    "media_processing_failed": "upload_finalize",
    "media_processing_slow": "upload_finalize",
    "media_unreachable": "upload_init",
}


class Params(msgspec.Struct, forbid_unknown_fields=True):
    """Details of a fault.

    Attributes:
        seconds: how long it lasts; each fault has its own default.
        body: the JSON body of ``forbidden_403``, ``scripted_error`` and ``accept_then_error``.
        status: the status of the last two.
        bytes: how much of its body ``upload_cut`` lets the platform have.
        kind: what ``garbage`` and ``accept_then_garbage`` answer with.
    """

    seconds: float | None = None
    body: dict[str, object] | None = None
    status: int = 400
    bytes: int = 0
    kind: Literal["html", "truncated_json"] = "html"

    def lasting(self, default: float) -> float:
        return default if self.seconds is None else self.seconds


class NewFault(msgspec.Struct, forbid_unknown_fields=True):
    """A fault as it is scripted.

    Attributes:
        account: a platform user id, or ``*``.
        times: how often it fires; None means for ever.
        after: how many matching requests it lets pass first.
        probability: the chance that a matching request is struck, drawn from ``seed``.
    """

    platform: str
    fault: FaultName
    account: str = "*"
    call: str = "*"
    times: int | None = 1
    after: int = 0
    probability: float = 1.0
    seed: int = 0
    params: Params = msgspec.field(default_factory=Params)


class Fault(msgspec.Struct):
    """A scripted fault and how often it fired."""

    id: str
    script: NewFault
    fired: int = 0
    passed: int = 0


class UnfitFaultError(ValueError):
    """The fault can never fire as scripted."""


class Faults:
    """The script. Faults are tried in the order in which they were added."""

    def __init__(self) -> None:
        self._faults: dict[str, Fault] = {}
        self._dice: dict[str, random.Random] = {}
        self._added = 0

    def add(self, script: NewFault) -> Fault:
        """Raises UnfitFaultError for an effect bound to a call that does not cause it."""
        fitting_call = _EFFECT_CALLS.get(script.fault)
        if fitting_call is not None and script.call not in ("*", fitting_call):
            raise UnfitFaultError(f"{script.fault} belongs to the call {fitting_call}")
        self._added += 1
        fault = Fault(f"fault_{self._added}", script)
        self._faults[fault.id] = fault
        self._dice[fault.id] = random.Random(script.seed)
        return fault

    def all(self) -> list[Fault]:
        return list(self._faults.values())

    def remove(self, fault_id: str) -> bool:
        self._dice.pop(fault_id, None)
        return self._faults.pop(fault_id, None) is not None

    def clear(self) -> None:
        self._faults.clear()
        self._dice.clear()

    def draw(self, platform: str, accounts: Collection[str], call: str, names: Collection[str]) -> Fault | None:
        """The first fault of these names that strikes such a request; it counts as fired."""
        for fault in self._faults.values():
            script = fault.script
            if (
                script.fault in names
                and script.platform == platform
                and script.call in ("*", call)
                and (script.account == "*" or script.account in accounts)
                and (script.times is None or fault.fired < script.times)
                and (script.probability >= 1 or self._dice[fault.id].random() < script.probability)
            ):
                if fault.passed < script.after:
                    fault.passed += 1
                    continue
                fault.fired += 1
                return fault
        return None

    def effect(self, platform: str, account: str, name: Effect) -> Fault | None:
        """The fault of this name that strikes what the handler is doing for an account."""
        return self.draw(platform, (account,), _EFFECT_CALLS[name], (name,))
