"""What the parts of the simulated LinkedIn share."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.accounts import Account
from sandbox.ledger import Post
from sandbox.linkedin.assets import Asset
from sandbox.linkedin.bodies import CreatePost
from sandbox.linkedin.errors import input_error, no_permission, not_found
from sandbox.linkedin.restli import is_person_or_page
from sandbox.linkedin.settings import LinkedInSettings
from sandbox.snowflakes import Snowflakes
from sandbox.tokens import AccessToken
from sandbox.world import World

PLATFORM = "linkedin"


@dataclass(slots=True)
class Share:
    """A post as LinkedIn keeps it: what was asked, and the commentary as it was understood."""

    post: Post
    asked: CreatePost
    little: str
    mentions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, under which version. ``version`` is None for calls without one."""

    token: AccessToken
    version: str | None

    def permission(self, resource: str, method: str) -> str:
        """The key that a refusal names."""
        if self.version is None:
            return f"{resource}.{method}.NO_VERSION"
        return f"partnerApi{resource[0].upper()}{resource[1:]}.{method}.{self.version}01"


class State:
    """Posts, media assets and the accounts' relations."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.settings = LinkedInSettings()
        self.ids = Snowflakes(world.clock, epoch_ms=0)
        self.shares: dict[str, Share] = {}
        self.assets: dict[str, Asset] = {}

    @property
    def now(self) -> float:
        return self.world.clock.now()

    def pages_of(self, member: str) -> list[Account]:
        """The organizations that a member administers."""
        return [account for account in self.world.accounts.of(PLATFORM) if account.administrator == member]

    def actor(self, caller: Caller, urn: str, field: str, scopes: tuple[str, str], permission: str) -> Account:
        """The person or page that a call acts as.

        Args:
            scopes: what acting as a person and acting as a page need.

        Raises:
            RefusedError: the URN is malformed, the token may not act as it, or the scope is missing.
        """
        if not urn.startswith("urn:li:"):
            raise input_error(400, "INVALID_URN_TYPE", f"Invalid URN in {field}: {urn}", field)
        if not is_person_or_page(urn):
            raise input_error(400, "INVALID_URN_ID", "The URN ID provided is invalid.", field)
        account = self.world.accounts.get(urn)
        for_person, for_page = scopes
        needed = for_page if urn.startswith("urn:li:organization:") else for_person
        allowed = account is not None and caller.token.member in (account.id, account.administrator)
        if account is None or not allowed or needed not in caller.token.scopes:
            raise no_permission(permission)
        return account

    def visible_share(self, urn: str) -> Share:
        """Raises RefusedError (404) for what is unknown, deleted or not yet indexed."""
        share = self.shares.get(urn)
        if share is None or not share.post.visible(self.now):
            raise not_found(urn)
        return share


def require_any(caller: Caller, scopes: tuple[str, ...], permission: str) -> None:
    """Raises RefusedError unless the token has one of the scopes."""
    if caller.token.scopes.isdisjoint(scopes):
        raise no_permission(permission)
