"""The document store on this machine: a server that speaks MongoDB's protocol, always a process of its own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from msgspec import Struct
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from localstack.process import Process, accepts_connections

Kind = Literal["external", "mongod", "secantusd-rs", "secantusd-py"]


class StoreNotFoundError(RuntimeError):
    """Nothing on this machine can serve as the store."""


class Choice(Struct, frozen=True):
    """Which server to use: `location` is the URI of an external one, else the path of a program."""

    kind: Kind
    location: str


def choose(
    mongodb_uri: str | None,
    cache: Path,
    *,
    which: Callable[[str], str | None] = shutil.which,
    scripts: Path = Path(sys.executable).parent,
) -> Choice:
    """The first that is there: the given URI, `mongod` on PATH, `secantusd-rs` built into the cache, `secantusd-py`.

    Raises StoreNotFoundError when there is none.
    """
    if mongodb_uri is not None:
        return Choice("external", mongodb_uri)
    if mongod := which("mongod"):
        return Choice("mongod", mongod)
    if (built := built_store(cache)).exists():
        return Choice("secantusd-rs", str(built))
    if (installed := scripts / "secantusd-py").exists():
        return Choice("secantusd-py", str(installed))
    raise StoreNotFoundError("no store: set MONGODB_URI, install MongoDB, or run `make store` (needs cargo)")


def built_store(cache: Path) -> Path:
    return cache / "secantus" / "bin" / "secantusd-rs"


class Store(Process):
    """A store on 127.0.0.1 whose data in `data` survive stop, kill and restart.

    Writes acknowledged with write concern `majority` and `j` are on disk.
    """

    def __init__(self, choice: Choice, data: Path, log: Path, *, port: int) -> None:
        self.uri = f"mongodb://127.0.0.1:{port}"
        self._port = port
        self._data = data
        super().__init__("store", _command(choice, data, port), log=log, probe=self._answers)

    def prepare(self) -> None:
        self._data.mkdir(parents=True, exist_ok=True)

    def _answers(self) -> bool:
        return accepts_connections("127.0.0.1", self._port) and answers(self.uri)


def answers(uri: str) -> bool:
    """Whether a store at `uri` answers a ping."""
    try:
        with MongoClient[dict[str, object]](uri, serverSelectionTimeoutMS=2000) as client:
            client.admin.command("ping")
    except PyMongoError:
        return False
    return True


def _command(choice: Choice, data: Path, port: int) -> tuple[str, ...]:
    match choice.kind:
        case "mongod":
            return (choice.location, "--dbpath", str(data), "--bind_ip", "127.0.0.1", "--port", str(port))
        case "secantusd-rs" | "secantusd-py":
            # Without --sync-on-commit this server acknowledges `j: true` before the write is on disk.
            address = ("--host", "127.0.0.1", "--port", str(port))
            return (choice.location, *address, "--storage-path", str(data), "--sync-on-commit")
        case "external":
            raise ValueError("an external store is not ours to start")
