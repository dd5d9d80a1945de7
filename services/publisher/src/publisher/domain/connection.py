"""An authorization that a platform gives us, and what can be connected by it. Pure."""

from collections.abc import Collection, Mapping
from datetime import datetime

from msgspec import Struct

from contracts.connections import ConnectionChoice


class Grant(Struct, frozen=True, kw_only=True):
    """The tokens of one authorization."""

    access_token: str
    expires_at: datetime | None = None
    """Of the access token; None: never, or not known."""
    refresh_token: str | None = None
    refresh_expires_at: datetime | None = None
    user_token: str | None = None
    """Of the person who logged in, where the access token is a page's: needed to revoke."""
    scopes: tuple[str, ...] = ()
    """What was granted, as the platform names it."""
    grantor: str | None = None
    """The platform's id of the person who logged in."""

    def __repr__(self) -> str:
        return f"Grant(expires_at={self.expires_at!r}, scopes={self.scopes!r}, …)"


class Profile(Struct, frozen=True, kw_only=True):
    """An account as its platform shows it."""

    platform_user_id: str
    username: str
    display_name: str
    account_type: str
    profile_image: str | None = None
    followers: int | None = None

    def choice(self) -> ConnectionChoice:
        return ConnectionChoice(
            id=self.platform_user_id,
            username=self.username,
            display_name=self.display_name,
            account_type=self.account_type,
            profile_image=self.profile_image,
            followers=self.followers,
        )


class Connectable(Struct, frozen=True, kw_only=True):
    """An account that the authorization may act for, with the tokens for it."""

    profile: Profile
    grant: Grant


class Scopes(Struct, frozen=True, kw_only=True):
    """What a platform calls the permissions we ask for."""

    asked: tuple[str, ...]
    needed: frozenset[str]
    """Without each of these nothing can be published."""
    permissions: Mapping[str, str]
    """Our name for what a scope permits."""

    def missing(self, granted: Collection[str]) -> tuple[str, ...]:
        """Of what was asked for."""
        return tuple(scope for scope in self.asked if scope not in granted)

    def lacking(self, granted: Collection[str]) -> tuple[str, ...]:
        """Of what publishing needs."""
        return tuple(sorted(self.needed.difference(granted)))

    def permitted(self, granted: Collection[str]) -> tuple[str, ...]:
        """In our words, in the order of the table."""
        return tuple(dict.fromkeys(name for scope, name in self.permissions.items() if scope in granted))


class ConnectError(Exception):
    """An account was not connected. `code` is one of the gateway's problem codes; the message is for people, and holds
    nothing that a stranger wrote.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class GrantRefusedError(Exception):
    """The platform has refused a code or token. The message is the platform's error code, made harmless."""


class GrantDeadError(GrantRefusedError):
    """The authorization has been revoked or has ended: only a person can give a new one."""


class PlatformFailedError(Exception):
    """The platform did not answer, or not sensibly. `reached`: it may have done what it was asked."""

    def __init__(self, reason: str, *, reached: bool) -> None:
        super().__init__(reason)
        self.reached = reached
