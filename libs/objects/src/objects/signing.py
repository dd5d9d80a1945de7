"""Addresses that serve one object, for a while, to whoever has them: no token is asked for, so the address is one."""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import msgspec
from msgspec import Struct

PATH = "/api/v1/creator/social/media/files"
_MAC_BYTES = 16
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}\.[a-z0-9]{1,5}")


class Grant(Struct, frozen=True, array_like=True):
    """What an address allows: to read this object, as this type, under this name, until then."""

    key: str
    content_type: str
    name: str
    expires: int
    """Seconds of the Unix epoch."""


class Signer:
    """Signs and reads addresses. The first secret signs, all are accepted: put a new one first to change it."""

    def __init__(self, secrets: Sequence[bytes], *, base_url: str) -> None:
        """Raises ValueError when there is no secret, or one of fewer than 32 characters."""
        if not secrets or any(len(secret) < 32 for secret in secrets):
            raise ValueError("addresses are signed with secrets of at least 32 characters")
        self._secrets = tuple(secrets)
        self._base_url = base_url.rstrip("/")

    @classmethod
    def from_file(cls, path: Path, *, base_url: str) -> Self:
        """One secret in each line. Raises OSError, ValueError."""
        lines = [line.strip() for line in path.read_bytes().splitlines()]
        return cls([line for line in lines if line], base_url=base_url)

    def url(self, *, key: str, content_type: str, name: str, now: datetime, lifetime: timedelta) -> str:
        """Good for `lifetime` at least, and the same address for as long again: so that caches know it."""
        step = max(1, int(lifetime.total_seconds()))
        expires = (int(now.timestamp()) // step + 2) * step
        payload = msgspec.msgpack.encode(Grant(key=key, content_type=content_type, name=name, expires=expires))
        token = base64.urlsafe_b64encode(_mac(self._secrets[0], payload) + payload).decode().rstrip("=")
        return f"{self._base_url}{PATH}/{token}/{name}"

    def read(self, token: str, name: str, *, now: datetime) -> Grant | None:
        """None unless it is one of ours, whole and not expired."""
        if not _NAME.fullmatch(name) or len(token) > 1_000 or not token.isascii():
            return None
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            return None
        mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not any(hmac.compare_digest(mac, _mac(secret, payload)) for secret in self._secrets):
            return None
        grant = msgspec.msgpack.decode(payload, type=Grant)
        return grant if grant.name == name and now.timestamp() < grant.expires else None

    def read_url(self, url: str, *, now: datetime) -> Grant | None:
        """As `read`, for a whole address."""
        start = f"{self._base_url}{PATH}/"
        token, _, name = url.removeprefix(start).partition("/")
        return self.read(token, name, now=now) if url.startswith(start) else None


def _mac(secret: bytes, payload: bytes) -> bytes:
    return hmac.digest(secret, b"media-address\x00" + payload, hashlib.sha256)[:_MAC_BYTES]
