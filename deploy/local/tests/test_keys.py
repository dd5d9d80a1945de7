import base64
import json
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import KeySet

from localstack.keys import Keys


def a_token(keys: Keys) -> str:
    return keys.token(issuer="https://issuer", audience="api", tenant="demo", sub="user_001", roles=["creator"])


def public_keys(keys: Keys) -> KeySet:
    return KeySet.import_key_set(json.loads(keys.public_keys.read_text()))


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    keys = Keys.in_folder(tmp_path / "keys")
    keys.ensure()
    return keys


def test_a_token_holds_what_the_gateway_asks_for(keys: Keys) -> None:
    token = jwt.decode(a_token(keys), public_keys(keys), algorithms=["ES256"])
    assert token.header["typ"] == "at+jwt"
    assert token.header["kid"] == public_keys(keys).keys[0].kid
    claims = token.claims
    assert claims["exp"] > claims["iat"]
    assert {name: claims[name] for name in ("iss", "aud", "sub", "tenant_id", "roles")} == {
        "iss": "https://issuer",
        "aud": "api",
        "sub": "user_001",
        "tenant_id": "demo",
        "roles": ["creator"],
    }
    assert claims["jti"] != jwt.decode(a_token(keys), public_keys(keys), algorithms=["ES256"]).claims["jti"]


def test_another_stack_does_not_trust_it(keys: Keys, tmp_path: Path) -> None:
    other = Keys.in_folder(tmp_path / "other")
    other.ensure()
    with pytest.raises(InvalidKeyIdError):
        jwt.decode(a_token(keys), public_keys(other), algorithms=["ES256"])


def test_keys_are_made_once_and_private_ones_are_private(keys: Keys) -> None:
    before = keys.signing_key.read_bytes(), keys.vault_keys.read_bytes()
    keys.ensure()
    assert (keys.signing_key.read_bytes(), keys.vault_keys.read_bytes()) == before
    for path in (keys.signing_key, keys.vault_keys):
        assert path.stat().st_mode & 0o777 == 0o600
    assert all("d" not in key for key in json.loads(keys.public_keys.read_text())["keys"])


def test_the_vault_key_has_256_bits(keys: Keys) -> None:
    vault = json.loads(keys.vault_keys.read_text())
    assert len(base64.b64decode(vault["keys"][vault["active"]])) == 32
