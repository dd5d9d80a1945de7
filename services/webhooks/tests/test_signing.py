"""Signatures, judged by others: the reference library, OpenSSL, Node's crypto, and a vector of another sender."""

import base64
import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from webhooks.domain.signing import Signer, signed_headers

ID = "msg_01KFT0A6C2E4G8J1M3P5R7T9VX"
BODY = '{"type":"social.post_published","data":{"text":"é 🚀"}}'.encode()

NODE = """
const crypto = require("node:crypto");
const {secret, publicKey, headers, body} = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const content = Buffer.concat([
  Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`), Buffer.from(body, "base64")]);
const key = Buffer.from(secret.replace("whsec_", ""), "base64");
const expected = "v1," + crypto.createHmac("sha256", key).update(content).digest("base64");
const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"),
  Buffer.from(publicKey.replace("whpk_", ""), "base64")]);
const verifier = crypto.createPublicKey({key: spki, format: "der", type: "spki"});
const parts = headers["webhook-signature"].split(" ");
const v1 = parts.some((part) => part === expected);
const v1a = parts.some((part) => part.startsWith("v1a,")
  && crypto.verify(null, content, verifier, Buffer.from(part.slice(4), "base64")));
console.log(JSON.stringify([v1, v1a]));
"""


NPM = """
const {Webhook} = require("standardwebhooks");
const {secrets, headers, body, flipped} = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const accepts = (secret, content) => {
  try { new Webhook(secret).verify(Buffer.from(content, "base64"), headers); return true; } catch { return false; }
};
console.log(JSON.stringify({
  accepted: secrets.map((secret) => accepts(secret, body)),
  flippedAccepted: flipped.filter((content) => accepts(secrets[0], content)).length,
}));
"""


def content_of(headers: dict[str, str], body: bytes) -> bytes:
    return b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))


def public_key(signer: Signer) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(signer.public_key.removeprefix("whpk_")))


def asymmetric(headers: dict[str, str]) -> bytes:
    return base64.b64decode(next(part for part in headers["webhook-signature"].split() if part.startswith("v1a,"))[4:])


def test_the_vectors_of_svix() -> None:
    """From its server's own tests: one key of each kind."""
    pair = base64.b64decode("6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==")
    signer = Signer(base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), pair[:32])
    body = b'{"test": 2432232314}'
    content = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330." + body
    assert signer.signatures(content) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==",
    )
    assert signer.public_key == f"whpk_{base64.b64encode(pair[32:]).decode()}"


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), st.text(max_size=300))
def test_others_accept_whatever_we_sign(shared: bytes, private: bytes, text: str) -> None:
    signer = Signer(shared, private)
    body = json.dumps({"text": text}).encode()
    headers = signed_headers(ID, datetime.now(UTC), body, (signer,))
    assert Webhook(signer.secret).verify(body.decode(), headers) == {"text": text}
    public_key(signer).verify(asymmetric(headers), content_of(headers, body))


def test_every_bit_counts() -> None:
    signer = Signer.generate()
    headers = signed_headers(ID, datetime.now(UTC), BODY, (signer,))
    judge, public, signature = Webhook(signer.secret), public_key(signer), asymmetric(headers)
    judge.verify(BODY, headers)
    for index in range(len(BODY) * 8):
        flipped = bytearray(BODY)
        flipped[index // 8] ^= 1 << index % 8
        with pytest.raises((WebhookVerificationError, UnicodeDecodeError)):
            judge.verify(bytes(flipped), headers)
        with pytest.raises(InvalidSignature):
            public.verify(signature, content_of(headers, bytes(flipped)))
    for name in ("webhook-id", "webhook-timestamp"):
        for index in range(len(headers[name])):
            for bit in range(7):
                changed = headers[name][:index] + chr(ord(headers[name][index]) ^ 1 << bit) + headers[name][index + 1 :]
                forged = {**headers, name: changed}
                with pytest.raises(WebhookVerificationError):
                    judge.verify(BODY, forged)
                with pytest.raises(InvalidSignature):
                    public.verify(signature, content_of(forged, BODY))
    for index in range(len(signature) * 8):
        flipped = bytearray(signature)
        flipped[index // 8] ^= 1 << index % 8
        with pytest.raises(InvalidSignature):
            public.verify(bytes(flipped), content_of(headers, BODY))


def test_during_an_overlap_each_secret_is_enough() -> None:
    signers = [Signer.generate() for _ in range(3)]
    headers = signed_headers(ID, datetime.now(UTC), BODY, signers)
    for signer in signers:
        Webhook(signer.secret).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(Signer.generate().secret).verify(BODY, headers)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_openssl_agrees(tmp_path: Path) -> None:
    signer = Signer.generate()
    headers = signed_headers(ID, datetime.now(UTC), BODY, (signer,))
    content, signature, key = tmp_path / "content", tmp_path / "signature", tmp_path / "key.der"
    content.write_bytes(content_of(headers, BODY))
    signature.write_bytes(asymmetric(headers))
    raw = base64.b64decode(signer.public_key.removeprefix("whpk_"))
    key.write_bytes(bytes.fromhex("302a300506032b6570032100") + raw)
    verify = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", str(key), "-rawin"]
    verify += ["-in", str(content), "-sigfile", str(signature)]
    assert subprocess.run(verify, capture_output=True, check=False).returncode == 0
    content.write_bytes(content.read_bytes() + b" ")
    assert subprocess.run(verify, capture_output=True, check=False).returncode != 0
    shared = base64.b64decode(signer.secret.removeprefix("whsec_")).hex()
    content.write_bytes(content_of(headers, BODY))
    digest = ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{shared}", "-binary", str(content)]
    made = subprocess.run(digest, capture_output=True, check=True).stdout
    assert f"v1,{base64.b64encode(made).decode()}" in headers["webhook-signature"].split()


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_node_agrees() -> None:
    signer = Signer.generate()
    headers = signed_headers(ID, datetime.now(UTC), BODY, (signer,))

    def judged(body: bytes) -> object:
        given = {
            "secret": signer.secret,
            "publicKey": signer.public_key,
            "headers": headers,
            "body": base64.b64encode(body).decode(),
        }
        done = subprocess.run(["node", "-e", NODE], input=json.dumps(given), capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    assert judged(BODY) == [True, True]
    assert judged(BODY + b" ") == [False, False]


@pytest.fixture(scope="module")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which Node finds the standard's own library for it, as locked beside this file."""
    if shutil.which("npm") is None:
        pytest.skip("needs npm")
    folder = tmp_path_factory.mktemp("npm")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(Path(__file__).parent / "npm" / name, folder)
    install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=20000"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    if any(code in done.stderr for code in ("ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN")):
        pytest.skip("the registry of npm does not answer")
    assert done.returncode == 0, done.stderr
    return folder


def test_the_library_from_npm_agrees_and_refuses_every_flipped_bit(npm: Path) -> None:
    signers = [Signer.generate(), Signer.generate()]
    headers = signed_headers(ID, datetime.now(UTC), BODY, signers)
    flipped = [bytearray(BODY) for _ in range(len(BODY) * 8)]
    for index, each in enumerate(flipped):
        each[index // 8] ^= 1 << index % 8
    given = {
        "secrets": [signer.secret for signer in (*signers, Signer.generate())],
        "headers": headers,
        "body": base64.b64encode(BODY).decode(),
        "flipped": [base64.b64encode(each).decode() for each in flipped],
    }
    done = subprocess.run(
        ["node", "-e", NPM], cwd=npm, input=json.dumps(given), capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {"accepted": [True, True, False], "flippedAccepted": 0}


def test_secrets_are_of_the_length_that_the_standard_allows_and_do_not_show() -> None:
    signer = Signer.generate()
    assert 24 <= len(base64.b64decode(signer.secret.removeprefix("whsec_"))) <= 64
    assert signer.secret not in repr(signer)
    assert Signer.from_bytes(signer.to_bytes()) == signer
