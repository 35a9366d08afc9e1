"""The private key and the process that alone uses it."""

from __future__ import annotations

import hashlib
import stat
import subprocess
import sys
import sysconfig
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import keys
from agent.errors import Misconfigured
from agent.signing import KeyProcess, verified
from tests.agent.fleet_double import Authority, spki_digest

ROOT = Path(__file__).resolve().parents[2]
P256 = ec.SECP256R1()


def made(folder: Path) -> tuple[Path, ec.EllipticCurvePublicKey]:
    path = folder / f"{keys.make(str(folder))}.pem"
    private = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return path, private.public_key()


def test_the_key_process_does_all_that_the_agent_asks(tmp_path: Path) -> None:
    process = KeyProcess()
    key_id = process.make(tmp_path)
    path = tmp_path / f"{key_id}.pem"
    request = x509.load_pem_x509_csr(process.request(path).encode())
    public = request.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert request.is_signature_valid and spki_digest(public) == key_id
    public.verify(process.sign(path, b"bytes \x00\xff"), b"bytes \x00\xff", ec.ECDSA(hashes.SHA256()))
    authority, now = Authority(), datetime.now(UTC).replace(microsecond=0)
    certificate = authority.sign(public, now, now + timedelta(days=1))
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    assert process.read(path, pem, authority.pem).not_after == now + timedelta(days=1)
    assert process.anchor(authority.pin, pem + authority.pem).strip() == authority.pem.strip()
    with pytest.raises(Misconfigured, match="token names"):
        process.anchor("0" * 64, authority.pem)


def test_a_key_is_for_its_owner_alone_and_of_the_standard_form(tmp_path: Path) -> None:
    path, public = made(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stem == spki_digest(public)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("form", ["PKCS8", "TraditionalOpenSSL"])
def test_keys_of_both_usual_forms_sign(tmp_path: Path, form: str) -> None:
    for _ in range(20):
        private = ec.generate_private_key(P256)
        path = tmp_path / "key.pem"
        encoding = getattr(serialization.PrivateFormat, form)
        path.write_bytes(private.private_bytes(serialization.Encoding.PEM, encoding, serialization.NoEncryption()))
        path.chmod(0o600)
        private.public_key().verify(keys.sign(str(path), b"x"), b"x", ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\n", b"AAAA", b"\xff\xfe", b"MHcCAQEEI"])
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ValueError):
        keys.sign(str(path), b"x")


def test_a_key_of_another_curve_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    private = ec.generate_private_key(ec.SECP384R1())
    path.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    path.chmod(0o600)
    with pytest.raises(ValueError, match="no P-256 key"):
        keys.sign(str(path), b"x")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path, _ = made(tmp_path)
    path.chmod(mode)
    with pytest.raises(ValueError, match="chmod 600"):
        keys.sign(str(path), b"x")


def test_a_link_to_a_key_is_refused(tmp_path: Path) -> None:
    path, _ = made(tmp_path)
    (tmp_path / "link.pem").symlink_to(path)
    with pytest.raises(OSError):
        keys.sign(str(tmp_path / "link.pem"), b"x")


def test_a_certificate_for_another_key_or_by_another_authority_is_refused(tmp_path: Path) -> None:
    path, public = made(tmp_path)
    _, other = made(tmp_path)
    authority, stranger, now = Authority(), Authority(), datetime.now(UTC)
    end = now + timedelta(days=1)

    def pem(by: Authority, key: ec.EllipticCurvePublicKey) -> str:
        return by.sign(key, now, end).public_bytes(serialization.Encoding.PEM).decode()

    with pytest.raises(ValueError, match="another key"):
        keys.read(str(path), {"certificate": pem(authority, other), "chain": authority.pem})
    with pytest.raises(ValueError, match="signature of its issuer"):
        keys.read(str(path), {"certificate": pem(stranger, public), "chain": authority.pem})
    with pytest.raises(ValueError, match="issuer"):
        keys.read(str(path), {"certificate": pem(authority, public), "chain": ""})


def test_the_resident_process_never_loads_the_library_of_keys() -> None:
    code = (
        f"import sys; sys.path[:0] = {[str(ROOT), sysconfig.get_paths()['purelib']]!r}\n"
        "import agent.cli, agent.signing, agent.resident\n"
        "print('cryptography' in sys.modules, 'agent.keys' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_secrets_never_stand_in_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    real = subprocess.run

    def watched(argv: list[str], **named: Any) -> Any:
        seen.append(argv)
        return real(argv, **named)

    monkeypatch.setattr(subprocess, "run", watched)
    process = KeyProcess()
    path = tmp_path / f"{process.make(tmp_path)}.pem"
    process.sign(path, b"what is signed")
    text = path.read_text().splitlines()[1]
    assert len(seen) == 2
    assert all(text not in word and "what is signed" not in word for argv in seen for word in argv)
    assert hashlib.sha256(path.read_bytes()).hexdigest() not in str(seen)


def public_pem(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form)


def test_a_signature_is_verified_by_either_kind_of_key_and_by_no_other(tmp_path: Path) -> None:
    elliptic, edwards = ec.generate_private_key(P256), Ed25519PrivateKey.generate()
    (tmp_path / "ec").write_bytes(public_pem(elliptic))
    (tmp_path / "ed").write_bytes(public_pem(edwards))
    by_elliptic = elliptic.sign(b"told", ec.ECDSA(hashes.SHA256()))
    assert verified(tmp_path / "ec", b"told", by_elliptic) == spki_digest(elliptic.public_key())
    assert len(verified(tmp_path / "ed", b"told", edwards.sign(b"told"))) == 64
    with pytest.raises(Misconfigured, match="not by the key"):
        verified(tmp_path / "ec", b"other", by_elliptic)
    with pytest.raises(Misconfigured, match="not by the key"):
        verified(tmp_path / "ed", b"told", by_elliptic)
    (tmp_path / "none").write_bytes(b"no key")
    with pytest.raises(Misconfigured, match="no public key in PEM"):
        verified(tmp_path / "none", b"told", by_elliptic)


def test_the_key_process_asks_for_nothing_that_the_cryptography_of_debian_12_lacks() -> None:
    """That is 38.0; the names came with 39, 40 and 42."""
    source = (ROOT / "agent" / "keys.py").read_text("utf-8")
    newer = ("load_pem_x509_certificates", "verify_directly_issued_by", ".not_valid_before_utc", ".not_valid_after_utc")
    assert [name for name in newer if name in source] == []
