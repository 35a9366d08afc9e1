"""Signing and checking of DSSE envelopes, and the key that a store signs with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import Error, UnverifiedSignatureError
from securesystemslib.signer import Signature, SSlibKey  # type: ignore[attr-defined]

from scanner.errors import SealError, StoreError
from scanner.sealed.canonical import canonical_json, sha256_hex
from scanner.sealed.disk import make_private, open_to_others, place_private, translated

PRIVATE_KEY = "sealing.pem"
PUBLIC_KEY = "sealing.pub.pem"
_PUBLIC_FIELD = "public_key"
_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)


class Signer(Protocol):
    """Holds a private key somewhere and signs with it: a file today, a token or a key service later."""

    @property
    def key_id(self) -> str:
        """Identity of the key: 64 hex digits, computed from the public key."""

    @property
    def public_pem(self) -> bytes:
        """The public key as PEM (SubjectPublicKeyInfo)."""

    def sign(self, message: bytes) -> bytes:
        """The raw signature over the message; raises StoreError where the key cannot be used."""


def _public_key(pem: bytes) -> SSlibKey:
    try:
        return SSlibKey.from_crypto(load_pem_public_key(pem))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SealError(["the public key is not a PEM of an Ed25519, ECDSA or RSA key"]) from error


def key_id(public_pem: bytes) -> str:
    """Identity of a public key, 64 hex digits; raises SealError where the PEM holds none."""
    return str(_public_key(public_pem).keyid)


def trusted_keys(trust: bytes) -> tuple[bytes, ...]:
    """The public keys in a PEM file, which may hold several, old ones after a rotation; raises SealError for none."""
    keys = tuple(found.group(0) + b"\n" for found in _PEM.finditer(trust))
    if not keys:
        raise SealError(["the trusted key file holds no PEM public key; export one with its owner"])
    for pem in keys:
        _public_key(pem)
    return keys


class FileSigner:
    """An Ed25519 key in a PEM file that only its owner may read."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._public_pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self._key_id = key_id(self._public_pem)

    def __repr__(self) -> str:
        return f"FileSigner({self._key_id[:16]})"

    @property
    def key_id(self) -> str:
        """Identity of the key, 64 hex digits."""
        return self._key_id

    @property
    def public_pem(self) -> bytes:
        """The public key as PEM."""
        return self._public_pem

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the Ed25519 signature."""
        return self._key.sign(message)

    @classmethod
    def load(cls, path: Path) -> FileSigner:
        """Read a key; raises StoreError where others may read the file or it holds no Ed25519 private key."""
        with translated(path):
            if open_to_others(path):
                raise StoreError(f"{path}: others may read this key; replace it, or chmod 600 if nobody did")
            pem = path.read_bytes()
        try:
            key = load_pem_private_key(pem, None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise StoreError(f"{path}: not an unencrypted PEM private key; restore it from a copy") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise StoreError(f"{path}: not an Ed25519 key; make one with openssl genpkey -algorithm ed25519")
        return cls(key)

    @classmethod
    def make(cls, path: Path) -> FileSigner:
        """Make a key and write it with mode 0600, its public half beside it; raises StoreError where one exists."""
        signer = cls(Ed25519PrivateKey.generate())
        pem = signer._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with translated(path):
            make_private(path.parent)
            if path.exists():
                raise StoreError(f"{path}: a key lies there already; move it away first")
            place_private(path, pem)
            signer._write_public(path)
        return signer

    def _write_public(self, path: Path) -> None:
        public = path.with_name(PUBLIC_KEY if path.name == PRIVATE_KEY else path.name + ".pub")
        if public.exists() and public.read_bytes() != self.public_pem:
            # After a rotation what the old key signed must still be known.
            public.rename(public.with_name(f"retired-{sha256_hex(public.read_bytes())[:16]}.pub.pem"))
        if not public.exists():
            place_private(public, self.public_pem)

    @classmethod
    def at(cls, folder: Path) -> FileSigner:
        """The sealing key of a folder, made at first use; the public half lies beside it. One process at a time."""
        path = folder / PRIVATE_KEY
        with translated(path):
            if not path.exists():
                return cls.make(path)
            signer = cls.load(path)
            signer._write_public(path)
        return signer


@dataclass(frozen=True)
class Opened:
    """The payload of an envelope whose signature holds, and by which key; ``trusted`` if that key was asked for."""

    payload: bytes
    key_id: str
    trusted: bool


def seal_envelope(payload: bytes, payload_type: str, signer: Signer) -> bytes:
    """A DSSE envelope as canonical JSON; the public key travels with the signature so that edits show without it."""
    envelope = Envelope(payload, payload_type, {})
    signature = signer.sign(envelope.pae()).hex()
    extra = {_PUBLIC_FIELD: signer.public_pem.decode("ascii")}
    envelope.signatures[signer.key_id] = Signature(signer.key_id, signature, extra)
    return canonical_json(envelope.to_dict())


def _parse(data: bytes) -> Envelope:
    try:
        parsed = json.loads(data)
        envelope = Envelope.from_dict(parsed)
        if not isinstance(envelope.payload_type, str) or not envelope.signatures:
            raise ValueError("no signature")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, Error) as error:
        raise SealError(["is not a signed envelope; restore it from a copy"]) from error
    return envelope


def _holds(envelope: Envelope, signature: Signature, pem: bytes) -> bool:
    key = _public_key(pem)
    # The key id in an envelope is an unsigned hint, so the signature is tried whatever the hint says.
    key.keyid = signature.keyid
    try:
        key.verify_signature(signature, envelope.pae())
    except UnverifiedSignatureError:
        return False
    return True


def _embedded(envelope: Envelope) -> Iterator[tuple[Signature, bytes]]:
    for signature in envelope.signatures.values():
        pem = signature.unrecognized_fields.get(_PUBLIC_FIELD)
        if isinstance(pem, str):
            yield signature, pem.encode("utf-8", "replace")


def open_envelope(data: bytes, payload_type: str, trust: bytes | None = None) -> Opened:
    """Check an envelope before anything in its payload is parsed; raises SealError where no signature holds.

    With ``trust`` (PEM, one or more public keys) the signature of any of them makes the result trusted. Otherwise the
    key that travels in the envelope is tried: it proves that nothing was edited since, not who signed.
    """
    envelope = _parse(data)
    if envelope.payload_type != payload_type:
        raise SealError([f"was signed as {envelope.payload_type!r}, not as {payload_type!r}"])
    for pem in trusted_keys(trust) if trust is not None else ():
        if any(_holds(envelope, signature, pem) for signature in envelope.signatures.values()):
            return Opened(envelope.payload, key_id(pem), True)
    for signature, pem in _embedded(envelope):
        if _holds(envelope, signature, pem):
            return Opened(envelope.payload, key_id(pem), False)
    raise SealError(["the signature does not hold: it was altered, or signed by a key that is not at hand"])


def open_trusted(data: bytes, payload_type: str, trust: bytes) -> bytes:
    """The payload of an envelope that one of the trusted keys signed; raises SealError for anything else."""
    opened = open_envelope(data, payload_type, trust)
    if not opened.trusted:
        raise SealError([f"was signed by key {opened.key_id}, which is not trusted"])
    return opened.payload


def is_exact(data: bytes) -> bool:
    """Whether the bytes are just what ``seal_envelope`` writes: one signature, its true key id, canonical spelling."""
    envelope = _parse(data)
    embedded = list(_embedded(envelope))
    if len(envelope.signatures) != 1 or len(embedded) != 1:
        return False
    signature, pem = embedded[0]
    key = load_pem_public_key(pem)
    plain = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    fields = set(signature.unrecognized_fields)
    exact = bytes(canonical_json(envelope.to_dict()))
    return exact == data and plain == pem and signature.keyid == key_id(pem) and fields == {_PUBLIC_FIELD}
