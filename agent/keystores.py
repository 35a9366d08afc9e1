"""Where a private key lies, by the ending of its file, and the keystores that systems have: a module for each.

A keystore makes a key that cannot be taken out, and leaves in the state folder a file by which it finds it again.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Protocol

from agent.errors import Misconfigured
from agent.settings import HARDWARE, IN_FILE

KEYSTORE = "keystore"
"""Beside ``HARDWARE`` and ``IN_FILE``, where a key may be made: in a keystore of the system, in software."""

_PLACES = {".tpm": HARDWARE, ".cng": HARDWARE, ".ksp": KEYSTORE, ".enclave": HARDWARE, ".pem": IN_FILE}
_KINDS = {".tpm": "tpm", ".cng": "tpm", ".ksp": "keystore", ".enclave": "enclave", ".pem": "file"}
_WORDS = {
    "tpm": "in the TPM",
    "keystore": "in the keystore of Windows, in software",
    "enclave": "in the Secure Enclave",
    "file": "in a file",
}
_OF_SYSTEMS = {
    "linux": {HARDWARE: ".tpm"},
    "win32": {HARDWARE: ".cng", KEYSTORE: ".ksp"},
    "darwin": {HARDWARE: ".enclave"},
}


class Keystore(Protocol):
    """What each of these modules does; every function raises Misconfigured with what is in the way and what to do."""

    def make(self, folder: Path) -> str:
        """Make a P-256 key and its file ``FOLDER/KEYID.ENDING``; gives KEYID, SHA-256 over the public key in hex."""

    def sign(self, path: Path, content: bytes) -> bytes:
        """ECDSA with SHA-256 over the bytes by the key of that file, DER."""

    def public(self, path: Path) -> bytes:
        """Its public key, SubjectPublicKeyInfo in DER."""


def of(ending: str, tcti: str = "") -> Keystore:
    """The keystore that understands files with this ending; ``tcti`` says how tpm2-tools reach the TPM. Its module is
    imported only here, so that no agent holds one in memory that it does not use."""
    if ending == ".tpm":
        from agent.tpm_keys import Tpm

        return Tpm(tcti)
    if ending in _OF_SYSTEMS["win32"].values():
        from agent.cng_keys import Cng

        return Cng(ending)
    if ending == ".enclave":
        from agent import enclave_keys

        return enclave_keys
    raise Misconfigured(f"this agent knows no keystore for keys in files that end in {ending}")


def at(place: str, tcti: str = "") -> Keystore:
    """The keystore of this system in which keys are made for a place other than a file."""
    ending = _OF_SYSTEMS.get(sys.platform, {}).get(place)
    if ending is None:
        raise Misconfigured(f"this system has no {place} in which the agent could keep a key")
    return of(ending, tcti)


def places() -> tuple[str, ...]:
    """Where this system can make keys, other than in files, the best first."""
    return tuple(_OF_SYSTEMS.get(sys.platform, (HARDWARE,)))


def forget(path: Path) -> None:
    """Delete what a keystore holds of a key beside its file, if anything; raises Misconfigured where it cannot."""
    if path.suffix in _OF_SYSTEMS["win32"].values():
        from agent.cng_keys import Cng

        Cng(path.suffix).forget(path)


def file_of(folder: Path, key_id: str) -> Path:
    """Where a key lies, or how its keystore finds it; the name for a file where neither is there."""
    there = (folder / f"{key_id}{ending}" for ending in _PLACES)
    return next((path for path in there if path.exists()), folder / f"{key_id}.pem")


def place(path: Path) -> str:
    """``hardware``, ``keystore`` or ``file``, as keys are made and moved."""
    return _PLACES.get(path.suffix, IN_FILE)


def kind(path: Path) -> str:
    """``tpm``, ``keystore``, ``enclave`` or ``file``, as ``status`` and the report tell it."""
    return _KINDS.get(path.suffix, "file")


def words(told: str) -> str:
    """A kind, for people."""
    return _WORDS[told]
