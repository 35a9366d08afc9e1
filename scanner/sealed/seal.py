"""Verifies what was sealed: a folder, an assessment with its collections, or a store with its whole chain."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import msgspec

from scanner.errors import SealError
from scanner.sealed.canonical import sha256_hex
from scanner.sealed.catalogue import remembered
from scanner.sealed.disk import translated
from scanner.sealed.signature import (
    FileSigner,
    Opened,
    Signer,
    key_id,
    open_envelope,
    open_trusted,
    seal_envelope,
    trusted_keys,
)
from scanner.sealed.statement import (
    MANIFEST,
    STATEMENT,
    Digests,
    Manifest,
    Sealed,
    file_digest,
    merkle_root,
    read_statement,
    walk,
)

__all__ = [
    "CATALOGUE",
    "EMBEDDED",
    "KINDS",
    "STORE_FILE",
    "FileSigner",
    "Opened",
    "Signer",
    "Verification",
    "key_id",
    "open_envelope",
    "open_trusted",
    "seal_envelope",
    "trusted_keys",
    "verify",
    "verify_folder",
]

EMBEDDED = Path("inputs") / "collections"
"""Where an assessment holds the collections that it rests on."""
KINDS = {"collection": "collections", "assessment": "assessments"}
"""Kinds of sealed folders and where a store keeps them."""
STORE_FILE = "store.json"
CATALOGUE = "catalogue.sqlite"


@dataclass(frozen=True)
class Verification:
    """What verifying found: ``ok`` means whole; only ``signer_known`` tells by whom.

    ``root`` and ``seal`` are those of the folder, or of the newest link where a store was verified; ``folders``
    counts the sealed folders that were read, embedded ones included.
    """

    ok: bool
    root: str | None
    key_id: str | None
    signer_known: bool
    problems: tuple[str, ...]
    kind: str = ""
    seal: str | None = None
    sequence: int | None = None
    folders: int = 1

    @property
    def exit_code(self) -> int:
        """0 only for whole and signed by a trusted key; otherwise 3."""
        return 0 if self.ok and self.signer_known else 3

    @property
    def verdict(self) -> str:
        """One line for people."""
        if not self.ok:
            return f"not whole: {len(self.problems)} problem(s)"
        return "whole, signed by a trusted key" if self.signer_known else "whole, signer unknown"


def _plain(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _file_problems(folder: Path, manifest: Manifest, known: Digests) -> Iterator[str]:
    listed = {entry.path: entry for entry in manifest.files}
    if [entry.path for entry in manifest.files] != sorted(listed):
        yield f"{folder / MANIFEST}: paths are repeated or out of order"
    present = set(walk(folder)) - {MANIFEST, STATEMENT}
    for name in sorted(listed.keys() - present):
        yield f"{folder / name}: missing, though it was sealed"
    for name in sorted(present - listed.keys()):
        yield _plain(f"{folder / name}: was added after sealing")
    for name in sorted(present & listed.keys()):
        if not stat.S_ISREG(os.lstat(folder / name).st_mode):
            yield f"{folder / name}: is no longer a plain file"
        elif file_digest(folder / name, known) != (listed[name].sha256, listed[name].size):
            yield f"{folder / name}: was altered after sealing"


def _content_problems(folder: Path, sealed: Sealed | None, manifest_sha256: str, known: Digests) -> Iterator[str]:
    try:
        raw = (folder / MANIFEST).read_bytes()
        manifest = msgspec.json.decode(raw, type=Manifest)
        if sealed is not None:
            if sha256_hex(raw) != manifest_sha256:
                yield f"{folder / MANIFEST}: is not the manifest that was signed"
            if merkle_root(manifest.files) != sealed.root:
                yield f"{folder / MANIFEST}: its files do not give the signed root"
            if manifest.kind != sealed.kind:
                yield f"{folder / MANIFEST}: says {manifest.kind}, the statement says {sealed.kind}"
        yield from _file_problems(folder, manifest, known)
    except (msgspec.DecodeError, ValueError) as error:
        yield f"{folder / MANIFEST}: cannot be understood: {error}"
    except OSError as error:
        yield _plain(f"{error.filename or folder}: cannot be read: {error.strerror}")


def _folders_in(path: Path) -> list[Path]:
    return sorted(path.iterdir()) if path.is_dir() else []


def verify_folder(folder: Path, trust: bytes | None, known: Digests) -> tuple[Verification, Sealed | None]:
    """Verify one sealed folder and what is embedded in it; gives its statement too, where that holds."""
    problems: list[str] = []
    sealed: Sealed | None = None
    manifest_sha256, trusted = "", False
    try:
        sealed, manifest_sha256, trusted = read_statement(folder, trust)
    except SealError as error:
        problems += error.problems
    if sealed is not None and trust is not None and not trusted:
        problems.append(f"{folder / STATEMENT}: signed by key {sealed.key_id}, which is not a trusted one")
    problems += _content_problems(folder, sealed, manifest_sha256, known)
    folders, known_signer = 1, trusted
    for path in _folders_in(folder / EMBEDDED):
        inner, inside = verify_folder(path, trust, known)
        problems += inner.problems
        if inside is not None and (inside.root != path.name or inside.kind != "collection"):
            problems.append(f"{path}: holds the {inside.kind} {inside.root}")
        folders += inner.folders
        known_signer = known_signer and inner.signer_known
    verification = Verification(not problems, None, None, known_signer, tuple(problems), folders=folders)
    if sealed is None:
        return verification, None
    return _identified(verification, sealed), sealed


def _identified(verification: Verification, sealed: Sealed) -> Verification:
    return replace(
        verification,
        root=sealed.root,
        key_id=sealed.key_id,
        kind=sealed.kind,
        seal=sealed.seal,
        sequence=sealed.link.sequence,
    )


def _chain_problems(path: Path, links: Sequence[Sealed]) -> Iterator[str]:
    """Missing links and forks among the statements, in the order of their sequence."""
    if links and links[0].link.sequence != 1:
        yield f"{path}: the chain starts at link {links[0].link.sequence}; everything before it is missing"
    for before, after in pairwise(links):
        step = after.link.sequence - before.link.sequence
        if step == 0:
            yield f"{path}: the chain forks at link {after.link.sequence}: {before.root} and {after.root}"
        elif step > 1:
            yield f"{path}: {step - 1} link(s) missing between {before.link.sequence} and {after.link.sequence}"
        elif (after.link.previous, after.link.previous_seal) != (before.root, before.seal):
            yield f"{path}: link {after.link.sequence} does not continue link {before.link.sequence}"
    if links and links[0].link.sequence == 1 and links[0].link.previous is not None:
        yield f"{path}: the first link names a previous one"
    for other in sorted({link.link.store for link in links} - {_store_id(path)}):
        yield f"{path}: holds folders that were sealed for store {other}"


def _store_id(path: Path) -> str | None:
    try:
        return str(msgspec.json.decode((path / STORE_FILE).read_bytes(), type=dict[str, object]).get("id"))
    except (OSError, msgspec.DecodeError):
        return None


def _verify_store(path: Path, trust: bytes | None) -> tuple[Verification, list[Sealed]]:
    known: Digests = {}
    problems: list[str] = []
    links: list[Sealed] = []
    folders, signers = 0, []
    for kind, place in KINDS.items():
        for folder in _folders_in(path / place):
            found, sealed = verify_folder(folder, trust, known)
            problems += found.problems
            folders += found.folders
            signers.append(found.signer_known)
            if sealed is None:
                continue
            links.append(sealed)
            if sealed.kind != kind or sealed.name != folder.name:
                problems.append(f"{folder}: holds the {sealed.kind} {sealed.name}")
    links.sort(key=lambda sealed: (sealed.link.sequence, sealed.root))
    problems += _chain_problems(path, links)
    present = {sealed.root for sealed in links}
    problems += [
        f"{path}: link {number} ({root}) stands in the catalogue and is gone"
        for number, root in remembered(path / CATALOGUE)
        if root not in present
    ]
    known_signer = bool(signers) and all(signers)
    verification = Verification(not problems, None, None, known_signer, tuple(problems), folders=folders)
    if links:
        verification = _identified(verification, links[-1])
    return replace(verification, kind="store"), links


def verify(path: Path, trust: bytes | None = None, anchor: str | None = None) -> Verification:
    """Verify a sealed folder, an assessment with its embedded collections, or a store with its chain.

    ``trust`` is PEM with one or more public keys; without it the result can be whole but never of a known signer.
    ``anchor`` is a root or a seal noted elsewhere: the folder must be it, a store must still hold it. Only the
    newest seal vouches for all that was sealed before; a root vouches for one folder. What is wrong is returned, not
    raised; SealError only where ``trust`` holds no key, StoreError where a folder cannot be listed.
    """
    if trust is not None:
        trusted_keys(trust)
    with translated(path):
        return _verify(path, trust, anchor)


def _verify(path: Path, trust: bytes | None, anchor: str | None) -> Verification:
    if (path / STATEMENT).exists() or (path / MANIFEST).exists():
        verification, sealed = verify_folder(path, trust, {})
        links = [sealed] if sealed is not None else []
    elif (path / STORE_FILE).exists() or any((path / place).is_dir() for place in KINDS.values()):
        verification, links = _verify_store(path, trust)
    else:
        problem = f"{path}: neither a sealed folder nor a store; was its seal removed?"
        return Verification(False, None, None, False, (problem,), folders=0)
    noted = anchor.strip().lower() if anchor is not None else None
    if noted is not None and not any(noted in {sealed.root, sealed.seal} for sealed in links):
        lost = f"{path}: holds nothing that was sealed as {noted}; it was sealed anew or is another one"
        verification = replace(verification, ok=False, problems=(*verification.problems, lost))
    return verification
