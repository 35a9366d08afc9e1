"""The manifest of a folder and the signed in-toto statement that seals it.

A statement names the root of its folder, its place in the chain of the store, and the SHA-256 of the statement before
it. So the digest of the newest statement, kept outside the machine, covers everything that was sealed until then. Who
holds the key can still seal other content anew: only an anchor kept elsewhere shows that.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import msgspec

from scanner.errors import SealError
from scanner.model import iso
from scanner.sealed.canonical import canonical_json, sha256_hex
from scanner.sealed.disk import write_private
from scanner.sealed.merkle import tree_hash
from scanner.sealed.signature import Signer, is_exact, open_envelope, seal_envelope

MANIFEST = "manifest.json"
STATEMENT = "statement.dsse.json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://ztgrade.dev/seal/v1"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Link:
    """A sealed folder's place in the chain: root and statement digest of the one before; None for the first."""

    store: str
    sequence: int
    previous: str | None
    previous_seal: str | None


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a sealed folder."""

    path: str
    sha256: str
    size: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All files of a sealed folder except manifest and statement, by path."""

    schema_version: int
    kind: str
    files: list[Entry]


class _Chain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sequence: int
    previous: str | None
    previous_seal: str | None


class _Predicate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: str
    chain: _Chain
    store: str
    sealed_at: str
    manifest_sha256: str


class _Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    digest: dict[str, str]


class _Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: str = msgspec.field(name="_type")
    subject: list[_Subject]
    predicate_type: str = msgspec.field(name="predicateType")
    predicate: _Predicate


@dataclass(frozen=True)
class Sealed:
    """What the signed statement of a folder says, and as ``seal`` the digest of the statement itself.

    ``name`` is the name of the folder in its store: the root of a collection, the digest of an assessment.
    """

    kind: str
    name: str
    root: str
    seal: str
    key_id: str
    link: Link
    sealed_at: str


Digests = dict[tuple[int, int, int, int], str]
"""SHA-256 by device, inode, size and time, so that a file linked into several folders is read once."""


def file_digest(path: Path, known: Digests) -> tuple[str, int]:
    """SHA-256 and size of a file; raises OSError."""
    with path.open("rb") as file:
        info = os.fstat(file.fileno())
        key = (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns)
        if key not in known:
            known[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return known[key], info.st_size


def _raise(error: OSError) -> NoReturn:
    raise error


def walk(folder: Path) -> Iterator[str]:
    """Relative paths of all entries that are not folders; raises OSError for a folder that cannot be listed."""
    for here, folders, names in os.walk(folder, onerror=_raise):
        for name in folders:
            if os.path.islink(os.path.join(here, name)):
                yield os.path.relpath(os.path.join(here, name), folder)
        for name in names:
            yield os.path.relpath(os.path.join(here, name), folder)


def _leaf(path: str, sha256: str) -> bytes:
    return path.encode("utf-8") + b"\0" + sha256.encode("ascii")


def merkle_root(entries: Sequence[Entry]) -> str:
    """The root over files in their order; a leaf is path, NUL, SHA-256 in hex."""
    return tree_hash(_leaf(entry.path, entry.sha256) for entry in entries)


def write_manifest(folder: Path, kind: str, known: Digests | None = None) -> tuple[str, str]:
    """Write the manifest over all files of a folder; returns the Merkle root and the manifest's SHA-256."""
    digests: Digests = {} if known is None else known
    entries = [Entry(path, *file_digest(folder / path, digests)) for path in sorted(walk(folder))]
    manifest = canonical_json(Manifest(SCHEMA_VERSION, kind, entries))
    write_private(folder / MANIFEST, manifest)
    return merkle_root(entries), sha256_hex(manifest)


def write_statement(
    folder: Path,
    *,
    kind: str,
    name: str,
    root: str,
    manifest_sha256: str,
    link: Link,
    sealed_at: datetime,
    signer: Signer,
) -> Sealed:
    """Sign root, manifest, name and place in the chain, and write the envelope beside the manifest."""
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": root}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "kind": kind,
            "chain": {"sequence": link.sequence, "previous": link.previous, "previous_seal": link.previous_seal},
            "store": link.store,
            "sealed_at": iso(sealed_at),
            "manifest_sha256": manifest_sha256,
        },
    }
    envelope = seal_envelope(canonical_json(statement), PAYLOAD_TYPE, signer)
    write_private(folder / STATEMENT, envelope)
    return Sealed(kind, name, root, sha256_hex(envelope), signer.key_id, link, iso(sealed_at))


def read_statement(folder: Path, trust: bytes | None = None) -> tuple[Sealed, str, bool]:
    """The statement of a folder with the manifest's SHA-256 and whether a trusted key signed; raises SealError.

    The signature is checked before the payload is parsed: with the trusted keys where given, else with the public key
    that travels in the envelope, which shows that nothing was edited but not who signed.
    """
    path = folder / STATEMENT
    try:
        envelope = path.read_bytes()
    except OSError as error:
        raise SealError([f"{path}: the statement cannot be read: {error.strerror}; restore it from a copy"]) from error
    try:
        opened = open_envelope(envelope, PAYLOAD_TYPE, trust)
        if not is_exact(envelope):
            raise SealError(["the envelope was rewritten after signing"])
        statement = msgspec.json.decode(opened.payload, type=_Statement)
    except SealError as error:
        raise SealError([f"{path}: {problem}" for problem in error.problems]) from error
    except msgspec.DecodeError as error:
        raise SealError([f"{path}: the signed payload is not a seal: {error}"]) from error
    if statement.type != STATEMENT_TYPE or statement.predicate_type != PREDICATE_TYPE or len(statement.subject) != 1:
        raise SealError([f"{path}: the signed payload is not a seal of this kind"])
    predicate = statement.predicate
    chain = predicate.chain
    link = Link(predicate.store, chain.sequence, chain.previous, chain.previous_seal)
    subject = statement.subject[0]
    root = subject.digest.get("sha256", "")
    seal = sha256_hex(envelope)
    sealed = Sealed(predicate.kind, subject.name, root, seal, opened.key_id, link, predicate.sealed_at)
    return sealed, predicate.manifest_sha256, opened.trusted
