"""Kafka's jars: exactly those that `kafka.lock` names, from Maven Central, each checked against its SHA-256."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from jgo.maven import MavenContext
from msgspec import Struct

_LINE = re.compile(r"(?P<group>[\w.-]+):(?P<artifact>[\w.-]+):(?P<version>[\w.-]+) sha256:(?P<sha256>[0-9a-f]{64})")
_ATTEMPTS = 3


class LockError(ValueError):
    """A line of the lock cannot be read."""


class HashMismatchError(RuntimeError):
    """A file is not the one that the lock promises."""


class Jar(Struct, frozen=True, order=True):
    group: str
    artifact: str
    version: str
    sha256: str

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read `group:artifact:version sha256:<64 hex digits>`; raise LockError on anything else."""
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise LockError(f"not a jar of the lock: {line.strip()!r}")
        return cls(**match.groupdict())

    @property
    def filename(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version} sha256:{self.sha256}"


def read_lock(path: Path) -> tuple[Jar, ...]:
    return tuple(Jar.parse(line) for line in path.read_text().splitlines() if line.strip())


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(jar: Jar, path: Path) -> None:
    """Raise HashMismatchError, and remove the file, unless it is the promised one."""
    actual = sha256_of(path)
    if actual != jar.sha256:
        path.unlink()
        raise HashMismatchError(
            f"{path} has SHA-256 {actual}, but the lock promises {jar.sha256} "
            f"for {jar.group}:{jar.artifact}:{jar.version}; the file was removed"
        )


def missing(jars: Sequence[Jar], folder: Path) -> list[Jar]:
    return [jar for jar in jars if not (folder / jar.filename).exists()]


def fetch(jars: Sequence[Jar], folder: Path, say: Callable[[str], None]) -> list[Path]:
    """All jars in `folder`, downloaded where absent and verified always. A complete folder needs no network."""
    folder.mkdir(parents=True, exist_ok=True)
    absent = missing(jars, folder)
    for number, jar in enumerate(absent, 1):
        say(f"downloading {number}/{len(absent)} {jar.filename}")
        _download(jar, folder)
    paths = [folder / jar.filename for jar in jars]
    for jar, path in zip(jars, paths, strict=True):
        verify(jar, path)
    return paths


def _download(jar: Jar, folder: Path) -> None:
    """Download into a folder of its own and move the verified file, so that no half file is ever taken for a whole."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".incoming-") as incoming:
        repository = MavenContext(repo_cache=Path(incoming), timeout=60)
        artifact = repository.project(jar.group, jar.artifact).at_version(jar.version).artifact()
        path = _resolve(artifact.resolve, Path(incoming))
        verify(jar, path)
        path.replace(folder / jar.filename)


def _resolve(resolve: Callable[[], Path], incoming: Path) -> Path:
    for attempt in range(1, _ATTEMPTS):
        try:
            return resolve()
        except (OSError, RuntimeError):
            for leftover in incoming.iterdir():
                shutil.rmtree(leftover)
            time.sleep(attempt)
    return resolve()
