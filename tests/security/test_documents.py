"""The threat model names tests that exist, and no threat goes without one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
MODEL = DOCS / "security" / "threat-model.md"
ROW = re.compile(
    r"^\| (?P<letter>[STRIDE]) \| (?P<threat>.+?) \| (?P<control>.+?) \| (?P<shown>.+?) \| (?P<left>.*?)\|$", re.M
)
LINK = re.compile(r"\[[^\]]+\]\((?P<target>[^)#]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", ["security.md", "security/threat-model.md", "access.md", "operations/capacity.md"])
def test_links_lead_somewhere(page: str) -> None:
    path = DOCS / page
    for link in LINK.finditer(path.read_text()):
        if "://" not in link["target"]:
            assert (path.parent / link["target"]).exists(), link[0]


def test_every_threat_has_a_control_and_a_test_that_is_there() -> None:
    rows = list(ROW.finditer(MODEL.read_text()))
    assert len(rows) > 40
    assert {row["letter"] for row in rows} == set("STRIDE")
    for row in rows:
        links = list(LINK.finditer(row["shown"]))
        assert links, row["threat"]
        named = re.findall(r"`([\w-]+)`", row["shown"])
        shown = "".join((MODEL.parent / link["target"]).read_text() for link in links)
        for name in named:
            assert name in shown, f"{row['threat']}: there is no {name}"


def test_every_boundary_of_the_picture_has_its_table() -> None:
    text = MODEL.read_text()
    drawn = set(re.findall(r"─(B\d)─", text))
    assert drawn == set(re.findall(r"^## (B\d) ", text, re.M))
    assert len(drawn) == 9
