"""Collections and assessments on disk: one writer, sealed folders in a chain, and a catalogue that can be rebuilt."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Self

import msgspec

from scanner.canonical import canonical_json
from scanner.catalogue import Catalogue, Row
from scanner.collection import (
    Collection,
    CollectionMeta,
    censuses,
    gap_rows,
    gaps,
    open_collection,
    read_meta,
)
from scanner.disk import make_private, open_to_others, remove_tree, settle, sync_folder, translated, write_private
from scanner.errors import SealError, StoreBusy, StoreError
from scanner.intake import CollectionWriter
from scanner.model import Origin, Target
from scanner.seal import CATALOGUE, EMBEDDED, KINDS, STORE_FILE, FileSigner, Signer
from scanner.statement import (
    MANIFEST,
    STATEMENT,
    Digests,
    Link,
    Sealed,
    read_statement,
    walk,
    write_manifest,
    write_statement,
)

__all__ = [
    "ChainHead",
    "Collection",
    "CollectionMeta",
    "CollectionWriter",
    "SealedAssessment",
    "Store",
    "Writer",
    "censuses",
    "gap_rows",
    "gaps",
    "open_collection",
    "read_meta",
]

SCHEMA_VERSION = 1
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES}


def now_utc() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class SealedAssessment:
    """One sealed assessment: its folder, its Merkle root, the assessment digest, and what graded it."""

    path: Path
    root: str
    digest: str
    baseline: str
    as_of: str
    sequence: int


@dataclass(frozen=True)
class ChainHead:
    """The newest link of the store's chain; ``seal`` (SHA-256 of its statement) covers all that was sealed before."""

    sequence: int
    root: str
    seal: str


def _assessment_marks(folder: Path) -> tuple[str, str]:
    """Baseline id and as_of of an assessment folder; empty where it does not say."""
    try:
        found = json.loads((folder / "assessment.json").read_bytes())
        return str(found["baseline"]["id"]), str(found["as_of"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""


def _row(folder: Path, sealed: Sealed) -> Row:
    """The catalogue's row of a sealed folder; raises SealError where it cannot be read."""
    link = sealed.link
    row = Row(
        root=sealed.root,
        kind=sealed.kind,
        name=folder.name,
        sequence=link.sequence,
        previous=link.previous,
        seal=sealed.seal,
        key_id=sealed.key_id,
        sealed_at=sealed.sealed_at,
    )
    if sealed.kind == "collection":
        meta = read_meta(folder)
        finished = meta.finished_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return replace(row, target=meta.target, source=meta.source, finished_at=finished, complete=meta.complete)
    baseline, as_of = _assessment_marks(folder)
    return replace(row, baseline=baseline, as_of=as_of)


class Writer:
    """The one process that may add to the store while it lives; several collections may be open in threads."""

    def __init__(self, store: Store, signer: Signer, head: ChainHead | None) -> None:
        self._store = store
        self._signer = signer
        self._head = head
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
        place = self._store.path / KINDS["assessment"] / digest
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
        with translated(self._store.path):
            return Path(tempfile.mkdtemp(dir=self._store.path / "tmp"))

    def _finish(self, folder: Path, meta: CollectionMeta) -> Collection:
        place, root = self._seal(folder, "collection", {})
        return Collection(place, root, meta)

    def _seal(self, folder: Path, kind: str, known: Digests, name: str | None = None) -> tuple[Path, str]:
        root, manifest_sha256 = write_manifest(folder, kind, known)
        settle(folder)
        with self._lock:
            place = self._store.path / KINDS[kind] / (name or root)
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
                    store=self._store.id,
                    sequence=head.sequence + 1 if head else 1,
                    previous=head.root if head else None,
                    previous_seal=head.seal if head else None,
                ),
                sealed_at=self._store.now(),
                signer=self._signer,
            )
            sync_folder(folder)
            folder.rename(place)
            self._head = ChainHead(sealed.link.sequence, root, sealed.seal)
            sync_folder(place.parent)
            self._store.note(place, sealed)
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
        write_private(folder / path, content)


def _embed(collection: Collection, folder: Path) -> None:
    """Link the files of a sealed collection, or copy them where the file system has no links."""
    for name in walk(collection.path):
        make_private((folder / name).parent)
        try:
            os.link(collection.path / name, folder / name)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            shutil.copyfile(collection.path / name, folder / name)


class Store:
    """A folder of sealed collections and assessments; open it with ``Store.open``, best in a ``with`` statement."""

    def __init__(
        self, path: Path, store_id: str, catalogue: Catalogue, signer: Signer | None, now: Callable[[], datetime]
    ) -> None:
        self.path = path
        self.id = store_id
        self.now = now
        self._catalogue = catalogue
        self._signer = signer
        self.unreadable: tuple[str, ...] = ()
        """Why folders could not be read when the store was opened; ``verify`` says more."""

    @classmethod
    def open(
        cls,
        path: Path,
        create: bool = False,
        *,
        signer: Signer | None = None,
        now: Callable[[], datetime] = now_utc,
    ) -> Self:
        """Open a store, or make one; brings the catalogue up to date with the folders.

        Without ``signer`` the key in STORE/keys signs, made at first use. Raises StoreError where there is no store or
        the folder is used for something else.
        """
        path = path.absolute()
        with translated(path):
            if not (path / STORE_FILE).is_file():
                if not create:
                    raise StoreError(f"{path}: there is no store; make one with a collection, or name another folder")
                _make(path)
            try:
                marks = msgspec.json.decode((path / STORE_FILE).read_bytes(), type=_Marks)
            except msgspec.DecodeError as error:
                raise StoreError(f"{path / STORE_FILE}: cannot be understood; restore it from a copy") from error
            if marks.schema_version > SCHEMA_VERSION:
                raise StoreError(f"{path}: was written by a newer version of ztgrade; use that one")
        store = cls(path, marks.id, Catalogue.at(path / CATALOGUE), signer, now)
        try:
            store.refresh()
        except BaseException:
            store.close()
            raise
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """The only way to add; raises StoreBusy at once, naming the process, where another writes.

        What an earlier writer left in tmp/ is removed first. Raises StoreError where others may enter the store.
        """
        with translated(self.path):
            if open_to_others(self.path):
                raise StoreError(f"{self.path}: others may enter the store; chmod 700 it first")
            lock = os.open(self.path / "writer.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with translated(self.path):
                _take(lock, self.path)
                for leftover in (self.path / "tmp").iterdir():
                    remove_tree(leftover)
                self.refresh()
                signer = self._signer or FileSigner.at(self.path / "keys")
            writer = Writer(self, signer, self.head())
            try:
                yield writer
            finally:
                writer.close()
        finally:
            os.close(lock)

    def refresh(self) -> None:
        """Note in the catalogue what lies in the folders and is not known yet."""
        known = {(row.kind, row.name) for row in self._catalogue.rows()}
        rows: list[Row] = []
        unreadable: list[str] = []
        with translated(self.path):
            for kind, place in KINDS.items():
                for folder in sorted((self.path / place).iterdir()):
                    if (kind, folder.name) not in known:
                        try:
                            rows.append(_row(folder, read_statement(folder)[0]))
                        except SealError as error:
                            unreadable += error.problems
        self._catalogue.add(rows)
        self.unreadable = tuple(unreadable)

    def note(self, folder: Path, sealed: Sealed) -> None:
        """Note a folder that was sealed just now; raises StoreError where only the catalogue could not be written."""
        try:
            self._catalogue.add([_row(folder, sealed)])
        except StoreError as error:
            raise StoreError(f"{folder.name} is sealed and safe, but the catalogue is behind: {error}") from error

    def collections(self) -> list[Collection]:
        """Every collection that lies here, in the order of sealing.

        They are not verified; ask ``collection.whole()`` before judging. Raises SealError where one cannot be read.
        """
        rows = self._catalogue.rows("collection")
        return [self._collection(row) for row in rows if (self.path / KINDS["collection"] / row.name).is_dir()]

    def newest(self, target: str, complete_only: bool = True) -> Collection | None:
        """The collection of a target that finished last; raises SealError where it is known and gone.

        An older one never steps in for it, so lost evidence is not hidden behind better days.
        """
        rows = self._catalogue.newest_of(target, complete_only)
        return self._collection(rows[0]) if rows else None

    def _collection(self, row: Row) -> Collection:
        return open_collection(self.path / KINDS["collection"] / row.name, row.root)

    def assessments(self) -> list[SealedAssessment]:
        """Every assessment that lies here, in the order of sealing; not verified."""
        found = []
        for row in self._catalogue.rows("assessment"):
            path = self.path / KINDS["assessment"] / row.name
            if path.is_dir():
                found.append(SealedAssessment(path, row.root, row.name, row.baseline, row.as_of, row.sequence))
        return found

    def newest_assessment(self, baseline_id: str | None = None) -> SealedAssessment | None:
        """The assessment sealed last, of one baseline where one is named."""
        found = [each for each in self.assessments() if baseline_id is None or each.baseline == baseline_id]
        return found[-1] if found else None

    def head(self) -> ChainHead | None:
        """The newest link; keep its ``seal`` off the machine to anchor everything sealed so far."""
        row = self._catalogue.head()
        return ChainHead(row.sequence, row.root, row.seal) if row is not None else None

    def close(self) -> None:
        """Close the catalogue."""
        self._catalogue.close()


class _Marks(msgspec.Struct, frozen=True):
    schema_version: int
    id: str


def _make(path: Path) -> None:
    """Make an empty store; what an interrupted attempt left is completed."""
    make_private(path)
    own = {*KINDS.values(), "tmp", "keys", CATALOGUE, "writer.lock", STORE_FILE}
    strange = sorted(entry.name for entry in path.iterdir() if entry.name not in own)
    if strange:
        raise StoreError(f"{path}: holds {strange[0]!r}, which is no part of a store; name an empty folder")
    path.chmod(0o700)
    for name in (*KINDS.values(), "tmp", "keys"):
        (path / name).mkdir(mode=0o700, exist_ok=True)
    draft = path / "tmp" / uuid.uuid4().hex
    write_private(draft, canonical_json({"schema_version": SCHEMA_VERSION, "id": uuid.uuid4().hex}))
    try:
        os.link(draft, path / STORE_FILE)
    except OSError as error:
        if error.errno in _NO_LINK:
            draft.rename(path / STORE_FILE)
        elif error.errno != errno.EEXIST:
            raise
    draft.unlink(missing_ok=True)
    sync_folder(path)


def _take(lock: int, path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
        who = f"process {holder}" if holder else "another process"
        raise StoreBusy(f"{path}: {who} is writing to it; wait until it ends, or stop it") from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode("ascii"), 0)
