"""What others say of an account, on command."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal

import msgspec


class NewMention(msgspec.Struct, forbid_unknown_fields=True):
    """``kind`` makes a difference on X only."""

    author: str
    text: str
    kind: Literal["mention", "reply", "quote"] = "mention"


@dataclass(frozen=True, slots=True)
class Heard:
    id: int
    author: str
    text: str
    at: float


@dataclass(slots=True)
class Mentions:
    """By the account that is mentioned, oldest first."""

    _heard: defaultdict[str, list[Heard]] = field(default_factory=lambda: defaultdict(list))
    _count: int = 0

    def add(self, account_id: str, new: NewMention, now: float) -> str:
        self._count += 1
        heard = Heard(7_000_000_000_000_000_000 + self._count, new.author, new.text, now)
        self._heard[account_id].append(heard)
        return str(heard.id)

    def of(self, account_id: str) -> list[Heard]:
        """Newest first."""
        return self._heard[account_id][::-1]
