"""Signatures that ``ssh-keygen -Y sign`` makes, checked as OpenSSH's PROTOCOL.sshsig and PROTOCOL.u2f describe them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NAMESPACE = "ztgrade-register"
"""What ``ssh-keygen -Y sign -n`` must be given: a signature made for anything else is none of an entry."""

BEGIN, END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
SMALLEST_RSA = 2048

_MAGIC = b"SSHSIG"
_ED25519, _RSA = "ssh-ed25519", "ssh-rsa"
_SK_ED25519, _SK_ECDSA = "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"
_CURVES: dict[str, tuple[ec.EllipticCurve, HashAlgorithm]] = {
    "nistp256": (ec.SECP256R1(), SHA256()),
    "nistp384": (ec.SECP384R1(), SHA384()),
    "nistp521": (ec.SECP521R1(), SHA512()),
}
_RSA_HASHES: dict[str, HashAlgorithm] = {"rsa-sha2-256": SHA256(), "rsa-sha2-512": SHA512()}
_USER_PRESENT = 0x01

PublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class SshFault(ValueError):
    """What is wrong with a key or a signature, to be told with its place."""


@dataclass(frozen=True)
class SshKey:
    """A public key: its kind, its bytes in the form of SSH, and the application that a security key was made for."""

    kind: str
    blob: bytes
    key: PublicKey
    application: bytes = b""

    @property
    def identity(self) -> str:
        """SHA-256 of the bare key in hex; the same key has the same whatever form it is written in."""
        return key_identity(self.key)


def key_identity(key: PublicKey) -> str:
    """SHA-256 in hex over the SubjectPublicKeyInfo of a key."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def read_key(line: str) -> SshKey:
    """A public key from a line as it stands in ``id_ed25519.pub``; raises SshFault."""
    if "PRIVATE KEY" in line:
        raise SshFault("a private key where a public key belongs; take it away and give the line of the .pub file")
    words = line.split()
    if len(words) < 2 or "\n" in line.strip():
        raise SshFault("is not a public key of SSH: expected one line like 'ssh-ed25519 AAAA... name'")
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        raise SshFault("is not a public key of SSH: its second word is not base64") from None
    found = _key(blob)
    if found.kind != words[0]:
        raise SshFault(f"says {words[0]!r}, but the key is {found.kind!r}")
    return found


def verify_signature(armored: bytes, message: bytes, key: SshKey) -> None:
    """Raise SshFault unless the key signed exactly this message for the namespace of the registers."""
    blob = _Reader(_unarmored(armored))
    if blob.take(len(_MAGIC)) != _MAGIC or blob.number() != 1:
        raise SshFault("is not an SSH signature of version 1")
    signer, namespace, reserved = blob.string(), blob.string(), blob.string()
    algorithm, signature = blob.string(), _Reader(blob.string())
    blob.end()
    if namespace != NAMESPACE.encode():
        shown = namespace.decode("utf-8", "replace")
        raise SshFault(f"was made for {shown!r}, not for {NAMESPACE!r}: ssh-keygen -Y sign -n {NAMESPACE}")
    if algorithm not in (b"sha256", b"sha512"):
        shown = algorithm.decode("utf-8", "replace")
        raise SshFault(f"hashes with {shown!r}; only sha256 and sha512 are taken")
    if signer != key.blob:
        raise SshFault("was made by another key than the approver's")
    digest = hashlib.new(algorithm.decode(), message).digest()
    signed = _MAGIC + b"".join(_packed(part) for part in (namespace, reserved, algorithm, digest))
    try:
        _verify(key, signature, signed)
    except InvalidSignature:
        raise SshFault("does not hold: what was signed is something else, or the signature was edited") from None


def _verify(key: SshKey, signature: _Reader, signed: bytes) -> None:
    kind, value = signature.string().decode("utf-8", "replace"), signature.string()
    if key.kind in (_SK_ED25519, _SK_ECDSA):
        flags, counter = signature.take(1), signature.take(4)
        if not flags[0] & _USER_PRESENT:
            raise SshFault("was made without anybody touching the security key")
        signed = (
            hashlib.sha256(key.application).digest() + flags + counter + hashlib.sha256(signed).digest()
        )  # what a FIDO authenticator signs
    signature.end()
    if isinstance(key.key, rsa.RSAPublicKey):
        if kind not in _RSA_HASHES:
            raise SshFault(f"is of kind {kind!r}; an RSA key signs with rsa-sha2-256 or rsa-sha2-512, never with SHA-1")
        key.key.verify(value, signed, padding.PKCS1v15(), _RSA_HASHES[kind])
        return
    if kind != key.kind:
        raise SshFault(f"is of kind {kind!r}, the key of kind {key.kind!r}")
    if isinstance(key.key, Ed25519PublicKey):
        key.key.verify(value, signed)
        return
    numbers = _Reader(value)
    r, s = (int.from_bytes(numbers.string(), "big", signed=True) for _ in range(2))
    numbers.end()
    if r <= 0 or s <= 0:
        raise InvalidSignature
    key.key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(_hash_of(key.key)))


def _hash_of(key: ec.EllipticCurvePublicKey) -> HashAlgorithm:
    (found,) = [hashing for curve, hashing in _CURVES.values() if curve.name == key.curve.name]
    return found


def _key(blob: bytes) -> SshKey:
    parts = _Reader(blob)
    kind = parts.string().decode("utf-8", "replace")
    application = b""
    try:
        if kind in (_ED25519, _SK_ED25519):
            key: PublicKey = Ed25519PublicKey.from_public_bytes(parts.string())
        elif kind == _RSA:
            exponent, modulus = (int.from_bytes(parts.string(), "big", signed=True) for _ in range(2))
            key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
            if key.key_size < SMALLEST_RSA:
                raise SshFault(f"an RSA key of {key.key_size} bits; at least {SMALLEST_RSA} are asked for")
        elif kind == _SK_ECDSA or kind.startswith("ecdsa-sha2-"):
            name = parts.string().decode("utf-8", "replace")
            if name not in _CURVES or name != ("nistp256" if kind == _SK_ECDSA else kind.removeprefix("ecdsa-sha2-")):
                raise SshFault(f"a key on the curve {name!r} of kind {kind!r} is not taken")
            key = ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[name][0], parts.string())
        else:
            raise SshFault(f"keys of kind {kind!r} are not taken; expected Ed25519, ECDSA or RSA, certificates aside")
        if kind in (_SK_ED25519, _SK_ECDSA):
            application = parts.string()
    except SshFault:
        raise
    except ValueError as error:
        raise SshFault(f"is not a sound key of kind {kind!r}: {error}") from None
    parts.end()
    return SshKey(kind, blob, key, application)


def _unarmored(armored: bytes) -> bytes:
    text = armored.decode("ascii", "replace").replace("\r\n", "\n").strip()
    found = re.fullmatch(f"{BEGIN}\n([A-Za-z0-9+/=\n]+)\n{END}", text)
    try:
        if found is None:
            raise ValueError
        return base64.b64decode(found[1].replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        raise SshFault("is not the file that ssh-keygen -Y sign makes") from None


def _packed(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part


class _Reader:
    """Reads the wire format of SSH (RFC 4251, section 5); raises SshFault where it ends too soon or too late."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def take(self, n: int) -> bytes:
        """The next ``n`` bytes."""
        if n > len(self._content) - self._at:
            raise SshFault("is cut off")
        self._at += n
        return self._content[self._at - n : self._at]

    def number(self) -> int:
        """An unsigned number of four bytes."""
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        """Bytes with their length before them."""
        return self.take(self.number())

    def end(self) -> None:
        """Nothing may follow."""
        if self._at != len(self._content):
            raise SshFault("holds more than it should")
