"""Secrets at rest: AES-256-GCM under a data key for each secret, which is wrapped by a key-encryption key.

The associated data ties a ciphertext to the context it was sealed for: moved anywhere else it does not open.
"""

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct
from prometheus_client import Counter

REFUSED = Counter("sealing_refused", "Sealed secrets that did not open: changed, or moved to where they do not belong")

_NONCE_BYTES = 12
_KEY_BYTES = 32


class SealingError(Exception):
    """A key file that is none, a key version that is not there, or a secret that does not open."""


class _KeyFile(Struct, frozen=True):
    active: str
    keys: dict[str, str]


class Sealed(Struct, frozen=True, kw_only=True):
    """Bytes that only the same keyring opens, and only in the context they were sealed for."""

    key_version: str
    wrapped_key: bytes
    ciphertext: bytes


class Keyring:
    """Key-encryption keys by version. Secrets are sealed under the active one; older ones still open."""

    def __init__(self, active: str, keys: Mapping[str, bytes]) -> None:
        """Raises SealingError."""
        if active not in keys or any(len(key) != _KEY_BYTES for key in keys.values()):
            raise SealingError(f"a keyring needs keys of {_KEY_BYTES} bytes each, and the active one among them")
        self._active = active
        self._keys = {version: AESGCM(key) for version, key in keys.items()}
        self._path: Path | None = None
        self._read_as: tuple[int, int] | None = None

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """From JSON: {"active": "k1", "keys": {"k1": "<base64 of 32 bytes>"}}. Raises SealingError.

        A file that is replaced later is read again, so that keys change without a restart.
        """
        keyring = cls(*_read_keys(path))
        keyring._path, keyring._read_as = path, _identity(path)
        return keyring

    @property
    def active(self) -> str:
        self._follow()
        return self._active

    def seal(self, plain: bytes, *context: str) -> Sealed:
        """Under a key of its own, wrapped by the active one."""
        version = self.active
        bound_to = _associated_data(*context, version)
        data_key = os.urandom(_KEY_BYTES)
        return Sealed(
            key_version=version,
            wrapped_key=_encrypt(self._keys[version], data_key, bound_to),
            ciphertext=_encrypt(AESGCM(data_key), plain, bound_to),
        )

    def open(self, sealed: Sealed, *context: str) -> bytes:
        """Raises SealingError."""
        self._follow()
        key = self._keys.get(sealed.key_version)
        if key is None:
            raise SealingError(f"key version {sealed.key_version} is not in the key file")
        bound_to = _associated_data(*context, sealed.key_version)
        data_key = _decrypt(key, sealed.wrapped_key, bound_to)
        return _decrypt(AESGCM(data_key), sealed.ciphertext, bound_to)

    def _follow(self) -> None:
        """Reads the file again when it is another one than before. One that cannot be read changes nothing."""
        if self._path is None or (found := _identity(self._path)) in (None, self._read_as):
            return
        self._read_as = found
        try:
            fresh = type(self)(*_read_keys(self._path))
        except SealingError:
            return
        self._active, self._keys = fresh._active, fresh._keys


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def _read_keys(path: Path) -> tuple[str, dict[str, bytes]]:
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_KeyFile)
        return file.active, {version: base64.b64decode(key, validate=True) for version, key in file.keys.items()}
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise SealingError(f"{path} is not a key file") from error


def _associated_data(*parts: str) -> bytes:
    """Each part with its length, so that no two contexts read alike."""
    return b"v1" + b"".join(len(raw).to_bytes(4, "big") + raw for raw in (part.encode() for part in parts))


def _encrypt(key: AESGCM, plain: bytes, bound_to: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + key.encrypt(nonce, plain, bound_to)


def _decrypt(key: AESGCM, sealed: bytes, bound_to: bytes) -> bytes:
    try:
        return key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)
    except InvalidTag as error:
        REFUSED.inc()
        raise SealingError("a sealed secret does not open in this context") from error
