from pathlib import Path

import pytest

from chassis.secret_files import SecretFileError, read_secret


def test_a_secret_must_be_there(tmp_path: Path) -> None:
    empty = tmp_path / "secret"
    with pytest.raises(SecretFileError):
        read_secret(empty)
    empty.write_text(" \n")
    with pytest.raises(SecretFileError):
        read_secret(empty)
    empty.write_text(" s3cret\n")
    assert read_secret(empty) == "s3cret"
