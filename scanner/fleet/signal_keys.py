"""The signal's own identity: keys that sign nothing but verdicts, and their public halves as a JWK set."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from scanner.errors import ConfigurationError, Problem
from scanner.sealed.disk import make_private, open_to_others, write_private

FOLDER = "signal"
TYPE = "zt-posture+jwt"
"""``typ`` of the header (RFC 8725, 3.11): such a token is taken for no other kind."""
_SIZE = 32


class Signer:
    """Signs with the newest key; older ones are shown as long as their files lie there."""

    def __init__(self, keys: Sequence[ec.EllipticCurvePrivateKey]) -> None:
        self._key = keys[-1]
        self._public = [_jwk(key.public_key()) for key in keys]
        header = {"alg": "ES256", "kid": self.kid, "typ": TYPE}
        self._header = _base64(json.dumps(header, separators=(",", ":"), sort_keys=True).encode())

    @property
    def kid(self) -> str:
        """The newest key's thumbprint (RFC 7638)."""
        return str(self._public[-1]["kid"])

    def sign(self, claims: msgspec.Struct) -> str:
        """Claims as a compact JWS with ES256 (RFC 7515, RFC 7518 3.4)."""
        signed = self._header + b"." + _base64(msgspec.json.encode(claims))
        r, s = decode_dss_signature(self._key.sign(signed, ec.ECDSA(hashes.SHA256())))
        return (signed + b"." + _base64(r.to_bytes(_SIZE, "big") + s.to_bytes(_SIZE, "big"))).decode()

    def key_set(self) -> dict[str, Any]:
        """The JWK set (RFC 7517) that policy engines verify with."""
        return {"keys": self._public}


def make_key(folder: Path) -> str:
    """A new key in a fleet's folder, which signs from the server's next start; gives its thumbprint."""
    place = folder / FOLDER
    make_private(place)
    number = max((int(path.stem) for path in _files(place)), default=0) + 1
    key = ec.generate_private_key(ec.SECP256R1())
    write_private(place / f"{number}.pem", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(_jwk(key.public_key())["kid"])


def load_signer(folder: Path) -> Signer:
    """The signer of a fleet's folder; raises ConfigurationError where there is no key, or one that is not its own."""
    place = folder / FOLDER
    found = [_load(path) for path in _files(place)]
    if not found:
        raise _wrong(place, "there is no key that signs verdicts", "make one with: ztgrade fleet signal key --new")
    return Signer(found)


def _files(place: Path) -> list[Path]:
    return sorted((path for path in place.glob("*.pem") if path.stem.isdecimal()), key=lambda path: int(path.stem))


def _load(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        if open_to_others(path):
            raise _wrong(path, "others may read it", "chmod 600, and make a new key if somebody did")
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise _wrong(path, str(error.strerror or error), "let the server's user read it") from error
    except (ValueError, TypeError) as error:
        raise _wrong(path, "it is no private key in PEM without a password", "restore it, or remove it") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _wrong(path, "it is no key on the curve P-256", "make one with: ztgrade fleet signal key --new")
    return key


def _jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    members = {
        "crv": "P-256",
        "kty": "EC",
        "x": _base64(numbers.x.to_bytes(_SIZE, "big")).decode(),
        "y": _base64(numbers.y.to_bytes(_SIZE, "big")).decode(),
    }
    plain = json.dumps(members, separators=(",", ":"), sort_keys=True).encode()
    return members | {"kid": _base64(hashlib.sha256(plain).digest()).decode(), "use": "sig", "alg": "ES256"}


def _base64(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _wrong(path: Path, message: str, hint: str) -> ConfigurationError:
    return ConfigurationError([Problem(str(path), None, "", message, hint)])
