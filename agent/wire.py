"""What agent and server say to each other: forms of the messages, digests of posture and the bytes that are signed.

Every request is JSON over HTTPS and carries one detached signature over its exact bytes, as DSSE frames them
(pre-authentication encoding, https://github.com/secure-systems-lab/dsse). Nothing is put into another form to be
verified. Only the standard library is used: the resident agent imports this module.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

VERSION = 1
"""Of this form; a message of another version is refused."""

ENROL = "/v1/enroll"
RENEW = "/v1/renew"
BEAT = "/v1/hb"
REPORT = "/v1/sections"

BEAT_TYPE = "application/vnd.ztgrade.heartbeat+json"
REPORT_TYPE = "application/vnd.ztgrade.posture+json"
RENEW_TYPE = "application/vnd.ztgrade.renewal+json"
"""Payload types: a signature made for one kind of message opens no other."""

SIGNATURE_HEADER = "ZT-Sig"
MAX_BODY = 256 * 1024
"""Bytes of a request; larger ones are refused before they are read."""

MAX_SECTION = 128 * 1024
"""Bytes of the canonical form of one section."""

WHOLE = "*"
"""In ``need``: send every section, whatever changed."""

EMPTY_ROOT = hashlib.sha256(b"").hexdigest()
"""Root of an agent that has told nothing yet."""

_SIGNATURE = re.compile(r"v1;([0-9a-f]{64});([A-Za-z0-9+/]{40,200}={0,2})")

_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,3}")


@dataclass(frozen=True)
class Signature:
    """Who signed, as SHA-256 over the public key (SubjectPublicKeyInfo, DER) in hex, and the signature (ECDSA, DER)."""

    key_id: str
    value: bytes

    def header(self) -> str:
        """As the request carries it."""
        return f"v1;{self.key_id};{base64.b64encode(self.value).decode()}"

    @classmethod
    def read(cls, header: str) -> Signature:
        """From the request; raises ValueError for any other form."""
        found = _SIGNATURE.fullmatch(header)
        if not found:
            raise ValueError(f"{SIGNATURE_HEADER} must be v1;KEYID;SIGNATURE")
        try:
            return cls(found[1], base64.b64decode(found[2], validate=True))
        except binascii.Error as error:
            raise ValueError(f"{SIGNATURE_HEADER} holds no base64") from error


def signed_bytes(payload_type: str, body: bytes) -> bytes:
    """What is signed: DSSE's pre-authentication encoding of the exact bytes that are sent."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


def encode(message: Mapping[str, Any]) -> bytes:
    """A message as bytes: compact JSON, keys in order, texts in normal form C."""
    return json.dumps(_normal(message), ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def section_digest(section: Mapping[str, Any]) -> str:
    """SHA-256 over what a section says, in hex; when it was looked at is left out, so that only changes change it."""
    return hashlib.sha256(section_bytes(section)).hexdigest()


def section_bytes(section: Mapping[str, Any]) -> bytes:
    """What a section says, in the one form that is digested and stored."""
    return encode({name: value for name, value in section.items() if name != "observed_at"})


def root_digest(index: Mapping[str, str]) -> str:
    """One digest for a whole posture: SHA-256 over ``{section: digest}``; of nothing it is EMPTY_ROOT."""
    return hashlib.sha256(encode(index) if index else b"").hexdigest()


def beat(
    agent: str, seq: int, *, boot_id: str, nonce: str, root: str, prev_root: str, ts: str, version: str
) -> dict[str, Any]:
    """A heartbeat: I am here, I am the one whom you gave ``nonce`` last, and what I am is ``root``.

    ``seq`` rises by one with each accepted message; ``ts`` is the agent's own clock, RFC 3339 in UTC; ``prev_root`` is
    the root that the server has whole: that of the last message answered with 200 and nothing in ``need``.
    """
    return {
        "v": VERSION,
        "agent": agent,
        "seq": seq,
        "boot_id": boot_id,
        "nonce": nonce,
        "root": root,
        "prev_root": prev_root,
        "ts": ts,
        "agent_version": version,
    }


def report(beat: Mapping[str, Any], index: Mapping[str, str], sections: list[Mapping[str, Any]]) -> dict[str, Any]:
    """A heartbeat whose root changed: the digest of every section, and those sections that the server lacks."""
    return {**beat, "index": dict(index), "sections": list(sections)}


def version_numbers(version: str) -> tuple[int, ...]:
    """A version of the agent as it is compared: 1.10 is newer than 1.9 and the same as 1.10.0; what is no version is
    older than all, and gives nothing."""
    if not _VERSION.fullmatch(version):
        return ()
    found = [int(part) for part in version.split(".")]
    while found and not found[-1]:
        found.pop()
    return (1, *found)


def _normal(value: Any) -> Any:
    if isinstance(value, str):
        if value.isascii():
            return value
        return unicodedata.normalize("NFC", value.encode("utf-8", "replace").decode())
    if isinstance(value, Mapping):
        return {_normal(key): _normal(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_normal(inner) for inner in value]
    return value
