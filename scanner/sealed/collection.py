"""A sealed collection on disk: what it is, where its files lie, and its gaps, censuses and provenance read back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from scanner.errors import SealError
from scanner.model import Census, Gap, Instant, Origin, SourceIdentity, iso
from scanner.result.collection import CollectionRef, GapRow
from scanner.sealed.seal import Verification, verify, verify_folder
from scanner.sealed.statement import Digests

SCHEMA_VERSION = 1


class CollectionMeta(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Provenance of one collection, as ``collection.json`` holds it; times in UTC, ``facts`` counts rows per type."""

    schema_version: int
    target: str
    source: str
    collector: str
    collector_version: str
    origin: Origin
    started_at: Instant
    finished_at: Instant
    complete: bool
    identities: list[SourceIdentity]
    facts: dict[str, int]
    gaps: int
    promises: list[str]
    estate_digest: str


@dataclass(frozen=True)
class Collection:
    """One sealed collection: its folder, its Merkle root (64 hex digits) and its provenance.

    ``trust`` holds the public keys (PEM) of the store that it came from; ``whole`` then accepts no other signer.
    """

    path: Path
    root: str
    meta: CollectionMeta
    trust: bytes | None = field(default=None, compare=False, repr=False)

    def fact_file(self, fact: str) -> Path | None:
        """Parquet of one fact type without its personal fields, sorted by asset; None where it saw none."""
        return self._file("facts", fact)

    def identity_file(self, fact: str) -> Path | None:
        """Parquet of the personal fields of one fact type; None where no row carried any."""
        return self._file("identity", fact)

    def census_keys_file(self, fact: str) -> Path | None:
        """Parquet (digest, asset) of the keys that censuses of one fact type named; None where none did."""
        return self._file("census_keys", fact)

    def _file(self, folder: str, fact: str) -> Path | None:
        path = self.path / folder / f"{fact}.parquet"
        return path if path.is_file() else None

    def verify(self, trust: bytes | None = None) -> Verification:
        """Read every byte again and compare it with the seal."""
        return verify(self.path, trust=trust)

    def whole(self, known: Digests | None = None) -> Collection:
        """Itself, after verifying; raises SealError where anything was altered or another key signed.

        ``known`` remembers digests between calls that read the same files.
        """
        verification = verify_folder(self.path, self.trust, {} if known is None else known)[0]
        problems = list(verification.problems)
        if verification.root != self.root:
            problems.append(f"{self.path}: sealed as {verification.root}, expected {self.root}")
        if problems:
            raise SealError(problems)
        return self

    def ref(self) -> CollectionRef:
        """The row that an assessment shows of it."""
        meta = self.meta
        return CollectionRef(
            target=meta.target,
            source=meta.source,
            collector=meta.collector,
            origin=meta.origin,
            collected_at=iso(meta.finished_at),
            complete=meta.complete,
            facts=sum(meta.facts.values()),
            gaps=meta.gaps,
            digest=self.root,
            identities=[f"{item.kind}:{item.value}" for item in meta.identities],
        )


def read_meta(folder: Path) -> CollectionMeta:
    """The provenance in a collection folder; raises SealError where it cannot be read."""
    path = folder / "collection.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=CollectionMeta)
    except (OSError, msgspec.DecodeError) as error:
        raise SealError([f"{path}: cannot be read as a collection: {error}; restore the folder from a copy"]) from error


def open_collection(folder: Path, root: str | None = None, trust: bytes | None = None) -> Collection:
    """A collection folder anywhere, such as one embedded in an assessment; its name is its root unless given."""
    return Collection(folder, root if root is not None else folder.name, read_meta(folder), trust)


def gaps(collection: Collection) -> Iterator[Gap]:
    """Every gap of a collection in the order in which it was found."""
    decoder = msgspec.json.Decoder(Gap)
    with (collection.path / "gaps.ndjson").open("rb") as lines:
        for line in lines:
            yield decoder.decode(line)


def gap_rows(collection: Collection) -> Iterator[GapRow]:
    """Every gap of a collection with the target and collector that met it."""
    for gap in gaps(collection):
        yield GapRow(
            target=collection.meta.target,
            collector=collection.meta.collector,
            fact=gap.fact,
            field=gap.field,
            asset=gap.asset,
            why=gap.why,
            detail=gap.detail,
            count=gap.count,
        )


def censuses(collection: Collection) -> list[Census]:
    """Every census of a collection, without its keys; those lie in ``census_keys_file`` under the same digest."""
    decoder = msgspec.json.Decoder(Census)
    with (collection.path / "censuses.ndjson").open("rb") as lines:
        return [decoder.decode(line) for line in lines]
