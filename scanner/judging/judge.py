"""Uses of checks over populations: findings, one int8 column a use; the only place where UNKNOWN is born."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import duckdb
import narwhals as nw

from scanner.column import Built, Check
from scanner.errors import EngineError
from scanner.judging.evidence import ROWS, identifier, quoted
from scanner.judging.population import Population
from scanner.judging.world import touched_by, with_quantified, world_sql
from scanner.model import Outcome


@dataclass(frozen=True)
class Use:
    """A check with its parameters and maximum age, as requirements use it; equal uses are judged once."""

    check: Check[Any]
    parameters: Mapping[str, Any]
    max_age: timedelta

    @cached_property
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
def roster_first(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Joins that go through the roster once, looking up each source's rows.

    Left to itself the engine guesses sizes, turns some joins round, and copies all that was joined before: twice the
    time and the memory.
    """
    connection.execute("SET disabled_optimizers = 'build_side_probe_side'")
    try:
        yield
    finally:
        connection.execute("RESET disabled_optimizers")


SLICE = 1 << 20
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
            with roster_first(connection):
                connection.execute(f"CREATE OR REPLACE TEMP TABLE world AS {world}")
            connection.execute(f"{into} {_claims_sql(population, group, 'SELECT * FROM world')}")
            into = f"INSERT INTO {table}"
        connection.execute("DROP TABLE world")
    except duckdb.OutOfMemoryException as error:
        raise EngineError(
            f"memory or spill space ran out while judging {population.name}: {error}; free some, then run it again"
        ) from error
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
