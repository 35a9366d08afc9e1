"""P-256 keys that a Mac's Secure Enclave makes and never gives away, used by ztagent-enclave, one process for each
step; see `agent.keystores.Keystore`.

``KEYID.enclave`` holds a key as the enclave wrapped it: no other one can open it, so a copied disk cannot sign. The
program comes with the package for macOS; its source, packaging/macos/enclave.swift, says what the two tell each other.
It has no settings and keeps nothing. Never run on macOS.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import stat
import subprocess
from pathlib import Path

from agent import sealed_key
from agent.errors import Misconfigured
from agent.sealed_key import ENROL_AGAIN, PUBLIC
from agent.signing import is_signature

PROGRAM = "/Library/ztagent/ztagent-enclave"
"""Where the package puts it; it is never looked for elsewhere."""
OWNER = 0
"""Who alone may change it: root, as whom the agent runs."""
PATIENCE = 30
"""Seconds that one step may take."""
LARGEST = 16 * 1024
"""Bytes of an answer; true ones have less than one thousand."""

WRONG_USE, NO_ENCLAVE, NOT_MADE, NOT_OPENED, NOT_SIGNED = 2, 3, 4, 5, 6
"""What the program ends with where it fails."""

_ENDING = ".enclave"
_WRAPPED = "wrapped"
_INSTEAD = f'set key = "file" and enrol: {ENROL_AGAIN}'
_WHY = {
    NO_ENCLAVE: "this Mac has no Secure Enclave that programs may use; those with Apple silicon or a T2 chip have one; "
    f"elsewhere {_INSTEAD}",
    NOT_MADE: f"the Secure Enclave made no key: {{}}; start the Mac again, or {_INSTEAD}",
    NOT_OPENED: "this Secure Enclave does not open the key ({}): it was reset, or the state folder comes from another "
    f"machine; enrol again: {ENROL_AGAIN}",
    NOT_SIGNED: "the Secure Enclave did not sign: {}; if it goes on so, start the Mac again, then enrol again: "
    f"{ENROL_AGAIN}",
}
"""Why the program failed, and what to do, by what it ended with."""
_OTHERWISE = "ztagent-enclave failed: {}, status {}; install ztagent.pkg again"


def make(folder: Path) -> str:
    """In ``FOLDER/KEYID.enclave``, once the key has signed."""
    made = _answer("make", PUBLIC, _WRAPPED)
    _signature(made, b"a key that does not sign is none")
    return sealed_key.keep(folder, _ENDING, "Secure Enclave", made)


def sign(path: Path, content: bytes) -> bytes:
    """One process; nothing of a key is held between two."""
    return _signature(sealed_key.held(path, _WRAPPED), content)


def public(path: Path) -> bytes:
    """Asks no enclave."""
    return sealed_key.held(path)[PUBLIC]


def _signature(key: dict[str, bytes], content: bytes) -> bytes:
    found = _answer("sign", PUBLIC, "signature", content=content, wrapped=key[_WRAPPED])
    if found[PUBLIC] != key[PUBLIC] or not is_signature(found["signature"]):
        raise Misconfigured(f"{PROGRAM} signed with another key, or in another form; install ztagent.pkg again")
    return found["signature"]


def _answer(task: str, *names: str, **given: bytes) -> dict[str, bytes]:
    """What the program answers under these names."""
    for path in (os.path.dirname(PROGRAM), PROGRAM):
        _refuse_changeable(path)
    asked = json.dumps({name: base64.b64encode(value).decode() for name, value in given.items()}).encode()
    environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
    try:
        done = subprocess.run(
            [PROGRAM, task], input=asked, capture_output=True, timeout=PATIENCE, env=environment, cwd=os.sep
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Misconfigured(f"ztagent-enclave did not work: {error}") from error
    if done.returncode:
        raise Misconfigured(_WHY.get(done.returncode, _OTHERWISE).format(_first(done.stderr), done.returncode))
    try:
        if len(done.stdout) > LARGEST:
            raise ValueError
        found = json.loads(done.stdout)
        return {name: base64.b64decode(found[name], validate=True) for name in names}
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        raise Misconfigured(f"{PROGRAM} answered nothing of its own; install ztagent.pkg again") from None


def _refuse_changeable(path: str) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        raise Misconfigured(
            f"{PROGRAM} is missing, by which the Secure Enclave is used; install ztagent.pkg again, or {_INSTEAD}"
        ) from None
    except OSError as error:
        raise Misconfigured(f"{path} cannot be looked at: {error.strerror}") from error
    if stat.S_ISLNK(found.st_mode) or found.st_uid != OWNER or found.st_mode & 0o022:
        raise Misconfigured(f"others than root may change {path}, so it is not run; install ztagent.pkg again")


def _first(said: bytes) -> str:
    line = next((line for line in said[:LARGEST].decode("utf-8", "replace").splitlines() if line.strip()), "")
    return "".join(one if one.isprintable() else " " for one in line.strip())[:200] or "nothing was said"
