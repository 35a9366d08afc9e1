"""P-256 keys that Windows keeps for the agent and never gives away; see `agent.keystores.Keystore`.

``KEYID.cng`` names a key of the TPM, ``KEYID.ksp`` one that Windows keeps in software. Each holds the key's name and
its public key, and nothing that signs: a copied folder names a key that another machine does not have. What uses the
key is `agent.cng` in a process of its own, which can be ended where a TPM hangs. Never run on Windows.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from agent import sealed_key
from agent.disk import remove, write_json
from agent.errors import Misconfigured
from agent.own_process import Ended, ask
from agent.sealed_key import ENROL_AGAIN, PUBLIC

MODULE = "agent.cng"
PATIENCE = 40
"""Seconds that a TPM has for one task: fewer than a process has that asks for a signature itself."""
NAME = r"ztagent-[0-9a-f]{32}"
"""Names of keys; the file that stands for one until it is made bears it, too. No other key is ever touched."""


@dataclass(frozen=True)
class Cng:
    """The keystore whose files have this ending."""

    ending: str

    def make(self, folder: Path) -> str:
        """The key's name is on disk before the key is, so that none that was half made is ever forgotten."""
        for left in folder.glob(f"ztagent-*{self.ending}"):
            self.forget(left)
            remove(left)
        name = f"ztagent-{os.urandom(16).hex()}"
        half = folder / f"{name}{self.ending}"
        try:
            write_json(half, {})
            public = ask(MODULE, "make", self.ending, name, patience=PATIENCE)
        except Ended:
            raise
        except Misconfigured:
            remove(half)
            raise
        except OSError as error:
            raise Misconfigured(f"{half} cannot be written: {error.strerror}") from error
        return sealed_key.keep(
            folder, self.ending, "keystore", {"name": name.encode(), PUBLIC: public}, instead_of=half
        )

    def sign(self, path: Path, content: bytes) -> bytes:
        """One process; nothing of a key is held between two."""
        public = sealed_key.held(path)[PUBLIC]
        task = ("sign", self.ending, _name(path), public.hex())
        return ask(MODULE, *task, given=content, patience=PATIENCE)

    def public(self, path: Path) -> bytes:
        """Asks nobody."""
        return sealed_key.held(path)[PUBLIC]

    def forget(self, path: Path) -> None:
        """Delete the key that a file names, be it whole or half made; raises Misconfigured where Windows does not."""
        ask(MODULE, "delete", self.ending, _name(path), patience=PATIENCE)


def _name(path: Path) -> str:
    """Of the key that a file stands for."""
    if re.fullmatch(NAME, path.stem):
        return path.stem
    name = sealed_key.held(path, "name")["name"].decode("ascii", "replace")
    if not re.fullmatch(NAME, name):
        raise Misconfigured(f"{path} is damaged; enrol again: {ENROL_AGAIN}")
    return name
