"""The joined table that claims are evaluated on: what every source said of each asset, merged field by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import duckdb
import narwhals as nw

from scanner.column import Built, FieldInfo, Quantified, column_name
from scanner.judging.absence import absent_sql
from scanner.judging.evidence import Evidence, identifier, judged_fields, quoted, sql_type
from scanner.judging.population import Population
from scanner.model import Fact


@dataclass(frozen=True)
class Voice:
    """One source's rows about one fact, joined to a roster: SQL conditions over the joined row."""

    source: str
    alias: str
    join: str
    present: str
    """The source gave a row for the asset."""
    fresh: str
    """That row is young enough, and not from the future."""
    excludes: bool
    """Silence about an asset means that the source does not list it."""
    closed: bool
    fields: frozenset[str] | None = None
    """The fields that it promises to speak of; the others are left to other sources. None: all."""

    def speaks_of(self, info: FieldInfo) -> bool:
        """Whether the source has a say on a field."""
        return self.fields is None or info.name in self.fields

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
                source=source,
                alias=alias,
                join="" if rows is None else f"LEFT JOIN {said} ON {alias}.asset = roster.asset",
                present="false" if rows is None else f"({alias}.{IN_TIME} IS NOT NULL)",
                fresh="false" if rows is None else f"coalesce({alias}.{IN_TIME}, false)",
                excludes=evidence.excludes(source, fact, kind, max_age),
                closed=evidence.closed(source, fact, max_age),
                fields=evidence.fields(source, fact),
            )
        )
    return found


def agreed(voices: Sequence[Voice], info: FieldInfo) -> str:
    """SQL of a field that every source of it must have spoken for or excluded, and on which all that spoke agree."""
    voices = [voice for voice in voices if voice.speaks_of(info)]
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
    spoke = [voice for voice in voices if voice.join and voice.speaks_of(info)]
    return " OR ".join(
        f"({a.fresh} AND {b.fresh} AND {a.alias}.{name} IS DISTINCT FROM {b.alias}.{name})"
        for i, a in enumerate(spoke)
        for b in spoke[i + 1 :]
    )


def decided(voices: Sequence[Voice], info: FieldInfo) -> str:
    """SQL of a field decided by the first source of it that does not exclude the asset; each needs a closed listing."""
    null = f"CAST(NULL AS {sql_type(info)})"
    value = null
    for voice in reversed([voice for voice in voices if voice.speaks_of(info)]):
        if not voice.closed:
            value = null
            continue
        own = f"CASE WHEN {voice.fresh} THEN {voice.alias}.{identifier(info.name)} END" if voice.join else null
        otherwise = value if voice.excludes else null
        value = f"CASE WHEN {voice.present} THEN {own} ELSE {otherwise} END"
    return value


@dataclass(frozen=True)
class Merged:
    """One field of a fact as its sources leave it: SQL over a roster to which they are joined."""

    fact: type[Fact]
    info: FieldInfo
    value: str
    voices: tuple[Voice, ...]
    """Every source of the fact, whether it has a say on this field or not."""

    @property
    def column(self) -> str:
        """Its name in the world, quoted."""
        return identifier(column_name(self.fact.__name__, self.info.name))


@dataclass(frozen=True)
class World:
    """Every source of some facts joined to a roster, each once: what claims and explanations are read from."""

    fields: tuple[Merged, ...]
    joins: str


def world(
    population: Population,
    touched: Mapping[type[Fact], frozenset[str]],
    max_age: timedelta,
    precedence: Mapping[str, Sequence[str]],
    where: str = "",
) -> World:
    """The touched fields of a population's assets.

    ``where``, over keys, is what all assets of the roster meet; facts about others are then not read.
    """
    joins: list[str] = []
    fields: list[Merged] = []
    evidence, kind = population.evidence, population.fact.kind
    for fact in sorted(touched, key=lambda item: item.__name__):
        order = precedence.get(fact.__name__)
        sources = evidence.promising(fact.__name__) if order is None else order
        speaking = tuple(voices(evidence, fact.__name__, kind, sources, max_age, where))
        joins += [voice.join for voice in speaking if voice.join]
        absent = absent_sql(population, fact, sources, max_age)
        for info in judged_fields(fact):
            if info.name in touched[fact]:
                value = agreed(speaking, info) if order is None else decided(speaking, info)
                if absent and info.name in fact.absent:
                    value = f"CASE WHEN {absent} THEN {quoted(fact.absent[info.name])} ELSE {value} END"
                fields.append(Merged(fact, info, value, speaking))
    return World(tuple(fields), " ".join(joins))


def world_sql(
    population: Population,
    touched: Mapping[type[Fact], frozenset[str]],
    max_age: timedelta,
    precedence: Mapping[str, Sequence[str]],
    roster: str | None = None,
    where: str = "",
) -> str:
    """SQL of the joined table that claims are evaluated on: id, asset, and ``Fact__field`` for every touched field."""
    joined = world(population, touched, max_age, precedence, where)
    columns = [f"{field.value} AS {field.column}" for field in joined.fields]
    selected = ", ".join(["roster.id", "roster.asset", *columns])
    source = population.table if roster is None else f"({roster})" if roster.startswith("SELECT ") else roster
    return f"SELECT {selected} FROM {source} AS roster {joined.joins}"


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


def touched_by(built: Iterable[Built]) -> dict[type[Fact], frozenset[str]]:
    """Fields that claims read, per fact."""
    touched: dict[type[Fact], set[str]] = {}
    for claim in built:
        for fact, name in claim.touched.fields:
            touched.setdefault(fact, set()).add(name)
    return {fact: frozenset(names) for fact, names in touched.items()}
