"""What a decoder is asked, and what it answers; both lie as JSON in the folder of the task."""

from pathlib import Path

import msgspec
from msgspec import Struct

from contracts.media import AssetType, Facts, Recipe

INPUT = "input"
ORIGINAL = "original"
SMALL = "small"
MEDIUM = "medium"
VARIANT = "variant"

_TASK = "task.json"
_RESULT = "result.json"
_PROGRESS = "progress"
_LONGEST = 100_000


class Limits(Struct, frozen=True, kw_only=True):
    """What the kernel allows one decoder. A decoder that needs more is ended, and the file refused."""

    cpu_seconds: int
    wall_seconds: int
    memory_bytes: int
    """Of address space, beyond what the empty process has."""
    file_bytes: int
    """Of each file it writes."""
    niceness: int = 0


class Look(Struct, frozen=True, kw_only=True, tag="look"):
    """Verify the input, write what can be served of it, and its thumbnails."""

    content_type: str


class Make(Struct, frozen=True, kw_only=True, tag="make"):
    """Make a variant of the input."""

    content_type: str
    recipe: Recipe


class Looked(Struct, frozen=True, kw_only=True, tag="looked"):
    asset_type: AssetType
    original: Facts
    small: Facts
    medium: Facts


class MadeOf(Struct, frozen=True, kw_only=True, tag="made"):
    facts: Facts


class Refused(Struct, frozen=True, kw_only=True, tag="refused"):
    rule: str
    message: str
    limit: int | float | None = None
    actual: int | float | None = None


Task = Look | Make
Result = Looked | MadeOf | Refused


class RefusedError(Exception):
    """Ends a task: the file is not what we take."""

    def __init__(self, rule: str, message: str, *, limit: float | None = None, actual: float | None = None) -> None:
        super().__init__(message)
        self.result = Refused(rule=rule, message=message, limit=limit, actual=actual)


def write_task(folder: Path, task: Task) -> None:
    (folder / _TASK).write_bytes(msgspec.json.encode(task))


def read_task(folder: Path) -> Task:
    task: Task = msgspec.json.decode((folder / _TASK).read_bytes(), type=Task)
    return task


def write_result(folder: Path, result: Result) -> None:
    (folder / _RESULT).write_bytes(msgspec.json.encode(result))


def read_result(folder: Path) -> Result | None:
    """None when there is none, or none that can be understood: its writer has read a stranger's bytes."""
    try:
        result: Result = msgspec.json.decode((folder / _RESULT).read_bytes()[:_LONGEST], type=Result)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return result


def write_progress(folder: Path, fraction: float) -> None:
    (folder / _PROGRESS).write_text(f"{min(max(fraction, 0.0), 1.0):.3f}")


def read_progress(folder: Path) -> float:
    try:
        return min(max(float((folder / _PROGRESS).read_text()[:10]), 0.0), 1.0)
    except (OSError, ValueError):
        return 0.0
