"""Forged, foreign and worn-out tokens, and the change of keys."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.auth import InvalidTokenError, KeysUnavailableError, TokenVerifier, read_keys

ISSUER = "https://issuer.example"
AUDIENCE = "social-publishing-api"


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def with_header(token: str, **changes: Any) -> str:
    """The same payload and signature under another header."""
    header, payload, signature = token.split(".")
    changed = {**json.loads(unb64(header)), **changes}
    return f"{b64(json.dumps(changed).encode())}.{payload}.{signature}"


def with_payload(token: str, **changes: Any) -> str:
    header, payload, signature = token.split(".")
    changed = {**json.loads(unb64(payload)), **changes}
    return f"{header}.{b64(json.dumps(changed).encode())}.{signature}"


def hmac_signed(token: str, secret: bytes, **header: Any) -> str:
    signed = with_header(token, alg="HS256", **header).rpartition(".")[0]
    return f"{signed}.{b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def resigned(issuer: Any, key: Any, alg: str = "ES256", **header: Any) -> str:
    claims = json.loads(unb64(issuer.token().split(".")[1]))
    return jwt.encode({"alg": alg, "typ": "at+jwt", "kid": "k1", **header}, claims, key, algorithms=[alg])


def well_signed(issuer: Any, **header: Any) -> str:
    """With our own key, whatever the header says."""
    unsigned = with_header(issuer.token(), **header).rpartition(".")[0]
    r, s = decode_dss_signature(issuer.key.private_key.sign(unsigned.encode(), ECDSA(SHA256())))
    return f"{unsigned}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


FORGERIES: dict[str, Callable[[Any], str]] = {
    "empty": lambda i: "",
    "not a token": lambda i: "hello",
    "two parts": lambda i: i.token().rpartition(".")[0],
    "four parts": lambda i: i.token() + ".x",
    "five parts, as of a JWE": lambda i: "a.b.c.d.e",
    "no signature": lambda i: i.token().rpartition(".")[0] + ".",
    "signature cut": lambda i: i.token()[:-4],
    "signature of zeros": lambda i: i.token().rpartition(".")[0] + "." + b64(bytes(64)),
    "signature of other length": lambda i: i.token().rpartition(".")[0] + "." + b64(bytes(8)),
    "alg none": lambda i: with_header(i.token(), alg="none").rpartition(".")[0] + ".",
    "alg None": lambda i: with_header(i.token(), alg="None").rpartition(".")[0] + ".",
    "alg NONE, signature kept": lambda i: with_header(i.token(), alg="NONE"),
    "alg lower case": lambda i: with_header(i.token(), alg="es256"),
    "alg of another key type": lambda i: with_header(i.token(), alg="RS256"),
    "alg EdDSA": lambda i: with_header(i.token(), alg="EdDSA"),
    "alg missing": lambda i: with_header(i.token(), alg=None),
    "alg a list": lambda i: with_header(i.token(), alg=["ES256"]),
    "HS256 with the public PEM": lambda i: hmac_signed(i.token(), i.key.as_pem(private=False)),
    "HS256 with the public DER": lambda i: hmac_signed(i.token(), i.key.as_der(private=False)),
    "HS256 with the public JWK": lambda i: hmac_signed(i.token(), json.dumps(i.key.as_dict(private=False)).encode()),
    "HS256 with nothing": lambda i: hmac_signed(i.token(), b""),
    "another key under our kid": lambda i: resigned(i, ECKey.generate_key("P-256")),
    "another curve": lambda i: resigned(i, ECKey.generate_key("P-384"), alg="ES384"),
    "unknown kid": lambda i: i.token(header={"kid": "k9"}),
    "kid a path": lambda i: i.token(header={"kid": "../../etc/passwd"}),
    "kid missing": lambda i: with_header(i.token(), kid=None),
    "jwk in the header": lambda i: resigned(
        i, (key := ECKey.generate_key("P-256")), kid="k9", jwk=key.as_dict(private=False)
    ),
    "jku in the header": lambda i: resigned(i, ECKey.generate_key("P-256"), kid="k9", jku="https://evil.example"),
    "typ of another kind": lambda i: i.token(header={"typ": "dpop+jwt"}),
    "typ id token": lambda i: i.token(header={"typ": "id+jwt"}),
    "typ missing": lambda i: with_header(i.token(), typ=None),
    "crit": lambda i: well_signed(i, crit=["exp"], exp=1),
    "crit unknown": lambda i: well_signed(i, crit=["x"], x=1),
    "alg none, well signed": lambda i: well_signed(i, alg="none"),
    "kid a number, well signed": lambda i: well_signed(i, kid=1),
    "payload changed": lambda i: with_payload(i.token(), tenant_id="tenant_b"),
    "role raised": lambda i: with_payload(i.token(), roles=["super_admin"]),
    "another issuer": lambda i: i.token(iss="https://evil.example"),
    "issuer with a slash": lambda i: i.token(iss=f"{ISSUER}/"),
    "another audience": lambda i: i.token(aud="other-api"),
    "audiences without ours": lambda i: i.token(aud=["a", "b"]),
    "audience a prefix": lambda i: i.token(aud=AUDIENCE[:-1]),
    "expired": lambda i: i.token(exp=int(time.time()) - 31),
    "issued in the future": lambda i: i.token(iat=int(time.time()) + 60),
    "not valid yet": lambda i: i.token(nbf=int(time.time()) + 60),
    "exp missing": lambda i: i.token(exp=None),
    "iat missing": lambda i: i.token(iat=None),
    "iss missing": lambda i: i.token(iss=None),
    "aud missing": lambda i: i.token(aud=None),
    "sub missing": lambda i: i.token(sub=None),
    "tenant missing": lambda i: i.token(tenant_id=None),
    "roles missing": lambda i: i.token(roles=None),
    "sub empty": lambda i: i.token(sub=""),
    "tenant empty": lambda i: i.token(tenant_id=""),
    "tenant a number": lambda i: i.token(tenant_id=7),
    "roles a string": lambda i: i.token(roles="creator"),
    "exp a string": lambda i: i.token(exp="9999999999"),
    "very long": lambda i: i.token(sub="x" * 20_000),
    "ten megabytes": lambda i: "x" * 10_000_000,
    "a surrogate": lambda i: "\udcff.a.b",
    "not base64": lambda i: "§.§.§",
    "nested": lambda i: ".".join(["e30", b64(i.token().encode()), "x"]),
    "payload not JSON": lambda i: ".".join([i.token().split(".")[0], b64(b"x"), i.token().split(".")[2]]),
}


@pytest.fixture
async def verifier(issuer: Any) -> TokenVerifier:
    verifier = TokenVerifier(issuer, issuer=ISSUER, audience=AUDIENCE)
    await verifier.load()
    return verifier


async def test_a_good_token_says_who_asks(verifier: TokenVerifier, issuer: Any) -> None:
    principal = await verifier.verify(issuer.token(aud=["other", AUDIENCE], roles=["creator", "manager"]))
    assert (principal.tenant_id, principal.subject) == ("tenant_a", "user_001")
    assert principal.roles == {"creator", "manager"}
    assert await verifier.verify(issuer.token(header={"typ": "JWT"}))
    assert await verifier.verify(well_signed(issuer)), "or else the forgeries below prove nothing"
    assert await verifier.verify(issuer.token(exp=int(time.time()) - 10)), "within the leeway"


@pytest.mark.parametrize("name", FORGERIES)
async def test_no_forged_or_worn_out_token_is_taken(verifier: TokenVerifier, issuer: Any, name: str) -> None:
    with pytest.raises(InvalidTokenError):
        await verifier.verify(FORGERIES[name](issuer))


async def test_a_remembered_token_is_forgotten_when_it_expires(issuer: Any) -> None:
    now = time.time()
    verifier = TokenVerifier(issuer, issuer=ISSUER, audience=AUDIENCE, now=lambda: now)
    await verifier.load()
    token = issuer.token(exp=int(now) + 5)
    assert await verifier.verify(token)
    assert await verifier.verify(token)
    now += 40
    with pytest.raises(InvalidTokenError):
        await verifier.verify(token)


async def test_a_new_key_is_found_and_reloads_are_rare(issuer: Any) -> None:
    now = time.time()
    loads = 0

    class Source:
        keys = [issuer.key]

        async def load(self) -> bytes:
            nonlocal loads
            loads += 1
            return json.dumps({"keys": [key.as_dict(private=False) for key in self.keys]}).encode()

    source = Source()
    verifier = TokenVerifier(source, issuer=ISSUER, audience=AUDIENCE, now=lambda: now)
    await verifier.load()
    fresh = ECKey.generate_key("P-256", {"kid": "k2", "alg": "ES256"})
    source.keys = [issuer.key, fresh]
    token = resigned(issuer, fresh, kid="k2")
    with pytest.raises(InvalidTokenError):
        await verifier.verify(token)
    assert loads == 1, "the keys were read a moment ago"
    now += 61
    assert await verifier.verify(token)
    for number in range(20):
        with pytest.raises(InvalidTokenError):
            await verifier.verify(with_header(token, kid=f"x{number}"))
    assert loads == 2
    source.keys = [fresh]
    await verifier.load()
    with pytest.raises(InvalidTokenError):
        await verifier.verify(issuer.token(jti="not seen before"))


async def test_without_any_keys_nobody_is_judged(issuer: Any) -> None:
    class Away:
        async def load(self) -> bytes:
            raise KeysUnavailableError("away")

    verifier = TokenVerifier(Away(), issuer=ISSUER, audience=AUDIENCE)
    assert verifier.healthy() is not None
    with pytest.raises(KeysUnavailableError):
        await verifier.verify(issuer.token())


def test_each_key_has_one_algorithm_and_weak_or_secret_keys_none() -> None:
    good = [
        ECKey.generate_key("P-256", {"kid": "ec"}),
        OKPKey.generate_key("Ed25519", {"kid": "okp"}),
        RSAKey.generate_key(2048, {"kid": "rsa"}),
    ]
    entries = [key.as_dict(private=False) for key in good]
    bad = [
        {"kty": "oct", "kid": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"},
        {**entries[0], "kid": "alg", "alg": "HS256"},
        {**entries[0], "kid": "enc", "use": "enc"},
        {**entries[0], "kid": None},
        {**ECKey.generate_key("P-521").as_dict(private=False), "kid": "p521"},
        {"kty": "EC", "kid": "broken"},
        "not a key",
    ]
    keys = read_keys(json.dumps({"keys": [*entries, *bad]}).encode())
    assert {kid: key.algorithm for kid, key in keys.items()} == {"ec": "ES256", "okp": "EdDSA", "rsa": "RS256"}


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"keys": []}', b'{"keys": 7}', b"\xff"])
def test_what_is_no_jwks_is_refused(document: bytes) -> None:
    with pytest.raises(KeysUnavailableError):
        read_keys(document)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Bearer forged.forged.forged"},
    ],
)
async def test_without_a_good_token_the_answer_is_401_with_a_challenge(world: Any, headers: dict[str, str]) -> None:
    async with world.client() as api:
        del api.headers["authorization"]
        answer = await api.get("/posts", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_two_authorization_headers_are_refused(world: Any) -> None:
    token = world.issuer.token()
    async with world.client() as api:
        answer = await api.get(
            "/posts", headers=[("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
        )
    assert answer.status_code == 401
