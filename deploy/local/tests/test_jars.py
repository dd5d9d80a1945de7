from pathlib import Path

import pytest

from localstack.jars import HashMismatchError, Jar, LockError, fetch, missing, read_lock, sha256_of, verify
from localstack.kafka import LOCK

HASH = "0" * 64


def a_jar(folder: Path, content: bytes = b"bytes of a jar") -> Jar:
    path = folder / "thing-1.0.jar"
    path.write_bytes(content)
    return Jar("org.example", "thing", "1.0", sha256_of(path))


def no_download(line: str) -> None:
    raise AssertionError(f"nothing should be downloaded: {line}")


def test_a_line_survives_reading_and_writing() -> None:
    line = f"org.scala-lang:scala-library:2.13.18 sha256:{HASH}"
    assert str(Jar.parse(line)) == line


@pytest.mark.parametrize(
    "line",
    [
        "org.example:thing sha256:" + HASH,
        "org.example:thing:1.0",
        "org.example:thing:1.0 sha256:" + HASH[1:],
        f"file:///thing.jar sha256:{HASH}",
        f"org.example:../thing:1.0 sha256:{HASH}",
    ],
)
def test_what_is_no_jar_is_refused(line: str) -> None:
    with pytest.raises(LockError):
        Jar.parse(line)


def test_the_lock_names_the_broker_and_what_it_needs() -> None:
    jars = read_lock(LOCK)
    assert len(jars) == 45
    assert len({jar.filename for jar in jars}) == len(jars)
    assert {("kafka_2.13", "4.4.0"), ("log4j-slf4j-impl", "2.25.1")} <= {(jar.artifact, jar.version) for jar in jars}
    assert list(jars) == sorted(jars)


def test_a_wrong_hash_is_an_error_and_the_file_is_removed(tmp_path: Path) -> None:
    good = a_jar(tmp_path)
    path = tmp_path / good.filename
    path.write_bytes(b"something else")
    with pytest.raises(HashMismatchError, match=good.sha256):
        verify(good, path)
    assert not path.exists()


def test_fetch_refuses_a_wrong_file_that_is_already_there(tmp_path: Path) -> None:
    good = a_jar(tmp_path)
    (tmp_path / good.filename).write_bytes(b"something else")
    with pytest.raises(HashMismatchError):
        fetch([good], tmp_path, no_download)
    assert missing([good], tmp_path) == [good]


def test_a_complete_folder_downloads_nothing(tmp_path: Path) -> None:
    good = a_jar(tmp_path)
    assert fetch([good], tmp_path, no_download) == [tmp_path / good.filename]
