"""The agent's private key, in a process of its own that lives for one task: make, request, sign, read, anchor, verify.

Only this module imports ``cryptography``, so that the resident agent stays small and never holds the key. What is
secret never stands in its arguments: keys lie in files, everything else comes by standard input and leaves by standard
output. It works with cryptography from 38 on, which is what Debian 12 has.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import stat
import sys
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from agent import keystores
from agent.errors import AgentError
from agent.settings import IN_FILE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.x509 import Certificate

_SCALAR = bytes.fromhex("0201010420")
"""Before the 32 bytes of a P-256 key in ECPrivateKey (RFC 5915), with which PKCS #8 holds it too. Finding them there
spares each signature the import of every other format, which takes as long as all the rest."""


def main(argv: Sequence[str]) -> int:
    """Do one task; 0 with its result on standard output, or 1 with one line of why not on standard error."""
    try:
        match argv:
            case ["make", folder]:
                result = make(folder).encode()
            case ["request", path, tcti]:
                result = request(path, tcti)
            case ["sign", path]:
                result = sign(path, sys.stdin.buffer.read())
            case ["read", path]:
                result = json.dumps(read(path, json.loads(sys.stdin.buffer.read()))).encode()
            case ["anchor", pin]:
                result = anchor(pin, sys.stdin.buffer.read())
            case ["verify", path]:
                result = verify(path, json.loads(sys.stdin.buffer.read()))
            case _:
                raise ValueError("unknown task")
    except (AgentError, OSError, ValueError, TypeError, KeyError) as error:
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


def request(path: str, tcti: str = "") -> bytes:
    """A certificate signing request for the key, PEM; it asks for no name, since the server gives it. ``tcti`` says how
    a TPM is reached that holds the key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    key = _key(path, tcti)
    built = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    if not built.is_signature_valid:
        raise ValueError("the request does not bear the signature of its key; its keystore may be damaged")
    return built.public_bytes(serialization.Encoding.PEM)


def sign(path: str, content: bytes) -> bytes:
    """ECDSA with SHA-256 over the bytes, DER."""
    return _load(path).sign(content, ec.ECDSA(hashes.SHA256()))


def read(path: str, given: dict[str, Any]) -> dict[str, str]:
    """From when to when the certificate holds, RFC 3339; ValueError where it is for another key or not of the chain."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    certificate = x509.load_pem_x509_certificate(given["certificate"].encode())
    public = certificate.public_key()
    own = _key(path)
    if not isinstance(public, ec.EllipticCurvePublicKey) or _identifier(public) != _identifier(own.public_key()):
        raise ValueError("the certificate is for another key")
    for issuer in _certificates(given["chain"].encode()):
        if issuer.subject == certificate.issuer:
            authority, digest = issuer.public_key(), certificate.signature_hash_algorithm
            if not isinstance(authority, ec.EllipticCurvePublicKey) or digest is None:
                raise ValueError("the certificate's issuer has no key on an elliptic curve")
            try:
                authority.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(digest))
            except InvalidSignature:
                raise ValueError("the certificate does not bear the signature of its issuer") from None
            return {name: _moment(certificate, name) for name in ("not_before", "not_after")}
    raise ValueError("the chain does not hold the certificate's issuer")


def anchor(pin: str, chain: bytes) -> bytes:
    """That certificate of a chain whose public key has the digest ``pin``, PEM; ValueError where none has."""
    from cryptography.hazmat.primitives import serialization

    for one in _certificates(chain):
        key = one.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        if hashlib.sha256(key).hexdigest() == pin:
            return one.public_bytes(serialization.Encoding.PEM)
    raise ValueError("no certificate that the server presents has the authority's key that the token names")


def verify(path: str, given: dict[str, str]) -> bytes:
    """The identifier of the public key (PEM; Ed25519 or P-256) if ``signature`` is by it over ``message``, both base64;
    ValueError where it is not."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    message, signature = (base64.b64decode(given[name], validate=True) for name in ("message", "signature"))
    with open(path, "rb") as stream:
        pem = stream.read(10_000)
    try:
        public = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(f"{path} holds no public key in PEM") from None
    try:
        if isinstance(public, Ed25519PublicKey):
            public.verify(signature, message)
        elif isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1):
            public.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        else:
            raise ValueError(f"{path} holds a key that is neither Ed25519 nor P-256")
    except InvalidSignature:
        raise ValueError(f"the signature is not by the key in {path}") from None
    return _identifier(public).encode()


class _InKeystore(ec.EllipticCurvePrivateKey):
    """A key in a keystore, as far as a request for a certificate needs one."""

    def __init__(self, path: Path, tcti: str = "") -> None:
        self._path, self._store = path, keystores.of(path.suffix, tcti)

    @property
    def curve(self) -> ec.EllipticCurve:
        return ec.SECP256R1()

    @property
    def key_size(self) -> int:
        return 256

    def public_key(self) -> ec.EllipticCurvePublicKey:
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        public = load_der_public_key(self._store.public(self._path))
        assert isinstance(public, ec.EllipticCurvePublicKey)
        return public

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        if not isinstance(signature_algorithm.algorithm, hashes.SHA256):
            raise ValueError("a key in a keystore signs with SHA-256 alone")
        return self._store.sign(self._path, bytes(data))

    def exchange(self, *given: Any) -> NoReturn:
        raise ValueError("a key in a keystore only signs")

    def private_numbers(self) -> NoReturn:
        raise ValueError("a key in a keystore cannot be taken out")

    def private_bytes(self, *given: Any) -> NoReturn:
        raise ValueError("a key in a keystore cannot be taken out")

    def __copy__(self) -> _InKeystore:
        return self

    def __deepcopy__(self, memo: dict[Any, Any]) -> _InKeystore:
        return self


def _certificates(pem: bytes) -> list[Certificate]:
    from cryptography import x509

    found = re.findall(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", pem, re.DOTALL)
    return [x509.load_pem_x509_certificate(one) for one in found]


def _moment(certificate: Certificate, name: str) -> str:
    valid = name.replace("not", "not_valid")
    aware = getattr(certificate, f"{valid}_utc", None)  # from cryptography 42 on
    return str((aware or getattr(certificate, valid).replace(tzinfo=UTC)).isoformat())


def _key(path: str, tcti: str = "") -> ec.EllipticCurvePrivateKey:
    found = Path(path)
    return _load(path) if keystores.place(found) == IN_FILE else _InKeystore(found, tcti)


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


def _identifier(public: ec.EllipticCurvePublicKey | Ed25519PublicKey) -> str:
    from cryptography.hazmat.primitives import serialization

    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()
