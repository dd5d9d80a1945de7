"""Bearer tokens: signed JWTs of one issuer, verified as RFC 8725 asks.

The algorithm comes from the key, never from the token; shared-secret algorithms and `none` are refused whatever the
key; `kid` only looks up a known key; headers that name other keys (`jku`, `jwk`, `x5u`, `x5c`) are not read; no header
or claim may be named twice.
"""

import asyncio
import base64
import hashlib
import json
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import httpx
import msgspec
import structlog
from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key
from msgspec import Struct

from gateway.context import Principal

log = structlog.get_logger()

# RFC 9864 prefers the name Ed25519 for the same algorithm; issuers go on writing EdDSA.
warnings.filterwarnings("ignore", message="EdDSA is deprecated", category=SecurityWarning)

LEEWAY = 30.0
"""Seconds by which clocks may differ."""
REMEMBERED_FOR = 30.0
"""Seconds for which a verified token is not verified again; never beyond its expiry."""
MAX_REMEMBERED = 10_000
RELOAD_EVERY = 60.0
"""Seconds between two reloads of the keys for the sake of an unknown `kid`, at least."""
MAX_TOKEN = 8_192
MAX_KEYS_DOCUMENT = 262_144
MIN_RSA_BITS = 2_048
MAX_NAME = 128
"""Characters of a tenant or a user."""
_TYPES = ("at+jwt", "application/at+jwt", "jwt")


class InvalidTokenError(Exception):
    """The reason is for the log of the caller's developers; it quotes nothing of the token."""


class KeysUnavailableError(Exception):
    """The issuer's keys cannot be read."""


class VerificationKey(Struct, frozen=True):
    key: Key
    algorithm: str


class KeySource(Protocol):
    async def load(self) -> bytes:
        """The JWKS document. Raises KeysUnavailableError."""
        ...


class KeysFile:
    def __init__(self, path: Path) -> None:
        self._path = path

    async def load(self) -> bytes:
        try:
            return await asyncio.to_thread(self._path.read_bytes)
        except OSError as error:
            raise KeysUnavailableError(f"{self._path}: {error.strerror}") from error


class KeysUrl:
    def __init__(self, url: str) -> None:
        self._url = url

    async def load(self) -> bytes:
        try:
            async with (
                httpx.AsyncClient(timeout=5.0, follow_redirects=False) as client,
                client.stream("GET", self._url) as response,
            ):
                response.raise_for_status()
                document = b""
                async for chunk in response.aiter_bytes():
                    document += chunk
                    if len(document) > MAX_KEYS_DOCUMENT:
                        raise KeysUnavailableError(f"{self._url}: more than {MAX_KEYS_DOCUMENT} bytes")
                return document
        except httpx.HTTPError as error:
            raise KeysUnavailableError(f"{self._url}: {error!r}") from error


def read_keys(document: bytes) -> Mapping[str, VerificationKey]:
    """The usable keys of a JWKS by `kid`; others are left out with a warning. Raises KeysUnavailableError."""
    try:
        entries = json.loads(document)["keys"]
    except (ValueError, KeyError, TypeError) as error:
        raise KeysUnavailableError("the keys are not a JWKS") from error
    keys = {}
    for entry in entries if isinstance(entries, list) else ():
        kid = entry.get("kid") if isinstance(entry, dict) else None
        try:
            if not isinstance(kid, str):
                raise ValueError("no kid")
            keys[kid] = _usable(entry)
        except (JoseError, ValueError) as error:
            log.warning("a verification key is not usable", kid=kid, reason=str(error))
    if not keys:
        raise KeysUnavailableError("the JWKS holds no usable key")
    return keys


def _usable(entry: dict[str, Any]) -> VerificationKey:
    if entry.get("use", "sig") != "sig":
        raise ValueError("not for signatures")
    key = import_key(entry)
    match key:
        case ECKey() if key.curve_name == "P-256":
            algorithm = "ES256"
        case OKPKey() if key.curve_name == "Ed25519":
            algorithm = "EdDSA"
        case RSAKey() if key.raw_value.key_size >= MIN_RSA_BITS:
            algorithm = "RS256"
        case _:
            raise ValueError("neither EdDSA, ES256 nor RS256 of sufficient strength")
    if entry.get("alg", algorithm) != algorithm:
        raise ValueError(f"alg is {entry['alg']!r} on a key for {algorithm}")
    return VerificationKey(key, algorithm)


class _Header(Struct):
    alg: str
    kid: str
    typ: str
    crit: Any = None
    b64: Any = None


class _Claims(Struct):
    iss: str
    aud: str | list[str]
    sub: str
    exp: float
    iat: float
    tenant_id: str
    roles: list[str]
    nbf: float | None = None


_read_claims = msgspec.json.Decoder(_Claims).decode


def _unpadded(segment: str) -> bytes:
    """Raises ValueError."""
    return base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)


def _object(document: bytes) -> dict[str, Any]:
    """A JSON object that names no member twice: another reader may see the other one. Raises ValueError."""
    found = json.loads(document.decode(), object_pairs_hook=_once)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is named twice")
    return members


def _is_name(text: str) -> bool:
    """Names go into keys, ids and logs."""
    return 0 < len(text) <= MAX_NAME and text.isprintable() and not text.isspace()


class TokenVerifier:
    """Turns bearer tokens into principals, remembering the good ones for a short while."""

    def __init__(
        self,
        source: KeySource,
        *,
        issuer: str,
        audience: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._issuer = issuer
        self._audience = audience
        self._now = now
        self._keys: Mapping[str, VerificationKey] = {}
        self._loaded_at = float("-inf")
        self._loading = asyncio.Lock()
        self._remembered: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()

    async def load(self) -> None:
        """Reads the issuer's keys. Raises KeysUnavailableError."""
        self._keys = read_keys(await self._source.load())
        self._loaded_at = self._now()

    def healthy(self) -> str | None:
        return None if self._keys else "the issuer's keys have not been read"

    async def verify(self, token: str) -> Principal:
        """Raises InvalidTokenError, or KeysUnavailableError while there are no keys at all."""
        if len(token) > MAX_TOKEN or not token.isascii():
            raise InvalidTokenError("too long, or not ASCII")
        digest = hashlib.sha256(token.encode()).digest()
        remembered = self._remembered.get(digest)
        if remembered is not None and self._now() < remembered[1]:
            return remembered[0]
        principal, until = await self._verify(token)
        self._remembered[digest] = (principal, until)
        self._remembered.move_to_end(digest)
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        return principal

    async def _verify(self, token: str) -> tuple[Principal, float]:
        try:
            header = msgspec.convert(_object(_unpadded(token.partition(".")[0])), _Header)
        except (ValueError, RecursionError, msgspec.MsgspecError) as error:
            raise InvalidTokenError("not a compact JWS with alg, kid and typ") from error
        if header.typ.lower() not in _TYPES:
            raise InvalidTokenError("typ is not that of an access token")
        if header.crit is not None or header.b64 is not None:
            raise InvalidTokenError("critical extensions are not understood")
        key = await self._key(header.kid)
        if header.alg != key.algorithm:
            raise InvalidTokenError("alg is not that of the key")
        try:
            registry = jws.JWSRegistry(algorithms=[key.algorithm], strict_check_header=False)
            payload = jws.deserialize_compact(token, key.key, registry=registry).payload
        except (JoseError, ValueError) as error:
            raise InvalidTokenError("the signature or its form is wrong") from error
        try:
            _object(payload)
            claims = _read_claims(payload)
        except (ValueError, RecursionError, msgspec.MsgspecError) as error:
            raise InvalidTokenError("a required claim is missing or malformed") from error
        return self._judge(claims)

    def _judge(self, claims: _Claims) -> tuple[Principal, float]:
        now = self._now()
        audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        for holds, reason in (
            (claims.iss == self._issuer, "another issuer"),
            (self._audience in audiences, "another audience"),
            (claims.exp > now - LEEWAY, "expired"),
            (claims.iat <= now + LEEWAY, "issued in the future"),
            (claims.nbf is None or claims.nbf <= now + LEEWAY, "not valid yet"),
            (_is_name(claims.sub) and _is_name(claims.tenant_id), "sub or tenant_id is not a name"),
        ):
            if not holds:
                raise InvalidTokenError(reason)
        principal = Principal(tenant_id=claims.tenant_id, subject=claims.sub, roles=frozenset(claims.roles))
        return principal, min(now + REMEMBERED_FOR, claims.exp + LEEWAY)

    async def _key(self, kid: str) -> VerificationKey:
        key = self._keys.get(kid)
        if key is None:
            await self._reload()
            key = self._keys.get(kid)
        if key is None:
            if not self._keys:
                raise KeysUnavailableError("no keys")
            raise InvalidTokenError("unknown key")
        return key

    async def _reload(self) -> None:
        async with self._loading:
            if self._now() - self._loaded_at < RELOAD_EVERY:
                return
            self._loaded_at = self._now()
            try:
                await self.load()
            except KeysUnavailableError as error:
                log.warning("the issuer's keys cannot be read again", reason=str(error))
