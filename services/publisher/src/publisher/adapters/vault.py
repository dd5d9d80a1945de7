"""Tokens at rest: AES-256-GCM under a data key for each record, which is wrapped by a key-encryption key.

The associated data ties a ciphertext to its tenant, account, platform, kind and key version: moved anywhere else it
does not decrypt.
"""

import base64
import os
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct
from pymongo.asynchronous.database import AsyncDatabase

from chassis.store import Document
from contracts.accounts import Account
from contracts.content import Platform
from publisher.ports import Secret

Kind = Literal["access", "refresh"]

CACHE_SECONDS = 5.0
_NONCE_BYTES = 12
_KEY_BYTES = 32


class VaultError(Exception):
    """A key file that is none, a key version that is not there, or a record that does not decrypt."""


class _KeyFile(Struct, frozen=True):
    active: str
    keys: dict[str, str]


class Keyring:
    """Key-encryption keys by version. New records are written under the active one; older ones are still read."""

    def __init__(self, active: str, keys: Mapping[str, bytes]) -> None:
        if active not in keys or any(len(key) != _KEY_BYTES for key in keys.values()):
            raise VaultError(f"the vault needs keys of {_KEY_BYTES} bytes each, and the active one among them")
        self.active = active
        self._keys = {version: AESGCM(key) for version, key in keys.items()}

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """From JSON: {"active": "k1", "keys": {"k1": "<base64 of 32 bytes>"}}. Raises VaultError."""
        try:
            file = msgspec.json.decode(path.read_bytes(), type=_KeyFile)
            keys = {version: base64.b64decode(key, validate=True) for version, key in file.keys.items()}
        except (OSError, msgspec.DecodeError, ValueError) as error:
            raise VaultError(f"VAULT_KEYS_FILE cannot be read: {type(error).__name__}") from None
        return cls(file.active, keys)

    def wrap(self, key: bytes, bound_to: bytes) -> bytes:
        return _encrypt(self._keys[self.active], key, bound_to)

    def unwrap(self, version: str, wrapped: bytes, bound_to: bytes) -> bytes:
        if version not in self._keys:
            raise VaultError(f"key version {version} is not in VAULT_KEYS_FILE")
        return _decrypt(self._keys[version], wrapped, bound_to)


class Vault:
    """Collection `tokens`: one record for each account and kind of token."""

    def __init__(self, database: AsyncDatabase[Document], keyring: Keyring) -> None:
        self._collection = database["tokens"]
        self._keyring = keyring
        self._cache: dict[str, tuple[float, Secret | None]] = {}

    async def store(
        self,
        *,
        tenant_id: str,
        account_id: str,
        platform: Platform,
        access_token: str,
        refresh_token: str | None,
        expires_at: datetime | None,
    ) -> None:
        """Replaces what is there. When it returns the tokens are durable."""
        for kind, token in (("refresh", refresh_token), ("access", access_token)):
            record_id = _record_id(account_id, kind)
            if token is None:
                await self._collection.delete_one({"_id": record_id, "tenant_id": tenant_id})
                continue
            version = self._keyring.active
            bound_to = _associated_data(tenant_id, account_id, platform, kind, version)
            data_key = os.urandom(_KEY_BYTES)
            await self._collection.replace_one(
                {"_id": record_id, "tenant_id": tenant_id},
                {
                    "_id": record_id,
                    "tenant_id": tenant_id,
                    "account_id": account_id,
                    "platform": platform,
                    "kind": kind,
                    "key_version": version,
                    "wrapped_key": self._keyring.wrap(data_key, bound_to),
                    "ciphertext": _encrypt(AESGCM(data_key), token.encode(), bound_to),
                    "expires_at": expires_at if kind == "access" else None,
                },
                upsert=True,
            )
        self.forget(account_id)

    async def access_token(self, account: Account) -> Secret | None:
        """Raises VaultError when the record does not decrypt."""
        cached = self._cache.get(account.account_id)
        if cached is not None and cached[0] > time.monotonic():
            return cached[1]
        token = await self._read(account, "access")
        self._cache[account.account_id] = (time.monotonic() + CACHE_SECONDS, token)
        return token

    def forget(self, account_id: str) -> None:
        self._cache.pop(account_id, None)

    async def _read(self, account: Account, kind: Kind) -> Secret | None:
        record = await self._collection.find_one(
            {"_id": _record_id(account.account_id, kind), "tenant_id": account.tenant_id}
        )
        if record is None:
            return None
        version = record["key_version"]
        bound_to = _associated_data(account.tenant_id, account.account_id, account.platform, kind, version)
        data_key = self._keyring.unwrap(version, record["wrapped_key"], bound_to)
        return Secret(_decrypt(AESGCM(data_key), record["ciphertext"], bound_to).decode())


def _record_id(account_id: str, kind: str) -> str:
    return f"{account_id}/{kind}"


def _associated_data(tenant_id: str, account_id: str, platform: str, kind: str, version: str) -> bytes:
    return "|".join(("v1", tenant_id, account_id, platform, kind, version)).encode()


def _encrypt(cipher: AESGCM, plain: bytes, bound_to: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, bound_to)


def _decrypt(cipher: AESGCM, sealed: bytes, bound_to: bytes) -> bytes:
    try:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)
    except InvalidTag:
        raise VaultError("a token record does not decrypt: it was moved, or its key was changed") from None
