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
    internal_secret: Path
    """What the gateway shows to the publisher."""
    media_signing_keys: Path
    """What signs the addresses of files."""
    webhooks_keys: Path
    """What seals the secrets of webhook endpoints."""
    webhooks_secret: Path
    """What the gateway shows to the webhooks service."""
    client_secret: Path
    """Of the apps that are registered at the platforms; the sandbox takes any."""

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        return cls(
            signing_key=folder / "signing-key.json",
            public_keys=folder / "jwks.json",
            vault_keys=folder / "vault-keys.json",
            internal_secret=folder / "internal-secret",
            media_signing_keys=folder / "media-signing-keys",
            webhooks_keys=folder / "webhooks-keys.json",
            webhooks_secret=folder / "webhooks-secret",
            client_secret=folder / "client-secret",
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
        for keyring in (self.vault_keys, self.webhooks_keys):
            if not keyring.exists():
                wrapping_key = base64.b64encode(secrets.token_bytes(32)).decode()
                _write_private(keyring, {"active": "k1", "keys": {"k1": wrapping_key}})
        for secret in (self.internal_secret, self.media_signing_keys, self.webhooks_secret, self.client_secret):
            if not secret.exists():
                _write_text(secret, secrets.token_urlsafe(32))

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
    _write_text(path, json.dumps(content))


def _write_text(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
