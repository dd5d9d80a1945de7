"""The corpus as clients send it: every file answered as specified, the services up and small all the while."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.media.corpus import CORPUS, SECRET, Case
from tests.media.processes import family, rss

pytestmark = pytest.mark.stack

MOST = 600 << 20


@pytest.fixture(scope="module")
def peak(stack: Any) -> Iterator[dict[str, int]]:
    """The most memory that any one process of the media service had."""
    found = {"peak": 0}
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.01):
            found["peak"] = max([found["peak"], *(rss(pid) for pid in family(stack.process("media").pid))])

    watching, pid = threading.Thread(target=watch), stack.process("media").pid
    watching.start()
    yield found
    stop.set()
    watching.join()
    assert (stack.process("media").pid, stack.process("media").alive) == (pid, True), "it has been down"
    assert 0 < found["peak"] < MOST, f"{found['peak'] >> 20} MB"


@pytest.mark.parametrize("case", CORPUS, ids=[case.name for case in CORPUS])
def test_each_file_is_answered_as_specified(case: Case, media: Any, peak: dict[str, int]) -> None:
    answer = media.send(case.build(), case.filename)
    if case.rule is None:
        assert answer.status_code in (201, 202), answer.text
        found = media.settled(answer.json()["media_id"])
        assert found["status"] == "ready", found
        assert case.type in (None, found["type"])
        served = httpx.get(found["url"], trust_env=False)
        assert served.headers["content-type"] == found["content_type"]
        assert SECRET not in served.content
        return
    if answer.status_code == 202:
        found = media.settled(answer.json()["media_id"])
        assert (found["status"], found["error"]["rule"]) == ("rejected", case.rule)
        return
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "media_unsupported"), answer.text
    assert problem["errors"][0]["rule"] == case.rule
    assert problem["errors"][0]["remediation"]
