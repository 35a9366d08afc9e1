"""Uses of checks over populations: findings, one int8 column a use; the only place where UNKNOWN is born."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import duckdb
import narwhals as nw

from scanner.column import Built, Check, FieldInfo, Quantified, column_name
from scanner.evidence import ROWS, Evidence, identifier, judged_fields, quoted, sql_type
from scanner.model import Fact, Outcome


@dataclass(frozen=True)
class Use:
    """A check with its parameters and maximum age, as requirements use it; equal uses are judged once."""

    check: Check[Any]
    parameters: Mapping[str, Any]
    max_age: timedelta

    @property
    def id(self) -> str:
        """``check@hash8``: the name of its column in findings."""
        body = json.dumps(
            {
                "check": self.check.id,
                "parameters": dict(self.parameters),
                "max_age": int(self.max_age.total_seconds()),
            },
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
        )
        return f"{self.check.id}@{hashlib.sha256(body.encode()).hexdigest()[:8]}"

    @property
    def over(self) -> str:
        """Name of the population fact."""
        return str(self.check.over.__name__)


@dataclass(frozen=True)
class Population:
    """The assets of one kind that its defining sources list, and for which ages that listing is closed."""

    fact: type[Fact]
    defined_by: tuple[str, ...]
    evidence: Evidence
    listed: frozenset[str] = frozenset()
    """Keys named by the estate; members with nothing known until a source speaks for them."""

    @property
    def name(self) -> str:
        """Name of the population fact."""
        return self.fact.__name__

    @property
    def table(self) -> str:
        """Name of its roster: (id, asset), sorted by asset."""
        return f"roster__{self.name}"

    def closed(self, max_age: timedelta) -> bool:
        """Whether every defining source's listing is closed and it is settled which keys name one asset."""
        return bool(self.defined_by) and (
            all(self.evidence.closed(source, self.name, max_age) for source in self.defined_by)
            and self.evidence.identity_known(self.fact.kind, max_age)
        )

    def roster_sql(self) -> str:
        """SQL of the roster: (id, asset), numbered from 0 in order of asset, every asset that anyone names."""
        said = [rows for source in self.defined_by if (rows := self.evidence.rows(source, self.name)) is not None]
        parts = [f"SELECT asset FROM ({rows})" for rows in said]
        named = {
            self.evidence.same.canonical.get(key, key)
            for source in self.defined_by
            for target in self.evidence.by_source.get(source, [])
            for census in target.censuses
            if census.fact == self.name and census.keys
            for key in census.keys
        } | {self.evidence.same.canonical.get(key, key) for key in self.listed}
        if named:
            keys = ", ".join(quoted(key) for key in sorted(named))
            parts.append(f"SELECT unnest([{keys}]) AS asset")
        if not parts:
            parts.append("SELECT CAST(NULL AS VARCHAR) AS asset")
        return (
            "SELECT CAST(row_number() OVER (ORDER BY asset) - 1 AS INTEGER) AS id, asset "
            f"FROM ({' UNION '.join(parts)}) WHERE asset IS NOT NULL ORDER BY asset"
        )

    def build(self) -> int:
        """Make the roster table; returns the number of assets."""
        connection = self.evidence.connection
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {self.table} AS {self.roster_sql()}")
        row = connection.execute(f"SELECT count(*) FROM {self.table}").fetchone()
        return 0 if row is None else int(row[0])


@dataclass
class Judged:
    """Findings of one population: table ``findings__<Population>`` (id, asset, one int8 a use), and what went wrong."""

    population: Population
    uses: tuple[Use, ...]
    size: int
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def table(self) -> str:
        """Name of the findings table."""
        return f"findings__{self.population.name}"


@dataclass(frozen=True)
class Voice:
    """One source's rows about one fact, joined to a roster: SQL conditions over the joined row."""

    alias: str
    join: str
    present: str
    """The source gave a row for the asset."""
    fresh: str
    """That row is young enough, and not from the future."""
    excludes: bool
    """Silence about an asset means that the source does not list it."""
    closed: bool

    @property
    def settled(self) -> str:
        """The source has spoken in time, or has excluded the asset by a closed listing."""
        return f"({self.fresh} OR NOT {self.present})" if self.excludes else self.fresh


IN_TIME = "in_time"
"""Column that says of each row of a source whether it counts; null where the source gave no row."""


def voices(
    evidence: Evidence, fact: str, kind: str, sources: Sequence[str], max_age: timedelta, where: str = ""
) -> list[Voice]:
    """How each source speaks of a fact about assets of a kind, or about those of them that ``where`` picks by key."""
    found = []
    numbers = {name: number for number, name in enumerate(evidence.by_source)}
    in_time = f"coalesce(observed_at BETWEEN {evidence.cutoff(max_age)} AND {evidence.horizon()}, false) AS {IN_TIME}"
    picked = f" WHERE {where}" if where else ""
    for source in sources:
        alias = f"{fact}_{numbers.get(source, len(numbers))}"
        rows = evidence.rows(source, fact)
        said = f"(SELECT *, {in_time} FROM ({rows}){picked}) AS {alias}"
        found.append(
            Voice(
                alias=alias,
                join="" if rows is None else f"LEFT JOIN {said} ON {alias}.asset = roster.asset",
                present="false" if rows is None else f"({alias}.{IN_TIME} IS NOT NULL)",
                fresh="false" if rows is None else f"coalesce({alias}.{IN_TIME}, false)",
                excludes=evidence.excludes(source, fact, kind, max_age),
                closed=evidence.closed(source, fact, max_age),
            )
        )
    return found


def agreed(voices: Sequence[Voice], info: FieldInfo) -> str:
    """SQL of a field that every source must have spoken for or excluded, and on which all that spoke agree."""
    spoke = [voice for voice in voices if voice.join]
    if not spoke:
        return f"CAST(NULL AS {sql_type(info)})"
    name = identifier(info.name)
    values = [f"CASE WHEN {voice.fresh} THEN {voice.alias}.{name} END" for voice in spoke]
    settled = [voice.settled for voice in voices]
    if conflict := conflict_sql(spoke, info):
        settled.append(f"NOT ({conflict})")
    value = values[0] if len(values) == 1 else f"coalesce({', '.join(values)})"
    return f"CASE WHEN {' AND '.join(settled)} THEN {value} END"


def conflict_sql(voices: Sequence[Voice], info: FieldInfo) -> str:
    """SQL that is true where two sources spoke in time and differ on the field; empty for a single source."""
    name = identifier(info.name)
    return " OR ".join(
        f"({a.fresh} AND {b.fresh} AND {a.alias}.{name} IS DISTINCT FROM {b.alias}.{name})"
        for i, a in enumerate(voices)
        for b in voices[i + 1 :]
        if a.join and b.join
    )


def decided(voices: Sequence[Voice], info: FieldInfo) -> str:
    """SQL of a field decided by the first source that does not exclude the asset; each needs a closed listing."""
    null = f"CAST(NULL AS {sql_type(info)})"
    value = null
    for voice in reversed(voices):
        if not voice.closed:
            value = null
            continue
        own = f"CASE WHEN {voice.fresh} THEN {voice.alias}.{identifier(info.name)} END" if voice.join else null
        otherwise = value if voice.excludes else null
        value = f"CASE WHEN {voice.present} THEN {own} ELSE {otherwise} END"
    return value


def world_sql(
    population: Population,
    touched: Mapping[type[Fact], frozenset[str]],
    max_age: timedelta,
    precedence: Mapping[str, Sequence[str]],
    roster: str | None = None,
    where: str = "",
) -> str:
    """SQL of the joined table that claims are evaluated on: id, asset, and ``Fact__field`` for every touched field.

    ``where``, over keys, is what all assets of the roster meet; facts about others are then not read.
    """
    joins: list[str] = []
    columns: list[str] = []
    evidence, kind = population.evidence, population.fact.kind
    for fact in sorted(touched, key=lambda item: item.__name__):
        order = precedence.get(fact.__name__)
        sources = evidence.promising(fact.__name__) if order is None else order
        speaking = voices(evidence, fact.__name__, kind, sources, max_age, where)
        joins += [voice.join for voice in speaking if voice.join]
        for info in judged_fields(fact):
            if info.name in touched[fact]:
                value = agreed(speaking, info) if order is None else decided(speaking, info)
                columns.append(f"{value} AS {identifier(column_name(fact.__name__, info.name))}")
    selected = ", ".join(["roster.id", "roster.asset", *columns])
    source = population.table if roster is None else f"({roster})" if roster.startswith("SELECT ") else roster
    return f"SELECT {selected} FROM {source} AS roster {' '.join(joins)}"


def with_quantified(connection: duckdb.DuckDBPyConnection, world: str, statements: Sequence[Quantified]) -> str:
    """SQL of the world with one Boolean column more for every statement over a list of structs.

    All statements over one list share one group-by over its exploded child table.
    """
    by_list: dict[tuple[str, str], list[Quantified]] = {}
    for statement in statements:
        by_list.setdefault((statement.fact, statement.field), []).append(statement)
    joins, columns = [], []
    for number, ((fact, name), group) in enumerate(sorted(by_list.items())):
        column = identifier(column_name(fact, name))
        exploded = f"SELECT id, unnest({column}, max_depth := 2) FROM ({world}) WHERE len({column}) > 0"
        frame = nw.from_native(connection.sql(exploded)).select(
            "id", **{statement.name: statement.inner for statement in group}
        )
        inner = frame.to_native().sql_query()
        folds = ", ".join(_fold(statement) for statement in group)
        alias = f"child_{number}"
        joins.append(f"LEFT JOIN (SELECT id, {folds} FROM ({inner}) GROUP BY id) AS {alias} ON {alias}.id = world.id")
        for statement in group:
            empty = "NULL" if statement.empty is None else str(statement.empty).lower()
            columns.append(
                f"CASE WHEN world.{column} IS NULL THEN NULL "
                f"WHEN len(world.{column}) = 0 THEN CAST({empty} AS BOOLEAN) "
                f"ELSE {alias}.{identifier(statement.name)} END AS {identifier(statement.name)}"
            )
    if not columns:
        return world
    return f"SELECT world.*, {', '.join(columns)} FROM ({world}) AS world {' '.join(joins)}"


def _fold(statement: Quantified) -> str:
    name = identifier(statement.name)
    first, otherwise = (f"NOT {name}", "true") if statement.every else (name, "false")
    decided = "false" if statement.every else "true"
    return (
        f"CASE WHEN bool_or({first}) THEN {decided} WHEN bool_or({name} IS NULL) THEN NULL "
        f"ELSE {otherwise} END AS {name}"
    )


OUTCOME_SQL = (
    f"CAST(CASE WHEN NOT {{applies}} THEN {Outcome.NA.code} WHEN {{applies}} AND {{holds}} THEN {Outcome.PASS.code} "
    f"WHEN {{applies}} AND NOT {{holds}} THEN {Outcome.FAIL.code} ELSE {Outcome.UNKNOWN.code} END AS TINYINT)"
)


def outcomes_sql(connection: duckdb.DuckDBPyConnection, world: str, built: Mapping[str, Built]) -> str:
    """SQL of (id, asset, one int8 a use) from the joined world and the claims of the uses."""
    claims: dict[str, nw.Expr] = {}
    for number, claim in enumerate(built.values()):
        claims[f"applies_{number}"] = claim.applies.expr
        claims[f"holds_{number}"] = claim.holds.expr
    frame = nw.from_native(connection.sql(world)).select("id", "asset", **claims)
    parts = ["id", "asset"]
    for number, use_id in enumerate(built):
        parts.append(
            OUTCOME_SQL.format(applies=f"applies_{number}", holds=f"holds_{number}") + f" AS {identifier(use_id)}"
        )
    return f"SELECT {', '.join(parts)} FROM ({frame.to_native().sql_query()})"


def touched_by(built: Iterable[Built]) -> dict[type[Fact], frozenset[str]]:
    """Fields that claims read, per fact."""
    touched: dict[type[Fact], set[str]] = {}
    for claim in built:
        for fact, name in claim.touched.fields:
            touched.setdefault(fact, set()).add(name)
    return {fact: frozenset(names) for fact, names in touched.items()}


def use_sql(
    population: Population,
    uses: Mapping[str, Built],
    max_age: timedelta,
    precedence: Mapping[str, Sequence[str]],
    roster: str | None = None,
) -> str:
    """SQL that judges uses of one maximum age over a population; what ``ztgrade sql`` prints."""
    return _claims_sql(population, uses, world_sql(population, touched_by(uses.values()), max_age, precedence, roster))


def _claims_sql(population: Population, uses: Mapping[str, Built], world: str) -> str:
    connection = population.evidence.connection
    statements = {s.name: s for claim in uses.values() for s in claim.touched.quantified}
    quantified = with_quantified(connection, world, [statements[name] for name in sorted(statements)])
    return outcomes_sql(connection, quantified, uses)


def judge(
    population: Population, uses: Sequence[Use], as_of: datetime, precedence: Mapping[str, Sequence[str]]
) -> Judged:
    """Judge every use over one population in one pass per maximum age.

    A use that crashes is unknown for every asset, for itself alone; ``errors`` says why.
    """
    ordered = tuple(sorted({use.id: use for use in uses}.values(), key=lambda use: use.id))
    judged = Judged(population, ordered, population.build())
    by_age: dict[timedelta, dict[str, Built]] = {}
    for use in ordered:
        try:
            built = use.check.build(as_of, use.parameters)
        except Exception as error:
            judged.errors[use.id] = f"{type(error).__name__}: {error}"
            continue
        by_age.setdefault(use.max_age, {})[use.id] = built
    tables: list[tuple[str, list[str]]] = []
    for number, (max_age, group) in enumerate(sorted(by_age.items())):
        table = f"pass__{population.name}_{number}"
        for name, columns in _run(population, table, group, max_age, precedence, judged.errors):
            tables.append((name, columns))
    _gather(judged, tables)
    return judged


def _gather(judged: Judged, tables: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Make the findings table from those of the passes, which go."""
    connection = judged.population.evidence.connection
    if len(tables) == 1 and not judged.errors:
        connection.execute(f"DROP TABLE IF EXISTS {judged.table}")
        connection.execute(f"ALTER TABLE {tables[0][0]} RENAME TO {judged.table}")
        return
    held = [f"{name}.{identifier(column)}" for name, columns in tables for column in columns]
    crashed = [f"CAST({Outcome.UNKNOWN.code} AS TINYINT) AS {identifier(use)}" for use in sorted(judged.errors)]
    joins = " ".join(f"JOIN {name} ON {name}.id = roster.id" for name, _ in tables)
    stored = ", ".join(["roster.id", "roster.asset", *held, *crashed])
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {judged.table} AS SELECT {stored} "
        f"FROM {judged.population.table} AS roster {joins}"
    )
    for name, _ in tables:
        connection.execute(f"DROP TABLE {name}")


@contextmanager
def _roster_first(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Joins that go through the roster once, looking up each source's rows.

    Left to itself the engine guesses sizes, turns some joins round, and copies all that was joined before: twice the
    time and the memory.
    """
    connection.execute("SET disabled_optimizers = 'build_side_probe_side'")
    try:
        yield
    finally:
        connection.execute("RESET disabled_optimizers")


SLICE = 1 << 17
"""Assets that are judged at once, so that memory does not grow with the population."""


def _slices(population: Population) -> list[tuple[str, str]]:
    """SQL of each slice of the roster, and of what its keys meet, where there is more than one."""
    bounds = population.evidence.connection.execute(
        f"SELECT id // {SLICE} AS slice, min(asset), max(asset) FROM {population.table} GROUP BY slice ORDER BY slice"
    ).fetchall()
    if len(bounds) < 2:
        return [(population.table, "")]
    found = []
    for number, first, last in bounds:
        ids = f"id BETWEEN {number * SLICE} AND {(number + 1) * SLICE - 1}"
        keys = f"asset BETWEEN {quoted(first)} AND {quoted(last)}"
        found.append((f"SELECT id, asset FROM {population.table} WHERE {ids}", keys))
    return found


def _run(
    population: Population,
    table: str,
    group: Mapping[str, Built],
    max_age: timedelta,
    precedence: Mapping[str, Sequence[str]],
    errors: dict[str, str],
) -> list[tuple[str, list[str]]]:
    """One pass over the population; where it crashes, each use alone, so that a crash stays with its use."""
    connection = population.evidence.connection
    touched = touched_by(group.values())
    into = f"CREATE OR REPLACE TEMP TABLE {table} AS"
    try:
        for roster, where in _slices(population):
            world = world_sql(population, touched, max_age, precedence, roster, where)
            with _roster_first(connection):
                connection.execute(f"CREATE OR REPLACE TEMP TABLE world AS {world}")
            connection.execute(f"{into} {_claims_sql(population, group, 'SELECT * FROM world')}")
            into = f"INSERT INTO {table}"
        connection.execute("DROP TABLE world")
    except Exception as error:
        if len(group) == 1:
            (use_id,) = group
            errors[use_id] = f"{type(error).__name__}: {error}"
            return []
        return [
            entry
            for number, (use_id, built) in enumerate(group.items())
            for entry in _run(population, f"{table}_{number}", {use_id: built}, max_age, precedence, errors)
        ]
    return [(table, list(group))]


def findings_digest(judged: Judged) -> str:
    """SHA-256 in hex over the findings in order of asset: uses, then a line per asset with its outcome codes."""
    connection = judged.population.evidence.connection
    digest = hashlib.sha256("\n".join([judged.population.name, *(use.id for use in judged.uses)]).encode())
    ids = [use.id for use in judged.uses]
    codes = " || ".join(_digits(ids[first : first + DIGITS]) for first in range(0, len(ids), DIGITS)) or "''"
    for first in range(0, judged.size, ROWS):
        row = connection.execute(
            f"SELECT string_agg(asset || ' ' || {codes}, chr(10) ORDER BY id) "
            f"FROM {judged.table} WHERE id BETWEEN {first} AND {first + ROWS - 1}"
        ).fetchone()
        digest.update(b"\n")
        digest.update(str("" if row is None else row[0]).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


DIGITS = 18
"""Outcome codes, a decimal digit each, that fit into one 64-bit integer."""


def _digits(columns: Sequence[str]) -> str:
    """SQL of outcome codes in a row as text: summed as one number, which costs far less than joining texts."""
    summed = " + ".join(
        f"CAST({identifier(column)} AS BIGINT) * {10 ** (len(columns) - 1 - place)}"
        for place, column in enumerate(columns)
    )
    return f"lpad(CAST({summed} AS VARCHAR), {len(columns)}, '0')"


def write_findings(judged: Judged, path: str) -> None:
    """Write the findings as Parquet: asset and one int8 column a use, in order of asset."""
    connection = judged.population.evidence.connection
    columns = ", ".join(["asset", *(identifier(use.id) for use in judged.uses)])
    connection.execute(
        f"COPY (SELECT {columns} FROM {judged.table} ORDER BY id) TO {quoted(path)} (FORMAT parquet, COMPRESSION zstd)"
    )
