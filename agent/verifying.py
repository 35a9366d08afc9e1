"""Whether a package of the agent may be installed here: its manifest is signed (DSSE) by a known key, names exactly
these bytes, and is not older than what ran here before. It is looked at, never installed: that is for the system."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent import wire
from agent.errors import Misconfigured
from agent.signing import verified
from agent.wire import version_numbers

MANIFEST = "ztagent-manifest.dsse.json"
"""Beside the packages of one release."""
MANIFEST_TYPE = "application/vnd.ztgrade.agent-release+json"
LARGEST = 1024 * 1024


class NotVerified(ValueError):
    """The package must not be installed; says why."""


@dataclass(frozen=True)
class Release:
    """What a manifest says once its signature was found right."""

    version: str
    packages: frozenset[str]
    """SHA-256 of each package of the release, in hex."""
    key_id: str


def verify_package(package: Path, manifest: Path, key: Path, ran_before: str, *, allow_older: bool = False) -> Release:
    """The release that a package belongs to; raises NotVerified, and OSError where a file cannot be read.

    ``key`` is a PEM file with the public key, which must have come another way than the package.
    """
    release = _release(manifest, key)
    with package.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest not in release.packages:
        raise NotVerified(f"{package} is not of this release: the manifest does not name its SHA-256 {digest}")
    if version_numbers(release.version) < version_numbers(ran_before) and not allow_older:
        raise NotVerified(
            f"version {release.version} is older than {ran_before}, which ran here; --allow-older if that is meant"
        )
    return release


def _release(manifest: Path, key: Path) -> Release:
    with manifest.open("rb") as stream:
        content = stream.read(LARGEST + 1)
    try:
        envelope = json.loads(content if len(content) <= LARGEST else b"")
        kind, payload = envelope["payloadType"], base64.b64decode(envelope["payload"], validate=True)
        signatures = [base64.b64decode(one["sig"], validate=True) for one in envelope["signatures"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise NotVerified(f"{manifest} is no signed manifest (DSSE); take the one that came with the release") from None
    if kind != MANIFEST_TYPE:
        raise NotVerified(f"{manifest} was signed for something else")
    # Nothing of the payload is looked at before this.
    key_id = _signed(key, wire.signed_bytes(kind, payload), signatures[:8])
    try:
        told: Any = json.loads(payload)
        version, packages = told["version"], frozenset(told["packages"].values())
        if told["v"] != 1 or told["name"] != "ztagent" or not version_numbers(version):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NotVerified(f"{manifest} is not about this agent, or of a newer form") from None
    return Release(version, packages, key_id)


def _signed(key: Path, message: bytes, signatures: list[bytes]) -> str:
    why = "it bears no signature"
    for signature in signatures:
        try:
            return verified(key, message, signature)
        except Misconfigured as error:
            why = str(error).removeprefix("verify: ")
    raise NotVerified(f"the manifest cannot be trusted: {why}")
