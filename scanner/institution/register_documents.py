"""Documents that entries rest on: kept by their digest beside the registers, never opened and never shown."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scanner.errors import SealError, UsageError
from scanner.institution.register_nouns import Document
from scanner.sealed.disk import write_whole

FOLDER = "documents"
"""Below the directory of the registers; only its owner may look into it."""

LARGEST = 64 * 1024 * 1024
"""Bytes of a document that is kept; of a larger one state name and SHA-256 by hand."""


@contextmanager
def keeping(paths: Iterable[Path], directory: Path) -> Iterator[list[dict[str, str]]]:
    """Keep a copy of each document under its SHA-256; gives names and digests as entries state them.

    What was not kept before is dropped again where the block fails, so that no paper stays without its entry. Raises
    UsageError where one cannot be read or is too large, StoreError where a copy cannot be written.
    """
    new: list[Path] = []
    try:
        yield [_keep(path, directory / FOLDER, new) for path in paths]
    except BaseException:
        for place in new:
            place.unlink(missing_ok=True)
        with suppress(OSError):  # others lie in it
            (directory / FOLDER).rmdir()
        raise


def kept_document(document: Document, directory: Path) -> bytes:
    """The bytes of a document that was kept; raises UsageError where it was not, SealError where they were altered."""
    place = directory / FOLDER / document.sha256
    try:
        content = place.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{place}: no copy of {document.name!r} is kept; ask who wrote the entry for it") from None
    if hashlib.sha256(content).hexdigest() != document.sha256:
        raise SealError([f"{place}: is not the document that the entry states, {document.name!r}; it was altered"])
    return content


def _keep(path: Path, folder: Path, new: list[Path]) -> dict[str, str]:
    try:
        if path.stat().st_size > LARGEST:
            limit = LARGEST // 1024 // 1024
            raise UsageError(f"--document {path}: larger than {limit} MB; state name and SHA-256 by hand")
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"--document {path}: {error.strerror or error}") from error
    digest = hashlib.sha256(content).hexdigest()
    if not (folder / digest).exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.append(folder / digest)
        write_whole(folder / digest, content)
    return {"name": path.name, "sha256": digest}
