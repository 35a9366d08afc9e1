"""Collections and assessments on disk: one writer, sealed folders in a chain, and a catalogue that can be rebuilt."""

from __future__ import annotations

import errno
import fcntl
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import msgspec

from scanner.errors import SealError, StoreBusy, StoreError
from scanner.sealed.canonical import canonical_json
from scanner.sealed.catalogue import Catalogue, Row
from scanner.sealed.collection import (
    Collection,
    CollectionMeta,
    censuses,
    gap_rows,
    gaps,
    open_collection,
    read_meta,
)
from scanner.sealed.disk import (
    make_private,
    open_to_others,
    place_private,
    remove_tree,
    sync_folder,
    translated,
    write_private,
)
from scanner.sealed.intake import CollectionWriter
from scanner.sealed.seal import CATALOGUE, KINDS, STORE_FILE, FileSigner, Signer
from scanner.sealed.statement import Sealed, read_statement
from scanner.sealed.writer import NO_LINK, ChainHead, Writer

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


class _Named(msgspec.Struct):
    id: str


class _Head(msgspec.Struct):
    """What the catalogue tells of an assessment; there may be a hundred megabytes beside it, which are passed over."""

    baseline: _Named
    as_of: str


def _assessment_marks(folder: Path) -> tuple[str, str]:
    """Baseline id and as_of of an assessment folder; empty where it does not say."""
    try:
        found = msgspec.json.decode((folder / "assessment.json").read_bytes(), type=_Head)
        return found.baseline.id, found.as_of
    except (OSError, ValueError):
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
            marks = _marks(path)
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

        What an earlier writer left in tmp/ is removed first. Raises StoreError where others may enter the store, and
        SealError where the end of the chain cannot be told because a folder is damaged.
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
                self.id = _marks(self.path).id
                self.refresh()
                self._readable()
                signer = self._known_signer()
            writer = Writer(
                self.path,
                self.id,
                signer=signer,
                trust=self.trust(),
                head=self.head(),
                now=self.now,
                note=self.note,
            )
            try:
                yield writer
            finally:
                writer.close()
        finally:
            os.close(lock)

    def _known_signer(self) -> Signer:
        """The signer, with its public half kept among the keys, so that what it signs stays known without it."""
        if self._signer is None:
            return FileSigner.at(self.path / "keys")
        place = self.path / "keys" / f"signer-{self._signer.key_id[:16]}.pub.pem"
        if not place.exists():
            place_private(place, self._signer.public_pem)
        return self._signer

    def refresh(self) -> None:
        """Note in the catalogue what lies in the folders and is not known yet."""
        known = {(row.kind, row.name) for row in self._catalogue.rows()}
        rows: list[Row] = []
        unreadable: list[str] = []
        with translated(self.path):
            for kind, place in KINDS.items():
                for folder in sorted((self.path / place).iterdir()):
                    if (kind, folder.name) not in known and folder.is_dir():
                        try:
                            rows.append(_row(folder, read_statement(folder)[0]))
                        except SealError as error:
                            unreadable += [f"{problem}, or move {folder.name} away" for problem in error.problems]
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

        They are not verified; ask ``collection.whole()`` before judging. Raises SealError where one cannot be read, or
        where the newest of a target is gone: an older one never steps in, so lost evidence is not hidden.
        """
        self._readable()
        rows = self._catalogue.rows("collection")
        places = {row.root: self._place(row) for row in rows}
        gone = {root for root, place in places.items() if not place.is_dir()}
        newest = {row.target: row for row in sorted(rows, key=_by_end) if row.complete}
        lost = [row for row in newest.values() if row.root in gone]
        if lost:
            raise SealError([_lost(places[row.root], row.target) for row in lost])
        trust = self.trust()
        return [self._collection(row, trust) for row in rows if row.root not in gone]

    def newest(self, target: str, complete_only: bool = True) -> Collection | None:
        """The collection of a target that finished last; raises SealError where it is known and gone."""
        self._readable()
        rows = self._catalogue.newest_of(target, complete_only)
        if not rows:
            return None
        if not self._place(rows[0]).is_dir():
            raise SealError([_lost(self._place(rows[0]), target)])
        return self._collection(rows[0], self.trust())

    def _readable(self) -> None:
        if self.unreadable:
            raise SealError(self.unreadable)

    def _place(self, row: Row) -> Path:
        return self.path / KINDS[row.kind] / row.name

    def _collection(self, row: Row, trust: bytes | None) -> Collection:
        return open_collection(self._place(row), row.root, trust)

    def assessments(self) -> list[SealedAssessment]:
        """Every assessment that lies here, in the order of sealing; not verified."""
        found = []
        for row in self._catalogue.rows("assessment"):
            path = self._place(row)
            if path.is_dir():
                found.append(SealedAssessment(path, row.root, row.name, row.baseline, row.as_of, row.sequence))
        return found

    def newest_assessment(self, baseline_id: str | None = None) -> SealedAssessment | None:
        """The assessment sealed last, of one baseline where one is named."""
        found = [each for each in self.assessments() if baseline_id is None or each.baseline == baseline_id]
        return found[-1] if found else None

    def trust(self) -> bytes | None:
        """The public keys (PEM) that this store signs and signed with; None where it holds none.

        To change the key, move keys/sealing.pem away: the next writer makes a new one and keeps the old public half.
        """
        with translated(self.path):
            keys = [path.read_bytes() for path in sorted((self.path / "keys").glob("*.pub.pem"))]
        if self._signer is not None:
            keys.append(self._signer.public_pem)
        return b"".join(keys) or None

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


def _marks(path: Path) -> _Marks:
    try:
        marks = msgspec.json.decode((path / STORE_FILE).read_bytes(), type=_Marks)
    except msgspec.DecodeError as error:
        raise StoreError(f"{path / STORE_FILE}: cannot be understood; restore it from a copy") from error
    if marks.schema_version > SCHEMA_VERSION:
        raise StoreError(f"{path}: was written by a newer version of ztgrade; use that one")
    return marks


def _by_end(row: Row) -> tuple[str, int]:
    return row.finished_at, row.sequence


def _lost(place: Path, target: str) -> str:
    return f"{place}: the newest collection of {target} is gone; restore it from a copy, or collect {target} again"


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
        if error.errno in NO_LINK:
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
