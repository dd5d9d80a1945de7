"""Standard Webhooks 1.0: what is signed, and how the keys are written.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

SECRET_BYTES = 32
"""The standard allows 24 to 64."""


class Signer(Struct, frozen=True):
    """A pair of keys: one that is shared with the receiver, and one of which the receiver knows the public half."""

    shared: bytes
    private: bytes
    """The seed of an Ed25519 key."""

    @classmethod
    def generate(cls) -> "Signer":
        return cls(os.urandom(SECRET_BYTES), os.urandom(32))

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Signer":
        return cls(raw[:-32], raw[-32:])

    def to_bytes(self) -> bytes:
        return self.shared + self.private

    @property
    def secret(self) -> str:
        return f"whsec_{base64.b64encode(self.shared).decode()}"

    @property
    def public_key(self) -> str:
        public = _private_key(self.private).public_key()
        return f"whpk_{base64.b64encode(public.public_bytes_raw()).decode()}"

    def signatures(self, content: bytes) -> tuple[str, str]:
        """`v1` and `v1a`."""
        symmetric = hmac.new(self.shared, content, hashlib.sha256).digest()
        asymmetric = _private_key(self.private).sign(content)
        return f"v1,{base64.b64encode(symmetric).decode()}", f"v1a,{base64.b64encode(asymmetric).decode()}"

    def __repr__(self) -> str:
        return "Signer(…)"


@lru_cache(maxsize=10_000)
def _private_key(seed: bytes) -> Ed25519PrivateKey:
    """Made once: that takes as long as signing does."""
    return Ed25519PrivateKey.from_private_bytes(seed)


def signed_headers(message_id: str, at: datetime, body: bytes, signers: Sequence[Signer]) -> dict[str, str]:
    """The three headers of the standard, with signatures under each key."""
    seconds = str(int(at.timestamp()))
    content = b".".join((message_id.encode(), seconds.encode(), body))
    pairs = [signer.signatures(content) for signer in signers]
    signatures = [pair[0] for pair in pairs] + [pair[1] for pair in pairs]
    return {"webhook-id": message_id, "webhook-timestamp": seconds, "webhook-signature": " ".join(signatures)}
