"""Sealing every signing key anew, while the service goes on."""

from chassis import store
from chassis.sealing import Keyring
from webhooks.adapters.keys import MongoSigners, ResealReport
from webhooks.settings import Settings


async def rotate_keys(settings: Settings) -> ResealReport:
    """Raises SealingError for the key file, and what the store raises."""
    client = store.connect(settings.mongodb_uri)
    try:
        database = store.database(client, settings.mongodb_database)
        return await MongoSigners(database, Keyring.from_file(settings.webhooks_keys_file)).reseal()
    finally:
        await client.close()
