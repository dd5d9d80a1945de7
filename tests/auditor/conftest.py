"""Each test writes a log of its own."""

from __future__ import annotations

import pytest
from tests.auditor.writing import Log, MemoryJournal, MemoryReader, MemoryStore


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def reader() -> MemoryReader:
    return MemoryReader()
