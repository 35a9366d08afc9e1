"""The signed statement beside a supplied file that closes populations: a DSSE envelope over a census."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from securesystemslib.dsse import Envelope

from scanner.errors import Malformed
from scanner.model import Instant

PAYLOAD_TYPE = "application/vnd.ztgrade.census+json"
SIGNED_SUFFIX = ".census.dsse.json"
PLAIN_SUFFIX = ".census.json"
LARGEST = 64 * 1024 * 1024
"""Bytes beyond which a sidecar is not read."""

Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, msgspec.Meta(ge=0)]


class Period(msgspec.Struct, frozen=True, kw_only=True, rename={"start": "from", "end": "to"}):
    """The time that the data speak of."""

    start: str
    end: str


class StatedCensus(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many assets a listing had and the digest of their keys, as the supplier states it."""

    fact: str
    query: str
    n: Count
    digest: Digest
    keys: tuple[str, ...] | None = None


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What a sidecar says: who supplied which file, from which population, and how complete it is."""

    schema_version: Literal[1]
    supplied_by: str
    population_source: str
    period: Period
    as_of: Instant
    censuses: tuple[StatedCensus, ...]
    file_sha256: Digest | None = None
    rows: Count | None = None
    signer: dict[str, Any] | None = None


def key_id(public_key: Any) -> str:
    """SHA-256 in hex over the DER SubjectPublicKeyInfo; a hint in the envelope, never trusted by itself."""
    der = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def count_rows(data: bytes) -> int:
    """Rows of a supplied file: non-blank lines of NDJSON, or records below the header of CSV."""
    text = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text or text.startswith(b"{"):
        return sum(1 for line in data.split(b"\n") if line.strip())
    rows = csv.reader(io.StringIO(data.decode("utf-8-sig", "surrogateescape"), newline=""))
    return max(0, sum(1 for row in rows if row) - 1)


def sign(data: bytes, payload: Mapping[str, Any], private_key_pem: bytes) -> bytes:
    """DSSE JSON that closes the populations of ``data``; Ed25519 or P-256 key in PEM.

    ``payload`` follows `Statement`; ``file_sha256`` is filled in, ``rows`` too where it is not given.
    Raises Malformed where the payload or the key is not of the expected form.
    """
    stated = dict(payload) | {"file_sha256": hashlib.sha256(data).hexdigest()}
    stated.setdefault("rows", count_rows(data))
    try:
        msgspec.convert(json.loads(json.dumps(stated)), Statement)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise Malformed(f"the census statement is not of the expected form: {error}") from error
    try:
        key = serialization.load_pem_private_key(private_key_pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Malformed("the signing key is not an unencrypted PEM private key") from error
    body = json.dumps(stated, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    envelope = Envelope(body, PAYLOAD_TYPE, {})
    match key:
        case ed25519.Ed25519PrivateKey():
            signature = key.sign(envelope.pae())
        case ec.EllipticCurvePrivateKey():
            signature = key.sign(envelope.pae(), ec.ECDSA(hashes.SHA256()))
        case _:
            raise Malformed("the signing key must be Ed25519 or elliptic-curve")
    whole = {
        "payload": base64.b64encode(body).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": key_id(key.public_key()), "sig": base64.b64encode(signature).decode()}],
    }
    return json.dumps(whole, sort_keys=True).encode() + b"\n"


def verify(envelope: bytes, public_key_pem: bytes) -> Statement:
    """The statement inside a DSSE envelope, if this key signed it.

    Raises Malformed where envelope, signature or payload is not what it should be; the message says which.
    """
    pae, payload, signatures = _opened(envelope)
    try:
        key = serialization.load_pem_public_key(public_key_pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Malformed("the supplier's key is not a PEM public key") from error
    if not any(_holds(key, signature, pae) for signature in signatures):
        raise Malformed("no signature of the envelope is by the supplier's key")
    return read_plain(payload)


def read_unverified(envelope: bytes) -> Statement:
    """The statement inside a DSSE envelope whose signature nobody checked; it may inform, never close."""
    return read_plain(_opened(envelope)[1])


def read_plain(content: bytes) -> Statement:
    """The statement from its bare JSON; raises Malformed."""
    try:
        return msgspec.json.decode(content, type=Statement)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"the census statement is not of the expected form: {error}") from error


def write_beside(data_file: Path, payload: Mapping[str, Any], private_key_pem: bytes) -> Path:
    """Sign what stands in ``data_file`` now and write the sidecar beside it; gives the sidecar's path."""
    target = data_file.with_name(data_file.name + SIGNED_SUFFIX)
    target.write_bytes(sign(data_file.read_bytes(), payload, private_key_pem))
    return target


def _opened(envelope: bytes) -> tuple[bytes, bytes, list[bytes]]:
    try:
        parsed = json.loads(envelope)
        payload = base64.b64decode(parsed["payload"], validate=True)
        kind = parsed["payloadType"]
        signatures = [base64.b64decode(entry["sig"], validate=True) for entry in parsed["signatures"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Malformed(f"the sidecar is not a DSSE envelope: {error}") from error
    if kind != PAYLOAD_TYPE:
        raise Malformed(f"the sidecar's payload type is {kind!r}; expected {PAYLOAD_TYPE!r}")
    return Envelope(payload, PAYLOAD_TYPE, {}).pae(), payload, signatures


def _holds(key: Any, signature: bytes, message: bytes) -> bool:
    try:
        match key:
            case ed25519.Ed25519PublicKey():
                key.verify(signature, message)
            case ec.EllipticCurvePublicKey():
                key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
            case _:
                return False
    except InvalidSignature:
        return False
    return True
