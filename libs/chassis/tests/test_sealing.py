import base64
import json
import os
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client import REGISTRY

from chassis.sealing import Keyring, SealingError


@pytest.fixture
def keyring() -> Keyring:
    return Keyring("k1", {"k1": os.urandom(32)})


def test_what_was_sealed_opens_in_its_context_only(keyring: Keyring) -> None:
    sealed = keyring.seal(b"whsec", "tenant", "endpoint")
    assert keyring.open(sealed, "tenant", "endpoint") == b"whsec"
    for other in (("tenant", "other"), ("other", "endpoint"), ("tenantendpoint", ""), ("tenant",)):
        with pytest.raises(SealingError):
            keyring.open(sealed, *other)


def test_what_does_not_open_is_counted(keyring: Keyring) -> None:
    before = REGISTRY.get_sample_value("sealing_refused_total")
    assert before is not None
    with pytest.raises(SealingError):
        keyring.open(keyring.seal(b"token", "tenant-1"), "tenant-2")
    assert REGISTRY.get_sample_value("sealing_refused_total") == before + 1


def test_every_bit_counts(keyring: Keyring) -> None:
    sealed = keyring.seal(b"s", "c")
    for index in range(len(sealed.ciphertext)):
        for bit in range(8):
            flipped = bytearray(sealed.ciphertext)
            flipped[index] ^= 1 << bit
            with pytest.raises(SealingError):
                keyring.open(replace(sealed, ciphertext=bytes(flipped)), "c")


def test_the_same_secret_never_looks_the_same(keyring: Keyring) -> None:
    assert keyring.seal(b"s", "c").ciphertext != keyring.seal(b"s", "c").ciphertext


def test_keys_change_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = {"k1": base64.b64encode(os.urandom(32)).decode()}
    path.write_text(json.dumps({"active": "k1", "keys": keys}))
    keyring = Keyring.from_file(path)
    old = keyring.seal(b"s", "c")
    keys["k2"] = base64.b64encode(os.urandom(32)).decode()
    fresh = tmp_path / "fresh"
    fresh.write_text(json.dumps({"active": "k2", "keys": keys}))
    fresh.replace(path)
    assert keyring.active == "k2"
    assert keyring.seal(b"s", "c").key_version == "k2"
    assert keyring.open(old, "c") == b"s"


@pytest.mark.parametrize("text", ["", "{}", '{"active": "k1", "keys": {}}', '{"active": "k1", "keys": {"k1": "AA=="}}'])
def test_no_key_file_no_keyring(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises(SealingError):
        Keyring.from_file(path)
