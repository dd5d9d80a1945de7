"""Sealing all tokens anew under the active key, while the publishers go on using them."""

from collections.abc import Callable

from chassis import store
from chassis.sealing import Keyring
from publisher.adapters.vault import RotationReport, Vault
from publisher.settings import Settings


async def rotate_keys(settings: Settings, on_progress: Callable[[int], None]) -> RotationReport:
    """`on_progress` learns how many records have been sealed anew so far. Raises SealingError for the key file."""
    keyring = Keyring.from_file(settings.vault_keys_file)
    client = store.connect(settings.mongodb_uri)
    try:
        database = store.database(client, settings.mongodb_database)
        return await Vault(database, keyring).rotate(on_progress=on_progress)
    finally:
        await client.close()
