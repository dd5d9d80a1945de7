"""Sealing all secrets anew under the active keys."""

from collections.abc import Callable

from msgspec import Struct

from chassis.sealing import SealingError
from ops.reporting import OpsError, Report, Table
from publisher.entrypoints.rotate import rotate_keys as rotate_tokens
from publisher.settings import Settings as PublisherSettings
from webhooks.entrypoints.rotate import rotate_keys as rotate_signing_keys
from webhooks.settings import Settings as WebhooksSettings


class Rotation(Struct, frozen=True):
    secrets: str
    active_key: str
    sealed_anew: int
    unreadable: str
    remaining: int
    """Under another key in the end; 0 means that the older keys can go."""


async def rotate(
    publisher: PublisherSettings, webhooks: WebhooksSettings, on_progress: Callable[[str], None]
) -> Report:
    """Accounts' tokens, then webhooks' signing keys. Safe to repeat; raises OpsError for a key file that is no good."""
    try:
        tokens = await rotate_tokens(publisher, lambda count: on_progress(f"{count} tokens sealed anew"))
        keys = await rotate_signing_keys(webhooks)
    except SealingError as error:
        raise OpsError(f"not rotated: {error}; run it again to go on where it stopped") from error
    rows = [
        Rotation("tokens", tokens.active, tokens.resealed, ", ".join(tokens.unreadable), tokens.remaining),
        Rotation("signing keys", keys.active, keys.resealed, ", ".join(keys.unreadable), keys.remaining),
    ]
    remaining = [row.secrets for row in rows if row.remaining]
    return Report(
        tables=[Table("rotation", rows, "")],
        remarks=[
            f"keep the older keys of the {name}: not everything is sealed under the active one" for name in remaining
        ],
        sound=not remaining,
    )
