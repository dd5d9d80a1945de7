"""The people and pages of the simulated platforms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["user", "member", "organization", "page", "business", "creator"]


@dataclass(slots=True)
class Account:
    """Someone who can publish.

    Attributes:
        id: the platform's own id (X: digits; LinkedIn: a URN).
        administrator: LinkedIn organizations only, the URN of the member who manages the page.
        premium: X: may publish long posts and videos. YouTube: a verified channel, with long videos and thumbnails.
    """

    platform: str
    id: str
    username: str
    display_name: str
    followers: int
    kind: Kind
    created_at: float
    premium: bool = False
    administrator: str | None = None


class Accounts:
    """Every account, in order of creation."""

    def __init__(self) -> None:
        self._by_id: dict[str, Account] = {}

    def add(self, account: Account) -> None:
        self._by_id[account.id] = account

    def get(self, account_id: str) -> Account | None:
        return self._by_id.get(account_id)

    def remove(self, account_id: str) -> Account | None:
        return self._by_id.pop(account_id, None)

    def of(self, platform: str) -> list[Account]:
        return [account for account in self._by_id.values() if account.platform == platform]

    def all(self) -> list[Account]:
        return list(self._by_id.values())
