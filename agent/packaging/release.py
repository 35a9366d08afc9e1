"""The signed manifest of a release: the version, the digests of its packages, and of every file of the agent."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from agent import wire
from agent.packaging.payload import version_of
from agent.signing import KeyProcess
from agent.verifying import MANIFEST_TYPE


def manifest(files: dict[str, bytes], packages: Sequence[Path]) -> bytes:
    """What is signed; the same for the same files and packages."""
    told = {
        "v": 1,
        "name": "ztagent",
        "version": version_of(files),
        "packages": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in packages},
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    return wire.encode(told)


def signed(payload: bytes, key: Path) -> bytes:
    """The manifest as a DSSE envelope, signed with a P-256 key in a PEM file that is for its owner alone; raises
    Misconfigured where the key cannot be used."""
    signature = KeyProcess().sign(key, wire.signed_bytes(MANIFEST_TYPE, payload))
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": MANIFEST_TYPE,
        "signatures": [{"keyid": "", "sig": base64.b64encode(signature).decode()}],
    }
    return json.dumps(envelope, indent=1).encode() + b"\n"
