"""Who acts on a platform: an account with a token that works, or the reason why there is none."""

from contracts.accounts import Account
from contracts.content import Failure
from publisher.domain.answers import Refused, Retry
from publisher.ports import Author, Tokens, TokensDeadError, TokensUnavailableError


async def author_of(
    account: Account | None, platform: str, tokens: Tokens, *, refused: str | None = None
) -> Author | Refused | Retry:
    """The account with a token, or why it has none. `refused`: see `Tokens.access_token`."""
    if account is None or account.platform != platform:
        return Refused(_disconnected("The account is not connected."))
    if account.status != "connected":
        return Refused(_disconnected("The account is disconnected."))
    try:
        token = await tokens.access_token(account, refused=refused)
    except TokensDeadError as error:
        return Retry("token_dead", _disconnected(str(error)))
    except TokensUnavailableError as error:
        return Retry("unreachable", _not_renewed(str(error)))
    if token is None:
        return Refused(_disconnected("There is no token for the account."))
    return Author(account=account, token=token)


def _disconnected(message: str) -> Failure:
    return Failure(
        code="account_disconnected", message=message, remediation="Connect the account again, then publish again."
    )


def _not_renewed(reason: str) -> Failure:
    return Failure(
        code="platform_unreachable",
        message="The account's token has run out, and cannot be renewed just now.",
        remediation="Nothing to do: it is tried again.",
        platform_error=reason,
        retryable=True,
    )
