"""What folding and planning need from the outside."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from analytics.domain.folding import DayKey
from contracts.analytics import AccountMetrics, DayEntry, PostMetrics
from contracts.collecting import ContentType
from contracts.content import Platform
from contracts.messages import Message


class Folded(Struct, frozen=True, kw_only=True):
    """A read model and the offset of the newest sample in it."""

    position: int
    stored: bool = False
    """Whether an earlier state of it was read from the store."""


class FoldedPost(Folded, frozen=True, kw_only=True):
    state: PostMetrics


class FoldedAccount(Folded, frozen=True, kw_only=True):
    state: AccountMetrics


class FoldedDay(Folded, frozen=True, kw_only=True):
    tenant_id: str
    platform: Platform
    entries: dict[str, DayEntry]
    """By target's key: see `domain.folding.key_of`."""


class Models(Protocol):
    """The read models. Saving replaces only what is at a lower position; repeating it changes nothing."""

    async def posts(self, keys: Collection[str]) -> Mapping[str, FoldedPost]: ...

    async def accounts(self, account_ids: Collection[str]) -> Mapping[str, FoldedAccount]: ...

    async def days(self, keys: Collection[DayKey]) -> Mapping[DayKey, FoldedDay]: ...

    async def save(
        self,
        posts: Mapping[str, FoldedPost],
        days: Mapping[DayKey, FoldedDay],
        accounts: Mapping[str, FoldedAccount],
    ) -> None: ...

    async def unseen_mentions(self, ids: Collection[str]) -> set[str]:
        """Which of these have not been remembered."""
        ...

    async def remember_mentions(self, mentions: Mapping[str, datetime]) -> None:
        """By id, with the time of each."""
        ...


class Announcement(Struct, frozen=True, kw_only=True):
    """A public event. The same announcement has the same id, however often it is made."""

    topic: str
    key: str
    id: str
    tenant_id: str
    message: Message


class Announcer(Protocol):
    async def announce(self, announcements: Sequence[Announcement]) -> None:
        """Returns once they are durable."""
        ...


class Plan(Struct, frozen=True, kw_only=True):
    """What is to be read, and when: one live target, or an account's followers or mentions."""

    id: str
    kind: str
    """`post`, `followers` or `mentions`."""
    tenant_id: str
    account_id: str
    platform: Platform
    due_at: datetime | None
    since: datetime
    """When the post was published or the account connected."""
    post_id: str | None = None
    target_id: str | None = None
    platform_post_ids: tuple[str, ...] = ()
    content_type: ContentType | None = None
    requested_at: datetime | None = None
    """When somebody last asked for fresh numbers."""


class Plans(Protocol):
    async def add(self, plan: Plan) -> None:
        """Nothing happens when there is a plan of this id."""
        ...

    async def of_post(self, post_id: str) -> Sequence[Plan]: ...

    async def due(self, until: datetime, limit: int) -> Sequence[Plan]:
        """The longest overdue first."""
        ...

    async def move(self, plan_id: str, from_: datetime | None, to: datetime | None) -> bool:
        """Sets when it is due. False when it was not due at `from_` any more: somebody else has moved it."""
        ...

    async def hasten(self, plan_id: str, to: datetime) -> None:
        """Makes it due at `to` at the latest, if it is to be due at all."""
        ...

    async def ask(self, plan_id: str, now: datetime, before: datetime) -> bool:
        """Makes it due now, unless somebody has asked after `before`, or it is not to be due at all."""
        ...

    async def end(self, plan_id: str) -> None: ...

    async def end_account(self, account_id: str) -> None: ...

    async def revive_account(self, account_id: str, now: datetime) -> None:
        """Followers and mentions are due again."""
        ...
