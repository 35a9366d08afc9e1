"""Asks processes of their own for what needs the private key or a certificate's insides: `agent.keys` for files, and
the keystore of a key that lies in one."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from agent import keystores
from agent.disk import refuse_others
from agent.errors import Misconfigured
from agent.own_process import PATIENCE, ask
from agent.settings import IN_FILE, Settings

OPENSSL = "/usr/bin/openssl"
"""Where the distributions have it; it is never looked for elsewhere."""
_KEYS = "agent.keys"


@dataclass(frozen=True)
class Validity:
    """From when to when a certificate holds, in UTC."""

    not_before: datetime
    not_after: datetime


class Keys(Protocol):
    """All that is asked of private keys; every method raises Misconfigured with the reason where it cannot."""

    def make(self, folder: Path, place: str = IN_FILE) -> str:
        """Make a key, ``KEYID.pem`` or, in a keystore, with the ending of that; gives KEYID, SHA-256 over the public
        key in hex."""

    def request(self, path: Path) -> str:
        """A certificate signing request, PEM."""

    def sign(self, path: Path, content: bytes) -> bytes:
        """An ECDSA signature, DER."""

    def read(self, path: Path, certificate: str, chain: str) -> Validity:
        """What the certificate says, once it is known to be for this key and from this chain."""

    def anchor(self, pin: str, chain: str) -> str:
        """That certificate of the chain, PEM, whose public key has this SHA-256."""

    def forget(self, path: Path) -> None:
        """Delete what a keystore holds of a key whose file is to be removed."""


class KeyProcess:
    """Keys in files, used by one process per task, and in keystores; ``tcti`` names the TPM on Linux."""

    def __init__(self, tcti: str = Settings.tcti) -> None:
        self._tcti = tcti

    def make(self, folder: Path, place: str = IN_FILE) -> str:
        """See `Keys`."""
        if place != IN_FILE:
            return keystores.at(place, self._tcti).make(folder)
        return ask(_KEYS, "make", str(folder)).decode()

    def request(self, path: Path) -> str:
        """See `Keys`."""
        return ask(_KEYS, "request", str(path), self._tcti).decode()

    def sign(self, path: Path, content: bytes) -> bytes:
        """See `Keys`."""
        if keystores.place(path) != IN_FILE:
            return keystores.of(path.suffix, self._tcti).sign(path, content)
        return _by_openssl(path, content) or ask(_KEYS, "sign", str(path), given=content)

    def read(self, path: Path, certificate: str, chain: str) -> Validity:
        """See `Keys`."""
        given = json.dumps({"certificate": certificate, "chain": chain}).encode()
        found = json.loads(ask(_KEYS, "read", str(path), given=given))
        return Validity(datetime.fromisoformat(found["not_before"]), datetime.fromisoformat(found["not_after"]))

    def anchor(self, pin: str, chain: str) -> str:
        """See `Keys`."""
        return ask(_KEYS, "anchor", pin, given=chain.encode()).decode()

    def forget(self, path: Path) -> None:
        """See `Keys`."""
        keystores.forget(path)


def verified(path: Path, message: bytes, signature: bytes) -> str:
    """Identifier of the public key in a file (PEM) if the signature is by it; raises Misconfigured where it is not."""
    given = {"message": base64.b64encode(message).decode(), "signature": base64.b64encode(signature).decode()}
    return ask(_KEYS, "verify", str(path), given=json.dumps(given).encode()).decode()


def is_signature(value: bytes) -> bool:
    """Whether it is a sequence of two numbers, as ECDSA on P-256 is written in DER."""
    rest = value[2:]
    if len(value) > 72 or value[:2] != bytes([0x30, len(rest)]):
        return False
    for _ in range(2):
        size = rest[1] if len(rest) > 2 and rest[0] == 0x02 else 0
        if not 0 < size <= 33 or len(rest) < 2 + size:
            return False
        rest = rest[2 + size :]
    return not rest


def _by_openssl(path: Path, content: bytes) -> bytes:
    """The signature by the distribution's own program, for a tenth of what a Python with cryptography takes to start;
    empty where there is none or it does not sign, whose reason the key process then tells."""
    if sys.platform != "linux" or not os.access(OPENSSL, os.X_OK):
        return b""
    argv = [OPENSSL, "dgst", "-sha256", "-passin", "pass:", "-sign", str(path)]
    try:
        refuse_others(path, 0o600)
        done = subprocess.run(argv, input=content, capture_output=True, timeout=PATIENCE, env={"LC_ALL": "C"}, cwd="/")
    except (OSError, subprocess.TimeoutExpired, Misconfigured):
        return b""
    return done.stdout if done.returncode == 0 and is_signature(done.stdout) else b""
