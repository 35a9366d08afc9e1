"""Takes the records of one target as they come and lays them out as a collection, ready to be sealed."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from scanner.column import ClaimError
from scanner.errors import StoreError
from scanner.facts import FACTS
from scanner.model import Capture, Census, Fact, Gap, GapWhy, Origin, Record, SourceIdentity, Target, keys_digest, utc
from scanner.sealed.canonical import canonical_json
from scanner.sealed.collection import SCHEMA_VERSION, Collection, CollectionMeta
from scanner.sealed.disk import disk_trouble, remove_tree, translated, write_private
from scanner.sealed.parquet import Admitted, Spool, engine, write_facts, write_sorted

_HEX = re.compile(r"[0-9a-f]{64}")
_FACT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_CENSUS_KEYS = {"digest": "VARCHAR", "asset": "VARCHAR"}

Finish = Callable[[Path, CollectionMeta], Collection]


class CollectionWriter:
    """Takes the records of one target as they come, then seals them; one thread at a time.

    Facts go to a file per type as they arrive, so memory does not grow with their number. Rows that speak of one asset
    twice are kept as they are.
    """

    def __init__(
        self,
        folder: Path,
        target: Target,
        *,
        collector: str,
        version: str,
        origin: Origin,
        started_at: datetime,
        estate_digest: str,
        promises: tuple[str, ...],
        finish: Finish,
    ) -> None:
        self._folder = folder
        self._target = target
        self._collector = collector
        self._version = version
        self._origin = origin
        self._started_at = utc(started_at)
        self._estate_digest = estate_digest
        self._promises = promises
        self._finish = finish
        self._out = folder / "sealed"
        self._work = folder / "work"
        self._vocabulary = {fact.__name__: fact for fact in FACTS}
        self._spools: dict[str, Spool] = {}
        self._keys: dict[str, BinaryIO] = {}
        self._captures: dict[tuple[str, str, str], int] = {}
        self._identities: list[SourceIdentity] = []
        self._gap_count = 0
        self._records = 0
        self._open = True
        with translated(folder):
            self._out.mkdir(mode=0o700)
            self._work.mkdir(mode=0o700)
            self._gaps: BinaryIO = (self._out / "gaps.ndjson").open("wb")
            self._censuses: BinaryIO = (self._out / "censuses.ndjson").open("wb")

    @property
    def gaps(self) -> int:
        """Gaps kept so far, malformed records included."""
        return self._gap_count

    @property
    def rows(self) -> dict[str, int]:
        """Facts kept so far, by type."""
        return {name: spool.rows for name, spool in self._spools.items() if spool.rows}

    def add(self, record: Record) -> None:
        """Validate and keep one record; a bad one becomes a malformed gap.

        Raises StoreError only where the disk takes no more or the writer is used up.
        """
        self._usable()
        self._records += 1
        # Once per record, so an exception handler rather than the context manager, which costs more than the rest.
        try:
            match record:
                case Fact():
                    self._add_fact(record)
                case Gap():
                    self._add_gap(record)
                case Census():
                    self._add_census(record)
                case Capture():
                    self._add_capture(record)
                case SourceIdentity():
                    self._add_identity(record)
                case _:
                    self._malformed("*", f"a {type(record).__name__} is no record")
        except OSError as error:
            raise disk_trouble(self._folder, error) from error

    def add_row(self, fact_name: str, row: Mapping[str, Any]) -> None:
        """The same for a decoded row of an import; times are RFC 3339 text or datetimes with a zone."""
        self._usable()
        self._records += 1
        try:
            fact = self._vocabulary.get(fact_name) if isinstance(fact_name, str) else None
            spool = self._spool(fact) if fact is not None else None
            if spool is None:
                self._malformed(_safe_name(fact_name), "is of a fact type that does not exist; see list facts")
            else:
                self._keep(spool, spool.gate.admit_row(row))
        except OSError as error:
            raise disk_trouble(self._folder, error) from error

    def seal(self, complete: bool, finished_at: datetime) -> Collection:
        """Write facts as Parquet, seal the folder and put it in the store; the writer is used up.

        Returns the collection that lies in the store, which is the older one where the same was sealed before. Raises
        StoreError for the disk and EngineError for the engine; nothing half written is ever taken for whole.
        """
        self._usable()
        try:
            with translated(self._folder):
                meta = self._lay_out(complete, utc(finished_at))
                return self._finish(self._out, meta)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Drop everything that was added; does nothing after sealing."""
        if self._open:
            self._open = False
            with suppress(OSError):
                self._close()
            remove_tree(self._folder)

    def _usable(self) -> None:
        if not self._open:
            raise StoreError("the collection is sealed or dropped; start another with writer.collection()")

    def _close(self) -> None:
        trouble: OSError | None = None
        files = [self._gaps, self._censuses, *self._keys.values()]
        for close in (*(file.close for file in files), *(spool.close for spool in self._spools.values())):
            try:
                close()
            except OSError as error:
                trouble = error
        if trouble is not None:
            raise trouble

    def _spool(self, fact: type[Fact]) -> Spool | None:
        name = fact.__name__
        if name not in self._spools:
            try:
                self._spools[name] = Spool(fact, self._work / f"{name}.ndjson")
            except ClaimError:
                return None
        spool = self._spools[name]
        return spool if spool.fact is fact else None

    def _add_fact(self, record: Fact) -> None:
        spool = self._spool(type(record))
        if spool is None:
            self._malformed(_safe_name(type(record).__name__), "is of a fact type that cannot be stored")
        else:
            self._keep(spool, spool.gate.admit(record))

    def _keep(self, spool: Spool, admitted: Admitted) -> None:
        spool.keep(admitted)
        for flaw in admitted.flaws:
            self._malformed(spool.fact.__name__, flaw.what, admitted.asset, flaw.field)

    def _malformed(self, fact: str, what: str, asset: str | None = None, field: str | None = None) -> None:
        detail = f"record {self._records} {what}"
        self._write_gap(Gap(fact=fact, why=GapWhy.MALFORMED, detail=detail, asset=asset, field=field))

    def _write_gap(self, gap: Gap) -> None:
        self._gaps.write(msgspec.json.encode(gap) + b"\n")
        self._gap_count += 1

    def _add_gap(self, gap: Gap) -> None:
        if _sound(gap) and 0 < gap.count < 2**63:
            self._write_gap(gap)
        else:
            self._malformed(_safe_name(gap.fact), "is a gap that cannot be read; what it spoke of was not seen")

    def _add_census(self, census: Census) -> None:
        if not (_sound(census) and _FACT_NAME.fullmatch(census.fact) and _HEX.fullmatch(census.digest)):
            self._malformed(_safe_name(census.fact), "is a census that cannot be read")
            return
        keys = census.keys
        if keys is not None and (len(set(keys)) != census.n or keys_digest(keys) != census.digest):
            self._malformed(census.fact, "is a census whose keys do not match its own number and digest")
            return
        if keys is not None:
            if census.fact not in self._keys:
                self._keys[census.fact] = (self._work / f"{census.fact}.keys").open("wb")
            encode = msgspec.json.Encoder().encode
            self._keys[census.fact].writelines(
                encode({"digest": census.digest, "asset": key}) + b"\n" for key in sorted(set(keys))
            )
        stripped = msgspec.structs.replace(census, keys=None, as_of=utc(census.as_of))
        self._censuses.write(msgspec.json.encode(stripped) + b"\n")

    def _add_capture(self, capture: Capture) -> None:
        content: object = capture.content
        names: tuple[object, ...] = (capture.name, capture.media_type)
        if not isinstance(content, bytes) or not all(isinstance(name, str) and _unicode(name) for name in names):
            self._malformed("*", "is a capture that cannot be kept")
            return
        digest = hashlib.sha256(content).hexdigest()
        path = self._out / "raw" / f"{digest}.gz"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if not path.exists():
            with path.open("wb") as file, gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
                packed.write(content)
        self._captures[capture.name, capture.media_type, digest] = len(content)

    def _add_identity(self, identity: SourceIdentity) -> None:
        if not _sound(identity):
            self._malformed("*", "is an identity of the source that cannot be read")
        elif identity not in self._identities:
            self._identities.append(identity)

    def _lay_out(self, complete: bool, finished_at: datetime) -> CollectionMeta:
        self._close()
        with engine(self._work / "spill") as connection:
            for name in sorted(self._spools):
                if self._spools[name].rows:
                    write_facts(connection, self._spools[name], self._out / "facts", self._out / "identity")
                self._spools[name].path.unlink()
            for name in sorted(self._keys):
                folder = self._out / "census_keys"
                folder.mkdir(mode=0o700, exist_ok=True)
                write_sorted(connection, self._work / f"{name}.keys", folder / f"{name}.parquet", _CENSUS_KEYS)
        raw = [
            {"name": name, "media_type": media_type, "sha256": digest, "size": size}
            for (name, media_type, digest), size in sorted(self._captures.items())
        ]
        meta = CollectionMeta(
            schema_version=SCHEMA_VERSION,
            target=self._target.name,
            source=self._target.source,
            collector=self._collector,
            collector_version=self._version,
            origin=self._origin,
            started_at=self._started_at,
            finished_at=finished_at,
            complete=complete,
            identities=self._identities,
            facts=dict(sorted(self.rows.items())),
            gaps=self._gap_count,
            promises=sorted(self._promises),
            estate_digest=self._estate_digest,
        )
        write_private(self._out / "raw.json", canonical_json(raw))
        write_private(self._out / "collection.json", canonical_json(meta))
        return meta


def _sound(record: Gap | Census | SourceIdentity) -> bool:
    try:
        return bool(msgspec.json.decode(msgspec.json.encode(record), type=type(record)) == record)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
        return False


def _unicode(text: str) -> bool:
    return text == text.encode("utf-8", "replace").decode("utf-8")


def _safe_name(name: object) -> str:
    return name if isinstance(name, str) and _FACT_NAME.fullmatch(name) else "*"
