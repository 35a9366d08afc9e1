"""What each source said, laid out for judging: one relation per source and fact, and whether its listing is closed."""

from __future__ import annotations

import hashlib
import operator
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from scanner.column import CLOCK_TOLERANCE, ColumnType, FieldInfo, fields_of
from scanner.derive.same import Sameness, sameness
from scanner.model import Census, Fact, Gap, Origin, Sensitivity, utc

SQL_TYPES: Mapping[ColumnType, str] = {
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.INTEGER: "BIGINT",
    ColumnType.TEXT: "VARCHAR",
    ColumnType.TIME: "TIMESTAMP",
    ColumnType.TEXT_LIST: "VARCHAR[]",
}


ROWS = 122_880
"""Rows of a file whose keys are hashed at once: a row group, so that others need not be read."""
MEMORY = "640MB"
"""What the engine may hold in memory; the process needs some more."""
FEW_ROWS = 100_000
"""Evidence of no more rows is judged in one thread, without memory kept for the next query: that saves no time then."""


@dataclass(frozen=True)
class Keys:
    """The distinct asset keys of one file: how many, their digest, and whether some stand there more than once."""

    n: int
    digest: str
    repeat: bool


@dataclass(frozen=True)
class ReadTarget:
    """One target as the assessment sees it: what it promised, and the sealed collection that counts, if any."""

    target: str
    source: str
    collector: str
    promises: frozenset[str]
    """Fact types."""
    fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By fact type, the fields that it speaks of where these are not all."""
    folder: Path | None = None
    root: str = ""
    origin: Origin = Origin.LIVE
    collected_at: str = ""
    complete: bool = False
    facts: Mapping[str, int] = field(default_factory=dict)
    censuses: Sequence[Census] = ()
    gaps: Sequence[Gap] = ()
    identities: Sequence[str] = ()


def quoted(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def timestamp(moment: datetime) -> str:
    """A SQL TIMESTAMP literal in UTC."""
    return f"TIMESTAMP '{utc(moment).replace(tzinfo=None).isoformat(sep=' ')}'"


def sql_type(info: FieldInfo) -> str:
    """The SQL type under which a field is stored."""
    if info.struct is not None:
        inner = ", ".join(f"{identifier(name)} {sql_type(part)}" for name, part in fields_of(info.struct).items())
        return f"STRUCT({inner})[]"
    return SQL_TYPES[info.type]


def judged_fields(fact: type[Fact]) -> list[FieldInfo]:
    """Fields that are neither key, time nor personal, in order of definition."""
    return [
        info
        for name, info in fields_of(fact).items()
        if name not in {"asset", "observed_at"} and info.sensitivity is not Sensitivity.PERSONAL
    ]


class Evidence:
    """What every source said, at one moment.

    ``same`` maps aliases to the keys of the defining source. A source is *closed* for a fact when each of its targets
    was read to its end, and its census is complete, fresh, and matches the rows seen key for key.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        targets: Iterable[ReadTarget],
        facts: Mapping[str, type[Fact]],
        as_of: datetime,
    ) -> None:
        self.connection = connection
        self.as_of = utc(as_of)
        self.facts = facts
        self.targets = tuple(sorted(targets, key=lambda target: target.target))
        self.by_source: dict[str, list[ReadTarget]] = {}
        for target in self.targets:
            self.by_source.setdefault(target.source, []).append(target)
        if sum(sum(target.facts.values()) for target in self.targets) <= FEW_ROWS:
            connection.execute("SET threads = 1")
            connection.execute("SET allocator_bulk_deallocation_flush_threshold = '0MB'")
        self.keys: dict[Path, Keys] = {}
        """By file of a target, once they were looked at."""
        self.relations: dict[tuple[str, str], str | None] = {}
        """By source and fact, what ``rows`` gave."""
        self.duplicated: set[tuple[str, str]] = set()
        self.same: Sameness = sameness(self._same_pairs())
        if self.same.canonical:
            self.connection.execute("CREATE OR REPLACE TEMP TABLE same (alias VARCHAR, canonical VARCHAR)")
            aliases = sorted(self.same.canonical)
            names = [self.same.canonical[alias] for alias in aliases]
            self.connection.execute("INSERT INTO same SELECT unnest($1), unnest($2)", [aliases, names])

    def promising(self, fact: str) -> list[str]:
        """Sources that promise the fact, in order of name; what a source yields unpromised does not count.

        Otherwise losing all of it would also lose the knowledge that the source ever had a say.
        """
        return sorted(
            source for source, targets in self.by_source.items() if any(fact in target.promises for target in targets)
        )

    def fields(self, source: str, fact: str) -> frozenset[str] | None:
        """The fields of a fact that a source promises to speak of; None where these are all."""
        spoken: set[str] = set()
        for target in self.by_source.get(source, []):
            if fact in target.promises:
                if fact not in target.fields:
                    return None
                spoken |= target.fields[fact]
        return frozenset(spoken)

    def files(self, source: str, fact: str) -> list[tuple[ReadTarget, Path]]:
        """Parquet files in which a source speaks of a fact."""
        found = []
        for target in self.by_source.get(source, []):
            if target.folder is not None:
                path = target.folder / "facts" / f"{fact}.parquet"
                if path.is_file():
                    found.append((target, path))
        return found

    def rows(self, source: str, fact: str) -> str | None:
        """SQL of one row per asset: asset, observed_at and the judged fields; None where the source has no file.

        Where one source gives an asset twice, a field on which the rows differ is null.
        """
        key = (source, fact)
        if key not in self.relations:
            self.relations[key] = self._build_rows(source, fact)
        return self.relations[key]

    def _build_rows(self, source: str, fact: str) -> str | None:
        files = self.files(source, fact)
        if not files:
            return None
        columns = judged_fields(self.facts[fact])
        kind = self.facts[fact].kind
        names = ", ".join(["asset", "observed_at", *(identifier(column.name) for column in columns)])
        paths = ", ".join(quoted(str(path)) for _, path in files)
        stored = self._stored_columns(paths)
        fill = ", ".join(
            identifier(column.name)
            if column.name in stored
            else f"CAST(NULL AS {sql_type(column)}) AS {identifier(column.name)}"
            for column in columns
        )
        fill = f", {fill}" if fill else ""
        query = f"SELECT asset, observed_at{fill} FROM read_parquet([{paths}], union_by_name = true)"
        renamed = self.same.canonical and (
            kind == "*" or any(key.startswith(f"{kind}:") for key in self.same.canonical)
        )
        if renamed:
            rest = names.removeprefix("asset, ")
            query = (
                f"SELECT coalesce(same.canonical, said.asset) AS asset, {rest} FROM ({query}) AS said "
                f"LEFT JOIN same ON same.alias = said.asset"
            )
        if self._repeats(query) if renamed or len(files) > 1 else self._keys_in(files[0][1]).repeat:
            self.duplicated.add((source, fact))
            agreed = ", ".join(
                f"CASE WHEN count(DISTINCT {identifier(c.name)}) = 1 AND count({identifier(c.name)}) = count(*) "
                f"THEN min({identifier(c.name)}) END AS {identifier(c.name)}"
                for c in columns
            )
            agreed = f", {agreed}" if agreed else ""
            query = f"SELECT asset, min(observed_at) AS observed_at{agreed} FROM ({query}) GROUP BY asset"
        return query

    def _repeats(self, query: str) -> bool:
        counted = self.connection.execute(f"SELECT count(*), count(DISTINCT asset) FROM ({query})").fetchone()
        return counted is not None and bool(counted[0] != counted[1])

    def _stored_columns(self, paths: str) -> set[str]:
        described = self.connection.execute(f"DESCRIBE SELECT * FROM read_parquet([{paths}], union_by_name = true)")
        return {str(row[0]) for row in described.fetchall()}

    def keys_of(self, asset: str) -> list[str]:
        """The asset's own key and its aliases."""
        return [asset, *(alias for alias, key in self.same.canonical.items() if key == asset)]

    def mentioned(self, path: Path, assets: Iterable[str]) -> set[str]:
        """Which of the assets a fact file has rows about, under their own keys or aliases."""
        owner = {asset: asset for asset in assets}
        owner |= {alias: key for alias, key in self.same.canonical.items() if key in owner}
        if not owner:
            return set()
        names = ", ".join(quoted(key) for key in sorted(owner))
        query = f"SELECT DISTINCT asset FROM read_parquet({quoted(str(path))}) WHERE asset IN ({names})"
        return {owner[str(row[0])] for row in self.connection.execute(query).fetchall()}

    def raw_rows(self, path: Path, asset: str) -> list[dict[str, object]]:
        """Every row of a fact file about the asset, as stored."""
        names = ", ".join(quoted(key) for key in self.keys_of(asset))
        found = self.connection.execute(f"SELECT * FROM read_parquet({quoted(str(path))}) WHERE asset IN ({names})")
        columns = [str(column[0]) for column in found.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]

    def same_sql(self) -> list[str]:
        """SQL statements that make the table of aliases, where there are any."""
        if not self.same.canonical:
            return []
        rows = ", ".join(f"({quoted(alias)}, {quoted(key)})" for alias, key in sorted(self.same.canonical.items()))
        return [f"CREATE TEMP TABLE same AS SELECT * FROM (VALUES {rows}) AS pairs (alias, canonical);"]

    def cutoff(self, max_age: timedelta) -> str:
        """SQL literal of the oldest moment that still counts."""
        return timestamp(self.as_of - max_age)

    def horizon(self) -> str:
        """SQL literal of the latest moment that counts; later observations lie in the future."""
        return timestamp(self.as_of + CLOCK_TOLERANCE)

    def keys_digest(self, target: ReadTarget, fact: str) -> tuple[int, str]:
        """Number and digest of the distinct asset keys that a target gave for a fact, as a census states them."""
        path = None if target.folder is None else target.folder / "facts" / f"{fact}.parquet"
        if path is None or not path.is_file():
            return 0, hashlib.sha256(b"").hexdigest()
        keys = self._keys_in(path)
        return keys.n, keys.digest

    def _keys_in(self, path: Path) -> Keys:
        if path not in self.keys:
            self.keys[path] = self._sorted_keys(path) or self._any_keys(path)
        return self.keys[path]

    def _sorted_keys(self, path: Path) -> Keys | None:
        """The keys of a file whose rows stand in order of distinct keys, as the store writes them; None for others."""
        digest, n, last = hashlib.sha256(), 0, ""
        while True:
            row = self.connection.execute(
                "SELECT count(*), string_agg(asset, chr(10) ORDER BY file_row_number) "
                f"FROM read_parquet({quoted(str(path))}, file_row_number = true) "
                f"WHERE file_row_number BETWEEN {n} AND {n + ROWS - 1}"
            ).fetchone()
            if row is None or not row[0]:
                break
            text = str(row[1])
            keys = text.split("\n")
            if len(keys) != row[0] or not (last < keys[0] and all(map(operator.lt, keys, keys[1:]))):
                return None
            digest.update((("\n" if n else "") + text).encode("utf-8", "surrogatepass"))
            n, last = n + len(keys), keys[-1]
            if len(keys) < ROWS:
                break
        return Keys(n, digest.hexdigest(), False)

    def _any_keys(self, path: Path) -> Keys:
        row = self.connection.execute(
            "SELECT count(*), sha256(coalesce(string_agg(asset, chr(10) ORDER BY asset), '')), "
            "coalesce(sum(n), 0) <> count(asset) "
            f"FROM (SELECT asset, count(*) AS n FROM read_parquet({quoted(str(path))}) GROUP BY asset)"
        ).fetchone()
        return Keys(0, "", False) if row is None else Keys(int(row[0]), str(row[1]), bool(row[2]))

    def closed(self, source: str, fact: str, max_age: timedelta) -> bool:
        """Whether the source's listing of the fact is complete, fresh, and agrees with the rows seen."""
        targets = self.by_source.get(source, [])
        return bool(targets) and all(self.target_closed(target, fact, max_age) for target in targets)

    def target_closed(self, target: ReadTarget, fact: str, max_age: timedelta) -> bool:
        """The same for one target."""
        if target.folder is None or not target.complete:
            return False
        counted = [census for census in target.censuses if census.fact == fact]
        if not counted or any(not census.complete for census in counted):
            return False
        oldest, latest = self.as_of - max_age, self.as_of + CLOCK_TOLERANCE
        if any(not oldest <= utc(census.as_of) <= latest for census in counted):
            return False
        if len(counted) > 1 and len({census.digest for census in counted}) > 1:
            return False
        n, digest = self.keys_digest(target, fact)
        return all(census.n == n and census.digest == digest for census in counted)

    def census_is_stale(self, source: str, fact: str, max_age: timedelta) -> bool:
        """Whether a census of the source exists for the fact but is too old."""
        oldest = self.as_of - max_age
        return any(
            census.fact == fact and utc(census.as_of) < oldest
            for target in self.by_source.get(source, [])
            for census in target.censuses
        )

    def identity_known(self, kind: str, max_age: timedelta) -> bool:
        """Whether it is settled which keys of a kind name one asset: no ambiguity, every ``Same`` listing closed."""
        if kind in self.same.ambiguous or "*" in self.same.ambiguous:
            return False
        for source in self.promising("Same"):
            kinds = {
                self.facts[name].kind
                for target in self.by_source[source]
                for name in target.promises
                if name in self.facts and self.facts[name].kind != "*"
            }
            if (not kinds or kind in kinds) and not self.closed(source, "Same", max_age):
                return False
        return True

    def excludes(self, source: str, fact: str, kind: str, max_age: timedelta) -> bool:
        """Whether the source's silence about an asset means that the asset is not among those it lists."""
        return self.closed(source, fact, max_age) and self.identity_known(kind, max_age)

    def _same_pairs(self) -> list[tuple[str, str | None]]:
        pairs: list[tuple[str, str | None]] = []
        for source in self.by_source:
            for _, path in self.files(source, "Same"):
                found = self.connection.execute(f"SELECT asset, same_as FROM read_parquet({quoted(str(path))})")
                pairs.extend((str(asset), same_as) for asset, same_as in found.fetchall())
        return pairs


def connect(threads: int | None = None, memory: str = MEMORY) -> duckdb.DuckDBPyConnection:
    """An embedded engine whose sessions think in UTC and that loads nothing from outside.

    What does not fit into ``memory`` is spilled into a private folder, which goes with the connection.
    """
    spill = tempfile.mkdtemp(prefix="ztgrade-")
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "memory_limit": memory,
            "temp_directory": spill,
        }
    )
    weakref.finalize(connection, shutil.rmtree, spill, ignore_errors=True)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET preserve_insertion_order = false")
    if threads is not None:
        connection.execute(f"SET threads = {int(threads)}")
    return connection
