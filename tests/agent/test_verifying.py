"""A package that is unsigned, signed by another, altered or older is refused before it is installed."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import keys, wire
from agent.cli import main
from agent.packaging.__main__ import main as package
from agent.packaging.payload import payload
from agent.packaging.release import manifest, signed
from agent.state import Attempts, StateFolder
from agent.verifying import LARGEST, MANIFEST, MANIFEST_TYPE
from scanner.sealed.signature import FileSigner, seal_envelope


def write_public(key: ec.EllipticCurvePublicKey | Ed25519PrivateKey, path: Path) -> None:
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    path.write_bytes(public.public_bytes(serialization.Encoding.PEM, form))


class Release:
    """Version 1.2.0 in a folder: one package, its manifest, the key that signs, and the public one."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.package, self.public = folder, folder / "ztagent.pyz", folder / "release.pub"
        self.manifest, self.state = folder / MANIFEST, folder / "state"
        self.package.write_bytes(b"the package")
        self.key = folder / f"{keys.make(str(folder))}.pem"
        private = serialization.load_pem_private_key(self.key.read_bytes(), None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        write_public(private.public_key(), self.public)
        self.says = self.sign("1.2.0")

    def sign(self, version: str) -> bytes:
        files = {"agent/__init__.py": f'__version__ = "{version}"\n'.encode()}
        told = manifest(files, [self.package])
        self.manifest.write_bytes(signed(told, self.key))
        return told

    def verify(self, *more: str) -> int:
        return main(["verify-package", str(self.package), "--key", str(self.public), "--state", str(self.state), *more])


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return Release(tmp_path)


def test_what_is_signed_whole_and_newer_may_be_installed(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    assert release.verify() == 0
    assert capsys.readouterr().out == f"ztagent 1.2.0, signed by key {release.key.stem}\n"


def altered_package(release: Release) -> None:
    release.package.write_bytes(b"another package")


def another_key(release: Release) -> None:
    write_public(ec.generate_private_key(ec.SECP256R1()).public_key(), release.public)


def no_signature(release: Release) -> None:
    envelope = json.loads(release.manifest.read_bytes())
    release.manifest.write_text(json.dumps(envelope | {"signatures": []}))


def altered_manifest(release: Release) -> None:
    envelope: dict[str, Any] = json.loads(release.manifest.read_bytes())
    told = base64.b64decode(envelope["payload"]).replace(b"1.2.0", b"9.9.9")
    release.manifest.write_text(json.dumps(envelope | {"payload": base64.b64encode(told).decode()}))


def another_kind(release: Release) -> None:
    envelope: dict[str, Any] = json.loads(release.manifest.read_bytes())
    release.manifest.write_text(json.dumps(envelope | {"payloadType": wire.REPORT_TYPE}))


def bare_manifest(release: Release) -> None:
    release.manifest.write_bytes(release.says)


def too_large(release: Release) -> None:
    release.manifest.write_bytes(release.manifest.read_bytes() + b" " * LARGEST)


def no_version(release: Release) -> None:
    told = json.loads(release.says) | {"version": "newest"}
    release.manifest.write_bytes(signed(wire.encode(told), release.key))


def another_product(release: Release) -> None:
    told = json.loads(release.says) | {"name": "other"}
    release.manifest.write_bytes(signed(wire.encode(told), release.key))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (altered_package, "is not of this release"),
        (another_key, "cannot be trusted: the signature is not by the key"),
        (no_signature, "cannot be trusted: it bears no signature"),
        (altered_manifest, "cannot be trusted"),
        (another_kind, "was signed for something else"),
        (bare_manifest, "is no signed manifest"),
        (too_large, "is no signed manifest"),
        (no_version, "is not about this agent"),
        (another_product, "is not about this agent"),
    ],
)
def test_anything_else_is_refused(release: Release, harm: Any, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    harm(release)
    assert release.verify() == 1
    shown = capsys.readouterr()
    assert said in shown.err and shown.out == ""


def test_without_a_manifest_or_a_key_it_is_refused(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    release.manifest.unlink()
    assert release.verify() == 1
    assert MANIFEST in capsys.readouterr().err
    release.sign("1.2.0")
    release.public.write_bytes(b"no key")
    assert release.verify() == 1
    assert "no public key in PEM" in capsys.readouterr().err


@pytest.mark.parametrize("version", ["0.0.9", "1.3.0"])
def test_an_older_one_is_refused_unless_that_is_meant(
    release: Release, version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    release.sign("0.0.9" if version == "0.0.9" else "1.2.0")  # older than this agent; older than one that ran here
    StateFolder(release.state).keep(Attempts(highest_version=version))
    assert release.verify() == 1
    assert "is older than" in capsys.readouterr().err
    assert release.verify("--allow-older") == 0


def test_a_release_that_the_scanners_own_key_sealed_is_taken_too(release: Release) -> None:
    private = Ed25519PrivateKey.generate()
    write_public(private, release.public)
    release.manifest.write_bytes(seal_envelope(release.says, MANIFEST_TYPE, FileSigner(private)))
    assert release.verify() == 0


def test_the_manifest_is_made_by_the_command_that_makes_packages(
    release: Release, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["manifest", str(release.package), "--key", str(release.key), "--output", str(release.folder)]
    assert package(argv) == 0
    envelope = json.loads(release.manifest.read_bytes())
    told = json.loads(base64.b64decode(envelope["payload"]))
    assert set(told["packages"]) == {"ztagent.pyz"} and set(told["files"]) == set(payload())
    assert release.verify() == 0
    release.key.chmod(0o644)
    assert package(argv) == 2
    assert "may be used by others" in capsys.readouterr().err
