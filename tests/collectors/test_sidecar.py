from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from collectors import sidecar
from scanner.errors import Malformed
from tests.collectors.stage import census, key_pair, ndjson, statement, user

DATA = ndjson([user(1), user(2)])
PAYLOAD = statement(census("User", ["user:corp:0001", "user:corp:0002"]))


def test_what_is_signed_is_read_back_with_rows_and_digest_of_the_file() -> None:
    private, public = key_pair()
    stated = sidecar.verify(sidecar.sign(DATA, PAYLOAD, private), public)
    assert stated.rows == 2
    assert stated.file_sha256 == hashlib.sha256(DATA).hexdigest()
    assert stated.censuses[0].n == 2
    assert stated.period.start == "2026-11-01"


def test_the_envelope_is_dsse() -> None:
    private, _ = key_pair()
    envelope = json.loads(sidecar.sign(DATA, PAYLOAD, private))
    assert envelope.keys() == {"payload", "payloadType", "signatures"}
    assert envelope["payloadType"] == "application/vnd.ztgrade.census+json"


def test_equal_input_gives_equal_bytes() -> None:
    private, _ = key_pair()
    assert sidecar.sign(DATA, PAYLOAD, private) == sidecar.sign(DATA, dict(reversed(PAYLOAD.items())), private)


def test_another_key_an_altered_payload_and_an_altered_type_are_refused() -> None:
    private, public = key_pair()
    signed = sidecar.sign(DATA, PAYLOAD, private)
    with pytest.raises(Malformed, match="no signature"):
        sidecar.verify(signed, key_pair()[1])
    envelope = json.loads(signed)
    payload = json.loads(base64.b64decode(envelope["payload"])) | {"rows": 3}
    altered = envelope | {"payload": base64.b64encode(json.dumps(payload).encode()).decode()}
    with pytest.raises(Malformed, match="no signature"):
        sidecar.verify(json.dumps(altered).encode(), public)
    with pytest.raises(Malformed, match="payload type"):
        sidecar.verify(json.dumps(envelope | {"payloadType": "text/plain"}).encode(), public)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b'{"payload": 1}', b"\xff", b"[" * 100_000])
def test_what_is_no_envelope_is_malformed(content: bytes) -> None:
    with pytest.raises(Malformed):
        sidecar.verify(content, key_pair()[1])


def test_a_key_on_p256_signs_too_and_rsa_does_not() -> None:
    def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
        return key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert sidecar.verify(sidecar.sign(DATA, PAYLOAD, pem(key)), public).rows == 2
    with pytest.raises(Malformed, match="Ed25519"):
        sidecar.sign(DATA, PAYLOAD, pem(rsa.generate_private_key(65537, 2048)))
    with pytest.raises(Malformed, match="PEM"):
        sidecar.sign(DATA, PAYLOAD, b"not a key")
    with pytest.raises(Malformed, match="PEM"):
        sidecar.verify(sidecar.sign(DATA, PAYLOAD, pem(key)), b"not a key")


@pytest.mark.parametrize(
    "change",
    [
        {"as_of": "2026-11-20T00:00:00"},
        {"censuses": [{"fact": "User", "query": "", "n": -1, "digest": "0" * 64}]},
        {"censuses": [{"fact": "User", "query": "", "n": 1, "digest": "0"}]},
        {"schema_version": 2},
        {"rows": "2"},
    ],
)
def test_a_statement_of_another_form_is_not_signed(change: dict[str, object]) -> None:
    with pytest.raises(Malformed, match="form"):
        sidecar.sign(DATA, statement(**change), key_pair()[0])


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"", 0),
        (b"\n\n", 0),
        (DATA, 2),
        (DATA + b"\n", 2),
        (DATA.rstrip(), 2),
        (b"asset,observed_at\n", 0),
        (b'\xef\xbb\xbfasset,observed_at\r\n"a\nb",c\r\n\r\nd,e', 2),
    ],
)
def test_rows_are_counted_in_both_forms(data: bytes, rows: int) -> None:
    assert sidecar.count_rows(data) == rows


def test_the_sidecar_is_written_beside_its_file(tmp_path: Path) -> None:
    file = tmp_path / "User.ndjson"
    file.write_bytes(DATA)
    private, public = key_pair()
    written = sidecar.write_beside(file, PAYLOAD, private)
    assert written.name == "User.ndjson.census.dsse.json"
    assert sidecar.verify(written.read_bytes(), public).rows == 2
