"""What every simulated platform offers to the application and to the control API."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import msgspec

from sandbox.accounts import Account, Kind
from sandbox.faults import Fault, FaultName
from sandbox.mentions import NewMention
from sandbox.tokens import AccessToken, RefreshToken
from sandbox.web import Request, Response, Route, Router


class NewAccount(msgspec.Struct, forbid_unknown_fields=True):
    """An account as the control API asks for it.

    Attributes:
        token_expires_in: seconds until the access token expires; the platform's own default when None.
        administrator: LinkedIn organizations only, an existing member who manages the page. Without it the
            page gets a manager of its own.
    """

    platform: str
    username: str
    display_name: str
    followers: int = 0
    kind: Kind | None = None
    premium: bool = False
    scopes: list[str] | None = None
    token_expires_in: float | None = None
    administrator: str | None = None


class UnfitAccountError(ValueError):
    """The platform has no such kind of account."""


class Platform(ABC):
    """One simulated platform.

    Attributes:
        name: as the control API and the ledger write it.
        prefix: where its API lives, e.g. ``/x``.
        roots: paths of the real hosts that are also served without the prefix.
        foreign_faults: what never happens on this platform.
        tells_mentions: whether accounts can read who has mentioned them.
        settings: its switches; one object for the platform's whole life.
    """

    name: ClassVar[str]
    prefix: ClassVar[str]
    roots: ClassVar[tuple[str, ...]]
    foreign_faults: ClassVar[frozenset[FaultName]] = frozenset()
    tells_mentions: ClassVar[bool] = False
    router: Router
    settings: msgspec.Struct

    def change_settings(self, changes: dict[str, object]) -> None:
        """Lay changes over the switches; nested objects are merged. Raises msgspec.ValidationError."""
        merged = _merged(msgspec.to_builtins(self.settings), changes)
        changed = msgspec.convert(merged, type(self.settings))
        for name in self.settings.__struct_fields__:
            setattr(self.settings, name, getattr(changed, name))

    @abstractmethod
    def open_account(self, new: NewAccount) -> Account:
        """Create an account. Raises UnfitAccountError."""

    @abstractmethod
    def grant(
        self, account: Account, scopes: list[str] | None, expires_in: float | None
    ) -> tuple[AccessToken, RefreshToken | None]:
        """Issue credentials as if the account had just connected an app."""

    @abstractmethod
    def refusal(self, fault: Fault) -> Response:
        """The platform's own wording for a fault that refuses a request."""

    @abstractmethod
    def unknown_path(self) -> Response:
        """The answer to a path that the platform does not have."""

    def call_of(self, route: Route, request: Request) -> str:  # noqa: ARG002 - most platforms need only the route
        """The name of a call; platforms whose paths serve several calls look into the request."""
        return route.call

    def name_for(self, accounts: list[str]) -> str:  # noqa: ARG002 - most hosts serve one platform
        """Whose faults strike a request that acts for these accounts, where one host serves several platforms."""
        return self.name

    def interrupted(self, request: Request) -> None:  # noqa: B027 - most platforms keep nothing of it
        """The connection broke in the middle of this request; ``body`` is what had come of it."""

    def hear(self, account: Account, said: NewMention) -> str:
        """Somebody mentions an account; the id by which it will read so. Only where ``tells_mentions``."""
        raise NotImplementedError(f"{self.name}: {account.id} cannot hear {said.author}")

    @abstractmethod
    def accounts_of(self, call: str, request: Request) -> list[str]:
        """The accounts that a request acts for, most specific first; empty when it names none."""


def _merged(current: dict[str, object], changes: dict[str, object]) -> dict[str, object]:
    merged = dict(current)
    for name, change in changes.items():
        before = merged.get(name)
        merged[name] = _merged(before, change) if isinstance(before, dict) and isinstance(change, dict) else change
    return merged
