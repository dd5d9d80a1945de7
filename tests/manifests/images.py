"""Building what is in an image without a container engine: the instructions of its Dockerfile, in a folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

from tests.manifests.rendering import ROOT

PYTHON = Path(sys.base_prefix) / "bin"
"""In the place of the base image's, which is to be of the same version."""
Instruction = tuple[str, str]


def instructions(dockerfile: Path) -> Sequence[Instruction]:
    """Each with its arguments, lines that go on put together."""
    text = "".join(line for line in dockerfile.read_text().splitlines(True) if not line.startswith("#"))
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [(name, rest.strip()) for line in lines if line for name, _, rest in [line.partition(" ")]]


def ignoring(dockerfile: Path) -> tuple[Sequence[str], Sequence[str]]:
    """What alone is sent to the engine, and names that are left out of it everywhere.

    Fails for a .dockerignore of another kind.
    """
    first, *patterns = dockerfile.with_name(f"{dockerfile.name}.dockerignore").read_text().split()
    assert first == "*"
    sent = [each[1:] for each in patterns if each.startswith("!")]
    left_out = [each.removeprefix("**/") for each in patterns if each.startswith("**/")]
    assert len(sent) + len(left_out) == len(patterns)
    return sent, left_out


def copied(dockerfile: Path, arguments: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """What is copied from the repository, and where to. Fails for what is not sent to the engine."""
    sent, _ = ignoring(dockerfile)
    for name, rest in instructions(dockerfile):
        if name != "COPY" or rest.startswith("--from"):
            continue
        source, target = _filled(rest, arguments).split()
        assert any(source == each or source.startswith(f"{each}/") for each in sent), f"{source} is ignored"
        yield ROOT / source, target


class Image:
    """What a Dockerfile makes, under `root` instead of `/`."""

    def __init__(self, dockerfile: Path, root: Path, **arguments: str) -> None:
        self._root = root
        self._arguments = arguments
        self._environment: dict[str, str] = {}
        self.entrypoint: Sequence[str] = ()
        _, self._left_out = ignoring(dockerfile)
        sources = dict(copied(dockerfile, arguments))
        targets = {target: source for source, target in sources.items()}
        for name, rest in instructions(dockerfile):
            match name:
                case "FROM":
                    assert rest.split()[0] == f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
                    # Nothing of this process: no PYTHONPATH, no virtual environment.
                    self._environment = {"PATH": f"{PYTHON}:/usr/bin:/bin"}
                case "ENV":
                    self._set(rest)
                case "COPY" if rest.startswith("--from"):
                    _, kept, target = rest.split()
                    assert kept == target
                    self._keep_only(self._here(kept))
                case "COPY":
                    target = _filled(rest, arguments).split()[1]
                    self._copy(targets[target], self._here(target))
                case "RUN":
                    self._run(["/bin/sh", "-c", self._moved(rest)])
                case "ENTRYPOINT":
                    self.entrypoint = json.loads(rest)
                case "ARG" | "USER" | "WORKDIR":
                    pass
                case _:
                    raise AssertionError(f"unknown instruction {name}")

    @property
    def environment(self) -> dict[str, str]:
        return dict(self._environment)

    @property
    def python(self) -> Path:
        return self._here("/opt/venv/bin/python")

    def packages(self) -> set[str]:
        """What is installed, by its distribution's name."""
        listed = subprocess.run(
            [PYTHON / "pip", "--python", self.python, "list", "--format=freeze", "--disable-pip-version-check"],
            capture_output=True,
            text=True,
            check=True,
        )
        return {line.partition("==")[0] for line in listed.stdout.split()}

    def _keep_only(self, kept: Path) -> None:
        """A stage begins with what it copies from another, and with nothing that is beside it there."""
        for each in [*self._root.iterdir(), *kept.parent.iterdir()]:
            if each not in (kept, kept.parent):
                shutil.rmtree(each)

    def _set(self, rest: str) -> None:
        for pair in _filled(rest, {**self._arguments, "PATH": self._environment["PATH"]}).split():
            name, _, value = pair.partition("=")
            self._environment[name] = self._moved(value)

    def _copy(self, source: Path, target: Path) -> None:
        def left_out(_: str, names: list[str]) -> set[str]:
            return {name for name in names if any(fnmatch(name, each) for each in self._left_out)}

        if source.is_dir():
            shutil.copytree(source, target, ignore=left_out)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)

    def _run(self, command: Sequence[str]) -> None:
        # Packages are read from the network once for all images.
        settings = {**_OF_THIS_MACHINE, **self._environment, "PIP_NO_CACHE_DIR": "0"}
        done = subprocess.run(command, env=settings, cwd=self._root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-4_000:]

    def _here(self, path: str) -> Path:
        return self._root / path.lstrip("/")

    def _moved(self, text: str) -> str:
        return re.sub(r"(?<![\w.])/(opt|src)(?=/)", rf"{self._root}/\1", text)


_OF_THIS_MACHINE = {
    name: value
    for name, value in os.environ.items()
    if name.lower().startswith(("home", "pip_", "http", "no_proxy", "ssl_", "requests_"))
}
"""Where packages come from, and how they are reached."""


def _filled(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda match: values[match[1]], text)
