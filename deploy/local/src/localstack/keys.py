"""Keys of the development stack, made once: who may call the gateway, and what seals the publisher's vault."""

from __future__ import annotations

import base64
import json
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from msgspec import Struct

_ALGORITHM = "ES256"


class Keys(Struct, frozen=True):
    """Paths of the key files. The private ones are readable by their owner only."""

    signing_key: Path
    """A private JWK, in the place of an identity provider's."""
    public_keys: Path
    """The matching JWKS, which the gateway trusts."""
    vault_keys: Path

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        return cls(
            signing_key=folder / "signing-key.json",
            public_keys=folder / "jwks.json",
            vault_keys=folder / "vault-keys.json",
        )

    def ensure(self) -> None:
        """Make what is missing, and leave what is there: tokens and sealed secrets outlive a restart."""
        self.signing_key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self.signing_key.exists():
            made = ECKey.generate_key("P-256", {"alg": _ALGORITHM, "use": "sig"}, private=True)
            made.ensure_kid()
            _write_private(self.signing_key, made.as_dict(private=True))
        public = KeySet([self._key()]).as_dict(private=False)
        self.public_keys.write_text(json.dumps(public))
        if not self.vault_keys.exists():
            wrapping_key = base64.b64encode(secrets.token_bytes(32)).decode()
            _write_private(self.vault_keys, {"active": "k1", "keys": {"k1": wrapping_key}})

    def token(
        self,
        *,
        issuer: str,
        audience: str,
        tenant: str,
        sub: str,
        roles: Sequence[str],
        lifetime_seconds: int = 12 * 3600,
    ) -> str:
        """A signed access token (RFC 9068) for `sub` of `tenant`."""
        now = int(time.time())
        claims = {
            "iss": issuer,
            "aud": audience,
            "sub": sub,
            "iat": now,
            "exp": now + lifetime_seconds,
            "jti": secrets.token_urlsafe(16),
            "tenant_id": tenant,
            "roles": list(roles),
        }
        key = self._key()
        return jwt.encode({"alg": _ALGORITHM, "typ": "at+jwt", "kid": key.kid}, claims, key)

    def _key(self) -> ECKey:
        return ECKey.import_key(json.loads(self.signing_key.read_text()))


def _write_private(path: Path, content: object) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file)
