from pathlib import Path

import pytest

from localstack.store import Choice, StoreNotFoundError, built_store, choose


class Machine:
    """A machine where every kind of store can be found, until it is taken away."""

    def __init__(self, folder: Path) -> None:
        self.cache = folder / "cache"
        self.scripts = folder / "bin"
        self.uri: str | None = "mongodb://elsewhere"
        self.on_path: dict[str, str] = {"mongod": "/usr/bin/mongod"}
        self.installed = self.scripts / "secantusd-py"
        self.built = built_store(self.cache)
        for program in (self.installed, self.built):
            program.parent.mkdir(parents=True)
            program.touch()

    def choose(self) -> Choice:
        return choose(self.uri, self.cache, which=self.on_path.get, scripts=self.scripts)


def test_the_first_that_is_there_is_taken(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert machine.choose() == Choice("external", "mongodb://elsewhere")
    machine.uri = None
    assert machine.choose() == Choice("mongod", "/usr/bin/mongod")
    machine.on_path.clear()
    assert machine.choose() == Choice("secantusd-rs", str(machine.built))
    machine.built.unlink()
    assert machine.choose() == Choice("secantusd-py", str(machine.installed))
    machine.installed.unlink()
    with pytest.raises(StoreNotFoundError, match="MONGODB_URI"):
        machine.choose()
