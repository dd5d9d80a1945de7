"""How much memory processes have."""

from __future__ import annotations

from pathlib import Path


def family(pid: int) -> list[int]:
    """A process and all that descend from it now."""
    found = [pid]
    for each in found:
        try:
            for tasks in Path(f"/proc/{each}/task").iterdir():
                found += [int(child) for child in (tasks / "children").read_text().split()]
        except OSError:
            continue  # it has ended meanwhile
    return found


def rss(pid: int) -> int:
    """Bytes in memory now."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    line = next((line for line in status.splitlines() if line.startswith("VmRSS:")), "VmRSS: 0 kB")
    return int(line.split()[1]) * 1_024
