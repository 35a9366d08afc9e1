"""Stands for ztagent-enclave on machines that are no Mac: a program of its own with the same words and statuses, which
signs with keys that it wraps for one enclave. What it cannot stand for is Apple's part: whether macOS lets a daemon."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from pathlib import Path

import pytest

from agent import enclave_keys
from agent.packaging.as_debian import RECIPE

SOURCE = (RECIPE / "macos" / "enclave.swift").read_text("utf-8")
STATUSES = {name: int(status) for name, status in re.findall(r"^    case (\w+) = (\d+)$", SOURCE, re.MULTILINE)}
FIELDS = {
    name: re.findall(r"let (\w+): Data", body)
    for name, body in re.findall(r"^struct (\w+): \w+ \{\n(.*?)^\}", SOURCE, re.MULTILINE | re.DOTALL)
}
"""What the program is asked and answers, by the names of its source."""

_PROGRAM = """\
#!{python} -IS
import base64, json, os, sys
sys.path[:0] = {paths!r}
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

STATUSES, FIELDS, SECRET = {statuses!r}, {fields!r}, bytes.fromhex({secret!r})

def fail(status, why):
    print(why, file=sys.stderr)
    sys.exit(STATUSES[status])

def tell(kind, *values):
    answer = dict(zip(FIELDS[kind], (base64.b64encode(value).decode() for value in values), strict=True))
    sys.stdout.write(json.dumps(answer))

def plain(key):
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

if sys.argv[1:] == ["make"]:
    key, nonce = ec.generate_private_key(ec.SECP256R1()), os.urandom(12)
    number = key.private_numbers().private_value.to_bytes(32, "big")
    tell("Made", plain(key), nonce + AESGCM(SECRET).encrypt(nonce, number, None))
elif sys.argv[1:] == ["sign"]:
    asked = json.load(sys.stdin)
    content, wrapped = (base64.b64decode(asked[name], validate=True) for name in FIELDS["Asked"])
    try:
        number = AESGCM(SECRET).decrypt(wrapped[:12], wrapped[12:], None)
    except InvalidTag:
        fail("notOpened", "Error Domain=CryptoTokenKit Code=-3 \\x1b[31m")
    key = ec.derive_private_key(int.from_bytes(number, "big"), ec.SECP256R1())
    tell("Signed", plain(key), key.sign(content, ec.ECDSA(hashes.SHA256())))
else:
    fail("wrongUse", "usage: ztagent-enclave make | sign")
"""


class SoftEnclave:
    """One Mac: the folder of its program, and the secret of its enclave."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
        self.program = folder / "ztagent-enclave"
        self.put(
            _PROGRAM.format(
                python=sys.executable,
                paths=[sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]],
                statuses=STATUSES,
                fields=FIELDS,
                secret=os.urandom(32).hex(),
            )
        )

    def put(self, program: str) -> None:
        """Another program in its place."""
        self.program.write_text(program)
        self.program.chmod(0o755)

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Be the Mac on which the agent runs."""
        monkeypatch.setattr(enclave_keys, "PROGRAM", str(self.program))
        monkeypatch.setattr(enclave_keys, "OWNER", os.geteuid())
