"""What handling a job needs from the outside."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from contracts.accounts import Account
from contracts.content import Content, Media, Options, Platform
from publisher.domain.answers import Answer, Finding
from publisher.domain.budgets import Budgets
from publisher.domain.publication import Policy, Publication, Upload


class JournalConflictError(Exception):
    """Somebody else has written this publication since it was read."""


class Journal(Protocol):
    """One document per target. An acknowledged write survives any single crash."""

    async def load(self, publication_id: str) -> Publication | None: ...

    async def save(self, entry: Publication) -> Publication:
        """Writes the next revision, and returns it. Raises JournalConflictError; other errors leave it open whether it
        was written.
        """
        ...

    async def known_live(self, account_id: str, platform_post_ids: Collection[str], *, besides: str) -> set[str]:
        """Which of these posts belong to other publications than `besides`."""
        ...


class Accounts(Protocol):
    async def get(self, tenant_id: str, account_id: str) -> Account | None:
        """As it was a few seconds ago at most."""
        ...

    def forget(self, account_id: str) -> None:
        """Read it anew next time."""
        ...


class Secret:
    """Text that shows itself only when asked for."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


class Tokens(Protocol):
    async def access_token(self, account: Account) -> Secret | None:
        """None when the vault holds none for this account."""
        ...

    def forget(self, account_id: str) -> None:
        """Read it anew next time."""
        ...


class Author(Struct, frozen=True, kw_only=True):
    """An account with the token to act for it."""

    account: Account
    token: Secret


class Draft(Struct, frozen=True, kw_only=True):
    """One part as it is to be published."""

    index: int
    content: Content
    options: Options
    uploads: tuple[Upload, ...]
    reply_to: str | None = None


class Connector(Protocol):
    """One platform. Each call is made once: repeating is the caller's business."""

    platform: Platform
    policy: Policy
    budgets: Budgets

    def readable(self, account: Account) -> bool:
        """Whether what the account has live can be read back."""
        ...

    async def upload(self, author: Author, part: int, media: Media) -> Upload:
        """Raises SetbackError. Reversible: what is not posted expires."""
        ...

    async def check_upload(self, author: Author, upload: Upload) -> Upload:
        """The upload as the platform has processed it by now. Raises SetbackError."""
        ...

    def request(self, author: Author, draft: Draft) -> bytes:
        """The body of the irreversible call. The same draft always gives the same bytes."""
        ...

    async def send(self, author: Author, request: bytes) -> Answer:
        """The irreversible call."""
        ...

    async def look_up(self, author: Author, draft: Draft, since: datetime) -> Finding:
        """What the account has live since then that looks like the draft."""
        ...
