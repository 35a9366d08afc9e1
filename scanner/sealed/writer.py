"""The one process that may add to a store: lays collections and assessments out in tmp/, seals and places them."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from scanner.errors import StoreError
from scanner.model import Origin, Target
from scanner.sealed.collection import Collection, CollectionMeta
from scanner.sealed.disk import make_private, remove_tree, settle, sync_folder, translated
from scanner.sealed.intake import CollectionWriter
from scanner.sealed.seal import EMBEDDED, KINDS
from scanner.sealed.signature import Signer
from scanner.sealed.statement import MANIFEST, STATEMENT, Digests, Link, Sealed, walk, write_manifest, write_statement

NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES})
"""What a file system answers that cannot link files."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ChainHead:
    """The newest link of the store's chain; ``seal`` (SHA-256 of its statement) covers all that was sealed before."""

    sequence: int
    root: str
    seal: str


class Writer:
    """The one process that may add to the store while it lives; several collections may be open in threads."""

    def __init__(
        self,
        path: Path,
        store_id: str,
        *,
        signer: Signer,
        trust: bytes | None,
        head: ChainHead | None,
        now: Callable[[], datetime],
        note: Callable[[Path, Sealed], None],
    ) -> None:
        self._path = path
        self._store_id = store_id
        self._signer = signer
        self._trust = trust
        self._head = head
        self._now = now
        self._note = note
        self._lock = threading.Lock()
        self._open: list[CollectionWriter] = []

    def collection(
        self,
        target: Target,
        *,
        collector: str,
        version: str,
        origin: Origin,
        started_at: datetime,
        estate_digest: str,
        promises: Sequence[str],
    ) -> CollectionWriter:
        """A writer for what one target yields."""
        collection = CollectionWriter(
            self._folder(),
            target,
            collector=collector,
            version=version,
            origin=origin,
            started_at=started_at,
            estate_digest=estate_digest,
            promises=tuple(promises),
            finish=self._finish,
        )
        with self._lock:
            self._open.append(collection)
        return collection

    def assessment(self, digest: str, files: Mapping[str, bytes | Path], collections: Sequence[Collection]) -> Path:
        """Seal files (relative path -> bytes, or a file to copy) with the collections under inputs/collections/<root>/.

        Each collection is verified first (SealError). A digest that already lies in the store returns that folder.
        ``assessment.json`` among the files tells the catalogue the baseline and as_of. Raises StoreError for a
        digest that is not 64 hex digits or a path that does not stay in the folder.
        """
        if not _DIGEST.fullmatch(digest):
            raise StoreError(f"an assessment digest is 64 hex digits, not {digest!r}")
        place = self._path / KINDS["assessment"] / digest
        if place.is_dir():
            return place
        known: Digests = {}
        parent = self._folder()
        folder = parent / "sealed"
        try:
            with translated(folder):
                folder.mkdir(mode=0o700)
                for name, content in sorted(files.items()):
                    _lay(folder, name, content)
                for collection in {each.root: each for each in collections}.values():
                    _embed(collection.whole(known), folder / EMBEDDED / collection.root)
                return self._seal(folder, "assessment", known, digest)[0]
        finally:
            remove_tree(parent)

    def close(self) -> None:
        """Drop what was not sealed."""
        for collection in self._open:
            collection.abandon()

    def _folder(self) -> Path:
        with translated(self._path):
            return Path(tempfile.mkdtemp(dir=self._path / "tmp"))

    def _finish(self, folder: Path, meta: CollectionMeta) -> Collection:
        place, root = self._seal(folder, "collection", {})
        return Collection(place, root, meta, self._trust)

    def _seal(self, folder: Path, kind: str, known: Digests, name: str | None = None) -> tuple[Path, str]:
        root, manifest_sha256 = write_manifest(folder, kind, known)
        settle(folder)
        with self._lock:
            place = self._path / KINDS[kind] / (name or root)
            if place.is_dir():
                return place, root
            head = self._head
            sealed = write_statement(
                folder,
                kind=kind,
                name=place.name,
                root=root,
                manifest_sha256=manifest_sha256,
                link=Link(
                    store=self._store_id,
                    sequence=head.sequence + 1 if head else 1,
                    previous=head.root if head else None,
                    previous_seal=head.seal if head else None,
                ),
                sealed_at=self._now(),
                signer=self._signer,
            )
            sync_folder(folder)
            folder.rename(place)
            self._head = ChainHead(sealed.link.sequence, root, sealed.seal)
            sync_folder(place.parent)
            self._note(place, sealed)
        return place, root


def _lay(folder: Path, name: str, content: bytes | Path) -> None:
    path = PurePosixPath(name)
    inside = not path.is_absolute() and path.parts and ".." not in path.parts and str(path) == name
    if not inside or name in {MANIFEST, STATEMENT} or path.is_relative_to(EMBEDDED.as_posix()) or "\0" in name:
        raise StoreError(f"{name!r} cannot be a file of an assessment; give a plain relative path")
    make_private((folder / path).parent)
    if isinstance(content, Path):
        shutil.copyfile(content, folder / path)
    else:
        (folder / path).write_bytes(content)  # settled before it is sealed


def _embed(collection: Collection, folder: Path) -> None:
    """Link the files of a sealed collection, or copy them where the file system has no links."""
    for name in walk(collection.path):
        make_private((folder / name).parent)
        try:
            os.link(collection.path / name, folder / name)
        except OSError as error:
            if error.errno not in NO_LINK:
                raise
            shutil.copyfile(collection.path / name, folder / name)
