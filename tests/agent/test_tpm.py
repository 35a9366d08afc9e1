from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.tpm import endorsement_key_digest
from tests.agent.recorded import DEBIAN_LAPTOP, RecordedHost
from tests.agent.recorded_tpm import AUTH_READ, CERTIFICATE, OWNER_READ, PUBLIC_KEY, tpm

RSA, P256, P384_HIGH = 0x01C00002, 0x01C0000A, 0x01C00016
DIGEST = hashlib.sha256(PUBLIC_KEY).hexdigest()


def host(**given: Any) -> RecordedHost:
    return DEBIAN_LAPTOP.changed(devices={"/dev/tpmrm0": tpm(**given)})


def test_the_key_of_a_real_certificate_is_found() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "TPM maker")])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(begin).not_valid_after(begin + timedelta(days=9000))
    certificate = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert endorsement_key_digest(host(places={P256: certificate})) == hashlib.sha256(public).hexdigest()


@pytest.mark.parametrize("attributes", [AUTH_READ, OWNER_READ])
@pytest.mark.parametrize("largest", [7, 512])
def test_a_certificate_is_read_in_pieces_by_whoever_may(attributes: int, largest: int) -> None:
    found = endorsement_key_digest(host(places={RSA: CERTIFICATE}, attributes=attributes, largest=largest))
    assert found == DIGEST


def test_padding_after_a_certificate_and_a_policy_before_it_do_no_harm() -> None:
    padded = CERTIFICATE + b"\xff" * 200
    assert endorsement_key_digest(host(places={P384_HIGH: padded}, policy=b"p" * 32)) == DIGEST


def test_a_tpm_without_a_certificate_has_no_key() -> None:
    assert endorsement_key_digest(host(places={})) is None


def test_the_first_place_counts() -> None:
    assert endorsement_key_digest(host(places={RSA: CERTIFICATE, P256: b"\x30\x03\x02\x01\x01"})) == DIGEST


@pytest.mark.parametrize("length", [*range(1, 40), len(CERTIFICATE) - 300])
def test_a_certificate_that_is_cut_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="cut"):
        endorsement_key_digest(host(places={RSA: CERTIFICATE[:length]}))


def test_an_answer_that_is_cut_anywhere_is_refused() -> None:
    whole = tpm({RSA: CERTIFICATE})
    for length in range(60):
        cut = DEBIAN_LAPTOP.changed(devices={"/dev/tpmrm0": lambda message, length=length: whole(message)[:length]})
        with pytest.raises(ValueError, match="cut"):
            endorsement_key_digest(cut)
