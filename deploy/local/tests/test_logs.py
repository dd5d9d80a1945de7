from pathlib import Path

import pytest

from localstack.logs import LogFollower, worth_showing


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('{"level":"info","event":"started"}', None),
        ('{"level":"warning","event":"slow","service":"posts","took":3}', "warning: slow took=3"),
        ('{"level":"error","event":"no store","timestamp":"2026-01-01"}', "error: no store"),
        ("2026-11-24T03:58:13,985 WARN QuorumController activation", None),
        ("2026-11-24T03:58:13,985 ERROR LogManager disk full", "2026-11-24T03:58:13,985 ERROR LogManager disk full"),
        ("Traceback (most recent call last):", "Traceback (most recent call last):"),
        ("pydantic_core.ValidationError: 1 error", "pydantic_core.ValidationError: 1 error"),
        ("[1, 2]", None),
    ],
)
def test_what_is_worth_showing(line: str, shown: str | None) -> None:
    assert worth_showing(line) == shown


def test_only_whole_new_lines_are_shown(tmp_path: Path) -> None:
    log = tmp_path / "posts.log"
    log.write_text("ERROR of yesterday\n")
    follower = LogFollower({"posts": log})
    with log.open("a") as file:
        file.write("ERROR one\nERROR tw")
    assert list(follower.news()) == ["posts: ERROR one"]
    with log.open("a") as file:
        file.write("o\n")
    assert list(follower.news()) == ["posts: ERROR two"]
    assert list(follower.news()) == []


def test_a_flood_is_cut_short(tmp_path: Path) -> None:
    log = tmp_path / "posts.log"
    follower = LogFollower({"posts": log})
    log.write_text("ERROR again\n" * 1000)
    news = list(follower.news())
    assert len(news) == 21
    assert "980 more" in news[-1]
