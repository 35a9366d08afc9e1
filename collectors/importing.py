"""Collector ``import``: files that somebody supplied, NDJSON or CSV, closed only by a signed statement beside them."""

from __future__ import annotations

import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collectors import sidecar
from collectors.sidecar import StatedCensus, Statement
from collectors.supplied import SuppliedFile
from collectors.supplied_row import KNOWN
from scanner.errors import Malformed, nearest
from scanner.model import (
    Access,
    Capture,
    Census,
    Fact,
    Gap,
    GapWhy,
    Permission,
    PlannedCall,
    Record,
    SourceIdentity,
    Target,
    keys_digest,
    narrowed,
    promised_facts,
)

BREATH = 10_000
"""Rows between two looks at whether collecting was told to stop."""


@dataclass
class _Read:
    """What one file held, and what the statement beside it says."""

    name: str
    statement: Statement | None = None
    closes: bool = False
    keys: dict[str, set[str]] = field(default_factory=dict)
    facts: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    """Facts of which a line could not be read, or which the file itself says that nobody could see; ``*`` for any."""


@dataclass(frozen=True)
class _Part:
    """One stated listing and whether its file bears it out."""

    file: str
    statement: Statement
    stated: StatedCensus
    seen: frozenset[str]
    closes: bool


class ImportCollector:
    """Streams every ``*.ndjson`` and ``*.csv`` of the target's captures directory."""

    name = "import"
    version = "1"
    permissions: tuple[Permission, ...] = (
        Permission(
            name="read the supplied files",
            why="every fact of the source stands in them",
            facts=tuple(sorted(KNOWN)),
        ),
    )

    def promises(self, target: Target) -> frozenset[str]:
        """The facts that the target's own list names; an import has none by itself."""
        return narrowed((), target)

    def plan(self, target: Target) -> Iterator[PlannedCall]:
        """One line: the directory that would be read."""
        where = str(target.captures) if target.captures else "(no captures directory)"
        yield PlannedCall(host="localhost", login="-", call=f"read *.ndjson and *.csv in {where}")

    def read(self, access: Access) -> Iterator[Record]:
        """Facts and gaps of every file, then one census per stated fact and a gap per promised fact never seen."""
        target = access.target
        promised = promised_facts(self.promises(target))
        directory = target.captures
        try:
            if directory is None:
                raise FileNotFoundError("no captures directory is set")
            names = sorted(entry.name for entry in directory.iterdir() if entry.suffix.lower() in {".ndjson", ".csv"})
        except OSError as error:
            why = GapWhy.DENIED if isinstance(error, PermissionError) else GapWhy.UNREACHABLE
            for fact in sorted(promised):
                yield Gap(fact=fact, why=why, detail=f"{directory or target.name}: {error.strerror or error}")
            return
        key, flaw = _supplier_key(target)
        if flaw is not None:
            for fact in sorted(promised):
                yield Gap(fact=fact, why=GapWhy.UNSUPPORTED, detail=flaw)
        spoken: set[str] = set()
        reads: list[_Read] = []
        for name in names:
            read = _Read(name)
            reads.append(read)
            for record in self._file(access, directory, read, key, promised):
                if isinstance(record, Fact):
                    spoken.add(type(record).__name__)
                elif isinstance(record, Gap):
                    spoken.add(record.fact)
                yield record
        for census_or_gap in _censuses(reads):
            if isinstance(census_or_gap, Gap) or census_or_gap.complete:
                spoken.add(census_or_gap.fact)
            yield census_or_gap
        for fact in sorted(promised - spoken):
            detail = f"{target.name} promises it, and no file in {directory} speaks of it"
            yield Gap(fact=fact, why=GapWhy.UNSEEN, detail=detail)

    def _file(
        self, access: Access, directory: Path, read: _Read, key: bytes | None, promised: frozenset[str]
    ) -> Iterator[Record]:
        path = directory / read.name
        file = SuppliedFile(read.name, promised)
        lost = (file.named,) if file.named else tuple(sorted(promised))
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                raise PermissionError(0, "it is not a regular file; links are not followed")
            yield from _statement(path, key, read)
            stated = {census.fact for census in read.statement.censuses} if read.statement else set()
            read.keys = {fact: set() for fact in stated}
            with access.call(lambda: path.open("rb")) as stream:
                for number, record in enumerate(file.records(stream), start=1):
                    if isinstance(record, Fact):
                        fact = type(record).__name__
                        read.facts.add(fact)
                        if fact in stated:
                            read.keys[fact].add(record.asset)
                    elif record.why is GapWhy.MALFORMED or (record.asset is None and record.field is None):
                        read.lost.add(record.fact)
                    if number % BREATH == 0:
                        access.call(lambda: None)
                    yield record
        except OSError as error:
            why = GapWhy.DENIED if isinstance(error, PermissionError) else GapWhy.ERROR
            for fact in lost:
                yield Gap(fact=fact, why=why, detail=f"{read.name}: {error.strerror or error}")
            read.closes = False
            return
        yield SourceIdentity(kind="file", value=f"{read.name} sha256:{file.sha256} rows:{file.rows}")
        if read.statement is not None and read.closes:
            flaw = _mismatch(read.statement, file)
            if flaw:
                read.closes = False
                for census in read.statement.censuses:
                    yield Gap(fact=census.fact, why=GapWhy.CONFLICT, detail=f"{read.name}: {flaw}")


def _supplier_key(target: Target) -> tuple[bytes | None, str | None]:
    """PEM of the key whose signature closes, from the option itself or the file it names; or why it cannot be had."""
    given = target.options.get("supplier_key")
    if given is None or given == "":
        return None, None
    text = given.decode("utf-8", "replace") if isinstance(given, bytes) else str(given)
    if "-----BEGIN" in text:
        return text.encode(), None
    try:
        return Path(text).read_bytes(), None
    except OSError as error:
        return None, f"supplier_key {text}: {error.strerror}; nothing is closed"


def _statement(path: Path, key: bytes | None, read: _Read) -> Iterator[Record]:
    """Read the statement beside a file into ``read``; yields it as a capture, and a gap where it is of no use."""
    signed = path.with_name(path.name + sidecar.SIGNED_SUFFIX)
    plain = path.with_name(path.name + sidecar.PLAIN_SUFFIX)
    found = next((one for one in (signed, plain) if one.exists()), None)
    if found is None:
        return
    named = SuppliedFile(path.name, ()).named or "*"
    if found.stat().st_size > sidecar.LARGEST:
        yield Gap(fact=named, why=GapWhy.MALFORMED, detail=f"{found.name}: larger than {sidecar.LARGEST} bytes")
        return
    content = found.read_bytes()
    yield Capture(name=found.name, media_type="application/json", content=content)
    try:
        if found == plain:
            read.statement = sidecar.read_plain(content)
        elif key is None:
            read.statement = sidecar.read_unverified(content)
            for census in read.statement.censuses:
                detail = f"{found.name}: signed, but the target names no supplier_key to check it with"
                yield Gap(fact=census.fact, why=GapWhy.UNSUPPORTED, detail=detail)
        else:
            read.statement = sidecar.verify(content, key)
            read.closes = True
            value = f"{read.statement.supplied_by} as of {read.statement.as_of.isoformat()}"
            yield SourceIdentity(kind="supplier", value=value)
    except Malformed as error:
        yield Gap(fact=named, why=GapWhy.MALFORMED, detail=f"{found.name}: {error}")
    if read.statement is not None:
        yield from _odd_names(found.name, read)


def _odd_names(name: str, read: _Read) -> Iterator[Gap]:
    statement = read.statement
    if statement is None:
        return
    facts = [census.fact for census in statement.censuses]
    for fact in facts:
        if fact not in KNOWN:
            detail = f"{name}: there is no fact {fact!r}{nearest(fact, KNOWN)}"
            yield Gap(fact="*", why=GapWhy.MALFORMED, detail=detail)
            read.statement, read.closes = None, False
        elif facts.count(fact) > 1:
            yield Gap(fact=fact, why=GapWhy.MALFORMED, detail=f"{name}: it states {fact} twice")
            read.closes = False


def _mismatch(statement: Statement, file: SuppliedFile) -> str:
    if statement.file_sha256 is None:
        return "the signed statement does not say of which bytes it speaks (file_sha256)"
    if statement.file_sha256 != file.sha256:
        return "the signed statement speaks of other bytes: SHA-256 differs"
    if statement.rows is None:
        return "the signed statement does not say how many rows the file has"
    if statement.rows != file.rows:
        return f"the signed statement speaks of {statement.rows} rows, and the file has {file.rows}"
    return ""


def _censuses(reads: list[_Read]) -> Iterator[Census | Gap]:
    """One census per fact over all files of the target; closed only if every file with such rows is."""
    parts: Mapping[str, list[_Part]] = defaultdict(list)
    lost = set().union(*(read.lost for read in reads))
    for read in reads:
        for stated in read.statement.censuses if read.statement else ():
            seen = frozenset(read.keys.get(stated.fact, ()))
            part = _Part(read.name, read.statement, stated, seen, read.closes)  # type: ignore[arg-type]
            parts[stated.fact].append(part)
    for fact in sorted(parts):
        described = parts[fact]
        files = {part.file for part in described}
        loose = sorted(read.name for read in reads if fact in read.facts and read.name not in files)
        flaws = [flaw for part in described if (flaw := _part_flaw(part))]
        for flaw in flaws:
            yield Gap(fact=fact, why=GapWhy.CONFLICT, detail=flaw)
        whole = not lost & {fact, "*"}
        complete = whole and not loose and not flaws and all(part.closes for part in described)
        if loose and all(part.closes for part in described):
            detail = f"{', '.join(loose)} holds rows that no signed statement covers"
            yield Gap(fact=fact, why=GapWhy.CONFLICT, detail=detail)
        yield _merged(fact, described, complete)


def _part_flaw(part: _Part) -> str:
    stated = part.stated
    if stated.keys is not None:
        if len(set(stated.keys)) != stated.n or keys_digest(stated.keys) != stated.digest:
            return f"{part.file}: the stated keys do not match their own number and digest"
        return ""
    if part.closes and (len(part.seen) != stated.n or keys_digest(part.seen) != stated.digest):
        return f"{part.file}: {stated.n} assets are stated, {len(part.seen)} were read, or others than stated"
    return ""


def _merged(fact: str, parts: list[_Part], complete: bool) -> Census:
    as_of = min(part.statement.as_of for part in parts)
    if len(parts) == 1:
        (only,) = parts
        return Census(
            fact=fact,
            query=only.stated.query,
            as_of=as_of,
            complete=complete,
            n=only.stated.n,
            digest=only.stated.digest,
            keys=None if only.stated.keys is None else tuple(sorted(only.stated.keys)),
        )
    keys: set[str] = set()
    for part in parts:
        keys.update(part.seen if part.stated.keys is None else part.stated.keys)
    return Census(
        fact=fact,
        query="; ".join(f"{part.file}: {part.stated.query}" for part in parts),
        as_of=as_of,
        complete=complete,
        n=len(keys),
        digest=keys_digest(keys),
        keys=tuple(sorted(keys)) if len(keys) <= 100_000 else None,
    )


COLLECTOR = ImportCollector()


def sign_sidecar(data_file: Path, payload: Mapping[str, Any], private_key_pem: bytes) -> Path:
    """Write the signed statement that closes ``data_file`` beside it; see `collectors.sidecar.sign`."""
    return sidecar.write_beside(data_file, payload, private_key_pem)
