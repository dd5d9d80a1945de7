"""What handling a job needs from the outside."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from contracts.accounts import Account
from contracts.content import Content, LivePart, Media, Options, Platform
from contracts.media import MediaAsset
from contracts.messages import Command
from contracts.publishing import PublishRequested
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


class Sender(Protocol):
    """`eventlog.sending.CommandSender`."""

    async def send(
        self,
        topic: str,
        key: str,
        command: Command,
        *,
        command_id: str,
        tenant_id: str | None,
        traceparent: str | None = None,
    ) -> None: ...


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


class TokensDeadError(Exception):
    """The platform has ended the authorization: only connecting the account again helps. The message is for people."""


class TokensUnavailableError(Exception):
    """The token has run out and cannot be renewed just now."""


class Tokens(Protocol):
    async def access_token(self, account: Account, *, refused: str | None = None) -> Secret | None:
        """A token that is fresh as far as we can tell; None when the vault holds none for this account.

        `refused` names an occasion on which the platform did not accept the token: one that has not been renewed on
        this occasion already is renewed now. Raises TokensDeadError and TokensUnavailableError.
        """
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
    title: str | None = None
    """Of the whole post."""
    content: Content
    options: Options
    uploads: tuple[Upload, ...]
    """Of the attachments, in their order, as far as they have come."""
    container: Upload | None = None
    """What `Assembling.assemble` made of them."""
    reply_to: str | None = None
    """The platform's id of the post that this one answers: the part before it, or the post that it comments on."""
    handle: str | None = None
    """What the platform calls this draft's own post while it processes it: `answers.Processing`."""


Record = Callable[[Upload], Awaitable[None]]
"""Journals an upload as it stands by now, which also renews the lease: after a crash it is carried on from there.

Raises JournalConflictError when somebody else has taken over; the upload must not go on then.
"""


class Assembling(Protocol):
    async def assemble(self, author: Author, draft: Draft, container: Upload | None) -> Upload:
        """What the platform wants made of all uploads before one call can publish them, or the state that this has
        reached by now. Reversible. Raises SetbackError.
        """
        ...


class Connector(Protocol):
    """One platform. Each call is made once: repeating is the caller's business."""

    platform: Platform
    policy: Policy
    budgets: Budgets
    assembling: Assembling | None
    """None where `policy.assembles` is False."""

    def readable(self, account: Account) -> bool:
        """Whether what the account has live can be read back."""
        ...

    async def upload(self, author: Author, draft: Draft, media: Media, record: Record) -> Upload:
        """Begins an upload, and does what can be done of it now. Reversible: what is not posted expires, and where
        the last byte of a file publishes it, that byte is left for `send`. Raises SetbackError.
        """
        ...

    async def carry_on(self, author: Author, draft: Draft, media: Media, upload: Upload, record: Record) -> Upload:
        """The upload carried on from where the platform says it stands, or as it has processed it by now.

        Raises SetbackError.
        """
        ...

    def request(self, author: Author, draft: Draft) -> bytes:
        """The body of the irreversible call. The same draft always gives the same bytes."""
        ...

    async def send(self, author: Author, draft: Draft, request: bytes) -> Answer:
        """The irreversible call."""
        ...

    async def look_up(self, author: Author, draft: Draft, since: datetime) -> Finding:
        """What the account has live since then that looks like the draft."""
        ...

    async def delete(self, author: Author, live: LivePart) -> None:
        """Takes a post off the platform; one that is gone already is no error. Raises SetbackError, with Refused
        where the platform has no such call.
        """
        ...


class Resolved(Struct, frozen=True, kw_only=True):
    request: PublishRequested
    """As it was, but every upload has the address of the file to publish. Those that are gone have none."""
    variants: dict[str, str]
    """Of uploads that are published as a variant: its id, by the upload's."""


class Uploads(Protocol):
    async def assets(self, tenant_id: str, media_ids: Collection[str]) -> Mapping[str, MediaAsset]:
        """Those there are, deleted ones included, by id."""
        ...

    async def resolve(self, request: PublishRequested, account: Account | None) -> Resolved:
        """Chooses the same files however often it is asked."""
        ...
