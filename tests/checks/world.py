"""A small evaluator of claims, written apart from the judge so that each can be held against the other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import msgspec
import narwhals as nw

from scanner.column import Built, Check, ColumnType, FieldInfo, Quantified, column_name, fields_of
from scanner.model import Fact, Outcome
from tests.engine import session

AS_OF = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
"""The moment at which every small world is judged."""

Row = Mapping[str, Any]
"""One asset: values by ``Fact.field``; what is not named was not seen."""
Case = tuple[Outcome, Row]
"""One asset and the outcome that it must have."""

_SQL = {
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.INTEGER: "BIGINT",
    ColumnType.TEXT: "VARCHAR",
    ColumnType.TIME: "TIMESTAMP",
}


def ago(*, days: float = 0, hours: float = 0) -> datetime:
    """The moment that lies so long before the worlds are judged; negative for the future."""
    return AS_OF - timedelta(days=days, hours=hours)


def verdicts(check: Check[Any], cases: Mapping[str, Case], **parameters: Any) -> dict[str, Outcome]:
    """Outcome of each named case; refuses rows that no collector could have seen and fields that nobody judges."""
    rows = [row for _, row in cases.values()]
    built = check.build(AS_OF, parameters)
    _refuse_impossible(built, rows)
    return dict(zip(cases, evaluate(built, rows), strict=True))


def expected(cases: Mapping[str, Case]) -> dict[str, Outcome]:
    """Outcome that each named case must have."""
    return {name: outcome for name, (outcome, _) in cases.items()}


def evaluate(built: Built, rows: Sequence[Row]) -> list[Outcome]:
    """Outcome of each row, in order, by one query over one wide table and its exploded child tables."""
    with session() as connection:
        world = load(connection, built, rows)
        for item in built.touched.quantified:
            world = _with_quantified(connection, world, item)
        frame = nw.from_native(world).select("n", applies=built.applies.expr, holds=built.holds.expr)
        found = frame.to_native().order("n").fetchall()
    return [_outcome(applies, holds) for _, applies, holds in found]


def _outcome(applies: bool | None, holds: bool | None) -> Outcome:
    if applies is False:
        return Outcome.NA
    if applies is None or holds is None:
        return Outcome.UNKNOWN
    return Outcome.PASS if holds else Outcome.FAIL


def load(connection: duckdb.DuckDBPyConnection, built: Built, rows: Sequence[Row]) -> duckdb.DuckDBPyRelation:
    """Table ``world``: the number of the row as ``n``, then every field that the claim touches."""
    shape: dict[str, Any] = {"n": "BIGINT"}
    for fact, name in sorted(built.touched.fields, key=lambda pair: (pair[0].__name__, pair[1])):
        shape[column_name(fact.__name__, name)] = _shape(fields_of(fact)[name])
    lines = [
        {"n": n} | {column_name(*key.split(".")): _plain(value) for key, value in row.items()}
        for n, row in enumerate(rows)
    ]
    connection.execute(
        f"CREATE TEMP TABLE world AS SELECT r.* FROM (SELECT unnest(from_json(?, '{json.dumps([shape])}')) AS r)",
        [json.dumps(lines)],
    )
    return connection.table("world")


def _with_quantified(
    connection: duckdb.DuckDBPyConnection, world: duckdb.DuckDBPyRelation, item: Quantified
) -> duckdb.DuckDBPyRelation:
    """The world with one more column: whether the statement holds for every or for some element of the list."""
    column = column_name(item.fact, item.field)
    children = connection.sql(f'SELECT n, e.* FROM (SELECT n, unnest("{column}") AS e FROM world)')
    judged = nw.from_native(children).select("n", says=item.inner).to_native()
    decisive = "false" if item.every else "true"
    groups = judged.aggregate(
        f"n, bool_or(says IS NOT DISTINCT FROM {decisive}) AS decided, bool_or(says IS NULL) AS doubtful", "n"
    )
    empty = "NULL" if item.empty is None else str(item.empty).lower()
    return (
        world.set_alias("w")
        .join(groups.set_alias("g"), "n", how="left")
        .project(
            f'w.*, CASE WHEN w."{column}" IS NULL THEN NULL WHEN len(w."{column}") = 0 THEN {empty} '
            f'WHEN decided THEN {decisive} WHEN doubtful THEN NULL ELSE NOT {decisive} END::BOOLEAN AS "{item.name}"'
        )
    )


def _shape(info: FieldInfo) -> Any:
    if info.struct is not None:
        return [{name: _shape(field) for name, field in fields_of(info.struct).items()}]
    return ["VARCHAR"] if info.type is ColumnType.TEXT_LIST else _SQL[info.type]


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(UTC).replace(tzinfo=None).isoformat()
        case list():
            return [_plain(item) for item in value]
        case Mapping():
            return {name: _plain(item) for name, item in value.items()}
    return value


def _refuse_impossible(built: Built, rows: Iterable[Row]) -> None:
    facts: dict[str, type[Fact]] = {fact.__name__: fact for fact, _ in built.touched.fields}
    judged = {f"{fact.__name__}.{name}" for fact, name in built.touched.fields}
    for row in rows:
        if not row.keys() <= judged:
            raise ValueError(f"{sorted(row.keys() - judged)} is not judged; judged are {sorted(judged)}")
        for name, fact in facts.items():
            fields = {key.split(".")[1]: value for key, value in row.items() if key.startswith(f"{name}.")}
            msgspec.convert({"asset": "test:world:1", "observed_at": AS_OF, **fields}, fact, strict=True)
