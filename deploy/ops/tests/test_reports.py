"""What needs neither Kafka nor the store."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from contracts.topics import POST_PUBLISHED, POSTS_COMMANDS, publish_requests
from contracts.wire import Envelope
from ops.__main__ import main
from ops.archive import Archive, Collection, Manifest, Partition, Record, Topic
from ops.cluster import ranges
from ops.dead_letters import unreadable
from ops.reporting import OpsError, Report, Table

AT = datetime(2026, 3, 2, 9, 0, 5, tzinfo=UTC)


class Row(Struct, frozen=True):
    name: str
    count: int
    at: datetime | None


REPORT = Report(tables=[Table("rows", [Row("a", 12_345, AT), Row("long", 7, None)], "none")], remarks=["mind this"])


def test_tables_are_for_people() -> None:
    assert REPORT.as_text().splitlines() == [
        "name   count  at",
        "a     12,345  2026-03-02 09:00:05Z",
        "long       7  -",
        "",
        "mind this",
    ]
    assert Report(tables=[Table("rows", [], "Nothing.")]).as_text() == "Nothing."


def test_json_is_for_programs() -> None:
    assert json.loads(REPORT.as_json()) == {
        "rows": [
            {"name": "a", "count": 12_345, "at": "2026-03-02T09:00:05Z"},
            {"name": "long", "count": 7, "at": None},
        ],
        "remarks": ["mind this"],
        "sound": True,
    }


@given(st.sets(st.integers(0, 60)))
def test_ranges_name_each_partition_once(numbers: set[int]) -> None:
    named: list[int] = []
    for part in filter(None, ranges(numbers).split(",")):
        first, _, last = part.partition("-")
        named += range(int(first), int(last or first) + 1)
    assert named == sorted(numbers)


def record(type_name: str, value: bytes | None, **headers: str) -> ConsumerRecord:
    envelope = Envelope(id="cmd_1", source="test", subject="post_1", time=AT, tenant_id=headers.get("tenant"))
    written = [header for header in envelope.headers(type_name) if header[0] != "ce_type" or type_name]
    return ConsumerRecord("topic", 0, 0, 0, 0, None, value, None, -1, -1, tuple(written))


def test_only_what_its_reader_can_read_goes_back() -> None:
    cancel = b'{"post_id":"post_1","tenant_id":"t","actor":"a","issued_at":"2026-03-02T09:00:00Z"}'
    assert unreadable(POSTS_COMMANDS, record("post.cancel.v1", cancel)) is None
    assert "post.cancel.v9" in (unreadable(POSTS_COMMANDS, record("post.cancel.v9", cancel)) or "")
    assert unreadable(POSTS_COMMANDS, record("post.cancel.v1", b"{}"))
    assert unreadable(POSTS_COMMANDS, record("post.cancel.v1", None))
    assert unreadable(publish_requests("twitter"), record("post.cancel.v1", cancel)) is None
    deleted = b'{"post_id":"post_1","tenant_id":"t","actor":"a","at":"2026-03-02T09:00:00Z"}'
    assert "not a command" in (unreadable(POSTS_COMMANDS, record("post.deleted.v1", deleted)) or "")
    assert unreadable(POST_PUBLISHED, record("social.post_published", b"{}", tenant="tenant_1")) is None
    assert unreadable(POST_PUBLISHED, record("social.post_published", b"{}"))


# --- files ------------------------------------------------------------------------------------------------


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    made = Archive(tmp_path / "backup")
    made.create()
    return made


RECORDS = [
    Record(0, 1_700_000_000_000, b"key", (("ce_id", b"\xff\x00"), ("ce_id", b"again")), b"value"),
    Record(1, 1_700_000_000_001, None, (), None),
    Record(2, 1_700_000_000_002, b"", (("empty", b""),), b""),
]
DOCUMENTS: list[dict[str, Any]] = [
    {"_id": "a", "at": AT, "state": b"\x00", "n": 2**40, "list": [None, 1.5]},
    {"_id": 7},
]


def write(archive: Archive) -> Manifest:
    log, store = archive.writer("log/posts.events/0.gz"), archive.writer("store/posts.gz")
    log.add(RECORDS)
    store.add(DOCUMENTS)
    manifest = Manifest(
        began_at=AT,
        ended_at=AT,
        topics=(Topic(name="posts.events", partitions=(Partition(number=0, begin=0, end=3, file=log.finish()),)),),
        positions=(),
        collections=(Collection(name="posts", indexes=(), file=store.finish()),),
    )
    archive.finish(manifest)
    return manifest


def test_what_is_archived_comes_back(archive: Archive) -> None:
    written = write(archive)
    manifest = archive.manifest()
    assert manifest == written
    assert list(archive.records(manifest.topics[0].partitions[0].file)) == RECORDS
    assert list(archive.documents(manifest.collections[0].file)) == DOCUMENTS


@pytest.mark.parametrize("path", ["log/posts.events/0.gz", "store/posts.gz"])
@pytest.mark.parametrize("harm", ["change", "remove"])
def test_damage_is_found_before_anything_is_restored(archive: Archive, path: str, harm: str) -> None:
    write(archive)
    file = archive.folder / path
    if harm == "remove":
        file.unlink()
    else:
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    with pytest.raises(OpsError, match="damaged"):
        archive.manifest()


def test_half_a_backup_is_none(archive: Archive) -> None:
    archive.writer("log/posts.events/0.gz").finish()
    with pytest.raises(OpsError, match="no whole backup"):
        archive.manifest()
    with pytest.raises(OpsError, match="not empty"):
        archive.create()


# --- when something is away -------------------------------------------------------------------------------


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("MONGODB_URI", "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ("topics", "Kafka at 127.0.0.1:1"),
        ("owners", "Kafka at 127.0.0.1:1"),
        ("dead-letters list", "Kafka at 127.0.0.1:1"),
        ("rebuild posts", "Kafka at 127.0.0.1:1"),
        ("held", "the store"),
    ],
)
def test_it_says_what_is_away(
    nobody: None, arguments: str, what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ops", *arguments.split()])
    assert main() == 2
    told = capsys.readouterr()
    assert told.err.startswith(what)
    assert "Traceback" not in told.err
    assert told.out == ""


def test_it_says_which_setting_is_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP", raising=False)
    monkeypatch.setenv("MONGODB_URI", "mongodb://127.0.0.1:1")
    monkeypatch.setattr(sys, "argv", ["ops", "topics"])
    assert main() == 2
    assert capsys.readouterr().err.startswith("KAFKA_BOOTSTRAP")
