"""The agent's private key, in a process of its own that lives for one task: make, request, sign, read, anchor.

Only this module imports ``cryptography``, so that the resident agent stays small and never holds the key. What is
secret never stands in its arguments: keys lie in files, everything else comes by standard input and leaves by standard
output.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
import sys
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

_SCALAR = bytes.fromhex("0201010420")
"""Before the 32 bytes of a P-256 key in ECPrivateKey (RFC 5915), with which PKCS #8 holds it too. Finding them there
spares each signature the import of every other format, which takes as long as all the rest."""


def main(argv: Sequence[str]) -> int:
    """Do one task; 0 with its result on standard output, or 1 with one line of why not on standard error."""
    try:
        match argv:
            case ["make", folder]:
                result = make(folder).encode()
            case ["request", path]:
                result = request(path)
            case ["sign", path]:
                result = sign(path, sys.stdin.buffer.read())
            case ["read", path]:
                result = json.dumps(read(path, json.loads(sys.stdin.buffer.read()))).encode()
            case ["anchor", pin]:
                result = anchor(pin, sys.stdin.buffer.read())
            case _:
                raise ValueError("unknown task")
    except (OSError, ValueError, TypeError, KeyError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.buffer.write(result)
    return 0


def make(folder: str) -> str:
    """Make a P-256 key in ``FOLDER/KEYID.pem``, for its owner alone; gives its identifier."""
    from cryptography.hazmat.primitives import serialization

    key = ec.generate_private_key(ec.SECP256R1())
    content = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key_id = _identifier(key.public_key())
    path = os.path.join(folder, f"{key_id}.pem")
    part = f"{path}.part"
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(part, path)
    return key_id


def request(path: str) -> bytes:
    """A certificate signing request for the key, PEM; it asks for no name, since the server gives it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    built = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(_load(path), hashes.SHA256())
    return built.public_bytes(serialization.Encoding.PEM)


def sign(path: str, content: bytes) -> bytes:
    """ECDSA with SHA-256 over the bytes, DER."""
    return _load(path).sign(content, ec.ECDSA(hashes.SHA256()))


def read(path: str, given: dict[str, Any]) -> dict[str, str]:
    """From when to when the certificate holds, RFC 3339; ValueError where it is for another key or not of the chain."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    certificate = x509.load_pem_x509_certificate(given["certificate"].encode())
    issuers = x509.load_pem_x509_certificates(given["chain"].encode()) if given["chain"] else []
    public = certificate.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey) or _identifier(public) != _identifier(
        _load(path).public_key()
    ):
        raise ValueError("the certificate is for another key")
    for issuer in issuers:
        if issuer.subject == certificate.issuer:
            try:
                certificate.verify_directly_issued_by(issuer)
            except InvalidSignature:
                raise ValueError("the certificate does not bear the signature of its issuer") from None
            return {
                "not_before": certificate.not_valid_before_utc.isoformat(),
                "not_after": certificate.not_valid_after_utc.isoformat(),
            }
    raise ValueError("the chain does not hold the certificate's issuer")


def anchor(pin: str, chain: bytes) -> bytes:
    """That certificate of a chain whose public key has the digest ``pin``, PEM; ValueError where none has."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    for one in x509.load_pem_x509_certificates(chain):
        key = one.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        if hashlib.sha256(key).hexdigest() == pin:
            return one.public_bytes(serialization.Encoding.PEM)
    raise ValueError("no certificate that the server presents has the authority's key that the token names")


def _load(path: str) -> ec.EllipticCurvePrivateKey:
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as stream:
        found = os.fstat(stream.fileno())
        if sys.platform != "win32" and (found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077):
            raise ValueError(f"{path} may be used by others; run chmod 600 {path}, and renew the key if it was read")
        text = stream.read(10_000).decode("ascii", "replace")
    lines = [line for line in text.splitlines() if not line.startswith("-----")]
    before, found_it, after = base64.b64decode("".join(lines)).partition(_SCALAR)
    if not found_it or len(before) > 64 or len(after) < 32:
        raise ValueError(f"{path} holds no P-256 key")
    return ec.derive_private_key(int.from_bytes(after[:32], "big"), ec.SECP256R1())


def _identifier(public: ec.EllipticCurvePublicKey) -> str:
    from cryptography.hazmat.primitives import serialization

    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()
