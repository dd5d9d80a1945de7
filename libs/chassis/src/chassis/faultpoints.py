"""Named places where crash tests may end or freeze this process. Without FAULT_POINTS they do nothing.

`FAULT_POINTS` is a comma-separated list of `name=action[@n]`: the action happens the n-th time (default the first) the
point is reached in this process. Actions: `kill` (SIGKILL itself), `stop` (SIGSTOP itself), `raise`.
"""

import os
import signal
from collections import Counter


class InjectedFaultError(Exception):
    """Raised by a fault point whose action is `raise`."""


def _parse(text: str) -> dict[str, tuple[str, int]]:
    points = {}
    for item in filter(None, text.split(",")):
        name, _, action = item.partition("=")
        verb, _, count = action.partition("@")
        if verb not in ("kill", "stop", "raise"):
            raise ValueError(f"FAULT_POINTS: unknown action {verb!r} in {item!r}")
        points[name] = (verb, int(count or 1))
    return points


_points = _parse(os.environ.get("FAULT_POINTS", ""))
_reached: Counter[str] = Counter()


async def reached(name: str) -> None:
    """Raises InjectedFaultError, or does not return, where a test asked for it."""
    if not _points or name not in _points:
        return
    action, count = _points[name]
    _reached[name] += 1
    if _reached[name] != count:
        return
    if action == "raise":
        raise InjectedFaultError(name)
    os.kill(os.getpid(), signal.SIGKILL if action == "kill" else signal.SIGSTOP)
