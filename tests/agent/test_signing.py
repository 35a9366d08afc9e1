"""Signatures by the distribution's own program, and by the key process where that does not give one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agent import keys, signing
from agent.errors import Misconfigured
from agent.signing import KeyProcess

FALSE = shutil.which("false") or ""
TRUE = shutil.which("true") or ""


def made(folder: Path) -> tuple[Path, ec.EllipticCurvePublicKey]:
    path = folder / f"{keys.make(str(folder))}.pem"
    private = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return path, private.public_key()


def signs(path: Path, public: ec.EllipticCurvePublicKey) -> None:
    content = b"bytes \x00\xff\n" * 100
    public.verify(KeyProcess().sign(path, content), content, ec.ECDSA(hashes.SHA256()))


def never(*given: object, **named: object) -> bytes:
    raise AssertionError("the key process was asked")


@pytest.mark.skipif(not Path(signing.OPENSSL).exists(), reason="no openssl: it comes with ca-certificates")
def test_openssl_signs_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, public = made(tmp_path)
    monkeypatch.setattr(signing, "ask", never)
    signs(path, public)


@pytest.mark.parametrize("program", ["/nowhere/openssl", FALSE, TRUE])
def test_the_key_process_signs_where_openssl_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    path, public = made(tmp_path)
    monkeypatch.setattr(signing, "OPENSSL", program)
    signs(path, public)


def test_a_key_that_others_may_read_signs_nothing(tmp_path: Path) -> None:
    path, _ = made(tmp_path)
    path.chmod(0o640)
    with pytest.raises(Misconfigured, match=r"may (use|be used)"):
        KeyProcess().sign(path, b"x")


def test_keys_of_other_kinds_sign_nothing(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    for curve, lock in (
        (ec.SECP384R1(), serialization.NoEncryption()),
        (ec.SECP256R1(), serialization.BestAvailableEncryption(b"word")),
    ):
        private = ec.generate_private_key(curve)
        path.write_bytes(private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock))
        path.chmod(0o600)
        with pytest.raises(Misconfigured):
            KeyProcess().sign(path, b"x")
    path.unlink()
    with pytest.raises(Misconfigured):
        KeyProcess().sign(path, b"x")


def test_only_two_numbers_in_a_sequence_are_a_signature() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    for number in range(20):  # some have a number of 32 bytes and some of 33
        whole = key.sign(b"%d" % number, ec.ECDSA(hashes.SHA256()))
        assert signing.is_signature(whole)
        assert not any(signing.is_signature(whole[:end]) for end in range(len(whole)))
    for other in (
        b"0" * 64,
        whole + b"\x00",
        b"\x30\x00",
        b"\x30\x02\x02\x00",
        b"\x30\x03\x02\x01\x01",
        b"\x31" + whole[1:],
    ):
        assert not signing.is_signature(other)
    assert not signing.is_signature(b"\x30\x48" + b"\x02\x22" + b"\x01" * 34 + b"\x02\x22" + b"\x01" * 34)
