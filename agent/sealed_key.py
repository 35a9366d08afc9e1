"""Files of keys that only the keystore which made them can use: what it wrapped or named, and the public key."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from agent.disk import read_json, refuse_others, sync_folder, write_json
from agent.errors import Misconfigured

ENROL_AGAIN = "ztagent enroll --again --token-file FILE"
PUBLIC = "plain"
"""The part that is the public key, SubjectPublicKeyInfo in DER."""

P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
"""Before the two coordinates of a P-256 key in SubjectPublicKeyInfo."""


def keep(folder: Path, ending: str, chip: str, parts: Mapping[str, bytes], instead_of: Path | None = None) -> str:
    """Write the parts of a new key into ``FOLDER/KEYID.ENDING``; gives KEYID. Raises Misconfigured, which names the
    chip, where its public key is not on P-256. A file that stood for the key until then becomes it in one step."""
    if not _on_p256(parts[PUBLIC]):
        raise Misconfigured(f"the {chip} made a key that is not on P-256")
    key_id = hashlib.sha256(parts[PUBLIC]).hexdigest()
    path = folder / f"{key_id}{ending}"
    try:
        write_json(instead_of or path, {name: base64.b64encode(part).decode() for name, part in parts.items()})
        if instead_of is not None:
            os.replace(instead_of, path)
            sync_folder(folder)
    except OSError as error:
        raise Misconfigured(f"{path} cannot be written: {error.strerror}") from error
    return key_id


def held(path: Path, *names: str) -> dict[str, bytes]:
    """The parts of these names, from a file that must be for its owner alone; raises Misconfigured."""
    try:
        refuse_others(path, 0o600)
        found = read_json(path) or {}
        parts = {name: base64.b64decode(found[name], validate=True) for name in {*names, PUBLIC}}
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise Misconfigured(f"{path} is damaged; enrol again: {ENROL_AGAIN}") from None
    if hashlib.sha256(parts[PUBLIC]).hexdigest() != path.stem or not _on_p256(parts[PUBLIC]):
        raise Misconfigured(f"{path} holds another key than it is named for; enrol again: {ENROL_AGAIN}")
    return parts


def _on_p256(public: bytes) -> bool:
    return public.startswith(P256) and len(public) == len(P256) + 64
