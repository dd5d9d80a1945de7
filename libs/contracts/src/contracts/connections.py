"""What the gateway and the publisher say to each other over HTTP while an account is being connected.

Not messages: they hold states and codes, which must not lie in a log. Paths are below the publisher's internal address;
every call is a POST with a bearer secret, and answers its struct, or a `contracts.verdicts.Refusal`.
"""

from datetime import datetime

from msgspec import Struct

from contracts.accounts import Account
from contracts.content import Platform

BEGIN = "/connections/begin"
COMPLETE = "/connections/complete"
SELECT = "/connections/select"
DISCONNECT = "/accounts/disconnect"
REFRESH = "/accounts/refresh"
HEALTH = "/accounts/health"

ATTEMPT_SECONDS = 300
"""For which an authorization that was begun can be completed."""
SELECTION_SECONDS = 600
"""For which one of several accounts can be picked."""


class BeginConnection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    tenant_id: str
    user: str
    platform: Platform
    login: str | None = None
    """Which of the platform's ways to log in; None for its first."""
    redirect_uri: str
    hosted: bool = False
    """Whether `redirect_uri` is the gateway's own page."""
    return_to: str | None = None
    """Where that page sends the person in the end."""


class ConnectionBegun(Struct, frozen=True, kw_only=True):
    authorization_url: str
    state: str
    expires_in: int
    """Seconds."""

    def __repr__(self) -> str:
        return "ConnectionBegun(…)"


class CompleteConnection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came back from the platform. `tenant_id` and `user` are None on the hosted page, where nobody is logged in,
    and `platform` is None everywhere else.
    """

    state: str
    code: str | None = None
    """None when the person refused."""
    tenant_id: str | None = None
    user: str | None = None
    platform: Platform | None = None

    def __repr__(self) -> str:
        return f"CompleteConnection(tenant_id={self.tenant_id!r}, platform={self.platform!r}, …)"


class ConnectionChoice(Struct, frozen=True, kw_only=True):
    """One of the accounts that a login may act for."""

    id: str
    """The platform's."""
    username: str
    display_name: str
    account_type: str
    profile_image: str | None
    followers: int | None


class ConnectionSelection(Struct, frozen=True, kw_only=True):
    """Which account is meant has yet to be said: there are several, or a person must confirm."""

    selection_token: str
    expires_in: int
    tenant_id: str
    platform: Platform
    started_by: str
    choices: tuple[ConnectionChoice, ...]
    missing_permissions: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"ConnectionSelection(platform={self.platform!r}, choices={len(self.choices)}, …)"


class AccountConnection(Struct, frozen=True, kw_only=True):
    account: Account
    missing_permissions: tuple[str, ...] = ()
    """What was asked for and not granted; enough to publish was."""
    return_to: str | None = None


class ConnectionCompleted(Struct, frozen=True, kw_only=True):
    """Exactly one of the two."""

    connection: AccountConnection | None = None
    selection: ConnectionSelection | None = None


class SelectConnection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tenant_id` and `user` are None on the hosted page."""

    selection_token: str
    choice_id: str
    tenant_id: str | None = None
    user: str | None = None

    def __repr__(self) -> str:
        return f"SelectConnection(choice_id={self.choice_id!r}, tenant_id={self.tenant_id!r}, …)"


class AccountCall(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`command_id` is that of the command that follows from the call: the same for each repeat of it."""

    tenant_id: str
    account_id: str
    actor: str
    command_id: str


class AccountDisconnection(Struct, frozen=True, kw_only=True):
    account: Account
    revoked: bool
    """Whether the platform was told, and agreed."""
    notice: str | None = None
    """What the person may still want to do there."""


class AccountHealth(Struct, frozen=True, kw_only=True):
    """Of an account's authorization."""

    token_expires_at: datetime | None = None
    """None: never, or not known."""
    renews_itself: bool = False
    """Whether the token is renewed without anybody's help."""
    authorization_ends_at: datetime | None = None
    """When the account must be connected anew, as far as is known."""
    last_refreshed_at: datetime | None = None
    warning: str | None = None
