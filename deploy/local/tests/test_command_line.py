"""What a person is told when the environment is wrong."""

import pytest

from localstack.__main__ import main


def test_a_variable_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["localstack", "doctor"])
    monkeypatch.setenv("GATEWAY_PORT", "eighty")
    assert main() == 2
    assert capsys.readouterr().out.startswith("GATEWAY_PORT: ")
