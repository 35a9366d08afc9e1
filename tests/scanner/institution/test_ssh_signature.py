"""What the real ssh-keygen signs is taken, and nothing that only resembles it."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from scanner.institution.ssh_signature import (
    BEGIN,
    END,
    NAMESPACE,
    PublicKey,
    SshFault,
    SshKey,
    key_identity,
    read_key,
    verify_signature,
)

MESSAGE = '{"entry":{"statement":"全部入口"}}'.encode()
KINDS = [("ed25519", 0), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521), ("rsa", 2048)]

needs_ssh = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="no ssh-keygen: make lab-deps installs it, as root"
)


def made(home: Path, kind: str = "ed25519", bits: int = 0) -> Path:
    """A new key pair of the real ssh-keygen."""
    path = home / f"id_{kind}_{bits}"
    size = ["-b", str(bits)] if bits else []
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-C", "chang", "-f", str(path)], check=True)
    return path


def key_of(path: Path) -> SshKey:
    return read_key(path.with_name(path.name + ".pub").read_text())


def signed(path: Path, message: bytes = MESSAGE, namespace: str = NAMESPACE, *options: str) -> bytes:
    """What ``ssh-keygen -Y sign`` makes of the message."""
    place = path.with_name("message")
    place.write_bytes(message)
    place.with_name("message.sig").unlink(missing_ok=True)
    command = ["ssh-keygen", "-Y", "sign", "-q", "-n", namespace, "-f", str(path), *options, str(place)]
    subprocess.run(command, check=True, capture_output=True)
    return place.with_name("message.sig").read_bytes()


@needs_ssh
@pytest.mark.parametrize(("kind", "bits"), KINDS)
@pytest.mark.parametrize("hashing", ["sha512", "sha256"])
def test_every_kind_of_key_is_taken_and_only_for_its_message(
    tmp_path: Path, kind: str, bits: int, hashing: str
) -> None:
    path = made(tmp_path, kind, bits)
    signature = signed(path, MESSAGE, NAMESPACE, "-O", f"hashalg={hashing}")
    verify_signature(signature, MESSAGE, key_of(path))
    verify_signature(signature.replace(b"\n", b"\r\n"), MESSAGE, key_of(path))
    with pytest.raises(SshFault, match="does not hold"):
        verify_signature(signature, MESSAGE + b" ", key_of(path))


@needs_ssh
def test_a_signature_made_for_something_else_or_by_another_is_refused(tmp_path: Path) -> None:
    path, other = made(tmp_path), made(tmp_path, "ecdsa", 256)
    with pytest.raises(SshFault, match=f"was made for 'file', not for '{NAMESPACE}'"):
        verify_signature(signed(path, MESSAGE, "file"), MESSAGE, key_of(path))
    with pytest.raises(SshFault, match="another key than the approver's"):
        verify_signature(signed(other), MESSAGE, key_of(path))


@needs_ssh
def test_any_edited_byte_ends_a_signature(tmp_path: Path) -> None:
    path = made(tmp_path)
    blob = base64.b64decode(b"".join(signed(path).splitlines()[1:-1]))
    key = key_of(path)
    for place in range(len(blob)):
        edited = blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1 :]
        with pytest.raises(SshFault):
            verify_signature(armored(edited), MESSAGE, key)
    for end in range(len(blob)):
        with pytest.raises(SshFault):
            verify_signature(armored(blob[:end]), MESSAGE, key)
    with pytest.raises(SshFault, match="more than it should"):
        verify_signature(armored(blob + b"\0"), MESSAGE, key)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"{}", b"-----BEGIN SSH SIGNATURE-----\n*\n-----END SSH SIGNATURE-----"]
)
def test_what_is_no_signature_file_is_refused(content: bytes) -> None:
    with pytest.raises(SshFault, match="is not the file that ssh-keygen -Y sign makes"):
        verify_signature(content, MESSAGE, plain_key())


# Keys and signatures packed here, for what ssh-keygen does not make any more, or only with a device at hand.


def packed(*parts: bytes | str) -> bytes:
    given = [part.encode() if isinstance(part, str) else part for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in given)


def armored(blob: bytes) -> bytes:
    return f"{BEGIN}\n{base64.b64encode(blob).decode()}\n{END}\n".encode()


def line(kind: str, blob: bytes) -> str:
    return f"{kind} {base64.b64encode(blob).decode()} chang"


def signature_file(key: SshKey, inner: bytes, hashing: str = "sha512") -> bytes:
    return armored(b"SSHSIG" + (1).to_bytes(4, "big") + packed(key.blob, NAMESPACE, "", hashing, inner))


def to_sign(hashing: str = "sha512") -> bytes:
    return b"SSHSIG" + packed(NAMESPACE, "", hashing, hashlib.new(hashing, MESSAGE).digest())


SECRET = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def plain_key() -> SshKey:
    public = SECRET.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return read_key(line("ssh-ed25519", packed("ssh-ed25519", public)))


def test_sha1_is_refused_wherever_it_stands(tmp_path: Path) -> None:
    key = plain_key()
    inner = packed("ssh-ed25519", SECRET.sign(to_sign("sha1")))
    with pytest.raises(SshFault, match="hashes with 'sha1'"):
        verify_signature(signature_file(key, inner, "sha1"), MESSAGE, key)


@needs_ssh
def test_an_rsa_key_does_not_sign_with_sha1(tmp_path: Path) -> None:
    key = key_of(made(tmp_path, "rsa", 2048))
    with pytest.raises(SshFault, match="never with SHA-1"):
        verify_signature(signature_file(key, packed("ssh-rsa", b"x" * 256)), MESSAGE, key)


@needs_ssh
def test_small_rsa_keys_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SshFault, match="1024 bits"):
        key_of(made(tmp_path, "rsa", 1024))


APPLICATION = "ssh:"


def device_signature(kind: str, secret: Ed25519PrivateKey | ec.EllipticCurvePrivateKey, flags: int) -> bytes:
    """What a security key signs, in the form of PROTOCOL.u2f."""
    counter = (7).to_bytes(4, "big")
    message = hashlib.sha256(APPLICATION.encode()).digest() + bytes([flags]) + counter
    message += hashlib.sha256(to_sign()).digest()
    if isinstance(secret, Ed25519PrivateKey):
        value = secret.sign(message)
    else:
        r, s = decode_dss_signature(secret.sign(message, ec.ECDSA(SHA256())))
        value = packed(r.to_bytes(33, "big"), s.to_bytes(33, "big"))
    return packed(kind, value) + bytes([flags]) + counter


@pytest.mark.parametrize("kind", ["sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"])
def test_security_keys_are_taken_when_somebody_touched_them(kind: str) -> None:
    secret: Ed25519PrivateKey | ec.EllipticCurvePrivateKey = SECRET
    point = SECRET.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    middle: tuple[bytes | str, ...] = (point,)
    if "ecdsa" in kind:
        secret = ec.derive_private_key(7, ec.SECP256R1())
        middle = ("nistp256", secret.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
    key = read_key(line(kind, packed(kind, *middle, APPLICATION)))
    verify_signature(signature_file(key, device_signature(kind, secret, 1)), MESSAGE, key)
    with pytest.raises(SshFault, match="without anybody touching"):
        verify_signature(signature_file(key, device_signature(kind, secret, 4)), MESSAGE, key)
    other = read_key(line(kind, packed(kind, *middle, "ssh:other")))
    with pytest.raises(SshFault, match="does not hold"):
        verify_signature(signature_file(other, device_signature(kind, secret, 1)), MESSAGE, other)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a public key of SSH"),
        ("ssh-ed25519", "is not a public key of SSH"),
        ("ssh-ed25519 ***", "is not base64"),
        ("ssh-ed25519 AAAA", "is cut off"),
        (line("ssh-rsa", packed("ssh-ed25519", b"x" * 32)), "says 'ssh-rsa', but the key is 'ssh-ed25519'"),
        (line("ssh-ed25519", packed("ssh-ed25519", b"short")), "is not a sound key of kind 'ssh-ed25519'"),
        (line("ssh-dss", packed("ssh-dss", b"x")), "keys of kind 'ssh-dss' are not taken"),
        (line("ecdsa-sha2-nistp256", packed("ecdsa-sha2-nistp256", "nistp384", b"x")), "is not taken"),
        (line("ecdsa-sha2-nistp256", packed("ecdsa-sha2-nistp256", "nistp256", b"x")), "is not a sound key"),
        (line("ssh-ed25519", packed("ssh-ed25519", b"x" * 32, b"more")), "more than it should"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA", "a private key where a public key belongs"),
    ],
)
def test_what_is_wrong_with_a_key_is_told(text: str, said: str) -> None:
    with pytest.raises(SshFault, match=said):
        read_key(text)


def test_a_key_is_the_same_in_either_form() -> None:
    pem = SECRET.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    loaded = load_pem_public_key(pem)
    assert isinstance(loaded, PublicKey)
    assert plain_key().identity == key_identity(loaded)
