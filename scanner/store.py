"""Collections and assessments on disk: one writer at a time, sealed folders, a chain, a catalogue that can be rebuilt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from scanner.collection import (
    Collection,
    CollectionMeta,
    censuses,
    gap_rows,
    gaps,
    open_collection,
    read_meta,
)
from scanner.model import Origin, Record, Target
from scanner.seal import Signer

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


class CollectionWriter:
    """Takes the records of one target as they come, then seals them; one thread at a time."""

    def add(self, record: Record) -> None:
        """Validate and keep one record; a bad one becomes a malformed gap. Raises StoreError only for the disk."""
        raise NotImplementedError

    def add_row(self, fact_name: str, row: Mapping[str, Any]) -> None:
        """The same for a decoded row of an import: times are RFC 3339 text or datetimes with a zone."""
        raise NotImplementedError

    def seal(self, complete: bool, finished_at: datetime) -> Collection:
        """Write facts as Parquet, seal the folder and put it in the store; the writer is used up."""
        raise NotImplementedError

    def abandon(self) -> None:
        """Drop everything that was added."""
        raise NotImplementedError


class Writer:
    """The one process that may add to the store while it lives; several collections may be open in threads."""

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
        raise NotImplementedError

    def assessment(self, digest: str, files: Mapping[str, bytes | Path], collections: Sequence[Collection]) -> Path:
        """Seal files (relative path -> bytes or file to copy) with the collections under inputs/collections/<root>/.

        Each collection is verified first (SealError). A digest that already lies in the store returns that folder.
        ``assessment.json`` among the files tells the catalogue the baseline and as_of.
        """
        raise NotImplementedError


class Store:
    """A folder of sealed collections and assessments; open it with ``Store.open``."""

    path: Path
    id: str

    @classmethod
    def open(cls, path: Path, create: bool = False, *, signer: Signer | None = None) -> Self:
        """Open a store, or make one; brings the catalogue up to date. Raises StoreError where it is none."""
        raise NotImplementedError

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """The only way to add; raises StoreBusy at once, naming the process, where another writes."""
        raise NotImplementedError

    def collections(self) -> list[Collection]:
        """Every collection in the order of sealing; not verified, ask ``collection.whole()`` before judging."""
        raise NotImplementedError

    def newest(self, target: str, complete_only: bool = True) -> Collection | None:
        """The collection of a target that finished last."""
        raise NotImplementedError

    def assessments(self) -> list[SealedAssessment]:
        """Every assessment in the order of sealing."""
        raise NotImplementedError

    def newest_assessment(self, baseline_id: str | None = None) -> SealedAssessment | None:
        """The assessment sealed last, of one baseline where one is named."""
        raise NotImplementedError

    def head(self) -> ChainHead | None:
        """The newest link; send its ``seal`` off the machine to anchor everything sealed so far."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the catalogue."""
        raise NotImplementedError
