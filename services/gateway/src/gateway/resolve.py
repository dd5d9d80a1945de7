"""Which account each platform of a post goes to. Pure."""

from collections.abc import Sequence

from msgspec import Struct

from contracts.accounts import Account
from contracts.content import Content, Options, Platform, TargetSpec
from gateway.problems import AccountChoice, FieldError, ProblemError, invalid_content


class Places(Struct, frozen=True, kw_only=True):
    """Where in the client's body things stand, as JSON pointers: so that an error can name what the client wrote."""

    target: str
    account: str
    options: str
    parts: tuple[tuple[str, str], ...]
    """Of each part: its content, and its list of media."""


class Wish(Struct, frozen=True, kw_only=True):
    """A target as somebody asked for it."""

    platform: Platform
    account_id: str | None
    options: Options
    content: Content | None
    """Instead of the post's own."""
    title: str | None
    """Of the whole post."""
    places: Places


def choose(wish: Wish, accounts: Sequence[Account]) -> Account:
    """The account that is meant, connected or not. `accounts` are all the tenant has, at least on this platform.

    Raises ProblemError `account_not_found`, `account_required` or `account_ambiguous`, or `invalid_content` for an
    account of another platform.
    """
    if wish.account_id is not None:
        return _named(wish, wish.account_id, accounts)
    there = [account for account in accounts if account.platform == wish.platform]
    connected = [account for account in there if account.status == "connected"]
    for candidates in ([account for account in connected if account.is_default], connected, there):
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            raise _problem(
                "account_ambiguous",
                f"There are {len(candidates)} accounts on {wish.platform}; name one.",
                wish,
                choices=tuple(
                    AccountChoice(id=account.account_id, username=account.username) for account in candidates
                ),
            )
    raise _problem("account_required", f"No account on {wish.platform} is connected.", wish)


def connected(wish: Wish, account: Account) -> Account:
    """The same account. Raises ProblemError `account_disconnected` unless it can be published to."""
    if account.status != "connected":
        raise _problem(
            "account_disconnected",
            f"The account {account.account_id} on {wish.platform} has lost its connection.",
            wish,
        )
    return account


def target(wish: Wish, account: Account) -> TargetSpec:
    return TargetSpec(
        platform=wish.platform,
        account_id=account.account_id,
        username=account.username,
        options=wish.options,
        content=wish.content,
        estimated_reach=account.followers,
    )


def distinct(wishes: Sequence[Wish], targets: Sequence[TargetSpec]) -> None:
    """Raises ProblemError when two wishes have come to the same account."""
    seen: set[str] = set()
    for wish, spec in zip(wishes, targets, strict=True):
        if spec.target_id in seen:
            raise invalid_content(
                FieldError(
                    pointer=wish.places.target,
                    rule="targets.distinct",
                    message=f"The account {spec.account_id} on {spec.platform} is named twice.",
                    platform=spec.platform,
                    remediation="Name each account once.",
                )
            )
        seen.add(spec.target_id)


def _named(wish: Wish, account_id: str, accounts: Sequence[Account]) -> Account:
    account = next((account for account in accounts if account.account_id == account_id), None)
    if account is None:
        raise _problem("account_not_found", f"There is no account {account_id}.", wish)
    if account.platform != wish.platform:
        raise invalid_content(
            FieldError(
                pointer=wish.places.account,
                rule="account.platform",
                message=f"The account {account_id} is on {account.platform}, not on {wish.platform}.",
                platform=wish.platform,
                remediation=f"Name an account on {wish.platform}.",
            )
        )
    return account


def _problem(code: str, detail: str, wish: Wish, *, choices: tuple[AccountChoice, ...] = ()) -> ProblemError:
    error = FieldError(pointer=wish.places.account, rule=code, message=detail, platform=wish.platform, choices=choices)
    return ProblemError(code, detail, errors=(error,), platform=wish.platform, choices=choices)
