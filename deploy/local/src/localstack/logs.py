"""What of the logs a person at the console should see: warnings and errors of the services, errors of the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

_SHOWN_LEVELS = {"warning", "error", "critical", "exception"}
_PLAIN_ERROR = re.compile(r"\b(ERROR|FATAL|CRITICAL|Traceback)\b|^\w[\w.]*(Error|Exception)\b")
_MOST_AT_ONCE = 20


class LogFollower:
    """Reads what is added to log files, each from where it stood at the last look."""

    def __init__(self, logs: Mapping[str, Path]) -> None:
        self._logs = logs
        self._read = {name: _size(path) for name, path in logs.items()}

    def news(self) -> Iterator[str]:
        """New lines worth showing, each led by the name of its program; a flood is cut short."""
        for name, path in self._logs.items():
            shown = [text for line in self._new_lines(name, path) if (text := worth_showing(line)) is not None]
            for text in shown[:_MOST_AT_ONCE]:
                yield f"{name}: {text}"
            if len(shown) > _MOST_AT_ONCE:
                yield f"{name}: and {len(shown) - _MOST_AT_ONCE} more, see {path}"

    def _new_lines(self, name: str, path: Path) -> list[str]:
        if _size(path) <= self._read[name]:
            return []
        with path.open("rb") as file:
            file.seek(self._read[name])
            whole, newline, _ = file.read().rpartition(b"\n")
        self._read[name] += len(whole) + len(newline)
        return whole.decode(errors="replace").splitlines()


def worth_showing(line: str) -> str | None:
    """The line as a person reads it, or None if it can stay in the log."""
    try:
        entry = msgspec.json.decode(line, type=dict[str, object])
    except msgspec.MsgspecError:
        return line if _PLAIN_ERROR.search(line) else None
    level = str(entry.pop("level", "")).lower()
    if level not in _SHOWN_LEVELS:
        return None
    event = entry.pop("event", "")
    rest = " ".join(f"{key}={value}" for key, value in entry.items() if key not in {"timestamp", "service", "logger"})
    return f"{level}: {event} {rest}".rstrip()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
